"""The warden's side of vision.sock: real socket, real memory files, real messages, no authority behind them."""

import select
import time
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import numpy as np

from overt.protocol import gallery as layouts
from overt.protocol.messages import Begin, Cleared, FromVision, Hello, Stop
from overt.recognition.arrays import Floats
from overt.runtime.channel import Channel, ChannelClosed, Listener
from overt.runtime.memory import SecretFile
from tests.builders import make_entry

ORDER = "0" * 63 + "1"
M = TypeVar("M", bound=FromVision)


def gallery_of(*people: Floats, seal: bool = True) -> SecretFile:
    """The memory file that a warden makes of a watchlist, one template per entry."""
    entries = [
        make_entry(f"V-{number}", templates=(np.asarray(template, "<f4").tobytes(),))
        for number, template in enumerate(people)
    ]
    file = SecretFile("gallery", layouts.layout_for(entries).size)
    view = file.view
    layouts.pack(entries, view)
    view.release()
    if seal:
        file.seal()
    return file


class WardenSimulator:
    """Listens where a warden does, and remembers all that vision says."""

    def __init__(self, run: Path) -> None:
        self.socket = run / "vision.sock"
        self._listener = Listener(self.socket)
        self._channel: Channel[FromVision] | None = None
        self.messages: list[FromVision] = []
        self._gallery: SecretFile | None = None

    @property
    def channel(self) -> Channel[FromVision]:
        assert self._channel is not None, "vision has not connected"
        return self._channel

    def accept(self, timeout_s: float = 20.0) -> Hello:
        """Take vision's connection and its first message."""
        assert select.select([self._listener], [], [], timeout_s)[0], "vision did not connect"
        self._channel = self._listener.accept(FromVision, frozenset(range(2**16)))
        self.messages = []
        return self.wait_for(Hello, timeout_s)

    def begin(self, *people: Floats, threshold: float = 0.4, order: str = ORDER) -> None:
        """Tell vision to recognise these people."""
        self.forget()
        self._gallery = gallery_of(*people)
        self.channel.send(Begin(order=order, threshold=threshold), [self._gallery.descriptor])

    def stop(self) -> Cleared:
        """Tell vision to forget, and wait until it says that it has."""
        self.channel.send(Stop())
        cleared = self.wait_for(Cleared)
        self.forget()
        return cleared

    def wait_for(self, kind: type[M], timeout_s: float = 10.0) -> M:
        """Read messages until one of a kind comes."""
        until = time.monotonic() + timeout_s
        while (left := until - time.monotonic()) > 0:
            self.channel.set_timeout(left)
            message, descriptors = self.channel.receive()
            assert not descriptors, "vision must not hand anything on"
            self.messages.append(message)
            if isinstance(message, kind):
                return message
        raise TimeoutError(f"expected {kind.__name__}, found {[type(m).__name__ for m in self.messages]}")

    def wait_gone(self, timeout_s: float = 10.0) -> None:
        """Read messages until vision hangs up."""
        self.channel.set_timeout(timeout_s)
        try:
            while True:
                message, _ = self.channel.receive()
                self.messages.append(message)
        except ChannelClosed:
            return

    def of(self, kind: type[M]) -> list[M]:
        """All messages of a kind since vision connected."""
        return [message for message in self.messages if isinstance(message, kind)]

    def hang_up(self) -> None:
        """Be gone, as a warden that was killed."""
        self.channel.close()

    def forget(self) -> None:
        """Close the gallery, wiping it."""
        if self._gallery is not None:
            self._gallery.close()
            self._gallery = None

    def close(self) -> None:
        self.forget()
        if self._channel is not None:
            self._channel.close()
        self._listener.close()

    def __enter__(self) -> "WardenSimulator":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
