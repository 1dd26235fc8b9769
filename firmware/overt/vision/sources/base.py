"""What every source of pictures is, and what can go wrong with one."""

import threading
from typing import Protocol

from overt.protocol.vocabulary import Cause
from overt.recognition.frame import Frame
from overt.runtime.cli import BAD_INPUT, UNAVAILABLE

MIN_SIDE = 64
"""Smaller pictures hold no face that could be recognised."""
MAX_SIDE = 4608
"""The widest sensor of a Raspberry Pi camera (module 3: 4608 x 2592). More is a mistake or an attack on memory."""
MAX_PIXELS = 4608 * 3456


class SourceError(Exception):
    """A source cannot give pictures. The message says what was expected, what was found, what to do.

    Attributes:
        exit_code: What a command that stumbles over it at its start ends with.
        cause: What a technician is told.
    """

    exit_code = BAD_INPUT
    cause = Cause.CAMERA_UNFIT

    def __init__(self, message: str, cause: Cause | None = None) -> None:
        super().__init__(message)
        self.cause = cause or self.cause


class SourceUnavailable(SourceError):
    """The file, device or camera is not there or does not answer."""

    exit_code = UNAVAILABLE
    cause = Cause.CAMERA_ABSENT


class SourceEnded(SourceError):
    """There are no more pictures, and that is how it should be."""

    cause = Cause.FOOTAGE_OVER

    def __init__(self) -> None:
        super().__init__("the footage has ended")


class FrameSource(Protocol):
    """A source of pictures. Used by one thread at a time.

    Attributes:
        opens_locked: It can be opened when the process is locked in already. Otherwise it is opened just before, and
            once closed only a new process can open it again.
        patience_s: No picture for so long means that the capture hangs.
        frozen_after_s: The same picture for so long means that the camera is frozen; None where pictures may be equal.
    """

    opens_locked: bool
    patience_s: float
    frozen_after_s: float | None

    @property
    def describe(self) -> str:
        """Say what this is, in a few words without secrets."""

    def check(self) -> None:
        """Find out early, without keeping anything open, whether it can work.

        Raises:
            SourceError: It cannot.
        """

    def open(self) -> None:
        """Start giving pictures.

        Raises:
            SourceError: It cannot.
        """

    def next(self, stop: threading.Event) -> Frame | None:
        """Wait for the next picture and return it; None when it came too late to be used, or when told to stop.

        Raises:
            SourceEnded: There are no more.
            SourceError: It is broken.
        """

    def close(self) -> None:
        """Stop giving pictures. Calling it twice is fine."""


def check_size(width: int, height: int, what: str) -> None:
    """Refuse absurd pictures before any memory is spent on them.

    Raises:
        SourceError: Too small or too large.
    """
    if min(width, height) < MIN_SIDE or max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        raise SourceError(
            f"expected pictures of {MIN_SIDE}x{MIN_SIDE} up to {MAX_SIDE} pixels a side in {what}, "
            f"found {width}x{height}"
        )
