"""Undoing what a journal says, as far as it can be done without losing anything.

Moved files go back where they came from. Copies, links and sidecars that we made are removed, and changed sidecars
restored, if they still are what we made of them; a copy also only while its original is there. Folders that we made
are removed if nothing is in them. Nothing else is ever removed, nothing is overwritten, and what can't be taken back
is reported and stays.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from photodefect.files.fingerprint import Fingerprint, fingerprint, sha256_of
from photodefect.files.journal import Entry, Journal, JournalRecord
from photodefect.files.operations import FileOperations, SourceChangedError
from photodefect.files.unfinished import PART_PREFIX
from photodefect.printable import printable


class RefusalError(Exception):
    """Something can't be taken back; says why, and what to do."""


@dataclass(frozen=True)
class UndoStep:
    """One thing that is taken back.

    Attributes:
        entry: what was done.
        what: what is done about it, for people.
    """

    entry: Entry
    what: str

    def __str__(self) -> str:
        return printable(self.what)


@dataclass(frozen=True)
class UndoOutcome:
    """What was taken back, or would be.

    Attributes:
        steps: what was done, in order.
        refused: what can't be taken back, and why.
        notes: what is worth knowing beside that, e.g. folders that aren't empty.
    """

    steps: tuple[UndoStep, ...]
    refused: tuple[str, ...]
    notes: tuple[str, ...]


def undo(
    record: JournalRecord,
    journal: Journal,
    *,
    files: FileOperations | None = None,
    on_step: Callable[[UndoStep], None] | None = None,
    whole: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> UndoOutcome:
    """Take back what a journal says, last things first.

    What was taken back is noted in the journal, so that doing it twice does no more than once.

    Args:
        record: from :func:`~photodefect.files.journal.read_journal`.
        journal: ``Journal.reopen(record)``, or ``Journal(None)`` to write nothing.
        files: what does it; :class:`~photodefect.files.operations.DryRunOperations` only pretends.
        on_step: called after every step.
        whole: entered around every step, e.g. to hold interrupts back meanwhile.

    Raises:
        TransferError: the journal can't be written.
    """
    files = files or FileOperations()
    steps: list[UndoStep] = []
    refused: list[str] = []
    notes: list[str] = []
    for entry in reversed(record.open_entries):
        try:
            with whole():
                what = take_back(entry, journal, files)
        except RefusalError as error:
            (notes if entry.kind == "folder" else refused).append(printable(str(error)))
        except (OSError, SourceChangedError) as error:
            reason = error.strerror or str(error) if isinstance(error, OSError) else str(error)
            refused.append(printable(f"{entry.target}: {reason}"))
        else:
            if what:
                step = UndoStep(entry, what)
                steps.append(step)
                if on_step is not None:
                    on_step(step)
    return UndoOutcome(tuple(steps), tuple(refused), tuple(notes))


def take_back(entry: Entry, journal: Journal, files: FileOperations) -> str:
    """Take back one action and note it.

    Returns:
        What was done about it, or nothing if there was nothing to do.

    Raises:
        RefusalError: it can't be done without loss.
        OSError: it could not be done.
        SourceChangedError: a file was changed at the same time.
    """
    part = entry.part
    if part is not None and entry.state != "done" and files.exists(part):
        files.remove_own(part)  # the name was made up for this one copy
    what = "; ".join(_STEPS[entry.kind](entry, files))
    journal.undone(entry)
    return what


def _undo_folder(entry: Entry, files: FileOperations) -> Iterator[str]:
    if files.exists(entry.target) and entry.target.is_dir() and not entry.target.is_symlink():
        if not files.is_empty(entry.target):
            raise RefusalError(
                f"{entry.target} stays: there are files in it that this journal doesn't know or can't take back"
            )
        files.remove_empty_folder(entry.target)
        yield f"remove folder {entry.target}"


def _undo_copy(entry: Entry, files: FileOperations) -> Iterator[str]:
    if not files.exists(entry.target) or entry.sha256 is None:  # without a checksum it never got its name
        return
    if sha256_of(entry.target) != entry.sha256:
        if entry.state != "done":
            return  # a crash came first; the name is somebody else's
        raise RefusalError(f"{entry.target} stays: it was changed since it was copied")
    if not _is_original(entry):
        raise RefusalError(
            f"{entry.target} stays: its original {entry.source} is gone or changed; this may be the last copy"
        )
    files.remove_own(entry.target)
    yield f"remove copy {entry.target}"


def _undo_link(entry: Entry, files: FileOperations) -> Iterator[str]:
    if not files.exists(entry.target):
        return
    if not entry.target.is_symlink() or os.readlink(entry.target) != entry.text:  # noqa: PTH115  text, not a path
        if entry.state == "done":
            raise RefusalError(f"{entry.target} stays: it is no longer the link that was made")
        return
    files.remove_own(entry.target)
    yield f"remove link {entry.target}"


def _undo_move(entry: Entry, files: FileOperations) -> Iterator[str]:
    target, source = entry.target, _source(entry)
    part = _part_beside(source, entry)
    if files.exists(part):
        files.remove_own(part)  # of an undoing that was cut off
    there, back = files.exists(target), files.exists(source)
    if there and back:
        yield from _undo_half_move(entry, source, files)
        return
    if back:
        return  # it never went, or came back already
    if not there:
        raise RefusalError(f"{source}: it is gone from there and from {target}")
    unchanged = _is_unchanged(target, entry)
    if entry.state == "begin" and not unchanged:
        raise RefusalError(f"{target} stays: it is not the file that was {source}, which is gone")
    missing = _missing_folders(source.parent, files)
    for folder in missing:
        files.make_folder(folder)
    files.move(target, source, part, lambda _sha256: None)
    if unchanged and entry.mtime_ns is not None:
        files.set_time(source, entry.mtime_ns)  # which the other disk may have kept more coarsely
    yield f"move back {target} -> {source}" + ("" if unchanged else " (changed since)")


def _undo_half_move(entry: Entry, source: Path, files: FileOperations) -> Iterator[str]:
    """Both names are taken: by a crash between copying and removing, on the way there or back, or by another file."""
    target = entry.target
    linked = os.path.samestat(source.lstat(), target.lstat())
    # Without a checksum nothing was copied, neither there nor back: then two names of one content are two people's.
    copied = entry.sha256 is not None and (content := sha256_of(target)) is not None and content == sha256_of(source)
    if linked or copied:
        files.remove_own(target)
        yield f"remove second name {target} of {source}" if linked else f"remove copy {target} of {source}"
    elif entry.state == "done":
        raise RefusalError(f"{target} stays: another file is at {source} by now; nothing is overwritten")
    elif entry.size and target.lstat().st_size == 0:
        raise RefusalError(f"{target} is empty: it may be what a crash left; if it isn't yours, remove it")


def _undo_write(entry: Entry, files: FileOperations) -> Iterator[str]:
    target = entry.target
    now = sha256_of(target) if files.exists(target) else None
    before = None if entry.before is None else hashlib.sha256(entry.before).hexdigest()
    if now == before:
        return
    if now != entry.sha256:
        if now is None or entry.state == "done":
            raise RefusalError(f"{target} stays: it was changed since it was written")
        return
    if entry.before is None:
        files.remove_own(target)
        yield f"remove sidecar {target}"
    else:
        current = fingerprint(target)
        files.write(target, entry.before, _part_beside(target, entry), replaces=current)
        yield f"restore sidecar {target}"


_STEPS: dict[str, Callable[[Entry, FileOperations], Iterator[str]]] = {
    "folder": _undo_folder,
    "copy": _undo_copy,
    "link": _undo_link,
    "move": _undo_move,
    "write": _undo_write,
}


def _source(entry: Entry) -> Path:
    if entry.source is None:
        raise RefusalError(f"{entry.target} stays: the journal doesn't say where it came from")
    return entry.source


def _is_unchanged(target: Path, entry: Entry) -> bool:
    """Whether a moved file is as it was: by its size and time, or by its content where a disk keeps times coarsely."""
    current, before = fingerprint(target), entry.fingerprint
    if current is None or before is None or current.size != before.size:
        return False
    if current == before:
        return True
    return current.may_be(before) if entry.sha256 is None else sha256_of(target) == entry.sha256


def _is_original(entry: Entry) -> bool:
    """Whether the original of a copy is there, so that the copy isn't the last one."""
    source = _source(entry)
    current: Fingerprint | None = fingerprint(source)
    if current is None or current.size != entry.size:
        return False
    # A file of the same size and time may still be another; that it is the copied one costs a reading.
    return sha256_of(source.resolve()) == entry.sha256


def _missing_folders(folder: Path, files: FileOperations) -> list[Path]:
    missing: list[Path] = []
    while not files.exists(folder):
        missing.append(folder)
        folder = folder.parent
    return missing[::-1]


def _part_beside(path: Path, entry: Entry) -> Path:
    # Of a name that a second attempt finds again.
    name = entry.part.name if entry.part is not None else f"{PART_PREFIX}undo-{entry.id}.part"
    return path.with_name(name)
