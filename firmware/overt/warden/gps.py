"""A satellite receiver on a serial line: a thread reads it, so that nothing it does can hold the warden up.

The line is opened for this process alone (a second reader steals bytes), and opened again, with growing waits, whenever
it ends: a receiver that was plugged out answers EIO until then. The thread writes no log: its process forks, and a lock
that a thread holds meanwhile stays locked in the child. What it has to say, it leaves here to be read.
"""

import contextlib
import fcntl
import termios
import threading
import time
from collections import deque
from typing import Any, Final

from overt.runtime.retry import Backoff
from overt.warden import fix
from overt.warden.fix import Fix, GpsTime
from overt.warden.nmea import Framer, parse

BAUDS: Final = (4800, 9600, 19200, 38400, 57600, 115200)
_READ_BYTES = 4096
_PATIENCE_S = 0.5  # how long a read waits for the first byte
_PAUSE_S = 0.02  # between two reads: a line that is flooded takes no more of the processor than it needs
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 10.0
_TIMES_KEPT = 20


class Receiver:
    """One receiver. Every method but `_run` and what it calls is for other threads."""

    def __init__(self, device: str, baud: int, backoff: Backoff | None = None) -> None:
        """Prepare. Nothing is opened before `start`.

        Args:
            device: The serial line.
            baud: Its rate, one of `BAUDS`.
            backoff: How long to wait before it is opened again.
        """
        self._device, self._baud = device, baud
        self._backoff = backoff or Backoff(_FIRST_WAIT_S, _LONGEST_WAIT_S)
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._track, self._trouble = fix.NOTHING, "not opened yet"
        self._times: deque[GpsTime] = deque(maxlen=_TIMES_KEPT)
        self._heard_s: float | None = None
        self._thread = threading.Thread(target=self._run, name="gps", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        with contextlib.suppress(ImportError):  # the thread says so
            import serial  # noqa: F401, PLC0415 - here and not in the thread, so that no fork falls into an import
        self._thread.start()

    def close(self) -> None:
        """Stop reading and let go of the line."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(_PATIENCE_S * 4)

    def fix(self) -> Fix | None:
        """Return the position that may be believed now."""
        with self._lock:
            return fix.believed(self._track, boottime())

    def times(self) -> tuple[GpsTime, ...]:
        """Return the times that were told since they were last asked for, oldest first."""
        with self._lock:
            told = tuple(self._times)
            self._times.clear()
        return told

    @property
    def trouble(self) -> str | None:
        """Why the line cannot be read; None while it can."""
        with self._lock:
            return self._trouble or None

    def speaks(self) -> bool:
        """Say whether it has lately said anything that can be read."""
        with self._lock:
            return self._heard_s is not None and boottime() - self._heard_s <= fix.FIX_MAX_AGE_S

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                with contextlib.closing(self._open()) as line:
                    self._set_trouble("")
                    self._read(line)
            except ImportError:
                self._set_trouble("expected the Python package pyserial, found none: install it")
            except (OSError, ValueError, termios.error) as error:  # pyserial's own errors are OSErrors, termios' not
                self._set_trouble(str(error) or type(error).__name__)
            self._ended.wait(self._backoff.next())

    def _open(self) -> Any:  # noqa: ANN401 - a library that is loaded where it is used
        import serial  # noqa: PLC0415 - a unit without a receiver needs none

        line = serial.Serial(self._device, self._baud, timeout=_PATIENCE_S, exclusive=True)
        try:
            fcntl.ioctl(line.fileno(), termios.TIOCEXCL)  # the lock above is seen by those who ask for it only
        except OSError:
            line.close()
            raise
        return line

    def _read(self, line: Any) -> None:  # noqa: ANN401 - as above
        framer = Framer()
        while not self._ended.is_set():
            data = line.read(min(_READ_BYTES, line.in_waiting or 1))
            boot_s = boottime()
            for found in framer.feed(data):
                self._hear(found, boot_s)
            self._ended.wait(_PAUSE_S)

    def _hear(self, line: bytes, boot_s: float) -> None:
        sentence = parse(line)
        if sentence is None:
            return
        self._backoff.reset()  # a line that opens and says nothing readable is not a receiver yet
        told = fix.time_of(sentence, boot_s)
        with self._lock:
            self._heard_s = boot_s
            self._track = fix.take(self._track, sentence, boot_s)
            if told is not None:
                self._times.append(told)

    def _set_trouble(self, trouble: str) -> None:
        """Say what is wrong, or that nothing is; either way what came before is of another line."""
        with self._lock:
            self._trouble, self._track, self._heard_s = trouble, fix.NOTHING, None
            self._times.clear()


def boottime() -> float:
    """Return CLOCK_BOOTTIME in seconds: it runs while the machine sleeps, and nobody can set it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
