"""Give back the memory that only starting needed, so that a unit of 1 GB has room for what it is for.

Starting maps libraries and model files, reads most of them once, and leaves a heap full of holes. Under `mlockall` all
of that would stay resident for good. Nothing secret is touched: code and files can be read again from where they lie.
"""

import ctypes
import gc
import mmap
import re
from collections.abc import Iterator
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)

_MMAP_THRESHOLD, _ARENA_MAX = -3, -8  # glibc, malloc.h: M_MMAP_THRESHOLD, M_ARENA_MAX
_LARGE_BYTES = 1024 * 1024
_MLOCK_ONFAULT = 1  # linux/mman.h

_MAPPING = re.compile(r"(?P<start>[0-9a-f]+)-(?P<end>[0-9a-f]+) r-[-x]. \S+ \S+ (?P<inode>\d+) *(?P<path>.*)")
"""The first line of a mapping in smaps that can be read and not be written (Documentation/filesystems/proc.rst)."""


def return_large_blocks() -> None:
    """Have every freed block of a megabyte or more go back to the kernel at once; for a daemon that handles pictures.

    By itself the C library keeps such blocks for later once it has seen one freed, and memory that is locked it cannot
    give back afterwards. So the heap would grow around the holes, and an old picture stay in one.
    """
    for option, value in ((_MMAP_THRESHOLD, _LARGE_BYTES), (_ARENA_MAX, 1)):
        _libc.mallopt(option, value)


def settle() -> int:
    """Give back what starting left behind; for a daemon that is ready, before it sees anything secret.

    First the objects of start-up that refer to each other, then the free pages of the heap, then the clean pages of
    files that are mapped for reading: those that are used come back at their first use, and are locked again if they
    were.

    Returns:
        Bytes of files' pages that were let go.
    """
    gc.collect()
    _libc.malloc_trim(ctypes.c_size_t(0))
    return sum(_release(start, size, locked=locked) * resident for start, size, resident, locked in _clean_mappings())


def _release(start: int, size: int, *, locked: bool) -> bool:
    place = (ctypes.c_void_p(start), ctypes.c_size_t(size))
    if locked:
        _libc.munlock(*place)
    released = bool(_libc.madvise(*place, mmap.MADV_DONTNEED) == 0)
    if locked:
        _libc.mlock2(*place, ctypes.c_uint(_MLOCK_ONFAULT))
    return released


def _clean_mappings() -> Iterator[tuple[int, int, int, bool]]:
    """Yield start, size, resident bytes and lock of the mappings of files whose every page is as in the file.

    A library's tables that the loader has filled in are read-only too, but they are no longer the file's: their
    pages are anonymous, and letting go of them would lose them.
    """
    for text in re.split(r"\n(?=[0-9a-f]+-[0-9a-f]+ )", Path("/proc/self/smaps").read_text()):
        lines = text.splitlines()
        found = _MAPPING.fullmatch(lines[0])
        if found is None or found["inode"] == "0" or found["path"].startswith(("/memfd:", "/dev/", "/SYSV")):
            continue
        facts = dict(line.split(":", 1) for line in lines[1:])
        resident, own = (_bytes(facts[name]) for name in ("Rss", "Anonymous"))
        if resident and not own:
            start, end = int(found["start"], 16), int(found["end"], 16)
            yield start, end - start, resident, " lo" in facts["VmFlags"]


def _bytes(kilobytes: str) -> int:
    return int(kilobytes.split(maxsplit=1)[0]) * 1024
