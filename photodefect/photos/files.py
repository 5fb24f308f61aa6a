"""Reading a photo's file: once, whole, and only if it is a file that holds a photo."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from io import BufferedReader, FileIO
from pathlib import Path
from typing import cast

from photodefect.errors import TooLargeError, UnreadableError, UnsupportedError
from photodefect.photos.formats import HEAD_BYTES, PHOTO_SUFFIXES, Format, sniff
from photodefect.photos.limits import LIMITS, Limits

_COMPRESSED = frozenset(
    (Format.JPEG, Format.GIF, Format.WEBP, Format.JPEG2000, Format.AVIF, Format.HEIF, Format.JPEGXL)
)

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file for reading, without ever waiting for a pipe or touching a device.

    Raises:
        UnreadableError: there is no such file, it may not be read, or it is something else than a file.
    """
    try:
        _refuse_irregular(path.stat().st_mode)
        # The name may have become a pipe since: opening without blocking and looking again settles it.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        descriptor = os.open(path, flags)
        try:
            _refuse_irregular(os.fstat(descriptor).st_mode)
            return os.fdopen(descriptor, "rb")
        except BaseException:
            os.close(descriptor)
            raise
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise UnreadableError(_explain(error)) from error


def is_one_of(file: Path, others: Iterable[str]) -> bool:
    """Whether a file is one of others, by whatever name; what isn't there or is out of reach is none of them."""
    try:
        status = file.stat()
    except (OSError, ValueError):
        return False
    for other in others:
        try:
            if os.path.samestat(os.stat(other), status):  # noqa: PTH116  there may be many; a Path costs as much again
                return True
        except (OSError, ValueError):
            continue
    return False


def read_photo(path: Path, limits: Limits = LIMITS) -> bytes:
    """The bytes of a photo's file.

    Raises:
        UnreadableError: it can't be read, or is empty.
        UnsupportedError: its first bytes are not those of a known photo format.
        TooLargeError: it is larger than the limits allow; it is not read then.
    """
    with open_regular(path) as file:
        try:
            head = file.read(HEAD_BYTES)
            kind = _known_kind(head, path.suffix.lower())
            size = os.fstat(file.fileno()).st_size
            if size > (limits.compressed_bytes if kind in _COMPRESSED else limits.file_bytes):
                raise TooLargeError(f"the file has {size / 1024**3:.1f} GiB, more than any {kind.value} photo")
            # Past its buffer, which would put what it holds and the rest together in memory taken anew.
            unbuffered = cast(FileIO, file.raw)
            unbuffered.seek(0)
            return unbuffered.readall()
        except MemoryError as error:
            raise TooLargeError(f"the file has {size / 1024**3:.1f} GiB, more than there is memory for") from error
        except OSError as error:
            raise UnreadableError(_explain(error)) from error


def _refuse_irregular(mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = next((name for test, name in _KINDS if test(mode)), "something else")
        raise UnreadableError(f"this is {kind}, not a file")


def _known_kind(head: bytes, suffix: str) -> Format:
    if not head:
        raise UnreadableError("the file is empty")
    kind = sniff(head)
    if kind is None:
        if not any(head):
            raise UnreadableError("the file is damaged: it starts with zeros instead of a photo")
        hint = f" in spite of its ending {suffix}" if suffix in PHOTO_SUFFIXES else ""
        raise UnsupportedError(f"this is not a photo: its content is of no known photo format{hint}")
    return kind


def _explain(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, PermissionError):
        return "no permission to read the file"
    detail = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"the file can't be read: {detail}"
