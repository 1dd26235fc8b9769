"""The laboratory: models, demonstration footage, brokers, benches. Works on labelled data; not on a unit."""
