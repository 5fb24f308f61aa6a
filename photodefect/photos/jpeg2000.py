"""JPEG 2000 where Pillow gets it wrong: white of more or fewer than eight bits, and colour profiles.

Pillow 13 rounds colours of more than eight bits, and of 255.5 makes 256, which it keeps as 0: white becomes black, and
what is opaque becomes transparent. Samples of fewer bits aren't widened up to white. Profiles aren't looked at.

Source: ITU-T T.800, annex A (code stream), annex E (step sizes), annex I (boxes).
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from PIL import Image, ImageFile, Jpeg2KImagePlugin

from photodefect.errors import UnreadableError, UnsupportedError
from photodefect.photos.media_boxes import Box, boxes

_SIZE, _STYLE, _STYLE_OF_ONE, _STEPS, _STEPS_OF_ONE, _TILE, _DATA = 0x51, 0x52, 0x53, 0x5C, 0x5D, 0x90, 0x93
_COUNT_AT: Final = 36
"""Where the segment of the size says how many components there are; three bytes about each follow."""
_MOST_COMPONENTS: Final = 8
_MOST_SEGMENTS: Final = 100_000
_SYCC: Final = 18
_PROFILES: Final = (2, 3)
"""Methods of telling colours: a profile of a plain kind, and any other."""


class _Segment(NamedTuple):
    mark: int
    start: int
    """Of its length, which its content follows."""
    size: int


def profile(data: bytes) -> bytes | None:
    """The embedded colour profile; None if there is none.

    Args:
        data: the file.
    """
    return next((body[3:] for body in _colours(data) if body[:1] and body[0] in _PROFILES), None)


def load(data: bytes, image: ImageFile.ImageFile) -> Image.Image:
    """The pixels, with white where it is meant to be.

    Args:
        data: the file.
        image: the same, opened and not loaded.

    Raises:
        UnsupportedError: what would be wrong can't be put right.
    """
    segments = list(_segments(data))
    bits = _bits(data, segments)
    image.load()
    if image.mode == "P" or image.mode.startswith("I;16"):
        return image
    if max(bits) > 8:
        if any(body[:1] == b"\x01" and _number(body, 3, 4) == _SYCC for body in _colours(data)):
            raise UnsupportedError(
                "this kind of JPEG 2000 can't be decoded: YCC of more than eight bits; save it as RGB"
            )
        return _unwrapped(data, segments, image)
    if min(bits) < 8 and len(bits) == len(image.getbands()):
        return image.point([_widened(level, depth) for depth in bits for level in range(256)])
    return image


def _widened(level: int, bits: int) -> int:
    """A sample of so many bits, which Pillow has put at the top of eight, between 0 and 255."""
    return round(255 * (level >> (8 - bits)) / ((1 << bits) - 1))


def _unwrapped(data: bytes, segments: list[_Segment], image: Image.Image) -> Image.Image:
    """An image whose zeros are white where they are.

    The same code stream is decoded with half the contrast about the middle, where black and white are apart.
    """
    samples = np.array(image)
    if samples.all():
        return image
    with Jpeg2KImagePlugin.Jpeg2KImageFile(io.BytesIO(_at_half_contrast(data, segments))) as half:
        samples[(samples == 0) & (np.asarray(half) > 128)] = 255
    return Image.frombytes(image.mode, image.size, samples.tobytes())


def _at_half_contrast(data: bytes, segments: list[_Segment]) -> bytes:
    """The same photo, from a quarter to three quarters of the range.

    Samples of a reversible transform keep their distance to the middle when the file says that they have a bit more.
    Otherwise steps are told in shares of the range: each is halved, and one guard bit less keeps the number of bit
    planes.
    """
    changed = bytearray(data)
    reversible = {data[part.start + 11] for part in segments if part.mark == _STYLE}
    reversible |= {data[part.start + 8] for part in segments if part.mark == _STYLE_OF_ONE}
    if len(reversible) != 1:
        raise UnsupportedError("this kind of JPEG 2000 can't be decoded: its parts are compressed in different ways")
    if reversible == {1}:
        for place in _places_of_bits(data, segments):
            changed[place] += 1
        return bytes(changed)
    for part in segments:
        if part.mark in (_STEPS, _STEPS_OF_ONE):
            style = part.start + (2 if part.mark == _STEPS else 3)
            exponents = range(style + 1, part.start + part.size, 2)
            if changed[style] < 1 << 5 or any(changed[place] >= 31 << 3 for place in exponents):
                raise UnsupportedError("this kind of JPEG 2000 can't be decoded: its steps leave no room")
            changed[style] -= 1 << 5
            for place in exponents:
                changed[place] += 1 << 3
    return bytes(changed)


def _places_of_bits(data: bytes, segments: list[_Segment]) -> range:
    first = segments[0].start + _COUNT_AT + 2
    return range(first, first + 3 * _number(data, segments[0].start + _COUNT_AT, 2), 3)


def _bits(data: bytes, segments: list[_Segment]) -> list[int]:
    """Of each component's samples."""
    places = _places_of_bits(data, segments)
    if not 0 < len(places) <= _MOST_COMPONENTS:
        raise UnsupportedError(f"this kind of JPEG 2000 can't be decoded: it has {len(places)} components")
    return [(_number(data, place, 1) & 127) + 1 for place in places]


def _colours(data: bytes) -> list[bytes]:
    """What the boxes of a file say of its colours; nothing where a code stream stands alone."""
    file = io.BytesIO(data)
    headers = [box for box in _outer(file) if box.name == b"jp2h"]
    inside = [box for header in headers[:1] for box in boxes(file, header.start, header.end)]
    return [data[box.start : box.end] for box in inside if box.name == b"colr"]


def _outer(file: io.BytesIO) -> Iterator[Box]:
    """The boxes of a file up to its code stream."""
    start = file.read(2)
    if start == b"\xff\x4f":
        return
    for box in boxes(file, 0, None):
        yield box
        if box.name == b"jp2c":
            return


def _segments(data: bytes) -> Iterator[_Segment]:
    """Segments of the header of a code stream and of its tiles, that of the size first.

    Raises:
        UnreadableError: they end too early.
    """
    at = next((box.start for box in _outer(io.BytesIO(data)) if box.name == b"jp2c"), 0) + 2
    tile_end = 0
    for number in range(_MOST_SEGMENTS):
        mark = _number(data, at, 2) & 255
        if mark == _DATA:
            at = tile_end
            if data[at : at + 2] != b"\xff\x90":  # the end, or a last tile whose length isn't told
                return
            continue
        size = _number(data, at + 2, 2)
        if mark == _TILE:
            tile_end = at + max(_number(data, at + 6, 4), 2)
        if number == 0 and mark != _SIZE:
            raise UnreadableError("the JPEG 2000 is damaged: it doesn't say how large it is")
        yield _Segment(mark, at + 2, size)
        at += 2 + max(size, 2)


def _number(data: bytes, start: int, size: int) -> int:
    if start + size > len(data):
        raise UnreadableError("the JPEG 2000 is cut short")
    return int.from_bytes(data[start : start + size], "big")
