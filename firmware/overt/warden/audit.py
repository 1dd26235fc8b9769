"""The audit log's records and their chain. Pure: anyone with the records can check them."""

import hashlib
import json
from collections.abc import Iterable
from datetime import datetime

import msgspec

from overt.protocol.vocabulary import ClockQuality, Operation

GENESIS = "0" * 64
Fact = str | int | float | bool | None


class Moment(msgspec.Struct, frozen=True):
    """A time, and how well the unit knew it."""

    time: datetime
    clock: ClockQuality

    @property
    def trusted(self) -> bool:
        """Whether the unit may act on it."""
        return self.clock is not ClockQuality.UNKNOWN


class Record(msgspec.Struct, frozen=True):
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


def next_record(
    position: int, previous: str, at: Moment, operation: Operation, event: str, facts: dict[str, Fact]
) -> Record:
    """Return the record that comes after `position` records, the last of which has the hash `previous`."""
    text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
    fields = (position + 1, at.time.isoformat(), at.clock.value, operation.value, event, text)
    return Record(*fields, previous, _hash(previous, *fields))


def facts_of(record: Record) -> dict[str, Fact]:
    """Return a record's facts."""
    return dict(json.loads(record.facts))


def first_broken(records: Iterable[Record]) -> int | None:
    """Return the position of the first record that breaks the chain, or None."""
    previous, expected = GENESIS, 1
    for record in records:
        if record.position != expected or record.previous != previous or record.hash != record.computed_hash():
            return expected
        previous, expected = record.hash, expected + 1
    return None


def _hash(previous: str, *fields: object) -> str:
    text = json.dumps([previous, *fields], separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
