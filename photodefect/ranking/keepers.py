"""Keepers: so many photos of a shoot, good ones that are spread over it.

Each moment (photos alike that were taken within a minute) gives its best photo first. Of these, and then of all others,
the next keeper is the one with the largest product of how good it is and how far it lies from all keepers so far, in
time and in likeness.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from photodefect.ranking.overall import Candidate
from photodefect.ranking.series.find import find_series
from photodefect.ranking.series.kinds import Series
from photodefect.ranking.series.miniature import read_miniatures
from photodefect.records import Diagnosis

MOMENT_S: Final = 60.0
"""Seconds between two photos of a moment, at most."""

_UNLIKE: Final = 0.3
"""Correlation of the tones of two photos up to which they have nothing in common."""

_FLOOR: Final = 0.05
"""What even a photo just like a keeper counts as away from it, so that the better of two such goes first."""


def find_keepers(
    remaining: Sequence[Candidate],
    judged: Sequence[Diagnosis],
    miniatures: Mapping[str, str],
    names: Mapping[str, str],
    series: Sequence[Series],
    *,
    count: int,
) -> set[str]:
    """The shots to keep.

    Args:
        remaining: photos to choose from, the best first.
        judged: all photos, which candidates and series index.
        miniatures: of :func:`~photodefect.ranking.series.miniature.measure_miniature`, by path.
        names: by path, the name of the photo's shot; a raw photo and its JPEG have the same.
        series: of all photos; one that isn't a burst is kept or left whole, and counts as one.
        count: how many, 1 or more.

    Returns:
        Names of shots.
    """
    whole: dict[str, str] = {}
    for one in series:
        if not one.is_burst:
            first = names[judged[one.members[0]].path]
            whole |= {names[judged[index].path]: first for index in one.members}
    # The best photo of each unit stands for it: they come best first.
    best: dict[str, Candidate] = {}
    members: dict[str, set[str]] = {}
    for candidate in remaining:
        name = names[candidate.diagnosis.path]
        unit = whole.get(name, name)
        best.setdefault(unit, candidate)
        members.setdefault(unit, set()).add(name)
    units = list(best)
    moment_of = _moments(judged, miniatures)
    moments: dict[int, str] = {}
    for unit in units:
        index = best[unit].index
        moments.setdefault(moment_of.get(index, -1 - index), unit)
    firsts = set(moments.values())
    field = _Field([best[unit] for unit in units], miniatures, count)
    order = field.spread([unit in firsts for unit in units], count)
    return {name for index in order for name in members[units[index]]}


def _moments(judged: Sequence[Diagnosis], miniatures: Mapping[str, str]) -> dict[int, int]:
    """By index of photo the number of its moment, if it shares one."""
    found = find_series(judged, miniatures, gap_s=MOMENT_S)
    return {index: number for number, moment in enumerate(found) for index in moment.members}


class _Field:
    """Candidates, and how far each lies from the keepers so far."""

    def __init__(self, candidates: Sequence[Candidate], miniatures: Mapping[str, str], count: int) -> None:
        self._known = np.array([it.diagnosis.path in miniatures for it in candidates], bool)
        self._looks = _looks([miniatures[it.diagnosis.path] for it in candidates if it.diagnosis.path in miniatures])
        self._row = np.cumsum(self._known) - 1
        self._times = np.array([_seconds(it.diagnosis) for it in candidates])
        self._quality = np.array([1 - it.overall for it in candidates])
        timed = self._times[~np.isnan(self._times)]
        # So far apart keepers would lie if they were spread evenly.
        self._spacing = max(1.0, float(np.ptp(timed)) / count) if len(timed) else 1.0
        self._away = np.ones(len(candidates))

    def spread(self, first: Sequence[bool], count: int) -> list[int]:
        """Indexes of the keepers, those that may go first before the others."""
        order: list[int] = []
        for group in (np.array(first, bool), ~np.array(first, bool)):
            open_ = group.copy()
            while len(order) < count and open_.any():
                value = np.where(open_, self._quality * (self._away + _FLOOR), -math.inf)
                chosen = int(value.argmax())
                open_[chosen] = False
                order.append(chosen)
                self._away = np.minimum(self._away, self._distance(chosen))
        return order

    def _distance(self, chosen: int) -> NDArray[np.float64]:
        """From one candidate to all, 0..1: the mean of what is known of time and likeness; 1 where nothing is."""
        seconds = np.abs(self._times - self._times[chosen])
        in_time = np.minimum(1.0, seconds / self._spacing)
        in_looks = np.full(len(seconds), math.nan)
        if self._known[chosen]:
            in_looks[self._known] = np.clip((1 - self._looks @ self._looks[self._row[chosen]]) / (1 - _UNLIKE), 0, 1)
        both = np.stack([in_time, in_looks])
        counted = np.maximum(1, (~np.isnan(both)).sum(axis=0))
        distance: NDArray[np.float64] = np.where(np.isnan(both).all(axis=0), 1.0, np.nansum(both, axis=0) / counted)
        return distance


def _looks(texts: Sequence[str]) -> NDArray[np.float64]:
    """Miniatures as unit vectors, (N, D), whose products are how their tones correlate."""
    tones = read_miniatures(texts).luma
    luma = tones.reshape(len(texts), math.prod(tones.shape[1:])).astype(np.float64)
    luma -= luma.mean(axis=1, keepdims=True)
    looks: NDArray[np.float64] = luma / np.maximum(np.linalg.norm(luma, axis=1, keepdims=True), 1e-9)
    return looks


def _seconds(diagnosis: Diagnosis) -> float:
    """When a photo was taken by its camera's clock, in seconds; nan if that isn't known."""
    clock = None if diagnosis.capture is None else diagnosis.capture.clock
    return math.nan if clock is None else (clock - datetime(2000, 1, 1)).total_seconds()
