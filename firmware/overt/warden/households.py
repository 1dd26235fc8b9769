"""The unit as visitors at the cable find it: enrolled, or blank."""

import contextlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from overt.protocol import envelope, keys
from overt.protocol.audit import Event, Fact, Moment
from overt.protocol.cable import requests
from overt.protocol.cable.requests import Waiting
from overt.protocol.documents import Charter
from overt.protocol.errors import ProtocolError
from overt.protocol.topics import Down, Topic, Up
from overt.protocol.vocabulary import Act, ClockQuality, Refusal
from overt.runtime import log
from overt.warden import decommission, enrolment, tenancy
from overt.warden.database import StorageFailed
from overt.warden.devices import Clock
from overt.warden.enrolment import EnrolmentError
from overt.warden.gps import boottime
from overt.warden.store import Store
from overt.warden.tenancy import Ending
from overt.warden.unit import Unit
from overt.warden.vault import Vault, alone
from overt.warden.visitors import Whom

_PARCELS_MOST = 200
_ANSWER_BYTES = 40 * 1024


class EnrolledHouse:
    """A unit at work. `over` says that it has become something else, and has to begin anew."""

    def __init__(self, state: Path, vault: Vault, store: Store, unit: Unit, clock: Clock) -> None:
        self._state, self._vault, self._store, self._unit, self._clock = state, vault, store, unit, clock
        self.over = False
        self._lane: int | None = None

    @contextlib.contextmanager
    def lane(self) -> Iterator[tuple[int, ...]]:
        """Give away what the last act opened for whoever asked for it; here it is closed."""
        lane, self._lane = self._lane, None
        try:
            yield () if lane is None else (lane,)
        finally:
            if lane is not None:
                os.close(lane)

    @property
    def key(self) -> str:
        """The unit's public key."""
        return self._vault.public

    @property
    def name(self) -> str | None:
        """Its name."""
        return self._vault.config.unit

    @property
    def charter(self) -> Charter | None:
        """The charter that governs it now."""
        return self._vault.charter

    @property
    def decommissioned(self) -> bool:
        """It is at work."""
        return False

    def sign(self, report: envelope.Payload) -> bytes:
        """Sign with the unit's key."""
        return self._vault.sign(report)

    def moment(self) -> Moment:
        """Return the time, and how well it is known."""
        return self._unit.journal.moment()

    def elapsed(self) -> float:
        """Return seconds that only ever grow."""
        return self._clock.elapsed()

    def note(self, event: Event, **facts: Fact) -> None:
        """Append to the audit log."""
        self._unit.journal.note(event, **facts)

    def take_charter(self, data: bytes) -> None:
        """Take a newer charter, as if it had been delivered. A refusal is in the log."""
        topic = Topic(force=self._vault.force, unit=self._vault.config.unit, leaf=Down.CHARTER)
        self._unit.receive(str(topic), data)

    def perform(self, act: Act, arguments: bytes, whom: Whom) -> bytes:
        """Do what is the warden's to do of an act.

        Raises:
            ProtocolError: It cannot be done, and nothing was changed.
        """
        with tenancy.plainly():
            match act:
                case Act.IDENTIFY:
                    return tenancy.identify(self._state, arguments, self.note)
                case Act.ENROL:
                    self._require_nothing_in_hand()
                    at = self.moment()
                    now = at.time if at.trusted else max(at.time, whom.time)
                    done = tenancy.enrol(self._state, arguments, whom, now, self.note)
                    self.over = True
                    return done
                case Act.DECOMMISSION:
                    return self._end(arguments, whom)
                case Act.AIM:
                    self._lane = self._unit.aim()
                case Act.TEST:
                    return self._unit.inspect()
        return b""

    def _end(self, arguments: bytes, whom: Whom) -> bytes:
        self._require_nothing_in_hand()
        if self._vault.lent is not None:
            raise ProtocolError(Refusal.BUSY, "this unit is on loan: end the loan first, it is not the borrower's")
        name, force = self._vault.config.unit, self._vault.config.force
        ending = Ending(force, name, self.key, self._vault.sign, self.moment())
        signed = tenancy.end(self._state, arguments, whom, ending, self._store, self.note)
        self.over = True
        return signed

    def _require_nothing_in_hand(self) -> None:
        if self._unit.in_hand is not None:
            raise ProtocolError(
                Refusal.BUSY, "a deployment is in hand: cancel its order or wait for its end, then try again"
            )


class Reports:
    """What a unit at work answers with at the cable."""

    def __init__(self, unit: Unit, vault: Vault, store: Store) -> None:
        self._unit, self._vault, self._store = unit, vault, store

    def status(self) -> bytes:
        """Return the signed status."""
        return self._unit.status()

    def checkpoint(self) -> bytes:
        """Return the head of the log, signed, and keep it."""
        return self._unit.checkpoint()

    def challenge(self) -> bytes:
        """Return a challenge to sign the time for."""
        return self._unit.timekeeping.challenge()

    def receipts(self, after: int) -> bytes:
        """Return receipts and certificates that wait for a network, as many as fit, for the force that has the unit."""
        found: list[Waiting] = []
        size = 0
        while parcels := self._store.waiting(after, _PARCELS_MOST, self._vault.force):
            after = parcels[-1].id
            for parcel in parcels:
                if not parcel.topic.endswith(f"/{Up.RECEIPT.value}"):
                    continue
                size += len(parcel.payload)
                if found and size > _ANSWER_BYTES:
                    return requests.encode(found)
                found.append(Waiting(number=parcel.id, signed=parcel.payload))
        return requests.encode(found)

    def receive(self, topic: str, data: bytes) -> bytes | None:
        """Take a document; return the receipt."""
        return self._unit.receive(topic, data)


class BlankHouse:
    """A unit that belongs to nobody yet. It has a signing key of its own; its name comes with an identity."""

    def __init__(self, state: Path, store: Store) -> None:
        """Make its key, at its first start.

        Raises:
            OSError: The state folder cannot be read or written.
            VaultError: Another process holds the state folder.
        """
        self._state, self._store = state, store
        self._adopt()

    @property
    def key(self) -> str:
        """The unit's public key."""
        return keys.public_of(self._private)

    @property
    def name(self) -> str | None:
        """Its name, once it has an identity."""
        try:
            return enrolment.read_identity(self._state).unit
        except EnrolmentError:
            return None

    @property
    def charter(self) -> Charter | None:
        """It has none."""
        return None

    @property
    def decommissioned(self) -> bool:
        """Whether it keeps the certificate of its own erasure."""
        return decommission.certificate(self._state) is not None

    @property
    def over(self) -> bool:
        """Whether it has been enrolled, over the cable or by hand, or is to be erased."""
        return not is_blank(self._state) or decommission.is_pending(self._state)

    def sign(self, report: envelope.Payload) -> bytes:
        """Sign with the unit's key."""
        return envelope.sign(report, [keys.signer_of(self._private)])

    def moment(self) -> Moment:
        """Return what the machine takes the time for. A blank unit vouches for none."""
        return Moment(datetime.now(UTC), ClockQuality.UNKNOWN)

    def elapsed(self) -> float:
        """Return seconds that only ever grow."""
        return boottime()

    def note(self, event: Event, **facts: Fact) -> None:
        """Append to the audit log."""
        try:
            self._store.note(self.moment(), event, **facts)
        except StorageFailed as error:
            log.event("storage.failed", "error", doing=f"log {event.value}", detail=str(error))

    def take_charter(self, data: bytes) -> None:
        """It has no charter that a newer one could take the place of."""

    def perform(self, act: Act, arguments: bytes, whom: Whom) -> bytes:
        """Do what is the warden's to do of an act.

        Raises:
            ProtocolError: It cannot be done, and nothing was changed.
        """
        if act in {Act.AIM, Act.TEST}:
            raise ProtocolError(Refusal.BUSY, "this unit is blank: enrol it first")
        with tenancy.plainly():
            match act:
                case Act.IDENTIFY:
                    done = tenancy.identify(self._state, arguments, self.note)
                    self._adopt()
                    return done
                case Act.ENROL:
                    with alone(self._state):
                        now = max(self.moment().time, whom.time)
                        return tenancy.enrol(self._state, arguments, whom, now, self.note)
                case Act.DECOMMISSION:
                    return self._end(arguments, whom)
        return b""

    def _end(self, arguments: bytes, whom: Whom) -> bytes:
        before = decommission.certificate(self._state)
        if before is not None and self.name is None:
            return before
        if self.name is None:
            raise ProtocolError(Refusal.BUSY, "this unit is blank already: there is nothing to erase")
        with alone(self._state):
            ending = Ending(None, self.name, self.key, self.sign, self.moment())
            return tenancy.end(self._state, arguments, whom, ending, self._store, self.note)

    def _adopt(self) -> None:
        """Read the signing key, or make it."""
        path = self._state / "keys" / "signing.key"
        with alone(self._state):
            if not path.exists():
                tenancy.keep_signing_key(self._state, keys.new_private())
            self._private = path.read_bytes()


def is_blank(state: Path) -> bool:
    """Say whether a state folder is no force's. One with deployments or a loan in it and no enrolment is damaged."""
    return state.is_dir() and not any((state / name).exists() for name in ("unit.json", "deployments", "loan"))
