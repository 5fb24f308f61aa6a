"""Series in a folder: bursts, and sets of which every photo is needed.

Photos of a series lie in one folder, come from one camera and follow one another. Sets are looked for first, those that
cameras name or that need the most evidence before the others; what is left may be bursts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from photodefect.ranking.series.brackets import brackets
from photodefect.ranking.series.bursts import bursts
from photodefect.ranking.series.focus import focus_stacks
from photodefect.ranking.series.frames import Roll, read_roll
from photodefect.ranking.series.kinds import Series, SeriesKind
from photodefect.ranking.series.overlap import panoramas
from photodefect.ranking.series.pixel_shift import pixel_shifts
from photodefect.ranking.series.timing import star_series, time_lapses
from photodefect.records import Diagnosis

DEFAULT_GAP_S: Final = 2.0
"""Seconds from the end of one photo of a burst to the start of the next, at most."""

_SETS: Final[Sequence[tuple[SeriesKind, Callable[[Roll, Sequence[bool], float], list[range]]]]] = (
    ("bracket", brackets),
    ("star series", star_series),
    ("pixel shift", pixel_shifts),
    ("focus stack", focus_stacks),
    ("time lapse", time_lapses),
    ("panorama", panoramas),
    ("burst", bursts),
)


def find_series(
    photos: Sequence[Diagnosis], miniatures: Mapping[str, str], *, gap_s: float = DEFAULT_GAP_S
) -> list[Series]:
    """Find the series among photos. The time it takes grows as their number does.

    Args:
        photos: of any number of folders.
        miniatures: of :func:`~photodefect.ranking.series.miniature.measure_miniature`, by path; a photo that isn't
            there belongs to no series.
        gap_s: seconds between two photos of a burst, at most.

    Returns:
        Series of two and more photos (a raw photo and its JPEG count as one), in the order of their first photo.
    """
    roll = read_roll(photos, miniatures, gap_s)
    free = [True] * len(roll.frames)
    found = []
    for kind, rule in _SETS:
        for run in rule(roll, free, gap_s):
            free[run.start : run.stop] = [False] * len(run)
            found.append(Series(kind, tuple(index for it in run for index in roll.frames[it].members)))
    return sorted(found, key=lambda series: min(series.members))
