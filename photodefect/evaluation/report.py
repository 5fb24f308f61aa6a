"""The evaluation of predictions on a labelled set: table 1, figure 4 and calibration, in one object."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from photodefect.defects import DEFECTS, Defect
from photodefect.errors import DataError
from photodefect.evaluation.annotators import AnnotatorComparison, compare_annotators
from photodefect.evaluation.calibration import Calibration, calibration
from photodefect.evaluation.predictions import SOURCES, Matched, Source
from photodefect.evaluation.spearman import (
    RESAMPLES,
    CrossClass,
    Estimate,
    bootstrap_spearman,
    cross_class_spearman,
)
from photodefect.evaluation.told import Told, told
from photodefect.labels.table import LabelledPhoto
from photodefect.verdicts import DEFAULT_THRESHOLDS

SCHEMA_VERSION: Final = 1
"""Version of the JSON."""

FEWEST_PHOTOS: Final = 3
"""With fewer photos a defect isn't evaluated."""


@dataclass(frozen=True)
class Agreement:
    """One cell of table 1: how the scores of one source rank the photos by one defect.

    Attributes:
        photos: with both a label and a prediction.
        spearman: rank correlation with ground truth, with its interval over photos; None if it isn't defined.
        cross_class: with the bins of the paper; None if fewer than three of them hold photos, or it isn't defined.
        cross_class_authors: with the bins of the authors' script.
        undefined: why correlations aren't defined: all labels or all predictions are the same; else None.
    """

    photos: int
    spearman: Estimate | None
    cross_class: CrossClass | None
    cross_class_authors: CrossClass | None
    undefined: str | None = None


@dataclass(frozen=True)
class Evaluation:
    """Predictions judged on a labelled set.

    Attributes:
        truth: file of ground truth.
        origin: file or model of the predictions.
        seed: of draws and resamples.
        photos: with ground truth and a prediction.
        unpredicted: photos of ground truth without a prediction, and why.
        unlabelled: predictions without ground truth.
        table: by source (those that are there) and defect key.
        calibration: of the combined scores, by defect key.
        told: how often each defect is told by the combined scores, by its key.
        annotators: predictions beside single annotators, by defect key; empty without votes.
    """

    truth: str
    origin: str
    seed: int
    photos: int
    unpredicted: Mapping[str, str]
    unlabelled: tuple[str, ...]
    table: Mapping[Source, Mapping[str, Agreement]]
    calibration: Mapping[str, Calibration]
    told: Mapping[str, Told]
    annotators: Mapping[str, AnnotatorComparison]

    def mean(self, source: Source, *, with_composition: bool) -> float | None:
        """Mean correlation over the defects, the last columns of table 1.

        Defects on which it isn't defined are left out. None if one of the others is missing, or none is left.
        """
        return _mean(
            [
                None if cell is None or cell.spearman is None else cell.spearman.value
                for cell in self._cells(source, with_composition)
            ]
        )

    def mean_cross_class(self, source: Source, *, with_composition: bool) -> float | None:
        """Mean cross-class correlation (bins of the paper) over the defects, as :meth:`mean`."""
        return _mean(
            [
                None if cell is None or cell.cross_class is None else cell.cross_class.mean
                for cell in self._cells(source, with_composition)
            ]
        )

    @property
    def undefined(self) -> tuple[str, ...]:
        """Sentences for people: on which defects a correlation isn't defined, for which sources, and why."""
        found: dict[tuple[str, str], list[Source]] = defaultdict(list)
        for defect in DEFECTS:
            for source, row in self.table.items():
                why = row[defect.key].undefined if defect.key in row else None
                if why is not None:
                    found[defect.short_title, why].append(source)
        return tuple(
            f"{title} ({', '.join(sources)}): no rank correlation, as {why}. It is left out of the means."
            for (title, why), sources in found.items()
        )

    def _cells(self, source: Source, with_composition: bool) -> list[Agreement | None]:
        row = self.table.get(source, {})
        cells = [row.get(defect.key) for defect in DEFECTS if with_composition or defect.in_patches]
        return [cell for cell in cells if cell is None or cell.undefined is None]

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "schema_version": SCHEMA_VERSION,
            "truth": self.truth,
            "predictions": self.origin,
            "seed": self.seed,
            "photos": self.photos,
            "unpredicted": dict(self.unpredicted),
            "unlabelled": list(self.unlabelled),
            "table": {
                source: {
                    "defects": {key: asdict(cell) for key, cell in row.items()},
                    "mean_without_composition": self.mean(source, with_composition=False),
                    "mean": self.mean(source, with_composition=True),
                    "cross_class_mean_without_composition": self.mean_cross_class(source, with_composition=False),
                    "cross_class_mean": self.mean_cross_class(source, with_composition=True),
                }
                for source, row in self.table.items()
            },
            "calibration": {key: asdict(one) for key, one in self.calibration.items()},
            "told": {key: asdict(one) for key, one in self.told.items()},
            "annotators": {
                key: {
                    "beaten": one.beaten,
                    "left_out": one.left_out,
                    "annotators": [asdict(each) | {"difference": each.difference} for each in one.annotators],
                }
                for key, one in self.annotators.items()
            },
        }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known and len(known) == len(values) else None


def evaluate(
    photos: Sequence[LabelledPhoto],
    matched: Matched,
    *,
    truth: str,
    origin: str,
    seed: int = 0,
    resamples: int = RESAMPLES,
    draws: int | None = None,
) -> Evaluation:
    """Judge predictions.

    Args:
        photos: ground truth.
        matched: the prediction of each.
        truth: what to call ground truth.
        origin: what to call the predictions.
        seed: of draws and resamples; each defect has random numbers of its own, so that leaving one out changes no
            other, and all its sources have the same: they are compared on the same tuples and resamples, as in the
            paper's table 1, where equal scores of composition have equal correlations.
        resamples: behind each interval; 0 for none.
        draws: tuples of the cross-class correlation; None for ten a photo.

    Raises:
        DataError: there is nothing to compare for any defect.
    """
    table: dict[Source, dict[str, Agreement]] = {}
    calibrations: dict[str, Calibration] = {}
    shares: dict[str, Told] = {}
    annotators: dict[str, AnnotatorComparison] = {}
    for number, defect in enumerate(DEFECTS):
        labels = np.array([photo.severities[defect.key] for photo in photos], dtype=np.float64)
        for source in SOURCES:
            scores = matched.scores(source, defect.key)
            known = ~(np.isnan(labels) | np.isnan(scores))
            if known.sum() < FEWEST_PHOTOS:
                continue
            rng = np.random.default_rng([seed, number])
            cell = _agreement(defect, labels[known], scores[known], rng, resamples=resamples, draws=draws)
            table.setdefault(source, {})[defect.key] = cell
            if source == "combined":
                calibrations[defect.key] = calibration(defect, labels[known], scores[known])
                shares[defect.key] = told(labels[known], scores[known], DEFAULT_THRESHOLDS[defect.key])
        comparison = compare_annotators(defect, photos, matched.scores("combined", defect.key))
        if comparison is not None:
            annotators[defect.key] = comparison
    if not table:
        raise DataError(
            f"{truth} and {origin} share fewer than {FEWEST_PHOTOS} photos with both a label and a prediction, for "
            "every defect. More are needed to compare them."
        )
    unpredicted = {
        photo.name: "not predicted" if item is None else item.error or "no severities"
        for photo, item in zip(photos, matched.items, strict=True)
        if item is None or not item.scores
    }
    return Evaluation(
        truth,
        origin,
        seed,
        len(photos) - len(unpredicted),
        unpredicted,
        matched.extra,
        {source: table[source] for source in SOURCES if source in table},
        calibrations,
        shares,
        annotators,
    )


def _agreement(
    defect: Defect,
    labels: NDArray[np.float64],
    scores: NDArray[np.float64],
    rng: np.random.Generator,
    *,
    resamples: int,
    draws: int | None,
) -> Agreement:
    return Agreement(
        len(labels),
        bootstrap_spearman(labels, scores, rng, resamples),
        cross_class_spearman(defect, labels, scores, rng, binning="classes", draws=draws),
        cross_class_spearman(defect, labels, scores, rng, binning="authors", draws=draws),
        _why_undefined(labels, scores),
    )


def _why_undefined(labels: NDArray[np.float64], scores: NDArray[np.float64]) -> str | None:
    for what, values in (("labels", labels), ("predictions", scores)):
        if values.min() == values.max():
            return f"all {what} are {values[0] + 0.0:g}"
    return None
