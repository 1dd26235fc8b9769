"""Keeps what was measured of a labelled set's stills, so that a run goes on where the last one ended.

One SQLite file. A row is found by what was done (models, code, kind of look) and by the digest of the image, so a
changed image, model or line of code is measured anew.
"""

import sqlite3
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType

from .errors import CannotMeasureError

FILE_NAME = "measured.sqlite"
_EVERY_S = 2.0
_AT_ONCE = 500  # variables of one query; SQLite's own limit is higher everywhere


class Cache:
    """Rows of bytes by (what was done, image digest). A power cut loses at most the last seconds."""

    def __init__(self, folder: Path) -> None:
        """Open the cache below a folder, which is made if need be.

        Raises:
            CannotMeasureError: It cannot be written, or the file is no cache.
        """
        self._path = folder / FILE_NAME
        self._kept = time.monotonic()
        self._waiting: list[tuple[str, str, bytes]] = []
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._database = sqlite3.connect(self._path, timeout=60)
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=NORMAL")
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS measured"
                " (what TEXT NOT NULL, image TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (what, image))"
                " WITHOUT ROWID"
            )
        except (OSError, sqlite3.Error) as error:
            raise self._failure(error) from error

    def find(self, what: str, images: Iterable[str]) -> dict[str, bytes]:
        """Return the rows that there are, by image digest."""
        wanted = sorted(set(images))
        found: dict[str, bytes] = {}
        try:
            for start in range(0, len(wanted), _AT_ONCE):
                part = wanted[start : start + _AT_ONCE]
                marks = ",".join("?" * len(part))
                query = f"SELECT image, value FROM measured WHERE what = ? AND image IN ({marks})"  # noqa: S608 - marks
                found.update(self._database.execute(query, (what, *part)))
        except sqlite3.Error as error:
            raise self._failure(error) from error
        return found

    def keep(self, rows: Mapping[str, bytes], image: str) -> None:
        """Put rows (what was done: value) of one image in; they are durable within seconds or with `flush`.

        They are written together and at once, so that runs that share a cache do not wait for one another.
        """
        self._waiting += [(what, image, value) for what, value in rows.items()]
        if time.monotonic() - self._kept >= _EVERY_S:
            self.flush()

    def flush(self) -> None:
        """Make what was put in durable."""
        self._kept = time.monotonic()
        if not self._waiting:
            return
        try:
            with self._database:
                self._database.executemany("INSERT OR REPLACE INTO measured VALUES (?, ?, ?)", self._waiting)
        except sqlite3.Error as error:
            raise self._failure(error) from error
        self._waiting = []

    def __enter__(self) -> "Cache":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.flush()
        finally:
            self._database.close()

    def _failure(self, error: Exception) -> CannotMeasureError:
        return CannotMeasureError(
            f"expected to keep what is measured in {self._path}, could not: {error}; "
            "free some space, remove the file, or choose another --cache"
        )
