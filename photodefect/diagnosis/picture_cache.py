"""Pictures that were made of photos, kept in one SQLite file beside the cache of results, which never outgrows a bound.

What was not looked at for longest goes first; what was looked at within the hour stays, so that a run over more photos
than there is room for keeps the first ones and not none. A file that can't be used is done without: pictures are then
made anew.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from photodefect.diagnosis.cache_file import when_free
from photodefect.errors import DataError

MAX_BYTES: Final = 4 * 1024**3
"""Bytes of pictures that are kept: reports of 20,000 photos, or thumbnails of ten times as many."""

_OF_FREE: Final = 0.1
"""The share of what is free on the disk that they may take, if that is less."""

_ROOM: Final = 0.75
"""The share of the bound that is left filled when something has to go, so that it doesn't have to each time."""


def default_file() -> Path:
    """Where pictures are kept: beside the cache of results."""
    from platformdirs import user_cache_path  # noqa: PLC0415

    return user_cache_path("photodefect", appauthor=False) / "pictures.sqlite"


def file_beside(results: Path) -> Path:
    """Where the pictures of the photos are kept whose results are in a file."""
    default = default_file()
    # A file that a person named has its pictures to itself.
    return default if results.parent == default.parent else results.with_name(f"{results.stem}-pictures.sqlite")


class PictureCache:
    """Pictures by a text that says of which photo, and of which kind. Safe to use from several threads.

    Args:
        file: made if missing; None for :func:`default_file`.
        max_bytes: of pictures that are kept; None for :data:`MAX_BYTES`, or less where the disk is nearly full.
    """

    def __init__(self, file: Path | None = None, *, max_bytes: int | None = None) -> None:
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._bytes = self._max_bytes = 0
        self.file = place = file or default_file()
        with contextlib.suppress(OSError, sqlite3.Error):
            place.parent.mkdir(parents=True, exist_ok=True)
            self._connection = _connect(place)
            self._bytes = self._connection.execute("SELECT coalesce(sum(size), 0) FROM pictures").fetchone()[0]
            free = self._bytes + shutil.disk_usage(place.parent).free
            self._max_bytes = min(MAX_BYTES, int(_OF_FREE * free)) if max_bytes is None else max_bytes

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def find(self, key: str) -> bytes | None:
        """A picture that is kept, or None."""
        with self._lock, contextlib.suppress(sqlite3.Error):
            if self._connection is None:
                return None
            row = self._connection.execute("SELECT data, used FROM pictures WHERE key = ?", (key,)).fetchone()
            if row is None:
                return None
            if row[1] < _now():
                self._connection.execute("UPDATE pictures SET used = ? WHERE key = ?", (_now(), key))
            return bytes(row[0])
        return None

    def keep(self, key: str, data: bytes) -> None:
        """Keep a picture, and let others go if that is too much; do without if those are in use."""
        with self._lock, contextlib.suppress(sqlite3.Error):
            if self._connection is None:
                return
            if self._bytes + len(data) > self._max_bytes:
                self._shrink(self._connection)
            if self._bytes + len(data) <= self._max_bytes:
                row = (key, _now(), len(data), data)
                self._connection.execute("INSERT OR REPLACE INTO pictures VALUES (?, ?, ?, ?)", row)
                self._bytes += len(data)

    def clear(self, older_than_days: int = 0) -> int:
        """Forget pictures, or only those that were not used for so many days; returns how many went."""
        with self._lock, contextlib.suppress(sqlite3.Error):
            if self._connection is not None:
                limit = _now() - 24 * older_than_days
                gone = self._connection.execute("DELETE FROM pictures WHERE used <= ?", (limit,)).rowcount
                self._connection.execute("PRAGMA incremental_vacuum").fetchall()
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                return gone
        return 0

    def size(self) -> tuple[int, int]:
        """How many pictures are kept, and their bytes."""
        with self._lock, contextlib.suppress(sqlite3.Error):
            if self._connection is not None:
                row = self._connection.execute("SELECT count(*), coalesce(sum(size), 0) FROM pictures").fetchone()
                return int(row[0]), int(row[1])
        return 0, 0

    def _shrink(self, connection: sqlite3.Connection) -> None:
        (self._bytes,) = connection.execute("SELECT coalesce(sum(size), 0) FROM pictures").fetchone()
        excess = self._bytes - _ROOM * self._max_bytes
        gone = []
        unused = "SELECT key, size FROM pictures WHERE used < ? ORDER BY used, rowid"
        for key, size in connection.execute(unused, (_now(),)):
            if excess <= 0:
                break
            gone.append((key,))
            excess -= size
            self._bytes -= size
        connection.executemany("DELETE FROM pictures WHERE key = ?", gone)
        connection.execute("PRAGMA incremental_vacuum").fetchall()


@dataclass(frozen=True)
class KeptPictures:
    """Where what a job makes of photos is kept as bytes.

    Attributes:
        file: of a :class:`PictureCache`.
        kind: of what the job makes.
        decode: what was kept, as the job made it.
    """

    file: Path
    kind: str
    decode: Callable[[bytes], Any]

    def key(self, content: bytes) -> str:
        """What is made of a photo of that content is kept by this."""
        return f"{self.kind} {content.hex()}"

    def find(self, cache: PictureCache, content: bytes) -> Any:  # noqa: ANN401  what the job makes
        """What is kept; None if nothing is, or it is damaged."""
        data = cache.find(self.key(content))
        with contextlib.suppress(DataError):
            return None if data is None else self.decode(data)
        return None


def _connect(file: Path) -> sqlite3.Connection:
    with contextlib.suppress(FileExistsError):
        file.touch(mode=0o600, exist_ok=False)
    connection = sqlite3.connect(file, timeout=5.0, isolation_level=None, check_same_thread=False)
    try:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        _check(not tables or "pictures" in tables, "it is another program's database")
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        when_free(lambda: connection.execute("PRAGMA journal_mode = WAL").fetchone())
        connection.execute("PRAGMA synchronous = OFF")  # a lost picture is made again
        connection.execute(
            "CREATE TABLE IF NOT EXISTS pictures "
            "(key TEXT PRIMARY KEY, used INTEGER NOT NULL, size INTEGER NOT NULL, data BLOB NOT NULL)"
        )
        connection.execute("CREATE INDEX IF NOT EXISTS by_use ON pictures (used, size)")
    except BaseException:
        connection.close()
        raise
    return connection


def _check(well: bool, message: str) -> None:
    if not well:
        raise sqlite3.DatabaseError(message)


def _now() -> int:
    """Hours since 1970: the order of use needs no more, and so reading seldom writes."""
    return int(time.time() // 3600)
