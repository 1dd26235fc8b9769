"""The switch that the closed lid of the enclosure presses, on a GPIO line.

It is wired so that a cut wire reads as open: pressed, it pulls a line to ground that the board pulls up.
"""

import contextlib
import time
from typing import Any, Final

from overt.runtime import log
from overt.warden.devices import DeviceError
from overt.warden.indicator import RETRY_S, find_chip

OPEN_LOOKS: Final = 2  # in a row, a fifth of a second apart: a lid that is knocked rattles for less


class NoLid:
    """An enclosure without a switch: nothing is known of it."""

    def is_closed(self) -> bool | None:
        """Say that there is nothing to say against it."""
        return True


class GpioLid:
    """The switch on one line, opened again while it cannot be had or read."""

    def __init__(self, label: str, line: int) -> None:
        """Remember where it is.

        Args:
            label: The chip's label, as `gpiodetect` prints it.
            line: The line, low while the lid is closed.
        """
        self._label, self._line = label, line
        self._request: Any = None
        self._next_try_s, self._trouble = 0.0, ""

    def is_closed(self) -> bool | None:
        """Read the switch."""
        if self._request is None and time.monotonic() >= self._next_try_s:
            self._next_try_s = time.monotonic() + RETRY_S
            self._open()
        if self._request is None:
            return None
        try:
            return bool(self._request.get_value(self._line) == self._low)
        except OSError as error:
            self._say(error.strerror or "it cannot be read")
            self.close()
            return None

    def close(self) -> None:
        """Let go of the line."""
        if self._request is not None:
            with contextlib.suppress(OSError):
                self._request.release()
            self._request = None

    def _open(self) -> None:
        try:
            import gpiod  # noqa: PLC0415 - only a unit with a switch has it

            settings = gpiod.LineSettings(direction=gpiod.line.Direction.INPUT, bias=gpiod.line.Bias.PULL_UP)
            self._low = gpiod.line.Value.INACTIVE
            chip = str(find_chip(gpiod, self._label))
            self._request = gpiod.request_lines(chip, consumer="overt", config={self._line: settings})
        except ImportError:
            self._say("expected the Python package gpiod, found none: install it")
        except (OSError, ValueError, DeviceError) as error:
            self._say(str(error))
        else:
            self._say("")

    def _say(self, trouble: str) -> None:
        """Log what is wrong once, not every second."""
        if trouble != self._trouble:
            log.event("lid.unavailable" if trouble else "lid.back", "error" if trouble else "info", why=trouble)
        self._trouble = trouble


class Watch:
    """Tells an opened enclosure from a knock."""

    def __init__(self) -> None:
        self._open_looks = 0

    def opened(self, closed: bool | None) -> bool:
        """Take a reading; tell whether the lid has been open for long enough to be believed."""
        self._open_looks = self._open_looks + 1 if closed is False else 0
        return self._open_looks >= OPEN_LOOKS
