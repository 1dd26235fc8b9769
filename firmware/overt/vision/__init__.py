"""Daemon: camera and matching. Sees faces. No network, no disk."""
