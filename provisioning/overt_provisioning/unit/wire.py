"""The technician's end of the cable: sends a frame until it is answered, and says what is there when none is."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from overt.protocol.cable import frames
from overt.protocol.cable.frames import Frame, Framer, Part
from overt.protocol.cable.talk import Asker, Refused
from overt.runtime.line import Line

_TEXT_ENOUGH: Final = 24
_TEXT_SHARE: Final = 0.8
_QUOTED: Final = 48


class Patience(msgspec.Struct, frozen=True):
    """How long to wait for what, in seconds.

    Attributes:
        resend: Until a frame is sent again; doubled each time, up to eight times as long.
        silence: Without a sign of life until the connection counts as lost.
        away: Without getting further until the command gives up; meanwhile a cable can be plugged back in.
    """

    resend: float = 0.3
    silence: float = 5.0
    away: float = 60.0


class NoUnit(Exception):
    """There is something at the other end, or nothing, but no unit. One sentence."""


class Wire:
    """An open line to what should be a unit."""

    def __init__(self, port: Path, baud: int, patience: Patience) -> None:
        """Open the line.

        Raises:
            LineLost: It cannot be opened.
        """
        self._port, self._patience = port, patience
        self._line, self._framer = Line(port, baud), Framer()
        self._echoed = False

    def close(self) -> None:
        """Let go of the line."""
        self._line.close()

    def exchange(self, asker: Asker, working: Callable[[], None] = lambda: None) -> bytes | Refused:
        """Send what the asker has to say until it is answered.

        Args:
            asker: The conversation.
            working: Called each time the unit says that it is still at work.

        Raises:
            LineLost: The cable was pulled.
            NoUnit: Nothing that speaks as a unit does was heard for too long.
            NotReadable: What answers is not who the session is with.
        """
        resend_s, heard_s = self._patience.resend, time.monotonic()
        while True:
            self._line.write(frames.encode(asker.outgoing))
            taken = self._listen(asker, resend_s)
            if isinstance(taken, bytes | Refused):
                return taken
            if taken is None:
                resend_s = min(resend_s * 2, self._patience.resend * 8)
            else:
                resend_s, heard_s = self._patience.resend, time.monotonic()
            if taken is Part.WAIT:
                working()
            if time.monotonic() - heard_s > self._patience.silence:
                raise NoUnit(self._what_is_there())

    def _listen(self, asker: Asker, seconds: float) -> bytes | Refused | Part | None:
        """Wait for something that matters. After a 'still at work' too, to the end, or the unit is flooded."""
        until, waited = time.monotonic() + seconds, False
        while (left := until - time.monotonic()) > 0:
            for frame in self._framer.feed(self._line.read(left)):
                taken = self._take(asker, frame)
                if taken is Part.WAIT:
                    waited = True
                elif taken is not None:
                    return taken
        return Part.WAIT if waited else None

    def _take(self, asker: Asker, frame: Frame) -> bytes | Refused | Part | None:
        if frame == asker.outgoing:
            self._echoed = True
            return None
        return asker.take(frame)

    def _what_is_there(self) -> str:
        """Say what was heard instead of a unit."""
        if self._echoed:
            return f"{self._port} sends back what is sent into it: this is no unit's cable, but a loop"
        heard = self._framer.heard
        text = "".join(c if c.isprintable() else " " for c in heard.decode("ascii", errors="replace"))
        printable = sum(32 <= byte < 127 or byte in b"\r\n\t" for byte in heard)  # noqa: PLR2004 - ASCII
        if len(heard) >= _TEXT_ENOUGH and printable >= _TEXT_SHARE * len(heard):
            said = " ".join(text.split())[-_QUOTED:]
            return (
                f"expected a unit at {self._port}, found a console that prints text (“{said}”): "
                "use the unit's own technician's port"
            )
        if heard:
            return f"expected a unit at {self._port}, found noise: check the cable, the port and the rate (--baud)"
        return f"nothing answers at {self._port}: is the unit on and started, and is this its cable?"
