"""Who is connected to the warden: one vision, one uplink, and whoever asks at the local desk."""

import select
import selectors
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from overt.protocol.messages import Message
from overt.runtime import log
from overt.runtime.channel import BadMessage, Channel, ChannelClosed, ChannelError, Listener, close_all

_SEND_PATIENCE_S = 1.0

Act = Callable[[], object]


class Peer:
    """A place for one connected process at a time."""

    def __init__(self, name: str, selector: selectors.BaseSelector, gone: Callable[[], None]) -> None:
        self._name, self._selector, self._gone = name, selector, gone
        self._handle: Callable[[Any, list[int]], None]
        self._channel: Channel[Any] | None = None

    def take(self, channel: Channel[Any], handle: Callable[[Any, list[int]], None]) -> None:
        """Talk to a process that has connected. A second one beside one that is there is refused."""
        while self._has_hung_up():
            self._receive()  # the last words of the one before
        if self._channel is not None:
            log.event("peer.refused", "warning", detail=f"{self._name} is connected already")
            channel.close()
            return
        channel.set_timeout(_SEND_PATIENCE_S)
        self._channel, self._handle = channel, handle
        self._selector.register(channel.fileno(), selectors.EVENT_READ, self._receive)
        log.event("peer.came", peer=self._name)

    def send(self, message: Message, descriptors: Sequence[int] = ()) -> bool:
        """Send, if somebody is there; say whether it was done. An end is noticed when reading."""
        if self._channel is None:
            return False
        try:
            self._channel.send(message, descriptors)
        except (ChannelClosed, TimeoutError, OSError):
            return False
        return True

    @property
    def is_here(self) -> bool:
        """Whether somebody is connected."""
        return self._channel is not None

    def hang_up(self) -> None:
        """End the connection, if there is one."""
        if self._channel is not None:
            self._selector.unregister(self._channel.fileno())
            self._channel.close()
            self._channel = None
            log.event("peer.gone", peer=self._name)

    def _has_hung_up(self) -> bool:
        if self._channel is None:
            return False
        poll = select.poll()
        poll.register(self._channel.fileno(), select.POLLHUP)
        return any(events & select.POLLHUP for _, events in poll.poll(0))

    def _receive(self) -> None:
        if self._channel is None:
            return  # it was hung up on since it had something to say
        try:
            message, descriptors = self._channel.receive()
        except BadMessage as error:
            log.event("message.refused", "warning", peer=self._name, detail=str(error))
            return
        except (ChannelClosed, OSError):
            self.hang_up()
            self._gone()
            return
        try:
            self._handle(message, descriptors)
        finally:
            close_all(descriptors)


class Peers:
    """The warden's listening sockets, and what has to be done when one has something."""

    def __init__(self, run: Path) -> None:
        self._run = run
        self._selector = selectors.DefaultSelector()
        self._listeners: list[Listener] = []
        self._seats: list[Peer] = []
        self._guests: list[Peer] = []

    def seat(
        self,
        name: str,
        receives: Any,  # noqa: ANN401 - a union of messages
        uids: frozenset[int],
        handle: Callable[[Any, list[int]], None],
        gone: Callable[[], None],
    ) -> Peer:
        """Listen for the one process of a name.

        Raises:
            ChannelError: The socket cannot be made.
            OSError: Nor its folder.
        """
        peer = Peer(name, self._selector, gone)
        self._listen(name, receives, uids, lambda channel: peer.take(channel, handle))
        self._seats.append(peer)
        return peer

    def desk(
        self,
        name: str,
        receives: Any,  # noqa: ANN401 - a union of messages
        uids: frozenset[int],
        handle: Callable[[Peer, Any, list[int]], None],
        gone: Callable[[Peer], None] = lambda _: None,
    ) -> None:
        """Listen for any number of processes.

        Raises:
            ChannelError: The socket cannot be made.
            OSError: Nor its folder.
        """

        def came(channel: Channel[Any]) -> None:
            peer = Peer(name, self._selector, lambda: gone(peer))
            self._guests = [guest for guest in self._guests if guest.is_here] + [peer]
            peer.take(channel, lambda message, files: handle(peer, message, files))

        self._listen(name, receives, uids, came)

    def watch(self, descriptor: int, act: Act) -> None:
        """Do something when a descriptor becomes readable."""
        self._selector.register(descriptor, selectors.EVENT_READ, act)

    def wait(self, seconds: float) -> list[Act]:
        """Wait at most so long; return what has to be done."""
        return [key.data for key, _ in self._selector.select(seconds)]

    def close(self) -> None:
        """Stop listening and hang up."""
        for listener in self._listeners:
            listener.close()
        for peer in (*self._seats, *self._guests):
            peer.hang_up()

    def _listen(self, name: str, receives: Any, uids: frozenset[int], came: Callable[[Channel[Any]], None]) -> None:  # noqa: ANN401 - a union of messages
        self._run.mkdir(parents=True, exist_ok=True)
        listener = Listener(self._run / f"{name}.sock")
        self._listeners.append(listener)

        def accept() -> None:
            try:
                channel = listener.accept(receives, uids)
            except (ChannelError, OSError) as error:
                log.event("peer.refused", "warning", detail=str(error))
                return
            came(channel)

        self.watch(listener.fileno(), accept)
