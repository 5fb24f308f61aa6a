"""Whether a person agrees with what was found: how often each defect fired, and which threshold or weight would help.

A defect fires on a photo if it is severe there. The person agrees if they reject the photo, give it fewer stars than
they give in the middle, or call that very defect severe. A reject says nothing about which defect was meant, so the
share that agrees is compared with the share of all rated photos that the person rejects: a defect that fires on photos
that are rejected no more often than others tells nothing of this person's taste.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from photodefect.defects import KEYS
from photodefect.ranking.overall import name_of
from photodefect.ranking.profiles.profile import DEFAULT_PROFILE
from photodefect.ranking.tune import Rating
from photodefect.records import Diagnosis
from photodefect.verdicts import COLOUR_DEFECTS, Threshold

FEWEST: Final = 8
"""On fewer photos than this a share tells nothing."""

_STEPS: Final = tuple(step / 20 for step in range(2, 20))
"""Thresholds that are tried: 0.1 to 0.95."""

_WORTH: Final = 0.05
"""A threshold must tell rejected photos from others better by this share to be advised."""


@dataclass(frozen=True)
class Agreement:
    """What a person's ratings say about one defect.

    Attributes:
        key: of the defect.
        judged: rated photos that it applies to.
        fired: of these, photos on which it is severe.
        agreed: of these, photos that the person rejects too.
        rejected: share of all judged photos that the person rejects, 0..1.
        advice: what would help, for people; None if nothing would, or too little is known.
    """

    key: str
    judged: int
    fired: int
    agreed: int
    rejected: float
    advice: str | None = None

    def __str__(self) -> str:
        """For people: one line."""
        told = f"{name_of(self.key)}: severe on {self.fired} of {self.judged} photos"
        if self.fired:
            share = f"{self.agreed / self.fired:.0%}; you reject {self.rejected:.0%} of all"
            told += f", you agreed on {self.agreed} ({share})"
        return told if self.advice is None else f"{told}; {self.advice}"


def agreements(
    ratings: Sequence[Rating],
    diagnoses: Mapping[str, Diagnosis],
    thresholds: Mapping[str, Threshold] = DEFAULT_PROFILE.thresholds,
) -> list[Agreement]:
    """What ratings say about each defect.

    Args:
        ratings: of photos.
        diagnoses: what was found in them, by the path of the rating; failed ones count nowhere.
        thresholds: from which severity on a defect fires.

    Returns:
        One entry a defect, in the usual order; none of defects about which nothing was said.
    """
    liked = [it.liking for it in ratings if it.liking is not None]
    middle = _middle(liked)
    result = []
    for key in KEYS:
        pairs = []
        for rating in ratings:
            found = diagnoses[rating.path]
            if found.severity is None or (found.monochrome and key in COLOUR_DEFECTS):
                continue
            rejects = _rejects(rating, key, thresholds[key].severe, middle)
            if rejects is not None:
                pairs.append((abs(found.severity[key]), rejects))
        if pairs:
            result.append(_agreement(key, pairs, thresholds[key].severe))
    return result


def _middle(liked: Sequence[float]) -> float:
    """Below this a photo counts as rejected: half-way between keep and reject, or the median of stars."""
    if not liked or max(liked) <= 1:
        return 0.5
    return sorted(liked)[len(liked) // 2]


def _rejects(rating: Rating, key: str, severe: float, middle: float) -> bool | None:
    """Whether the person finds fault with a photo as far as a defect is concerned; None if they don't say."""
    if key in rating.severities:
        return abs(rating.severities[key]) >= severe
    return None if rating.liking is None else rating.liking < middle


def _agreement(key: str, pairs: Sequence[tuple[float, bool]], severe: float) -> Agreement:
    fired = [rejects for size, rejects in pairs if size >= severe]
    base = sum(rejects for _, rejects in pairs) / len(pairs)
    return Agreement(key, len(pairs), len(fired), sum(fired), base, _advice(key, pairs, severe, fired, base))


def _advice(
    key: str, pairs: Sequence[tuple[float, bool]], severe: float, fired: Sequence[bool], base: float
) -> str | None:
    if len(pairs) < FEWEST or base in (0.0, 1.0):
        return "too little is rated to tell more"
    now = _told_apart(pairs, severe)
    steps = [step for step in _STEPS if sum(size >= step for size, _ in pairs) >= FEWEST // 2]
    best = max(steps, key=lambda step: (_told_apart(pairs, step), -abs(step - severe)), default=severe)
    gain = _told_apart(pairs, best)
    if gain >= _WORTH and gain - now >= _WORTH:
        after = [rejects for size, rejects in pairs if size >= best]
        agreed = f"you would agree on {sum(after)} of {len(after)}"
        return f"--threshold {key}={best:g} tells your rejects better ({agreed})"
    if len(fired) >= FEWEST and now < _WORTH:
        return f"it doesn't tell your rejects from the others: --weight {key}=0.2 or less"
    return None


def _told_apart(pairs: Sequence[tuple[float, bool]], threshold: float) -> float:
    """How well a threshold tells rejected photos from the others: hits less false alarms, -1..1 (Youden's index)."""
    rejected = [size >= threshold for size, rejects in pairs if rejects]
    others = [size >= threshold for size, rejects in pairs if not rejects]
    if not rejected or not others:
        return -math.inf
    return sum(rejected) / len(rejected) - sum(others) / len(others)
