"""Writing sidecars: each is read, merged into, noted in the journal and replaced.

A plan is the same with files that only pretend.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from photodefect.errors import SidecarError, TransferError, UnreadableError
from photodefect.files.fingerprint import Fingerprint, fingerprint
from photodefect.files.journal import Journal
from photodefect.files.operations import FileOperations, SourceChangedError
from photodefect.files.unfinished import unique_part
from photodefect.photos.files import open_regular
from photodefect.printable import printable
from photodefect.sidecars.marks import Marks
from photodefect.sidecars.sources import Sources
from photodefect.sidecars.xml_text import MAX_BYTES
from photodefect.sidecars.xmp import Merge, XmpDocument

_ATTEMPTS: Final = 3
"""How often a sidecar that another program changes meanwhile is read again."""

_FULL: Final = frozenset((errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)))


@dataclass(frozen=True)
class SidecarTask:
    """What is to be said about a photo, and where.

    Attributes:
        path: the sidecar.
        marks: what it is to say.
        sources: what else may tell what the person said.
    """

    path: Path
    marks: Marks
    sources: Sources = field(default_factory=Sources)


@dataclass(frozen=True)
class Written:
    """A sidecar that was written, or would be.

    Attributes:
        path: the sidecar.
        new: it wasn't there.
        merge: what changed.
        removed: it isn't there any more.
    """

    path: Path
    new: bool
    merge: Merge
    removed: bool = False

    def __str__(self) -> str:
        """For people: the name, and what changed."""
        told = ", ".join((*self.merge.changes, *self.merge.kept))
        return printable(f"{self.path}{' (new)' if self.new else ' (removed)' if self.removed else ''}: {told}")


@dataclass(frozen=True)
class Refused:
    """A sidecar that is left as it is, and why."""

    path: Path
    reason: str

    def __str__(self) -> str:
        return printable(f"{self.path} is left alone: {self.reason}")


@dataclass(frozen=True)
class SidecarOutcome:
    """What was done, or would be.

    Attributes:
        written: sidecars that changed.
        unchanged: number of sidecars that say it already.
        refused: sidecars that are left as they are, and why.
    """

    written: tuple[Written, ...]
    unchanged: int
    refused: tuple[Refused, ...]


def write_sidecars(
    tasks: Iterable[SidecarTask],
    journal: Journal,
    *,
    files: FileOperations | None = None,
    overwrite: bool = False,
    on_written: Callable[[Written], None] | None = None,
    whole: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> SidecarOutcome:
    """Say what is to be said about photos, each in its sidecar.

    A sidecar appears whole or not at all, and keeps its permissions; one that is a symbolic link stays one. A new one
    starts from the XMP in the photo's own file. A photo about which there is nothing to say gets no sidecar; in one
    that is there already, what we said before is taken back.

    Args:
        tasks: sidecars, each once, and what they are to say.
        journal: where every step is written before it is taken. ``Journal(None)`` writes nothing.
        files: what does it; :class:`~photodefect.files.operations.DryRunOperations` only pretends.
        overwrite: replace a person's rating and label.
        on_written: called after every sidecar.
        whole: entered around every sidecar, e.g. to hold interrupts back meanwhile.

    Raises:
        TransferError: the disk is full or the journal can't be written; the message says how much is done.
    """
    files = files or FileOperations()
    changes = ((task.path, partial(_change, task, overwrite=overwrite), task.marks.worth_a_file) for task in tasks)
    return change_sidecars(changes, journal, files, on_written=on_written, whole=whole)


def change_sidecars(
    changes: Iterable[tuple[Path, Callable[[FoundSidecar], Change | None], bool]],
    journal: Journal,
    files: FileOperations,
    *,
    on_written: Callable[[Written], None] | None,
    whole: Callable[[], AbstractContextManager[None]],
) -> SidecarOutcome:
    """Change sidecars one after the other; one that can't be is left as it is.

    Args:
        changes: of each sidecar its path, what tells what is to become of it, and whether it counts
            if nothing is.
        journal: where every step is written before it is taken.
        files: what does it.
        on_written: called after every sidecar.
        whole: entered around every sidecar.

    Raises:
        TransferError: the disk is full or the journal can't be written; the message says how much is done.
    """
    written: list[Written] = []
    refused: list[Refused] = []
    unchanged = 0
    for path, change, counts in changes:
        with whole():
            try:
                done = change_sidecar(path, change, journal, files)
            except SidecarError as error:
                refused.append(Refused(path, str(error)))
                continue
            except TransferError as error:
                raise TransferError(f"{error}; sidecars changed before that: {len(written)}") from error
            if done is None:
                unchanged += counts
                continue
            written.append(done)
            if on_written is not None:
                on_written(done)
    return SidecarOutcome(tuple(written), unchanged, tuple(refused))


def read_sidecar(path: Path) -> XmpDocument | None:
    """What is in a sidecar; None if there is none.

    Raises:
        SidecarError: it can't be read.
    """
    data = _read(path).data
    return None if data is None else XmpDocument(data)


@dataclass(frozen=True)
class FoundSidecar:
    """A sidecar as it is.

    Attributes:
        path: absolute; the file that a symbolic link points to.
        data: what is in it; None if there is none.
        fingerprint: of the file; None if there is none.
        protected: nobody may write to it.
    """

    path: Path
    data: bytes | None = None
    fingerprint: Fingerprint | None = None
    protected: bool = False


@dataclass(frozen=True)
class Change:
    """What is to become of a sidecar.

    Attributes:
        document: changed.
        merge: what changed in it.
        remove: the file goes.
    """

    document: XmpDocument
    merge: Merge
    remove: bool = False


def _change(task: SidecarTask, found: FoundSidecar, *, overwrite: bool) -> Change | None:
    """What is to become of a sidecar; None if nothing is.

    Raises:
        SidecarError: it can't be read.
    """
    try:
        document = _document(found, task)
    except SidecarError:
        if task.marks.worth_a_file:
            raise
        return None  # nobody wanted anything of it
    if document is None:
        return None
    said = task.sources.said(beside_own=found.data is None)
    return Change(document, document.merge(task.marks, overwrite=overwrite, said=said))


def change_sidecar(
    path: Path,
    change: Callable[[FoundSidecar], Change | None],
    journal: Journal,
    files: FileOperations,
) -> Written | None:
    """Read a sidecar, have it changed, and replace it; again if another program was faster.

    Raises:
        SidecarError: it is left as it is.
        TransferError: and so will be all others.
    """
    for _ in range(_ATTEMPTS):
        found = _read(path)
        changed = change(found)
        if changed is None or not changed.document.changed:
            return None
        if found.protected:
            raise SidecarError("it is write-protected")
        if not os.access(found.path.parent, os.W_OK):
            raise SidecarError(f"nothing may be written to {found.path.parent}")
        try:
            if changed.remove:
                _remove(found, journal, files)
            else:
                _replace(found, changed.document.to_bytes(), journal, files)
        except (FileExistsError, SourceChangedError):
            continue  # another program was faster; what it wrote isn't lost
        except OSError as error:
            if error.errno in _FULL:
                raise TransferError(f"{found.path.parent}: the disk is full; make room and run again") from error
            raise SidecarError(f"it can't be written: {error.strerror or error}") from error
        return Written(path, found.data is None, changed.merge, changed.remove)
    raise SidecarError("another program keeps changing it; run again when that is done")


def _document(found: FoundSidecar, task: SidecarTask) -> XmpDocument | None:
    """The document to merge into, or None if there is nothing to say or to take back.

    Raises:
        SidecarError: it can't be read as XMP.
    """
    if found.data is None:
        return task.sources.new_document() if task.marks.worth_a_file else None
    document = XmpDocument(found.data)
    return document if task.marks.worth_a_file or document.has_ours else None


def _read(path: Path) -> FoundSidecar:
    """A sidecar as it is.

    Raises:
        SidecarError: it can't be read.
    """
    try:
        target = path.resolve() if path.is_symlink() else path.absolute()
        if not os.path.lexists(target):
            return FoundSidecar(target)
        with open_regular(target) as file:
            status = os.fstat(file.fileno())
            data = file.read(MAX_BYTES + 1)
    except UnreadableError as error:
        raise SidecarError(str(error)) from error
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        raise SidecarError(f"it can't be read: {error}") from error
    protected = not status.st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)
    return FoundSidecar(target, data, Fingerprint.of(status), protected)


def _replace(found: FoundSidecar, data: bytes, journal: Journal, files: FileOperations) -> None:
    part = unique_part(found.path)
    checksum = hashlib.sha256(data).hexdigest()
    entry = journal.begin("write", found.path, part=part, before=found.data, sha256=checksum)
    try:
        files.write(found.path, data, part, replaces=found.fingerprint)
    except (OSError, SourceChangedError) as error:
        # On a full disk the journal may be full, too. It has the beginning: undo finds that nothing came of it.
        with suppress(TransferError):
            journal.failed(entry, str(error))
        raise
    journal.done(entry)


def _remove(found: FoundSidecar, journal: Journal, files: FileOperations) -> None:
    entry = journal.begin("write", found.path, before=found.data)  # without a checksum: nothing is there afterwards
    if fingerprint(found.path) != found.fingerprint:
        journal.failed(entry, "it was changed meanwhile")
        raise SourceChangedError("it was changed meanwhile")
    files.remove_own(found.path)
    journal.done(entry)
