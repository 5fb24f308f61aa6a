"""What is done to files, each step safe against races and crashes, and the dry run that only says what would be done.

No name is ever taken from another file: what is new is made under a hidden name of its own and then given its name by
a hard link, which fails if the name is taken. File systems without hard links (memory cards) get an empty file made
exclusively instead, which is then replaced.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from photodefect.files.fingerprint import Fingerprint, chunks, hash_stream

_NO_HARD_LINKS: Final = frozenset(
    getattr(errno, name) for name in ("EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK", "EINVAL")
)

OnVerified = Callable[[str], None]


class SourceChangedError(Exception):
    """A file that was to be copied or moved is not what it was; the message says how."""


class FileOperations:
    """Makes, copies, links, moves, writes and removes files.

    Every method either does all of it, or raises and leaves things as they were.
    """

    dry: bool = False

    def exists(self, path: Path) -> bool:
        """Whether the name is taken, be it by a link to nowhere."""
        return os.path.lexists(path)

    def is_empty(self, folder: Path) -> bool:
        """Whether nothing is in a folder."""
        return not os.listdir(folder)  # noqa: PTH208  names suffice

    def make_folder(self, path: Path) -> None:
        """Make one folder; its parent is there.

        Raises:
            FileExistsError: the name is taken.
            OSError: it can't be made.
        """
        path.mkdir()
        sync_folder(path.parent)

    def copy(self, source: Path, target: Path, part: Path, on_verified: OnVerified) -> None:
        """Copy a file with its times and permissions, and read the copy again to compare.

        Args:
            source: a file, or a symbolic link to one.
            target: the copy.
            part: hidden name in the same folder under which the copy is made.
            on_verified: called with the SHA-256 before the copy gets its name.

        Raises:
            SourceChangedError: the source can't be read, or changes meanwhile.
            FileExistsError: the target's name is taken.
            OSError: the copy can't be written, or reads back differently.
        """
        try:
            self._copy_to_part(source, part, on_verified)
            _publish(part, target)
        finally:
            part.unlink(missing_ok=True)
        sync_folder(target.parent)

    def link(self, text: str, target: Path) -> None:
        """Make a symbolic link.

        Args:
            text: what it points to.
            target: the link.

        Raises:
            FileExistsError: the target's name is taken.
            OSError: it can't be made.
        """
        target.symlink_to(text)
        sync_folder(target.parent)

    def move(self, source: Path, target: Path, part: Path, on_verified: OnVerified) -> None:
        """Move a file; to another file system by a verified copy, and only then the source goes.

        Takes the arguments of :meth:`copy` and raises the same errors; ``on_verified`` is called only for a copy.
        """
        try:
            os.link(source, target)
        except FileNotFoundError as error:
            if not os.path.lexists(source):
                raise SourceChangedError("it is gone") from error
            raise
        except OSError as error:
            if error.errno == errno.EXDEV:
                self._move_across(source, target, part, on_verified)
            elif error.errno in _NO_HARD_LINKS:
                self._rename(source, target, part, on_verified)
            else:
                raise
        else:
            self._drop_source(source, target)
        sync_folder(target.parent)
        sync_folder(source.parent)

    def write(self, target: Path, data: bytes, part: Path, *, replaces: Fingerprint | None) -> None:
        """Write a small file whole or not at all.

        Args:
            target: the file.
            data: what to write.
            part: hidden name in the same folder.
            replaces: fingerprint of the file that is there and gives way, with its permissions kept; None if the
                name must be free.

        Raises:
            FileExistsError: the name is taken although it should be free.
            SourceChangedError: the file that is there is another by now.
            OSError: it can't be written.
        """
        try:
            with part.open("xb") as file:
                file.write(data)
                _sync(file)
            if replaces is None:
                _publish(part, target)
            else:
                with suppress(PermissionError):
                    shutil.copymode(target, part)
                if Fingerprint.of(target.stat()) != replaces:
                    raise SourceChangedError("it was changed meanwhile")
                part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        sync_folder(target.parent)

    def set_time(self, path: Path, mtime_ns: int) -> None:
        """Say when a file was changed last, as far as the system lets us."""
        with suppress(OSError):
            os.utime(path, ns=(path.stat().st_atime_ns, mtime_ns))

    def remove_own(self, path: Path) -> None:
        """Remove a copy, a link or an unfinished file that we made. That it is ours was checked by the caller."""
        path.unlink()
        sync_folder(path.parent)

    def remove_empty_folder(self, path: Path) -> None:
        """Remove a folder in which nothing is."""
        path.rmdir()

    def _copy_to_part(self, source: Path, part: Path, on_verified: OnVerified) -> None:
        try:
            original = source.open("rb")
        except OSError as error:
            raise SourceChangedError(f"it can't be read: {error.strerror or error}") from error
        with original:
            before = Fingerprint.of(os.fstat(original.fileno()))
            with part.open("xb") as copy:
                digest = _pour(original, copy)
                _sync(copy)
            # Attributes that the target's file system doesn't have are no reason not to copy.
            with suppress(PermissionError):
                shutil.copystat(source, part)
            if Fingerprint.of(os.fstat(original.fileno())) != before:
                raise SourceChangedError("it was changed while being copied")
        with part.open("rb") as copy:
            _forget_cached(copy)
            if hash_stream(copy) != digest or os.fstat(copy.fileno()).st_size != before.size:
                raise OSError(errno.EIO, "the copy reads back differently; is the disk failing?", str(part))
        on_verified(digest)

    def _move_across(self, source: Path, target: Path, part: Path, on_verified: OnVerified) -> None:
        before = source.stat()
        self.copy(source, target, part, on_verified)
        try:
            _check_unchanged(source, before)
            source.unlink()
        except (OSError, SourceChangedError):
            target.unlink()  # made a moment ago by the line above; the source is still there
            raise

    def _drop_source(self, source: Path, target: Path) -> None:
        """End a move after the target became a second name of the source."""
        try:
            _check_same(source, target)
            source.unlink()
        except (OSError, SourceChangedError):
            target.unlink()
            raise

    def _rename(self, source: Path, target: Path, part: Path, on_verified: OnVerified) -> None:
        try:
            _claim_and_replace(source, target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            self._move_across(source, target, part, on_verified)


class DryRunOperations(FileOperations):
    """Does nothing, but remembers what would be there, so that a plan is shown by the code that carries it out."""

    dry = True

    def __init__(self) -> None:
        self._made: set[Path] = set()
        self._gone: set[Path] = set()

    def exists(self, path: Path) -> bool:
        """Whether the name would be taken."""
        return path in self._made or (path not in self._gone and super().exists(path))

    def is_empty(self, folder: Path) -> bool:
        """Whether nothing would be in a folder."""
        if any(path.parent == folder for path in self._made):
            return False
        return not folder.is_dir() or all(path in self._gone for path in folder.iterdir())

    def make_folder(self, path: Path) -> None:
        """Pretend."""
        self._make(path)

    def copy(self, source: Path, target: Path, part: Path, on_verified: OnVerified) -> None:  # noqa: ARG002
        """Pretend."""
        self._make(target)

    def link(self, text: str, target: Path) -> None:  # noqa: ARG002
        """Pretend."""
        self._make(target)

    def move(self, source: Path, target: Path, part: Path, on_verified: OnVerified) -> None:  # noqa: ARG002
        """Pretend."""
        self._make(target)
        self._drop(source)

    def write(self, target: Path, data: bytes, part: Path, *, replaces: Fingerprint | None) -> None:  # noqa: ARG002
        """Pretend."""
        if replaces is None:
            self._make(target)

    def set_time(self, path: Path, mtime_ns: int) -> None:
        """Pretend."""

    def remove_own(self, path: Path) -> None:
        """Pretend."""
        self._drop(path)

    def remove_empty_folder(self, path: Path) -> None:
        """Pretend."""
        self._drop(path)

    def _make(self, path: Path) -> None:
        if self.exists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        self._gone.discard(path)
        self._made.add(path)

    def _drop(self, path: Path) -> None:
        self._made.discard(path)
        self._gone.add(path)


def _publish(part: Path, target: Path) -> None:
    """Give a finished file its name, which must be free."""
    try:
        os.link(part, target)
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        _claim_and_replace(part, target)


def _claim_and_replace(source: Path, target: Path) -> None:
    """Rename a file where there are no hard links: an empty file made exclusively holds the name until then."""
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    try:
        source.replace(target)
    except OSError:
        if target.stat().st_size == 0:
            target.unlink()
        raise


def _pour(source: BinaryIO, target: BinaryIO) -> str:
    """Copy a stream, and return the SHA-256 of what was read."""
    digest = hashlib.sha256()
    for chunk in _readable(chunks(source)):
        digest.update(chunk)
        target.write(chunk)
    return digest.hexdigest()


def _readable(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The pieces; that one can't be read is the source's fault, which the next file need not have."""
    try:
        yield from pieces
    except OSError as error:
        raise SourceChangedError(f"it can't be read: {error.strerror or error}") from error


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make names in a folder durable, where the system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _forget_cached(file: BinaryIO) -> None:
    """Have the next reading come from the disk, where the system can."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _check_unchanged(source: Path, before: os.stat_result) -> None:
    """A copy that is to replace its source must be of what the source still is."""
    if _identity(source.lstat()) != _identity(before):
        raise SourceChangedError("it was changed while being copied")


def _check_same(source: Path, target: Path) -> None:
    """Both names must be of one file before one of them goes."""
    if not os.path.samestat(source.lstat(), target.lstat()):
        raise SourceChangedError("it was replaced while being moved")
