"""What Pillow leaves out of a PNG: its code points, the lower of two bytes, and colours that are called transparent."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, PngImagePlugin

from photodefect.photos.colour_codes import CodedColour, by_code_points, by_numbers

_SIGNATURE_BYTES = 8
_MOST_CHUNKS = 1000
"""Chunks before the pixels that are looked at."""


def coded_colour(data: bytes, image: Image.Image) -> tuple[CodedColour | None, bool]:
    """What a PNG's numbers mean, and whether that goes before its profile (PNG 3, section 4.3).

    Args:
        data: the file.
        image: the same, opened.
    """
    for kind, body in _chunks_before_pixels(data):
        if kind == b"cICP" and len(body) == 4:
            return by_code_points(body[0], body[1], "cICP", narrow=body[3] == 0), True
    if "srgb" in image.info:
        return None, False
    return by_numbers(image.info.get("gamma"), image.info.get("chromaticity")), False


_LEVELS: Final = {"L;2": 3, "L;4": 15}
"""Grey levels beside black, by Pillow's word for how they are stored."""


def load(data: bytes, image: ImageFile.ImageFile) -> Image.Image:
    """The pixels, transparent where they have the colour that is said to be (PNG 3, section 11.3.1.1).

    Pillow compares what it has made of the pixels with what is written: of two bytes one with the other, of grey
    levels of two or four bits what they have become with what they were.

    Args:
        data: the file.
        image: the same, opened and not loaded.
    """
    raw_mode = _raw_mode(image)
    if "transparency" in image.info and raw_mode in ("I;16B", "RGB;16B"):
        return Image.fromarray((samples(data, image) >> 8).astype(np.uint8))
    _widen_transparent_grey(image, raw_mode)
    image.load()
    return image


def samples(data: bytes, image: ImageFile.ImageFile) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """The pixels, (height, width, 1 to 4), with both bytes where there are two.

    Args:
        data: the file.
        image: the same, opened and not loaded.
    """
    raw_mode, transparent = _raw_mode(image), image.info.get("transparency")
    _widen_transparent_grey(image, raw_mode)
    if image.mode in ("RGB", "RGBA", "LA") and raw_mode == f"{image.mode};16B":
        image.load()
        high = np.asarray(image)
        with PngImagePlugin.PngImageFile(io.BytesIO(data)) as again:
            # Taken as numbers of the other order of bytes, what Pillow keeps of them is the lower byte.
            again.tile = [again.tile[0]._replace(args=f"{image.mode};16L")]
            low = np.asarray(again)
        return _see_through(high.astype(np.uint16) << 8 | low, transparent)
    image.load()
    if image.mode.startswith("I"):
        return _see_through(np.asarray(image).astype(np.uint16)[:, :, None], transparent)
    if image.has_transparency_data:
        return np.asarray(image.convert("RGBA"))
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _raw_mode(image: ImageFile.ImageFile) -> str:
    return str(image.tile[0].args) if image.tile else ""


def _widen_transparent_grey(image: ImageFile.ImageFile, raw_mode: str) -> None:
    most, grey = _LEVELS.get(raw_mode), image.info.get("transparency")
    if most is not None and isinstance(grey, int):
        image.info["transparency"] = (grey & most) * 255 // most


def _see_through(pixels: NDArray[np.uint16], colour: int | tuple[int, ...] | None) -> NDArray[np.uint16]:
    """Pixels (height, width, 1 or 3) with an alpha channel, if a colour among them is transparent."""
    if colour is None:
        return pixels
    opaque = (pixels != np.array(colour, np.uint16)).any(axis=2)
    return np.dstack([pixels, opaque.astype(np.uint16) * np.uint16(65535)])


def _chunks_before_pixels(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = _SIGNATURE_BYTES
    for _ in range(_MOST_CHUNKS):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if len(kind) < 4 or kind == b"IDAT":
            return
        yield kind, data[at + 8 : at + 8 + size]
        at += 12 + size
