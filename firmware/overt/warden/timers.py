"""What has to be done every so often, in a loop of one thread."""

import time
from collections.abc import Callable


class Timers:
    """Actions and when each is next due."""

    def __init__(self) -> None:
        self._timers: list[tuple[float, Callable[[], None]]] = []
        self._due: list[float] = []

    def every(self, seconds: float, act: Callable[[], None]) -> None:
        """Do something every so many seconds, the first time after that time."""
        self._timers.append((seconds, act))
        self._due.append(time.monotonic() + seconds)

    def due_in(self) -> float:
        """Return the seconds until the next is due."""
        return max(0.0, min(self._due) - time.monotonic())

    def run(self) -> None:
        """Do what is due."""
        now = time.monotonic()
        for index, (seconds, act) in enumerate(self._timers):
            if self._due[index] <= now:
                self._due[index] = now + seconds
                act()
