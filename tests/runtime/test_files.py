import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from overt.runtime.files import write_atomically


def test_a_written_file_has_the_bytes_and_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    write_atomically(tmp_path / "state", b"new")
    assert (tmp_path / "state").read_bytes() == b"new"
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o600


def test_who_may_read_a_file_does_not_hang_on_the_umask(tmp_path: Path) -> None:
    """The update's progress is written by root for the console, which runs as somebody else."""
    before = os.umask(0o077)
    try:
        write_atomically(tmp_path / "progress", b"good", 0o644)
    finally:
        os.umask(before)
    assert (tmp_path / "progress").stat().st_mode & 0o777 == 0o644


def test_replacing_leaves_nothing_but_the_new_file(tmp_path: Path) -> None:
    write_atomically(tmp_path / "state", b"old")
    write_atomically(tmp_path / "state", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
    assert (tmp_path / "state").read_bytes() == b"new"


def test_a_full_disk_keeps_the_old_bytes_and_leaves_no_temp_file(tmp_path: Path) -> None:
    write_atomically(tmp_path / "state", b"old")
    child = os.fork()
    if child == 0:  # in a child, because a limit cannot be taken back
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        try:
            write_atomically(tmp_path / "state", b"x" * 100_000)
        except OSError:
            os._exit(7)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
    assert (tmp_path / "state").read_bytes() == b"old"


def test_a_writer_killed_at_any_moment_leaves_the_old_or_the_new_bytes_never_a_mixture(tmp_path: Path) -> None:
    state = tmp_path / "state"
    old, new = b"o" * 300_000, b"n" * 300_000
    write_atomically(state, old)
    program = (
        "import sys; from pathlib import Path; from overt.runtime.files import write_atomically as w\n"
        "print('ready', flush=True)\n"
        "while True:\n  w(Path(sys.argv[1]), b'n'*300000); w(Path(sys.argv[1]), b'o'*300000)\n"
    )
    for delay in (0.0, 0.003, 0.01, 0.02):
        writer = subprocess.Popen([sys.executable, "-c", program, str(state)], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        with pytest.raises(subprocess.TimeoutExpired):
            writer.wait(delay)
        writer.kill()
        writer.wait()
        writer.stdout.close()
        assert state.read_bytes() in (old, new)
