"""Paths alone, one for each photo, for other programs."""

from __future__ import annotations

from typing import TextIO

from photodefect.printable import printable
from photodefect.records import Diagnosis


class PathsWriter:
    r"""Writes the path of each photo that was diagnosed; what failed is not a result to pass on.

    Names are written byte by byte as they are, except to a terminal, where what it might act upon is escaped.

    Args:
        stream: where to; opened with ``newline=""`` and ``errors="surrogateescape"``.
        end: what ends each path: a line feed, or a null byte for ``xargs -0``.
    """

    def __init__(self, stream: TextIO, end: str = "\n") -> None:
        self._stream = stream
        self._end = end

    def write(self, diagnosis: Diagnosis) -> None:
        """Write one path, and flush it."""
        if diagnosis.error is None:
            path = printable(diagnosis.path) if self._stream.isatty() else diagnosis.path
            self._stream.write(path + self._end)
            self._stream.flush()

    def close(self) -> None:
        """Nothing is left to write."""
