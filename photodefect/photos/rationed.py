"""A file that runs out after some bytes: however its parts refer to each other, reading them ends."""

from __future__ import annotations

import io
from typing import BinaryIO, Final, cast

_READING_COSTS: Final = 64
"""What a reading takes from the ration beside its bytes: thousands of small ones take long too."""


def rationed(file: BinaryIO, ration: int) -> BinaryIO:
    """A file as another that it reads from, up to a ration.

    Args:
        file: read from, and not closed.
        ration: bytes that may be read; then reading raises EOFError.
    """
    return cast(BinaryIO, _Rationed(file, ration))


class _Rationed:
    def __init__(self, file: BinaryIO, ration: int) -> None:
        self._file = file
        self._left = ration

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(min(size, self._left) if size >= 0 else self._left)
        self._left -= len(data) + _READING_COSTS
        if self._left <= 0:
            raise EOFError("there is more EXIF data than any camera writes")
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()
