"""Star series and time lapses: photos at a timer's intervals, by a camera that stands still."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from photodefect.ranking.series.bursts import ALIKE
from photodefect.ranking.series.frames import Frame, Roll, Step

STANDING: Final = 1
"""Pixels of a miniature (of 32) by which a scene before a camera on a tripod seems to move, at most."""

_FEWEST_STARS: Final = 3
_STARS_SHUTTER_S: Final = 4.0
_STARS_EV: Final = -2.0
_STARS_PAUSE_S: Final = 5.0
_STARS_ALIKE: Final = 0.3
_STARS_TONES: Final = 12.0
_USUAL_APERTURE: Final = 4.0

_FEWEST_LAPSE: Final = 5


def star_series(roll: Roll, free: Sequence[bool], gap_s: float) -> list[range]:
    """Three and more long exposures of the night, one right after the other, with the same settings."""
    pause = max(gap_s, _STARS_PAUSE_S)
    runs = roll.runs(free, lambda step: _of_one_night(step, pause))
    return [run for run in runs if len(run) >= _FEWEST_STARS]


def time_lapses(roll: Roll, free: Sequence[bool], _gap_s: float) -> list[range]:
    """Five and more photos at equal intervals of a second and more by a camera that stands still."""
    runs = roll.runs(free, lambda step: step.timed and _stands(step))
    return [run for run in runs if len(run) >= _FEWEST_LAPSE]


def _of_one_night(step: Step, pause_s: float) -> bool:
    if not (_of_the_night(step.before) and _of_the_night(step.after)) or step.before.settings != step.after.settings:
        return False
    # The camera may take an exposure as long as the photo with the shutter closed, to subtract its noise.
    follows = step.pause is not None and (step.pause <= pause_s or abs(step.pause - step.before.shutter_s) <= pause_s)
    # A sky without foreground has no structure in miniature.
    alike = step.tones <= _STARS_TONES or (step.structure >= _STARS_ALIKE and step.moved <= STANDING)
    return follows and alike


def _of_the_night(frame: Frame) -> bool:
    capture = frame.capture
    if frame.shutter_s < _STARS_SHUTTER_S:
        return False
    aperture = capture.aperture or _USUAL_APERTURE  # telescopes don't tell theirs
    # The light that these settings are right for: a full moon's landscape is -2 EV at ISO 100, a starry sky less.
    light = math.log2(aperture**2 / frame.shutter_s) - math.log2((capture.iso or 100) / 100)
    return light <= _STARS_EV


def _stands(step: Step) -> bool:
    taken_in_one_go = step.before.capture.sequence == step.after.capture.sequence == "burst"
    return not taken_in_one_go and step.structure >= ALIKE and step.moved <= STANDING
