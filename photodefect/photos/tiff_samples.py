"""The samples of a TIFF with more channels than colours, such as saved selections or the infrared of scanners.

Pillow's libtiff unpacks the file's strips or tiles as if each byte were a grey pixel; what the bytes are is told apart
afterwards. Source: TIFF 6.0, sections 3, 14 (horizontal differencing) and 15 (tiles).
"""

from __future__ import annotations

import io
import struct
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import TiffImagePlugin

from photodefect.photos import tiff_folders as tags
from photodefect.photos.tiff_folders import Folder

_MOST_CHANNELS: Final = 8

_NONE, _LZW, _DEFLATE, _PACKBITS, _OLD_DEFLATE = 1, 5, 8, 32773, 32946
_COMPRESSIONS: Final = (_NONE, _LZW, _DEFLATE, _PACKBITS, _OLD_DEFLATE)
"""Those that unpack to bytes, whatever these are."""

_DIFFERENCES: Final = 2
_UNSIGNED: Final = 1
_SEPARATE_PLANES: Final = 2


def can_read_samples(page: Folder) -> bool:
    """Whether a page's samples are stored in a way that is known here."""
    bits, starts = page.numbers(tags.BITS), page.parts()[0]
    count = page.number(tags.SAMPLES, 1)
    planes = count if page.number(tags.PLANAR, 1) == _SEPARATE_PLANES else 1
    return (
        0 < count <= _MOST_CHANNELS
        and len(bits) == count
        and set(bits.tolist()) in ({8}, {16})
        and page.number(tags.COMPRESSION, 1) in _COMPRESSIONS
        and page.number(tags.PREDICTOR, 1) in (1, _DIFFERENCES)
        and page.number(tags.FILL_ORDER, 1) == 1
        and set(page.numbers(tags.SAMPLE_FORMAT).tolist()) <= {_UNSIGNED}
        and 0 < len(starts) == planes * _parts_of_a_plane(page)
    )


def read_samples(data: bytes, page: Folder) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """A page's samples, (height, width, channels).

    Args:
        data: the file.
        page: one for which :func:`can_read_samples` is true.

    Raises:
        Exception: whatever Pillow raises of data that is damaged or cut short.
    """
    channels = page.number(tags.SAMPLES, 1)
    if page.number(tags.PLANAR, 1) != _SEPARATE_PLANES:
        return _plane(data, page, 0, channels)
    return np.concatenate([_plane(data, page, number, 1) for number in range(channels)], axis=2)


def _part_size(page: Folder) -> tuple[int, int]:
    """Rows and columns of a strip or tile."""
    height, width = page.number(tags.HEIGHT), page.number(tags.WIDTH)
    if tags.TILE_OFFSETS in page:
        return page.number(tags.TILE_HEIGHT), page.number(tags.TILE_WIDTH)
    return min(page.number(tags.STRIP_ROWS, height), height), width


def _parts_of_a_plane(page: Folder) -> int:
    """How many strips or tiles hold the picture once; 0 if that makes no sense."""
    rows, columns = _part_size(page)
    if rows <= 0 or columns <= 0:
        return 0
    return -(-page.number(tags.HEIGHT) // rows) * -(-page.number(tags.WIDTH) // columns)


def _plane(data: bytes, page: Folder, number: int, channels: int) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """The samples of one plane, (height, width, channels)."""
    height, width = page.number(tags.HEIGHT), page.number(tags.WIDTH)
    order = page.order
    kind = np.dtype(f"{order}u{page.number(tags.BITS) // 8}")
    bytes_of_a_pixel = channels * kind.itemsize
    rows, columns = _part_size(page)
    count = _parts_of_a_plane(page)
    starts, sizes = (values[number * count : (number + 1) * count].tolist() for values in page.parts())
    parts = [data[start : start + size] for start, size in zip(starts, sizes, strict=True)]
    told = {
        tags.WIDTH: width * bytes_of_a_pixel,
        tags.HEIGHT: height,
        tags.BITS: 8,
        tags.COMPRESSION: page.number(tags.COMPRESSION, 1),
        tags.PHOTOMETRIC: 1,
        tags.SAMPLES: 1,
    }
    if tags.TILE_OFFSETS in page:
        told |= {tags.TILE_WIDTH: columns * bytes_of_a_pixel, tags.TILE_HEIGHT: rows}
        places = tags.TILE_OFFSETS, tags.TILE_SIZES
    else:
        told |= {tags.STRIP_ROWS: rows}
        places = tags.STRIP_OFFSETS, tags.STRIP_SIZES
    with TiffImagePlugin.TiffImageFile(io.BytesIO(_grey_tiff(told, places, parts)), "") as image:
        image.load()
        found = np.ascontiguousarray(np.asarray(image)).view(kind).reshape(height, width, channels)
    found = found.astype(kind.newbyteorder("="))
    if page.number(tags.PREDICTOR, 1) == _DIFFERENCES:
        for left in range(0, width, columns):
            part = found[:, left : left + columns]
            np.cumsum(part, axis=1, dtype=found.dtype, out=part)
    return found


def _grey_tiff(told: dict[int, int], places: tuple[int, int], parts: list[bytes]) -> bytes:
    """A TIFF of such tags and strips or tiles."""
    where, starts = 8, []
    for part in parts:
        starts.append(where)
        where += len(part)
    body = b"".join(parts)
    rows: dict[int, list[int]] = {tag: [value] for tag, value in told.items()}
    rows |= {places[0]: starts, places[1]: [len(part) for part in parts]}
    behind = where + 2 + 12 * len(rows) + 4
    folder, values = struct.pack("<H", len(rows)), b""
    for tag, numbers in sorted(rows.items()):
        packed = struct.pack(f"<{len(numbers)}I", *numbers)
        if len(packed) > 4:
            values, packed = values + packed, struct.pack("<I", behind + len(values))
        folder += struct.pack("<HHI", tag, 4, len(numbers)) + packed
    return struct.pack("<2sHI", b"II", 42, where) + body + folder + bytes(4) + values
