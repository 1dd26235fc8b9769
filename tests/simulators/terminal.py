"""Somebody at a terminal: types a command as a guide has it, and answers what it asks."""

import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

BIN = Path(sys.executable).parent
_STYLE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """A terminal of 100 columns in a folder."""

    def __init__(self, folder: Path) -> None:
        """Sit down in a folder."""
        self.folder = folder
        self.seen = ""
        """Everything that was ever on it."""

    def type(self, line: str, *answers: tuple[str, str], code: int = 0, within_s: float = 90.0) -> str:
        """Type a line, answer its questions in their order, and return what was shown.

        Args:
            line: The command.
            answers: Words of each question, and what is typed once they are there. `^C` is Ctrl-C.
            code: How the command has to end.
            within_s: By when.
        """
        master, slave = pty.openpty()
        environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "TERM": "xterm-256color",
                       "COLUMNS": "100", "LINES": "40"}  # fmt: skip
        process = subprocess.Popen(
            ["setsid", "--ctty", "--wait", "bash", "-c", line], cwd=self.folder, env=environment,
            stdin=slave, stdout=slave, stderr=slave,
        )  # fmt: skip
        os.close(slave)
        try:
            return self._talk(process, master, line, list(answers), code, time.monotonic() + within_s)
        finally:
            os.close(master)
            if process.poll() is None:  # the test has failed
                process.kill()
                process.wait()

    def _talk(
        self,
        process: "subprocess.Popen[bytes]",
        master: int,
        line: str,
        left: list[tuple[str, str]],
        code: int,
        until: float,
    ) -> str:
        shown = ""
        while True:
            assert time.monotonic() < until, f"{line}: waits for {left or 'nothing'} after:\n{shown}"
            if select.select([master], [], [], 0.1)[0]:
                try:
                    data = os.read(master, 65536)
                except OSError:  # it has ended, and its terminal with it
                    break
                shown += _STYLE.sub("", data.decode(errors="replace")).replace("\r", "")
            if left and left[0][0] in shown.rpartition("\n\0")[2]:
                answer = left.pop(0)[1]
                os.write(master, b"\x03" if answer == "^C" else answer.encode() + b"\n")
                shown += "\n\0"  # what was asked before is answered
        ended = process.wait(10)
        shown = shown.replace("\n\0", "")
        self.seen += shown
        assert ended == code, f"{line} ended with {ended}:\n{shown}"
        assert not left, f"{line} never asked for {left[0][0]}:\n{shown}"
        return shown
