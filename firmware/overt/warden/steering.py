"""The unit's clock: asks the machine and the receiver, and lets `clock` decide."""

import ctypes
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

from overt.protocol import limits
from overt.protocol.vocabulary import ClockQuality
from overt.warden.clock import Anchor, Held, Reading, Told, tell
from overt.warden.fix import GpsTime
from overt.warden.gps import boottime

# adjtimex(2), linux/timex.h
_TIME_ERROR = 5
_STA_UNSYNC = 0x0040
_TIMEX_BYTES = 512  # struct timex is 208 bytes on 64-bit; room for any ABI
_STATUS_OFFSET = 5 * ctypes.sizeof(ctypes.c_long)  # modes (an int, padded), offset, freq, maxerror, esterror, status

_APART_MAX_S: Final = 0.05  # both clocks are read within so long, or read again
_READ_TRIES: Final = 5

Times = Callable[[], tuple[GpsTime, ...]]


class Machine(Protocol):
    """The machine's two clocks, and the kernel's word on the one that can be set."""

    def read(self) -> tuple[datetime, float]:
        """Return the time of the machine's own clock, and CLOCK_BOOTTIME in seconds, of the same moment."""

    def synchronised(self) -> bool:
        """Say whether the kernel's clock is being steered."""


class Kernel:
    """This machine."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)

    def read(self) -> tuple[datetime, float]:
        """Return both clocks. A process that is held up between the two reads them again."""
        for _ in range(_READ_TRIES):
            before, system, after = boottime(), datetime.now(UTC), boottime()
            if after - before <= _APART_MAX_S:
                break
        return system, (before + after) / 2

    def synchronised(self) -> bool:
        """Ask the kernel (adjtimex(2)) whether its clock is disciplined."""
        buffer = ctypes.create_string_buffer(_TIMEX_BYTES)
        state = self._libc.adjtimex(buffer)  # all zeros: it only reads
        status = int.from_bytes(buffer.raw[_STATUS_OFFSET : _STATUS_OFFSET + 4], "little")
        return bool(state >= 0 and state != _TIME_ERROR and not status & _STA_UNSYNC)


class SteeredClock:
    """The unit's clock."""

    def __init__(self, machine: Machine, not_before: datetime, times: Times = tuple) -> None:
        """Begin without knowing the time.

        Args:
            machine: The machine.
            not_before: A time that is past for certain: when the force's charter was issued.
            times: Returns what a receiver has told since it was last asked.
        """
        self._machine, self._times = machine, times
        self._held = Held(not_before - limits.CLOCK_TOLERANCE)

    def now(self) -> datetime:
        """Return the time."""
        return self._look().time

    def quality(self) -> ClockQuality:
        """Return how well it is known."""
        return self._look().quality

    def error(self) -> timedelta:
        """Return by how much the time may be wrong, either way, while it is known."""
        return self._look().error

    def correction(self) -> timedelta:
        """Return what has to be added to the machine's own clock."""
        return self._look().correction

    def elapsed(self) -> float:
        """Return CLOCK_BOOTTIME in seconds."""
        return self._machine.read()[1]

    def set(self, time: datetime, error_s: float) -> bool:
        """Take a signed time."""
        boot_s = self.elapsed()
        self._look(Anchor(time - timedelta(seconds=boot_s), boot_s, error_s))
        return True

    def _look(self, signed: Anchor | None = None) -> Told:
        system, boot_s = self._machine.read()
        reading = Reading(system, boot_s, self._machine.synchronised(), self._times(), signed)
        self._held, told = tell(self._held, reading)
        return told
