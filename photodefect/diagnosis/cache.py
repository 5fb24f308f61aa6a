"""The cache of results: what is known already of a photo's content, kept in one SQLite file.

A photo is told by its content. To find the content without reading the file, the cache remembers which file had which
content when it had that size, those times and that inode; when one of these changes, the content is hashed again, so
that a file that was only touched, moved or copied is still known.

What can be kept is a text of a *kind*: a kind says everything that the text depends on beside the content (model,
patches, version of the arithmetic), so that nothing is ever out of date, only unused.

Runs may use the same file side by side (SQLite's write-ahead log). Results are committed a few at a time; a run that
is killed loses at most the last second. A cache that fails never fails the run: it is told once, and done without.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from photodefect.diagnosis.cache_file import connect, drop_orphans, file_damage, files_of, inode_of, transaction
from photodefect.diagnosis.content import Stamp
from photodefect.errors import DataError

MAX_BYTES: Final = 1024**3
"""Size of the file above which the results that were not used for longest go: some 170,000 photos, 6 kB each."""

COMMIT_EVERY: Final = 64
"""Results that are committed together, at most."""

COMMIT_AFTER_S: Final = 1.0
"""How long a result waits for others before it is committed."""

_LEAVING_MS: Final = 700
_SAME_FILE: Final = "path = ? AND size = ? AND mtime_ns = ? AND ctime_ns = ? AND inode = ?"
_DAY_S: Final = 86400

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CacheInfo:
    """What is in a cache.

    Attributes:
        file: where it is.
        bytes: its size.
        files: paths whose content it knows.
        photos: contents that it has results of.
        kinds: number of results by the description of their kind.
        oldest: when the result was used last that was not used for longest, in seconds since 1970 (to the day).
    """

    file: Path
    bytes: int
    files: int
    photos: int
    kinds: Mapping[str, int]
    oldest: int | None


def default_file() -> Path:
    """Where results are kept unless a person says otherwise."""
    from platformdirs import user_cache_path  # noqa: PLC0415

    return user_cache_path("photodefect", appauthor=False) / "results.sqlite"


class Cache:
    """Results by photo and kind. Safe to use from several threads and processes.

    Args:
        file: the SQLite file, made if missing; None for :func:`default_file`.
        warn: told, for people, what is wrong with the cache.

    Raises:
        DataError: ``file`` was given and is something else, or can't be made.
    """

    def __init__(self, file: Path | None = None, *, warn: Callable[[str], None] | None = None) -> None:
        self.file = (file or default_file()).absolute()
        self._named = file is not None
        self._warn = warn or _log.warning
        self._lock = threading.RLock()
        self._kinds: dict[str, int] = {}
        self._waiting_files: list[tuple[object, ...]] = []
        self._waiting_results: list[tuple[object, ...]] = []
        self._used: set[tuple[bytes, int]] = set()
        self._committed = time.monotonic()
        self._added = False
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        self._open()

    def find(self, path: str, kinds: Sequence[str]) -> dict[str, str]:
        """What is known of a file, without reading it.

        Args:
            path: of the file; a relative one is one of the current folder.
            kinds: of results.

        Returns:
            Results by kind; empty if the file isn't known as it is now, or isn't there.
        """
        return self.look_up(path, kinds)[1]

    def look_up(self, path: str, kinds: Sequence[str]) -> tuple[bytes, dict[str, str]]:
        """As :meth:`find`, and before it the :func:`content_key` of the file; empty if there are no such results."""
        with self._lock:
            if self._connection is None:
                return b"", {}
            try:
                stamp = Stamp.of(os.stat(path))  # noqa: PTH116  a Path costs as much again
            except (OSError, ValueError):
                return b"", {}
            return self._results(
                "files JOIN results ON results.content = files.content",
                _SAME_FILE,
                (_path_key(path), stamp.size, stamp.mtime_ns, stamp.ctime_ns, stamp.inode),
                kinds,
            )

    def find_content(self, content: bytes, kinds: Sequence[str]) -> dict[str, str]:
        """What is known of a content, by kind."""
        with self._lock:
            return self._results("results", "content = ?", (content,), kinds)[1]

    def content_of(self, path: str) -> bytes | None:
        """The :func:`content_key` of a file without reading it; None if it isn't known as it is now."""
        with self._lock:
            if self._connection is None:
                return None
            self.commit()
            try:
                stamp = Stamp.of(os.stat(path))  # noqa: PTH116
                row = self._connection.execute(
                    f"SELECT content FROM files WHERE {_SAME_FILE}",
                    (_path_key(path), stamp.size, stamp.mtime_ns, stamp.ctime_ns, stamp.inode),
                ).fetchone()
            except (OSError, ValueError):
                return None
            except sqlite3.Error as error:
                self._meet(error)
                return None
            return None if row is None else bytes(row[0])

    def store(self, path: str, stamp: Stamp | None, content: bytes, results: Mapping[str, str]) -> None:
        """Keep results of a photo.

        Args:
            path: where its file is.
            stamp: of the file when it was read; None if it could change without a trace.
            content: its :func:`content_key`.
            results: by kind; none if they are there already and only the file is new.
        """
        with self._lock:
            if self._connection is None:
                return
            if stamp is not None:
                row = (_path_key(path), stamp.size, stamp.mtime_ns, stamp.ctime_ns, stamp.inode, content)
                self._waiting_files.append(row)
            for kind, value in results.items():
                self._waiting_results.append((content, kind, value, _today()))
            waiting = len(self._waiting_files) + len(self._waiting_results)
            if waiting >= COMMIT_EVERY or time.monotonic() - self._committed > COMMIT_AFTER_S:
                self.commit()

    def commit(self) -> None:
        """Write what waits."""
        with self._lock:
            self._committed = time.monotonic()
            if self._connection is None or not (self._waiting_files or self._waiting_results or self._used):
                return
            self._guarded(self._write)

    def close(self) -> None:
        """Write what waits, and leave the file no larger than it may be."""
        with self._lock:
            if self._connection is not None:
                # Whoever pressed Ctrl-C doesn't wait for other runs.
                self._guarded(lambda connection: connection.execute(f"PRAGMA busy_timeout = {_LEAVING_MS}").close())
            self.commit()
            if self._added:
                self._guarded(self._prune)
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def clear(self, older_than_days: int = 0) -> int:
        """Forget results.

        Args:
            older_than_days: only those that were not used for so many days.

        Returns:
            How many went.

        Raises:
            sqlite3.Error: the file can't be written.
        """
        with self._lock:
            connection = self._there()
            with transaction(connection):
                limit = _today() - older_than_days
                gone = connection.execute("DELETE FROM results WHERE used <= ?", (limit,)).rowcount
                drop_orphans(connection)
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return gone

    def info(self) -> CacheInfo:
        """What is in it.

        Raises:
            sqlite3.Error: the file can't be read.
        """
        with self._lock:
            connection = self._there()
            (files,) = connection.execute("SELECT count(*) FROM files").fetchone()
            (photos, oldest) = connection.execute("SELECT count(DISTINCT content), min(used) FROM results").fetchone()
            kinds = connection.execute(
                "SELECT description, count(*) FROM results JOIN kinds ON kinds.id = kind GROUP BY kind ORDER BY kind"
            )
            size = sum(part.stat().st_size for part in files_of(self.file) if part.exists())
            by_kind = dict(kinds.fetchall())
            return CacheInfo(self.file, size, files, photos, by_kind, None if oldest is None else oldest * _DAY_S)

    def check(self) -> list[str]:
        """What SQLite finds wrong with the file, for people; nothing if all is well."""
        with self._lock:
            try:
                rows = self._there().execute("PRAGMA integrity_check").fetchall()
            except sqlite3.Error as error:
                return [str(error)]
            return [str(row[0]) for row in rows if row[0] != "ok"]

    def values(self) -> Iterator[tuple[bytes, str, str]]:
        """Every result: content, kind and text."""
        query = "SELECT content, description, value FROM results JOIN kinds ON kinds.id = kind"
        yield from self._there().execute(query)

    def paths(self) -> Iterator[tuple[str, Stamp]]:
        """Every file whose content is known, as it was then."""
        for path, *stamp in self._there().execute("SELECT path, size, mtime_ns, ctime_ns, inode FROM files"):
            yield os.fsdecode(path), Stamp(*stamp)

    def set_aside(self) -> Path:
        """Give a damaged file another name and begin a new one.

        Returns:
            The other name; an earlier damaged file of that name is replaced.
        """
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            aside = self.file.with_name(f"{self.file.name}.damaged")
            # Another run may have set it aside already, and what is there now is whole.
            if not self._inode or inode_of(self.file) == self._inode:
                self.file.replace(aside)
                for part in files_of(self.file)[1:]:
                    part.unlink(missing_ok=True)
            self._kinds.clear()
            self._connection = self._connect()
            return aside

    def _there(self) -> sqlite3.Connection:
        if self._connection is None:
            raise DataError(f"the cache {self.file} can't be used")
        return self._connection

    def _open(self) -> None:
        """Open the file, or do without."""
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            damage = file_damage(self.file, named=self._named)
            self._inode = inode_of(self.file)
            if damage:
                self._rebuild(damage)
            else:
                self._connection = self._connect()
        except (sqlite3.Error, OSError) as error:
            self._meet(error)

    def _connect(self) -> sqlite3.Connection:
        connection = connect(self.file)
        self._inode = inode_of(self.file)
        return connection

    def _results(
        self, source: str, where: str, values: tuple[object, ...], kinds: Sequence[str]
    ) -> tuple[bytes, dict[str, str]]:
        """The content that was found, and its results by kind."""
        known, found = b"", dict[str, str]()
        if self._connection is None:
            return known, found
        try:
            ids = {number: kind for kind in kinds if (number := self._kind(self._connection, kind)) is not None}
            if not ids:
                return known, found
            query = (
                f"SELECT results.content, kind, value, used FROM {source} "
                f"WHERE {where} AND kind IN ({', '.join('?' * len(ids))})"
            )
            for content, number, value, used in self._connection.execute(query, (*values, *ids)):
                known, found[ids[number]] = content, value
                if used < _today():
                    self._used.add((content, number))
        except sqlite3.Error as error:
            self._meet(error)
            return b"", {}
        return known, found

    def _kind(self, connection: sqlite3.Connection, description: str) -> int | None:
        if description not in self._kinds:
            row = connection.execute("SELECT id FROM kinds WHERE description = ?", (description,)).fetchone()
            if row is None:
                return None
            self._kinds[description] = row[0]
        return self._kinds[description]

    def _write(self, connection: sqlite3.Connection) -> None:
        with transaction(connection):
            kinds = {kind for _, kind, *_ in self._waiting_results}
            connection.executemany("INSERT OR IGNORE INTO kinds (description) VALUES (?)", [(kind,) for kind in kinds])
            connection.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)", self._waiting_files)
            connection.executemany(
                "INSERT OR REPLACE INTO results VALUES (?1, (SELECT id FROM kinds WHERE description = ?2), ?3, ?4)",
                self._waiting_results,
            )
            connection.executemany(
                "UPDATE results SET used = ? WHERE content = ? AND kind = ?", [(_today(), *it) for it in self._used]
            )
        self._added = self._added or bool(self._waiting_results)
        self._waiting_files.clear()
        self._waiting_results.clear()
        self._used.clear()

    def _prune(self, connection: sqlite3.Connection) -> None:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        (page,) = connection.execute("PRAGMA page_size").fetchone()
        if pages * page <= MAX_BYTES:
            return
        # A quarter of the room is made free, so that the next photo doesn't bring the next pruning.
        excess = 1 - 0.75 * MAX_BYTES / (pages * page)
        with transaction(connection):
            connection.execute(
                "DELETE FROM results WHERE rowid IN (SELECT rowid FROM results ORDER BY used, rowid "
                "LIMIT (SELECT CAST(count(*) * ? AS INTEGER) + 1 FROM results))",
                (excess,),
            )
            drop_orphans(connection)
        connection.execute("PRAGMA incremental_vacuum").fetchall()

    def _guarded(self, action: Callable[[sqlite3.Connection], None]) -> None:
        try:
            if self._connection is not None:
                action(self._connection)
        except (sqlite3.Error, OSError) as error:
            self._meet(error)

    def _meet(self, error: Exception) -> None:
        """Go on after an error: with a new file if this one is damaged, else without a cache."""
        if isinstance(error, sqlite3.OperationalError) or not isinstance(error, sqlite3.DatabaseError):
            if self._connection is not None and "locked" in str(error):
                return  # another run writes for long: what waits is written with what comes next
            self._do_without(error)
            return
        try:
            self._rebuild(str(error))
        except (sqlite3.Error, OSError) as second:
            self._do_without(second)

    def _rebuild(self, damage: str) -> None:
        aside = self.set_aside()
        self._warn(f"the cache {self.file} is damaged ({damage}); it is now {aside.name}, and a new one is begun")

    def _do_without(self, error: Exception) -> None:
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None
        message = f"the cache {self.file} can't be used: {error}"
        if self._named and self._inode == 0:
            raise DataError(message) from error
        self._warn(f"{message}; going on without")


def _path_key(path: str) -> bytes:
    return os.fsencode(os.path.abspath(path))  # noqa: PTH100  keeps links as they are, and is quick


def _today() -> int:
    return int(time.time() // _DAY_S)
