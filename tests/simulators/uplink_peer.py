"""The warden's side of uplink.sock: gives messages to publish, hears what became of them."""

import fcntl
import os
import select
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from overt.protocol import messages
from overt.protocol.messages import Delivered, FromUplink, Hello, Inbound, Link, Publish, Undeliverable
from overt.runtime.channel import Channel, ChannelClosed, Listener

M = TypeVar("M", Hello, Delivered, Undeliverable, Link, Inbound)


# linux/fcntl.h: seal, shrink, grow, write
_F_GET_SEALS, _ALL_SEALS = 1034, 1 | 2 | 4 | 8


def is_sealed(descriptor: int) -> bool:
    """Say whether nobody can change a memory file any more."""
    return fcntl.fcntl(descriptor, _F_GET_SEALS) & _ALL_SEALS == _ALL_SEALS


class UplinkPeer:
    """A warden that only has an outbox."""

    def __init__(self, run: Path) -> None:
        self._listener = Listener(run / "uplink.sock")
        self._channel: Channel[FromUplink] | None = None
        self.heard: list[FromUplink] = []
        self.documents: list[tuple[str, bytes]] = []
        self.sealed: list[bool] = []

    def accept(self, timeout: float = 10.0) -> None:
        """Wait for the uplink to come, or to come back."""
        readable, _, _ = select.select([self._listener], [], [], timeout)
        assert readable, f"no uplink came within {timeout} s"
        self.hang_up()
        self._channel = self._listener.accept(messages.FromUplink, frozenset({os.geteuid()}))

    def hang_up(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def close(self) -> None:
        self.hang_up()
        self._listener.close()

    def give(self, publish: Publish) -> None:
        assert self._channel is not None
        self._channel.send(publish)

    def listen(self, seconds: float) -> list[FromUplink]:
        """Return what was heard until nothing is left to read, waiting so long for the first."""
        assert self._channel is not None
        new: list[FromUplink] = []
        while select.select([self._channel], [], [], 0.0 if new else seconds)[0]:
            message, descriptors = self._channel.receive()
            for descriptor in descriptors:
                if isinstance(message, Inbound):
                    self.sealed.append(is_sealed(descriptor))
                    size = os.fstat(descriptor).st_size
                    self.documents.append((message.topic, os.pread(descriptor, size, 0)))
                os.close(descriptor)
            new.append(message)
        self.heard += new
        return new

    def until(self, condition: Callable[[], bool], timeout: float = 10.0) -> bool:
        """Listen until something is true."""
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                return False
            try:
                self.listen(0.05)
            except ChannelClosed:
                self.accept()
        return True

    def of(self, kind: type[M]) -> list[M]:
        return [message for message in self.heard if isinstance(message, kind)]

    @property
    def delivered(self) -> set[int]:
        return {message.id for message in self.of(Delivered)}

    @property
    def link_up(self) -> bool:
        links = self.of(Link)
        return bool(links) and links[-1].up

    def __enter__(self) -> "UplinkPeer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
