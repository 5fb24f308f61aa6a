"""JPEGs: pixels, the limit of passes, and files that lack only what a photo can do without."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple, cast

import numpy as np
import simplejpeg
from numpy.typing import NDArray

from photodefect.errors import UnreadableError, UnsupportedError

_START_OF_SCAN, _END_OF_IMAGE = b"\xff\xda", b"\xff\xd9"
_MARK = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
"""The mark of a JPEG's segment, or of its end; not the zeros after 0xff and the restarts within a scan."""

_SEQUENTIAL = frozenset((0xC0, 0xC1))
"""Marks of the header of a JPEG whose scans are whole ones of some components, unlike a progressive one's."""
_PROGRESSIVE = 0xC2
_TABLES = frozenset((0xC4, 0xDB, 0xDD, *range(0xE0, 0xF0), 0xFE))
"""Marks of what may come before a JPEG's first scan: tables, restart interval, other programs' data, comments."""

_COEFFICIENTS = 64

END_MARK, LAST_PASSES = "end mark", "last passes"
"""What a JPEG may lack: every pixel is there as it was stored, or all but the lowest bit of its coefficients."""


_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Marks of the header that tells a JPEG's size (ITU-T T.81, table B.1)."""
_UNREAD = {0xF7: "JPEG-LS", 0xCB: "lossless with arithmetic coding"} | dict.fromkeys(
    (0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF), "hierarchical"
)
"""Kinds that libjpeg doesn't know, by that mark."""
_NUMBER_OF_LINES = b"\xff\xdc\x00\x04"


class JpegPixels(NamedTuple):
    """What became of a JPEG.

    Attributes:
        pixels: (height, width, 3) RGB or (height, width, 4) CMYK as stored; None if only the more lenient way may
            succeed.
        data: the file, ended where it wasn't.
        missing: what it lacks; None if nothing.
    """

    pixels: NDArray[np.uint8] | None
    data: bytes
    missing: str | None = None


def decode_jpeg(data: bytes, colours: str, memory: NDArray[np.uint8] | None = None) -> JpegPixels:
    """Decode a JPEG, also one that lacks only its end mark or the last of its passes.

    Args:
        data: the file.
        colours: ``RGB`` or ``CMYK``.
        memory: holds the pixels afterwards; None to take some.

    Raises:
        UnreadableError: the data ends too early; libjpeg would fill up with grey.
    """
    try:
        return JpegPixels(_decode(data, colours, memory), data)
    except ValueError as error:
        for ended, missing in _ended(data):
            try:
                return JpegPixels(_decode(ended, colours, memory), ended, missing)
            except ValueError:
                continue
        if "premature end" in str(error).lower():
            raise UnreadableError("the JPEG is cut short: its lower part is missing") from error
        return JpegPixels(None, data)


def _decode(data: bytes, colours: str, memory: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    return cast(NDArray[np.uint8], simplejpeg.decode_jpeg(data, colours, buffer=memory))


def _ended(data: bytes) -> Iterator[tuple[bytes, str]]:
    """A file without end mark, with one: after its last scan; and after the one before, if that tells enough.

    libjpeg says of each whether data is missing within it; what whole passes are missing, only their headers tell.
    """
    missing: dict[tuple[int, int], int] = {}
    bits, starts, end = [], [], len(data.rstrip(b"\xff"))
    for mark, at, size in _segments(data):
        if mark == _END_OF_IMAGE[1]:
            return
        try:
            if at + max(size, 2) > len(data):
                end = at - 2
            elif mark in _SEQUENTIAL or mark == _PROGRESSIVE:
                components = data[at + 8 : at + 8 + 3 * data[at + 7] : 3]
                missing = {(name, number): _COEFFICIENTS for name in components for number in range(_COEFFICIENTS)}
            elif mark == _START_OF_SCAN[1] and missing:
                bits.append(_missing_bits(data, at, missing))
                starts.append(at - 2)
        except (IndexError, ValueError):  # a header that lies
            return
    if bits and bits[-1] <= 1:
        yield data[:end] + _END_OF_IMAGE, LAST_PASSES if bits[-1] else END_MARK
    if len(bits) > 1 and bits[-2] <= 1:
        yield data[: starts[-1]] + _END_OF_IMAGE, LAST_PASSES


def _missing_bits(data: bytes, at: int, missing: dict[tuple[int, int], int]) -> int:
    """How many low bits of the coefficients are missing at most after a scan; all of them if any wasn't told at all.

    Args:
        data: the file.
        at: where the scan's header is (ITU-T T.81, sections B.2.3 and G.1.1.1).
        missing: by component and coefficient, before the scan; changed to what it is after it.
    """
    count = data[at + 2]
    first, last, shifts = data[at + 3 + 2 * count : at + 6 + 2 * count]
    for component in data[at + 3 : at + 3 + 2 * count : 2]:
        for number in range(first, min(last, _COEFFICIENTS - 1) + 1):
            missing[component, number] = shifts & 15
    return max(missing.values())


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Mark of each segment up to the end mark, the place of the length after it, and that length."""
    at = 2
    while mark := _MARK.search(data, at):
        size = int.from_bytes(data[mark.end() : mark.end() + 2], "big")
        yield mark[0][1], mark.end(), size
        if mark[0] == _END_OF_IMAGE:
            return
        at = mark.end() + size


def with_height(data: bytes) -> bytes:
    """A JPEG with its height in its header, also where only the end of its first scan tells it (T.81, section B.2.5).

    Args:
        data: the file.

    Raises:
        UnsupportedError: it is of a kind that isn't known here.
    """
    for mark, at, _ in _segments(data):
        if mark in _UNREAD:
            raise UnsupportedError(f"this kind of JPEG can't be decoded: {_UNREAD[mark]}")
        if mark in _FRAMES:
            if data[at + 3 : at + 5] != b"\0\0":
                break
            lines = data.find(_NUMBER_OF_LINES, at) + len(_NUMBER_OF_LINES)
            if lines >= len(_NUMBER_OF_LINES):
                return data[: at + 3] + data[lines : lines + 2] + data[at + 5 :]
            break
    return data


def check_scans(data: bytes, most: int) -> None:
    """Refuse a JPEG that goes over its pixels more than ``most`` times.

    Raises:
        UnreadableError: it does.
    """
    if _has_one_scan(data) or data.count(_START_OF_SCAN) <= most:
        return
    # There are that many, or bytes after the picture (a film, another picture) look like it: go from mark to mark.
    scans = 0
    for mark, _, _ in _segments(data):
        scans += mark == _START_OF_SCAN[1]
        if scans > most:
            raise UnreadableError(
                f"the JPEG is damaged: it goes over its pixels more than {most} times, where photos do a dozen"
            )


def _has_one_scan(data: bytes) -> bool:
    """Whether a JPEG's header says that its first scan has all components, and whole: nearly every photo's does.

    libjpeg then refuses a second one. The header is read as libjpeg does; anything unusual is left to others to judge.
    """
    at, components = 2, -1
    while data[at : at + 1] == b"\xff" and len(data) >= at + 10:
        mark, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if mark in _SEQUENTIAL:
            components = data[at + 9]
        elif mark == _START_OF_SCAN[1]:
            return data[at + 4] == components
        elif mark not in _TABLES:
            return False
        at += 2 + length
    return False
