"""What the boxes of an AVIF or HEIF file say of its picture, where decoders don't pass it on."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from photodefect.photos.photo import upright

_CONTAINERS_READ = 64
"""Boxes of a level that are gone through; a photo with a thousand tiles lists them within one box."""


@dataclass(frozen=True)
class Properties:
    """Properties of a file's primary picture.

    Attributes:
        code_points: colour primaries and transfer characteristics by ITU-T H.273, where the file gives them.
        aperture: the part of the coded picture that is shown: its width and height, and the offset of its centre from
            the picture's, in pixels.
        orientation: the EXIF orientation that amounts to the turns and flips that are told; None if none is told.
    """

    code_points: tuple[int, int] | None = None
    aperture: tuple[Fraction, Fraction, Fraction, Fraction] | None = None
    orientation: int | None = None

    def shown(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Left, top, right and bottom of what is shown of a coded picture (ISO 14496-12, section 12.1.4.1).

        Args:
            width: of the coded picture, in pixels.
            height: likewise.
        """
        everything = (0, 0, width, height)
        if self.aperture is None:
            return everything
        wide, high, right_by, down_by = self.aperture
        left = right_by + Fraction(width - wide, 2)
        top = down_by + Fraction(height - high, 2)
        box = tuple(round(edge) for edge in (left, top, left + wide, top + high))
        inside = 0 <= box[0] < box[2] <= width and 0 <= box[1] < box[3] <= height
        return (box[0], box[1], box[2], box[3]) if inside else everything


def read_properties(data: bytes) -> Properties:
    """Properties of the primary picture (ISO 23008-12, section 6.5); none where the boxes can't be read.

    Args:
        data: the file.
    """
    try:
        meta = next(body for kind, body in _boxes(data) if kind == b"meta")
        parts = {kind: body for kind, body in _boxes(meta, 4) if kind in (b"pitm", b"iprp", b"iref")}
        primary = _number(parts[b"pitm"], 4, 4 if parts[b"pitm"][0] else 2)
        properties = {kind: body for kind, body in _boxes(parts[b"iprp"]) if kind in (b"ipco", b"ipma")}
        held = list(_boxes(properties[b"ipco"], most=65536))
        owned = _associations(properties[b"ipma"])
        own = [held[index - 1] for index in owned.get(primary, []) if 0 < index <= len(held)]
        if not any(kind == b"colr" for kind, _ in own):  # of a picture in tiles, each of them may say it
            for tile in _derived_from(parts.get(b"iref", b""), primary)[:1]:
                tiles = [held[index - 1] for index in owned.get(tile, []) if 0 < index <= len(held)]
                own += [entry for entry in tiles if entry[0] == b"colr"]
        return _understood(own)
    except (StopIteration, LookupError, ValueError, struct.error, ZeroDivisionError):
        return Properties()


def _understood(own: list[tuple[bytes, bytes]]) -> Properties:
    code_points = aperture = orientation = None
    order = np.arange(6, dtype=np.uint8).reshape(2, 3, 1)
    turned = order
    for kind, body in own:
        if kind == b"colr" and body[:4] == b"nclx":
            primaries, transfer = struct.unpack_from(">HH", body, 4)
            code_points = (primaries, transfer)
        elif kind == b"clap":
            sizes, offsets = struct.unpack_from(">4I", body), struct.unpack_from(">iIiI", body, 16)
            aperture = (
                Fraction(sizes[0], sizes[1]),
                Fraction(sizes[2], sizes[3]),
                Fraction(offsets[0], offsets[1]),
                Fraction(offsets[2], offsets[3]),
            )
        elif kind == b"irot":
            turned = np.rot90(turned, body[0] & 3)
            orientation = 1
        elif kind == b"imir":
            turned = turned[:, ::-1] if body[0] & 1 else turned[::-1]
            orientation = 1
    if orientation is not None:
        orientation = next(code for code in range(1, 9) if np.array_equal(upright(order, code), turned))
    return Properties(code_points, aperture, orientation)


def _boxes(data: bytes, start: int = 0, most: int = _CONTAINERS_READ) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of one box after another."""
    for _ in range(most):
        if start + 8 > len(data):
            return
        size, header = _number(data, start, 4), 8
        if size == 1:
            size, header = _number(data, start + 8, 8), 16
        end = len(data) if size == 0 else start + size
        if end < start + header:
            raise ValueError("a box that is smaller than its header")
        kind = data[start + 4 : start + 8]
        # Pixels are by far the largest part of a file, and not looked at.
        yield kind, b"" if kind == b"mdat" else data[start + header : end]
        start = end


def _associations(body: bytes) -> dict[int, list[int]]:
    """By picture, the numbers of its properties, the first of them 1."""
    wide_item, wide_index = 4 if body[0] else 2, 2 if body[3] & 1 else 1
    at, found = 8, {}
    for _ in range(_number(body, 4, 4)):
        item, count = _number(body, at, wide_item), body[at + wide_item]
        at += wide_item + 1
        mask = 0x7FFF if wide_index == 2 else 0x7F
        found[item] = [_number(body, at + wide_index * entry, wide_index) & mask for entry in range(count)]
        at += wide_index * count
    return found


def _derived_from(references: bytes, item: int) -> list[int]:
    """The pictures that a picture is put together of."""
    if not references:
        return []
    wide = 4 if references[0] else 2
    for kind, body in _boxes(references, 4, most=65536):
        if kind == b"dimg" and _number(body, 0, wide) == item:
            return [_number(body, wide + 2 + wide * entry, wide) for entry in range(_number(body, wide, 2))]
    return []


def _number(data: bytes, start: int, size: int) -> int:
    if start + size > len(data):
        raise ValueError("the boxes end too early")
    return int.from_bytes(data[start : start + size], "big")
