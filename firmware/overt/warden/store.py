"""What survives a power cut: the audit log, the outbox, the alert numbers, the orders that are over.

One SQLite file, WAL, synchronous=FULL, secure_delete. An alert's number, its log record and its place in the outbox are
one transaction: either all three are durable or none is.
"""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import msgspec

from overt.protocol.vocabulary import Ending, Operation

GENESIS = "0" * 64
Fact = str | int | float | bool | None

_SCHEMA = """
CREATE TABLE IF NOT EXISTS audit (
    position INTEGER PRIMARY KEY, time TEXT NOT NULL, operation TEXT NOT NULL, event TEXT NOT NULL,
    facts TEXT NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, payload BLOB NOT NULL,
    expires TEXT NOT NULL, reason INTEGER) STRICT;
CREATE TABLE IF NOT EXISTS numbers (deployment TEXT PRIMARY KEY, last INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS spent (deployment TEXT PRIMARY KEY, ending TEXT NOT NULL, time TEXT NOT NULL) STRICT;
CREATE TRIGGER IF NOT EXISTS audit_is_append_only_u BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER IF NOT EXISTS audit_is_append_only_d BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'append only'); END;
"""


class StorageFailed(Exception):
    """The store cannot be written: disk full, read-only or failing. Nothing was changed."""


class StorageCorrupt(Exception):
    """The store is not what was written. A unit does not start on it."""


class Parcel(msgspec.Struct, frozen=True):
    """Something on its way out."""

    id: int
    topic: str
    payload: bytes
    expires: datetime


class Record(msgspec.Struct, frozen=True):
    """One record of the audit log."""

    position: int
    time: str
    operation: str
    event: str
    facts: str
    previous: str
    hash: str

    def computed_hash(self) -> str:
        """Return the hash that this record must have."""
        return _hash(self.previous, self.position, self.time, self.operation, self.event, self.facts)


class Store:
    """The unit's durable memory. One process, one thread."""

    def __init__(self, path: Path) -> None:
        """Open it, or make it.

        Raises:
            StorageCorrupt: Damaged, or the log's chain does not hold.
            StorageFailed: The folder is missing, read-only or full.
        """
        try:
            self._db = sqlite3.connect(path, isolation_level=None, timeout=2.0)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute("PRAGMA secure_delete=ON")
            self._db.executescript(_SCHEMA)
            (sound,) = self._db.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.OperationalError as error:
            raise StorageFailed(f"cannot open {path}: {error}; check the disk and its permissions") from error
        except sqlite3.DatabaseError as error:
            raise StorageCorrupt(f"{path} is damaged ({error}): the unit must be enrolled anew") from error
        if sound != "ok":
            raise StorageCorrupt(f"{path} is damaged ({sound}): the unit must be enrolled anew")
        self._check_chain(path)

    def close(self) -> None:
        """Close it."""
        self._db.close()

    # The audit log

    def note(self, time: datetime, operation: Operation, event: str, **facts: Fact) -> None:
        """Append one record.

        Raises:
            StorageFailed: It could not be made durable.
        """
        with self._transaction():
            self._append(time, operation, event, facts)

    def probe(self) -> None:
        """Try whether the store can be written.

        Raises:
            StorageFailed: It cannot.
        """
        with self._transaction():
            self._db.execute("INSERT OR REPLACE INTO numbers VALUES ('probe', 0)")

    def head(self) -> tuple[int, str]:
        """Return the number of records and the hash of the last."""
        row = self._db.execute("SELECT position, hash FROM audit ORDER BY position DESC LIMIT 1").fetchone()
        return (row[0], row[1]) if row else (0, GENESIS)

    def last_time(self) -> datetime | None:
        """Return the time of the last record: a clock that says less is wrong."""
        row = self._db.execute("SELECT time FROM audit ORDER BY position DESC LIMIT 1").fetchone()
        return datetime.fromisoformat(row[0]) if row else None

    def records(self) -> Iterator[Record]:
        """Yield the whole log, oldest first."""
        for row in self._db.execute("SELECT position, time, operation, event, facts, previous, hash FROM audit"):
            yield Record(*row)

    # Alerts and everything else on its way out

    def number_alert(
        self, deployment: str, time: datetime, seal: Callable[[int], tuple[str, bytes, datetime, dict[str, Fact]]]
    ) -> int:
        """Give an alert its number, log it and put it in the outbox, as one transaction.

        Args:
            deployment: The order's digest.
            time: Now.
            seal: Given the number, returns topic, payload, expiry and the facts to log.

        Returns:
            The number.

        Raises:
            StorageFailed: Not durable; the number is free again.
        """
        with self._transaction():
            number = self.last_number(deployment) + 1
            topic, payload, expires, facts = seal(number)
            self._db.execute("INSERT OR REPLACE INTO numbers VALUES (?, ?)", (deployment, number))
            self._append(time, Operation.DISCLOSURE, "alert.raised", {"sequence": number, **facts})
            self._put(topic, payload, expires)
        return number

    def last_number(self, deployment: str) -> int:
        """Return the number of the last alert of a deployment; 0 before the first."""
        row = self._db.execute("SELECT last FROM numbers WHERE deployment = ?", (deployment,)).fetchone()
        return int(row[0]) if row else 0

    def put(self, topic: str, payload: bytes, expires: datetime) -> None:
        """Put something in the outbox.

        Raises:
            StorageFailed: It could not be made durable.
        """
        with self._transaction():
            self._put(topic, payload, expires)

    def waiting(self, after: int, most: int) -> list[Parcel]:
        """Return what waits for delivery with an id above `after`, oldest first."""
        rows = self._db.execute(
            "SELECT id, topic, payload, expires FROM outbox WHERE id > ? AND reason IS NULL ORDER BY id LIMIT ?",
            (after, most),
        )
        return [Parcel(id_, topic, payload, datetime.fromisoformat(expires)) for id_, topic, payload, expires in rows]

    def waiting_count(self) -> int:
        """Return how much waits for delivery."""
        return int(self._db.execute("SELECT count(*) FROM outbox WHERE reason IS NULL").fetchone()[0])

    def delivered(self, id_: int) -> None:
        """Forget something that the broker has acknowledged.

        Raises:
            StorageFailed: It stays, and will be sent once more.
        """
        with self._transaction():
            self._db.execute("DELETE FROM outbox WHERE id = ?", (id_,))

    def undeliverable(self, time: datetime, id_: int, reason: int) -> None:
        """Set something aside that the broker refuses for good, and log it.

        Raises:
            StorageFailed: It could not be made durable.
        """
        with self._transaction():
            self._db.execute("UPDATE outbox SET reason = ? WHERE id = ?", (reason, id_))
            self._append(time, Operation.CONDITION, "parcel.refused_by_broker", {"parcel": id_, "reason_code": reason})

    def expire(self, now: datetime) -> int:
        """Delete what has outlived its time (alerts: 24 hours at most), and log how many.

        Raises:
            StorageFailed: It could not be made durable.
        """
        with self._transaction():
            old = self._db.execute("SELECT count(*) FROM outbox WHERE expires <= ?", (now.isoformat(),)).fetchone()[0]
            if old:
                self._db.execute("DELETE FROM outbox WHERE expires <= ?", (now.isoformat(),))
                self._append(now, Operation.ERASURE, "parcels.expired", {"count": old})
        return int(old)

    # Deployments that are over

    def spend(self, deployment: str, ending: Ending, time: datetime, **facts: Fact) -> None:
        """Remember for ever that an order is over, and log it.

        Raises:
            StorageFailed: It could not be made durable.
        """
        with self._transaction():
            self._db.execute("INSERT OR IGNORE INTO spent VALUES (?, ?, ?)", (deployment, ending, time.isoformat()))
            self._append(time, Operation.ERASURE, "deployment.erased", {"order": deployment, "ending": ending, **facts})

    def is_spent(self, deployment: str) -> bool:
        """Say whether an order is over for good."""
        return self._db.execute("SELECT 1 FROM spent WHERE deployment = ?", (deployment,)).fetchone() is not None

    # Inside

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise StorageFailed(f"cannot write the log: {error}") from error

    def _append(self, time: datetime, operation: Operation, event: str, facts: dict[str, Fact]) -> None:
        position, previous = self.head()
        text = json.dumps(facts, sort_keys=True, separators=(",", ":"))
        fields = (position + 1, time.isoformat(), operation.value, event, text)
        row = (*fields, previous, _hash(previous, *fields))
        self._db.execute("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def _put(self, topic: str, payload: bytes, expires: datetime) -> None:
        row = (topic, payload, expires.isoformat())
        self._db.execute("INSERT INTO outbox (topic, payload, expires) VALUES (?, ?, ?)", row)

    def _check_chain(self, path: Path) -> None:
        try:
            broken = first_broken(self.records())
        except sqlite3.DatabaseError as error:
            raise StorageCorrupt(f"{path} is damaged ({error}): the unit must be enrolled anew") from error
        if broken is not None:
            raise StorageCorrupt(f"record {broken} of the audit log in {path} is not what was written")


def first_broken(records: Iterator[Record]) -> int | None:
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
