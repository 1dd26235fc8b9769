"""Firmware of an Overt unit: the contract, the recognition, and the daemons that run on the camera."""

__version__ = "0.1.0"
