"""Whether a file is still the same, by its size and time or by its SHA-256."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

CHUNK: Final = 1024 * 1024

COARSEST_NS: Final = 2_000_000_000
"""In what steps times are kept where they are kept most coarsely: FAT, and so memory cards."""


@dataclass(frozen=True)
class Fingerprint:
    """What tells a file's state without reading it.

    Attributes:
        size: in bytes.
        mtime_ns: when it was changed last, in nanoseconds.
    """

    size: int
    mtime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> Fingerprint:
        """The fingerprint in a file's status."""
        return cls(status.st_size, status.st_mtime_ns)

    def may_be(self, other: Fingerprint) -> bool:
        """Whether both may be of one state, of which a disk or a network share keeps the time more coarsely."""
        return self.size == other.size and abs(self.mtime_ns - other.mtime_ns) < COARSEST_NS


def fingerprint(path: Path) -> Fingerprint | None:
    """The fingerprint of a regular file (a symbolic link is followed), or None if there is none.

    Raises:
        OSError: it is out of reach.
    """
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Fingerprint.of(status) if stat.S_ISREG(status.st_mode) else None


def sha256_of(path: Path) -> str | None:
    """The SHA-256 of a regular file in hexadecimal, or None if there is no such file.

    Raises:
        OSError: it can't be read.
    """
    if path.is_symlink() or fingerprint(path) is None:
        return None
    with path.open("rb") as file:
        return hash_stream(file)


def hash_stream(file: BinaryIO) -> str:
    """The SHA-256 of all that is left in a stream, in hexadecimal."""
    digest = hashlib.sha256()
    for chunk in chunks(file):
        digest.update(chunk)
    return digest.hexdigest()


def chunks(file: BinaryIO) -> Iterator[bytes]:
    """All that is left in a stream, piece by piece."""
    while chunk := file.read(CHUNK):
        yield chunk
