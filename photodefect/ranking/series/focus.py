"""Focus stacks: the sharp place wanders from photo to photo, and the rest stays the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from photodefect.ranking.series.bursts import ALIKE, same_place
from photodefect.ranking.series.detail import aligned_energy, with_middle
from photodefect.ranking.series.frames import SEQUENCE_GAP_S, Roll, Step
from photodefect.ranking.series.likeness import Floats

_FEWEST: Final = 3
_MOVED: Final = 1
_TEXTURED: Final = 4.0
_WANDERING: Final = 1.0
_FEWEST_CELLS: Final = 16
_LEAST_SHARE: Final = 0.05
_SHARP_ALL_OVER: Final = 0.7
_SMOOTH: Final = 0.5


def focus_stacks(roll: Roll, free: Sequence[bool], gap_s: float) -> list[range]:
    """Three and more photos with the same settings from one place, none of which is sharp wherever another is."""
    gap = max(gap_s, SEQUENCE_GAP_S)
    runs = roll.runs(free, lambda step: step.within(gap) and _same_but_for_focus(step))
    return [run for run in runs if len(run) >= _FEWEST and _is_stack(roll, run)]


def _same_but_for_focus(step: Step) -> bool:
    return step.before.settings == step.after.settings and step.moved <= _MOVED and same_place(step)


def _is_stack(roll: Roll, run: range) -> bool:
    seen = roll.miniatures[run]
    if not _changing(seen.detail.reshape(len(seen), -1)).any():  # which spares the comparison of most bursts
        return False
    found = with_middle(seen)
    # Small shifts may add up to a turn of the camera.
    stays = np.abs(found.shift).max() <= _MOVED and found.structure.min() >= ALIKE
    return bool(stays and wanders(np.log2(aligned_energy(seen, found))))


def wanders(detail: Floats) -> bool:
    """Whether what is sharp wanders through the frame.

    Blur by a shaken camera or a missed focus changes all places together, so that one photo is the sharpest nearly
    everywhere. In a stack each photo is sharp elsewhere, and neighbouring places are so in the same photos. Of 80
    hand-held series, made from one photograph each, none passes; of stacks of three, sharp from top to bottom, 79.

    Args:
        detail: (N, cells, cells), logarithms of energy of N photos at the same places; NaN where one shows none.
    """
    cells = detail.reshape(len(detail), -1)
    changing = _changing(cells)
    if not changing.any():
        return False
    moving = cells[:, changing]
    near_peak = (moving >= moving.max(axis=0) - _WANDERING / 2).mean(axis=1)
    sharpest = np.bincount(moving.argmax(axis=0), minlength=len(cells)) / changing.sum()
    if near_peak.max() >= _SHARP_ALL_OVER or (sharpest >= _LEAST_SHARE).sum() < _FEWEST:
        return False
    pattern = np.full_like(cells, np.nan)
    pattern[:, changing] = moving - moving.mean(axis=0)
    pattern -= np.nanmean(pattern, axis=1, keepdims=True)
    return _roughness(pattern.reshape(detail.shape)) < _SMOOTH


def _changing(cells: Floats) -> NDArray[np.bool_]:
    """Which of (N, places) were sharp in one photo and not in another; none if these are few of those with detail."""
    peaks = cells.max(axis=0)
    textured = peaks >= _TEXTURED  # false where one is NaN
    changing: NDArray[np.bool_] = textured & (peaks - cells.min(axis=0) >= _WANDERING)
    return changing if changing.sum() >= max(_FEWEST_CELLS, textured.sum() / 2) else np.zeros_like(changing)


def _roughness(pattern: Floats) -> float:
    """Mean square between neighbouring cells over that between any two: 1 if neighbours have nothing in common."""
    between = np.concatenate([np.square(np.diff(pattern, axis=axis)).ravel() for axis in (1, 2)])
    if np.isnan(between).all():
        return 1.0
    return float(np.nanmean(between) / (2 * np.nanmean(np.square(pattern))))
