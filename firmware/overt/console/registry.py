"""What a technician can ask of this unit over the cable: one table, to which each part of the unit adds its own.

To add a request: a struct for what goes with it (a `fields.Value`), a function that takes a `Counter` and that struct
and returns a struct or bytes, and `registry.add(Request(...))`, called from `console.requests_known`. What changes the
unit is `signed`: the technician signs it, and the warden has checked and logged that before the function is called.
What only looks is logged once in a visit. A function that cannot do it raises `NotDone` with one sentence, and has
changed nothing. The technician's side asks with `Session.ask` (`overt_provisioning.unit.session`).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from overt.protocol import fields as f
from overt.protocol.cable.uploads import Upload
from overt.protocol.topics import Down
from overt.protocol.vocabulary import Act
from overt.runtime.control import Desk

A = TypeVar("A", bound=f.Value)
_encode = msgspec.msgpack.Encoder().encode


class NotDone(Exception):
    """It could not be done, and nothing was changed. One sentence for the technician."""


class Nothing(f.Value, frozen=True):
    """What goes with a request that needs nothing."""


class Handed(msgspec.Struct):
    """The document that was handed to the warden last, and its receipt."""

    document: tuple[Down, str] | None = None
    receipt: bytes = b""


class Counter(msgspec.Struct):
    """What a request is answered with.

    Attributes:
        desk: The warden, as whoever is at the cable may ask it.
        spool: A folder of the console's own.
        upload: The document of which parts have come.
        handed: The document before it.
        done: What the warden gave back for a signed word.
    """

    desk: Desk
    spool: Path
    upload: Upload
    handed: Handed
    done: bytes = b""


class Request(msgspec.Struct, Generic[A], frozen=True):
    """One thing that can be asked.

    Attributes:
        name: As the technician's side names it.
        act: As the log names it.
        takes: What goes with it.
        answer: Does it, and returns what comes back.
        signed: Whether the technician signs it, because it changes the unit.
    """

    name: str
    act: Act
    takes: type[A]
    answer: Callable[[Counter, A], f.Value | bytes]
    signed: bool = False


class Registry:
    """The table."""

    def __init__(self) -> None:
        self._known: dict[str, Request[Any]] = {}

    def add(self, request: Request[A]) -> None:
        """Add a request.

        Raises:
            ValueError: There is one of that name.
        """
        if request.name in self._known:
            raise ValueError(f"there is a request {request.name} already")
        self._known[request.name] = request

    def find(self, name: str) -> Request[Any] | None:
        """Return a request, or None."""
        return self._known.get(name)


def encoded(answer: f.Value | bytes) -> bytes:
    """Return what comes back as bytes."""
    return answer if isinstance(answer, bytes) else _encode(answer)
