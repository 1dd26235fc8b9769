"""Whether the store works here: tried on one of its own, which is thrown away."""

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from overt.runtime.selftest import Finding, try_out
from overt.warden.database import Database, StorageCorrupt, StorageFailed


def try_the_store() -> Finding:
    """Make a store, write to it, empty its log, and open it again."""
    return try_out("store", _write_and_open_again, StorageFailed, StorageCorrupt, sqlite3.Error)


def _write_and_open_again() -> str:
    with tempfile.TemporaryDirectory(prefix="overt-selftest-") as folder:
        path = Path(folder) / "unit.db"
        with closing(Database(path)) as store:
            store.probe()
            store.compact()
        with closing(Database(path)), closing(sqlite3.connect(path)) as reader:
            (mode,) = reader.execute("PRAGMA journal_mode").fetchone()
    if mode != "wal":
        raise StorageFailed(f"expected a write-ahead log, found {mode}")
    return f"SQLite {sqlite3.sqlite_version}, written, emptied and opened again"
