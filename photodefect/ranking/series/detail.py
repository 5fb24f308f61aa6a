"""Fine detail of photos of one scene at the same places, where it tells which of them is the sharpest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from photodefect.ranking.series.likeness import Displacement, Floats, displacement, shifted
from photodefect.ranking.series.miniature import CELLS, SIDE, Miniatures


def with_middle(seen: Miniatures, sizes: Sequence[int] | None = None) -> Displacement:
    """Where each of N photos fits the middle one of its series.

    Args:
        seen: the photos of a series, or of several one after the other.
        sizes: of each series; None for one.
    """
    counts = np.array([len(seen)] if sizes is None else sizes, int)
    middles = np.cumsum(counts) - counts + counts // 2
    return displacement(seen[np.repeat(middles, counts)], seen)


def aligned_energy(seen: Miniatures, found: Displacement) -> Floats:
    """The Laplacian's energy by cell of the middle photo; NaN where a photo doesn't show what that one does.

    Args:
        seen: N photos.
        found: of :func:`with_middle`.

    Returns:
        (N, CELLS, CELLS).
    """
    energy = np.exp2(seen.detail)
    places = found.shift * (CELLS / SIDE)
    corners = [
        shifted(energy, np.stack([down(places[:, 0]), across(places[:, 1])], axis=1).astype(int))
        for down in (np.floor, np.ceil)
        for across in (np.floor, np.ceil)
    ]
    # Shifts are multiples of half a cell, so that the mean of the cells around is what lies between them.
    mean: Floats = np.mean(corners, axis=0, dtype=np.float32)
    return mean
