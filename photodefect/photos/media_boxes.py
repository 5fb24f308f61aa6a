"""EXIF data in boxes (ISO/IEC 14496-12): HEIF and AVIF, JPEG 2000, JPEG XL, Canon's CR3."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

from photodefect.photos.limits import Limits

_JP2_EXIF: Final = b"JpgTiffExif->JP2"
_CANON: Final = bytes.fromhex("85c0b687820f11e08111f4ce462b6a48")
_CANON_FOLDERS: Final = {b"CMT1": False, b"CMT2": False, b"CMT3": True}
"""Each is a TIFF of one folder: the photo's, the one about the exposure, and the maker note."""


class Box(NamedTuple):
    """A box: its kind, and where its content begins and ends."""

    name: bytes
    start: int
    end: int


def outer_exif(file: BinaryIO, limits: Limits) -> Iterator[bytes]:
    """EXIF data in a box of its own, as JPEG XL and JPEG 2000 have it (there by a number that spells its name)."""
    for box in boxes(file, 0, None):
        if box.name == b"Exif":
            yield _after_offset(_content(file, box, limits))
        elif box.name == b"uuid":
            file.seek(box.start)
            if file.read(len(_JP2_EXIF)) == _JP2_EXIF:
                yield _content(file, box, limits)[len(_JP2_EXIF) :]


def canon_folders(file: BinaryIO, limits: Limits) -> Iterator[tuple[bytes, bool]]:
    """The EXIF folders of a CR3, each a TIFF, and whether it is the maker note."""
    for movie in boxes(file, 0, None):
        if movie.name != b"moov":
            continue
        for box in boxes(file, movie.start, movie.end):
            file.seek(box.start)
            if box.name == b"uuid" and file.read(16) == _CANON:
                for folder in boxes(file, box.start + 16, box.end):
                    if folder.name in _CANON_FOLDERS:
                        yield _content(file, folder, limits), _CANON_FOLDERS[folder.name]
        return


def heif_exif(file: BinaryIO, limits: Limits) -> Iterator[bytes]:
    """The items of EXIF data in a HEIF or AVIF: what they are is in one list, where in another."""
    for meta in boxes(file, 0, None):
        if meta.name != b"meta":
            continue
        inside = {box.name: box for box in boxes(file, meta.start + 4, meta.end)}
        if b"iinf" not in inside or b"iloc" not in inside:
            return
        wanted = set(_exif_items(_content(file, inside[b"iinf"], limits)))
        for item, method, extents in _places(_content(file, inside[b"iloc"], limits)):
            base = inside[b"idat"].start if method == 1 and b"idat" in inside else 0
            if item in wanted and method in (0, 1):
                yield _after_offset(b"".join(_read(file, base + at, size, limits) for at, size in extents))
        return


def boxes(file: BinaryIO, at: int, end: int | None) -> Iterator[Box]:
    """The boxes from a place to another, or to the end of the file."""
    while end is None or at + 8 <= end:
        file.seek(at)
        header = file.read(16)
        if len(header) < 8:
            return
        size, name, start = int.from_bytes(header[:4], "big"), header[4:8], at + 8
        if size == 1:  # it doesn't fit into four bytes
            size, start = int.from_bytes(header[8:], "big"), at + 16
        elif size == 0:  # up to the end
            size = (1 << 62) if end is None else end - at
        if at + size < start:
            return
        yield Box(name, start, at + size)
        at += size


def _content(file: BinaryIO, box: Box, limits: Limits) -> bytes:
    return _read(file, box.start, box.end - box.start, limits)


def _read(file: BinaryIO, at: int, size: int, limits: Limits) -> bytes:
    file.seek(at)
    return file.read(min(size, limits.exif_bytes))


def _after_offset(data: bytes) -> bytes:
    """EXIF data without what comes before its TIFF: a number that says how much that is."""
    return data[4 + int.from_bytes(data[:4], "big") :]


class _Numbers:
    """Whole numbers of a box, one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def take(self, size: int) -> int:
        """The next one.

        Raises:
            EOFError: there is none.
        """
        end = self.at + size
        if end > len(self._data):
            raise EOFError("the box is cut short")
        number = int.from_bytes(self._data[self.at : end], "big")
        self.at = end
        return number


def _exif_items(data: bytes) -> Iterator[int]:
    """Numbers of the items that are EXIF data, of an ``iinf`` box."""
    numbers = _Numbers(data)
    at = 6 if numbers.take(1) == 0 else 8
    while at + 12 <= len(data):
        numbers.at = at
        size = numbers.take(4)
        numbers.at += 4
        version = numbers.take(1)
        numbers.at += 3
        item = numbers.take(2 if version < 3 else 4)
        numbers.at += 2
        if version >= 2 and data[numbers.at : numbers.at + 4] == b"Exif":
            yield item
        if size < 12:
            return
        at += size


def _places(data: bytes) -> Iterator[tuple[int, int, list[tuple[int, int]]]]:
    """Number, method and extents of each item, of an ``iloc`` box.

    Method 0 counts from the file's beginning, 1 from that of the ``idat`` box.
    """
    numbers = _Numbers(data)
    version = numbers.take(1)
    numbers.at += 3
    sizes = numbers.take(2)
    offset_size, length_size, base_size, index_size = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    for _ in range(numbers.take(2 if version < 2 else 4)):
        item = numbers.take(2 if version < 2 else 4)
        method = numbers.take(2) & 15 if version else 0
        numbers.at += 2
        base = numbers.take(base_size)
        extents = []
        for _ in range(numbers.take(2)):
            if version:
                numbers.at += index_size
            offset = numbers.take(offset_size)
            extents.append((base + offset, numbers.take(length_size)))
        yield item, method, extents
