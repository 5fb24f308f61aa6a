"""The folders (IFDs) of a TIFF or of a raw photo that is built like one."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

SUBFILE_TYPE, OLD_SUBFILE_TYPE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 254, 255, 256, 257, 258, 259, 262
STRIP_OFFSETS, ORIENTATION, SAMPLES, STRIP_SIZES, PLANAR, TILE_OFFSETS, TILE_SIZES = 273, 274, 277, 279, 284, 324, 325
SUB_FOLDERS, EXTRA_SAMPLES, JPEG_OFFSET, JPEG_SIZE, PROFILE, DNG_VERSION = 330, 338, 513, 514, 34675, 50706

_TYPES = {1: "u1", 3: "u2", 4: "u4", 7: "u1", 13: "u4", 16: "u8", 18: "u8"}
"""Types of whole numbers without a sign, and of bytes; others are not needed here."""

MOST_FOLDERS = 32
"""How many folders are looked into; cameras write a handful."""

_MOST_ENTRIES = 4096


@dataclass(frozen=True)
class Folder:
    """One folder: what is said of one picture.

    Attributes:
        start: where it begins in the file.
        nested: it is another one's sub-folder.
    """

    start: int
    nested: bool
    _data: bytes = field(repr=False)
    _order: str
    _entries: dict[int, tuple[str, int, int]] = field(repr=False)

    def numbers(self, tag: int) -> NDArray[np.uint64]:
        """A tag's values; empty where there are none, or they lie beyond the file's end."""
        if tag not in self._entries:
            return np.empty(0, np.uint64)
        kind, count, start = self._entries[tag]
        if start + count * int(kind[1]) > len(self._data):
            return np.empty(0, np.uint64)
        return np.frombuffer(self._data, self._order + kind, count, start).astype(np.uint64)

    def number(self, tag: int, default: int = 0) -> int:
        """A tag's first value."""
        values = self.numbers(tag)
        return int(values[0]) if len(values) else default

    def raw(self, tag: int) -> bytes | None:
        """A tag's bytes; None where there are none."""
        if tag not in self._entries:
            return None
        kind, count, start = self._entries[tag]
        return self._data[start : start + count * int(kind[1])] or None

    def __contains__(self, tag: int) -> bool:
        return tag in self._entries

    def parts(self) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
        """Starts and sizes of the strips or tiles that hold the picture; empty where they aren't told."""
        for starts, sizes in ((TILE_OFFSETS, TILE_SIZES), (STRIP_OFFSETS, STRIP_SIZES)):
            found = self.numbers(starts), self.numbers(sizes)
            if len(found[0]) and len(found[0]) == len(found[1]):
                return found
        return np.empty(0, np.uint64), np.empty(0, np.uint64)

    @property
    def is_reduced(self) -> bool:
        """Whether the picture is a smaller version of another one (TIFF 6.0, NewSubfileType and SubfileType)."""
        return bool(self.number(SUBFILE_TYPE) & 1) or self.number(OLD_SUBFILE_TYPE) == 2


@dataclass(frozen=True)
class _Layout:
    order: str
    big: bool

    @classmethod
    def of(cls, data: bytes) -> _Layout | None:
        order = {b"II": "<", b"MM": ">"}.get(data[:2])
        if order is None or len(data) < 8:
            return None
        # Raw formats have numbers of their own in place of 42.
        return cls(order, struct.unpack_from(f"{order}H", data, 2)[0] == 43)

    @property
    def pointer(self) -> tuple[int, int]:
        """Place and size of the pointer to the first folder."""
        return (8, 8) if self.big else (4, 4)

    def number(self, data: bytes, start: int, size: int) -> int:
        if start + size > len(data):  # by far perhaps: more than C has numbers for
            raise struct.error("the folders end too early")
        return int(struct.unpack_from(self.order + {2: "H", 4: "I", 8: "Q"}[size], data, start)[0])


def folders(data: bytes) -> Iterator[Folder]:
    """Folders as far as they can be read: each one's sub-folders after it, then the next.

    Args:
        data: the file.
    """
    layout = _Layout.of(data)
    if layout is None:
        return
    place, size = layout.pointer
    pending = [(layout.number(data, place, size), False)] if len(data) >= place + size else []
    known = {start for start, _ in pending}  # a folder that holds itself, or thousands of others, is looked into once
    while pending:
        start, nested = pending.pop()
        try:
            folder, following = _read(data, layout, start, nested)
        except (struct.error, KeyError):
            continue
        yield folder
        found = [(following, nested)] if following else []
        found += [(int(sub), True) for sub in reversed(folder.numbers(SUB_FOLDERS)[:MOST_FOLDERS])]
        for entry in found:
            if entry[0] not in known and len(known) < MOST_FOLDERS:
                known.add(entry[0])
                pending.append(entry)


def _read(data: bytes, layout: _Layout, start: int, nested: bool) -> tuple[Folder, int]:
    """The folder at a place, and where the next one is."""
    counted, entry_size, inline = (8, 20, 8) if layout.big else (2, 12, 4)
    count = layout.number(data, start, counted)
    if count > _MOST_ENTRIES:
        raise KeyError(count)
    entries = {}
    for at in range(start + counted, start + counted + entry_size * count, entry_size):
        tag, code = layout.number(data, at, 2), layout.number(data, at + 2, 2)
        length = layout.number(data, at + 4, inline)
        kind = _TYPES.get(code)
        if kind is not None:
            held = length * int(kind[1]) <= inline
            place = at + 4 + inline
            entries[tag] = (kind, length, place if held else layout.number(data, place, inline))
    end = start + counted + entry_size * count
    following = layout.number(data, end, inline) if end + inline <= len(data) else 0
    return Folder(start, nested, data, layout.order, entries), following


def starting_at(data: bytes, folder: Folder) -> bytes:
    """The same TIFF with another folder as its first."""
    layout = _Layout.of(data)
    if layout is None:
        return data
    place, size = layout.pointer
    pointer = struct.pack(layout.order + ("Q" if layout.big else "I"), folder.start)
    return data[:place] + pointer + data[place + size :]
