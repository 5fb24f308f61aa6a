"""The folders (IFDs) of TIFFs, of raw photos that are built like one, of EXIF data and of maker notes."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Order = Literal["<", ">"]

SUBFILE_TYPE, OLD_SUBFILE_TYPE, WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 254, 255, 256, 257, 258, 259, 262
STRIP_OFFSETS, ORIENTATION, SAMPLES, STRIP_SIZES, PLANAR, TILE_OFFSETS, TILE_SIZES = 273, 274, 277, 279, 284, 324, 325
FILL_ORDER, STRIP_ROWS, PREDICTOR, TILE_WIDTH, TILE_HEIGHT, SAMPLE_FORMAT = 266, 278, 317, 322, 323, 339
SUB_FOLDERS, EXTRA_SAMPLES, JPEG_OFFSET, JPEG_SIZE, PROFILE, DNG_VERSION = 330, 338, 513, 514, 34675, 50706
CROP_ORIGIN, CROP_SIZE, BASELINE_EXPOSURE, USER_CROP = 50719, 50720, 50730, 51125
CFA_SIZE, CFA_PATTERN, ACTIVE_AREA, MOSAIC_OPCODES, COLOUR_OPCODES = 33421, 33422, 50829, 51009, 51022
EXIF_FOLDER: Final = 34665

_TEXT, _UTF8 = 2, 129
_SIZES: Final = (
    {_TEXT: 1, _UTF8: 1}
    | {1: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
    | {16: 8, 17: 8, 18: 8}
)
_NUMBERS: Final = {1: "B", 3: "H", 4: "I", 6: "b", 7: "B", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
_FRACTIONS: Final = {5: "I", 10: "i"}
"""Types whose values are two whole numbers each, one above the other."""
_UNSIGNED: Final = {1: "u1", 3: "u2", 4: "u4", 7: "u1", 13: "u4", 16: "u8", 18: "u8"}

_MOST_FRACTIONS: Final = 16
"""Values of a tag that are read as fractions; more are a table."""

CFA, LINEAR_RAW = 32803, 34892
"""Photometric interpretations of a sensor's data."""

MOST_FOLDERS: Final = 32
"""How many folders are looked into; cameras write a handful."""

_MOST_TAGS: Final = 4096
"""In a folder; more are no folder."""

_BIG: Final = 43
"""In place of TIFF's 42: a BigTIFF. Raw formats have numbers of their own there."""


class Entry(NamedTuple):
    """A tag in a folder.

    Attributes:
        kind: TIFF's number of its type.
        length: number of its values.
        at: where they are, from the beginning of the file.
        size: of all of them, in bytes; 0 for a type that TIFF doesn't have.
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
        order: of bytes; None to take it, and whether it is a BigTIFF, from what is at ``base``.
    """

    def __init__(self, file: BinaryIO, base: int = 0, order: Order | None = None) -> None:
        self._file = file
        self.base = base
        start = self.bytes_at(base, 4) if order is None else b""
        self.order: Order = order or ("<" if start.startswith(b"II") else ">")
        self.is_big = start[2:] == struct.pack(f"{self.order}H", _BIG)

    def rebased(self, base: int, order: Order | None) -> Folders:
        """The same file with offsets from elsewhere."""
        return Folders(self._file, base, order)

    @property
    def pointer(self) -> tuple[int, str]:
        """Where the header says where the first folder is, and how :mod:`struct` calls such a number."""
        return (self.base + 8, f"{self.order}Q") if self.is_big else (self.base + 4, f"{self.order}I")

    def first(self) -> dict[int, Entry]:
        """The folder that the header points to."""
        return self.folder(self.first_at())

    def first_at(self) -> int:
        """Where that is, from the beginning of the file."""
        at, number = self.pointer
        return self.base + self._unpacked(number, at)[0]

    def folder(self, at: int) -> dict[int, Entry]:
        """The folder at a place, from the beginning of the file; of a tag that is there twice the first.

        Raises:
            struct.error: it ends too early.
            ValueError: that is no folder.
        """
        row, inline = (f"{self.order}HHQQ", 8) if self.is_big else (f"{self.order}HHII", 4)
        start, count = self._rows(at)
        width = struct.calcsize(row)
        rows = self.bytes_at(start, width * count)
        if len(rows) < width * count:
            raise struct.error("the folder ends too early")
        found: dict[int, Entry] = {}
        for number, (tag, kind, length, where) in enumerate(struct.iter_unpack(row, rows)):
            size = _SIZES.get(kind, 0) * length
            place = self.base + where if size > inline else start + width * number + width - inline
            found.setdefault(tag, Entry(kind, length, place, size))
        return found

    def next_at(self, at: int) -> int:
        """Where the folder after the one at a place is, from the beginning of the file; 0 if it is the last."""
        start, count = self._rows(at)
        end, number = (start + 20 * count, "Q") if self.is_big else (start + 12 * count, "I")
        try:
            (following,) = self._unpacked(self.order + number, end)
        except struct.error:
            return 0
        return self.base + following if following else 0

    def _rows(self, at: int) -> tuple[int, int]:
        """Where the tags of a folder begin, and how many there are."""
        number, size = ("Q", 8) if self.is_big else ("H", 2)
        (count,) = self._unpacked(self.order + number, at)
        if count > _MOST_TAGS:
            raise ValueError("no folder has that many tags")
        return at + size, count

    def sub_folder(self, entry: Entry) -> dict[int, Entry]:
        """The folder that a tag points to."""
        return self.folder(self.base + self.numbers(entry)[0])

    def numbers(self, entry: Entry, most: int = 256) -> tuple[int, ...]:
        """The first whole numbers of a tag.

        Raises:
            KeyError: its values are none.
            struct.error: they end too early.
        """
        return self._unpacked(f"{self.order}{min(entry.length, most)}{_NUMBERS[entry.kind]}", entry.at)

    def data(self, entry: Entry, most: int) -> bytes:
        """A tag's bytes."""
        return self.bytes_at(entry.at, min(entry.size, most))

    def bytes_at(self, at: int, size: int) -> bytes:
        """The bytes at a place, from the beginning of the file; fewer, or none, where it ends before."""
        try:
            self._file.seek(at)
            return self._file.read(size)
        except OverflowError:  # farther than files can be
            return b""

    def _unpacked(self, form: str, at: int) -> tuple[int, ...]:
        return struct.unpack(form, self.bytes_at(at, struct.calcsize(form)))


@dataclass(frozen=True)
class Folder:
    """One folder: what is said of one picture.

    Attributes:
        start: where it begins in the file.
        nested: it is another one's sub-folder.
    """

    start: int
    nested: bool
    _folders: Folders = field(repr=False)
    _entries: Mapping[int, Entry] = field(repr=False)

    def numbers(self, tag: int) -> NDArray[np.uint64]:
        """A tag's whole numbers without a sign; empty where there are none, or they lie beyond the file's end."""
        entry = self._entries.get(tag)
        if entry is None or entry.kind not in _UNSIGNED:
            return np.empty(0, np.uint64)
        data = self._folders.data(entry, entry.size)
        if len(data) < entry.size:
            return np.empty(0, np.uint64)
        return np.frombuffer(data, self._folders.order + _UNSIGNED[entry.kind]).astype(np.uint64)

    @property
    def order(self) -> Order:
        """Of the bytes of numbers, pixels included."""
        return self._folders.order

    def number(self, tag: int, default: int = 0) -> int:
        """A tag's first value."""
        values = self.numbers(tag)
        return int(values[0]) if len(values) else default

    def fractions(self, tag: int) -> tuple[float, ...]:
        """A tag's values, whole numbers or fractions; empty where there are none, or they make no sense."""
        entry = self._entries.get(tag)
        if entry is None or entry.length > _MOST_FRACTIONS:
            return ()
        if entry.kind not in _FRACTIONS:
            return tuple(float(value) for value in self.numbers(tag))
        data, form = self._folders.data(entry, entry.size), f"{self._folders.order}2{_FRACTIONS[entry.kind]}"
        try:
            return tuple(above / below for above, below in struct.iter_unpack(form, data))
        except (struct.error, ZeroDivisionError):
            return ()

    def raw(self, tag: int) -> bytes | None:
        """A tag's bytes; None where there are none."""
        entry = self._entries.get(tag)
        return self._folders.data(entry, entry.size) or None if entry is not None else None

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
    def is_sensor(self) -> bool:
        """Whether the picture is a sensor's data."""
        return self.number(PHOTOMETRIC) in (CFA, LINEAR_RAW)

    @property
    def is_reduced(self) -> bool:
        """Whether the picture is a smaller version of another one (TIFF 6.0, NewSubfileType and SubfileType)."""
        return bool(self.number(SUBFILE_TYPE) & 1) or self.number(OLD_SUBFILE_TYPE) == 2


def folders(data: bytes) -> Iterator[Folder]:
    """Folders as far as they can be read: each one's sub-folders after it, then the next.

    Args:
        data: the file.
    """
    if data[:2] not in (b"II", b"MM"):
        return
    reader = Folders(io.BytesIO(data))
    try:
        pending = [(reader.first_at(), False)]
    except struct.error:
        return
    known = {start for start, _ in pending}  # a folder that holds itself, or thousands of others, is looked into once
    while pending:
        start, nested = pending.pop()
        try:
            folder = Folder(start, nested, reader, reader.folder(start))
        except (struct.error, ValueError):
            continue
        yield folder
        following = reader.next_at(start)
        found = [(following, nested)] if following else []
        found += [(int(sub), True) for sub in reversed(folder.numbers(SUB_FOLDERS)[:MOST_FOLDERS])]
        for entry in found:
            if entry[0] not in known and len(known) < MOST_FOLDERS:
                known.add(entry[0])
                pending.append(entry)


def starting_at(data: bytes, folder: Folder) -> bytes:
    """The same TIFF with another folder as its first."""
    at, number = Folders(io.BytesIO(data)).pointer
    pointer = struct.pack(number, folder.start)
    return data[:at] + pointer + data[at + len(pointer) :]


_LONGEST_VALUE: Final = 1000
"""Bytes of a tag that go into a plain TIFF: texts and numbers, no pixels, profiles or maker's notes."""

_BIG_KINDS: Final = (16, 17, 18)


def has_utf8(folders: Folders) -> bool:
    """Whether the first folder or its EXIF data has text of the type that EXIF 3.0 brought (section 4.6.2).

    Raises:
        struct.error: a folder ends too early.
        ValueError: one is none.
    """
    first = folders.first()
    parts = [first, folders.sub_folder(first[EXIF_FOLDER])] if EXIF_FOLDER in first else [first]
    return any(entry.kind == _UTF8 for part in parts for entry in part.values())


def plain_tiff(big: Folders) -> bytes:
    """The first folder of a BigTIFF and its EXIF data as a TIFF, which readers of EXIF data know; without pixels.

    Text has the type that they know, in whatever encoding it is.

    Raises:
        struct.error: a folder ends too early.
        ValueError: one is none.
    """
    first = big.first()
    pointer = first.pop(EXIF_FOLDER, None)
    header = (b"II*\0" if big.order == "<" else b"MM\0*") + struct.pack(f"{big.order}I", 8)
    if pointer is None:
        return header + _plain_folder(big, first, 8)
    length = len(_plain_folder(big, first, 8, 1))
    exposure = big.sub_folder(pointer)
    return header + _plain_folder(big, first, 8, 8 + length) + _plain_folder(big, exposure, 8 + length)


def _plain_folder(big: Folders, entries: Mapping[int, Entry], at: int, exif_at: int | None = None) -> bytes:
    """A folder as TIFF has it, at a place, with its values behind it."""
    known = {tag: it for tag, it in entries.items() if it.kind in _SIZES and it.kind not in _BIG_KINDS}
    small = {tag: it for tag, it in known.items() if it.size <= _LONGEST_VALUE}
    rows = {EXIF_FOLDER: struct.pack(f"{big.order}HHII", EXIF_FOLDER, 4, 1, exif_at)} if exif_at else {}
    behind, values = at + 2 + 12 * (len(small) + len(rows)) + 4, b""
    for tag, entry in small.items():
        value = big.data(entry, _LONGEST_VALUE)
        if len(value) > 4:
            where = struct.pack(f"{big.order}I", behind + len(values))
            values += value + bytes(len(value) % 2)
        else:
            where = value.ljust(4, b"\0")
        kind = _TEXT if entry.kind == _UTF8 else entry.kind
        rows[tag] = struct.pack(f"{big.order}HHI", tag, kind, entry.length) + where
    return struct.pack(f"{big.order}H", len(rows)) + b"".join(rows[tag] for tag in sorted(rows)) + bytes(4) + values
