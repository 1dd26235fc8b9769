"""What the control room says, event by event, as the demonstration follows it."""

import json
import queue
import threading
from typing import IO, Any

Event = dict[str, Any]


class Feed:
    """Events of `overt-controlroom watch --json`, read by a thread so that nobody waits on a pipe."""

    def __init__(self, pipe: IO[bytes]) -> None:
        # Ctrl-C raises wherever the demonstration is; a `Queue` that it strikes in its locks breaks, this one does not.
        self._queue: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, args=(pipe,), daemon=True)
        self._reader.start()

    def next(self, seconds: float) -> Event | None:
        """Return the next event, or None when none comes in that time."""
        try:
            return self._queue.get(timeout=seconds)
        except queue.Empty:
            return None

    def _read(self, pipe: IO[bytes]) -> None:
        try:
            for line in pipe:
                self._queue.put(json.loads(line))
        except ValueError:
            return  # the pipe was closed, or the last line was cut short when the process was ended
