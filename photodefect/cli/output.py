"""Where a command writes its data: to stdout, or to a file that appears complete or not at all."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TextIO

from photodefect.errors import DataError
from photodefect.files.unfinished import clear_leftovers, lock, part_of
from photodefect.photos.files import is_one_of

STDOUT = Path("-")


@contextmanager
def open_output(path: Path | None, *, force: bool, errors: str, encoding: str = "utf-8") -> Iterator[TextIO]:
    """Open the place where a report goes.

    A file is written beside its final name and renamed when all is written; if the block raises, nothing is left.

    Args:
        path: the file; None or ``-`` for stdout.
        force: replace a file that is there already.
        errors: how the encoding treats what isn't Unicode.
        encoding: of the text.

    Yields:
        The stream, without translation of line ends.

    Raises:
        DataError: the file is there already and ``force`` is not set, or its folder isn't there.
        OSError: it can't be written.
    """
    if path is None or path == STDOUT:
        with _stdout(encoding, errors) as stream:
            yield stream
        return
    if path.exists() and not path.is_file():  # a device or a pipe; a folder is refused by open()
        with path.open("w", encoding=encoding, errors=errors, newline="") as stream:
            yield stream
        return
    check_output(path, force=force)
    # A link given as the target stays a link; the file that it points to is replaced.
    target = path.resolve()
    clear_leftovers([target])
    part = part_of(target)
    stream = part.open("x", encoding=encoding, errors=errors, newline="")
    try:
        lock(stream)
        with stream:
            if target.exists():
                part.chmod(target.stat().st_mode & 0o7777)
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        check_output(path, force=force)
        part.replace(target)
    except OSError as error:
        if error.filename is None and error.errno is not None:  # a full disk doesn't say of which file
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def open_growing(path: Path | None, *, force: bool, errors: str, encoding: str = "utf-8") -> Iterator[TextIO]:
    """Open the place where the records of a run without an end go: a file is there at once and grows as they come.

    Arguments and errors are those of :func:`open_output`.
    """
    if path is None or path == STDOUT:
        with _stdout(encoding, errors) as stream:
            yield stream
        return
    check_output(path, force=force)
    with path.open("w", encoding=encoding, errors=errors, newline="") as stream:
        yield stream


def check_output(
    path: Path | None,
    *,
    force: bool,
    originals: Sequence[str] = (),
    read: Mapping[Path, str] = MappingProxyType({}),
) -> None:
    """Refuse a target before any work is done for it.

    Args:
        path: the target.
        force: it may be replaced if it is there.
        originals: photos; none of them may be the target, ``force`` or not.
        read: other files of which that holds, and what each of them holds.

    Raises:
        DataError: as :func:`open_output`, or the target is one of the originals, or of the files that are read.
    """
    if path is None or path == STDOUT:
        return
    for source, what in read.items():
        if path.is_file() and source.exists() and path.samefile(source):
            raise DataError(f"{path} holds {what} and is never written to. Name another file.")
    if path.is_file() and not force:
        raise DataError(f"{path} is there already; --force replaces it")
    if path.is_file() and is_one_of(path, originals):
        raise DataError(f"{path} is one of the photos; originals are never written to")
    if path.is_dir():
        raise DataError(f"{path} is a folder; --output takes a file")
    if not path.absolute().parent.is_dir():
        raise DataError(f"{path.absolute().parent} is not a folder, so {path.name} can't be written there")


@contextmanager
def _stdout(encoding: str, errors: str) -> Iterator[TextIO]:
    sys.stdout.flush()
    stream = io.TextIOWrapper(sys.stdout.buffer, encoding=encoding, errors=errors, newline="", write_through=True)
    try:
        yield stream
        stream.flush()
    finally:
        # Given back, not closed: stdout belongs to the process.
        stream.detach()
