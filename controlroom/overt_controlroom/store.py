"""What was received, on disk, so that it is counted once across restarts. Numbers and digests; nothing of a face."""

import sqlite3
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from overt_controlroom.seen import Counted, Head, Latest, Missing, Note, Reported, microseconds

_SCHEMA = """
CREATE TABLE IF NOT EXISTS alerts (
    order_digest TEXT NOT NULL, unit TEXT NOT NULL, sequence INTEGER NOT NULL,
    alert TEXT NOT NULL, digest TEXT NOT NULL, forget INTEGER NOT NULL,
    PRIMARY KEY (order_digest, unit, sequence)) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS alert_ids ON alerts (alert);
CREATE TABLE IF NOT EXISTS missing (
    order_digest TEXT NOT NULL, unit TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    forget INTEGER NOT NULL,
    PRIMARY KEY (order_digest, unit, first)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS latest (
    key TEXT NOT NULL, leaf TEXT NOT NULL, sent INTEGER NOT NULL, digest TEXT NOT NULL,
    PRIMARY KEY (key, leaf)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reports (digest TEXT PRIMARY KEY, received INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS heads (
    key TEXT NOT NULL, records INTEGER NOT NULL, head TEXT NOT NULL, sent INTEGER NOT NULL,
    PRIMARY KEY (key, records)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS heads_by_time ON heads (key, sent);
"""
_VERSION = 1
_REPORTS_KEPT_US = 31 * 24 * 3600 * 1_000_000  # receipts and heads say nothing of anybody; a month bounds the file


class StoreError(Exception):
    """The store cannot be used. The message names the file and why."""


class Store:
    """`received.db`, the memory (`Seen`) that lasts. Nothing is durable before `commit`."""

    def __init__(self, path: Path | None) -> None:
        """Open it, or make it.

        Args:
            path: The file; None keeps everything in memory.

        Raises:
            StoreError: It cannot be opened, is not such a file, or was written by a later release.
        """
        self._path = path
        try:
            if path:
                path.touch(mode=0o600)
            self._db = sqlite3.connect(path or ":memory:", isolation_level=None, timeout=5.0)
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"cannot open {path}: {error}") from error
        try:
            self._prepare()
        except (sqlite3.Error, StoreError) as error:
            self._db.close()
            raise StoreError(
                f"cannot use {path}: {error}. Without it alerts would be counted anew: restore it, "
                "or move it away and say so in the deployment's record"
            ) from error

    def close(self) -> None:
        """Let go. What was not committed is not kept."""
        self._db.close()

    def commit(self) -> None:
        """Make everything noted so far durable.

        Raises:
            StoreError: The disk is full or gone.
        """
        try:
            self._db.execute("COMMIT")
            self._db.execute("BEGIN")
        except sqlite3.Error as error:
            raise StoreError(f"cannot write {self._path}: {error}: is the disk full?") from error

    def apply(self, notes: Iterable[Note]) -> None:
        """Remember.

        Raises:
            StoreError: The file cannot be written.
        """
        try:
            for note in notes:
                self._apply(note)
        except sqlite3.Error as error:
            raise StoreError(f"cannot write {self._path}: {error}: is the disk full?") from error

    def prune(self, now: datetime) -> int:
        """Forget alerts whose time of keeping is over, and reports older than a month.

        Returns:
            How many alerts were forgotten.

        Raises:
            StoreError: The file cannot be written.
        """
        present = microseconds(now)
        oldest = present - _REPORTS_KEPT_US
        try:
            forgotten = self._db.execute("DELETE FROM alerts WHERE forget<=?", (present,)).rowcount
            self._db.execute("DELETE FROM missing WHERE forget<=?", (present,))
            self._db.execute("DELETE FROM reports WHERE received<?", (oldest,))
            self._db.execute("DELETE FROM heads WHERE sent<?", (oldest,))
        except sqlite3.Error as error:
            raise StoreError(f"cannot write {self._path}: {error}: is the disk full?") from error
        return forgotten

    def alert_at(self, order: str, unit: str, sequence: int) -> Counted | None:
        """See `Seen`."""
        return self._counted("order_digest=? AND unit=? AND sequence=?", (order, unit, sequence))

    def alert_with_id(self, alert: str) -> Counted | None:
        """See `Seen`."""
        return self._counted("alert=?", (alert,))

    def highest(self, order: str, unit: str) -> int:
        """See `Seen`."""
        (counted,) = self._one("SELECT max(sequence) FROM alerts WHERE order_digest=? AND unit=?", (order, unit))
        (missing,) = self._one("SELECT max(last) FROM missing WHERE order_digest=? AND unit=?", (order, unit))
        return max(int(counted or 0), int(missing or 0))

    def is_missing(self, order: str, unit: str, sequence: int) -> bool:
        """See `Seen`."""
        return self._missing_around(order, unit, sequence) is not None

    def latest(self, key: str, leaf: str) -> Latest | None:
        """See `Seen`."""
        row = self._row("SELECT key, leaf, sent, digest FROM latest WHERE key=? AND leaf=?", (key, leaf))
        return Latest(*row) if row else None

    def has_report(self, digest: str) -> bool:
        """See `Seen`."""
        return self._row("SELECT 1 FROM reports WHERE digest=?", (digest,)) is not None

    def head_at(self, key: str, records: int) -> Head | None:
        """See `Seen`."""
        return self._head("key=? AND records=?", (key, records))

    def head_before(self, key: str, sent: int) -> Head | None:
        """See `Seen`."""
        return self._head("key=? AND sent<=? ORDER BY sent DESC, records DESC LIMIT 1", (key, sent))

    def head_after(self, key: str, sent: int) -> Head | None:
        """See `Seen`."""
        return self._head("key=? AND sent>? ORDER BY sent, records LIMIT 1", (key, sent))

    def _prepare(self) -> None:
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("PRAGMA secure_delete=ON")
        (version,) = self._one("PRAGMA user_version", ())
        if version not in (0, _VERSION):
            raise StoreError(f"a later release wrote it (version {version})")
        self._db.executescript(_SCHEMA)
        self._db.execute(f"PRAGMA user_version={_VERSION}")
        self._db.execute("BEGIN")

    def _apply(self, note: Note) -> None:
        match note:
            case Counted(order, unit, sequence, alert, digest, forget):
                row = (order, unit, sequence, alert, digest, forget)
                self._db.execute("INSERT INTO alerts VALUES (?,?,?,?,?,?)", row)
                self._fill(order, unit, sequence)
            case Missing():
                self._miss(note)
            case Latest(key, leaf, sent, digest):
                self._db.execute("INSERT OR REPLACE INTO latest VALUES (?,?,?,?)", (key, leaf, sent, digest))
            case Reported(digest, received):
                self._db.execute("INSERT OR IGNORE INTO reports VALUES (?,?)", (digest, received))
            case Head(key, records, head, sent):
                self._db.execute(
                    "INSERT INTO heads VALUES (?,?,?,?) "
                    "ON CONFLICT (key, records) DO UPDATE SET sent=max(sent, excluded.sent)",
                    (key, records, head, sent),
                )

    def _miss(self, missing: Missing) -> None:
        row = (missing.order, missing.unit, missing.first, missing.last, missing.forget)
        self._db.execute("INSERT OR REPLACE INTO missing VALUES (?,?,?,?,?)", row)

    def _fill(self, order: str, unit: str, sequence: int) -> None:
        """Take one number out of the range that it was missing from."""
        found = self._missing_around(order, unit, sequence)
        if found is None:
            return
        self._db.execute("DELETE FROM missing WHERE order_digest=? AND unit=? AND first=?", (order, unit, found.first))
        for first, last in ((found.first, sequence - 1), (sequence + 1, found.last)):
            if first <= last:
                self._miss(Missing(order, unit, first, last, found.forget))

    def _missing_around(self, order: str, unit: str, sequence: int) -> Missing | None:
        row = self._row(
            "SELECT order_digest, unit, first, last, forget FROM missing "
            "WHERE order_digest=? AND unit=? AND first<=? AND last>=?",
            (order, unit, sequence, sequence),
        )
        return Missing(*row) if row else None

    def _counted(self, where: str, values: tuple[object, ...]) -> Counted | None:
        columns = "order_digest, unit, sequence, alert, digest, forget"
        row = self._row(f"SELECT {columns} FROM alerts WHERE {where}", values)  # noqa: S608 - this module's literals
        return Counted(*row) if row else None

    def _head(self, where: str, values: tuple[object, ...]) -> Head | None:
        row = self._row(f"SELECT key, records, head, sent FROM heads WHERE {where}", values)  # noqa: S608 - this module's literals
        return Head(*row) if row else None

    def _row(self, query: str, values: tuple[object, ...]) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._db.execute(query, values).fetchone()
        return row

    def _one(self, query: str, values: tuple[object, ...]) -> tuple[int | None, ...]:
        row: tuple[int | None, ...] = self._db.execute(query, values).fetchone()
        return row
