"""A real MQTT broker for the demonstration and the tests: Mosquitto where it is installed, NATS from pip elsewhere."""
