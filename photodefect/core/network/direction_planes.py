"""Places in the planes of the defects that go wrong in a direction: the direction, times a severity.

White balance lies in the plane of (a*, b*) of CIE Lab: where a neutral goes that should be grey. Exposure lies in one
whose first axis is light, from too little to too much, and whose second is the two at once, in different parts of the
frame. A column that predicts how likely each place is, and whose severity is the distance of the mean place from the
centre, calls a photo wrong only where it can say in which direction: of a red dress and a green leaf, or of a noisy
frame that might be too dark or too bright, it can't, and the places that it thinks of cancel out.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
import torch
from torch import Tensor

from photodefect.defects import Defect

STEP: Final = 0.25
"""Severity from one place to the next one, along both axes."""

FARTHEST: Final = 1 + STEP * 2**0.5
"""Places lie no farther from the centre than this: all four around the most severe one are there."""

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
"""Where they lie, in severities."""


@cache
def _index() -> Tensor:
    """(2R + 1, 2R + 1), index of the place by column and row; of the centre where there is none."""
    side = 2 * _REACH + 1
    index = torch.full((side, side), _GRID.index((0, 0)))
    for place, (column, row) in enumerate(_GRID):
        index[column + _REACH, row + _REACH] = place
    return index


def place_targets(points: Tensor) -> Tensor:
    """Shares of the four places around each point, whose mean is the point.

    Args:
        points: (N, 2), at most 1 from the centre; NaN gives a row of zeros.

    Returns:
        (N, P); rows sum to 1.
    """
    position = points.nan_to_num(0.0) / STEP + _REACH
    low = position.floor().long()
    beyond = position - low
    targets = torch.zeros(len(points), len(PLACES))
    for right in (0, 1):
        for up in (0, 1):
            shares = (beyond[:, 0] if right else 1 - beyond[:, 0]) * (beyond[:, 1] if up else 1 - beyond[:, 1])
            places = _index()[low[:, 0] + right, low[:, 1] + up]
            targets.scatter_add_(1, places[:, None], shares[:, None])
    return targets * (~points.isnan().any(1))[:, None]


def mean_places(place_logits: Tensor) -> Tensor:
    """Place logits (N, P, ...) -> expected point, in severities, (N, 2, ...)."""
    places = torch.tensor(PLACES, dtype=place_logits.dtype, device=place_logits.device)
    return torch.einsum("np...,pc->nc...", place_logits.softmax(1), places)


def distances(place_logits: Tensor) -> Tensor:
    """Place logits (N, P, ...) -> distance of the mean place from the centre (N, ...), in severities."""
    # A little is added so that there is a gradient at the centre.
    return (mean_places(place_logits).square().sum(1) + 1e-8).sqrt()


def place_class_logits(defect: Defect, place_logits: Tensor) -> Tensor:
    """Place logits (N, P, ...) -> class logits (N, K, ...): people's votes spread around the mean place's distance."""
    centres = torch.tensor(defect.class_centres, dtype=place_logits.dtype, device=place_logits.device)
    away = distances(place_logits)[:, None] - centres.reshape(1, -1, *(1,) * (place_logits.dim() - 2))
    return -away.square() / (2 * SPREAD**2)
