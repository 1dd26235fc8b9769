"""The daemon that holds authority, keys and the log. No network, no camera."""
