"""Pixel shift: the camera moves its sensor by a pixel or half of one between photos, to be merged into a finer one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from photodefect.ranking.series.bursts import same_place
from photodefect.ranking.series.frames import SEQUENCE_GAP_S, Roll, Step
from photodefect.ranking.series.miniature import PROFILE

SHOTS: Final = frozenset((4, 8, 16, 20, 32))
"""Photos in a set, by the makes that leave the merging to a program."""

_POSITIONS: Final = 4
_REACH: Final = 3
_OFF_GRID: Final = 0.15
_LEAST: Final = 0.8


def pixel_shifts(roll: Roll, free: Sequence[bool], gap_s: float) -> list[range]:
    """Sets of 4, 8, 16, 20 or 32 photos with the same settings, each a whole or half number of pixels off the first.

    They stand at four places or more; photos from a tripod stand at one, and those from a hand anywhere.
    """
    gap = max(gap_s, SEQUENCE_GAP_S)
    runs = roll.runs(free, lambda step: step.within(gap) and _same(step))
    return [run for run in runs if len(run) in SHOTS and on_a_grid(roll.miniatures.profiles[run.start : run.stop])]


def _same(step: Step) -> bool:
    known = step.before.capture.camera is not None
    return known and step.before.settings == step.after.settings and step.moved == 0 and same_place(step)


def on_a_grid(profiles: NDArray[np.float32]) -> bool:
    """Whether photos are shifted by whole or half pixels, to four places or more.

    Args:
        profiles: (N, 2, PROFILE) of the photos, as :class:`~photodefect.ranking.series.miniature.Miniatures` has them.
    """
    places = [offset(profiles[0], other) for other in profiles[1:]]
    if any(place is None for place in places):
        return False
    doubled = 2 * np.array([(0.0, 0.0), *(place for place in places if place is not None)])
    on_grid = np.abs(doubled - np.rint(doubled)).max() <= 2 * _OFF_GRID
    return bool(on_grid and len({tuple(place) for place in np.rint(doubled).astype(int).tolist()}) >= _POSITIONS)


def offset(first: NDArray[np.float32], second: NDArray[np.float32]) -> tuple[float, float] | None:
    """Pixels by which the second photo's scene lies further down and right, to a tenth or so; None if it can't be said.

    The shift with the highest correlation, and between whole pixels the top of the parabola through it and its
    neighbours.

    Args:
        first: (2, PROFILE) of one photo.
        second: of the other.
    """
    found = []
    for one, other in zip(first, second, strict=True):
        scores = np.array([_correlation(one, other, shift) for shift in range(-_REACH - 1, _REACH + 2)])
        top = int(scores.argmax())
        if scores[top] < _LEAST or not 0 < top < len(scores) - 1:
            return None
        before, peak, after = scores[top - 1 : top + 2]
        found.append(top - _REACH - 1 + 0.5 * float((before - after) / (before - 2 * peak + after)))
    return found[0], found[1]


def _correlation(first: NDArray[np.float32], second: NDArray[np.float32], shift: int) -> float:
    one, other = first[max(0, -shift) : PROFILE - max(0, shift)], second[max(0, shift) : PROFILE + min(0, shift)]
    length = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / length if length else 0.0
