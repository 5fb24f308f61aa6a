"""What Pillow leaves out of a PNG: its code points, and the lower of two bytes."""

from __future__ import annotations

import io
from collections.abc import Iterator

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


def samples(data: bytes, image: ImageFile.ImageFile) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """The pixels, (height, width, 1 to 4), with both bytes where there are two.

    Args:
        data: the file.
        image: the same, opened and not loaded.
    """
    raw_mode = str(image.tile[0].args) if image.tile else ""
    if image.mode in ("RGB", "RGBA", "LA") and raw_mode == f"{image.mode};16B":
        image.load()
        high = np.asarray(image)
        with PngImagePlugin.PngImageFile(io.BytesIO(data)) as again:
            # Taken as numbers of the other order of bytes, what Pillow keeps of them is the lower byte.
            again.tile = [again.tile[0]._replace(args=f"{image.mode};16L")]
            low = np.asarray(again)
        both: NDArray[np.uint16] = high.astype(np.uint16) << 8 | low
        return both
    image.load()
    if image.mode.startswith("I"):
        return np.asarray(image).astype(np.uint16)[:, :, None]
    if image.has_transparency_data:
        return np.asarray(image.convert("RGBA"))
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _chunks_before_pixels(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = _SIGNATURE_BYTES
    for _ in range(_MOST_CHUNKS):
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if len(kind) < 4 or kind == b"IDAT":
            return
        yield kind, data[at + 8 : at + 8 + size]
        at += 12 + size
