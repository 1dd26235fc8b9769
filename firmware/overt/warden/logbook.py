"""The audit log in the unit's database: records that only follow one another, and the checkpoints that are kept."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from overt.protocol.audit import GENESIS, Event, Fact, Moment, Record, first_broken, next_record
from overt.protocol.vocabulary import ClockQuality
from overt.warden.database import Database


class Logbook(Database):
    """The log. Nothing in it is ever changed or removed; the database itself refuses it."""

    def __init__(self, path: Path) -> None:
        """Open it, or make it.

        Raises:
            StorageCorrupt: Damaged, or the log's chain does not hold.
            StorageFailed: The folder is missing, read-only or full.
        """
        super().__init__(path)
        with self._opening():
            broken = first_broken(self.records())
        if broken is not None:
            raise self._corrupt(f"record {broken} of the audit log in {path} is not what was written")

    def note(self, at: Moment, event: Event, **facts: Fact) -> None:
        """Append one record.

        Raises:
            StorageFailed: It could not be made durable.
        """
        with self._transaction():
            self._append(at, event, facts)

    def head(self) -> tuple[int, str]:
        """Return the number of records and the hash of the last.

        Raises:
            StorageFailed: It cannot be read.
        """
        rows = self._read("SELECT position, hash FROM audit ORDER BY position DESC LIMIT 1")
        return (rows[0][0], rows[0][1]) if rows else (0, GENESIS)

    def head_at(self, position: int) -> str | None:
        """Return the hash of the record at a position, or None when there is none.

        Raises:
            StorageFailed: It cannot be read.
        """
        rows = self._read("SELECT hash FROM audit WHERE position = ?", position)
        return str(rows[0][0]) if rows else None

    def keep_checkpoint(self, position: int, signed: bytes) -> None:
        """Keep a signed checkpoint of the log at this length. Of each length one is kept.

        Raises:
            StorageFailed: It could not be made durable.
        """
        with self._transaction():
            self._db.execute("INSERT OR IGNORE INTO checkpoints VALUES (?, ?)", (position, signed))

    def last_checkpoint(self) -> tuple[int, bytes] | None:
        """Return the last checkpoint that was kept, and the log's length that it is of.

        Raises:
            StorageFailed: It cannot be read.
        """
        rows = self._read("SELECT position, signed FROM checkpoints ORDER BY position DESC LIMIT 1")
        return (int(rows[0][0]), bytes(rows[0][1])) if rows else None

    def last_trusted_time(self) -> datetime | None:
        """Return the latest time that was written while the clock was known: a clock that says less is wrong.

        Raises:
            StorageFailed: It cannot be read.
        """
        rows = self._read(
            "SELECT time FROM audit WHERE clock != ? ORDER BY position DESC LIMIT 1", ClockQuality.UNKNOWN.value
        )
        return datetime.fromisoformat(rows[0][0]) if rows else None

    def find(self, order: str, *events: Event) -> Record | None:
        """Return the last record of an event, or of one of some, of an order.

        Raises:
            StorageFailed: It cannot be read.
        """
        rows = self._read(
            f"SELECT * FROM audit WHERE event IN ({','.join('?' * len(events))}) AND facts LIKE ?"  # noqa: S608 - ?s
            " ORDER BY position DESC LIMIT 1",
            *(*(event.value for event in events), f'%"order":"{order}"%'),
        )
        return Record(*rows[0]) if rows else None

    def records(self) -> Iterator[Record]:
        """Yield the whole log, oldest first."""
        for row in self._db.execute("SELECT * FROM audit ORDER BY position"):
            yield Record(*row)

    def newest_assurance(self, force: str, model: str) -> tuple[int, str | None]:
        """Return the newest report of a force on a model that this unit has known: issued when (Unix), and its digest.

        Raises:
            StorageFailed: It cannot be read.
        """
        rows = self._read(
            "SELECT facts FROM audit WHERE event = ? AND facts LIKE ? AND facts LIKE ? ORDER BY position DESC LIMIT 1",
            *(Event.ASSURANCE_ACCEPTED.value, f'%"force":"{force}"%', f'%"model":"{model}"%'),
        )
        if not rows:
            return 0, None
        facts = msgspec.json.decode(rows[0][0])
        return int(facts["issued"]), str(facts["assurance"])

    def _append(self, at: Moment, event: Event, facts: dict[str, Fact]) -> None:
        record = next_record(*self.head(), at, event, facts)
        self._db.execute("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?)", msgspec.structs.astuple(record))
