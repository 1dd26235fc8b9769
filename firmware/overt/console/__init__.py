"""Daemon: the technician's cable. No camera, no network, no key; whatever it is told, the warden decides."""
