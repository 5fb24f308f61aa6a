"""A decoded photo: its pixels and where they came from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photodefect.errors import TooLargeError
from photodefect.photos.facts import Provenance


@dataclass(frozen=True, eq=False)
class Photo:
    """A photo as a person would see it.

    Attributes:
        stored: (height, width, 3), uint8, sRGB, as they lie in the file.
        provenance: where they came from.
        orientation: the EXIF orientation that is still to be undone.
    """

    stored: NDArray[np.uint8]
    provenance: Provenance
    orientation: int = 1

    @cached_property
    def pixels(self) -> NDArray[np.uint8]:
        """The upright photo: (height, width, 3), uint8, sRGB, C-contiguous and writable."""
        return contiguous(self.view)

    @property
    def view(self) -> NDArray[np.uint8]:
        """The same pixels, but none is moved: turning 24 million of them takes as long as half of their decoding."""
        return upright(self.stored, self.orientation)

    @property
    def width(self) -> int:
        """Width in pixels, after orientation."""
        return int(self.view.shape[1])

    @property
    def height(self) -> int:
        """Height in pixels, after orientation."""
        return int(self.view.shape[0])


@dataclass(frozen=True, eq=False)
class RareImage:
    """A photo that Pillow doesn't read, as it lies in the file.

    Attributes:
        image: eight bits a channel; grey may have sixteen.
        mode: what is stored, in Pillow's words.
        icc: the embedded colour profile.
        orientation: the EXIF orientation that is to be undone.
        frames: pages of the file.
    """

    image: Image.Image
    mode: str
    icc: bytes | None = None
    orientation: int = 1
    frames: int = 1


class Memory:
    """Where the pixels of one photo after the other are put: the system has to clear new memory each time.

    A photo that was decoded into it is gone when the next one is.
    """

    MOST = 128 * 1024**2
    """Bytes that are kept; larger photos are rare, and get memory of their own."""

    def __init__(self) -> None:
        self._kept = np.empty(0, np.uint8)

    def of(self, size: int) -> NDArray[np.uint8] | None:
        """So many bytes, or more; None if that is more than is kept."""
        if size > self.MOST:
            return None
        if self._kept.size < size:
            self._kept = np.empty(0, np.uint8)  # before more is taken
            self._kept = np.empty(size, np.uint8)
        return self._kept


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Refuse a photo before its pixels are decoded.

    Raises:
        TooLargeError: it has more than ``max_pixels`` pixels.
    """
    if width * height > max_pixels:
        raise TooLargeError(
            f"the photo has {width} x {height} = {width * height / 1e6:,.0f} megapixels; "
            f"the limit is {max_pixels / 1e6:,.0f}"
        )


def upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Stored pixels turned upright, as a view.

    Args:
        pixels: (height, width, 3) as stored.
        orientation: EXIF orientation; anything but 2..8 leaves the pixels as they are.
    """
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def contiguous(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The same pixels (height, width, 3), C-contiguous; a copy unless they are so already."""
    if pixels.flags.c_contiguous or pixels.strides[2] != 1:
        return np.ascontiguousarray(pixels)
    # As elements of three bytes, pixels are moved whole, which is nearly twice as fast for a quarter turn.
    return np.ascontiguousarray(pixels.view("V3")).view(np.uint8)
