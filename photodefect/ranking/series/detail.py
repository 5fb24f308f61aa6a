"""Fine detail of photos of one scene at the same places, where it tells which of them is the sharpest."""

from __future__ import annotations

import numpy as np

from photodefect.ranking.series.likeness import Floats, Likeness, compare, shifted
from photodefect.ranking.series.miniature import CELLS, SIDE, Miniatures


def with_middle(seen: Miniatures) -> Likeness:
    """How each of N photos compares with the middle one of them."""
    return compare(seen[[len(seen) // 2] * len(seen)], seen)


def aligned_energy(seen: Miniatures, likeness: Likeness) -> Floats:
    """The Laplacian's energy by cell of the middle photo; NaN where a photo doesn't show what that one does.

    Args:
        seen: N photos of one scene.
        likeness: of :func:`with_middle`.

    Returns:
        (N, CELLS, CELLS).
    """
    energy = np.exp2(seen.detail)
    places = likeness.shift * (CELLS / SIDE)
    corners = [
        shifted(energy, np.stack([down(places[:, 0]), across(places[:, 1])], axis=1).astype(int))
        for down in (np.floor, np.ceil)
        for across in (np.floor, np.ceil)
    ]
    # Shifts are multiples of half a cell, so that the mean of the cells around is what lies between them.
    mean: Floats = np.mean(corners, axis=0, dtype=np.float32)
    return mean
