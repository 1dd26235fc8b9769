"""What a daemon's start leaves in memory is given back, what it needs is kept, and what was locked stays locked."""

import ctypes
import mmap
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from overt.runtime.footprint import settle

SIZE = 16 * mmap.PAGESIZE
CONTENT = b"overt" * (SIZE // 5 + 1)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "code"
    path.write_bytes(CONTENT[:SIZE])
    return path


@pytest.fixture
def mapped(file: Path) -> Iterator[mmap.mmap]:
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ) as found:
        assert found[:] == CONTENT[:SIZE]  # now every page is in memory
        yield found


def state_of(path: Path) -> tuple[int, bool]:
    """Resident bytes of a file's mapping in this process, and whether it is locked."""
    found = re.search(rf"{re.escape(str(path))}\n(.*?VmFlags: [^\n]*)", Path("/proc/self/smaps").read_text(), re.DOTALL)
    assert found
    resident = re.search(r"Rss: +(\d+)", found[1])
    assert resident
    return int(resident[1]) * 1024, " lo" in found[1]


def test_pages_of_files_that_starting_read_are_let_go_and_come_back_at_their_first_use(
    file: Path, mapped: mmap.mmap
) -> None:
    assert state_of(file)[0] == SIZE
    assert settle() >= SIZE
    assert state_of(file)[0] == 0
    assert mapped[:] == CONTENT[:SIZE]


def test_what_was_locked_is_let_go_too_and_locked_again_when_it_comes_back(file: Path, mapped: mmap.mmap) -> None:
    libc = ctypes.CDLL(None)
    start = int(re.findall(rf"(?m)^([0-9a-f]+)-.*{re.escape(str(file))}$", Path("/proc/self/maps").read_text())[0], 16)
    assert libc.mlock(ctypes.c_void_p(start), ctypes.c_size_t(SIZE)) == 0
    settle()
    assert state_of(file) == (0, True)
    assert mapped[: mmap.PAGESIZE] == CONTENT[: mmap.PAGESIZE]
    resident, locked = state_of(file)
    assert resident > 0
    assert locked


def test_pages_that_differ_from_their_file_are_kept(file: Path) -> None:
    libc = ctypes.CDLL(None)
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, mmap.MAP_PRIVATE) as changed:
        changed[:4] = b"mine"
        address = ctypes.addressof(ctypes.c_char.from_buffer(changed))
        # Read-only from now on, as the loader leaves a library's tables when it has filled them in.
        assert libc.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(SIZE), mmap.PROT_READ) == 0
        settle()
        assert changed[:4] == b"mine"
        assert changed[4:SIZE] == CONTENT[4:SIZE]


def test_memory_files_are_never_let_go() -> None:
    """Their pages are all there is of them; and a gallery stays locked from its first byte to its last."""
    from overt.runtime.memory import SecretFile, map_sealed

    with SecretFile("overt-test-gallery", SIZE) as secret:
        secret.view[:4] = b"mine"
        secret.seal()
        with map_sealed(secret.descriptor) as gallery:
            settle()
            for text in Path("/proc/self/smaps").read_text().split("VmFlags:"):
                if "overt-test-gallery" in text:
                    assert "Locked:" in text
                    assert re.search(r"Locked: +0 kB", text) is None
            assert gallery[:4] == b"mine"


LARGE = """
import ctypes, sys
from pathlib import Path
from overt.runtime import footprint, memory
if "return" in sys.argv:
    footprint.return_large_blocks()
memory.harden_process()
bytes(2**22)  # once freed, it would teach the C library to keep such blocks
blocks = []
for _ in range(8):
    blocks += [bytearray(b"x" * 2**22), bytearray(b"x" * 100_000)]
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
full = resident()
blocks[::2] = [None] * 8
print(full - resident())
"""


def test_a_freed_picture_goes_back_to_the_kernel_at_once_though_memory_is_locked() -> None:
    done = subprocess.run([sys.executable, "-c", LARGE, "return"], capture_output=True, text=True, check=True)
    assert int(done.stdout) >= 8 * 2**22
