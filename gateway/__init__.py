"""Clinic Gateway: the one door through which a clinic's data reaches third parties."""
