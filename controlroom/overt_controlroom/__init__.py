"""The control room: reads what units publish, verifies it, counts it once, and shows what is missing."""
