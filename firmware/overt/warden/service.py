"""The warden's sockets, timers and signals: one thread, one loop, and every decision somewhere else."""

import contextlib
import os
import selectors
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from overt.protocol import limits
from overt.protocol.messages import (
    Answer,
    Ask,
    Began,
    Begin,
    Cleared,
    Delivered,
    FromControl,
    FromUplink,
    FromVision,
    Hello,
    Inbound,
    Link,
    Progress,
    Publish,
    Recovered,
    Sighting,
    Stop,
    Trouble,
    Undeliverable,
)
from overt.runtime import log
from overt.runtime.channel import BadMessage, Channel, ChannelClosed, ChannelError, Listener, close_all
from overt.runtime.cli import OK, UNAVAILABLE, Failure
from overt.runtime.memory import harden_process
from overt.runtime.notify import notify
from overt.warden.devices import Devices
from overt.warden.store import Parcel, StorageCorrupt, StorageFailed, Store
from overt.warden.unit import Unit
from overt.warden.vault import Vault, VaultError

_TICK_S = 0.2
_STATUS_S = 10.0
_STOP_PATIENCE_S = 2.0
_SEND_PATIENCE_S = 1.0
_WINDOW = 16  # parcels on their way at a time
_NEWEST_IDS = 2**52  # ids of what is not in the outbox, far above any row's


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the warden works, and whose processes it talks to."""

    state: Path = Path("/var/lib/overt")
    run: Path = Path("/run/overt")
    vision_uids: frozenset[int] = field(default_factory=lambda: frozenset({0, os.geteuid()}))
    uplink_uids: frozenset[int] = field(default_factory=lambda: frozenset({0, os.geteuid()}))


def run(settings: Settings, devices: Callable[[Vault], Devices]) -> int:
    """Run the warden until it is told to stop.

    Args:
        settings: Where and with whom.
        devices: Makes the unit's parts, once the unit's configuration is read.

    Raises:
        Failure: It cannot start; the message says why.
    """
    harden_process()
    try:
        vault = Vault(settings.state)
        store = Store(settings.state / "warden.db")
        service = Service(settings, vault, store, devices(vault))
    except (VaultError, StorageCorrupt, StorageFailed, ChannelError) as error:
        raise Failure(str(error), UNAVAILABLE) from error
    return service.run()


@dataclass(slots=True)
class Peer:
    """One connected process."""

    channel: Channel[Any]
    name: str


class Service:
    """The loop."""

    def __init__(self, settings: Settings, vault: Vault, store: Store, devices: Devices) -> None:
        self._selector = selectors.DefaultSelector()
        self._listeners: list[Listener] = []
        self._vision: Peer | None = None
        self._uplink: Peer | None = None
        self._stop_by: float | None = None
        self._running = True
        self._sent_up_to = 0
        self._in_flight: set[int] = set()
        self._newest: dict[str, Publish] = {}
        self._next_id = _NEWEST_IDS
        self._store = store
        self.unit = Unit(vault, store, devices, self)
        self._listen(settings.run / "vision.sock", FromVision, settings.vision_uids, self._vision_came)
        self._listen(settings.run / "uplink.sock", FromUplink, settings.uplink_uids, self._uplink_came)
        self._listen(settings.run / "control.sock", FromControl, frozenset({0, os.geteuid()}), self._control_came)

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        # A signal must wake `select` up: its number is written to this pipe.
        read_end, write_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(write_end)
        self._selector.register(read_end, selectors.EVENT_READ, lambda: os.read(read_end, 64))
        self.unit.wake()
        notify("READY=1")
        log.event("warden.ready", state=self.unit.situation.state.value)
        timers = Timers()
        timers.every(_TICK_S, self._tick)
        timers.every(_STATUS_S, self.unit.announce_status)
        timers.every(limits.CHECKPOINT_INTERVAL.total_seconds(), self.unit.announce_checkpoint)
        timers.every(60.0, self.unit.expire_parcels)
        while self._running:
            for key, _ in self._selector.select(timers.due_in()):
                key.data()
            timers.run()
        self._leave()
        return OK

    # Ports of the unit

    def begin(self, order: str, threshold: float, descriptor: int) -> None:
        """Tell vision to recognise."""
        self._to_vision(Begin(order=order, threshold=threshold), (descriptor,))

    def stop(self) -> None:
        """Tell vision to forget, and give it two seconds for it."""
        if self._stop_by is None:
            self._stop_by = time.monotonic() + _STOP_PATIENCE_S
            self._to_vision(Stop())

    def announce(self, topic: str, payload: bytes, retain: bool) -> None:
        """Publish something of which only the newest matters; what has not gone yet is replaced."""
        self._next_id += 1
        self._newest[topic] = Publish(id=self._next_id, topic=topic, payload=payload, retain=retain)
        self._push()

    def parcels_wait(self) -> None:
        """Send what is new in the outbox."""
        self._push()

    # Connections

    def _listen(self, path: Path, receives: Any, uids: frozenset[int], came: Callable[[Channel[Any]], None]) -> None:  # noqa: ANN401 - a union of messages
        path.parent.mkdir(parents=True, exist_ok=True)
        listener = Listener(path)
        self._listeners.append(listener)

        def accept() -> None:
            try:
                channel = listener.accept(receives, uids)
            except (ChannelError, OSError) as error:
                log.event("peer.refused", "warning", detail=str(error))
                return
            channel.set_timeout(_SEND_PATIENCE_S)
            came(channel)

        self._selector.register(listener.fileno(), selectors.EVENT_READ, accept)

    def _vision_came(self, channel: Channel[Any]) -> None:
        if self._vision is not None:
            log.event("peer.refused", "warning", detail="vision is connected already")
            channel.close()
            return
        self._vision = Peer(channel, "vision")
        self._serve(self._vision, self._from_vision, self._vision_gone)

    def _uplink_came(self, channel: Channel[Any]) -> None:
        if self._uplink is not None:
            log.event("peer.refused", "warning", detail="uplink is connected already")
            channel.close()
            return
        self._uplink = Peer(channel, "uplink")
        self._serve(self._uplink, self._from_uplink, self._uplink_gone)

    def _control_came(self, channel: Channel[Any]) -> None:
        peer = Peer(channel, "control")
        self._serve(peer, lambda message, files: self._from_control(peer, message, files), lambda: None)

    def _serve(self, peer: Peer, handle: Callable[[Any, list[int]], None], gone: Callable[[], None]) -> None:
        def ready() -> None:
            try:
                message, descriptors = peer.channel.receive()
            except BadMessage as error:
                log.event("message.refused", "warning", peer=peer.name, detail=str(error))
                return
            except (ChannelClosed, OSError):
                self._selector.unregister(peer.channel.fileno())
                peer.channel.close()
                log.event("peer.gone", peer=peer.name)
                gone()
                return
            try:
                handle(message, descriptors)
            finally:
                close_all(descriptors)

        self._selector.register(peer.channel.fileno(), selectors.EVENT_READ, ready)
        log.event("peer.came", peer=peer.name)

    # Vision

    def _from_vision(self, message: FromVision, _: list[int]) -> None:
        unit = self.unit
        match message:
            case Hello():
                unit.vision.model = message.model
                unit.vision.doubts = frozenset()
            case Sighting():
                unit.saw(message)
            case Progress():
                unit.progressed(message)
            case Trouble():
                log.event("vision.trouble", "warning", doubt=message.doubt.value, detail=message.detail)
                unit.vision.doubts |= {message.doubt}
                unit.tick()
            case Recovered():
                unit.vision.doubts -= {message.doubt}
            case Cleared():
                self._stop_by = None
                unit.forgotten(message)
            case Began():
                log.event("vision.began", captured_ns=message.captured_ns)

    def _vision_gone(self) -> None:
        self._vision, self._stop_by = None, None
        self.unit.vision.model, self.unit.vision.doubts = None, frozenset()
        self.unit.forgotten(None)
        self.unit.tick()

    def _to_vision(self, message: Begin | Stop, descriptors: tuple[int, ...] = ()) -> None:
        if self._vision is not None:
            with contextlib.suppress(ChannelClosed, TimeoutError, OSError):  # its end is noticed when reading
                self._vision.channel.send(message, descriptors)

    # Uplink

    def _from_uplink(self, message: FromUplink, descriptors: list[int]) -> None:
        match message:
            case Inbound():
                data = read_document(descriptors)
                if data is not None:
                    self.unit.receive(message.topic, data)
            case Delivered() | Undeliverable():
                self._settled(message)
            case Link():
                log.event("link.up" if message.up else "link.down", detail=message.detail)
                if message.up:
                    self.unit.announce_status()
            case Hello():
                self._push()

    def _settled(self, message: Delivered | Undeliverable) -> None:
        self._in_flight.discard(message.id)
        if message.id > _NEWEST_IDS:
            return
        try:
            if isinstance(message, Delivered):
                self._store.delivered(message.id)
            else:
                self.unit.refused_by_broker(message.id, message.reason_code)
        except StorageFailed as error:
            log.event("storage.failed", "error", doing="settle a parcel", detail=str(error))
        self._push()

    def _uplink_gone(self) -> None:
        """Whatever was on its way is sent again to the next one: at least once."""
        self._uplink = None
        self._in_flight.clear()
        self._sent_up_to = 0

    def _push(self) -> None:
        """Hand the uplink as much as may be on its way: the newest announcements, then the outbox in order."""
        if self._uplink is None:
            return
        for topic in list(self._newest):
            message = self._newest.pop(topic)
            if not self._send_up(message):
                return
        free = _WINDOW - len(self._in_flight)
        if free > 0:
            for parcel in self._store.waiting(self._sent_up_to, free):
                if not self._send_up(_publish(parcel)):
                    return
                self._in_flight.add(parcel.id)
                self._sent_up_to = parcel.id

    def _send_up(self, message: Publish) -> bool:
        assert self._uplink is not None  # noqa: S101 - the caller has checked
        try:
            self._uplink.channel.send(message)
        except (ChannelClosed, TimeoutError, OSError):
            return False  # its end is noticed when reading
        return True

    # The local command line

    def _from_control(self, peer: Peer, message: FromControl, descriptors: list[int]) -> None:
        report: bytes | None = None
        if isinstance(message, Ask):
            report = self.unit.status()
        elif isinstance(message, Inbound):
            data = read_document(descriptors)
            report = self.unit.receive(message.topic, data) if data is not None else None
        if report is not None:
            with contextlib.suppress(ChannelClosed, TimeoutError, OSError):
                peer.channel.send(Answer(report=report))

    # Time and end

    def _tick(self) -> None:
        if self._stop_by is not None and time.monotonic() > self._stop_by:
            self._give_vision_up()
        self.unit.tick()
        notify("WATCHDOG=1")

    def _give_vision_up(self) -> None:
        """Vision did not say that it has forgotten: hang up, which makes it forget, and go on without it."""
        log.event("vision.unresponsive", "error")
        if self._vision is not None:
            self._selector.unregister(self._vision.channel.fileno())
            self._vision.channel.close()
        self._vision_gone()

    def _end(self, *_: object) -> None:
        self._running = False

    def _leave(self) -> None:
        notify("STOPPING=1")
        self.unit.sleep()
        for listener in self._listeners:
            listener.close()
        for peer in (self._vision, self._uplink):
            if peer is not None:
                peer.channel.close()
        self._store.close()
        log.event("warden.stopped")


class Timers:
    """What has to be done every so often."""

    def __init__(self) -> None:
        self._timers: list[tuple[float, Callable[[], None]]] = []
        self._due: list[float] = []

    def every(self, seconds: float, act: Callable[[], None]) -> None:
        """Do something every so many seconds, the first time after that time."""
        self._timers.append((seconds, act))
        self._due.append(time.monotonic() + seconds)

    def due_in(self) -> float:
        """Return the seconds until the next is due."""
        return max(0.0, min(self._due) - time.monotonic())

    def run(self) -> None:
        """Do what is due."""
        now = time.monotonic()
        for index, (seconds, act) in enumerate(self._timers):
            if self._due[index] <= now:
                self._due[index] = now + seconds
                act()


def read_document(descriptors: list[int]) -> bytes | None:
    """Read a document out of the one memory file that came with a message; None when that is not what came."""
    if len(descriptors) != 1:
        log.event("document.without_file", "warning", files=len(descriptors))
        return None
    try:
        size = os.fstat(descriptors[0]).st_size
        if size > limits.WATCHLIST_MAX_BYTES:
            log.event("document.too_large", "warning", size=size)
            return None
        return os.pread(descriptors[0], size, 0)
    except OSError as error:
        log.event("document.unreadable", "warning", detail=str(error))
        return None


def _publish(parcel: Parcel) -> Publish:
    seconds = int(parcel.expires.timestamp() - time.time())
    return Publish(id=parcel.id, topic=parcel.topic, payload=parcel.payload, expires_in_s=max(1, seconds))
