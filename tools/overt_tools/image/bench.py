"""What a bench's image has in place of a board's parts: footage for a camera, a simulated lamp on real GPIO lines."""

from pathlib import Path
from typing import Final

_FROM: Final = Path(__file__).resolve().parents[3] / "firmware" / "image" / "bench"
SOURCE: Final = "file:/usr/share/overt-bench/footage.mp4"
LAMP: Final = "cp2112_gpio:0:1"
"""The indicator to enrol a bench's unit with."""
PARTS: Final = (
    ("/usr/lib/overt-bench/lamp.py", (_FROM / "lamp.py").read_bytes()),
    ("/etc/systemd/system/overt-bench-lamp.service", (_FROM / "overt-bench-lamp.service").read_bytes()),
)
