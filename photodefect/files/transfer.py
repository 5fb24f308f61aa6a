"""Carrying out a plan, file by file, with every step in the journal before it is taken."""

from __future__ import annotations

import errno
import os
import shlex
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from photodefect.errors import TransferError
from photodefect.files.fingerprint import fingerprint
from photodefect.files.journal import Entry, Journal
from photodefect.files.operations import FileOperations, SourceChangedError
from photodefect.files.plan import Action, Skipped, TransferPlan, some_files
from photodefect.files.undo import RefusalError, take_back
from photodefect.files.unfinished import unique_part

OnAction = Callable[[Action], None]

_HOPELESS: Final = frozenset(
    getattr(errno, name)
    for name in ("ENOSPC", "EDQUOT", "EROFS", "EACCES", "EPERM", "EIO", "ENODEV", "ESTALE", "EMFILE", "EFBIG")
    if hasattr(errno, name)
)
"""What will go wrong with the next file, too."""

_NO_LINKS: Final = frozenset(getattr(errno, name) for name in ("EPERM", "EINVAL", "ENOSYS", "ENOTSUP", "EOPNOTSUPP"))
"""How it is said that there are no symbolic links: by file systems of memory cards, and by Windows (as EINVAL), where a
person needs a privilege for them."""


@dataclass(frozen=True)
class TransferOutcome:
    """What was done.

    Attributes:
        done: the files that went their way.
        skipped: the photos that stayed, and why.
        journal: where the journal lies; None if nothing was written.
    """

    done: tuple[Action, ...]
    skipped: tuple[Skipped, ...]
    journal: Path | None


def apply(
    plan: TransferPlan,
    journal: Journal,
    *,
    files: FileOperations | None = None,
    on_action: OnAction | None = None,
    whole: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> TransferOutcome:
    """Carry out a plan.

    A group of files goes together or not at all: one that changed, vanished or met a taken name since the plan was
    made is skipped whole, and said so; what was already done for it is taken back.

    Args:
        plan: from :func:`~photodefect.files.plan.plan_transfer`.
        journal: where every step is written before it is taken. ``Journal(None)`` writes nothing.
        files: what does it; :class:`~photodefect.files.operations.DryRunOperations` only pretends.
        on_action: called with every file of a group when all of it is done.
        whole: entered around every group, e.g. to hold interrupts back meanwhile.

    Raises:
        TransferError: the disk is full, the target is read-only, the journal can't be written or the like. The group
            in work is taken back; the message says how much is done, and where the journal lies that undoes it.
    """
    files = files or FileOperations()
    done: list[Action] = []
    skipped = list(plan.skipped)
    for group in plan.groups:
        with whole():
            try:
                reason = _transfer_group(group, journal, files)
            except TransferError as error:
                raise TransferError(f"{error}. {_so_far(done, plan, journal)}") from error
            if reason is not None:
                skipped.append(reason)
                continue
            done += group
            for action in group:
                if on_action is not None:
                    on_action(action)
    return TransferOutcome(tuple(done), tuple(skipped), journal.path if journal.begun else None)


def _transfer_group(group: Sequence[Action], journal: Journal, files: FileOperations) -> Skipped | None:
    """Let files go together.

    Returns:
        Why they didn't, or None.

    Raises:
        TransferError: nor will any other.
    """
    photo = group[0].source
    entries: list[Entry] = []
    for action in group:
        reason = _changed(action)
        if reason:
            return Skipped(photo, f"{_relation(action, photo)}{reason}")
    for action in group:
        try:
            _make_folders(action.target.parent, journal, files, entries)
            _transfer(action, journal, files, entries)
        except (OSError, SourceChangedError, TransferError) as error:
            left = _roll_back(entries, journal, files)
            if isinstance(error, TransferError):
                raise TransferError(f"{error}{left}") from error
            if isinstance(error, OSError) and (error.errno in _HOPELESS or _lacks_links(error, action)):
                raise TransferError(f"{_explain(error, action)}{left}") from error
            reason = str(error) if isinstance(error, SourceChangedError) else _explain(error, action)
            return Skipped(photo, f"{_relation(action, photo)}{reason}{left}")
    return None


def _transfer(action: Action, journal: Journal, files: FileOperations, entries: list[Entry]) -> None:
    fields = {
        "source": action.source,
        "size": action.fingerprint.size,
        "mtime_ns": action.fingerprint.mtime_ns,
    }
    if files.exists(action.target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(action.target))
    part = unique_part(action.target)
    if action.mode == "link":
        text = action.text or str(action.source)
        entry = journal.begin("link", action.target, text=text, **fields)
    else:
        entry = journal.begin(action.mode, action.target, part=part, **fields)

    def verified(sha256: str) -> None:
        nonlocal entry
        entry = journal.verified(entry, sha256)

    try:
        if action.mode == "link":
            files.link(text, action.target)
        elif action.mode == "copy":
            files.copy(action.source, action.target, part, verified)
        else:
            files.move(action.source, action.target, part, verified)
    except (OSError, SourceChangedError) as error:
        # On a full disk the journal may be full, too. It has the beginning: undo finds that nothing came of it.
        with suppress(TransferError):
            journal.failed(entry, str(error))
        raise
    _done(entry, journal, entries)


def _done(entry: Entry, journal: Journal, entries: list[Entry]) -> None:
    entries.append(entry)  # first: what can't be noted must be taken back all the same
    entries[-1] = journal.done(entry)


def _make_folders(folder: Path, journal: Journal, files: FileOperations, entries: list[Entry]) -> None:
    missing: list[Path] = []
    while not files.exists(folder):
        missing.append(folder)
        folder = folder.parent
    for path in reversed(missing):
        entry = journal.begin("folder", path)
        try:
            files.make_folder(path)
        except OSError as error:
            with suppress(TransferError):
                journal.failed(entry, str(error))
            if not (isinstance(error, FileExistsError) and path.is_dir()):
                raise
        else:
            _done(entry, journal, entries)


def _changed(action: Action) -> str | None:
    """What is wrong with a source that was fine when the plan was made."""
    try:
        current = fingerprint(action.source)
    except OSError as error:
        return f"it is out of reach: {error.strerror or error}"
    if current is None:
        return "it is gone since the plan was made"
    if current != action.fingerprint:
        return "it was changed since the plan was made; run again"
    if action.mode == "move" and action.source.is_symlink():
        return "it became a symbolic link since the plan was made"
    return None


def _roll_back(entries: Sequence[Entry], journal: Journal, files: FileOperations) -> str:
    """Take back what was done for a group that can't be completed.

    Returns:
        What to add to the message: nothing, or that something is left.
    """
    left = 0
    for entry in reversed(entries):
        try:
            take_back(entry, journal, files)
        except TransferError:
            pass  # taken back, but it could not be noted: undo finds that there is nothing to do
        except (OSError, RefusalError, SourceChangedError):
            left += 1
    return f" ({left} files that belong to it went before and could not be taken back)" if left else ""


def _relation(action: Action, photo: Path) -> str:
    return "" if action.source == photo else f"of {action.source.name}, which belongs to it: "


def _explain(error: OSError, action: Action) -> str:
    if error.errno == errno.EEXIST:
        return f"{action.target} appeared since the plan was made, and nothing is overwritten; run again"
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return f"{action.target.parent}: the disk is full; make room or give another target"
    if error.errno == errno.EROFS:
        return f"{error.filename or action.target.parent}: the file system is read-only; give another target"
    if _lacks_links(error, action):
        advice = ", or switch on its developer mode" if os.name == "nt" else ""
        return (
            f"{action.target.parent}: the system makes no symbolic links there ({error.strerror or error}); "
            f"take copies by --copy-to instead of --link-to{advice}"
        )
    what = {"copy": "copied", "link": "linked", "move": "moved"}[action.mode]
    return f"{action.source} can't be {what} to {action.target}: {error.strerror or error}"


def _lacks_links(error: OSError, action: Action) -> bool:
    return action.mode == "link" and error.errno in _NO_LINKS


def _so_far(done: Sequence[Action], plan: TransferPlan, journal: Journal) -> str:
    if not done:
        return "Nothing is done"
    told = f"{len(done)} of {some_files(len(plan.actions))} went"
    return told if journal.path is None else f"{told}; to take them back: {undo_command(journal.path)}"


def undo_command(journal: Path) -> str:
    """What a person types to take back what a journal says."""
    return f"photodefect undo {shlex.quote(str(journal))} --apply"
