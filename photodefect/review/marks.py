"""Marks: what a person decided about photos, kept in one SQLite file as it is decided.

A photo is told by where it is and by its content. The mark of a path holds while the file there is the same by size and
time or by content, or was taken at the same moment (a file that was edited in place); else a mark of the same content
holds, so that a renamed, moved or copied photo keeps it. The name alone says nothing: memory cards use names again.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from photodefect.diagnosis.cache_file import make_tables, transaction, when_free
from photodefect.diagnosis.content import content_key
from photodefect.errors import DataError, PhotoError, TransferError
from photodefect.files.fingerprint import Fingerprint, fingerprint
from photodefect.files.journal import state_folder
from photodefect.photos.files import read_photo
from photodefect.photos.shots import shots

Flag: TypeAlias = Literal["pick", "reject"]

LABELS: Final = ("Red", "Yellow", "Green", "Blue")
"""Colour labels in the order of the keys 6 to 9, as Lightroom has them."""

BUSY_S: Final = 10.0
"""How long to wait for another review that writes."""

_APPLICATION_ID: Final = 0x70644D6B
_SCHEMA_VERSION: Final = 1
_SCHEMA: Final = """
CREATE TABLE marks (
    path BLOB PRIMARY KEY, content BLOB NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, taken TEXT,
    flag TEXT, stars INTEGER, label TEXT, number INTEGER NOT NULL
);
CREATE INDEX by_content ON marks (content);
CREATE INDEX by_number ON marks (number);
CREATE INDEX by_size ON marks (size);
"""


@dataclass(frozen=True)
class Mark:
    """What a person decided about a photo.

    Attributes:
        flag: ``pick`` or ``reject``; None for neither.
        stars: 0..5; 0 is none.
        label: one of :data:`LABELS`, or None.
    """

    flag: Flag | None = None
    stars: int = 0
    label: str | None = None

    def __bool__(self) -> bool:
        return self != UNMARKED


UNMARKED: Final = Mark()


@dataclass(frozen=True)
class Subject:
    """A photo that may have a mark.

    Attributes:
        path: of the photo; a relative one is one of the current folder.
        taken: when and by which camera; empty if it isn't known.
        content: gives the key of the file's content if it is known without reading the file; else None.
    """

    path: str
    taken: str = ""
    content: Callable[[], bytes | None] = lambda: None


@dataclass(frozen=True)
class _Row:
    """A mark as it is kept."""

    content: bytes
    fingerprint: Fingerprint
    taken: str
    mark: Mark
    number: int


def default_file() -> Path:
    """Where marks are kept: beside the folder of the journals."""
    return state_folder().parent / "marks.sqlite"


class MarkStore:
    """Marks in their file. Safe to use from several threads and processes.

    Args:
        file: made with the first mark; None for :func:`default_file`.

    Raises:
        DataError: the file is something else, or damaged; it is left as it is.
    """

    def __init__(self, file: Path | None = None) -> None:
        self.file = file or default_file()
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        if self.file.exists():
            self._open()

    def __enter__(self) -> MarkStore:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; every mark is in it already."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @property
    def last(self) -> int:
        """Number of the newest mark; 0 if there is none."""
        rows = self._select("SELECT coalesce(max(number), 0) FROM marks")
        return int(rows[0][0]) if rows else 0

    def find(self, subject: Subject) -> tuple[Mark, int]:
        """The mark of a photo, and its number: the higher, the newer; 0 without one."""
        path = os.path.abspath(subject.path)  # noqa: PTH100  links are the person's way of naming things
        here = self._rows("path = ?", os.fsencode(path))
        try:
            current = fingerprint(Path(path))
        except OSError:
            current = None
        if here and current is None:
            return here[0].mark, here[0].number  # it is gone or out of reach: what was decided about it stays
        if current is None:
            return UNMARKED, 0
        if here and (here[0].fingerprint == current or (subject.taken and here[0].taken == subject.taken)):
            return here[0].mark, here[0].number
        # A file of another size than any that was marked has another content, and needn't be read.
        if not self._select("SELECT 1 FROM marks WHERE size = ? LIMIT 1", current.size):
            return UNMARKED, 0
        content = subject.content() or _content_of(path)
        same = self._rows("content = ? ORDER BY number DESC LIMIT 1", content) if content else []
        return (same[0].mark, same[0].number) if same else (UNMARKED, 0)

    def find_all(self, subjects: Iterable[Subject]) -> dict[str, Mark]:
        """The marks of photos by path, without those that have none.

        A raw photo and its JPEG are one shot and have one mark: the newest of them.
        """
        if not self.last:
            return {}
        asked = list(subjects)
        names = shots(subject.path for subject in asked)
        newest: dict[str, tuple[int, Mark]] = {}
        for subject in asked:
            mark, number = self.find(subject)
            newest[names[subject.path]] = max(
                newest.get(names[subject.path], (0, UNMARKED)), (number, mark), key=_first
            )
        return {path: newest[name][1] for path, name in names.items() if newest[name][1]}

    def set(self, subjects: Sequence[Subject], mark: Mark) -> None:
        """Keep a mark of each of these photos; when this returns, it is on the disk.

        Raises:
            DataError: a photo is gone or can't be read, or the file of marks is something else.
            TransferError: the mark can't be written, e.g. to a full disk. The marks before are as they were.
        """
        rows = []
        for subject in subjects:
            path = os.path.abspath(subject.path)  # noqa: PTH100
            try:
                current = fingerprint(Path(path))
            except OSError as error:
                raise DataError(f"{subject.path} is out of reach: {error.strerror or error}") from error
            content = (subject.content() or _content_of(path)) if current is not None else None
            if current is None or content is None:
                raise DataError(f"{subject.path} is gone or can't be read; nothing was marked")
            values = (mark.flag, mark.stars or None, mark.label)
            rows.append((os.fsencode(path), content, current.size, current.mtime_ns, subject.taken or None, *values))
        with self._lock:
            try:
                if self._connection is None:
                    self._open()
                connection = self._there()
                with transaction(connection):
                    connection.executemany(
                        "INSERT OR REPLACE INTO marks VALUES "
                        "(?, ?, ?, ?, ?, ?, ?, ?, (SELECT coalesce(max(number), 0) + 1 FROM marks))",
                        rows,
                    )
            except (sqlite3.Error, OSError) as error:
                raise TransferError(f"{self.file}: the mark can't be kept: {error}") from error

    def change(self, subjects: Sequence[Subject], fields: Mapping[str, Any]) -> Mark:
        """Change some fields of the mark of a shot, and keep it; errors as of :meth:`set`.

        Args:
            subjects: the files of the shot.
            fields: of :class:`Mark`, by name.

        Returns:
            The whole mark.
        """
        with self._lock:
            before = max((self.find(subject) for subject in subjects), key=lambda found: found[1])[0]
            mark = replace(before, **fields)
            self.set(subjects, mark)
        return mark

    def paths_since(self, number: int) -> list[str]:
        """Paths of what was marked after the mark of this number, by whichever process."""
        rows = self._select("SELECT path FROM marks WHERE number > ?", number)
        return [os.fsdecode(path) for (path,) in rows]

    def _rows(self, where: str, value: object) -> list[_Row]:
        query = f"SELECT content, size, mtime_ns, taken, flag, stars, label, number FROM marks WHERE {where}"
        return [
            _Row(content, Fingerprint(size, mtime_ns), taken or "", Mark(flag, stars or 0, label), number)
            for content, size, mtime_ns, taken, flag, stars, label, number in self._select(query, value)
        ]

    def _select(self, query: str, *values: object) -> list[Any]:
        with self._lock:
            if self._connection is None and self.file.exists():
                self._open()  # another review made it
            if self._connection is None:
                return []
            try:
                return self._connection.execute(query, values).fetchall()
            except sqlite3.Error as error:
                raise _unusable(self.file, error) from error

    def _there(self) -> sqlite3.Connection:
        if self._connection is None:
            raise _unusable(self.file, "it was closed")
        return self._connection

    def _open(self) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        # What somebody thinks of photos, and where they are, is nobody else's business.
        with contextlib.suppress(FileExistsError):
            os.close(os.open(self.file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        connection = sqlite3.connect(self.file, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            _prepare(connection)
        except sqlite3.DatabaseError as error:
            connection.close()
            if isinstance(error, sqlite3.OperationalError):  # a full disk, say
                raise
            raise _unusable(self.file, error) from error
        except BaseException:
            connection.close()
            raise
        self._connection = connection


def taken_of(time: str | None, camera: str | None) -> str:
    """What tells the moment of a photo: when it was taken and by which camera; empty if the time isn't known."""
    return f"{time} {camera or ''}" if time else ""


def _first(pair: tuple[int, Mark]) -> int:
    return pair[0]


def _content_of(path: str) -> bytes | None:
    """The key of a file's content; None if it can't be read."""
    try:
        return content_key(read_photo(Path(path)), os.path.splitext(path)[1])  # noqa: PTH122
    except PhotoError:
        return None


def _unusable(file: Path, why: object) -> DataError:
    return DataError(
        f"the marks in {file} can't be used: {why}. Nothing was changed in it; move it elsewhere to begin anew"
    )


def _prepare(connection: sqlite3.Connection) -> None:
    """Make a new file one of marks, and check that an old one is.

    Raises:
        sqlite3.Error: it can't be, or isn't.
    """
    # In this order: tables that another review makes meanwhile come with the id, in one transaction.
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if tables and application != _APPLICATION_ID:
        raise sqlite3.DatabaseError("it is another program's database")
    when_free(lambda: connection.execute("PRAGMA journal_mode = WAL").fetchone())
    connection.execute("PRAGMA synchronous = FULL")  # a decision that was shown as kept is kept, also without power
    make_tables(connection, _SCHEMA, _APPLICATION_ID, _SCHEMA_VERSION)


def as_json(mark: Mark) -> Mapping[str, object]:
    """A mark as the page has it."""
    return {"flag": mark.flag, "stars": mark.stars, "label": mark.label}
