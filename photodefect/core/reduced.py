"""A photo at smaller sizes, from one pass over its pixels.

Pillow takes a copy of what it is given, four bytes a pixel, which for a large photo takes longer than all the rest. So
square boxes of pixels are averaged first, where they lie; what is left goes to Pillow. A photo that is turned or
mirrored is reduced as it lies, and what comes of it is turned, so that it has the photo's own pixels.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photodefect.core.warp import ACROSS, product
from photodefect.photos.photo import contiguous

_TOGETHER: Final = 1 << 20
"""Rows of about so many bytes are averaged together, so that they stay in the processor's cache."""

_IN_A_ROW: Final = 32
"""Pixels of a row that are averaged by one row of a matrix, or those of a box if it has more."""


class Reduced:
    """Makes a photo smaller, as often as wanted.

    Args:
        pixels: (height, width, 3), uint8; a view of a photo that is turned or mirrored, too.
    """

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self._pixels = pixels
        self._on_its_side = pixels.strides[2] == 1 and abs(pixels.strides[0]) < abs(pixels.strides[1])
        lying = pixels.transpose(1, 0, 2) if self._on_its_side else pixels
        self._down, self._across = (-1 if stride < 0 else 1 for stride in lying.strides[:2])
        self._by_box: dict[int, NDArray[np.uint8]] = {1: lying[:: self._down, :: self._across]}

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

    def image(
        self,
        size: tuple[int, int],
        resampling: Image.Resampling = Image.Resampling.BILINEAR,
        *,
        finer: float = 1.0,
        mode: str = "RGB",
    ) -> Image.Image:
        """The photo at another size; antialiased.

        Args:
            size: width and height.
            resampling: how Pillow makes it from means of boxes.
            finer: how many times more of these there are than pixels wanted, along each side, at least.
            mode: ``RGB``, or ``L`` for a grey one, which takes less time.
        """
        if size == self.size:
            whole = Image.fromarray(contiguous(self._pixels))
            return whole if mode == whole.mode else whole.convert(mode)
        wanted = size[::-1] if self._on_its_side else size
        height, width, _ = self._by_box[1].shape
        box = 1
        while width >= 2 * box * finer * wanted[0] and height >= 2 * box * finer * wanted[1]:
            box *= 2
        image = Image.fromarray(self._boxes(box))
        if mode != image.mode:
            image = image.convert(mode)
        if image.size != wanted:
            image = image.resize(wanted, resampling, (0.0, 0.0, width / box, height / box))
        turns = {
            Image.Transpose.FLIP_TOP_BOTTOM: self._down < 0,
            Image.Transpose.FLIP_LEFT_RIGHT: self._across < 0,
            Image.Transpose.TRANSPOSE: self._on_its_side,
        }
        for turn in (turn for turn, is_needed in turns.items() if is_needed):
            image = image.transpose(turn)
        return image

    def pixels(self, size: tuple[int, int]) -> NDArray[np.uint8]:
        """As :meth:`image`, (height, width, 3); the photo's own pixels if it has that size."""
        return self._pixels if size == self.size else np.asarray(self.image(size))

    def _boxes(self, side: int) -> NDArray[np.uint8]:
        """Means of boxes of so many pixels along each side, as they lie."""
        if side not in self._by_box:
            smaller = max(known for known in self._by_box if known < side)
            self._by_box[side] = box_means(self._by_box[smaller], side // smaller)
        return self._by_box[side]


def box_means(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Means of boxes of ``side`` x ``side`` pixels; the last ones along each side may have fewer.

    Args:
        pixels: (height, width, 3).
        side: 2, 4, 8 ...

    Returns:
        (ceil(height / side), ceil(width / side), 3), within a level, and no darker or lighter on the whole.
    """
    if pixels.strides[1:] != (3, 1):
        pixels = contiguous(pixels)
    height, width, _ = pixels.shape
    down, across = height // side, width // side
    result = np.empty((-(-height // side), -(-width // side), 3), np.uint8)
    if across < result.shape[1]:
        rest = pixels[: down * side, across * side :].reshape(down, side * (width - across * side), 3)
        result[:down, -1] = np.rint(rest.mean(1))
    if down < len(result):
        means = pixels[down * side :].mean(0)
        last = [means[left : left + side].mean(0) for left in range(0, width, side)]
        result[-1] = np.rint(last)
    weights = _averaging(side)
    each = side * across * 3
    together = max(1, _TOGETHER // max(1, width * 3 * side))
    # Rows of the matrix may go on beyond the end of the photo's rows, and the last one beyond the last of them.
    rows = np.zeros(-(-together * each // len(weights)) * len(weights), np.uint8)
    for first in range(0, down if across else 0, together):
        count = min(together, down - first)
        lines = pixels[first * side : (first + count) * side, : across * side].reshape(count * side, each)
        _row_means(lines, rows[: count * each].reshape(count, each))
        means = product(ACROSS, rows.reshape(-1, len(weights)), weights, side)
        result[first : first + count, :across] = means.ravel()[: count * across * 3].reshape(count, across, 3)
    return result


def _row_means(rows: NDArray[np.uint8], means: NDArray[np.uint8]) -> None:
    """Put the means of each few rows into ``means``: of two, four, eight ...

    Halves are rounded down in one row and up in the next, so that nothing gets darker.
    """
    while len(rows) > len(means):
        one, other = rows[0::2], rows[1::2]
        half = one ^ other
        half >>= 1
        rows = means if len(one) == len(means) else np.empty_like(half)
        np.add(one[0::2] & other[0::2], half[0::2], out=rows[0::2])
        np.subtract(one[1::2] | other[1::2], half[1::2], out=rows[1::2])


@cache
def _averaging(side: int) -> NDArray[np.int8]:
    """A matrix that adds up the pixels of boxes in a row, (pixels x 3, boxes x 3)."""
    boxes = max(1, _IN_A_ROW // side)
    return np.ascontiguousarray(np.kron(np.kron(np.eye(boxes), np.ones((side, 1))), np.eye(3)).astype(np.int8))
