"""The technician's cable: how a laptop and a unit talk over a serial line that loses, garbles and tears."""
