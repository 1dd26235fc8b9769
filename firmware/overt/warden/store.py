"""What survives a power cut: the audit log, the outbox, the alert numbers, the orders that are over.

One SQLite file, WAL, synchronous=FULL, secure_delete. An alert's number, its log record and its place in the outbox are
one transaction: either all three are durable or none is.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from overt.protocol.audit import GENESIS, Event, Fact, Moment, Record, first_broken, next_record
from overt.protocol.topics import ROOT
from overt.protocol.vocabulary import ClockQuality, Ending

_APPEND_ONLY = "BEFORE {1} ON {0} BEGIN SELECT RAISE(ABORT, 'append only'); END"
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS audit (
    position INTEGER PRIMARY KEY, time TEXT NOT NULL, clock TEXT NOT NULL, operation TEXT NOT NULL,
    event TEXT NOT NULL, facts TEXT NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, payload BLOB NOT NULL,
    expires REAL NOT NULL, reason INTEGER) STRICT;
CREATE TABLE IF NOT EXISTS deployments (
    digest TEXT PRIMARY KEY, alerts INTEGER NOT NULL DEFAULT 0, made INTEGER NOT NULL DEFAULT 0,
    wiped INTEGER NOT NULL DEFAULT 0, ending TEXT, farewell BLOB) STRICT;
CREATE TABLE IF NOT EXISTS loans (
    digest TEXT PRIMARY KEY, borrower TEXT NOT NULL, ending TEXT, certified INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE IF NOT EXISTS charters (force TEXT PRIMARY KEY, version INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS checkpoints (position INTEGER PRIMARY KEY, signed BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS probe (id INTEGER PRIMARY KEY, room BLOB NOT NULL) STRICT;
CREATE TRIGGER IF NOT EXISTS audit_keeps_its_words {_APPEND_ONLY.format("audit", "UPDATE")};
CREATE TRIGGER IF NOT EXISTS audit_keeps_its_records {_APPEND_ONLY.format("audit", "DELETE")};
CREATE TRIGGER IF NOT EXISTS checkpoints_keep_their_words {_APPEND_ONLY.format("checkpoints", "UPDATE")};
CREATE TRIGGER IF NOT EXISTS checkpoints_stay {_APPEND_ONLY.format("checkpoints", "DELETE")};
"""
_PROBE_BYTES = 64 * 1024  # an alert and its log record take about 4 KiB
Post = tuple[str, bytes, datetime]
"""Topic, payload, and when it is worth nothing any more."""
Sealer = Callable[[int], tuple[str, bytes, datetime, dict[str, Fact]]]


class StorageFailed(Exception):
    """The store cannot be used: disk full, read-only or failing. Nothing was changed."""


class StorageCorrupt(Exception):
    """The store is not what was written. A unit does not start on it."""


class Parcel(msgspec.Struct, frozen=True):
    """Something on its way out."""

    id: int
    topic: str
    payload: bytes
    expires: float


class Farewell(msgspec.Struct, frozen=True):
    """What an erasure certificate says of a deployment, kept until the certificate is made."""

    recipient: str
    watchlist: str | None
    entries: int
    templates: int


class Returned(msgspec.Struct, frozen=True):
    """What the certificates of a loan's return say."""

    deployments: int
    undelivered: int
    log_position: int
    log_head: str


class Counts(msgspec.Struct, frozen=True):
    """What is counted of a deployment."""

    alerts: int
    templates_made: int
    templates_wiped: int


class Store:
    """The unit's durable memory. One process, one thread."""

    def __init__(self, path: Path) -> None:
        """Open it, or make it.

        Raises:
            StorageCorrupt: Damaged, or the log's chain does not hold.
            StorageFailed: The folder is missing, read-only or full.
        """
        advice = "keep it as evidence, and give the unit a new state folder"
        try:
            self._db = sqlite3.connect(path, isolation_level=None, timeout=2.0)
            path.chmod(0o600)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute("PRAGMA secure_delete=ON")
            self._db.executescript(_SCHEMA)
            (sound,) = self._db.execute("PRAGMA quick_check(1)").fetchone()
            broken = first_broken(self.records()) if sound == "ok" else None
        except (sqlite3.OperationalError, OSError) as error:
            raise StorageFailed(f"cannot open {path}: {error}; check the disk and its permissions") from error
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise StorageCorrupt(f"{path} is damaged ({error}): {advice}") from error
        if sound != "ok":
            raise StorageCorrupt(f"{path} is damaged ({sound}): {advice}")
        if broken is not None:
            raise StorageCorrupt(f"record {broken} of the audit log in {path} is not what was written: {advice}")

    def close(self) -> None:
        """Close it."""
        self._db.close()

    def probe(self) -> None:
        """Try whether there is room for some alerts.

        Raises:
            StorageFailed: There is not, or it cannot be written at all.
        """
        with self._transaction():
            self._db.execute("INSERT OR REPLACE INTO probe VALUES (1, zeroblob(?))", (_PROBE_BYTES,))
        with self._transaction():
            self._db.execute("DELETE FROM probe")

    def compact(self) -> None:
        """Empty the write-ahead log into the database, so that nothing deleted lingers in it.

        Raises:
            StorageFailed: It cannot be done now.
        """
        self._read("PRAGMA wal_checkpoint(TRUNCATE)")

    # The audit log

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

    # Alerts and everything else on its way out

    def number_alert(self, order: str, at: Moment, seal: Sealer) -> int:
        """Give an alert its number, log it and put it in the outbox, as one transaction.

        Args:
            order: The order's digest.
            at: Now.
            seal: Given the number, returns topic, payload, expiry and the facts to log.

        Returns:
            The number.

        Raises:
            StorageFailed: Not durable; the number is free again.
        """
        with self._transaction():
            number = self.counts(order).alerts + 1
            topic, payload, expires, facts = seal(number)
            self._count(order, alerts=1)
            self._append(at, Event.ALERT_RAISED, {"sequence": number, **facts})
            self._put(topic, payload, expires)
        return number

    def put(self, topic: str, payload: bytes, expires: datetime) -> None:
        """Put something in the outbox.

        Raises:
            StorageFailed: It could not be made durable.
        """
        with self._transaction():
            self._put(topic, payload, expires)

    def waiting(self, after: int, most: int, force: str = "*") -> list[Parcel]:
        """Return what waits for delivery, to one force or to any, with an id above `after`, oldest first.

        Raises:
            StorageFailed: It cannot be read.
        """
        query = (
            "SELECT id, topic, payload, expires FROM outbox WHERE id > ? AND reason IS NULL AND topic GLOB ?"
            " ORDER BY id LIMIT ?"
        )
        return [Parcel(*row) for row in self._read(query, after, f"{ROOT}/{force}/*", most)]

    def waiting_count(self) -> int:
        """Return how much waits for delivery.

        Raises:
            StorageFailed: It cannot be read.
        """
        return int(self._read("SELECT count(*) FROM outbox WHERE reason IS NULL")[0][0])

    def delivered(self, id_: int) -> None:
        """Forget something that the broker has acknowledged.

        Raises:
            StorageFailed: It stays, and will be sent once more.
        """
        with self._transaction():
            self._db.execute("DELETE FROM outbox WHERE id = ?", (id_,))

    def undeliverable(self, at: Moment, id_: int, reason: int) -> None:
        """Set something aside that the broker refuses for good, and log it.

        Raises:
            StorageFailed: It could not be made durable.
        """
        with self._transaction():
            self._db.execute("UPDATE outbox SET reason = ? WHERE id = ?", (reason, id_))
            self._append(at, Event.PARCEL_REFUSED, {"parcel": id_, "reason_code": reason})

    def expire(self, at: Moment, now: datetime) -> int:
        """Delete what has outlived its time (alerts: 24 hours at most), and log how many.

        Raises:
            StorageFailed: It could not be made durable.
        """
        past = (now.timestamp(),)
        if not self._read("SELECT 1 FROM outbox WHERE expires <= ? LIMIT 1", *past):
            return 0
        with self._transaction():
            count = self._db.execute("DELETE FROM outbox WHERE expires <= ?", past).rowcount
            self._append(at, Event.PARCELS_EXPIRED, {"count": count})
        return int(count)

    # Deployments

    def counts(self, order: str) -> Counts:
        """Return what was counted of a deployment.

        Raises:
            StorageFailed: It cannot be read.
        """
        rows = self._read("SELECT alerts, made, wiped FROM deployments WHERE digest = ?", order)
        return Counts(*rows[0]) if rows else Counts(0, 0, 0)

    def count_templates(self, at: Moment, order: str, made: int, wiped: int) -> None:
        """Add to the templates that vision made and wiped under an order, and log it.

        Raises:
            StorageFailed: It could not be made durable.
        """
        with self._transaction():
            self._count(order, made=made, wiped=wiped)
            facts: dict[str, Fact] = {"order": order, "made": made, "wiped": wiped}
            self._append(at, Event.TEMPLATES_WIPED, facts)

    def spend(self, at: Moment, order: str, ending: Ending, farewell: Farewell | None) -> None:
        """Remember for ever that an order is over, and log it. Once; a second time changes nothing.

        Args:
            at: Now.
            order: The order's digest.
            ending: Why.
            farewell: What its erasure certificate will say; None when there is nothing to erase.

        Raises:
            StorageFailed: It could not be made durable.
        """
        if self.is_spent(order):
            return
        data = None if farewell is None else msgspec.json.encode(farewell)
        with self._transaction():
            self._count(order)
            self._db.execute(
                "UPDATE deployments SET ending = ?, farewell = ? WHERE digest = ?", (ending.value, data, order)
            )
            self._append(at, Event.DEPLOYMENT_OVER, {"order": order, "ending": ending.value})

    def is_spent(self, order: str) -> bool:
        """Say whether an order is over for good.

        Raises:
            StorageFailed: It cannot be read.
        """
        return bool(self._read("SELECT 1 FROM deployments WHERE digest = ? AND ending IS NOT NULL", order))

    def uncertified(self) -> list[tuple[str, Ending, Farewell]]:
        """Return the orders that are over and whose erasure has not been certified.

        Raises:
            StorageFailed: It cannot be read.
        """
        rows = self._read("SELECT digest, ending, farewell FROM deployments WHERE farewell IS NOT NULL")
        return [(digest, Ending(ending), msgspec.json.decode(data, type=Farewell)) for digest, ending, data in rows]

    def certify(self, at: Moment, order: str, make: Callable[[int, str], tuple[str, bytes, datetime]]) -> None:
        """Log that a deployment is erased and put its certificate in the outbox, as one transaction.

        Args:
            at: Now.
            order: The order's digest.
            make: Given the log's length and head with the new record, returns topic, payload and expiry.

        Raises:
            StorageFailed: It could not be made durable.
        """
        with self._transaction():
            self._append(at, Event.DEPLOYMENT_ERASED, {"order": order})
            self._put(*make(*self.head()))
            self._db.execute("UPDATE deployments SET farewell = NULL WHERE digest = ?", (order,))

    # Loans and charters

    def lend(self, at: Moment, loan: str, borrower: str, version: int) -> None:
        """Remember that the unit is on loan, under this version of the borrower's charter, and log it.

        Raises:
            StorageFailed: It could not be made durable.
        """
        with self._transaction():
            self._db.execute("INSERT INTO loans (digest, borrower) VALUES (?, ?)", (loan, borrower))
            self._set_version(borrower, version)
            facts: dict[str, Fact] = {"loan": loan, "borrower": borrower, "version": version}
            self._append(at, Event.LOAN_ACCEPTED, facts)

    def was_lent(self, loan: str) -> bool:
        """Say whether a loan was accepted before.

        Raises:
            StorageFailed: It cannot be read.
        """
        return bool(self._read("SELECT 1 FROM loans WHERE digest = ?", loan))

    def open_loans(self) -> list[tuple[str, str, Ending | None]]:
        """Return the loans (one at most) whose return is not certified: digest, borrower, and why it ended if it has.

        Raises:
            StorageFailed: It cannot be read.
        """
        rows = self._read("SELECT digest, borrower, ending FROM loans WHERE certified = 0")
        return [(digest, borrower, Ending(ending) if ending else None) for digest, borrower, ending in rows]

    def end_loan(self, at: Moment, why: Ending) -> None:
        """Remember for ever that the loan in hand is over, and log it. Once; a second time changes nothing.

        Raises:
            StorageFailed: It could not be made durable.
        """
        for loan, _, ending in self.open_loans():
            if ending is None:
                with self._transaction():
                    self._db.execute("UPDATE loans SET ending = ? WHERE digest = ?", (why.value, loan))
                    self._append(at, Event.LOAN_OVER, {"loan": loan, "ending": why.value})

    def hand_back(self, at: Moment, loan: str, forgotten: str, make: Callable[[Returned], list[Post]]) -> None:
        """Drop what no broker has taken of the borrower's, log the return, and post its certificates: one transaction.

        Args:
            at: Now.
            loan: The loan's digest.
            forgotten: Topic pattern (SQLite's GLOB) of what is dropped.
            make: Given what was counted, and the log's length and head with the new record, returns the certificates.

        Raises:
            StorageFailed: It could not be made durable.
        """
        with self._transaction():
            dropped = self._db.execute("DELETE FROM outbox WHERE topic GLOB ?", (forgotten,)).rowcount
            since = "SELECT max(position) FROM audit WHERE event = 'loan.accepted'"
            query = f"SELECT count(*) FROM audit WHERE event = 'order.accepted' AND position > ({since})"  # noqa: S608 - no text from outside
            (deployments,) = self._db.execute(query).fetchone()
            facts: dict[str, Fact] = {"loan": loan, "undelivered": dropped, "deployments": deployments}
            self._append(at, Event.LOAN_HANDED_BACK, facts)
            for post in make(Returned(deployments, dropped, *self.head())):
                self._put(*post)
            self._db.execute("UPDATE loans SET certified = 1 WHERE digest = ?", (loan,))

    def charter_version(self, force: str) -> int:
        """Return the highest version of a force's charter that this unit has known; 0 of none.

        Raises:
            StorageFailed: It cannot be read.
        """
        rows = self._read("SELECT version FROM charters WHERE force = ?", force)
        return int(rows[0][0]) if rows else 0

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

    def note_charter(self, at: Moment, force: str, version: int, digest: str) -> None:
        """Remember a charter's version and log it. Once; a second time changes nothing.

        Raises:
            StorageFailed: It could not be made durable.
        """
        if self.charter_version(force) >= version:
            return
        with self._transaction():
            self._set_version(force, version)
            facts: dict[str, Fact] = {"force": force, "version": version, "charter": digest}
            self._append(at, Event.CHARTER_ACCEPTED, facts)

    # Inside

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise StorageFailed(f"cannot write the log: {error}") from error

    def _read(self, query: str, *values: str | float) -> list[Any]:
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise StorageFailed(f"cannot read the log: {error}") from error

    def _append(self, at: Moment, event: Event, facts: dict[str, Fact]) -> None:
        record = next_record(*self.head(), at, event, facts)
        self._db.execute("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?)", msgspec.structs.astuple(record))

    def _count(self, order: str, alerts: int = 0, made: int = 0, wiped: int = 0) -> None:
        self._db.execute(
            "INSERT INTO deployments (digest, alerts, made, wiped) VALUES (?, ?, ?, ?) ON CONFLICT (digest)"
            " DO UPDATE SET alerts = alerts + excluded.alerts, made = made + excluded.made,"
            " wiped = wiped + excluded.wiped",
            (order, alerts, made, wiped),
        )

    def _set_version(self, force: str, version: int) -> None:
        self._db.execute(
            "INSERT INTO charters VALUES (?, ?) ON CONFLICT (force)"
            " DO UPDATE SET version = max(version, excluded.version)",
            (force, version),
        )

    def _put(self, topic: str, payload: bytes, expires: datetime) -> None:
        row = (topic, payload, expires.timestamp())
        self._db.execute("INSERT INTO outbox (topic, payload, expires) VALUES (?, ?, ?)", row)
