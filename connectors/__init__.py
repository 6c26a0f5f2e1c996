"""One folder per recipient. Nothing here imports a vendor's SDK when it is loaded."""
