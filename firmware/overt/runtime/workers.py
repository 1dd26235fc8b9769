"""Processes that work for a command and leave Ctrl-C to it, from their first instant."""

import signal
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any, ClassVar, Final


class _Process(SpawnProcess):
    def start(self) -> None:
        """Start with SIGINT blocked, inherited: a process that ignores it later can still die of it before."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            super().start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Context(SpawnContext):
    Process: ClassVar[Any] = _Process  # Any: the library types it as its own class


SPAWN: Final = _Context()
"""The `mp_context` of every pool of processes."""
