"""The profile: a person's thresholds, weights and scales, and how a record is judged by them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from photodefect.defects import BY_KEY, KEYS
from photodefect.ranking.overall import DEFAULT_MEAN_SHARE, DEFAULT_WEIGHTS, overall_severity
from photodefect.records import Diagnosis
from photodefect.verdicts import DEFAULT_THRESHOLDS, VERDICTS, Threshold, Verdict, grades, verdict

RejectAs: TypeAlias = Literal["rating", "label", "keyword"]


DEFAULT_RATINGS: Final[Mapping[str, int]] = MappingProxyType({"rejected": -1, "severe": 1, "mild": 2, "good": 3})
"""Rating by verdict, and of a rejected photo. Good photos have one, as programs sort photos without below one star."""

DEFAULT_LABELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "bad_exposure": "Yellow",
        "bad_white_balance": "Blue",
        "bad_saturation": "Blue",
        "noise": "Purple",
        "haze": "Yellow",
        "undesired_blur": "Red",
        "bad_composition": "Green",
        "rejected": "Red",
    }
)
"""Colour label by worst defect, and of a photo rejected by label.

The five colours that Lightroom and darktable know, by what an editor does about the defect: nothing (blur), tones
(exposure, haze), a crop, colours, noise reduction.
"""


@dataclass(frozen=True)
class Curve:
    """A person's own scale for one defect: piecewise linear, flat beyond its ends.

    Attributes:
        raw: severities as the model has them, strictly ascending.
        severity: what they are to the person, not descending.

    Raises:
        ValueError: it isn't such a curve.
    """

    raw: tuple[float, ...]
    severity: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.raw) != len(self.severity) or len(self.raw) < 2:
            raise ValueError("raw and severity need the same number of values, two or more")
        if any(after <= before for before, after in zip(self.raw, self.raw[1:], strict=False)):
            raise ValueError("raw must ascend")
        if any(after < before for before, after in zip(self.severity, self.severity[1:], strict=False)):
            raise ValueError("severity must not descend")

    def __call__(self, severity: float) -> float:
        """The person's severity for the model's."""
        import numpy as np  # noqa: PLC0415  takes a while, and few profiles have curves

        return float(np.interp(severity, self.raw, self.severity))


@dataclass(frozen=True)
class RejectPolicy:
    """Which photos ``--exclude-severe`` leaves out, and how a sidecar says that a photo is rejected.

    Attributes:
        at: from which grade of a defect on: ``mild`` or ``severe``.
        defects: keys of the defects that count.
        mark: by ``rating``, ``label`` or ``keyword``; the last is what no program takes for something else.
    """

    at: Verdict = "severe"
    defects: tuple[str, ...] = KEYS
    mark: RejectAs = "keyword"


@dataclass(frozen=True)
class Profile:
    """How a person judges photos.

    Attributes:
        thresholds: by defect key, where mild and severe begin.
        weights: by defect key, what a defect counts in overall severity. One of weight 0 is ignored altogether: it
            counts neither in the verdict nor as a reason to reject.
        mean_share: of overall severity, see :mod:`photodefect.ranking.overall`.
        hints: say what to change.
        reject: which photos are rejected.
        calibration: the person's own scales, by defect key.
        ratings: for sidecars, -1..5 by verdict and for ``rejected`` photos; 0 or none says nothing.
        labels: for sidecars, by key of the worst defect and for ``rejected`` photos; an empty one says nothing.
    """

    thresholds: Mapping[str, Threshold] = field(default_factory=lambda: DEFAULT_THRESHOLDS)
    weights: Mapping[str, float] = field(default_factory=lambda: DEFAULT_WEIGHTS)
    mean_share: float = DEFAULT_MEAN_SHARE
    hints: bool = True
    reject: RejectPolicy = field(default_factory=RejectPolicy)
    calibration: Mapping[str, Curve] = field(default_factory=lambda: MappingProxyType({}))
    ratings: Mapping[str, int] = field(default_factory=lambda: DEFAULT_RATINGS)
    labels: Mapping[str, str] = field(default_factory=lambda: DEFAULT_LABELS)

    @property
    def ignored(self) -> tuple[str, ...]:
        """Keys of the defects that don't count at all."""
        return tuple(key for key in KEYS if self.weights[key] == 0)

    def judge(self, diagnosis: Diagnosis) -> Diagnosis:
        """A record with severities on the person's scale, and the verdict by their thresholds.

        Percentiles stay: a scale that ascends changes no photo's place among others.
        """
        if diagnosis.severity is None:
            return diagnosis
        severity = {key: self._scaled(key, value) for key, value in diagnosis.severity.items()}
        counted = {key: value for key, value in severity.items() if key not in self.ignored}
        if grades(counted, self.thresholds, monochrome=bool(diagnosis.monochrome)):
            worst, overall = verdict(counted, self.thresholds, monochrome=bool(diagnosis.monochrome))
        else:
            worst, overall = None, VERDICTS[0]  # all that counts doesn't apply: a black-and-white photo, say
        return replace(diagnosis, severity=severity, thresholds=self.thresholds, worst=worst, verdict=overall)

    def overall(self, diagnosis: Diagnosis) -> float:
        """Overall severity of a judged record, 0..1."""
        return overall_severity(
            diagnosis.severity or {}, self.weights, mean_share=self.mean_share, monochrome=bool(diagnosis.monochrome)
        )

    def reasons_to_reject(self, diagnosis: Diagnosis) -> list[str]:
        """Keys of the defects for which a judged record is rejected, the worst first; empty if it isn't."""
        severity = {
            key: value
            for key, value in (diagnosis.severity or {}).items()
            if key in self.reject.defects and key not in self.ignored
        }
        graded = grades(severity, self.thresholds, monochrome=bool(diagnosis.monochrome))
        found = [key for key, grade in graded.items() if VERDICTS.index(grade) >= VERDICTS.index(self.reject.at)]
        return sorted(found, key=lambda key: -abs(severity[key]))

    def _scaled(self, key: str, severity: float) -> float:
        curve = self.calibration.get(key)
        if curve is None:
            return severity
        return round(min(max(curve(severity), BY_KEY[key].lowest), 1.0), 6) + 0.0


DEFAULT_PROFILE: Final = Profile()
