"""Taking all of our marks back from the sidecars of a folder, whatever other programs made of them since."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path

from photodefect.errors import SidecarError
from photodefect.files.journal import Journal
from photodefect.files.operations import FileOperations
from photodefect.photos.formats import PHOTO_SUFFIXES
from photodefect.sidecars.locations import SUFFIX
from photodefect.sidecars.sources import document_of
from photodefect.sidecars.write import Change, FoundSidecar, SidecarOutcome, Written, change_sidecars
from photodefect.sidecars.xmp import XmpDocument


def find_sidecars(folder: Path, on_problem: Callable[[OSError], None] | None = None) -> Iterator[Path]:
    """All sidecars in a folder and those below it, sorted, without hidden ones.

    Args:
        folder: where.
        on_problem: called with what can't be looked into; the walk goes on.
    """
    for place, folders, names in os.walk(folder, onerror=on_problem):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.lower().endswith(SUFFIX) and not name.startswith("."):
                yield Path(place, name)


def take_back_sidecars(
    sidecars: Iterable[Path],
    journal: Journal,
    *,
    files: FileOperations | None = None,
    on_written: Callable[[Written], None] | None = None,
    whole: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> SidecarOutcome:
    """Take all that is ours back from sidecars.

    One that we made, and that says nothing beside what the photo's own file says, goes.

    Args:
        sidecars: each once.
        journal: where every step is written before it is taken. ``Journal(None)`` writes nothing.
        files: what does it; :class:`~photodefect.files.operations.DryRunOperations` only pretends.
        on_written: called after every sidecar.
        whole: entered around every sidecar, e.g. to hold interrupts back meanwhile.

    Raises:
        TransferError: the disk is full or the journal can't be written; the message says how much is done.
    """
    changes = ((path, partial(_change, path), True) for path in sidecars)
    return change_sidecars(changes, journal, files or FileOperations(), on_written=on_written, whole=whole)


def _change(path: Path, found: FoundSidecar) -> Change | None:
    """What is to become of a sidecar; None if nothing in it is ours.

    Raises:
        SidecarError: it can't be read as XMP.
    """
    if found.data is None:
        return None
    document = XmpDocument(found.data)
    if not document.has_ours:
        return None
    ours = document.is_new and not path.is_symlink()
    merge = document.take_back()
    return Change(document, merge, remove=ours and any(map(document.says_only, _starts(path))))


def _starts(sidecar: Path) -> Iterator[XmpDocument]:
    """What a new sidecar of this name would start from: nothing, or what is in a photo that it may belong to."""
    yield XmpDocument()
    stem = sidecar.name[: -len(SUFFIX)]
    for photo in sorted(sidecar.parent.iterdir()):
        named = stem in (photo.name, photo.stem) and photo.suffix.lower() in PHOTO_SUFFIXES
        if named and photo.is_file():
            try:
                yield document_of(photo)
            except SidecarError:
                continue
