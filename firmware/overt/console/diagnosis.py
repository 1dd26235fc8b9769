"""`diagnose`: what the machine knows of its health. Plain numbers; what they mean, the technician's side says."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from overt import __version__
from overt.console.registry import Counter, Nothing, Registry, Request
from overt.protocol.cable.requests import Diagnosis, Interface
from overt.protocol.vocabulary import Act

_SYS: Final = Path("/sys/class")
_INTERFACES_MOST: Final = 16


def add_to(registry: Registry) -> None:
    """Add it."""
    registry.add(Request("diagnose", Act.DIAGNOSE, Nothing, _diagnose))


def _diagnose(counter: Counter, _: Nothing) -> Diagnosis:
    memory = _memory_kib()
    disk = os.statvfs(counter.spool)
    return Diagnosis(
        version=__version__,
        time=datetime.now(UTC),
        uptime_s=int(time.clock_gettime(time.CLOCK_BOOTTIME)),
        temperature_c=_temperature_c(),
        memory_free_mib=memory // 1024,
        disk_free_mib=disk.f_bavail * disk.f_frsize // 2**20,
        load=min(os.getloadavg()[0], 1000.0),
        interfaces=tuple(_interfaces()),
    )


def _memory_kib() -> int:
    for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1])
    return 0


def _temperature_c() -> float | None:
    """Return the temperature of the warmest zone; None when the machine tells none."""
    zones = [_number(path) for path in _SYS.glob("thermal/thermal_zone*/temp")]
    told = [zone / 1000 for zone in zones if zone is not None]
    return max(told) if told else None


def _interfaces() -> list[Interface]:
    """Return the network interfaces but the loop: whether each has a link. The console itself can use none of them."""
    found = sorted(path.name for path in _SYS.glob("net/*") if path.name != "lo")
    return [Interface(name=name[:32], up=_text(_SYS / "net" / name / "operstate") == "up") for name in found][
        :_INTERFACES_MOST
    ]


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.lstrip("-").isdigit() else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
