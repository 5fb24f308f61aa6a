"""The direction plane of a defect: in which direction it goes wrong, and how severely, as one point of a plane.

A point lies in the defect's direction, as far from the centre as the defect is severe. The plane of white balance is
that of (a*, b*) of CIE Lab: the direction is where a neutral goes that should be grey. The first axis of exposure's
plane is light, from too little to too much; its second is the two at once, in different parts of the frame.

A column predicts how likely each point of a grid in the plane is, and its severity is the distance of the mean point
from the centre. So it calls a photo wrong only where it can say in which direction. Of a red dress and a green leaf, or
of a noisy frame that might be too dark or too bright, it can't, and the points that it thinks of cancel out.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
import torch
from torch import Tensor

from photodefect.defects import Defect

STEP: Final = 0.25
"""Severity from one point of the grid to the next one, along both axes."""

FARTHEST: Final = 1 + STEP * 2**0.5
"""Points of the grid lie no farther from the centre than this: all four around the most severe point are there."""

SPREAD: Final = 0.2
"""Deviation of the severities that people would say of one point, about."""

_STEPS_OUT: Final = int(1 / STEP) + 1
_CELLS: Final = tuple(
    (column, row)
    for column in range(-_STEPS_OUT, _STEPS_OUT + 1)
    for row in range(-_STEPS_OUT, _STEPS_OUT + 1)
    if np.hypot(column, row) * STEP <= FARTHEST
)

GRID_POINTS: Final = tuple((column * STEP, row * STEP) for column, row in _CELLS)
"""The points of the grid, (P, 2), in severities."""


@cache
def _grid_index() -> Tensor:
    """(2S + 1, 2S + 1), index of the grid's point by column and row; of the centre where there is none."""
    side = 2 * _STEPS_OUT + 1
    index = torch.full((side, side), _CELLS.index((0, 0)))
    for number, (column, row) in enumerate(_CELLS):
        index[column + _STEPS_OUT, row + _STEPS_OUT] = number
    return index


def grid_targets(points: Tensor) -> Tensor:
    """Shares of the grid's four points around each point, whose mean is the point.

    Args:
        points: (N, 2), at most 1 from the centre; NaN gives a row of zeros.

    Returns:
        (N, P); rows sum to 1.
    """
    position = points.nan_to_num(0.0) / STEP + _STEPS_OUT
    low = position.floor().long()
    beyond = position - low
    targets = torch.zeros(len(points), len(GRID_POINTS))
    for right in (0, 1):
        for up in (0, 1):
            shares = (beyond[:, 0] if right else 1 - beyond[:, 0]) * (beyond[:, 1] if up else 1 - beyond[:, 1])
            corners = _grid_index()[low[:, 0] + right, low[:, 1] + up]
            targets.scatter_add_(1, corners[:, None], shares[:, None])
    return targets * (~points.isnan().any(1))[:, None]


def mean_points(grid_logits: Tensor) -> Tensor:
    """Logits of the grid's points (N, P, ...) -> expected point, in severities, (N, 2, ...)."""
    points = torch.tensor(GRID_POINTS, dtype=grid_logits.dtype, device=grid_logits.device)
    return torch.einsum("np...,pc->nc...", grid_logits.softmax(1), points)


def distances(grid_logits: Tensor) -> Tensor:
    """Logits of the grid's points (N, P, ...) -> distance of the mean point from the centre (N, ...), in severities."""
    # A little is added so that there is a gradient at the centre.
    return (mean_points(grid_logits).square().sum(1) + 1e-8).sqrt()


def class_logits(defect: Defect, grid_logits: Tensor) -> Tensor:
    """Logits of the grid's points (N, P, ...) -> class logits (N, K, ...).

    People's votes spread around the mean point's distance from the centre.
    """
    centres = torch.tensor(defect.class_centres, dtype=grid_logits.dtype, device=grid_logits.device)
    away = distances(grid_logits)[:, None] - centres.reshape(1, -1, *(1,) * (grid_logits.dim() - 2))
    return -away.square() / (2 * SPREAD**2)
