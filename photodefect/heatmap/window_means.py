"""Means over a window around each cell of a map."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def window_means(cells: NDArray[np.float32], window: int) -> NDArray[np.float32]:
    """Means of ``window`` x ``window`` cells around each; those beyond the edge don't count.

    Args:
        cells: (C, h, w).
        window: odd.

    Returns:
        (C, h, w).
    """
    for axis in (1, 2):
        cells = _along(cells, window // 2, axis)
    return cells


def _along(cells: NDArray[np.float32], reach: int, axis: int) -> NDArray[np.float32]:
    """Means of as many cells before each as after it, and of itself."""
    length = cells.shape[axis]
    total: NDArray[np.float32] = cells.copy()
    counts = np.ones(length, np.float32)
    before: list[slice] = [slice(None)] * 3
    after: list[slice] = [slice(None)] * 3
    for step in range(1, min(reach, length - 1) + 1):
        before[axis], after[axis] = slice(0, length - step), slice(step, length)
        total[tuple(before)] += cells[tuple(after)]
        total[tuple(after)] += cells[tuple(before)]
        counts[: length - step] += 1
        counts[step:] += 1
    shape = [1, 1, 1]
    shape[axis] = length
    total /= counts.reshape(shape)
    return total
