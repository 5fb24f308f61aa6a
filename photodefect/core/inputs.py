"""What the networks see of a photo: the whole of it warped, and patches at its original resolution."""

from __future__ import annotations

import hashlib
import struct
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photodefect.core.patches import Placement
from photodefect.core.warp import warp

SIDE = 224
"""Width and height of an input, in pixels, unless a network wants smaller patches."""

CANDIDATES = 128
"""Places among which the sharpest is looked for; with half as many, a small bird in focus was missed."""

FINALISTS: Final = 8
"""How many of them are looked at closely."""

_PLASTIC = 1.324717957244746
_STRIDES = np.array([1 / _PLASTIC, 1 / _PLASTIC**2])
"""Steps of the R2 sequence (Roberts 2018), along each side: however many of its points, they are spread evenly."""


def holistic_input(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The whole photo warped to 224 x 224, whatever its aspect ratio (section 4 of the paper).

    Bilinear with antialiasing; within one level of Pillow's ``BILINEAR``.

    Args:
        pixels: (height, width, 3) sRGB.

    Returns:
        (224, 224, 3).
    """
    _check(pixels)
    return warp(pixels, SIDE)


def patch_inputs(
    pixels: NDArray[np.uint8],
    *,
    count: int = 1,
    placement: Placement = "random",
    seed: int,
    side: int = SIDE,
) -> NDArray[np.uint8]:
    """Square patches at the photo's original resolution.

    A photo whose short side is under that of a patch is enlarged (bicubic, keeping its aspect ratio) so that it is as
    long; only the patches themselves are computed, so that a strip of 1 x 20,000 pixels takes no more memory than
    others.

    Args:
        pixels: (height, width, 3) sRGB.
        count: number of random patches, at least 1.
        placement: ``random``: ``count`` patches, as in the paper; ``sharp``: the first ones are spread evenly from the
            middle on, the last one is the sharpest of :data:`CANDIDATES` others, all at the same parts of the frame in
            every photo, so that the same photo saved again is judged alike; ``grid``: the nine of the authors' test
            script.
        seed: what random places are drawn from, 0 or more; see :func:`content_seed`. Evenly spread ones begin elsewhere
            by it, unless it is 0; the sharpest is looked for in the same places. A grid doesn't need it.
        side: of a patch, in pixels.

    Returns:
        (count, side, side, 3), or (9, side, side, 3) for the grid.

    Raises:
        ValueError: ``count`` is under 1, or ``placement`` is none of the three.
    """
    _check(pixels)
    height, width = enlarged_size(pixels.shape[0], pixels.shape[1], side)
    if placement != "sharp" or count < 1:
        corners = patch_corners(height, width, count=count, placement=placement, seed=seed, side=side)
    else:
        # Where it is sharpest is no matter of chance: the same places for every seed.
        candidates = _spread_corners(height, width, max(1, count - 1) + CANDIDATES, 0, side)[-CANDIDATES:]
        sharpest = _sharpest(pixels, candidates, pixels.shape[0] / height, side)
        corners = np.vstack([_spread_corners(height, width, count - 1, seed, side), sharpest])
    return _cut(pixels, corners, height, width, side)


def _spread_corners(height: int, width: int, count: int, seed: int, side: int) -> NDArray[np.int64]:
    """Top left corners of patches that are spread evenly over a photo, (count, 2): the first in its middle."""
    begin = np.random.Generator(np.random.PCG64(seed)).random(2) if seed else np.array([0.5, 0.5])
    places = (begin + np.arange(count)[:, None] * _STRIDES) % 1
    corners: NDArray[np.int64] = np.rint(places * (height - side, width - side)).astype(np.int64)
    return corners


def _sharpest(pixels: NDArray[np.uint8], corners: NDArray[np.int64], scale: float, side: int) -> NDArray[np.int64]:
    """The corner of the patch with the strongest differences between neighbours.

    Green, every eighth row and the one after it; of the :data:`FINALISTS` every second one, or a crop by two pixels
    would choose another place of about the same sharpness. Together a hundredth of the time of decoding.

    Args:
        pixels: (height, width, 3).
        corners: (N, 2), of patches of a photo that is to be enlarged.
        scale: pixels here for one there, 1 or less.
        side: of a patch there.
    """
    side = max(2, round(side * scale))
    lowest, rightmost = (max(0, length - side) for length in pixels.shape[:2])
    places = [(min(int(top * scale), lowest), min(int(left * scale), rightmost)) for top, left in corners.tolist()]
    windows = [pixels[top : top + side, left : left + side] for top, left in places]
    finalists = np.argsort(-_sharpness(windows, 8), kind="stable")[:FINALISTS]
    sharpest = finalists[np.argmax(_sharpness([windows[index] for index in finalists], 2))]
    chosen: NDArray[np.int64] = corners[sharpest]
    return chosen


def _sharpness(windows: list[NDArray[np.uint8]], step: int) -> NDArray[np.float64]:
    """Mean square of differences between neighbours, (N,); one of so many rows is looked at, and the one after it."""
    rows, following = _pairs(windows, step)
    return _energy(rows[:, :, 1:] - rows[:, :, :-1]) + _energy(following - rows[:, : following.shape[1]])


def _pairs(windows: list[NDArray[np.uint8]], step: int) -> tuple[NDArray[np.int16], NDArray[np.int16]]:
    """Green in one of so many rows of windows (h, w, 3), (N, rows, w), and in the rows after them.

    Memory is slow to come where a photo lies, and comes fastest as whole stretches of it, with all their colours. Of
    a photo that lies on its side in memory, all stretches of a window have a part in each of its rows.
    """
    height, width, _ = windows[0].shape
    first, second = (np.empty((len(windows), len(range(at, height, step)), width), np.int16) for at in (0, 1))
    for index, window in enumerate(windows):
        if abs(window.strides[0]) < abs(window.strides[1]):
            near = np.ascontiguousarray(window.transpose(1, 0, 2)).transpose(1, 0, 2)
            parts = near[::step], near[1::step]
        else:
            parts = np.ascontiguousarray(window[::step]), np.ascontiguousarray(window[1::step])
        first[index], second[index] = parts[0][..., 1], parts[1][..., 1]
    return first, second


def _energy(differences: NDArray[np.int16]) -> NDArray[np.float64]:
    """Mean square of differences between neighbours, (N, h, w) -> (N,); 0 where there are none. They are overwritten.

    The square of a difference of bytes fits into 16 bits without a sign.
    """
    if not differences.size:
        return np.zeros(len(differences))
    squares = np.multiply(differences, differences, out=differences).view(np.uint16)
    means: NDArray[np.float64] = squares.sum((1, 2), dtype=np.uint32) / differences[0].size
    return means


def _cut(
    pixels: NDArray[np.uint8], corners: NDArray[np.int64], height: int, width: int, side: int
) -> NDArray[np.uint8]:
    """Patches at corners of a photo enlarged to ``height`` and ``width``."""
    if (height, width) == pixels.shape[:2]:
        return np.stack([pixels[top : top + side, left : left + side] for top, left in corners])
    small = Image.fromarray(pixels)
    across, down = pixels.shape[1] / width, pixels.shape[0] / height
    boxes = [(left * across, top * down, (left + side) * across, (top + side) * down) for top, left in corners.tolist()]
    return np.stack([np.asarray(small.resize((side, side), Image.Resampling.BICUBIC, box=box)) for box in boxes])


def enlarged_size(height: int, width: int, side: int = SIDE) -> tuple[int, int]:
    """Height and width of a photo once its short side is at least that of a patch; unchanged if it is."""
    short = min(height, width)
    if short >= side:
        return height, width
    return round(height * side / short), round(width * side / short)


def patch_corners(
    height: int, width: int, *, count: int, placement: Placement, seed: int, side: int = SIDE
) -> NDArray[np.int64]:
    """Top left corners of the patches of a photo whose sides are at least that of a patch.

    Random ones are uniform over all places inside. The grid is 3 x 3, row by row: it touches the borders, and its
    middle is the photo's.

    Returns:
        (patches, 2): top and left, in pixels.

    Raises:
        ValueError: ``count`` is under 1, or ``placement`` is unknown.
    """
    lowest, rightmost = height - side, width - side
    if placement == "grid":
        return np.array([(top, left) for top in (0, lowest // 2, lowest) for left in (0, rightmost // 2, rightmost)])
    if placement != "random":
        raise ValueError(f"placement is {placement!r}, neither 'random' nor 'grid'")
    if count < 1:
        raise ValueError(f"count is {count}; at least one patch is needed")
    generator = np.random.Generator(np.random.PCG64(seed))
    return generator.integers(0, (lowest, rightmost), size=(count, 2), endpoint=True)


def content_seed(holistic: NDArray[np.uint8], width: int, height: int) -> int:
    """A seed that depends on what a photo shows and on nothing else: not on its name, metadata or neighbours.

    Args:
        holistic: the photo's :func:`holistic_input`.
        width: the photo's width in pixels.
        height: the photo's height in pixels.

    Returns:
        0 .. 2**64 - 1.
    """
    digest = hashlib.blake2b(np.ascontiguousarray(holistic).tobytes(), digest_size=8)
    digest.update(struct.pack("<QQ", width, height))
    return int.from_bytes(digest.digest(), "little")


def _check(pixels: NDArray[np.uint8]) -> None:
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8 or 0 in pixels.shape:
        raise ValueError(f"pixels are {pixels.dtype} of shape {pixels.shape}, not uint8 of (height, width, 3)")
