"""A unit's log as a file that anyone with the unit's public key can check, without any unit or network. Pure.

One JSON object a line: a header, then the records, oldest first, and after the record that it covers each signed
checkpoint that the unit kept. What makes it true is only the chain of hashes and the unit's signatures; the header is
there to say what it is.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from overt.protocol import audit, envelope
from overt.protocol import fields as f
from overt.protocol.audit import GENESIS, Record
from overt.protocol.errors import Malformed, ProtocolError
from overt.protocol.reports import Checkpoint, Decommission, Erasure, HandBack, Receipt
from overt.protocol.vocabulary import ClockQuality, Kind

LINE_MAX_BYTES: Final = 16 * 1024
Witness = Checkpoint | Decommission | Erasure | HandBack | Receipt
"""What a unit has signed and others have kept, that says how long its log was: none of it may be missing."""
_WITNESSES: dict[Kind, type[Checkpoint] | type[Decommission] | type[Erasure] | type[HandBack] | type[Receipt]] = {
    Kind.CHECKPOINT: Checkpoint,
    Kind.DECOMMISSION: Decommission,
    Kind.ERASURE: Erasure,
    Kind.HANDBACK: HandBack,
    Kind.RECEIPT: Receipt,
}


class Header(f.Value, tag="log", frozen=True, kw_only=True):
    """The first line."""

    format: Literal[1] = 1
    unit: f.Slug
    key: f.PublicKeyHex
    exported: f.Time


class Seal(f.Value, tag="checkpoint", frozen=True, kw_only=True):
    """A signed checkpoint, as the unit kept it."""

    envelope: Annotated[str, Meta(max_length=LINE_MAX_BYTES)]


Line = Header | Record | Seal
_decoder = msgspec.json.Decoder(Line)
_encoder = msgspec.json.Encoder()


def encode(line: Line) -> bytes:
    """Return one line, with its end."""
    return _encoder.encode(line) + b"\n"


class Fault(msgspec.Struct, frozen=True):
    """The first thing that is wrong.

    Attributes:
        line: In the file, from 1; 0 when something that was signed is missing from it.
        record: Which record it is, or would have been.
        why: In plain words.
    """

    line: int
    record: int
    why: str


class Finding(msgspec.Struct, frozen=True):
    """What a check found.

    Attributes:
        unit: As the header says, and as the signatures confirm.
        records: Good ones, from the first.
        first: When the first was written.
        last: When the last was.
        checkpoints: Good ones.
        sealed: So many records are vouched for by a signature of the unit.
        witnesses: What others had kept, and was compared.
        steps_back: Records whose trusted time is before that of a record before it.
        fault: None when all is well.
    """

    unit: str
    records: int
    first: datetime | None
    last: datetime | None
    checkpoints: int
    sealed: int
    witnesses: int
    steps_back: int
    fault: Fault | None

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong, and at least one signature vouches for it."""
        return self.fault is None and self.sealed > 0


def read_witness(data: bytes, key: str) -> Witness:
    """Read something that a unit signed and others have kept.

    Raises:
        ProtocolError: It is nothing of the kind, or the unit did not sign it.
    """
    kind = envelope.parse(data).kind
    type_ = _WITNESSES.get(kind)
    if type_ is None:
        raise Malformed(
            f"expected a checkpoint, a receipt or a certificate, found a {kind.value}: it says nothing about the log"
        )
    return envelope.verify(data, type_, key)


def check(lines: Iterable[bytes], unit: str, key: str, witnesses: Sequence[Witness] = ()) -> Finding:
    """Check a log from the first line to the last, or to the first that is bad.

    Args:
        lines: The file's lines.
        unit: Whose log it is to be.
        key: The unit's public key, from its identity or an order.
        witnesses: What others kept; of this unit, checked.
    """
    reader = _Reader(unit, key, witnesses)
    fault = None
    for number, line in enumerate(lines, start=1):
        why = reader.take(line)
        if why is not None:
            fault = Fault(number, reader.records + 1, why)
            break
    if fault is None:
        fault = reader.missing()
    return reader.finding(fault)


def records_of(lines: Iterable[bytes]) -> Iterator[Record]:
    """Yield the records of a log that was checked."""
    for line in lines:
        found = _decoder.decode(line)
        if isinstance(found, Record):
            yield found


class _Reader:
    """Takes line after line and remembers what is needed to judge the next."""

    def __init__(self, unit: str, key: str, witnesses: Sequence[Witness]) -> None:
        self._unit, self._key = unit, key
        self._heads: dict[int, list[str]] = {}
        self._longest = 0
        for witness in witnesses:
            length, head = _said(witness)
            self._longest = max(self._longest, length)
            if head is not None:
                self._heads.setdefault(length, []).append(head)
        self._witnesses = len(witnesses)
        self._begun = False
        self._head = GENESIS
        self._first: datetime | None = None
        self._last: datetime | None = None
        self._trusted: datetime | None = None
        self.records = self._checkpoints = self._sealed = self._steps_back = 0

    def take(self, line: bytes) -> str | None:
        """Take a line; return what is wrong with it, or None."""
        if len(line) > LINE_MAX_BYTES:
            return f"expected at most {LINE_MAX_BYTES:,} bytes in a line, found more"
        try:
            found = _decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return "expected a line of a log, found something else"
        if not self._begun:
            self._begun = True
            return self._take_header(found)
        match found:
            case Record():
                return self._take_record(found)
            case Seal():
                return self._take_seal(found)
            case _:
                return "expected one header, found another"

    def _take_header(self, found: Line) -> str | None:
        if not isinstance(found, Header):
            return "expected a log's header in the first line, found something else"
        if found.unit != self._unit:
            return f"expected the log of {self._unit}, found one of {found.unit}"
        if found.key != self._key:
            return "this log is of a unit with another key"
        return None

    def _take_record(self, record: Record) -> str | None:
        why = audit.broken_link(record, self.records, self._head) or audit.foreign_words(record)
        if why is not None:
            return why
        if any(head != record.hash for head in self._heads.get(record.position, ())):
            return "it is not the record that the unit had signed for at this position, as others have kept it"
        self.records, self._head = record.position, record.hash
        self._first, self._last = self._first or record.at, record.at
        if record.clock != ClockQuality.UNKNOWN.value:
            self._steps_back += self._trusted is not None and record.at < self._trusted
            self._trusted = record.at
        return None

    def _take_seal(self, seal: Seal) -> str | None:
        try:
            checkpoint = envelope.verify(seal.envelope.encode(), Checkpoint, self._key)
        except ProtocolError as error:
            return f"the checkpoint after record {self.records} is not one of the unit's: {error.detail}"
        if checkpoint.unit != self._unit:
            return f"the checkpoint after record {self.records} is one of {checkpoint.unit}"
        if (checkpoint.records, checkpoint.head) != (self.records, self._head):
            return (
                f"the unit's signed checkpoint is of {checkpoint.records} records with another head: "
                f"records up to {self.records} were changed, added or removed"
            )
        self._checkpoints += 1
        self._sealed = self.records
        return None

    def missing(self) -> Fault | None:
        """Return what was signed for and is not there."""
        if not self._begun:
            return Fault(0, 1, "the file is empty")
        if self.records < self._longest:
            return Fault(
                0,
                self.records + 1,
                f"the unit had signed for {self._longest} records, as others have kept it; "
                f"this log ends after {self.records}",
            )
        return None

    def finding(self, fault: Fault | None) -> Finding:
        """Return what was found."""
        named = [length for length in self._heads if length <= self.records]
        sealed = max([self._sealed, *named])
        times = (self._first, self._last)
        counts = (self._checkpoints, sealed, self._witnesses, self._steps_back)
        return Finding(self._unit, self.records, *times, *counts, fault)


def _said(witness: Witness) -> tuple[int, str | None]:
    """Return how long the log was, and its head then, where the witness names it."""
    match witness:
        case Checkpoint():
            return witness.records, witness.head
        case Receipt():
            return witness.log_position, None
        case _:
            return witness.log_position, witness.log_head
