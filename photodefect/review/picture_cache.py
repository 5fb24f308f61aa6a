"""Pictures that were made for the page, kept in one SQLite file that never grows beyond a bound.

What was not looked at for longest goes first. A file that can't be used is done without: pictures are then made anew.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
from pathlib import Path
from typing import Final

from platformdirs import user_cache_path

MAX_BYTES: Final = 1024**3
"""Bytes of pictures that are kept: thumbnails of 40,000 photos, or thumbnails and previews of some thousands."""

_ROOM: Final = 0.75
"""The share of the bound that is left filled when something has to go, so that it doesn't have to each time."""


def default_file() -> Path:
    """Where pictures are kept: beside the cache of results."""
    return user_cache_path("photodefect", appauthor=False) / "pictures.sqlite"


class PictureCache:
    """Pictures by a text that says of which file, in which state, and of which kind. Safe to use from several threads.

    Args:
        file: made if missing; None for :func:`default_file`.
        max_bytes: of pictures that are kept.
    """

    def __init__(self, file: Path | None = None, *, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._bytes = 0
        place = file or default_file()
        with contextlib.suppress(OSError, sqlite3.Error):
            place.parent.mkdir(parents=True, exist_ok=True)
            self._connection = _connect(place)
            self._bytes = self._connection.execute("SELECT coalesce(sum(size), 0) FROM pictures").fetchone()[0]

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
        """Keep a picture, and let others go if that is too much."""
        with self._lock, contextlib.suppress(sqlite3.Error):
            if self._connection is None:
                return
            row = (key, _now(), len(data), data)
            self._connection.execute("INSERT OR REPLACE INTO pictures VALUES (?, ?, ?, ?)", row)
            self._bytes += len(data)
            if self._bytes > self._max_bytes:
                self._shrink(self._connection)

    def _shrink(self, connection: sqlite3.Connection) -> None:
        (self._bytes,) = connection.execute("SELECT coalesce(sum(size), 0) FROM pictures").fetchone()
        excess = self._bytes - _ROOM * self._max_bytes
        gone = []
        for key, size in connection.execute("SELECT key, size FROM pictures ORDER BY used, rowid"):
            if excess <= 0:
                break
            gone.append((key,))
            excess -= size
            self._bytes -= size
        connection.executemany("DELETE FROM pictures WHERE key = ?", gone)
        connection.execute("PRAGMA incremental_vacuum").fetchall()


def _connect(file: Path) -> sqlite3.Connection:
    with contextlib.suppress(FileExistsError):
        file.touch(mode=0o600, exist_ok=False)
    connection = sqlite3.connect(file, timeout=5.0, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
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


def _now() -> int:
    """Hours since 1970: the order of use needs no more, and so reading seldom writes."""
    return int(time.time() // 3600)
