"""The uplink daemon: MQTT. No camera, no watchlist, and it cannot open what it carries."""
