"""The lamp on a unit's GPIO lines, and what keeps trying when it cannot be had.

There is no simulated lamp in the firmware on purpose (promise 8). Benches and tests bring their own parts.
"""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol

from overt.runtime import log
from overt.warden.devices import DeviceError, Indicator

RETRY_S: Final = 1.0
DEVICES: Final = Path("/dev")


def find_chip(gpiod: Any, label: str) -> Path:  # noqa: ANN401 - the package has no types
    """Return the device of the GPIO chip with a label: numbers move between models of the Raspberry Pi.

    Raises:
        DeviceError: There is none.
        OSError: A chip cannot be opened.
    """
    for path in sorted(DEVICES.glob("gpiochip*")):
        with gpiod.Chip(str(path)) as chip:
            if chip.get_info().label == label:
                return path
    raise DeviceError(f"expected a GPIO chip with the label {label}, found none")


class NoIndicator:
    """A unit without a lamp: recognition never starts."""

    fitted = False

    def show(self, lit: bool) -> None:
        """Do nothing: there is no lamp."""

    def is_lit(self) -> bool | None:
        """Say that nothing is known to be lit."""
        return None


class Lines(Indicator, Protocol):
    """A lamp whose lines are held."""

    def close(self) -> None:
        """Let go of the lines."""


class GpioIndicator:
    """A lamp on one line and a read-back of its current on another, through libgpiod."""

    fitted = True

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
                str(find_chip(gpiod, label)), consumer="overt", config={lamp: output, read_back: reading}
            )
        except (OSError, ValueError) as error:
            raise DeviceError(f"cannot use lines {lamp} and {read_back} of {label}: {error}") from error

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

    def close(self) -> None:
        """Let go of the lines, the lamp dark."""
        self.show(False)
        with contextlib.suppress(OSError):
            self._lines.release()


class Reopened:
    """A lamp that is opened again, about once a second, while it cannot be had or read. Until then nothing is lit."""

    fitted = True

    def __init__(self, opened: Callable[[], Lines], retry_s: float = RETRY_S) -> None:
        """Open it, if that can be done.

        Args:
            opened: Opens it, or raises DeviceError.
            retry_s: How long to wait before the next attempt.
        """
        self._opened, self._retry_s = opened, retry_s
        self._lines: Lines | None = None
        self._next_try, self._trouble = 0.0, ""
        self._have()

    def show(self, lit: bool) -> None:
        """Switch it, if it can be had."""
        lines = self._have()
        if lines is not None:
            lines.show(lit)

    def is_lit(self) -> bool | None:
        """Read it back; None when it cannot be had or read."""
        lines = self._have()
        reading = lines.is_lit() if lines is not None else None
        if lines is not None and reading is None:
            lines.close()
            self._lines = None
            self._next_try = time.monotonic() + self._retry_s
            self._say("the lamp cannot be read back")
        return reading

    def close(self) -> None:
        """Let go of it, dark."""
        if self._lines is not None:
            self._lines.close()
            self._lines = None

    def _have(self) -> Lines | None:
        if self._lines is None and time.monotonic() >= self._next_try:
            self._next_try = time.monotonic() + self._retry_s
            try:
                self._lines = self._opened()
            except DeviceError as error:
                self._say(str(error))
            else:
                self._say("")
        return self._lines

    def _say(self, trouble: str) -> None:
        """Log what is wrong once, not every second."""
        if trouble != self._trouble:
            log.event(
                "indicator.unavailable" if trouble else "indicator.back", "error" if trouble else "info", why=trouble
            )
        self._trouble = trouble
