"""Quantiles of an array.

NumPy's quantiles and medians import its masked arrays when they are first called, which takes every worker a third of
the time of a photo, and each call takes longer than its few thousand values do.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray


def quantiles(values: NDArray[np.floating[Any]], *shares: float) -> list[float]:
    """The values that shares of all others fall short of, interpolated linearly as NumPy does by default.

    Args:
        values: of any shape, at least one.
        shares: 0..1.
    """
    places = [share * (values.size - 1) for share in shares]
    neighbours = [(math.floor(place), math.ceil(place)) for place in places]
    ordered = np.partition(values, sorted({at for pair in neighbours for at in pair}), axis=None)
    found = []
    for place, (below, above) in zip(places, neighbours, strict=True):
        low, high = float(ordered[below]), float(ordered[above])
        found.append(low + (high - low) * (place - below))
    return found
