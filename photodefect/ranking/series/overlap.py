"""Panoramas: each photo shows part of what the one before shows, and the camera turns on."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from photodefect.ranking.series.frames import SEQUENCE_GAP_S, Frame, Roll, Step

_FEWEST: Final = 3
_ALIKE: Final = 0.75
"""Structure where photos overlap: of unrelated pairs one in a hundred has it in some small part by chance, so that
three photos whose overlaps lie on the same side are none."""

_TURNED: Final = (4, 24)
_ASIDE: Final = 4
_HAND_S: Final = 0.5


def panoramas(roll: Roll, free: Sequence[bool], gap_s: float) -> list[range]:
    """Runs of three and more photos that overlap by a quarter to seven eighths, always turned in the same direction.

    Two are enough if the camera calls both parts of a panorama. A finished panorama that was taken twice, and takes
    of a camera that sees all around, overlap altogether: they are none.
    """
    gap = max(gap_s, SEQUENCE_GAP_S)
    runs = roll.runs(free, lambda step: step.within(gap) and _turns(step))
    parts = [part for run in runs for part in _one_way(roll, run)]
    return [run for run in parts if len(run) >= _FEWEST or all(_tagged(roll.frames[index]) for index in run)]


def _turns(step: Step) -> bool:
    if step.before.round_about or step.after.round_about:
        return False
    slow = step.interval is None or step.at_most >= _HAND_S  # a burst that follows its subject turns as well
    along, aside = sorted((abs(step.shift[0]), abs(step.shift[1])), reverse=True)
    return slow and step.structure >= _ALIKE and _TURNED[0] <= along <= _TURNED[1] and aside <= _ASIDE


def _tagged(frame: Frame) -> bool:
    return frame.capture.sequence == "panorama"


def _one_way(roll: Roll, run: range) -> list[range]:
    """Parts of a run in which the camera turns in one direction; the photo where it changes belongs to the first."""
    cuts = [run.start]
    ways = [_way(roll.steps[index]) for index in run[:-1]]
    for index, (before, after) in zip(run[1:-1], pairwise(ways), strict=True):
        if before != after and index >= cuts[-1]:
            cuts.append(index + 1)
    parts = [range(start, stop) for start, stop in pairwise([*cuts, run.stop])]
    return [part for part in parts if len(part) > 1]


def _way(step: Step) -> tuple[int, bool]:
    """The axis along which the camera turned, and whether forwards."""
    axis = int(abs(step.shift[1]) > abs(step.shift[0]))
    return axis, step.shift[axis] > 0
