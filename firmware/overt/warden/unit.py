"""The unit: takes documents, sightings and time in, and decides with `core`, `authority` and `alerts`.

It owns the state folder, the store and the watchlist's memory. It knows nothing of sockets: what has to go out, it
hands to its `Ports`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from overt import __version__
from overt.protocol import authority, envelope, gallery, limits, places, sealing
from overt.protocol.errors import ProtocolError
from overt.protocol.messages import Cleared, Progress, Sighting
from overt.protocol.reports import Checkpoint, Erasure, Health, Receipt, Status
from overt.protocol.topics import Down, Topic, Up
from overt.protocol.vocabulary import ClockQuality, Doubt, Ending, Kind, Operation, Refusal, State
from overt.runtime import log
from overt.runtime.memory import MemoryUnsafe, SecretFile, wipe
from overt.warden import alerts, core
from overt.warden.alerts import Context, Listed, Passages
from overt.warden.core import Action, Conditions, InForce, Situation
from overt.warden.devices import Devices
from overt.warden.store import Fact, StorageFailed, Store
from overt.warden.vault import Deployment, Vault

_RECEIPT_LIFE = timedelta(hours=24)
_NO_COUNT = Cleared(order="0" * 64, frames=0, faces_seen=0, templates_made=0, templates_wiped=0)


class Ports(Protocol):
    """Where things go out."""

    def begin(self, order: str, threshold: float, descriptor: int) -> None:
        """Tell vision to recognise."""

    def stop(self) -> None:
        """Tell vision to forget. `Unit.forgotten` is called once it has, or is gone."""

    def announce(self, topic: str, payload: bytes, retain: bool) -> None:
        """Publish something of which only the newest matters."""

    def parcels_wait(self) -> None:
        """There is something new in the outbox."""


@dataclass(slots=True)
class Loaded:
    """The watchlist of the deployment in hand: templates in locked memory, the rest without templates."""

    memory: SecretFile
    listed: list[Listed]
    digest: str
    made_at: float
    templates: int


@dataclass(slots=True)
class Vision:
    """What is known of the vision process."""

    model: str | None = None
    doubts: frozenset[Doubt] = frozenset()
    begun: bool = False
    progress: Progress | None = None
    totals: Cleared = field(default_factory=lambda: _NO_COUNT)


class Unit:
    """One unit, from start to stop of the warden."""

    def __init__(self, vault: Vault, store: Store, devices: Devices, ports: Ports) -> None:
        self._vault, self._store, self._devices, self._ports = vault, store, devices, ports
        self._storage_sound = True
        self._deployment: Deployment | None = None
        self._loaded: Loaded | None = None
        self._passages = Passages()
        self._log_time = store.last_time()
        self.vision = Vision()
        self.situation = Situation(State.IDLE, devices.clock.now())

    # Life

    def wake(self) -> None:
        """Take up what was in hand when the warden last stopped."""
        self._note(Operation.AUTHORITY, "warden.started", version=__version__)
        for kept in self._vault.deployments():
            if self._store.is_spent(kept.digest) or self._deployment is not None:
                self._vault.erase(kept.digest)
                continue
            self._deployment = kept
            self._advance(core.OrderAccepted(_in_force(kept)))
            if not self._still_lawful(kept):
                self._advance(core.Ended(Ending.KEY_LOST))
                continue
            sealed = self._vault.kept_watchlist(kept.digest)
            if sealed is not None:
                self._reload(sealed)
        self._advance(None)

    def sleep(self) -> None:
        """Stop recognition and let go of the watchlist's memory; the deployment is kept for the next start."""
        if self.vision.begun:
            self._ports.stop()
        self._drop_watchlist()
        self._note(Operation.AUTHORITY, "warden.stopped")

    def tick(self) -> None:
        """Look at the world and act on what has changed."""
        self._probe_storage()
        self._advance(None)

    # Documents

    def receive(self, topic: str, data: bytes) -> bytes | None:
        """Take a document.

        Args:
            topic: The MQTT topic that it came on.
            data: Its bytes, as they came.

        Returns:
            The signed receipt, or None for something that is not a document for this unit at all.
        """
        take = self._taker_of(topic)
        if take is None:
            self._note(Operation.AUTHORITY, "document.misaddressed", size=len(data))
            return None
        kind, handler = take
        try:
            receipt = handler(data)
        except ProtocolError as error:
            receipt = self._refusal(kind, data, error)
        except (StorageFailed, MemoryUnsafe, OSError) as error:
            log.event("storage.failed", "error", doing=f"receive {kind.value}", detail=str(error))
            self._storage_sound = False
            receipt = self._refusal(kind, data, ProtocolError(Refusal.BUSY, "the unit cannot store anything just now"))
        signed = self._vault.sign(receipt)
        self._post(Up.RECEIPT, signed)
        return signed

    def _taker_of(self, topic: str) -> tuple[Kind, Callable[[bytes], Receipt]] | None:
        mine = {
            Down.ORDER: (Kind.ORDER, self._take_order),
            Down.WATCHLIST: (Kind.WATCHLIST, self._take_watchlist),
            Down.CANCEL: (Kind.CANCELLATION, self._take_cancellation),
            Down.LOAN: (Kind.LOAN, self._take_loan),
        }
        for leaf, taker in mine.items():
            if topic == str(Topic(force=self._vault.config.force, unit=self._vault.config.unit, leaf=leaf)):
                return taker
        return None

    def _take_order(self, data: bytes) -> Receipt:
        checked = authority.check_order(data, self._vault.charter, self._devices.clock.now())
        model = self.vision.model or checked.document.model  # unknown yet: recognition waits in doubt until it is known
        authority.check_for_unit(checked.document, self._vault.config.unit, self._vault.public, model)
        if not places.is_at(self._vault.config.site, checked.document.place):
            raise ProtocolError(
                Refusal.LIMIT, f"this unit is at {self._vault.config.site.name}, not where the order is for"
            )
        if self._deployment is not None and self._deployment.digest == checked.digest:
            return self._receipt(Kind.ORDER, checked.digest, recipient=self._deployment.recipient)
        if self._store.is_spent(checked.digest):
            raise ProtocolError(Refusal.REPLAYED, "this order is over; it cannot be used a second time")
        if self._deployment is not None:
            raise ProtocolError(
                Refusal.BUSY, f"this unit works under the order {self._deployment.digest[:12]}…: cancel it first"
            )
        deployment = self._vault.new_deployment(checked.document, checked.digest, data)
        try:
            self._store.note(self._now(), Operation.AUTHORITY, "order.accepted", order=checked.digest)
        except StorageFailed:
            self._vault.erase(checked.digest)
            raise
        self._deployment = deployment
        self._passages = Passages()
        self.vision.totals = _NO_COUNT
        self._advance(core.OrderAccepted(_in_force(deployment)))
        return self._receipt(Kind.ORDER, checked.digest, recipient=deployment.recipient)

    def _take_watchlist(self, sealed: bytes) -> Receipt:
        if self._deployment is None or self.situation.state is State.ERASING:
            raise ProtocolError(Refusal.NO_ORDER, "no order is in hand: send the order first, then its watchlist")
        loaded = self._open_watchlist(sealed)
        current = self._loaded
        if current is not None and loaded.digest == current.digest:
            loaded.memory.close()
            return self._receipt(Kind.WATCHLIST, current.digest)
        if current is not None and loaded.made_at <= current.made_at:
            loaded.memory.close()
            raise ProtocolError(Refusal.ROLLED_BACK, "a newer watchlist of this order is already here")
        try:
            self._vault.keep_watchlist(self._deployment.digest, sealed)
            facts: dict[str, Fact] = {"watchlist": loaded.digest, "entries": len(loaded.listed)}
            self._store.note(
                self._now(), Operation.COLLECTION, "watchlist.accepted", order=self._deployment.digest, **facts
            )
        except (OSError, StorageFailed):
            loaded.memory.close()
            raise
        self._swap_watchlist(loaded)
        return self._receipt(Kind.WATCHLIST, loaded.digest)

    def _take_cancellation(self, data: bytes) -> Receipt:
        if self._deployment is None:
            raise ProtocolError(Refusal.NO_ORDER, "no order is in hand, so there is nothing to cancel")
        checked = authority.check_cancellation(data, self._vault.charter, self._deployment.digest)
        facts = {"order": self._deployment.digest, "reason": checked.document.reason.value}
        self._note(Operation.AUTHORITY, "order.cancelled", **facts)
        receipt = self._receipt(Kind.CANCELLATION, checked.digest)
        self._advance(core.Ended(Ending.CANCELLED))
        return receipt

    def _take_loan(self, data: bytes) -> Receipt:
        raise ProtocolError(Refusal.UNSUPPORTED, f"this release knows no loans ({len(data)} bytes came)")

    def _refusal(self, kind: Kind, data: bytes, error: ProtocolError) -> Receipt:
        digest = envelope.digest_of(data)
        self._note(Operation.AUTHORITY, "document.refused", document=kind.value, digest=digest, code=error.code.value)
        log.event("document.refused", "warning", document=kind.value, code=error.code.value)
        return self._receipt(kind, digest, refusal=error)

    def _receipt(
        self, kind: Kind, digest: str, *, recipient: str | None = None, refusal: ProtocolError | None = None
    ) -> Receipt:
        return Receipt(
            force=self._vault.config.force,
            unit=self._vault.config.unit,
            document=kind,
            digest=digest,
            order=self._deployment.digest if self._deployment else None,
            accepted=refusal is None,
            received=self._now(),
            log_position=self._store.head()[0],
            recipient=recipient,
            refusal=refusal.code if refusal else None,
            detail=refusal.detail[:200] if refusal else None,
        )

    # The watchlist in memory

    def _open_watchlist(self, sealed: bytes) -> Loaded:
        """Decrypt, check, pack into locked memory, and wipe what was decrypted."""
        assert self._deployment is not None  # noqa: S101 - every caller has checked
        if len(sealed) > limits.WATCHLIST_MAX_BYTES:
            raise ProtocolError(
                Refusal.TOO_LARGE, f"expected at most {limits.WATCHLIST_MAX_BYTES:,} bytes, found {len(sealed):,}"
            )
        order = authority.Checked(self._deployment.order, self._deployment.digest, self._deployment.order_data)
        plain = sealing.unseal(sealed, self._deployment.identity)
        try:
            checked = authority.check_watchlist(plain, self._vault.charter, order, self._devices.clock.now())
            entries = checked.document.entries
            layout = gallery.layout_for(entries)
            memory = SecretFile("overt-gallery", layout.size)
            view = memory.view
            try:
                gallery.pack(entries, view)
            finally:
                view.release()
            memory.seal()
            listed = [Listed.of(entry) for entry in entries]
            for entry in entries:
                for template in entry.templates:
                    wipe(template)
            made_at = checked.document.made.timestamp()
            return Loaded(memory, listed, checked.digest, made_at, layout.templates)
        finally:
            wipe(plain)

    def _reload(self, sealed: bytes) -> None:
        try:
            self._swap_watchlist(self._open_watchlist(sealed))
        except (ProtocolError, MemoryUnsafe) as error:
            self._note(Operation.CONDITION, "watchlist.unreadable")
            log.event("watchlist.unreadable", "warning", detail=str(error))

    def _swap_watchlist(self, loaded: Loaded) -> None:
        self._advance(core.WatchlistLost())
        self._drop_watchlist()
        self._loaded = loaded
        self._advance(core.WatchlistLoaded())

    def _drop_watchlist(self) -> None:
        if self._loaded is not None:
            self._loaded.memory.close()
            self._loaded = None

    # Vision

    def saw(self, sighting: Sighting) -> None:
        """Take a sighting: once per passage it becomes an alert."""
        if self._deployment is None or self._loaded is None or self.situation.state is not State.RECOGNISING:
            self._note(Operation.CONSULTATION, "sighting.dropped", why="not_recognising")
            return
        now = self._now()
        why = alerts.objection(sighting, self._deployment, len(self._loaded.listed), now)
        if why is not None:
            self._note(Operation.CONSULTATION, "sighting.dropped", why=why)
            return
        if self._passages.is_new(sighting):
            self._raise_alert(sighting, self._deployment, self._loaded)
        self._passages.remember(sighting)

    def _raise_alert(self, sighting: Sighting, deployment: Deployment, loaded: Loaded) -> None:
        now = self._now()
        place = self._devices.place.where()
        if place is None:
            return  # the next tick pauses for it
        config = self._vault.config
        context = Context(
            force=config.force,
            unit=config.unit,
            deployment=deployment,
            watchlist=loaded.digest,
            clock=self._devices.clock.quality(),
            place=place,
            sign=self._vault.sign,
        )

        def seal(number: int) -> tuple[str, bytes, datetime, dict[str, Fact]]:
            alert = alerts.make(context, sighting, loaded.listed[sighting.entry], number, now)
            topic, payload = alerts.seal(context, alert)
            facts: dict[str, Fact] = {
                "alert": alert.id,
                "order": alert.order,
                "entry": alert.entry,
                "score": round(alert.score, 4),
            }
            return topic, payload, alert.expires, facts

        try:
            number = self._store.number_alert(deployment.digest, now, seal)
        except StorageFailed as error:
            self._storage_failed("raise an alert", error)
            return
        self._log_time = now
        self._ports.parcels_wait()
        log.event("alert.raised", sequence=number)

    def progressed(self, progress: Progress) -> None:
        """Take vision's counters and publish the unit's health."""
        self.vision.progress = progress
        config = self._vault.config
        health = Health(
            force=config.force,
            unit=config.unit,
            sent=self._now(),
            order=self._deployment.digest if self._deployment else None,
            last_sequence=self._last_number(),
            frames=progress.frames,
            frames_dropped=progress.frames_dropped,
            frames_per_second=progress.frames_per_second,
            frame_age_ms=progress.frame_age_ms,
            faces_seen=progress.faces_seen,
            templates_made=progress.templates_made,
            templates_wiped=progress.templates_wiped,
            alerts_waiting=self._store.waiting_count(),
        )
        self._announce(Up.HEALTH, self._vault.sign(health))

    def forgotten(self, counts: Cleared | None) -> None:
        """Vision has forgotten everything, or is gone and took everything with it (then `counts` is None)."""
        if not self.vision.begun:
            return
        last = self.vision.progress
        if counts is None and last is not None:
            counts = Cleared(
                order="0" * 64,
                frames=last.frames,
                faces_seen=last.faces_seen,
                templates_made=last.templates_made,
                templates_wiped=last.templates_wiped,
            )
        self.vision.totals = _sum(self.vision.totals, counts or _NO_COUNT)
        self.vision.begun, self.vision.progress = False, None
        self._advance(None)

    # Erasure

    def _erase(self, ending: Ending) -> None:
        """Overwrite memory and disk, remember that the order is over, and certify it."""
        deployment, loaded = self._deployment, self._loaded
        assert deployment is not None  # noqa: S101 - only a deployment can be erased
        entries, templates = (len(loaded.listed), loaded.templates) if loaded else (0, 0)
        watchlist = loaded.digest if loaded else None
        self._drop_watchlist()
        try:
            self._vault.erase(deployment.digest)
            facts = {"entries": entries, "alerts": self._store.last_number(deployment.digest)}
            self._store.spend(deployment.digest, ending, self._now(), **facts)
        except (OSError, StorageFailed) as error:
            self._storage_failed("erase", error)  # tried again at the next tick
            return
        position, head = self._store.head()
        certificate = Erasure(
            force=self._vault.config.force,
            unit=self._vault.config.unit,
            order=deployment.digest,
            watchlist=watchlist,
            recipient=deployment.recipient,
            ending=ending,
            erased=self._now(),
            entries=entries,
            templates_listed=templates,
            templates_made=self.vision.totals.templates_made,
            templates_wiped=self.vision.totals.templates_wiped,
            alerts=facts["alerts"],
            log_position=position,
            log_head=head,
        )
        self._deployment = None
        self._post(Up.RECEIPT, self._vault.sign(certificate))
        log.event("deployment.erased", ending=ending.value)
        self._advance(core.Erased())
        self.announce_checkpoint()

    # What the world is told

    def status(self) -> bytes:
        """Return the signed status."""
        config, situation = self._vault.config, self.situation
        status = Status(
            force=config.force,
            unit=config.unit,
            sent=self._now(),
            state=situation.state,
            since=situation.since,
            doubts=tuple(sorted(situation.doubts)),
            ending=situation.ending,
            order=self._deployment.digest if self._deployment else None,
            last_sequence=self._last_number(),
            indicator_lit=self._devices.indicator.is_lit() is True,
            notice=self._deployment.order.notice.address if self._deployment else None,
            version=__version__,
        )
        return self._vault.sign(status)

    def announce_status(self) -> None:
        """Publish the status."""
        self._announce(Up.STATUS, self.status(), retain=True)

    def announce_checkpoint(self) -> None:
        """Publish the head of the audit log, so that a log cut short later shows."""
        position, head = self._store.head()
        checkpoint = Checkpoint(
            force=self._vault.config.force,
            unit=self._vault.config.unit,
            sent=self._now(),
            records=position,
            head=head,
            order=self._deployment.digest if self._deployment else None,
            last_sequence=self._last_number(),
        )
        self._announce(Up.CHECKPOINT, self._vault.sign(checkpoint))

    def expire_parcels(self) -> None:
        """Delete undelivered alerts that have outlived their time."""
        try:
            self._store.expire(self._now())
        except StorageFailed as error:
            self._storage_failed("expire", error)

    def refused_by_broker(self, parcel: int, reason_code: int) -> None:
        """Set a parcel aside that the broker refuses for good: it stays visible, and holds up nothing.

        Raises:
            StorageFailed: It could not be made durable; it will be sent again.
        """
        self._store.undeliverable(self._now(), parcel, reason_code)
        log.event("parcel.refused", "error", parcel=parcel, reason_code=reason_code)

    # Inside

    def _advance(self, event: core.Event) -> None:
        before = self.situation
        self.situation, actions = core.step(before, event, self._conditions())
        for action in actions:
            self._act(action)
        if self.situation.state is State.ERASING and not self.vision.begun:
            self._erase(self.situation.ending or Ending.WINDOW_OVER)
            return
        if (self.situation.state, self.situation.doubts) != (before.state, before.doubts):
            doubts = ",".join(sorted(self.situation.doubts))
            self._note(Operation.CONDITION, "state.changed", state=self.situation.state.value, doubts=doubts)
            log.event("state.changed", state=self.situation.state.value, doubts=doubts)
            self.announce_status()

    def _act(self, action: Action) -> None:
        if action in (Action.LIGHT, Action.DARKEN):
            self._devices.indicator.show(action is Action.LIGHT)
        elif action is Action.BEGIN and self._deployment is not None and self._loaded is not None:
            self.vision.begun = True
            self._ports.begin(self._deployment.digest, self._deployment.order.threshold, self._loaded.memory.descriptor)
        elif action in (Action.STOP, Action.ERASE) and self.vision.begun:
            self._ports.stop()

    def _conditions(self) -> Conditions:
        clock, place = self._devices.clock, self._devices.place.where()
        now = clock.now()
        not_before = self._log_time is None or now >= self._log_time - limits.CLOCK_TOLERANCE
        deployment = self._deployment
        return Conditions(
            now=now,
            clock_trusted=clock.quality() is not ClockQuality.UNKNOWN and not_before,
            place_right=place is not None and (deployment is None or places.is_at(place, deployment.order.place)),
            lamp_lit=self._devices.indicator.is_lit(),
            vision_model=self.vision.model,
            vision_doubts=self.vision.doubts,
            storage_sound=self._storage_sound,
        )

    def _still_lawful(self, kept: Deployment) -> bool:
        """Check a kept order again, as it was when it was accepted: what the disk says is not believed."""
        moment = min(self._devices.clock.now(), kept.order.window.end - timedelta(seconds=1))
        try:
            authority.check_order(kept.order_data, self._vault.charter, moment)
        except ProtocolError as error:
            log.event("order.unlawful", "error", code=error.code.value)
            return False
        return True

    def _probe_storage(self) -> None:
        if self._storage_sound:
            return
        try:
            self._store.probe()
        except StorageFailed:
            return
        self._storage_sound = True
        log.event("storage.recovered")

    def _storage_failed(self, doing: str, error: Exception) -> None:
        self._storage_sound = False
        log.event("storage.failed", "error", doing=doing, detail=str(error))

    def _note(self, operation: Operation, event: str, **facts: Fact) -> None:
        now = self._now()
        try:
            self._store.note(now, operation, event, **facts)
            self._log_time = max(now, self._log_time or now)
        except StorageFailed as error:
            self._storage_failed(f"note {event}", error)

    def _post(self, leaf: Up, payload: bytes) -> None:
        try:
            self._store.put(self._topic(leaf), payload, self._now() + _RECEIPT_LIFE)
        except StorageFailed as error:
            self._storage_failed(f"post {leaf.value}", error)
            return
        self._ports.parcels_wait()

    def _announce(self, leaf: Up, payload: bytes, *, retain: bool = False) -> None:
        self._ports.announce(self._topic(leaf), payload, retain)

    def _topic(self, leaf: Up) -> str:
        return str(Topic(force=self._vault.config.force, unit=self._vault.config.unit, leaf=leaf))

    def _last_number(self) -> int:
        return self._store.last_number(self._deployment.digest) if self._deployment else 0

    def _now(self) -> datetime:
        return self._devices.clock.now()


def _in_force(deployment: Deployment) -> InForce:
    window = deployment.order.window
    return InForce(deployment.digest, window.start, window.end, deployment.order.model)


def _sum(one: Cleared, other: Cleared) -> Cleared:
    return Cleared(
        order=other.order,
        frames=one.frames + other.frames,
        faces_seen=one.faces_seen + other.faces_seen,
        templates_made=one.templates_made + other.templates_made,
        templates_wiped=one.templates_wiped + other.templates_wiped,
    )
