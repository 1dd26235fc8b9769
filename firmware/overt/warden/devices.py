"""What the warden asks of the world: the time, the place, the lamp. One interface each; what is here is real.

There is no simulated lamp in the firmware on purpose (promise 8). Benches and tests bring their own parts.
"""

import contextlib
import ctypes
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from overt.protocol.documents import FixedSite
from overt.protocol.vocabulary import ClockQuality
from overt.warden.vault import Vault

# adjtimex(2), linux/timex.h
_TIME_ERROR = 5
_STA_UNSYNC = 0x0040
_TIMEX_BYTES = 512  # struct timex is 208 bytes on 64-bit; room for any ABI
_STATUS_OFFSET = 5 * ctypes.sizeof(ctypes.c_long)  # modes (an int, padded), offset, freq, maxerror, esterror, status


class DeviceError(Exception):
    """A part is missing or does not answer."""


class Clock(Protocol):
    """The time, and how well it is known."""

    def now(self) -> datetime:
        """Return the time, aware."""

    def quality(self) -> ClockQuality:
        """Return how well the time is known. `UNKNOWN` stops recognition."""


class Place(Protocol):
    """Where the unit is."""

    def where(self) -> FixedSite | None:
        """Return the place, or None when it is not known, which stops recognition."""


class Indicator(Protocol):
    """The lamp that says that recognition is on."""

    def show(self, lit: bool) -> None:
        """Switch it."""

    def is_lit(self) -> bool | None:
        """Read it back; None when it cannot be read, which stops recognition."""


@dataclass(frozen=True, slots=True)
class Devices:
    """A unit's parts."""

    clock: Clock
    place: Place
    indicator: Indicator


class SystemClock:
    """The kernel's clock, with the kernel's word on whether it is disciplined (adjtimex(2))."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)

    def now(self) -> datetime:
        """Return the time."""
        return datetime.now(UTC)

    def quality(self) -> ClockQuality:
        """Return SYNCHRONISED when the kernel says that the clock is being steered, else UNKNOWN."""
        buffer = ctypes.create_string_buffer(_TIMEX_BYTES)
        state = self._libc.adjtimex(buffer)  # all zeros: it only reads
        status = int.from_bytes(buffer.raw[_STATUS_OFFSET : _STATUS_OFFSET + 4], "little")
        if state < 0 or state == _TIME_ERROR or status & _STA_UNSYNC:
            return ClockQuality.UNKNOWN
        return ClockQuality.SYNCHRONISED


@dataclass(frozen=True, slots=True)
class EnrolledSite:
    """The fixed site that was attested when the unit was put up."""

    site: FixedSite

    def where(self) -> FixedSite | None:
        """Return the site."""
        return self.site


class NoIndicator:
    """A unit without a lamp: recognition never starts."""

    def show(self, lit: bool) -> None:
        """Do nothing: there is no lamp."""

    def is_lit(self) -> bool | None:
        """Say that nothing is known to be lit."""
        return None


class GpioIndicator:
    """A lamp on one line and a read-back of its current on another, through libgpiod.

    The chip is found by its label, because chip numbers move between models of the Raspberry Pi.
    """

    def __init__(self, label: str, lamp: int, read_back: int) -> None:
        """Request both lines, the lamp dark.

        Args:
            label: The chip's label, as `gpiodetect` prints it.
            lamp: Line that drives the lamp, active high.
            read_back: Line that is high while current flows through the lamp.

        Raises:
            DeviceError: No gpiod, no such chip, or a line is taken.
        """
        try:
            import gpiod  # noqa: PLC0415 - only a unit with a lamp has it
        except ImportError as error:
            raise DeviceError("expected the Python package gpiod for the lamp, found none: install it") from error
        self._lamp, self._read_back = lamp, read_back
        self._values = gpiod.line.Value
        output = gpiod.LineSettings(direction=gpiod.line.Direction.OUTPUT, output_value=gpiod.line.Value.INACTIVE)
        reading = gpiod.LineSettings(direction=gpiod.line.Direction.INPUT)
        try:
            self._lines: Any = gpiod.request_lines(
                str(self._find(gpiod, label)), consumer="overt", config={lamp: output, read_back: reading}
            )
        except OSError as error:
            raise DeviceError(f"cannot use lines {lamp} and {read_back} of {label}: {error.strerror}") from error

    def show(self, lit: bool) -> None:
        """Switch the lamp. A line that fails is found out by reading back."""
        with contextlib.suppress(OSError):
            self._lines.set_value(self._lamp, self._values.ACTIVE if lit else self._values.INACTIVE)

    def is_lit(self) -> bool | None:
        """Read the current back."""
        try:
            return bool(self._lines.get_value(self._read_back) == self._values.ACTIVE)
        except OSError:
            return None

    @staticmethod
    def _find(gpiod: Any, label: str) -> Path:  # noqa: ANN401 - the package has no types
        for path in sorted(Path("/dev").glob("gpiochip*")):
            with gpiod.Chip(str(path)) as chip:
                if chip.get_info().label == label:
                    return path
        raise DeviceError(f"expected a GPIO chip with the label {label}, found none")


def fitted(vault: Vault) -> Devices:
    """Return the parts of an enrolled unit.

    Raises:
        DeviceError: The lamp cannot be driven.
    """
    lines = vault.config.indicator
    lamp: Indicator = GpioIndicator(lines.chip, lines.lamp, lines.read_back) if lines else NoIndicator()
    return Devices(SystemClock(), EnrolledSite(vault.config.site), lamp)
