"""Bursts: photos of one scene in quick succession, of which one or a few are wanted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from photodefect.ranking.series.frames import Roll, Step
from photodefect.ranking.series.likeness import NEAR

ALIKE: Final = 0.6
"""Structure of photos of one scene: of pairs shifted, zoomed by 5 % or exposed otherwise one in a hundred has less; of
unrelated pairs 1 in 300 has more."""

MOVING: Final = 0.45
"""The same where only the time between photos was too short for another scene, and their subject may have moved."""

_TONES: Final = (14.0, 0.9)
_COLOURS: Final = (7.0, 0.45)
"""Differences of tones and colours that a small shift makes: by themselves, and for each level of contrast."""

_INSTANT_S: Final = 1.0
"""Seconds in which nobody puts another thing in front of the camera."""


def bursts(roll: Roll, free: Sequence[bool], gap_s: float) -> list[range]:
    """Runs of photos of one scene that follow one another within ``gap_s`` seconds."""
    return roll.runs(free, lambda step: step.within(gap_s) and _one_scene(step))


def same_place(step: Step) -> bool:
    """Whether two photos show the same things of the same colours in the same places, up to a shift of the whole."""
    tones, colours = (least + share * step.contrast for least, share in (_TONES, _COLOURS))
    return step.structure >= ALIKE and step.moved <= NEAR and step.tones <= tones and step.colours <= colours


def continuous(step: Step) -> bool:
    """Whether the camera says that it took both photos in one go."""
    return all(
        frame.capture.sequence == "burst" or frame.capture.drive == "continuous" for frame in (step.before, step.after)
    )


def _one_scene(step: Step) -> bool:
    quick = step.at_most <= _INSTANT_S
    if continuous(step) and (quick or step.within(_INSTANT_S)):
        return True
    # At two and more photos a second nobody chose another subject between two of them.
    if quick or (step.interval is not None and step.interval <= _INSTANT_S and step.before.crowd > 1):
        return step.structure >= MOVING and step.moved <= NEAR
    return same_place(step)
