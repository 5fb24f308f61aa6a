"""Where a photo has what noise and blur show in: elsewhere their maps can't tell.

A clear sky has no edge that could be sharp, and what is clipped to white or black has no grain. Both are measured on
means of 4 x 4 pixels of green, in which a camera's noise hardly shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from photodefect.core.network.cells import STRIDE
from photodefect.heatmap.window_means import window_means

BLOCK: Final = 4
"""Side in pixels of what is averaged first."""

LEAST_CONTRAST: Final = 3.0
"""Deviation of a window's blocks, in levels of 255, from which on blur can be told from sharpness."""

DARKEST: Final = 2.0
LIGHTEST: Final = 253.0
"""Levels of blocks beyond which they count as clipped."""

LEAST_UNCLIPPED: Final = 0.25
"""Share of a window's blocks that must not be clipped for noise to be told."""


def tells(key: str, pixels: NDArray[np.uint8], window: int) -> NDArray[np.bool_] | None:
    """Which cells of a map can be told, from the cells around each that its value averages.

    Args:
        key: of the defect.
        pixels: (H, W, 3), what was mapped.
        window: cells of 32 pixels that a value averages, odd.

    Returns:
        (ceil(H / 32), ceil(W / 32)); None for a defect that can be told everywhere.
    """
    if key not in _MEASURES:
        return None
    green = pixels[..., 1]
    # As the network sees it: continued by its mirror image.
    green = np.pad(green, [(0, -length % STRIDE) for length in green.shape], mode="symmetric")
    blocks = _blocks(green)
    height, width = (length // STRIDE for length in green.shape)
    side = STRIDE // BLOCK
    by_cell = blocks.reshape(height, side, width, side)
    unclipped = ((by_cell > DARKEST) & (by_cell < LIGHTEST)).mean((1, 3), dtype=np.float32)
    moments = [by_cell.mean((1, 3)), np.square(by_cell).mean((1, 3)), unclipped]
    return _MEASURES[key](window_means(np.stack(moments), window))


def patches_tell(keys: Sequence[str], patches: NDArray[np.uint8]) -> dict[str, NDArray[np.bool_]]:
    """As :func:`tells`, of patches (N, side, side, 3): (N,) by the key of each defect that can't be told everywhere."""
    measures = {key: _MEASURES[key] for key in keys if key in _MEASURES}
    if not measures:
        return {}
    side = patches.shape[1] // BLOCK * BLOCK
    blocks = _blocks(patches[:, :side, :side, 1])
    unclipped = ((blocks > DARKEST) & (blocks < LIGHTEST)).mean((1, 2), dtype=np.float32)
    moments = np.stack([blocks.mean((1, 2)), np.square(blocks).mean((1, 2)), unclipped])
    return {key: measure(moments) for key, measure in measures.items()}


def _blocks(green: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Means of blocks, (..., h, w) -> (..., h / 4, w / 4); the sides are multiples of it."""
    down = green[..., 0::BLOCK, :].astype(np.uint16)
    for row in range(1, BLOCK):
        down += green[..., row::BLOCK, :]
    across = down[..., 0::BLOCK].astype(np.float32)
    for column in range(1, BLOCK):
        across += down[..., column::BLOCK]
    across /= BLOCK**2
    return across


def _has_contrast(moments: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Of mean, mean square and share that isn't clipped, along the first axis."""
    result: NDArray[np.bool_] = moments[1] - np.square(moments[0]) >= LEAST_CONTRAST**2
    return result


def _has_grain(moments: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Likewise."""
    result: NDArray[np.bool_] = moments[2] >= LEAST_UNCLIPPED
    return result


_MEASURES: Final = {"undesired_blur": _has_contrast, "noise": _has_grain}
