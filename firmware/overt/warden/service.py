"""The warden's sockets, timers and signals: one thread, one loop, and every decision somewhere else."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from overt.protocol import limits
from overt.protocol.messages import (
    Aim,
    Answer,
    Ask,
    AskCheckpoint,
    AskTime,
    Began,
    Begin,
    Cleared,
    Delivered,
    Effort,
    FromConsole,
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
from overt.protocol.vocabulary import Cause
from overt.runtime import footprint, log
from overt.runtime.channel import ChannelError
from overt.runtime.cli import OK, RESTART, UNAVAILABLE, Failure
from overt.runtime.memory import harden_process
from overt.runtime.notify import notify
from overt.warden import decommission
from overt.warden.cable_desk import CableDesk
from overt.warden.carrier import Carrier
from overt.warden.database import StorageCorrupt, StorageFailed
from overt.warden.devices import Devices
from overt.warden.households import EnrolledHouse, Reports, is_blank
from overt.warden.inbound import read_document
from overt.warden.peers import Peer, Peers
from overt.warden.reception import Reception
from overt.warden.store import Store
from overt.warden.timers import Timers
from overt.warden.unit import Unit
from overt.warden.vault import Vault, VaultError, alone, handed_over
from overt.warden.visitors import Visitors

_TICK_S = 0.2
_STATUS_S = 10.0
_EXPIRY_S = 30.0
_STOP_PATIENCE_S = 2.0


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the warden works, and whose processes it talks to."""

    state: Path = Path("/var/lib/overt")
    run: Path = Path("/run/overt")
    vision_uids: frozenset[int] = field(default_factory=lambda: frozenset({0, os.geteuid()}))
    uplink_uids: frozenset[int] = field(default_factory=lambda: frozenset({0, os.geteuid()}))
    console_uids: frozenset[int] = field(default_factory=lambda: frozenset({0, os.geteuid()}))


def run(settings: Settings, devices: Callable[[Vault], Devices]) -> int:
    """Run the warden until it is told to stop. A unit that a technician enrols or erases begins anew within it.

    It ends with `RESTART` when the storage key was sealed to the machine and is destroyed: then another is made.

    Args:
        settings: Where and with whom.
        devices: Makes the unit's parts, once the unit's configuration is read.

    Raises:
        Failure: It cannot start; the message says why.
    """
    harden_process()
    code: int | None = None
    try:
        while code is None:
            with alone(settings.state):
                erased = decommission.finish(settings.state)
            if erased:
                log.event("unit.erased")
                code = RESTART if handed_over("storage.key") else None
            elif is_blank(settings.state):
                goes_on = Reception(settings.state, settings.run, settings.console_uids).run()
                code = None if goes_on else OK
            else:
                code = _work(settings, devices)
        return code
    except OSError as error:
        raise Failure(f"cannot use {settings.state}: {error.strerror or error}", UNAVAILABLE) from error
    except (VaultError, StorageCorrupt, StorageFailed, ChannelError) as error:
        raise Failure(str(error), UNAVAILABLE) from error


def _work(settings: Settings, devices: Callable[[Vault], Devices]) -> int | None:
    """Run an enrolled unit; return the exit code, or None when it has become something else."""
    with alone(settings.state):
        vault = Vault(settings.state)
        store = Store(settings.state / "warden.db")
        with contextlib.closing(devices(vault)) as parts:
            goes_on = Service(settings, vault, store, parts).run()
    if vault.key_destroyed:
        return RESTART
    return None if goes_on else OK


class Service:
    """The loop."""

    def __init__(self, settings: Settings, vault: Vault, store: Store, devices: Devices) -> None:
        self._stop_by: float | None = None
        self._running = True
        self._store, self._vault = store, vault
        self.unit = Unit(vault, store, devices, self)
        self._carrier = Carrier(store, self.unit.journal, self, vault.config.force)
        own = frozenset({0, os.geteuid()})
        self._peers = Peers(settings.run)
        self._vision = self._peers.seat(
            "vision", FromVision, settings.vision_uids, self._from_vision, self._vision_gone
        )
        self._uplink = self._peers.seat(
            "uplink", FromUplink, settings.uplink_uids, self._from_uplink, self._uplink_gone
        )
        self._peers.desk("control", FromControl, own, self._from_control)
        self._house = EnrolledHouse(settings.state, vault, store, self.unit, devices.clock)
        self._cable = CableDesk(Visitors(self._house, store), settings.state, Reports(self.unit, vault, store))
        self._peers.desk("console", FromConsole, settings.console_uids, self._from_console, self._cable.gone)

    def run(self) -> bool:
        """Serve until SIGTERM or SIGINT, or until the unit is to begin anew; return whether it is."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        # A signal must wake `select` up: its number is written to this pipe.
        read_end, write_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        before = signal.set_wakeup_fd(write_end)
        self._peers.watch(read_end, lambda: os.read(read_end, 64))
        self.unit.wake()
        footprint.settle()
        notify("READY=1")
        log.event("warden.ready", state=self.unit.state.value)
        timers = Timers()
        timers.every(_TICK_S, self._tick)
        timers.every(_STATUS_S, self.unit.announce_status)
        timers.every(limits.CHECKPOINT_INTERVAL.total_seconds(), self._checkpoint)
        timers.every(_EXPIRY_S, self._expire)
        while self._running and not self._house.over and not self._vault.key_destroyed:
            self._turn(timers.due_in(), timers)
        self._leave()
        signal.set_wakeup_fd(before)
        os.close(read_end)
        os.close(write_end)
        return self._running

    def _turn(self, seconds: float, timers: Timers | None = None) -> None:
        """Wait, and do what there is to do. Storage that fails meanwhile stops recognition, not the loop."""
        for act in self._peers.wait(seconds):
            with self.unit.journal.guard("answer a peer"):
                act()
        if timers is not None:
            with self.unit.journal.guard("do what is due"):
                timers.run()

    # Ports of the unit

    def begin(self, order: str, threshold: float, descriptor: int) -> None:
        """Tell vision to recognise."""
        self._to_vision(Begin(order=order, threshold=threshold), (descriptor,))

    def stop(self) -> None:
        """Tell vision to forget, and give it two seconds for it."""
        self._stop_by = time.monotonic() + _STOP_PATIENCE_S
        self._to_vision(Stop())

    def aim(self, seconds: int, lane: int) -> None:
        """Tell vision to show what it sees in a lane."""
        self._to_vision(Aim(seconds=seconds), (lane,))

    def effort(self, step: int) -> None:
        """Tell vision how often to look for faces."""
        self._to_vision(Effort(step=step))

    def announce(self, topic: str, payload: bytes, retain: bool) -> None:
        """Publish something of which only the newest matters."""
        self._carrier.announce(topic, payload, retain)

    def parcels_wait(self) -> None:
        """Send what is new in the outbox."""
        self._carrier.push()

    # Vision

    def _from_vision(self, message: FromVision, _: list[int]) -> None:
        unit = self.unit
        match message:
            case Hello():
                unit.vision_came(message.model)
            case Sighting():
                unit.saw(message)
            case Progress():
                unit.progressed(message)
            case Trouble():
                log.event("vision.trouble", "warning", doubt=message.doubt.value, detail=message.detail)
                unit.troubled(message)
            case Recovered():
                unit.recovered(message.doubt)
            case Cleared():
                self._stop_by = None
                unit.vision_cleared(message)
            case Began():
                log.event("vision.began", captured_ns=message.captured_ns)

    def _vision_gone(self) -> None:
        self._stop_by = None
        self.unit.vision_gone()

    def _to_vision(self, message: Begin | Stop | Effort | Aim, descriptors: tuple[int, ...] = ()) -> None:
        self._vision.send(message, descriptors)

    # Uplink

    def _from_uplink(self, message: FromUplink, descriptors: list[int]) -> None:
        match message:
            case Inbound():
                data = read_document(descriptors)
                if data is not None:
                    self.unit.receive(message.topic, data)
            case Delivered() | Undeliverable():
                self._carrier.settled(message)
            case Link():
                refused = Cause.BROKER_REFUSES if message.refused else Cause.BROKER_UNREACHABLE
                self.unit.linked(None if message.up else refused)
                if message.up:
                    self.unit.announce_status()
                self._carrier.link(message)
            case Hello():
                self.unit.linked(Cause.BROKER_UNREACHABLE)
                log.event("uplink.came", version=message.version)
                self._carrier.came(message.force)

    def _uplink_gone(self) -> None:
        self.unit.linked(Cause.UPLINK_ABSENT)
        self._carrier.gone()

    def to_uplink(self, message: Publish) -> bool:
        """Send to the uplink; say whether it could be done."""
        return self._uplink.send(message)

    # The local command line

    def _from_control(self, peer: Peer, message: FromControl, descriptors: list[int]) -> None:
        report: bytes | None = None
        if isinstance(message, Hello):
            return
        with self.unit.journal.guard("answer the local command line"):
            if isinstance(message, Ask):
                report = self.unit.status()
            elif isinstance(message, AskCheckpoint):
                report = self.unit.checkpoint()
            elif isinstance(message, AskTime):
                report = self.unit.timekeeping.challenge()
            elif isinstance(message, Inbound):
                data = read_document(descriptors)
                report = self.unit.receive(message.topic, data) if data is not None else None
        if report is None:
            peer.hang_up()
        else:
            peer.send(Answer(report=report))

    def _from_console(self, peer: Peer, message: FromConsole, descriptors: list[int]) -> None:
        with self.unit.journal.guard("answer at the cable"):
            answer = self._cable.answer(peer, message, descriptors)
            if answer is not None:
                with self._house.lane() as lane:
                    peer.send(answer, lane)

    # Time and end

    def _tick(self) -> None:
        if self._stop_by is not None and time.monotonic() > self._stop_by:
            # Hanging up makes it forget, and lets the erasure go on without it.
            log.event("vision.unresponsive", "error")
            self._vision.hang_up()
            self._vision_gone()
        self.unit.tick()
        notify("WATCHDOG=1")

    def _checkpoint(self) -> None:
        self.unit.probe_storage()
        self.unit.announce_checkpoint()

    def _expire(self) -> None:
        self.unit.expire()

    def _end(self, *_: object) -> None:
        self._running = False

    def _leave(self) -> None:
        notify("STOPPING=1")
        self.unit.rest()
        while self._stop_by is not None and time.monotonic() < self._stop_by:
            self._turn(self._stop_by - time.monotonic())
        self.unit.sleep()
        self._peers.close()
        self._store.close()
        log.event("warden.stopped")
