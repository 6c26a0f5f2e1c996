"""India's ABDM as a Health Information Provider. One folder, one recipient; its parts are the modules beside this file."""
