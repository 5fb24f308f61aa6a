"""A photo at smaller sizes, from one pass over its pixels.

Pillow takes a copy of what it is given, four bytes a pixel, which for a large photo takes longer than all the rest. So
rows are averaged first; what is left goes to Pillow once, for all sizes.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_LEAST_BYTES: Final = 1 << 18
"""Rows of about so many bytes are averaged together, so that they stay in the processor's cache."""


class Reduced:
    """Makes a photo smaller, as often as wanted.

    Args:
        pixels: (height, width, 3), uint8.
    """

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self._pixels = pixels
        self._by_rows: dict[int, Image.Image] = {}

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the photo, in pixels."""
        return self._pixels.shape[1], self._pixels.shape[0]

    def within(self, side: int) -> tuple[int, int]:
        """Width and height with a long side of so many pixels at most."""
        share = min(1.0, side / max(self.size))
        width, height = (max(1, round(length * share)) for length in self.size)
        return width, height

    def scaled(self, scale: float) -> tuple[int, int]:
        """Width and height at a scale."""
        width, height = (max(1, round(length * scale)) for length in self.size)
        return width, height

    def image(self, size: tuple[int, int], resampling: Image.Resampling = Image.Resampling.BILINEAR) -> Image.Image:
        """The photo at a size, width and height; antialiased."""
        rows = 1
        while self.size[1] >= 2 * rows * size[1] and rows < self.size[1]:
            rows *= 2
        if rows not in self._by_rows:
            self._by_rows[rows] = Image.fromarray(_row_means(self._pixels, rows))
        image = self._by_rows[rows]
        if image.size == size:
            return image.copy()
        box = (0.0, 0.0, float(image.size[0]), self.size[1] / rows)
        return image.resize(size, resampling, box, reducing_gap=2.0)

    def pixels(self, size: tuple[int, int]) -> NDArray[np.uint8]:
        """As :meth:`image`, (height, width, 3); the photo's own pixels if it has that size."""
        return self._pixels if size == self.size else np.asarray(self.image(size))


def _row_means(pixels: NDArray[np.uint8], rows: int) -> NDArray[np.uint8]:
    """Means of every ``rows`` rows, a power of two, (ceil(height / rows), width, 3); the last may be of fewer.

    Halves are rounded down in one step and up in the next, so that nothing gets darker.
    """
    if rows == 1:
        return pixels
    height, width, _ = pixels.shape
    whole = height // rows
    result = np.empty((-(-height // rows), width, 3), np.uint8)
    if whole < len(result):
        result[-1] = np.rint(pixels[whole * rows :].mean(0))
    together = max(1, _LEAST_BYTES // (rows * width * 3))
    for start in range(0, whole, together):
        stop = min(whole, start + together)
        part = pixels[start * rows : stop * rows]
        up = False
        while len(part) > stop - start:
            one, other = part[0::2], part[1::2]
            half = (one ^ other) >> 1
            part = (one | other) - half if up else (one & other) + half
            up = not up
        result[start:stop] = part
    return result
