"""On what machine a measurement was made, and whether anything else was going on there."""

import os
import platform
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from overt import __version__

PACKAGES = ("ai-edge-litert", "av", "msgspec", "numpy", "opencv-python-headless", "onnxruntime", "paho-mqtt")
FLAGS = ("avx", "avx2", "avx512f", "avx512bw", "avx512_vnni", "avx_vnni", "amx_int8", "fma", "f16c", "asimd", "asimddp")
"""CPU features that decide how fast a network runs."""

BUSY = 0.2
"""Cores that others keep busy, from which figures are doubtful."""

_LOOK = 1.0  # seconds


class Environment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The machine and its state.

    Attributes:
        taken: When, ISO 8601, UTC.
        overt: Overt's version.
        cpu: The processor's name.
        flags: Those of its features that matter here.
        cores: How many the machine has.
        pinned: The core that was measured on; None when several processes shared all of them.
        memory_mb: In the machine.
        kernel: The system's release.
        python: The interpreter's version.
        packages: Versions of what does the work.
        models: Digest of each model file used, by name.
        load: Cores that were busy just before. Not the load average, which still has what this very program did last.
        busy: The machine was not idle at the start, so the figures are doubtful.
    """

    taken: str
    overt: str
    cpu: str
    flags: list[str]
    cores: int
    pinned: int | None
    memory_mb: int
    kernel: str
    python: str
    packages: dict[str, str]
    models: dict[str, str]
    load: float
    busy: bool


def record(pinned: int | None, models: dict[str, str] | None = None) -> Environment:
    """Take down the machine and its state now.

    Args:
        pinned: The core that is measured on, if it is one.
        models: Digest of each model file, by name.
    """
    name, flags = _processor(Path("/proc/cpuinfo"))
    load = _others(Path("/proc/stat"))
    return Environment(
        taken=datetime.now(UTC).isoformat(timespec="seconds"),
        overt=__version__,
        cpu=name,
        flags=flags,
        cores=os.cpu_count() or 1,
        pinned=pinned,
        memory_mb=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        kernel=platform.release(),
        python=platform.python_version(),
        packages={package: found for package in PACKAGES if (found := _version(package))},
        models=models or {},
        load=load,
        busy=load >= BUSY,
    )


def warning(environment: Environment) -> str | None:
    """Say that figures are doubtful, if they are."""
    if not environment.busy:
        return None
    return (
        f"this machine is busy ({environment.load:.2f} cores at work, expected less than {BUSY}): "
        "the figures are doubtful, measure again when it is idle"
    )


def _others(path: Path) -> float:
    """Watch for a second how many cores are at work while this process sleeps."""
    before = _worked(path)
    time.sleep(_LOOK)
    return round((_worked(path) - before) / os.sysconf("SC_CLK_TCK") / _LOOK, 2)


def _worked(path: Path) -> int:
    """Ticks that all cores together have worked, as proc_stat(5) counts them: neither idle nor waiting for a disk."""
    _, user, nice, system, _, _, interrupts, soft, *_ = path.read_text().split("\n", 1)[0].split()
    return sum(map(int, (user, nice, system, interrupts, soft)))


def _processor(path: Path) -> tuple[str, list[str]]:
    """Read the processor's name and features."""
    name, flags = platform.machine(), set[str]()
    for line in path.read_text().splitlines() if path.exists() else []:
        key, _, value = line.partition(":")
        if key.strip() in {"model name", "Model"}:
            name = f"{value.strip()} ({platform.machine()})"
        elif key.strip() in {"flags", "Features"}:
            flags = set(value.split())
    return name, [flag for flag in FLAGS if flag in flags]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
