"""Casts as places in a plane: where a neutral lies that should be grey.

A place is a direction of (a*, b*) times a severity. A column that predicts how likely each place is, and whose severity
is the distance of the mean place from the centre, calls a photo cast only where it can say towards what: of a red dress
and a green leaf it can't, and the places that it thinks of cancel out.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
import torch
from torch import Tensor

from photodefect.defects import Defect

CAST: Final = "bad_white_balance"
"""Key of the defect that is a place in the plane."""

STEP: Final = 0.25
"""Severity from one place to the next one, along a* and b*."""

FARTHEST: Final = 1 + STEP * 2**0.5
"""Places lie no farther from the centre than this: all four around the largest cast are there."""

SPREAD: Final = 0.2
"""Deviation of the severities that people would say of one place, about."""

_REACH: Final = int(1 / STEP) + 1
_GRID: Final = tuple(
    (column, row)
    for column in range(-_REACH, _REACH + 1)
    for row in range(-_REACH, _REACH + 1)
    if np.hypot(column, row) * STEP <= FARTHEST
)

PLACES: Final = tuple((column * STEP, row * STEP) for column, row in _GRID)
"""Their (a*, b*), in severities."""


@cache
def _index() -> Tensor:
    """(2R + 1, 2R + 1), index of the place by column and row; of the centre where there is none."""
    side = 2 * _REACH + 1
    index = torch.full((side, side), _GRID.index((0, 0)))
    for place, (column, row) in enumerate(_GRID):
        index[column + _REACH, row + _REACH] = place
    return index


def place_targets(casts: Tensor) -> Tensor:
    """Shares of the four places around each cast, whose mean is the cast.

    Args:
        casts: (N, 2), at most 1 long; NaN gives a row of zeros.

    Returns:
        (N, P); rows sum to 1.
    """
    position = casts.nan_to_num(0.0) / STEP + _REACH
    low = position.floor().long()
    beyond = position - low
    targets = torch.zeros(len(casts), len(PLACES))
    for right in (0, 1):
        for up in (0, 1):
            shares = (beyond[:, 0] if right else 1 - beyond[:, 0]) * (beyond[:, 1] if up else 1 - beyond[:, 1])
            places = _index()[low[:, 0] + right, low[:, 1] + up]
            targets.scatter_add_(1, places[:, None], shares[:, None])
    return targets * (~casts.isnan().any(1))[:, None]


def mean_places(place_logits: Tensor) -> Tensor:
    """Place logits (N, P, ...) -> expected (a*, b*), in severities, (N, 2, ...)."""
    places = torch.tensor(PLACES, dtype=place_logits.dtype, device=place_logits.device)
    return torch.einsum("np...,pc->nc...", place_logits.softmax(1), places)


def cast_sizes(place_logits: Tensor) -> Tensor:
    """Place logits (N, P, ...) -> distance of the mean place from the centre (N, ...), in severities."""
    # A little is added so that there is a gradient at the centre.
    return (mean_places(place_logits).square().sum(1) + 1e-8).sqrt()


def cast_class_logits(defect: Defect, place_logits: Tensor) -> Tensor:
    """Place logits (N, P, ...) -> class logits (N, K, ...): people's votes spread around the size of the mean cast."""
    centres = torch.tensor(defect.class_centres, dtype=place_logits.dtype, device=place_logits.device)
    sizes = cast_sizes(place_logits)[:, None]
    away = sizes - centres.reshape(1, -1, *(1,) * (place_logits.dim() - 2))
    return -away.square() / (2 * SPREAD**2)
