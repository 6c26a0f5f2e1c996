"""ABDM, India's network of health records: the gateway as a Health Information Provider."""
