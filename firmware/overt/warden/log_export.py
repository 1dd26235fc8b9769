"""The log taken off the unit: from the database to a file, while the warden works or without it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import msgspec

from overt.protocol import logfile
from overt.protocol.audit import Record
from overt.protocol.logfile import Header, Seal
from overt.runtime.files import write_atomically
from overt.warden.enrolment import Identity

_EVERYTHING = """
SELECT position, 0 AS kind, time, clock, operation, event, facts, previous, hash, NULL FROM audit WHERE position > ?1
UNION ALL SELECT position, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, signed FROM checkpoints WHERE position > ?1
ORDER BY 1, 2
"""
_PAGE_BYTES = 24 * 1024


class ExportProblem(Exception):
    """The log cannot be taken off. The message says why. Nothing was written."""


class Exported(msgspec.Struct, frozen=True):
    """What was written.

    Attributes:
        records: How many records.
        sealed: So many of them are vouched for by a checkpoint in the file.
    """

    records: int
    sealed: int


def export(state: Path, out: Path, now: datetime) -> Exported:
    """Write the whole log and the checkpoints that were kept. As it is: what is wrong with it, a check says.

    Args:
        state: The unit's state folder.
        out: The file to write.
        now: The time.

    Raises:
        ExportProblem: There is no unit, or its log cannot be read.
        OSError: The file cannot be written.
    """
    header = _header(state, now)
    records = sealed = 0

    def lines() -> Iterator[bytes]:
        nonlocal records, sealed
        yield logfile.encode(header)
        for line in _lines(state / "warden.db"):
            yield logfile.encode(line)
            records, sealed = (records + 1, sealed) if isinstance(line, Record) else (records, records)

    write_atomically(out, lines(), 0o644)
    return Exported(records, sealed)


def page(state: Path, after: int, now: datetime) -> bytes:
    """Return the lines after a record, whole records with their checkpoints, as many as go into one message.

    Args:
        state: The unit's state folder.
        after: The last record that is there already; 0 to begin, with the header.
        now: The time.

    Raises:
        ExportProblem: There is no unit, or its log cannot be read.
    """
    lines = bytearray(logfile.encode(_header(state, now)) if after == 0 else b"")
    for line in _lines(state / "warden.db", after):
        if isinstance(line, Record) and len(lines) > _PAGE_BYTES:
            break
        lines += logfile.encode(line)
    return bytes(lines)


def _header(state: Path, now: datetime) -> Header:
    try:
        identity = msgspec.json.decode((state / "identity.json").read_bytes(), type=Identity)
    except (OSError, msgspec.DecodeError) as error:
        raise ExportProblem(f"expected a unit's state folder, found none in {state}: name it with --state") from error
    return Header(unit=identity.unit, key=identity.key, exported=now)


def _lines(path: Path, after: int = 0) -> Iterator[Record | Seal]:
    """Yield records and checkpoints after a position in one pass over one snapshot: the warden can go on writing."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            for position, kind, *written, signed in database.execute(_EVERYTHING, (after,)):
                yield Seal(envelope=signed.decode()) if kind else Record(position, *written)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise ExportProblem(f"cannot read the log in {path}: {error}; keep the state folder as evidence") from error
