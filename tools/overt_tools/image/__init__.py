"""The whole system of a unit: a disk image that boots by itself, with two slots and a partition for what is kept."""
