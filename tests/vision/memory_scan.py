"""Looking into another process's memory, as its memory dump would show it."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest


def count_in_memory(pid: int, needles: list[bytes]) -> int:
    """How many of these byte strings are anywhere in a process's memory. Skips the test where that is forbidden."""
    found = set()
    for data in memory_of(pid):
        found |= {needle for needle in needles if needle in data}
    return len(found)


def memory_of(pid: int) -> Iterator[bytes]:
    """Everything in a process's memory that is its own: region by region, then memory files that it holds open.

    Skips the test where that is forbidden.
    """
    try:
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:  # noqa: PTH123 - a raw, unbuffered file
            for start, end in _readable(pid):
                memory.seek(start)
                try:
                    yield memory.read(end - start) or b""
                except OSError:
                    continue  # a device's or the kernel's own page
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                if "memfd:" in str(descriptor.readlink()):
                    yield descriptor.read_bytes()
    except PermissionError:
        pytest.skip("looking into another process's memory needs more rights: run the tests as root")


def _readable(pid: int) -> list[tuple[int, int]]:
    """Regions that can hold anything of a process's own: those that are in memory, and not a program's or file's."""
    regions = []
    region, kept = (0, 0), False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        name, *rest = line.split()
        if not name.endswith(":"):
            start, end = (int(address, 16) for address in name.split("-"))
            region, path = (start, end), rest[4] if len(rest) > 4 else ""
            kept = rest[0][0] == "r" and not path.startswith("[v") and (rest[0][1] == "w" or "memfd:" in path)
        elif name == "Rss:" and kept and int(rest[0]) > 0:
            regions.append(region)
    return regions
