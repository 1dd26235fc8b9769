"""Ctrl-C on a terminal ends the demonstration and nothing around it."""

import os
import pty
import sys
from pathlib import Path

import pytest

PROGRAM = """
import signal, time
from overt_tools.demo.terminal import taken
with taken():
    try:
        print("playing", flush=True)
        time.sleep(30)
    except KeyboardInterrupt:
        print("ended well", flush=True)
print("last line", flush=True)
"""


def type_at(command: list[str], keys: bytes, cwd: Path) -> tuple[str, int]:
    """Run a command on a terminal of its own, type keys once it plays, and return what was shown and the status."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(cwd)
        for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):  # a make that runs the tests is not a part of this one
            os.environ.pop(name, None)
        os.execvp(command[0], command)  # noqa: S606 - the child of a fork has nothing else to do
    shown = b""
    try:
        while chunk := os.read(terminal, 1024):
            shown += chunk
            if b"playing\r\n" in shown and keys:
                os.write(terminal, keys)
                keys = b""
    except OSError:
        pass  # the terminal's other side is closed
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    return shown.decode(), os.waitstatus_to_exitcode(status)


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("under", "keys"),
    [("make", b"\x03"), ("make", b"\x1a\x03"), ("directly", b"\x03")],
    ids=["make, ctrl-c", "make, ctrl-z then ctrl-c", "directly, ctrl-c"],
)
def test_ctrl_c_ends_the_demonstration_and_its_own_last_line_and_status_stand(
    under: str, keys: bytes, tmp_path: Path
) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "Makefile").write_text(f"run:\n\t@{sys.executable} program.py\n")
    command = ["make", "run"] if under == "make" else [sys.executable, "program.py"]
    shown, status = type_at(command, keys, tmp_path)
    assert status == 0, shown
    lines = [line.replace("^C", "").replace("^Z", "") for line in shown.splitlines()]
    assert lines == ["playing", "ended well", "last line"]
