"""The audit log's records: what a unit may write down, and the chain that binds each to all before it. Pure.

The words are a closed list. Each event belongs to one of the six operations of DPA 2018 s.62 [O24], or to one of the
unit's own, and has facts of fixed shapes: digests, counts, closed words, opaque references. So nothing biometric and no
text from outside can get in. Of an alert there are its number and digest: whoever may read it knows the rest.
"""

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from overt.protocol import fields as f
from overt.protocol.vocabulary import (
    Act,
    CancellationReason,
    ClockQuality,
    Doubt,
    Ending,
    Kind,
    Operation,
    Refusal,
    State,
)

GENESIS = "0" * 64
Fact = str | int | float | bool | None

_Version = Annotated[str, Meta(pattern=r"^[0-9A-Za-z.+-]{1,40}\Z")]
_DOUBT = "|".join(Doubt)
_Doubts = Annotated[str, Meta(pattern=rf"^((?:{_DOUBT})(?:,(?:{_DOUBT}))*)?\Z")]
_Objection = Literal[
    "not_recognising",
    "place_unknown",
    "clock_doubtful",
    "no_such_entry",
    "other_order",
    "below_threshold",
    "from_the_future",
    "outside_window",
    "entry_expired",
]


class Event(StrEnum):
    """What can happen."""

    WARDEN_STARTED = "warden.started"
    WARDEN_STOPPED = "warden.stopped"
    CHARTER_ACCEPTED = "charter.accepted"
    ASSURANCE_ACCEPTED = "assurance.accepted"
    CLOCK_SET = "clock.set"
    DOCUMENT_REFUSED = "document.refused"
    DOCUMENTS_REFUSED = "documents.refused"
    DOCUMENT_MISADDRESSED = "document.misaddressed"
    ORDER_ACCEPTED = "order.accepted"
    ORDER_CANCELLED = "order.cancelled"
    WATCHLIST_ACCEPTED = "watchlist.accepted"
    WATCHLIST_REPLACED = "watchlist.replaced"
    WATCHLIST_UNREADABLE = "watchlist.unreadable"
    RECOGNITION_BEGAN = "recognition.began"
    STATE_CHANGED = "state.changed"
    VISION_GONE = "vision.gone"
    SIGHTING_DROPPED = "sighting.dropped"
    SIGHTINGS_DROPPED = "sightings.dropped"
    ALERT_RAISED = "alert.raised"
    PARCEL_REFUSED = "parcel.refused_by_broker"
    PARCELS_EXPIRED = "parcels.expired"
    TEMPLATES_WIPED = "templates.wiped"
    DEPLOYMENT_OVER = "deployment.over"
    DEPLOYMENT_ERASED = "deployment.erased"
    DEPLOYMENT_UNKNOWN = "deployment.unknown"
    LOAN_ACCEPTED = "loan.accepted"
    LOAN_OVER = "loan.over"
    LOAN_UNLAWFUL = "loan.unlawful"
    LOAN_HANDED_BACK = "loan.handed_back"
    STORAGE_RECOVERED = "storage.recovered"
    TECHNICIAN_CAME = "technician.came"
    TECHNICIAN_REFUSED = "technician.refused"
    TECHNICIAN_ACTED = "technician.acted"
    TECHNICIAN_LEFT = "technician.left"
    CABLE_LOCKED = "cable.locked"
    UNIT_IDENTIFIED = "unit.identified"
    UNIT_ENROLLED = "unit.enrolled"
    UNIT_DECOMMISSIONED = "unit.decommissioned"


class Shape(msgspec.Struct, frozen=True):
    """Which operation an event is, and which facts it has."""

    operation: Operation
    facts: type[msgspec.Struct]


def _shape(operation: Operation, **facts: Any) -> Shape:  # noqa: ANN401 - annotated types
    made = msgspec.defstruct("Facts", list(facts.items()), frozen=True, forbid_unknown_fields=True)
    return Shape(operation, made)


_A, _C = Operation.AUTHORITY, Operation.CONDITION
CATALOGUE: dict[Event, Shape] = {
    Event.WARDEN_STARTED: _shape(_A, version=_Version),
    Event.WARDEN_STOPPED: _shape(_A),
    Event.CHARTER_ACCEPTED: _shape(_A, force=f.Slug, version=f.Positive, charter=f.Digest),
    Event.ASSURANCE_ACCEPTED: _shape(_A, force=f.Slug, model=f.Digest, assurance=f.Digest, issued=f.Count),
    Event.CLOCK_SET: _shape(_A, error_s=Annotated[float, Meta(ge=0.0, le=3600.0)]),
    Event.DOCUMENT_REFUSED: _shape(_A, document=Kind, digest=f.Digest, code=Refusal),
    Event.DOCUMENTS_REFUSED: _shape(_A, count=f.Count),
    Event.DOCUMENT_MISADDRESSED: _shape(_A, size=f.Count),
    Event.ORDER_ACCEPTED: _shape(_A, order=f.Digest, recipient=f.Recipient),
    Event.ORDER_CANCELLED: _shape(_A, order=f.Digest, reason=CancellationReason),
    Event.WATCHLIST_ACCEPTED: _shape(Operation.COLLECTION, order=f.Digest, watchlist=f.Digest, entries=f.Count),
    Event.WATCHLIST_REPLACED: _shape(Operation.ALTERATION, order=f.Digest, watchlist=f.Digest, entries=f.Count),
    Event.WATCHLIST_UNREADABLE: _shape(_C, order=f.Digest),
    Event.RECOGNITION_BEGAN: _shape(Operation.COMBINATION, order=f.Digest, watchlist=f.Digest),
    Event.STATE_CHANGED: _shape(_C, state=State, doubts=_Doubts),
    Event.VISION_GONE: _shape(_C),
    Event.SIGHTING_DROPPED: _shape(Operation.CONSULTATION, why=_Objection, order=f.Digest | None),
    Event.SIGHTINGS_DROPPED: _shape(Operation.CONSULTATION, count=f.Count),
    Event.ALERT_RAISED: _shape(
        Operation.DISCLOSURE, order=f.Digest, sequence=f.Positive, alert=f.AlertId, digest=f.Digest
    ),
    Event.PARCEL_REFUSED: _shape(_C, parcel=f.Positive, reason_code=f.Count),
    Event.PARCELS_EXPIRED: _shape(Operation.ERASURE, count=f.Count),
    Event.TEMPLATES_WIPED: _shape(Operation.ERASURE, order=f.Digest, made=f.Count, wiped=f.Count),
    Event.DEPLOYMENT_OVER: _shape(_A, order=f.Digest, ending=Ending),
    Event.DEPLOYMENT_ERASED: _shape(Operation.ERASURE, order=f.Digest),
    Event.DEPLOYMENT_UNKNOWN: _shape(Operation.ERASURE, order=f.Digest | None),
    Event.LOAN_ACCEPTED: _shape(_A, loan=f.Digest, borrower=f.Slug, version=f.Positive),
    Event.LOAN_OVER: _shape(_A, loan=f.Digest, ending=Ending),
    Event.LOAN_UNLAWFUL: _shape(_A, code=Refusal),
    Event.LOAN_HANDED_BACK: _shape(Operation.ERASURE, loan=f.Digest, undelivered=f.Count, deployments=f.Count),
    Event.STORAGE_RECOVERED: _shape(_C),
    Event.TECHNICIAN_CAME: _shape(_A, technician=f.KeyId),
    Event.TECHNICIAN_REFUSED: _shape(_A, code=Refusal),
    Event.TECHNICIAN_ACTED: _shape(_A, technician=f.KeyId, act=Act),
    Event.TECHNICIAN_LEFT: _shape(_A, technician=f.KeyId),
    Event.CABLE_LOCKED: _shape(_A, failures=f.Count),
    Event.UNIT_IDENTIFIED: _shape(_A, unit=f.Slug),
    Event.UNIT_ENROLLED: _shape(_A, force=f.Slug, charter=f.Digest, certificate=f.Digest),
    Event.UNIT_DECOMMISSIONED: _shape(Operation.ERASURE, force=f.Slug | None),
}


class Moment(msgspec.Struct, frozen=True):
    """A time, and how well the unit knew it."""

    time: datetime
    clock: ClockQuality

    @property
    def trusted(self) -> bool:
        """Whether the unit may act on it."""
        return self.clock is not ClockQuality.UNKNOWN


class Record(msgspec.Struct, frozen=True, tag="record", forbid_unknown_fields=True):
    """One record: what happened, when, as which of the logged operations, and the hash of all that came before."""

    position: int
    time: str
    clock: str
    operation: str
    event: str
    facts: str
    previous: str
    hash: str

    @property
    def at(self) -> datetime:
        """The time, as a time."""
        return datetime.fromisoformat(self.time)

    def computed_hash(self) -> str:
        """Return the hash that this record must have."""
        return _hash(self.previous, self.position, self.time, self.clock, self.operation, self.event, self.facts)


def next_record(position: int, previous: str, at: Moment, event: Event, facts: dict[str, Fact]) -> Record:
    """Return the record that comes after `position` records, the last of which has the hash `previous`.

    Raises:
        ValueError: The facts are not those of the event: a mistake in the unit's own code.
    """
    shape = CATALOGUE[event]
    try:
        msgspec.convert(facts, shape.facts)
    except msgspec.ValidationError as error:
        raise ValueError(f"{event.value}: {error}") from error
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    written = (position + 1, at.time.isoformat(), at.clock.value, shape.operation.value, event.value, text)
    return Record(*written, previous, _hash(previous, *written))


def facts_of(record: Record) -> dict[str, Fact]:
    """Return a record's facts."""
    return dict(json.loads(record.facts))


def broken_link(record: Record, position: int, previous: str) -> str | None:
    """Return why a record cannot be the one that was written after `position` records; None when it can be.

    Args:
        record: The record.
        position: How many come before it.
        previous: The hash of the last of these.
    """
    if record.position != position + 1:
        return f"expected record {position + 1}, found one that calls itself {record.position}"
    if record.previous != previous:
        return "it does not follow from the record before it"
    if record.hash != record.computed_hash():
        return "it does not say what was written: its hash does not fit"
    return None


def first_broken(records: Iterable[Record]) -> int | None:
    """Return the position of the first record that breaks the chain, or None."""
    position, previous = 0, GENESIS
    for record in records:
        if broken_link(record, position, previous) is not None:
            return position + 1
        position, previous = record.position, record.hash
    return None


def foreign_words(record: Record) -> str | None:
    """Return what in a record is not a unit's to write; None when all of it is of the closed list."""
    try:
        event = Event(record.event)
        ClockQuality(record.clock)
        if record.at.tzinfo is None:
            return "its time has no zone"
    except ValueError:
        return "its event, its clock or its time is no word of the log's"
    shape = CATALOGUE[event]
    if record.operation != shape.operation.value:
        return f"{event.value} is not a {record.operation if record.operation in set(Operation) else 'word'}"
    try:
        msgspec.json.decode(record.facts, type=shape.facts)
    except msgspec.DecodeError:
        return f"its facts are not those of {event.value}"
    return None


def _hash(previous: str, *fields: object) -> str:
    text = json.dumps([previous, *fields], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
