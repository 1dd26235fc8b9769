"""The unit's one database: SQLite, WAL, synchronous=FULL, secure_delete. What is in it is in `logbook` and `store`."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from overt.protocol.vocabulary import Cause

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
CREATE TABLE IF NOT EXISTS cable (id INTEGER PRIMARY KEY, failures INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS probe (id INTEGER PRIMARY KEY, room BLOB NOT NULL) STRICT;
CREATE TRIGGER IF NOT EXISTS audit_keeps_its_words {_APPEND_ONLY.format("audit", "UPDATE")};
CREATE TRIGGER IF NOT EXISTS audit_keeps_its_records {_APPEND_ONLY.format("audit", "DELETE")};
CREATE TRIGGER IF NOT EXISTS checkpoints_keep_their_words {_APPEND_ONLY.format("checkpoints", "UPDATE")};
CREATE TRIGGER IF NOT EXISTS checkpoints_stay {_APPEND_ONLY.format("checkpoints", "DELETE")};
"""
_PROBE_BYTES = 64 * 1024  # an alert and its log record take about 4 KiB
_ADVICE = "keep it as evidence, and give the unit a new state folder"


class StorageFailed(Exception):
    """The store cannot be used: disk full, read-only or failing. Nothing was changed.

    Attributes:
        cause: Which of these.
    """

    def __init__(self, message: str, cause: Cause = Cause.STORAGE_FAILING) -> None:
        super().__init__(message)
        self.cause = cause


_FULL = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE})  # the latter from a file that may not grow
_READ_ONLY = sqlite3.SQLITE_READONLY
_PRIMARY = 0xFF  # sqlite.org/rescode.html: the low byte is the primary code


def cause_of(error: sqlite3.Error | OSError) -> Cause:
    """Say what a failure means for whoever looks after the disk."""
    if isinstance(error, OSError):
        full, read_only = error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}, error.errno == errno.EROFS
    else:
        code = getattr(error, "sqlite_errorcode", 0)
        full, read_only = code in _FULL, code & _PRIMARY == _READ_ONLY
    if full:
        return Cause.STORAGE_FULL
    return Cause.STORAGE_READ_ONLY if read_only else Cause.STORAGE_FAILING


class StorageCorrupt(Exception):
    """The store is not what was written. A unit does not start on it."""


class Database:
    """The file, and transactions in it. One process, one thread."""

    def __init__(self, path: Path) -> None:
        """Open it, or make it.

        Raises:
            StorageCorrupt: Damaged.
            StorageFailed: The folder is missing, read-only or full.
        """
        self._path = path
        with self._opening():
            self._db = sqlite3.connect(path, isolation_level=None, timeout=2.0)
            path.chmod(0o600)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute("PRAGMA secure_delete=ON")
            self._db.executescript(_SCHEMA)
            (sound,) = self._db.execute("PRAGMA quick_check(1)").fetchone()
        if sound != "ok":
            raise self._corrupt(f"{path} is damaged ({sound})")

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
            raise StorageFailed(f"cannot write the log: {error}", cause_of(error)) from error

    def _read(self, query: str, *values: str | float) -> list[Any]:
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise StorageFailed(f"cannot read the log: {error}", cause_of(error)) from error

    @contextmanager
    def _opening(self) -> Iterator[None]:
        """Tell what cannot be opened from what is damaged."""
        try:
            yield
        except (sqlite3.OperationalError, OSError) as error:
            raise StorageFailed(f"cannot open {self._path}: {error}; check the disk and its permissions") from error
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise self._corrupt(f"{self._path} is damaged ({error})") from error

    @staticmethod
    def _corrupt(what: str) -> StorageCorrupt:
        return StorageCorrupt(f"{what}: {_ADVICE}")
