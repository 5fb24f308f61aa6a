"""Photoshop documents that Pillow doesn't read: those of 16 bits, large ones (PSB), and those with a saved selection.

Source: Adobe Photoshop File Formats Specification, the sections of the header, the resources and the image data.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photodefect.errors import UnreadableError, UnsupportedError
from photodefect.photos.photo import RareImage, check_size

_HEADER: Final = struct.Struct(">4sH6xHIIHH")
_LARGE: Final = 2
_MODES: Final = {1: "L", 3: "RGB", 4: "CMYK", 8: "L", 9: "LAB"}
"""Of the document, in Pillow's words; a duotone's picture is grey. Bitmaps and palettes are left to Pillow."""
_RAW, _PACKED = 0, 1
_PROFILE: Final = 1039


_Plane: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16]


class _Header(NamedTuple):
    version: int
    channels: int
    height: int
    width: int
    bits: int
    mode: int


def read_psd(data: bytes, max_pixels: int) -> RareImage | None:
    """The picture that a document's layers make together; None if Pillow may read it.

    Args:
        data: the file.
        max_pixels: that it may have.

    Raises:
        TooLargeError: it has more than ``max_pixels`` pixels.
        UnreadableError: it ends too early.
        UnsupportedError: its pixels are of another kind.
    """
    header = _Header(*_HEADER.unpack_from(data)[1:])
    large = header.version == _LARGE
    mode = _MODES.get(header.mode)
    count = {"L": 1, "CMYK": 4, None: 1}.get(mode, 3)
    # Beside saved selections, Pillow 13 looks for packed rows in the wrong place, and takes the fourth channel of RGB
    # for transparency.
    if header.bits <= 8 and not large and header.channels <= count:
        return None
    if mode is None or header.bits not in (8, 16):
        raise UnsupportedError(
            f"Photoshop documents of {header.bits} bits and colour mode {header.mode} can't be decoded; "
            "save the photo with 8 or 16 bits, as RGB, grey, CMYK or Lab"
        )
    check_size(header.width, header.height, max_pixels)
    at = _HEADER.size
    at += 4 + _number(data, at, 4)
    resources = data[at + 4 : at + 4 + _number(data, at, 4)]
    at += 4 + len(resources)
    at += (8 if large else 4) + _number(data, at, 8 if large else 4)
    if header.channels < count:
        raise UnreadableError("the PSD is damaged: it has fewer channels than its colours need")
    # Further channels are saved selections, or transparency, which Photoshop has put on white here.
    image = _merged([_plane(data, at, header, channel) for channel in range(count)], mode)
    stored_mode = f"{'I' if image.mode.startswith('I') else mode}{';16' if header.bits == 16 else ''}"
    return RareImage(image, stored_mode, _resource(resources, _PROFILE))


def _plane(data: bytes, start: int, header: _Header, channel: int) -> _Plane:
    """One channel of the picture whose data starts at a place, (height, width)."""
    row_bytes = header.width * header.bits // 8
    packing, start = _number(data, start, 2), start + 2
    if packing == _RAW:
        size = row_bytes * header.height
        plane = data[start + size * channel : start + size * (channel + 1)]
        if len(plane) < size:
            raise UnreadableError("the PSD is cut short: part of its picture is missing")
    elif packing == _PACKED:
        count_type = ">u4" if header.version == _LARGE else ">u2"
        rows = header.height * header.channels
        counts = np.frombuffer(data, count_type, rows, start).astype(np.int64)
        first = header.height * channel
        start += rows * int(count_type[2]) + int(counts[:first].sum())
        size = int(counts[first : first + header.height].sum())
        if start + size > len(data):
            raise UnreadableError("the PSD is cut short: part of its picture is missing")
        # Bytes of any meaning are unpacked alike: Pillow is told that they are grey.
        packed = data[start : start + size]
        plane = Image.frombytes("L", (row_bytes, header.height), packed, "packbits", "L").tobytes()
    else:
        raise UnsupportedError(
            "Photoshop documents whose picture is zipped can't be decoded; save the photo as TIFF or PNG"
        )
    shape = header.height, header.width
    if header.bits == 8:
        return np.frombuffer(plane, np.uint8).reshape(shape)
    return np.frombuffer(plane, ">u2").reshape(shape).astype(np.uint16)


def _merged(planes: list[_Plane], mode: str) -> Image.Image:
    if mode == "L" and planes[0].dtype != np.uint8:
        return Image.fromarray(planes[0])
    bytes_ = [(plane if plane.dtype == np.uint8 else plane >> 8).astype(np.uint8) for plane in planes]
    stacked = bytes_[0] if mode == "L" else np.stack(bytes_, axis=2)
    if mode == "CMYK":  # stored as how much ink is missing
        stacked = 255 - stacked
    elif mode == "LAB":  # without colour in the middle, which for Pillow is 0
        stacked[:, :, 1:] ^= 128
    return Image.frombytes(mode, (stacked.shape[1], stacked.shape[0]), stacked.tobytes())


def _resource(resources: bytes, wanted: int) -> bytes | None:
    at = 0
    while resources[at : at + 4] == b"8BIM":
        number, name = _number(resources, at + 4, 2), resources[at + 6]
        at += 6 + (name + 2) // 2 * 2
        size = _number(resources, at, 4)
        if number == wanted:
            return resources[at + 4 : at + 4 + size]
        at += 4 + size + size % 2
    return None


def _number(data: bytes, start: int, size: int) -> int:
    if start + size > len(data):
        raise UnreadableError("the PSD is cut short")
    return int.from_bytes(data[start : start + size], "big")
