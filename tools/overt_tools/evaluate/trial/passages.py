"""What testers and technicians write down: who passed which unit when, and how each describes themselves."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from overt_tools.evaluate.errors import EvaluateError
from overt_tools.evaluate.labels import read_table

COLUMNS = ("tester", "entry", "unit", "time")
UNTIL = "until"
_MOST = 200_000


@dataclass(frozen=True, slots=True)
class Passage:
    """One way of one tester through a zone of recognition.

    Attributes:
        tester: A code; never a name.
        entry: The reference of their entry on the list; empty when they are not listed.
        unit: Which unit they passed.
        first: When.
        last: Until when.
        groups: How the tester describes themselves: group by characteristic.
        line: Of the file.
    """

    tester: str
    entry: str
    unit: str
    first: datetime
    last: datetime
    groups: Mapping[str, str] = field(repr=False)
    line: int


@dataclass(frozen=True, slots=True)
class Passages:
    """A file of passages."""

    passages: tuple[Passage, ...]
    characteristics: tuple[str, ...]
    sha256: str


def read_passages(path: Path) -> Passages:
    """Read a CSV file with the columns tester, entry, unit, time, perhaps until, and one per characteristic.

    Raises:
        EvaluateError: The file cannot be read, a column is missing, a time is none, or a tester contradicts themselves.
    """
    header, rows = read_table(path)
    missing = [name for name in COLUMNS if name not in header]
    characteristics = tuple(name for name in header if name not in (*COLUMNS, UNTIL))
    if missing or not characteristics:
        lacking = ", ".join(missing) or "a characteristic, such as sex"
        raise EvaluateError(
            f"expected columns {', '.join(COLUMNS)} and one per characteristic in {path}, found {', '.join(header)}: "
            f"{lacking} missing"
        )
    if not 0 < len(rows) <= _MOST:
        raise EvaluateError(f"expected from 1 to {_MOST:,} passages in {path}, found {len(rows):,}")
    passages = [_passage(row, number, path, characteristics) for number, row in rows]
    _consistent(passages, path)
    return Passages(tuple(passages), characteristics, hashlib.sha256(path.read_bytes()).hexdigest())


def _passage(row: Mapping[str, str], number: int, path: Path, characteristics: Sequence[str]) -> Passage:
    tester, unit = row["tester"].strip(), row["unit"].strip()
    if not tester or not unit:
        raise EvaluateError(f"expected a tester's code and a unit in line {number} of {path}, found none")
    first = _time(row["time"], "time", number, path)
    last = _time(row[UNTIL], UNTIL, number, path) if row.get(UNTIL, "").strip() else first
    if last < first:
        raise EvaluateError(f"expected until to be after time in line {number} of {path}, found it before")
    groups = {name: row[name].strip() for name in characteristics if row[name].strip()}
    return Passage(tester, row["entry"].strip(), unit, first, last, groups, number)


def _time(text: str, column: str, number: int, path: Path) -> datetime:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise EvaluateError(
            f"expected {column} with its zone, as 2026-09-01T10:15:00+01:00, in line {number} of {path}, found {text!r}"
        )
    return moment


def _consistent(passages: Sequence[Passage], path: Path) -> None:
    """Check that a tester is one person, and an entry one tester's."""
    known: dict[str, Passage] = {}
    owners: dict[str, str] = {}
    for one in passages:
        before = known.setdefault(one.tester, one)
        if before.groups != one.groups or before.entry != one.entry:
            raise EvaluateError(
                f"expected tester {one.tester} to be described alike everywhere in {path}, "
                f"found a difference between line {before.line} and line {one.line}"
            )
        if one.entry and owners.setdefault(one.entry, one.tester) != one.tester:
            raise EvaluateError(
                f"expected entry {one.entry} to be one tester's in {path}, found {owners[one.entry]} and {one.tester}"
            )
