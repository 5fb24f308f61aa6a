"""TIFF and DNG files from scratch, of kinds that no library here writes."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_CODES = {1: "B", 2: "s", 3: "H", 4: "I", 5: "II", 7: "B", 10: "ii", 129: "B"}

Tags = Mapping[int, tuple[int, Any]]
"""Tag -> type and values."""


def packed_values(kind: int, values: Any, order: str) -> tuple[int, bytes]:
    """How many values of a type there are, and their bytes."""
    if kind == 2:
        return len(values), values
    flat = [values] if isinstance(values, int) else list(values)
    count = len(flat) // len(_CODES[kind])
    return count, struct.pack(f"{order}{count * len(_CODES[kind])}{_CODES[kind][0]}", *flat)


def write_tiff(folders: list[tuple[Tags, bytes | list[bytes]]], order: str = "<") -> bytes:
    """A TIFF whose first folder holds the others as sub-folders; every folder's data is its one strip, or several."""
    body = bytearray(struct.pack(f"{order}2sHI", b"II" if order == "<" else b"MM", 42, 0))
    starts: list[int] = []
    for index, (tags, data) in reversed(list(enumerate(folders))):  # the first comes last, knowing where the others are
        strips = [data] if isinstance(data, bytes) else data
        places = [len(body) + sum(map(len, strips[:number])) for number in range(len(strips))]
        complete = dict(tags) | {273: (4, places), 279: (4, [len(strip) for strip in strips])}
        if index == 0 and starts:
            complete[330] = (4, starts)
        body += b"".join(strips)
        body += bytes(len(body) % 2)
        entries = b""
        for tag, (kind, values) in sorted(complete.items()):
            count, packed = packed_values(kind, values, order)
            if len(packed) > 4:
                where = struct.pack(f"{order}I", len(body))
                body += packed + bytes(len(packed) % 2)
            else:
                where = packed.ljust(4, b"\0")
            entries += struct.pack(f"{order}HHI", tag, kind, count) + where
        starts.append(len(body))
        body += struct.pack(f"{order}H", len(complete)) + entries + bytes(4)
    struct.pack_into(f"{order}I", body, 4, starts[-1])
    return bytes(body)


def rgb16_tiff(pixels: NDArray[np.uint16], order: str = "<") -> bytes:
    """An uncompressed TIFF of (height, width, 3) 16-bit samples."""
    height, width = pixels.shape[:2]
    tags = {
        256: (4, width), 257: (4, height), 258: (3, [16] * 3), 259: (3, 1), 262: (3, 2), 277: (3, 3), 278: (4, height),
    }  # fmt: skip
    return write_tiff([(tags, pixels.astype(f"{order}u2").tobytes())], order)


def rgb16_planes(pixels: NDArray[np.uint16], order: str = "<", rows: int | None = None) -> bytes:
    """As :func:`rgb16_tiff`, but the red of all pixels comes first, in strips of so many rows."""
    height, width, channels = pixels.shape
    rows = rows or height
    tags = {
        256: (4, width), 257: (4, height), 258: (3, [16] * channels), 259: (3, 1), 262: (3, 2), 277: (3, channels),
        278: (4, rows), 284: (3, 2),
    }  # fmt: skip
    if channels == 4:
        tags[338] = (3, 2)
    planes = pixels.astype(f"{order}u2").transpose(2, 0, 1)
    strips = [plane[top : top + rows].tobytes() for plane in planes for top in range(0, height, rows)]
    return write_tiff([(tags, strips)], order)


def big_tiff(pixels: NDArray[Any], order: str = ">") -> bytes:
    """An uncompressed TIFF with offsets of 64 bits, of (height, width, 3) samples of 8 or 16 bits."""
    height, width = pixels.shape[:2]
    strip = pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()
    bits = pixels.dtype.itemsize * 8
    entries = {256: (4, 1, width), 257: (4, 1, height), 259: (3, 1, 1), 262: (3, 1, 2), 273: (16, 1, 16),
               277: (3, 1, 3), 278: (4, 1, height), 279: (16, 1, len(strip))}  # fmt: skip
    packed = {
        tag: struct.pack(f"{order}HHQ", tag, kind, count)
        + struct.pack(f"{order}{ {3: 'H', 4: 'I', 16: 'Q'}[kind] }", value).ljust(8, b"\0")
        for tag, (kind, count, value) in entries.items()
    }
    packed[258] = struct.pack(f"{order}HHQ3H", 258, 3, 3, bits, bits, bits) + bytes(2)
    folder = struct.pack(f"{order}Q", len(packed)) + b"".join(packed[tag] for tag in sorted(packed)) + bytes(8)
    head = struct.pack(f"{order}2sHHHQ", b"II" if order == "<" else b"MM", 43, 8, 0, 16 + len(strip))
    return head + strip + folder


def bayer_dng(
    mosaic: NDArray[np.uint16],
    *,
    orientation: int = 1,
    preview: bytes = b"",
    size: tuple[int, int] = (0, 0),
    area: tuple[int, int, int, int] | None = None,
    compression: int = 1,
    tags: Mapping[int, tuple[int, Any] | None] | None = None,
) -> bytes:
    """A DNG of an RGGB sensor whose primaries are those of sRGB, lit by D65, white at 65535.

    Args:
        mosaic: (height, width), linear.
        orientation: EXIF orientation.
        preview: a JPEG to embed.
        size: its width and height.
        area: top, left, bottom and right of the part of the sensor that is the picture.
        compression: what the file says of the sensor's data, which is not compressed.
        tags: further ones of the sensor's folder, or others; None leaves one out.
    """
    height, width = mosaic.shape
    # XYZ to linear sRGB, as rounded by IEC 61966-2-1.
    matrix = [32406, -15372, -4986, -9689, 18758, 415, 557, -2040, 10570]
    sensor = {
        254: (4, 0), 256: (4, width), 257: (4, height), 258: (3, 16), 259: (3, compression), 262: (3, 32803),
        277: (3, 1), 278: (4, height), 33421: (3, [2, 2]), 33422: (1, [0, 1, 1, 2]), 50714: (4, 0), 50717: (4, 65535),
    }  # fmt: skip
    about = {
        271: (2, b"Nobody\0"), 272: (2, b"Nothing 1\0"), 274: (3, orientation),
        50706: (1, [1, 4, 0, 0]), 50707: (1, [1, 1, 0, 0]), 50708: (2, b"Nobody Nothing 1\0"),
        50721: (10, [number for entry in matrix for number in (entry, 10000)]), 50778: (3, 21),
        50728: (5, [1, 1] * 3),
    }  # fmt: skip
    if area is not None:
        sensor[50829] = (4, list(area))
    changed = tags or {}
    sensor, about = ({tag: value for tag, value in known.items() if tag not in changed} for known in (sensor, about))
    sensor |= {tag: value for tag, value in changed.items() if value is not None}
    strip = mosaic.astype("<u2").tobytes()
    if not preview:
        return write_tiff([(sensor | about, strip)])
    rows = {254: (4, 1), 256: (4, size[0]), 257: (4, size[1]), 258: (3, [8] * 3), 259: (3, 7), 262: (3, 6), 277: (3, 3)}
    return write_tiff([(rows | about | {278: (4, size[1])}, preview), (sensor, strip)])
