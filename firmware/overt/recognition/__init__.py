"""Pixels to faces to templates to scores. Pure computing on NumPy arrays: no I/O, no clock, nothing kept."""
