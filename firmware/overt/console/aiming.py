"""`aim.*` and `test`: what vision shows a technician, carried to them, and the unit's own findings. Nothing is kept."""

import select
import socket
import time
from typing import Final

import msgspec

from overt.console.registry import Counter, NotDone, Nothing, Registry, Request
from overt.protocol.cable.aim import View, read_view
from overt.protocol.messages import MAX_BYTES
from overt.protocol.vocabulary import Act

_FIRST_S: Final = 10.0
"""A camera takes seconds to open."""


def add_to(registry: Registry) -> None:
    """Add them."""
    registry.add(Request("aim", Act.AIM, Nothing, _begin, signed=True))
    registry.add(Request("aim.view", Act.AIM, Nothing, _view))
    registry.add(Request("aim.end", Act.AIM, Nothing, _end))
    registry.add(Request("test", Act.TEST, Nothing, lambda counter, _: counter.done, signed=True))


def _begin(counter: Counter, _: Nothing) -> bytes:
    if counter.desk.lane is None:
        raise NotDone("the unit opened no preview: try again")
    return b""


def _view(counter: Counter, _: Nothing) -> View:
    """Return the newest view; wait for the first."""
    lane = counter.desk.lane
    if lane is None:
        raise NotDone("no preview is open: begin anew")
    view, deadline = None, time.monotonic() + _FIRST_S
    with socket.socket(fileno=lane) as connection:
        try:
            while view is None:
                left_s = deadline - time.monotonic()
                if left_s <= 0 or not select.select([connection], [], [], left_s)[0]:
                    raise NotDone("the camera gives no picture: see what 'unit status' says of it")
                view = _newest(connection)
        finally:
            connection.detach()
    return view


def _newest(connection: socket.socket) -> View | None:
    """Return the last of what has come.

    Raises:
        NotDone: The preview is over.
    """
    newest = None
    while select.select([connection], [], [], 0)[0]:
        data = connection.recv(MAX_BYTES)
        if not data:
            if newest is None:
                raise NotDone("the preview is over: its time was up, an order came, or the camera was lost; begin anew")
            break
        try:
            newest = read_view(data)
        except msgspec.DecodeError as error:
            raise NotDone("the camera's process showed something that is no view: begin anew") from error
    return newest


def _end(counter: Counter, _: Nothing) -> bytes:
    counter.desk.close_lane()
    return b""
