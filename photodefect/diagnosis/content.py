"""How a photo's content is told from others, and how a change of its file shows without reading it."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Final

from photodefect.photos.formats import RAW_SUFFIXES

UNSETTLED_NS: Final = 2_000_000_000
"""A file changed this recently may change again without its times showing it: file systems' clocks are coarse."""

_INT_MASK: Final = 2**63 - 1


@dataclass(frozen=True)
class Stamp:
    """What of a file changes with its content.

    Attributes:
        size: in bytes.
        mtime_ns: when its content was changed last, in nanoseconds; programs can set it.
        ctime_ns: when anything about it was changed last; programs can't set it.
        inode: number within its file system.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> Stamp:
        """The stamp in a file's status."""
        # SQLite's integers have a sign.
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino & _INT_MASK)

    def settled(self) -> bool:
        """Whether the file would show it if its content changed from now on."""
        return time.time_ns() - max(self.mtime_ns, self.ctime_ns) > UNSETTLED_NS


def content_key(data: bytes, suffix: str = "") -> bytes:
    """What tells the content of a photo's file from others: 16 bytes.

    Args:
        data: the whole file.
        suffix: the ending of its name, which decides how a TIFF is read.
    """
    import xxhash  # noqa: PLC0415  only where files are read

    digest = xxhash.xxh3_128(data)
    if suffix.lower() in RAW_SUFFIXES:
        digest.update(b"raw")
    return digest.digest()
