"""Exposure brackets: one scene with exposures that were changed on purpose."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from photodefect.ranking.series.frames import SEQUENCE_GAP_S, Frame, Roll, Step

_ALIKE: Final = 0.5
"""Structure at least: one pair in a hundred of exposures four stops apart has less than 0.7."""

_MOVED: Final = 2
_STEP_EV: Final = 0.3
_FEWEST: Final = 3
_SPREAD_EV: Final = 1.0
_SEEN_STEP_EV: Final = 0.2
_SEEN_SPREAD_EV: Final = 2.0


def brackets(roll: Roll, free: Sequence[bool], gap_s: float) -> list[range]:
    """Runs of photos that the camera calls brackets, or of which each was exposed otherwise than the one before.

    Changed compensation tells a bracket, and so do three and more exposures over one stop and more that the photos
    show; automatic exposure and automatic ISO speed follow the light, and the photos stay as bright as they were.
    Where nothing says how photos were exposed, three and more tell one by themselves, over two stops.
    """
    gap = max(gap_s, SEQUENCE_GAP_S)
    tagged = roll.runs(free, lambda step: _tagged(step) and (step.within(gap_s) or (step.within(gap) and _holds(step))))
    found = [part for run in tagged for part in _sets(roll, run, gap_s)]
    left = list(free)
    for run in found:
        left[run.start : run.stop] = [False] * len(run)
    changed = roll.runs(left, lambda step: step.within(gap) and _holds(step) and _changes(step))
    found += [part for run in changed for part in _sets(roll, run, gap_s) if _is_bracket(roll, part, left)]
    return found


def _tagged(step: Step) -> bool:
    return all(
        frame.capture.sequence == "bracket" or frame.capture.exposure_mode == "auto bracket"
        for frame in (step.before, step.after)
    )


def _holds(step: Step) -> bool:
    """Whether the camera was held still."""
    return step.structure >= _ALIKE and step.moved <= _MOVED


def _changes(step: Step) -> bool:
    """Whether somebody changed the exposure."""
    bias = _difference(step.before.capture.exposure_bias, step.after.capture.exposure_bias)
    if abs(bias or 0.0) >= _STEP_EV:
        return True
    exposure = _difference(step.before.exposure, step.after.exposure)
    if exposure is None:
        return bias is None and abs(step.brightness) >= _SEEN_STEP_EV
    return abs(exposure) >= _STEP_EV and step.brightness * exposure >= exposure**2 / 3


def _difference(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else second - first


def _sets(roll: Roll, run: range, gap_s: float) -> list[range]:
    """Parts of a run: after a pause the exposures begin anew with a set of their own."""
    cuts = [run.start]
    seen: set[object] = set()
    for index in run:
        key = _key(roll.frames[index])
        if index > cuts[-1] and key in seen and not roll.steps[index - 1].within(gap_s):
            cuts.append(index)
            seen = set()
        if key is not None:
            seen.add(key)
    parts = [range(start, stop) for start, stop in pairwise([*cuts, run.stop])]
    return [part for part in parts if len(part) > 1]


def _key(frame: Frame) -> object:
    """What is repeated when a bracket begins anew: cameras round to thirds of a stop."""
    bias, exposure = frame.capture.exposure_bias, frame.exposure
    if bias is None and exposure is None:
        return None
    return None if bias is None else round(3 * bias), None if exposure is None else round(3 * exposure)


def _is_bracket(roll: Roll, run: range, free: Sequence[bool]) -> bool:
    frames = [roll.frames[index] for index in run]
    biases = {frame.capture.exposure_bias for frame in frames} - {None}
    if len(biases) > 1:
        return len(run) >= _FEWEST or _stands_alone(roll, run, free)
    if len(run) < _FEWEST:
        return False
    exposures = [frame.exposure for frame in frames if frame.exposure is not None]
    if len(exposures) == len(frames):
        steps = {round(3 * exposure) for exposure in exposures}
        return len(steps) >= _FEWEST and max(exposures) - min(exposures) >= _SPREAD_EV
    seen = [0.0]
    for index in run[:-1]:
        seen.append(seen[-1] + roll.steps[index].brightness)
    return max(seen) - min(seen) >= _SEEN_SPREAD_EV


def _stands_alone(roll: Roll, run: range, free: Sequence[bool]) -> bool:
    """Whether no photo of the same scene and exposure comes right before or after: who corrects a burst takes two."""
    for index, other in ((run.start - 1, run.start - 1), (run.stop - 1, run.stop)):
        step = roll.steps.get(index)
        if step is not None and 0 <= other < len(free) and free[other] and step.within(SEQUENCE_GAP_S) and _holds(step):
            return False
    return True
