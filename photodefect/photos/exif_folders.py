"""The folders of EXIF data and maker notes: which tags are in them, and where their values are."""

from __future__ import annotations

import struct
from typing import BinaryIO, Final, Literal, NamedTuple

Order = Literal["<", ">"]

_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 13: 4}
_NUMBERS: Final = {1: "B", 3: "H", 4: "I", 6: "b", 7: "B", 8: "h", 9: "i", 13: "I"}

_MOST_TAGS: Final = 1000
"""In a folder; more are no folder."""


class Entry(NamedTuple):
    """A tag in a folder.

    Attributes:
        kind: TIFF's number of its type.
        length: number of its values.
        at: where they are, from the beginning of the file.
        size: of all of them, in bytes.
    """

    kind: int
    length: int
    at: int
    size: int


class Folders:
    """Reads folders of a file.

    Args:
        file: a TIFF, or one that has one inside.
        base: where its offsets count from.
        order: of bytes; None to take it from what is at ``base``.
    """

    def __init__(self, file: BinaryIO, base: int = 0, order: Order | None = None) -> None:
        self._file = file
        self.base = base
        self.order: Order = order or ("<" if self.bytes_at(base, 2) == b"II" else ">")

    def rebased(self, base: int, order: Order | None) -> Folders:
        """The same file with offsets from elsewhere."""
        return Folders(self._file, base, order)

    def first(self) -> dict[int, Entry]:
        """The folder that the header points to."""
        return self.folder(self.base + struct.unpack(f"{self.order}I", self.bytes_at(self.base + 4, 4))[0])

    def folder(self, at: int) -> dict[int, Entry]:
        """The folder at a place, from the beginning of the file; of a tag that is there twice the first.

        Raises:
            struct.error: it ends too early.
            ValueError: that is no folder.
        """
        (count,) = struct.unpack(f"{self.order}H", self.bytes_at(at, 2))
        if not 0 < count <= _MOST_TAGS:
            raise ValueError("no folder has that many tags")
        found: dict[int, Entry] = {}
        rows = self.bytes_at(at + 2, 12 * count)
        for number, (tag, kind, length, where) in enumerate(struct.iter_unpack(f"{self.order}HHII", rows)):
            size = _SIZES.get(kind, 0) * length
            place = self.base + where if size > 4 else at + 2 + 12 * number + 8
            found.setdefault(tag, Entry(kind, length, place, size))
        return found

    def sub_folder(self, entry: Entry) -> dict[int, Entry]:
        """The folder that a tag points to."""
        return self.folder(self.base + self.numbers(entry)[0])

    def numbers(self, entry: Entry, most: int = 256) -> tuple[int, ...]:
        """The first whole numbers of a tag.

        Raises:
            KeyError: its values are none.
            struct.error: they end too early.
        """
        letter, count = _NUMBERS[entry.kind], min(entry.length, most)
        return struct.unpack(f"{self.order}{count}{letter}", self.bytes_at(entry.at, count * _SIZES[entry.kind]))

    def data(self, entry: Entry, most: int) -> bytes:
        """A tag's bytes."""
        return self.bytes_at(entry.at, min(entry.size, most))

    def bytes_at(self, at: int, size: int) -> bytes:
        """The bytes at a place, from the beginning of the file."""
        self._file.seek(at)
        return self._file.read(size)
