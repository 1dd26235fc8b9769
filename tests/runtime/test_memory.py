import fcntl
import mmap
import os
from pathlib import Path
from typing import Any

import pytest

from overt.runtime import memory

CANARY = b"canary-template-" * 32


def locked_kb(path_fragment: str) -> int:
    """How much of a mapping is locked, as the kernel tells."""
    text = Path("/proc/self/smaps").read_text()
    for block in text.split("VmFlags:"):
        if path_fragment in block:
            return next(int(line.split()[1]) for line in block.splitlines() if line.startswith("Locked:"))
    raise AssertionError(f"no mapping of {path_fragment}")


@pytest.fixture
def secret() -> memory.SecretFile:
    file = memory.SecretFile("test-gallery", 8192)
    view = file.view
    view[: len(CANARY)] = CANARY
    view.release()
    return file


def test_p3_templates_are_handed_on_in_memory_that_is_locked_and_left_out_of_core_dumps(
    secret: memory.SecretFile,
) -> None:
    flags = Path("/proc/self/smaps").read_text().split("test-gallery")[1].split("VmFlags:")[1].splitlines()[0]
    assert " lo" in flags
    assert " dd" in flags
    assert locked_kb("test-gallery") == 8
    secret.close()


def test_p3_whoever_receives_the_memory_file_cannot_write_grow_or_shrink_it(secret: memory.SecretFile) -> None:
    secret.seal()
    with pytest.raises(PermissionError):
        mmap.mmap(secret.descriptor, 8192)
    with pytest.raises(PermissionError):
        os.pwrite(secret.descriptor, b"x", 0)
    for size in (4096, 16384):
        with pytest.raises(PermissionError):
            os.ftruncate(secret.descriptor, size)
    mapped = memory.map_sealed(secret.descriptor)
    assert mapped[: len(CANARY)] == CANARY
    mapped.close()
    secret.close()


def test_p3_the_maker_wipes_it_for_everyone_who_still_has_it_mapped(secret: memory.SecretFile) -> None:
    secret.seal()
    mapped = memory.map_sealed(secret.descriptor)
    secret.close()
    assert mapped[:] == bytes(8192)
    mapped.close()
    secret.close()


def test_a_memory_file_that_its_holder_could_still_change_is_refused(secret: memory.SecretFile) -> None:
    with pytest.raises(memory.MemoryUnsafe, match="sealed"):
        memory.map_sealed(secret.descriptor)
    secret.close()


def test_a_plain_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(100))
    with (tmp_path / "file").open("rb") as file, pytest.raises(OSError, match="Invalid argument"):
        memory.map_sealed(file.fileno())


@pytest.mark.parametrize("make", [bytes, bytearray, lambda data: memoryview(bytearray(data))])
def test_wiping_overwrites_in_place(make: Any) -> None:
    buffer = make(os.urandom(4096))
    memory.wipe(buffer)
    assert bytes(buffer) == bytes(4096)


def test_wiping_leaves_the_interpreters_shared_short_strings_alone() -> None:
    one = b"z"
    memory.wipe(one)
    memory.wipe(b"")
    assert one == bytes([122])


def test_p1_a_hardened_process_is_undumpable_and_cannot_leave_a_core() -> None:
    child = os.fork()
    if child == 0:  # in a child: hardening cannot be taken back
        import resource

        memory.harden_process()
        no_core = resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
        undumpable = memory._libc.prctl(3, 0, 0, 0, 0) == 0  # PR_GET_DUMPABLE
        os._exit(0 if no_core and undumpable else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_secret_file_that_cannot_be_locked_is_not_made_and_leaks_no_descriptor() -> None:
    before = len(os.listdir("/proc/self/fd"))
    child = os.fork()
    if child == 0:
        import resource

        resource.setrlimit(resource.RLIMIT_MEMLOCK, (4096, 4096))
        if os.geteuid() == 0:
            os.setuid(65534)  # root may lock without limit
        try:
            memory.SecretFile("too-large", 1 << 20)
        except memory.MemoryUnsafe as error:
            os._exit(0 if "ulimit -l" in str(error) and len(os.listdir("/proc/self/fd")) <= before else 1)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert fcntl.fcntl(0, fcntl.F_GETFD) >= 0


def test_a_sealed_copy_can_be_read_and_changed_by_nobody_not_even_its_maker() -> None:
    data = os.urandom(100_000)
    descriptor = memory.sealed_copy("document", data)
    try:
        assert os.pread(descriptor, len(data) + 1, 0) == data
        for change in (lambda: os.pwrite(descriptor, b"x", 0), lambda: os.ftruncate(descriptor, 1)):
            with pytest.raises(PermissionError):
                change()
        mapped = memory.map_sealed(descriptor)
        assert mapped[:] == data
        mapped.close()
    finally:
        os.close(descriptor)
