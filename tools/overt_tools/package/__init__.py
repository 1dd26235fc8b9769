"""The unit's Debian package: pinned wheels, the firmware, the models, units of systemd, and a bill of materials."""
