"""A photo's file to oriented sRGB pixels, with provenance."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from photodefect.errors import UnsupportedError
from photodefect.photos.facts import DEFAULT_MAX_PIXELS, Provenance
from photodefect.photos.files import read_photo
from photodefect.photos.formats import RAW_SUFFIXES, Format, sniff
from photodefect.photos.limits import LIMITS, Limits
from photodefect.photos.photo import Memory, Photo
from photodefect.photos.raster import decode_raster
from photodefect.photos.raw import decode_raw, has_raw_tags

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "Decoder",
    "Memory",
    "Photo",
    "Provenance",
    "decode",
    "decode_bytes",
    "decode_pixels",
]


def decode(path: Path, *, max_pixels: int = DEFAULT_MAX_PIXELS, limits: Limits = LIMITS) -> Photo:
    """Read a photo as a person would see it: upright, in sRGB, its first frame, on white where transparent.

    What kind of file it is, is told from its content; its name only says whether a TIFF may be a raw photo. The
    file is read once. Safe to call from several threads.

    Args:
        path: the photo.
        max_pixels: photos with more pixels, by their header, are refused before they are decoded.
        limits: of everything else.

    Raises:
        UnreadableError: missing, not a regular file, no permission, empty, truncated or damaged.
        UnsupportedError: not a photo, or a format whose decoder is not installed; the message says what to install.
        TooLargeError: more pixels than ``max_pixels``.

    The messages don't name the file: a record or report that holds them does.
    """
    return decode_bytes(read_photo(path, limits), path.suffix, max_pixels=max_pixels, limits=limits)


Decoder: TypeAlias = Callable[[Path], NDArray[np.uint8]]
"""Reads a photo's pixels, (height, width, 3) sRGB, upright; what it can't read is a :class:`PhotoError`."""


def decode_pixels(path: Path) -> NDArray[np.uint8]:
    """The pixels that :func:`decode` reads: the :data:`Decoder` of whoever isn't afraid of broken photos."""
    return decode(path).pixels


def decode_bytes(
    data: bytes,
    suffix: str = "",
    *,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    memory: Memory | None = None,
    limits: Limits = LIMITS,
) -> Photo:
    """As :func:`decode`, from the bytes of a file and the ending of its name.

    Args:
        data: the file.
        suffix: the ending of its name.
        max_pixels: as in :func:`decode`.
        memory: where its pixels may be put, in place of those of the photo before.
        limits: as in :func:`decode`.

    Raises:
        UnreadableError: truncated or damaged.
        UnsupportedError: as :func:`decode`.
        TooLargeError: likewise.
    """
    kind = sniff(data)
    if kind is None:  # read_photo() has looked, but the file may have been exchanged meanwhile
        raise UnsupportedError("this is not a photo: its content is of no known photo format")
    tagged_raw = kind is Format.RAW or (kind is Format.TIFF and has_raw_tags(data))
    # Some raw formats are TIFFs whose tags don't say so; the picture that a TIFF decoder finds in them is tiny.
    if tagged_raw or (kind is Format.TIFF and suffix.lower() in RAW_SUFFIXES):
        photo = decode_raw(data, max_pixels, limits)
        if photo is not None:
            return photo
    if tagged_raw:
        raise UnsupportedError("this kind of raw photo is not known to LibRaw; convert it to DNG or JPEG")
    return decode_raster(data, kind, max_pixels, memory, limits)
