r"""The journal of what is done to files: each step is written to disk before it is taken, and again when it is done.

A journal is a text file with one JSON object a line. The first says what it is; the others are events of an action,
which is told by its number ``id``:

========== ==================================================================================================
event      meaning
========== ==================================================================================================
begin      is about to be done; has the action's fields (see :class:`Entry`)
verified   a copy is complete and compared; has its ``sha256``; it gets its name next
done       is done
failed     could not be done, and left nothing behind; has the ``reason``
undone     was taken back
========== ==================================================================================================

Paths are absolute. Bytes of names that aren't UTF-8 are written as lone surrogates (``\udcff``).
"""

from __future__ import annotations

import json
import os
import secrets
from base64 import b64decode, b64encode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from io import FileIO
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, get_args

import platformdirs

from photodefect._version import __version__
from photodefect.errors import DataError, TransferError
from photodefect.files.fingerprint import Fingerprint
from photodefect.files.operations import sync_folder

FORMAT: Final = "photodefect journal"
VERSION: Final = 1

Kind: TypeAlias = Literal["folder", "copy", "link", "move", "write"]
State: TypeAlias = Literal["begin", "verified", "done", "failed", "undone"]


@dataclass(frozen=True)
class Entry:
    """One action of a journal.

    Attributes:
        id: its number, from 1.
        kind: ``folder`` (made), ``copy``, ``link``, ``move`` or ``write`` (a sidecar).
        target: what it makes.
        source: the file that is copied, linked or moved.
        size: the source's size in bytes.
        mtime_ns: when the source was changed last, in nanoseconds.
        part: the hidden name under which the target is made.
        text: what a link points to.
        before: the content that a ``write`` replaces; None if there was no file.
        sha256: checksum of a copy's or a written file's content.
        state: how far it got.
    """

    id: int
    kind: Kind
    target: Path
    source: Path | None = None
    size: int | None = None
    mtime_ns: int | None = None
    part: Path | None = None
    text: str | None = None
    before: bytes | None = None
    sha256: str | None = None
    state: State = "begin"

    @property
    def fingerprint(self) -> Fingerprint | None:
        """The fingerprint of the source before the action."""
        if self.size is None or self.mtime_ns is None:
            return None
        return Fingerprint(self.size, self.mtime_ns)


@dataclass(frozen=True)
class JournalRecord:
    """What a journal says.

    Attributes:
        path: where it lies.
        title: what it was for, e.g. ``move to /photos/rejects``.
        created: when, as ISO 8601 in UTC.
        entries: its actions in their order, with the state that they got to.
    """

    path: Path
    title: str
    created: str
    entries: tuple[Entry, ...]

    @property
    def open_entries(self) -> tuple[Entry, ...]:
        """The actions that were done, or may have been, and weren't taken back."""
        return tuple(entry for entry in self.entries if entry.state not in {"failed", "undone"})


def state_folder() -> Path:
    """Where journals lie unless a person says otherwise: a folder of the user's own, never among the photos.

    On Linux it is ``~/.local/state/photodefect/journals``.
    """
    return platformdirs.user_state_path("photodefect", appauthor=False) / "journals"


def default_journal_path(name: str) -> Path:
    """A free name for a new journal in :func:`state_folder`.

    Args:
        name: what it is for, e.g. ``move``.
    """
    stamp = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    return state_folder() / f"{stamp}-{name}-{secrets.token_hex(3)}.jsonl"


class Journal:
    """Writes a journal. The file is made when the first action begins, so that doing nothing leaves nothing.

    Args:
        path: where to; None to write nothing (for dry runs).
        title: what it is for, e.g. ``move to /photos/rejects``.
        last_id: number of the last action that is there already.

    Raises:
        TransferError: from its methods: the journal can't be written, so nothing may be done.
    """

    def __init__(self, path: Path | None, title: str = "", *, last_id: int = 0) -> None:
        self.path = path
        self._title = title
        self._last_id = last_id
        self._stream: FileIO | None = None
        self._end = 0

    @classmethod
    def reopen(cls, record: JournalRecord) -> Journal:
        """Continue a journal."""
        journal = cls(record.path, record.title, last_id=max((entry.id for entry in record.entries), default=0))
        try:
            journal._stream = FileIO(record.path, "r+")
            # A last line without an end is one that a crash cut off: what it announced was never begun.
            journal._end = journal._stream.readall().rfind(b"\n") + 1
            journal._cut()
        except OSError as error:
            raise _unwritable(record.path, error) from error
        return journal

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def begun(self) -> bool:
        """Whether anything was written, so that there is something to undo."""
        return self._stream is not None

    def begin(self, kind: Kind, target: Path, **fields: Any) -> Entry:  # noqa: ANN401  those of Entry
        """Announce an action; on return it may be done.

        Args:
            kind: what is done.
            target: what it makes.
            fields: further fields of :class:`Entry`.
        """
        self._last_id += 1
        entry = Entry(self._last_id, kind, target, **fields)
        self._write({"id": entry.id, "event": "begin", "kind": kind} | _plain(entry))
        return entry

    def verified(self, entry: Entry, sha256: str) -> Entry:
        """Note that a copy is complete."""
        return self._note(replace(entry, state="verified", sha256=sha256), sha256=sha256)

    def done(self, entry: Entry) -> Entry:
        """Note that an action is done."""
        return self._note(replace(entry, state="done"))

    def failed(self, entry: Entry, reason: str) -> Entry:
        """Note that an action could not be done and left nothing behind."""
        return self._note(replace(entry, state="failed"), reason=reason)

    def undone(self, entry: Entry) -> Entry:
        """Note that an action was taken back."""
        return self._note(replace(entry, state="undone"))

    def close(self) -> None:
        """End writing."""
        if self._stream is not None:
            self._stream.close()

    def _note(self, entry: Entry, **fields: str) -> Entry:
        event: dict[str, object] = {"id": entry.id, "event": entry.state}
        self._write(event | fields)
        return entry

    def _write(self, event: Mapping[str, object]) -> None:
        if self.path is None:
            return
        try:
            if self._stream is None:
                self._stream = self._create(self.path)
                created = datetime.now(timezone.utc).isoformat(timespec="seconds")
                header = {"format": FORMAT, "version": VERSION, "title": self._title, "created": created}
                self._append(self._stream, _line(header | {"photodefect": __version__}))
            self._append(self._stream, _line(event))
        except OSError as error:
            self._drop_if_empty()
            raise _unwritable(self.path, error) from error

    def _append(self, stream: FileIO, line: bytes) -> None:
        """Add a line durably, or leave the journal as it was: half a line amid others would spoil it all."""
        try:
            left = memoryview(line)
            while left:
                left = left[stream.write(left) :]
            os.fsync(stream.fileno())
        except OSError:
            with suppress(OSError):
                self._cut()
            raise
        self._end += len(line)

    def _drop_if_empty(self) -> None:
        """Take away the file that was just made if not a line of it could be written, e.g. to a full disk."""
        if self._stream is not None and self.path is not None and self._end == 0:
            with suppress(OSError):
                self._stream.close()
                self.path.unlink()
            self._stream = None

    def _cut(self) -> None:
        """Drop what follows the last whole line."""
        if self._stream is not None:
            self._stream.truncate(self._end)
            self._stream.seek(self._end)

    @staticmethod
    def _create(path: Path) -> FileIO:
        path.parent.mkdir(parents=True, exist_ok=True)
        stream = FileIO(path, "x")
        sync_folder(path.parent)
        return stream


def read_journal(path: Path) -> JournalRecord:
    """Read a journal, one that a crash cut off included.

    Raises:
        DataError: it can't be read, or is no journal. The message names the line.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise DataError(f"{path}: the journal can't be read: {error.strerror or error}") from error
    lines.pop()  # what follows the last line end: nothing, or a line that was cut off
    header = _parse(path, 1, lines[0]) if lines else {}
    if header.get("format") != FORMAT:
        raise DataError(f"{path}: this is not a journal of photodefect")
    if header.get("version") != VERSION:
        raise DataError(f"{path}: a journal of version {header.get('version')!r} can't be read, only of {VERSION}")
    entries: dict[int, Entry] = {}
    for number, line in enumerate(lines[1:], start=2):
        event = _parse(path, number, line)
        try:
            entry = _entry(event) if event["event"] == "begin" else _advance(entries[event["id"]], event)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{path}, line {number}: this is not an event of a journal") from error
        entries[entry.id] = entry
    return JournalRecord(path, str(header.get("title", "")), str(header.get("created", "")), tuple(entries.values()))


def _plain(entry: Entry) -> dict[str, object]:
    """The fields of an action that are set, as JSON has them."""
    paths = {"target": entry.target, "source": entry.source, "part": entry.part}
    plain: dict[str, object] = {key: str(path) for key, path in paths.items() if path is not None}
    others = {"size": entry.size, "mtime_ns": entry.mtime_ns, "text": entry.text, "sha256": entry.sha256}
    plain |= {key: value for key, value in others.items() if value is not None}
    if entry.before is not None:
        plain["before"] = b64encode(entry.before).decode("ascii")
    return plain


def _entry(event: Mapping[str, Any]) -> Entry:
    if event["kind"] not in get_args(Kind):
        raise ValueError(event["kind"])
    target = Path(event["target"])
    if not target.is_absolute():
        raise ValueError(target)
    return Entry(
        id=int(event["id"]),
        kind=event["kind"],
        target=target,
        source=_path(event.get("source")),
        size=event.get("size"),
        mtime_ns=event.get("mtime_ns"),
        part=_path(event.get("part")),
        text=event.get("text"),
        before=b64decode(event["before"], validate=True) if "before" in event else None,
        sha256=event.get("sha256"),
    )


def _advance(entry: Entry, event: Mapping[str, Any]) -> Entry:
    if event["event"] not in get_args(State):
        raise ValueError(event["event"])
    return replace(entry, state=event["event"], sha256=event.get("sha256", entry.sha256))


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _parse(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except ValueError as error:
        raise DataError(f"{path}, line {number}: this is not a journal of photodefect, or it is damaged") from error
    if not isinstance(event, dict):
        raise DataError(f"{path}, line {number}: this is not an event of a journal")
    return event


def _line(event: Mapping[str, object]) -> bytes:
    return json.dumps(event).encode("ascii") + b"\n"


def _unwritable(path: Path, error: OSError) -> TransferError:
    if isinstance(error, FileExistsError):
        return TransferError(f"{path}: there is a file of this name already; a journal is never overwritten")
    return TransferError(f"{path}: the journal can't be written, so nothing more is done: {error.strerror or error}")
