"""The unit: takes documents, sightings and time in, and decides with `core`, `authority` and `alerts`.

It owns the deployment in hand and its watchlist's memory. It knows nothing of sockets: what has to go out, it hands to
its `Ports`.
"""

import time
from dataclasses import replace
from typing import Protocol

from overt import __version__
from overt.protocol import authority, envelope, limits
from overt.protocol.audit import Event
from overt.protocol.errors import ProtocolError
from overt.protocol.messages import Cleared, Progress, Sighting, Trouble
from overt.protocol.vocabulary import Cause, Doubt, Ending, Refusal, State
from overt.runtime import log
from overt.runtime.memory import MemoryUnsafe
from overt.warden import core, inspection
from overt.warden.aiming import Aiming
from overt.warden.assurances import Assurances
from overt.warden.core import Action, InForce, Situation
from overt.warden.desk import Desk
from overt.warden.devices import Devices
from overt.warden.ending import Ender
from overt.warden.journal import Journal
from overt.warden.lamp import Lamp
from overt.warden.lending import Lending
from overt.warden.reporter import Outlet, Reporter
from overt.warden.senses import Senses
from overt.warden.sight import Sight, SightPort
from overt.warden.sightings import Sightings
from overt.warden.store import Store
from overt.warden.timekeeping import Timekeeping
from overt.warden.vault import Deployment, Unreadable, Vault, VaultError
from overt.warden.watchlist import Loaded, open_watchlist


class Ports(Outlet, SightPort, Protocol):
    """Where things go out."""


class Unit:
    """One unit, from start to stop of the warden."""

    def __init__(self, vault: Vault, store: Store, devices: Devices, ports: Ports) -> None:
        self._vault, self._store = vault, store
        self.journal = Journal(store, devices.clock)
        self.reporter = Reporter(vault, store, self.journal, ports)
        self.sight = Sight(ports)
        self._lamp = Lamp(devices.indicator)
        self._senses = Senses(vault, devices, self.journal, self.sight, self._lamp)
        self._ender = Ender(vault, store, self.journal, self.reporter)
        self.lending = Lending(vault, store, self.journal, self.reporter)
        self.timekeeping = Timekeeping(vault, self.journal, self.reporter, devices.clock)
        self._assurances = Assurances(vault, store, self.journal)
        parts = (self.lending, self._assurances, self.timekeeping)
        self._desk = Desk(vault, store, self.journal, self.reporter, *parts, self)
        self._sightings = Sightings(vault, store, self.journal, self.reporter, devices)
        self.aiming = Aiming(self.sight, devices.clock)
        self._health_due = 0.0
        self._resting = self._marked = False
        self.in_hand: Deployment | None = None
        self.loaded: Loaded | None = None
        self.situation = Situation(State.IDLE, self.journal.now())

    @property
    def state(self) -> State:
        """The state."""
        return self.situation.state

    @property
    def model(self) -> str | None:
        """The model that vision runs, when it is known."""
        return self.sight.model

    # Life

    def wake(self) -> None:
        """Take up what was in hand when the warden last stopped, and finish what it had begun to erase."""
        self._lamp.show(False)
        self.reporter.check_log()
        self.journal.note(Event.WARDEN_STARTED, version=__version__)
        self.situation = replace(self.situation, ending=self._ender.finish())
        self.lending.wake()
        self._require_no_rollback()
        for kept in self._vault.deployments():
            if isinstance(kept, Unreadable) or self.in_hand is not None:
                self._ender.give_up(kept.digest, Ending.KEY_LOST)
                continue
            lawful = self._still_lawful(kept)
            if lawful and self._store.find(kept.digest, Event.ORDER_ACCEPTED) is None:
                # A power cut came between keeping and logging it: nobody was told that it was accepted.
                self._vault.erase(kept.digest)
                continue
            self.take_up(kept)
            if self.lending.is_over:
                self.end(Ending.LOAN_OVER)
            elif lawful:
                self._reload(kept)
            else:
                self.end(Ending.TAMPER)
        self._advance(None)
        self._hand_back()

    def _require_no_rollback(self) -> None:
        """Refuse to live under a charter older than one that was used before: its keys may have been revoked since.

        Raises:
            VaultError: It is older.
        """
        home = self._vault.home
        try:
            self.lending.require_no_older(home.force, home.version)
        except ProtocolError as error:
            raise VaultError(f"{error.detail}: enrol the unit with the force's newest charter") from error
        with self.journal.guard("log the charter"):
            digest = envelope.digest_of(envelope.encode(home))
            self._store.note_charter(self.journal.moment(), home.force, home.version, digest)

    def rest(self) -> None:
        """Stop recognition and begin no more: the warden is about to stop."""
        self._resting = True
        self._advance(None)

    def sleep(self) -> None:
        """Let go of the watchlist's memory; the deployment is kept for the next start."""
        self._drop_watchlist()
        self._lamp.show(False)
        self.journal.note(Event.WARDEN_STOPPED)
        self.checkpoint()

    def tick(self) -> None:
        """Look at the world and act on what has changed."""
        if not self.journal.sound:
            self.journal.probe()
        by_now = self.journal.by_now()
        if by_now is not None and self.lending.due(by_now):
            self.end_loan(Ending.WINDOW_OVER)
        if self._senses.tampered() and self.in_hand is not None and self.state is not State.ERASING:
            log.event("enclosure.opened", "error")
            self.end(Ending.TAMPER)
        self._advance(core.AimOver() if self.aiming.over else None)
        self.sight.slow_down(self._senses.effort)
        self._hand_back()

    def probe_storage(self) -> None:
        """Try whether an alert could be stored, before there is one."""
        if self.in_hand is not None:
            self.journal.probe()

    def expire(self) -> None:
        """Delete from the outbox what has outlived its time; not on the word of a clock that is in doubt."""
        by_now = self.journal.by_now()
        if by_now is not None:
            with self.journal.guard("empty the outbox"):
                self._store.expire(self.journal.moment(), by_now)

    # Documents

    def receive(self, topic: str, data: bytes) -> bytes | None:
        """Take a document; return the signed receipt, or None for something that is not for this unit at all."""
        return self._desk.receive(topic, data)

    def take_up(self, deployment: Deployment) -> None:
        """Begin a deployment."""
        self.in_hand, self._marked = deployment, False
        self._sightings.begin_anew()
        window = deployment.order.window
        in_force = InForce(deployment.digest, window.start, window.end, deployment.order.model)
        self._advance(core.OrderAccepted(in_force))

    def load(self, loaded: Loaded) -> None:
        """Use a watchlist, in place of the one before. Entries are other people now: passages begin anew."""
        if self.loaded is not None:
            self._advance(core.WatchlistLost())
            self._drop_watchlist()
        self.loaded = loaded
        self._sightings.begin_anew()
        self._advance(core.WatchlistLoaded())

    def end(self, why: Ending) -> None:
        """End the deployment. From here on it is over, whatever happens."""
        self._mark(why)
        self._advance(core.Ended(why))

    def end_loan(self, why: Ending) -> None:
        """End the loan, and the deployment under it. From here on it is over, whatever happens."""
        self.lending.mark(why)
        self.end(Ending.LOAN_OVER)
        self._hand_back()

    def judge_again(self) -> None:
        """Look again at what is in hand: keys that it stands on may have been revoked, or its evidence."""
        if not self.lending.still_granted():
            self.end_loan(Ending.REVOKED)
        held = self.in_hand
        if held is None or self.state is State.ERASING:
            return
        if not self._still_lawful(held):
            self.end(Ending.REVOKED)
        elif self.loaded is not None:
            self._advance(core.WatchlistLost())
            self._drop_watchlist()
            self._reload(held)

    def _hand_back(self) -> None:
        """Give the unit back to its force, once a loan is over and nothing is in hand any more."""
        if self.lending.is_over and self.in_hand is None and self.lending.finish():
            self.announce_status()
            self.announce_checkpoint(keep=True)

    def _mark(self, why: Ending) -> None:
        if self.in_hand is not None and not self._marked:
            self._marked = True
            self._ender.mark(self.in_hand, why, self.loaded)

    def _reload(self, kept: Deployment) -> None:
        """Open the watchlist that was kept, as fresh as it was when it was accepted."""
        sealed = self._vault.kept_watchlist(kept.digest)
        accepted = self._store.find(kept.digest, Event.WATCHLIST_ACCEPTED, Event.WATCHLIST_REPLACED)
        if sealed is None or accepted is None:
            return
        try:
            self.load(open_watchlist(sealed, kept, self._vault, accepted.at))
        except (ProtocolError, MemoryUnsafe, OSError) as error:
            self.journal.note(Event.WATCHLIST_UNREADABLE, order=kept.digest)
            log.event("watchlist.unreadable", "error", detail=str(error))

    def _drop_watchlist(self) -> None:
        if self.loaded is not None:
            self.loaded.memory.close()
            self.loaded = None

    def _still_lawful(self, kept: Deployment) -> bool:
        """Check a kept order again, at a time within its window: what the disk says is not believed."""
        moment = self.journal.within(kept.order.window)
        try:
            authority.check_order(
                kept.order_data, self._vault.charter, moment, lambda order: self._assurances.underlying(order, moment)
            )
            self.lending.check_order(kept.order)
            authority.check_for_unit(kept.order, self._vault.config.unit, self._vault.public, kept.order.model)
        except ProtocolError as error:
            log.event("order.unlawful", "error", code=error.code.value)
            return False
        return True

    # Aiming

    def aim(self) -> int:
        """Show a technician what the lens sees, for a while.

        Returns:
            The end of the lane where it can be read; the caller's to close.

        Raises:
            ProtocolError: `BUSY`, with the reason.
        """
        self.aiming.require_possible(self.in_hand, cool=self._senses.cool)
        lane = self.aiming.begin(self._senses.bearing().cooling.celsius)
        self._advance(core.AimBegun())
        return lane

    def inspect(self) -> bytes:
        """Have every part looked at; return what was found, signed. Nothing may be in hand.

        Raises:
            ProtocolError: `BUSY`: a deployment is in hand.
        """
        if self.in_hand is not None:
            raise ProtocolError(Refusal.BUSY, "a deployment is in hand: test the unit before or after it")
        self.journal.probe()
        conditions = self._senses.conditions(None, resting=False)
        bearing, seen = self._senses.bearing(), self.sight.progress
        found = inspection.measure(conditions, bearing, inspection.Task(seen, self.aiming.work), self._vault.state)
        return self.reporter.inspection(inspection.judge(found))

    # Vision

    def saw(self, sighting: Sighting) -> None:
        """Take a sighting: once per passage it becomes an alert."""
        recognising = self.state is State.RECOGNISING and self.sight.begun
        self._sightings.take(sighting, self.in_hand, self.loaded, recognising=recognising)
        if not self.journal.sound:
            self._advance(None)

    def progressed(self, progress: Progress) -> None:
        """Take vision's counters and publish the unit's health now and then."""
        self.sight.progress = progress
        if self.sight.begun and time.monotonic() >= self._health_due:
            self._health_due = time.monotonic() + limits.HEALTH_INTERVAL.total_seconds()
            self.reporter.announce_health(self.in_hand, progress, self._senses.bearing())

    def vision_came(self, model: str | None) -> None:
        """Vision has started, with this model."""
        self.sight.came(model)
        self._advance(None)

    def troubled(self, trouble: Trouble) -> None:
        """Vision says that it cannot see."""
        self.sight.doubt(trouble)
        self._advance(None)

    def recovered(self, doubt: Doubt) -> None:
        """Vision says that it can see again."""
        self.sight.recovered(doubt)
        self._advance(None)

    def linked(self, trouble: Cause | None) -> None:
        """Take note of what keeps the uplink from the broker; None while nothing does."""
        self._senses.link(trouble)

    def vision_cleared(self, counts: Cleared) -> None:
        """Vision says that it has forgotten everything."""
        self._count(*self.sight.cleared(counts))
        self._advance(None)

    def vision_gone(self) -> None:
        """Vision is gone, and took everything with it."""
        held = self.sight.gone()
        if held is not None:
            self.journal.note(Event.VISION_GONE)
            self._count(*held)
        self._advance(None)

    def _count(self, made: int, wiped: int) -> None:
        if self.in_hand is not None:
            with self.journal.guard("count templates"):
                self._store.count_templates(self.journal.moment(), self.in_hand.digest, made, wiped)

    # What the world is told

    def status(self) -> bytes:
        """Return the signed status."""
        return self.reporter.status(self.situation, self.in_hand, self._senses.bearing())

    def announce_status(self) -> None:
        """Publish the status."""
        self.reporter.announce_status(self.situation, self.in_hand, self._senses.bearing())

    def announce_checkpoint(self, *, keep: bool = False) -> None:
        """Publish the head of the audit log, and keep it if that is wanted or due."""
        self.reporter.announce_checkpoint(self.in_hand, keep=keep)

    def checkpoint(self) -> bytes:
        """Return the head of the audit log, signed, and keep it."""
        return self.reporter.checkpoint(self.in_hand, keep=True)

    # Inside

    def _advance(self, event: core.Event) -> None:
        """Take one step, and the next at once when the lamp was lit in it: its light is read back without delay."""
        before = self.situation
        waited = self._step(event)
        if waited:
            self._step(None)
        if (self.situation.state, self.situation.doubts) != (before.state, before.doubts):
            doubts = ",".join(sorted(self.situation.doubts))
            self.journal.note(Event.STATE_CHANGED, state=self.state.value, doubts=doubts)
            log.event("state.changed", state=self.state.value, doubts=doubts)
            self.announce_status()
        if self.state is State.ERASING and not self.sight.busy:
            self._erase()

    def _step(self, event: core.Event) -> bool:
        conditions = self._senses.conditions(self.in_hand, resting=self._resting)
        self.situation, actions = core.step(self.situation, event, conditions)
        for action in actions:
            self._act(action)
        return Action.LIGHT in actions and self.state is not State.RECOGNISING

    def _act(self, action: Action) -> None:
        match action:
            case Action.LIGHT:
                self._lamp.show(True, watching=self.sight.busy)
            case Action.DARKEN:
                self._lamp.show(self.sight.busy, watching=self.sight.busy)  # not before vision has forgotten
            case Action.BEGIN:
                if self.in_hand is not None and self.loaded is not None and not self._resting:
                    order = self.in_hand
                    self._begin(order, self.loaded)
            case Action.STOP:
                self.sight.stop()
            case Action.AIM:
                self.aiming.show()
            case Action.ERASE:
                pass  # once all else is done, see `_advance`

    def _begin(self, held: Deployment, loaded: Loaded) -> None:
        """Have vision recognise, unless it does; that stream and watchlist are brought together is logged first."""
        if not self.sight.ready:
            return
        self.journal.note(Event.RECOGNITION_BEGAN, order=held.digest, watchlist=loaded.digest)
        if self.journal.sound:
            self.sight.begin(held.digest, held.order.threshold, loaded.memory.descriptor)

    def _erase(self) -> None:
        """Wipe memory, then the disk; certify it. What storage refuses is tried again at the next tick."""
        deployment, ending = self.in_hand, self.situation.ending or Ending.WINDOW_OVER
        if deployment is None:
            return
        self._mark(ending)
        self._drop_watchlist()
        if self._ender.end(deployment, ending):
            self.in_hand = None
            self._advance(core.Erased())
            self.announce_checkpoint(keep=True)
            self._hand_back()
