"""Calibration of scores to the scale of people: a severity is reached by as many photos as people say.

A network that can't tell everything predicts something in the middle, so that no photo would be called severe by its
bare scores. Here scores are spread until they are told as often as votes are, on photos that the network wasn't
trained on: a defect is mild from a severity of 0.3 and severe from 0.5 (:class:`photodefect.verdicts.Threshold`), and
as many photos are so as have a mean vote of a half and of three quarters.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from photodefect.core.network.manifest import Calibration
from photodefect.defects import Defect
from photodefect.labels.table import SAID, SAID_SEVERE
from photodefect.training.calibration import ascending
from photodefect.verdicts import Threshold

LEVELS: Final = ((1 / 6, 0.1), (1 / 3, 0.2), (SAID, Threshold().mild), (SAID_SEVERE, Threshold().severe))
"""Mean votes, and the severities that as many photos reach."""

SELDOM: Final[Mapping[str, float]] = MappingProxyType({"bad_composition": 0.5})
"""Share of those photos that are told, by defect key; all where nothing is said. A tool that finds fault with every
second snapshot isn't listened to."""

SURE: Final = 0.8
"""Of the photos that are called severe, at least so many have a mean vote of a half and more."""

FEWEST: Final = 5
"""Fewer photos of a mean vote say nothing of how often there are some."""


def human_scale(defect: Defect, raw: NDArray[np.float32], votes: NDArray[np.float32]) -> Calibration:
    """The map from scores to severities that photos reach as often as people say.

    Args:
        defect: which one; both sides of a signed one are mapped, each by its own photos.
        raw: combined scores of photos that the networks weren't trained on, (N,).
        votes: their mean votes, (N,), NaN where unknown.

    Returns:
        Knots from the lowest to the highest score possible, strictly ascending in both.
    """
    known = ~np.isnan(votes)
    raw, votes = raw[known], votes[known]
    knots = [(0.0, 0.0), *_side(defect, raw, votes), (1.0, 1.0)]
    if defect.signed:
        knots = [(-1.0, -1.0), *((-x, -y) for x, y in _side(defect, -raw, -votes)[::-1]), *knots]
    return Calibration(*ascending(knots, least=0.001))


def _side(defect: Defect, raw: NDArray[np.float32], votes: NDArray[np.float32]) -> list[tuple[float, float]]:
    """(score, severity) above zero."""
    knots = []
    descending = np.sort(raw)[::-1]
    for level, severity in LEVELS:
        count = int((votes >= level - 1e-6).sum())
        told = round(count * (SELDOM.get(defect.key, 1.0) if level >= SAID else 1.0))
        if level == SAID_SEVERE:
            told = _surely(raw, votes, told)
        if count >= FEWEST and told:
            knots.append((float(descending[told - 1]), severity))
    return [(x, y) for x, y in knots if x > 0]


def _surely(raw: NDArray[np.float32], votes: NDArray[np.float32], most: int) -> int:
    """How many of the highest scores, ``most`` or fewer, can be called severe so that :data:`SURE` are at fault."""
    faulty = votes[np.argsort(-raw, kind="stable")[:most]] >= SAID - 1e-6
    share = np.cumsum(faulty) / np.arange(1, len(faulty) + 1)
    sure = np.flatnonzero(share >= SURE)
    return int(sure[-1]) + 1 if len(sure) else min(most, FEWEST)
