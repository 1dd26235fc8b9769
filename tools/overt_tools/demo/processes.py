"""Child processes that cannot outlive the demonstration, and what they wrote."""

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from overt_tools.children import tie_to_parent

_TERM_PATIENCE_S = 8.0


class ChildDied(Exception):
    """A process of the demonstration ended before its time. The message ends with its last words."""


class Child:
    """One running process, its standard error in a file, its standard output there too or in a pipe."""

    def __init__(self, name: str, command: Sequence[str], logs: Path, *, piped: bool = False) -> None:
        """Start it.

        Raises:
            OSError: The program cannot be started.
        """
        self.name = name
        self.log = logs / f"{name}.log"
        with self.log.open("ab") as log:
            # A session of its own: a Ctrl-C at the terminal reaches the demonstration alone, which then ends the rest.
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if piped else log,
                stderr=log,
                start_new_session=True,
                preexec_fn=tie_to_parent(os.getpid()),  # noqa: PLW1509 - no threads exist yet, and PDEATHSIG needs it
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def output(self) -> IO[bytes]:
        """The pipe from its standard output."""
        if self._process.stdout is None:
            raise ValueError("this process was started without a pipe")
        return self._process.stdout

    def is_running(self) -> bool:
        """Say whether it still runs."""
        return self._process.poll() is None

    def check(self) -> None:
        """Do nothing while it runs.

        Raises:
            ChildDied: It has ended.
        """
        code = self._process.poll()
        if code is not None:
            raise ChildDied(f"the {self.name} ended with exit code {code}: {self.last_words()}")

    def last_words(self) -> str:
        """Return the last line that it wrote."""
        with contextlib.suppress(OSError):
            lines = self.log.read_text(errors="replace").strip().splitlines()
            if lines:
                return lines[-1][:400]
        return "it said nothing"

    def stop(self) -> None:
        """Ask it to end; make it end. Calling it twice is fine."""
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_TERM_PATIENCE_S)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


class Family:
    """All children, ended in the reverse order of their starting."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._children: list[Child] = []

    @property
    def children(self) -> tuple[Child, ...]:
        """Those that were started and not ended by `stop` yet."""
        return tuple(self._children)

    def start(self, name: str, command: Sequence[str], *, piped: bool = False) -> Child:
        """Start one more.

        Raises:
            OSError: The program cannot be started.
        """
        child = Child(name, command, self._logs, piped=piped)
        self._children.append(child)
        return child

    def check(self) -> None:
        """Check each.

        Raises:
            ChildDied: One has ended.
        """
        for child in self._children:
            child.check()

    def wait_for(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait until something is true.

        Raises:
            ChildDied: A process ended meanwhile.
            TimeoutError: It did not become true in time.
        """
        deadline = time.monotonic() + seconds
        while not condition():
            self.check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"waited {seconds:.0f} s for {what}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End them all, the youngest first."""
        while self._children:
            self._children[-1].stop()
            self._children.pop()
