"""A serial line that may be pulled out at any moment, opened for this process alone."""

import contextlib
import fcntl
import select
import termios
from pathlib import Path
from types import TracebackType
from typing import Any, Final

_READ_BYTES: Final = 16 * 1024
_WRITE_PATIENCE_S: Final = 5.0
BAUD: Final = 115_200
"""Of a UART. A USB gadget takes any rate for its own."""


def prepare() -> None:
    """Load what lines need; for a daemon that gives back afterwards what starting needed. Without it a line says so."""
    with contextlib.suppress(ImportError):
        import serial  # noqa: F401, PLC0415 - only those who talk over a line need it


class LineLost(Exception):
    """The line cannot be opened, or has gone. The message says which and why.

    Attributes:
        in_use: Another program has it.
    """

    def __init__(self, message: str, *, in_use: bool = False) -> None:
        super().__init__(message)
        self.in_use = in_use


class Line:
    """An open serial line."""

    def __init__(self, device: Path, baud: int = BAUD) -> None:
        """Open it, raw and for this process alone.

        Raises:
            LineLost: It is not there, in use, or no serial line.
        """
        self._device = device
        try:
            import serial  # noqa: PLC0415 - only those who talk over a line need it
        except ImportError as error:
            raise LineLost("expected the Python package pyserial, found none: install it") from error
        try:
            # Waiting for nothing when reading: the owner selects on the descriptor.
            self._line: Any = serial.Serial(
                str(device), baud, timeout=0, write_timeout=_WRITE_PATIENCE_S, exclusive=True
            )
        except (OSError, ValueError, termios.error) as error:  # pyserial's own errors are OSErrors, termios' are not
            raise _unopened(device, error) from error
        with contextlib.suppress(OSError):
            fcntl.ioctl(self._line.fileno(), termios.TIOCEXCL)  # the lock above is seen by those who ask for it only

    def fileno(self) -> int:
        """Return the descriptor, for `select`."""
        return int(self._line.fileno())

    def read(self, seconds: float = 0.0) -> bytes:
        """Return what has come, waiting so long for the first of it.

        Raises:
            LineLost: The line has gone.
        """
        try:
            if seconds and not select.select([self.fileno()], [], [], seconds)[0]:
                return b""
            return bytes(self._line.read(_READ_BYTES))
        except (OSError, ValueError, TypeError, termios.error) as error:  # a closed port is a TypeError in pyserial
            raise self._lost(error) from error

    def write(self, data: bytes) -> None:
        """Send.

        Raises:
            LineLost: The line has gone, or the other side takes nothing.
        """
        try:
            self._line.write(data)
        except (OSError, ValueError, TypeError, termios.error) as error:
            raise self._lost(error) from error

    def close(self) -> None:
        """Let go of it. Calling it twice is fine."""
        with contextlib.suppress(OSError, termios.error):
            self._line.close()

    def __enter__(self) -> "Line":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _lost(self, error: Exception) -> LineLost:
        why = f" ({error.strerror})" if isinstance(error, OSError) and error.strerror else ""
        return LineLost(f"the line {self._device} has gone{why}")


def _unopened(device: Path, error: Exception) -> LineLost:
    number = getattr(error, "errno", None)
    text = str(error)
    if "lock" in text or number == 16:  # noqa: PLR2004 - EBUSY
        return LineLost(f"{device} is in use by another program: end that first", in_use=True)
    if number == 13:  # noqa: PLR2004 - EACCES
        return LineLost(f"no right to use {device}: become a member of the group that owns it (dialout)")
    if not device.exists():
        return LineLost(f"there is no {device}: is the cable plugged in?")
    return LineLost(f"{device} cannot be used as a serial line ({getattr(error, 'strerror', None) or text})")
