"""A technician looks at what the lens sees. Pictures go past the warden, in a lane that it never reads."""

import os
import socket
from dataclasses import dataclass
from typing import Final

from overt.protocol.errors import ProtocolError
from overt.protocol.vocabulary import Refusal
from overt.warden.devices import Clock
from overt.warden.sight import Sight
from overt.warden.vault import Deployment

MOST_S: Final = 900
"""Maintenance ends by itself after so long: enough to turn a lens, too short to be forgotten."""


@dataclass(frozen=True, slots=True)
class Work:
    """The work of a preview, which is recognition's but for the templates.

    Attributes:
        seconds: Since it began.
        celsius: How warm the board was before.
    """

    seconds: float
    celsius: float | None


class Aiming:
    """The lane from vision to the console, and for how long it may be open."""

    def __init__(self, sight: Sight, clock: Clock) -> None:
        self._sight, self._clock = sight, clock
        self._theirs: int | None = None
        self._until_s = self._since_s = 0.0
        self._before: float | None = None

    @property
    def over(self) -> bool:
        """Whether there is no preview, or its time is up."""
        return not self._sight.aiming or self._clock.elapsed() >= self._until_s

    @property
    def work(self) -> Work | None:
        """What the board has been put to since the preview began; None while there is none."""
        return Work(self._clock.elapsed() - self._since_s, self._before) if self._sight.aiming else None

    def require_possible(self, held: Deployment | None, *, cool: bool) -> None:
        """Demand that nothing is in hand and that vision is there.

        Raises:
            ProtocolError: `BUSY`, with what to do.
        """
        if held is not None:
            raise ProtocolError(
                Refusal.BUSY, "a deployment is in hand, and recognition excludes a preview: cancel its order first"
            )
        if not cool:
            raise ProtocolError(Refusal.BUSY, "the unit is too hot, or cannot tell: let it cool, then try again")
        if not self._sight.ready:
            raise ProtocolError(Refusal.BUSY, "the camera's process is starting or does not run: try again in a moment")

    def begin(self, celsius: float | None) -> int:
        """Open a lane; return the end to read from, which is the caller's to close.

        Args:
            celsius: How warm the board is before.
        """
        if self._theirs is not None:
            os.close(self._theirs)  # it was never shown
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._theirs = theirs.detach()
        self._since_s, self._before = self._clock.elapsed(), celsius
        self._until_s = self._since_s + MOST_S
        return ours.detach()

    def show(self) -> None:
        """Have vision show, once. From then on the lane is between vision and the console alone."""
        lane, self._theirs = self._theirs, None
        if lane is not None:
            self._sight.aim(MOST_S, lane)
            os.close(lane)
