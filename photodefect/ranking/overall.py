r"""The overall severity of a photo, the order of a folder, and the limits that photos are left out by.

The overall severity of a photo is defined here and nowhere else. With weights w (relative: the largest counts as 1)
over the defects that apply to the photo,

    m_d = w_d \* abs(severity_d)
    overall = (1 - share) \* max(m) + share \* sum(m) / sum(w)

between 0 (nothing wrong) and 1 (everything as bad as can be). The largest term decides: one severe defect ruins a
photo however good the rest is, so a plain mean won't do. The mean breaks what would be ties and makes the photo with
two defects worse than the one with the first of them alone. With the default share of 0.2, overall lies between
0.8 m and m, so a photo with a defect of severity s ranks behind every photo whose defects are all below 0.8 s.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any, Final

from photodefect.defects import BY_KEY, KEYS
from photodefect.photos.names import natural_key
from photodefect.ranking.hints.advice import Finding
from photodefect.ranking.series.kinds import Series
from photodefect.records import Diagnosis
from photodefect.verdicts import COLOUR_DEFECTS

OVERALL: Final = "overall"
"""What photos are ranked by unless it is one defect."""

DEFAULT_WEIGHTS: Final[Mapping[str, float]] = MappingProxyType(dict.fromkeys(KEYS, 1.0))

DEFAULT_MEAN_SHARE: Final = 0.2


def applicable(severity: Mapping[str, float], *, monochrome: bool) -> dict[str, float]:
    """The severities that say something: white balance and saturation can't be wrong without colour."""
    return {key: value for key, value in severity.items() if not (monochrome and key in COLOUR_DEFECTS)}


def overall_severity(
    severity: Mapping[str, float],
    weights: Mapping[str, float] = DEFAULT_WEIGHTS,
    *,
    mean_share: float = DEFAULT_MEAN_SHARE,
    monochrome: bool = False,
) -> float:
    """The overall severity of a photo, 0..1, as the module defines it.

    Args:
        severity: by defect key, -1..1.
        weights: by defect key, 0 or more; only their ratios matter.
        mean_share: how much the mean counts beside the largest, 0..1.
        monochrome: the photo has no colour, but for a small part; then
            :data:`~photodefect.verdicts.COLOUR_DEFECTS` are left out.

    Raises:
        ValueError: no weight is above 0.
    """
    largest = max(weights.values(), default=0.0)
    if largest <= 0:
        raise ValueError("at least one defect needs a weight above 0")
    terms = {
        key: (weights.get(key, 0.0) / largest, abs(value))
        for key, value in applicable(severity, monochrome=monochrome).items()
    }
    total = sum(weight for weight, _ in terms.values())
    if total == 0:
        return 0.0
    weighted = [weight * size for weight, size in terms.values()]
    return (1 - mean_share) * max(weighted) + mean_share * math.fsum(weighted) / total


@dataclass(frozen=True)
class SeriesPlace:
    """Where a photo stands in its series.

    Attributes:
        number: of the series in the folder, from 1.
        kind: ``burst``, or which other set it is, as :class:`~photodefect.ranking.series.kinds.Series` has it.
        size: photos in it.
        place: this one's among them, best first, from 1.
    """

    number: int
    kind: str
    size: int
    place: int


@dataclass(frozen=True)
class Ranking:
    """Where a photo stands in its folder.

    Attributes:
        rank: from 1, the least severe; None if the photo was left out.
        of: number of photos that were ranked.
        by: ``overall`` or the key of the defect that decided.
        value: what it was ranked by: overall severity, or the severity of that defect with its sign; None if the
            defect doesn't apply.
        overall: overall severity.
        findings: what is wrong with it, the worst first.
        burst: its place in a burst or another series; None if the photo is alone.
        left_out: why the photo was left out, or None.
    """

    rank: int | None
    of: int
    by: str
    value: float | None
    overall: float
    findings: tuple[Finding, ...] = ()
    burst: SeriesPlace | None = None
    left_out: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        values["findings"] = [finding.to_dict() for finding in self.findings]
        values["burst"] = None if self.burst is None else vars(self.burst).copy()
        return values


@dataclass(frozen=True)
class RankedPhoto(Diagnosis):
    """A record with its place in the folder.

    Attributes:
        ranking: None for a photo that couldn't be diagnosed.
    """

    ranking: Ranking | None = None

    def to_dict(self, *, detail: bool = True) -> dict[str, Any]:
        """The record of :meth:`Diagnosis.to_dict` with ``ranking``."""
        record = super().to_dict(detail=detail)
        return record | {"ranking": None if self.ranking is None else self.ranking.to_dict()}

    @classmethod
    def of(cls, diagnosis: Diagnosis, ranking: Ranking | None = None) -> RankedPhoto:
        """``diagnosis`` with its place."""
        return cls(**{field.name: getattr(diagnosis, field.name) for field in fields(Diagnosis)}, ranking=ranking)


@dataclass(frozen=True)
class Limit:
    """How severe a defect may or must be, by absolute value.

    Attributes:
        key: of the defect, or ``overall``.
        value: 0..1.
        upper: it may not be above ``value``; otherwise it must not be below.
    """

    key: str
    value: float
    upper: bool

    def violation(self, diagnosis: Diagnosis, overall: float) -> str | None:
        """Why a photo doesn't keep the limit, or None. A defect that doesn't apply is one of severity 0."""
        severity = overall if self.key == OVERALL else _value(diagnosis, self.key) or 0.0
        size = abs(severity)
        if self.upper and size > self.value:
            return f"{name_of(self.key)} {size:.2f} is above {self.value:g}"
        if not self.upper and size < self.value:
            return f"{name_of(self.key)} {size:.2f} is below {self.value:g}"
        return None


def name_of(key: str) -> str:
    """What people call a defect, or ``overall`` severity."""
    return "overall severity" if key == OVERALL else BY_KEY[key].title.lower()


def number(key: str, value: float) -> str:
    """A severity with two decimals, and with its direction if the defect has one."""
    return f"{value:.2f}" if key == OVERALL else BY_KEY[key].format(value)


@dataclass(frozen=True)
class Candidate:
    """A photo before it is ranked.

    Attributes:
        index: among the photos of the folder.
        diagnosis: with severities.
        overall: overall severity.
    """

    index: int
    diagnosis: Diagnosis
    overall: float


def in_order(candidates: Iterable[Candidate], by: str = OVERALL) -> list[Candidate]:
    """Candidates from best to worst: by ``by``, then by overall severity, then by path."""
    return sorted(candidates, key=lambda it: (sort_value(it, by), it.overall, natural_key(it.diagnosis.path)))


def sort_value(candidate: Candidate, by: str) -> float:
    """What decides, 0..1: a signed severity counts by its size, and one that doesn't apply is none."""
    return candidate.overall if by == OVERALL else abs(_value(candidate.diagnosis, by) or 0.0)


def shown_value(candidate: Candidate, by: str) -> float | None:
    """What is shown for it, with its sign; None if the defect doesn't apply."""
    return candidate.overall if by == OVERALL else _value(candidate.diagnosis, by)


def _value(diagnosis: Diagnosis, key: str) -> float | None:
    return applicable(diagnosis.severity or {}, monochrome=bool(diagnosis.monochrome)).get(key)


def relative_to_folder(diagnoses: Sequence[Diagnosis]) -> list[Diagnosis]:
    """The diagnoses with percentiles against each other instead of the model's reference.

    A percentile is the percentage of the folder's photos, to which the defect applies, that are less severe, rounded
    down. Failed photos stay as they are.
    """
    sizes: dict[str, list[float]] = {key: [] for key in KEYS}
    own = [applicable(it.severity or {}, monochrome=bool(it.monochrome)) for it in diagnoses]
    for severities in own:
        for key, value in severities.items():
            sizes[key].append(abs(value))
    for values in sizes.values():
        values.sort()
    return [
        it
        if it.severity is None
        else replace(
            it,
            percentile={
                key: 100 * bisect_left(sizes[key], abs(value)) // len(sizes[key]) for key, value in severities.items()
            },
        )
        for it, severities in zip(diagnoses, own, strict=True)
    ]


def series_places(series: Sequence[Series], orders: Sequence[Sequence[int]]) -> dict[int, SeriesPlace]:
    """By index of photo, where it stands in its series.

    Args:
        series: in the order in which they get their numbers.
        orders: of each, the indexes of its ranked photos, best first.
    """
    return {
        index: SeriesPlace(number, one.kind, len(order), place)
        for number, (one, order) in enumerate(zip(series, orders, strict=True), start=1)
        for place, index in enumerate(order, start=1)
    }


def share_of(percentage: float, count: int) -> int:
    """How many photos ``percentage`` of ``count`` are: rounded up, so that a share of something is never nothing."""
    return min(count, math.ceil(round(percentage * count / 100, 9)))
