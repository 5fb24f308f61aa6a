"""The SQLite file of a cache: its tables, how it is opened, and how a process that writes nothing reads it."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from photodefect.errors import DataError
from photodefect.photos.formats import HEAD_BYTES, sniff

BUSY_S: Final = 10.0
"""How long to wait for other runs that write."""

_APPLICATION_ID: Final = 0x70644361
_SCHEMA_VERSION: Final = 1
_MAGIC: Final = b"SQLite format 3\0"
_DATABASE_SUFFIXES: Final = (".sqlite", ".sqlite3", ".db")

_SCHEMA: Final = """
CREATE TABLE kinds (id INTEGER PRIMARY KEY, description TEXT NOT NULL UNIQUE);
CREATE TABLE files (
    path BLOB PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, ctime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL, content BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE results (
    content BLOB NOT NULL, kind INTEGER NOT NULL REFERENCES kinds, value TEXT NOT NULL, used INTEGER NOT NULL,
    UNIQUE (content, kind)
);
"""

_log = logging.getLogger(__name__)


def file_damage(file: Path, *, named: bool) -> str:
    """What is wrong with a file by its first bytes; nothing if it seems to be a cache or isn't there.

    Args:
        file: that is to be used as a cache.
        named: a person named it, so that whatever else it holds is left alone.

    Raises:
        DataError: it is something else, which must be left alone.
    """
    try:
        with file.open("rb") as stream:
            head = stream.read(max(100, HEAD_BYTES))
    except FileNotFoundError:
        return ""
    if not head:
        return ""
    if head.startswith(_MAGIC):
        application, tables_made = (int.from_bytes(head[at : at + 4], "big") for at in (68, 40))
        # One that a run had no time to make anything in is nobody's yet. A database without an application's mark
        # that has tables is somebody's, e.g. a catalogue of photos.
        if application == _APPLICATION_ID or (application == 0 and tables_made == 0):
            return ""
        raise DataError(f"{file} is another program's database; name another file by --cache")
    if named and (sniff(head) is not None or file.suffix.lower() not in _DATABASE_SUFFIXES):
        raise DataError(f"{file} is not a cache of photodefect; name another file by --cache")
    return "it is not a database"


def connect(file: Path) -> sqlite3.Connection:
    """Open a cache's file, which is made if it isn't there.

    Raises:
        OSError: it can't be made.
        sqlite3.Error: it can't be a cache, or isn't one.
    """
    # Paths of photos are nobody else's business.
    with contextlib.suppress(FileExistsError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    connection = sqlite3.connect(file, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        _prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection) -> None:
    """Make a new file a cache, and check that an old one is.

    Raises:
        sqlite3.Error: it can't be, or isn't.
    """
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    when_free(lambda: connection.execute("PRAGMA journal_mode = WAL").fetchone())
    connection.execute("PRAGMA synchronous = NORMAL")
    make_tables(connection, _SCHEMA, _APPLICATION_ID, _SCHEMA_VERSION)
    connection.execute("SELECT count(*) FROM kinds").fetchone()


def make_tables(connection: sqlite3.Connection, schema: str, application_id: int, schema_version: int) -> None:
    """Make the tables of a new file, and check that those of an old one are of this version.

    Args:
        connection: to the file, without a transaction.
        schema: statements with a semicolon after each.
        application_id: what the file is marked with as ours.
        schema_version: of the tables.

    Raises:
        sqlite3.Error: they can't be made, or are of another version.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == 0:
        with transaction(connection):
            # Another run may have been quicker.
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version == 0:
                for statement in filter(str.strip, schema.split(";")):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {application_id}")
                connection.execute(f"PRAGMA user_version = {schema_version}")
                version = schema_version
    if version != schema_version:
        raise sqlite3.DatabaseError("it is of another version of photodefect")


def when_free(action: Callable[[], object]) -> None:
    """Do what SQLite refuses at once, instead of waiting, while another process opens the same file."""
    deadline = time.monotonic() + BUSY_S
    while True:
        try:
            action()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All that is written within it, or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def drop_orphans(connection: sqlite3.Connection) -> None:
    """Forget files that nothing is known of. Kinds stay: another run may know one by its number."""
    connection.execute("DELETE FROM files WHERE content NOT IN (SELECT content FROM results)")


def files_of(file: Path) -> list[Path]:
    """The file, and what SQLite keeps beside it."""
    return [file, *(file.with_name(file.name + ending) for ending in ("-wal", "-shm"))]


def inode_of(file: Path) -> int:
    """The number of a file within its file system; 0 if it isn't there."""
    try:
        return file.stat().st_ino
    except OSError:
        return 0


class CacheReader:
    """Looks contents up for a process that writes nothing.

    Args:
        file: the cache's.
    """

    def __init__(self, file: Path) -> None:
        self._connection: sqlite3.Connection | None = None
        with contextlib.suppress(sqlite3.Error):
            self._connection = sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=BUSY_S)

    def close(self) -> None:
        """Let go of the file; nothing is found any more."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def find_content(self, content: bytes, kinds: Sequence[str]) -> dict[str, str]:
        """As :meth:`photodefect.diagnosis.cache.Cache.find_content`; nothing if the file can't be read."""
        if self._connection is None or not kinds:
            return {}
        query = (
            "SELECT description, value FROM results JOIN kinds ON kinds.id = kind "
            f"WHERE content = ? AND description IN ({', '.join('?' * len(kinds))})"
        )
        try:
            return dict(self._connection.execute(query, (content, *kinds)).fetchall())
        except sqlite3.Error as error:
            _log.debug("the cache can't be read: %s", error)
            return {}
