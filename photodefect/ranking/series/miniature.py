"""A photo in miniature: the few hundred numbers by which it is compared with the photos before and after it."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

SIDE: Final = 32
"""Pixels along each side of a miniature, whatever the shape of its photo."""

CELLS: Final = 16
"""Cells along each side of the frame in which colour and fine detail are kept."""

PROFILE: Final = 96
"""Pixels of the photo along each of the two lines by which it is compared to fractions of a pixel."""

DETAIL_STEPS: Final = 12
"""Steps of fine detail that are a doubling of its energy."""

_SIZES: Final = (SIDE * SIDE, CELLS * CELLS * 2, CELLS * CELLS, 2 * PROFILE)

_SEEN: Final = 2**18
"""Pixels in which fine detail is looked for, about: those of rows between say the same."""

_FEWEST_ROWS: Final = 3 * CELLS

_STRIP: Final = 512


@dataclass(frozen=True)
class Miniatures:
    """N photos in miniature.

    Attributes:
        luma: (N, SIDE, SIDE), luma of Rec. 601, 0..255.
        chroma: (N, CELLS, CELLS, 2), Cb and Cr, around 0.
        detail: (N, CELLS, CELLS), binary logarithms of the mean energy of the Laplacian at the photo's resolution.
        profiles: (N, 2, PROFILE), how luma changes down and across the middle of the frame, pixel by pixel; scaled.
    """

    luma: NDArray[np.float32]
    chroma: NDArray[np.float32]
    detail: NDArray[np.float32]
    profiles: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.luma)

    def __getitem__(self, index: NDArray[Any] | Sequence[int]) -> Miniatures:
        return Miniatures(self.luma[index], self.chroma[index], self.detail[index], self.profiles[index])


def measure_miniature(sample: NDArray[np.uint8], pixels: NDArray[np.uint8]) -> str:
    """A photo in miniature, as text.

    Args:
        sample: (height, width, 3), uint8, sRGB: the photo reduced, to whichever shape.
        pixels: the photo at its own resolution, of the same form.
    """
    from PIL import Image  # noqa: PLC0415  whoever only compares needs no decoder

    small = Image.fromarray(sample).resize((SIDE, SIDE), Image.Resampling.BOX).convert("YCbCr")
    luma = np.asarray(small)[..., 0]
    chroma = np.asarray(small.resize((CELLS, CELLS), Image.Resampling.BOX))[..., 1:]
    parts = (luma, chroma, _detail(pixels), _profiles(pixels).view(np.uint8))
    return base64.b64encode(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)).decode()


def read_miniatures(texts: Sequence[str]) -> Miniatures:
    """What :func:`measure_miniature` made of N photos.

    Raises:
        ValueError: it was not made by this version.
    """
    data = b"".join(base64.b64decode(text, validate=True) for text in texts)
    if len(data) != len(texts) * sum(_SIZES):
        raise ValueError("these are no photos in miniature")
    values = np.frombuffer(data, np.uint8).reshape(len(texts), sum(_SIZES))
    luma, chroma, detail, profiles = np.split(values, np.cumsum(_SIZES)[:-1], axis=1)
    return Miniatures(
        luma.reshape(-1, SIDE, SIDE).astype(np.float32),
        chroma.reshape(-1, CELLS, CELLS, 2).astype(np.float32) - 128,
        detail.reshape(-1, CELLS, CELLS).astype(np.float32) / np.float32(DETAIL_STEPS),
        np.ascontiguousarray(profiles).view(np.int8).reshape(-1, 2, PROFILE).astype(np.float32),
    )


def _detail(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Energy of the Laplacian of the green channel by cell, (CELLS, CELLS), in steps."""
    if abs(pixels.strides[0]) < abs(pixels.strides[1]):  # turned: its rows are columns of the file
        upright: NDArray[np.uint8] = _detail(pixels.transpose(1, 0, 2)).T
        return upright
    height, width = pixels.shape[:2]
    if min(height, width) < 3 * CELLS:  # too few pixels for as many cells
        return np.zeros((CELLS, CELLS), np.uint8)
    green = pixels[..., 1]
    step = max(1, height // max(_SEEN // width, _FEWEST_ROWS))
    rows = range(1, height - 1, step)
    above, here, below = (green[rows.start + shift : rows.stop + shift : step].astype(np.int16) for shift in (-1, 0, 1))
    laplacian: NDArray[np.int16] = 4 * here[:, 1:-1]
    for neighbour in (here[:, :-2], here[:, 2:], above[:, 1:-1], below[:, 1:-1]):
        laplacian -= neighbour
    down, across = (np.linspace(0, length, CELLS + 1).astype(int) for length in laplacian.shape)
    squares = np.square(laplacian, dtype=np.float32)
    sums = np.add.reduceat(np.add.reduceat(squares, down[:-1], axis=0), across[:-1], axis=1)
    energy = sums / np.outer(np.diff(down), np.diff(across))
    steps: NDArray[np.uint8] = np.rint(np.log2(np.maximum(energy, 1)) * DETAIL_STEPS).clip(0, 255).astype(np.uint8)
    return steps


def _profiles(pixels: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Differences along the mean row and the mean column of the middle of the frame, (2, PROFILE)."""
    height, width = pixels.shape[:2]
    if min(height, width) <= PROFILE:
        return np.zeros((2, PROFILE), np.int8)
    top, left = (height - PROFILE - 1) // 2, (width - PROFILE - 1) // 2
    strip = slice(max(0, (height - _STRIP) // 2), (height + _STRIP) // 2)
    band = slice(max(0, (width - _STRIP) // 2), (width + _STRIP) // 2)
    down = pixels[top : top + PROFILE + 1, band, 1].mean(axis=1)
    across = pixels[strip, left : left + PROFILE + 1, 1].mean(axis=0)
    changes = np.diff(np.stack([down, across]), axis=1)
    largest = np.abs(changes).max(axis=1, keepdims=True)
    scaled: NDArray[np.int8] = np.rint(changes * (127 / np.maximum(largest, 0.5))).astype(np.int8)
    return scaled
