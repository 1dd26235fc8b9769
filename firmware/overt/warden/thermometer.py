"""The board's temperature as the kernel tells it under /sys, and what the Raspberry Pi's firmware says of itself."""

from pathlib import Path
from typing import Final

from overt.warden.thermal import Heat

# Kernel documentation, driver-api/thermal/sysfs-api.rst: `type` names a zone, `temp` is in thousandths of a degree.
_ZONES: Final = "class/thermal/thermal_zone*"
# A zone over the processor is called "cpu-thermal" (Raspberry Pi), "soc-thermal", "x86_pkg_temp", "cpu0-thermal".
_MATTER: Final = ("cpu", "soc", "pkg", "gpu")
# A hexadecimal number; bits as `vcgencmd get_throttled` has them (Raspberry Pi documentation). The folder's name
# differs between models.
_THROTTLED: Final = ("devices/platform/soc*/soc*firmware/get_throttled", "devices/platform/*firmware/get_throttled")
_UNDER_VOLTAGE, _CAPPED, _THROTTLED_NOW = 0x1, 0x2, 0x4
# drivers/hwmon/raspberrypi-hwmon.c
_SUPPLY: Final = "class/hwmon/hwmon*"
_SUPPLY_NAME: Final = "rpi_volt"
_SUPPLY_ALARM: Final = "in0_lcrit_alarm"

_MODEL: Final = "firmware/devicetree/base/model"
_VIRTUAL: Final = ("linux,dummy-virt", "")  # qemu's board, which has no sensor; no device tree at all: a PC
_MAX_BYTES: Final = 256


class SysfsThermometer:
    """Reads a sysfs tree."""

    def __init__(self, root: Path = Path("/sys")) -> None:
        """Find out what this hardware is.

        Args:
            root: Where the tree is.
        """
        self._root = root
        self._watched: tuple[Path, ...] = ()
        # A board with a device tree has a sensor over its processor. One that cannot be found is broken, not absent.
        self._is_board = (_text(root / _MODEL) or "").strip("\0\n ") not in _VIRTUAL

    def read(self) -> Heat:
        """Measure. A sensor that could be read once has to be read every time."""
        flags = self._flags()
        self._watched = tuple(dict.fromkeys((*self._watched, *self._readable())))
        found = [_celsius(zone) for zone in self._watched]
        known = [celsius for celsius in found if celsius is not None]
        return Heat(
            celsius=max(known) if known and len(known) == len(found) else None,
            expected=self._is_board or bool(self._watched),
            throttled=bool(flags & (_CAPPED | _THROTTLED_NOW)),
            under_voltage=bool(flags & _UNDER_VOLTAGE) or self._supply_is_weak(),
        )

    def _readable(self) -> list[Path]:
        """Return the zones that matter, of those that can be read now."""
        zones = [zone for zone in sorted(self._root.glob(_ZONES)) if _celsius(zone) is not None]
        matter = [zone for zone in zones if any(word in (_text(zone / "type") or "") for word in _MATTER)]
        return matter or ([] if self._watched else zones)

    def _flags(self) -> int:
        for pattern in _THROTTLED:
            for path in self._root.glob(pattern):
                try:
                    return int(_text(path) or "0", 16)
                except ValueError:
                    continue
        return 0

    def _supply_is_weak(self) -> bool:
        monitors = (folder for folder in self._root.glob(_SUPPLY) if (_text(folder / "name") or "") == _SUPPLY_NAME)
        return any(_text(folder / _SUPPLY_ALARM) == "1" for folder in monitors)


def _celsius(zone: Path) -> float | None:
    try:
        return int(_text(zone / "temp") or "") / 1000
    except ValueError:
        return None


def _text(path: Path) -> str | None:
    """Return a small file's text without the line's end; None when it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(_MAX_BYTES).decode("ascii", "replace").strip()
    except OSError:
        return None
