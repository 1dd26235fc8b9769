"""The technician's commands at a unit, over a serial cable."""
