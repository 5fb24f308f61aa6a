"""Predictions beside single annotators (section 5.2, figure 4).

Each annotator is compared with the mean vote of the *others* on the same photos, so that nobody's own vote is part of
the reference; the predictions are compared with that same reference on those same photos.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from photodefect.defects import Defect
from photodefect.evaluation.spearman import spearman
from photodefect.labels.table import LabelledPhoto

FEWEST_PHOTOS: Final = 10
"""An annotator of fewer photos isn't compared."""


@dataclass(frozen=True)
class Annotator:
    """One annotator and the predictions on the same photos.

    Attributes:
        name: the worker, or ``vote 1`` … where the set doesn't name workers: then place by place.
        photos: on which both are compared.
        own: Spearman's correlation of this annotator's votes with the mean vote of the others.
        predicted: that of the predictions.
    """

    name: str
    photos: int
    own: float
    predicted: float

    @property
    def difference(self) -> float:
        """Above 0 if the predictions agree better with the others than this annotator does."""
        return self.predicted - self.own


@dataclass(frozen=True)
class AnnotatorComparison:
    """Predictions beside all annotators of one defect.

    Attributes:
        annotators: by ascending difference, as the bars of figure 4.
        left_out: annotators of too few photos, or on whose photos a correlation isn't defined: the own votes, the
            others' means or the predictions are all the same.
    """

    annotators: tuple[Annotator, ...]
    left_out: int

    @property
    def beaten(self) -> float:
        """Share of the annotators whom the predictions outperform."""
        return sum(one.difference > 0 for one in self.annotators) / len(self.annotators)


def compare_annotators(
    defect: Defect,
    photos: Sequence[LabelledPhoto],
    predicted: NDArray[np.float64],
    fewest_photos: int = FEWEST_PHOTOS,
) -> AnnotatorComparison | None:
    """Compare predictions with every single annotator.

    Args:
        defect: which votes.
        photos: the labelled photos, N of them.
        predicted: (N,), nan where there is no prediction.
        fewest_photos: annotators of fewer photos are left out.

    Returns:
        None if no annotator can be compared.
    """
    given: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for photo, prediction in zip(photos, predicted, strict=True):
        votes = (photo.votes or {}).get(defect.key, ())
        # Workers are those of the photo: nobody need have been asked about each defect.
        if not votes or math.isnan(prediction):
            continue
        names = photo.workers or tuple(f"vote {place}" for place in range(1, len(votes) + 1))
        known = [(name, vote) for name, vote in zip(names, votes, strict=True) if not math.isnan(vote)]
        if len(known) < 2:
            continue
        total = math.fsum(vote for _, vote in known)
        for name, vote in known:
            # Rounded, or equal means would differ in their last bit and rank differently.
            given[name].append((vote, round((total - vote) / (len(known) - 1), 9), float(prediction)))
    annotators = []
    for name, rows in given.items():
        own, others, ours = np.array(rows).T
        if len(rows) < fewest_photos:
            continue
        agreement, ours_with_others = spearman(others, own), spearman(others, ours)
        if agreement is not None and ours_with_others is not None:
            annotators.append(Annotator(name, len(rows), agreement, ours_with_others))
    if not annotators:
        return None
    annotators.sort(key=lambda one: (one.difference, one.name))
    return AnnotatorComparison(tuple(annotators), len(given) - len(annotators))
