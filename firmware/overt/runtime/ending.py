"""Being asked to end: SIGTERM and Ctrl-C, noticed by the loop at its own time and never in the middle of something."""

import contextlib
import os
import select
import signal
from types import FrameType, TracebackType
from typing import Any

from overt.runtime.cli import INTERRUPTED, OK


class Ending:
    """Within its `with` block signals are noted, and `fileno` becomes readable: a loop that selects on it wakes up.

    A second signal raises `KeyboardInterrupt` wherever the process is: for one that hangs.
    """

    def __init__(self) -> None:
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._number: int | None = None
        self._before: dict[int, Any] = {}
        self._wakeup_before = -1

    @property
    def asked(self) -> bool:
        """Whether the process has been asked to end."""
        return self._number is not None

    @property
    def exit_code(self) -> int:
        """What the process ends with: 130 after Ctrl-C, else 0."""
        return INTERRUPTED if self._number == signal.SIGINT else OK

    def fileno(self) -> int:
        """Return the descriptor, for `select`."""
        return self._read

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until asked.

        Returns:
            Whether the process has been asked to end.
        """
        if not self.asked:
            select.select([self._read], [], [], seconds)
        return self.asked

    def __enter__(self) -> "Ending":
        self._wakeup_before = signal.set_wakeup_fd(self._write)
        for number in (signal.SIGTERM, signal.SIGINT):
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        with contextlib.suppress(ValueError):  # whoever set it before us may have closed it
            signal.set_wakeup_fd(self._wakeup_before)
        os.close(self._read)
        os.close(self._write)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        if self._number is not None:
            raise KeyboardInterrupt
        self._number = number
