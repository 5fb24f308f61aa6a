"""The matrix of the infogain loss of section 4.2: classes, what votes say about them, and their weights.

For one defect with K classes the matrix H is made in three steps:

1. p_k, how single workers vote on photos of class k: counted from votes (:func:`vote_distributions`), or, for sets
   without votes, modelled (:func:`modelled_vote_distributions`);
2. V (:func:`vote_matrix`): by the Naive Bayes assumption five workers vote independently of each other, so row k, the
   distribution of their mean, is the five-fold convolution of p_k. Five votes in steps of 0.5 have their mean in steps
   of 0.1: on the K class centres, so that it needs no binning;
3. H = w_k V (:func:`infogain_matrix`), where w_k evens out the classes (:func:`class_weights`).

The loss itself is in :mod:`photodefect.core.losses`: evaluation counts classes, too, and needs no torch for that.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import combinations_with_replacement
from typing import Final

import numpy as np
from numpy.typing import NDArray

from photodefect.defects import Defect
from photodefect.errors import DataError
from photodefect.labels.table import vote_levels

WORKERS: Final = 5
"""Workers that judge a photo (section 3)."""

LARGEST_WEIGHT: Final = 10.0
"""A class is weighted at most this many times the most frequent one."""

MASKED: Final = -1
"""The class of a label that isn't known."""

MILD_PREFERENCE: Final = (1.0868, -1.0554)
"""The vote model's (a, b), see :func:`modelled_vote_distributions`."""


def classes_of(defect: Defect, severities: Iterable[float]) -> NDArray[np.int64]:
    """The class with the nearest centre for each severity, (N,); :data:`MASKED` for nan.

    Raises:
        ValueError: a severity lies outside the defect's range.
    """
    return np.array([MASKED if math.isnan(s) else defect.nearest_class(s) for s in severities], dtype=np.int64)


def class_counts(defect: Defect, classes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Photos of each class, (K,); masked ones are not counted."""
    return np.bincount(classes[classes != MASKED], minlength=defect.class_count)


def vote_distributions(
    defect: Defect, classes: NDArray[np.int64], votes: Sequence[Sequence[float]]
) -> NDArray[np.float64]:
    """p_k: how workers voted on the photos of each class.

    A class without votes borrows from its neighbours: the distribution on the straight line between those of the
    nearest classes below and above that have some, so that its mean stays the class centre if theirs is. Beyond the
    last class with votes lies the end of the scale, where there is only one way to vote.

    Args:
        defect: whose votes.
        classes: class of each photo, (N,).
        votes: single votes of each photo; nan is no vote.

    Returns:
        (K, L) for L vote levels, ascending; rows sum to 1.

    Raises:
        DataError: there isn't a single vote.
    """
    levels = np.array(vote_levels(defect))
    counted = np.zeros((defect.class_count, len(levels)))
    for klass, given in zip(classes, votes, strict=True):
        if klass != MASKED:
            for vote in given:
                if not math.isnan(vote):
                    counted[klass, np.abs(levels - vote).argmin()] += 1
    totals = counted.sum(1)
    if not totals.any():
        raise DataError(f"There are no votes for {defect.key}, so no infogain matrix can be made from votes.")
    known = totals > 0
    counted[known] /= totals[known, None]
    for end, level in ((0, 0), (-1, -1)):
        if not known[end]:
            counted[end, level] = 1.0
            known[end] = True
    centres = np.array(defect.class_centres)
    return np.stack([np.interp(centres, centres[known], column) for column in counted[known].T], axis=1)


def modelled_vote_distributions(
    defect: Defect, preference: tuple[float, float] = MILD_PREFERENCE
) -> NDArray[np.float64]:
    """p_k for a set without single votes.

    The model: a photo of class s got five votes with the mean s, none of them on the other side of zero. Among the
    ways to fill such a ballot (three mild votes, or a mild and a severe one, both make 0.3) each is as likely as
    its number of arrangements times exp(f m): m is the number of mild votes and f = a + b s^2 says how much workers
    agree. It is the distribution of maximum entropy for a given sum and a given sum of squares of the votes, and p_k
    is the expected share of each vote in it. The ends need no parameter: 0.1 can only be one mild vote, 0.9 only four
    severe and one mild.

    ``preference`` was fitted by least squares to the votes that people gave on exposure; no share is off by more
    than .005:

    =====  ==============  ==============
    class  people          this model
    =====  ==============  ==============
    0.1    .800 .200 .000  .800 .200 .000
    0.3    .446 .509 .045  .443 .514 .043
    0.5    .204 .596 .200  .204 .592 .204
    0.7    .082 .442 .477  .078 .444 .478
    1.0    .000 .000 1.00  .000 .000 1.00
    =====  ==============  ==============

    Args:
        defect: whose votes; a signed one gets the mirror image for negative classes.
        preference: (a, b).

    Returns:
        (K, L), as :func:`vote_distributions`; the mean of row k is the class centre exactly.
    """
    levels = vote_levels(defect)
    none = levels.index(0.0)
    result = np.zeros((defect.class_count, len(levels)))
    for klass, centre in enumerate(defect.class_centres):
        halves = round(abs(centre) * 2 * WORKERS)
        side = -1 if centre < 0 else 1
        agreement = preference[0] + preference[1] * centre**2
        total = 0.0
        for ballot in combinations_with_replacement(range(3), WORKERS):
            if sum(ballot) != halves:
                continue
            tally = [ballot.count(vote) for vote in range(3)]
            arrangements = math.factorial(WORKERS) / math.prod(math.factorial(n) for n in tally)
            weight = arrangements * math.exp(agreement * tally[1])
            total += weight
            for vote, number in enumerate(tally):
                result[klass, none + side * vote] += weight * number / WORKERS
        result[klass] /= total
    return result


def vote_matrix(distributions: NDArray[np.float64]) -> NDArray[np.float64]:
    """V: row k is the distribution of the mean of five independent votes from p_k.

    Args:
        distributions: (K, L); rows sum to 1.

    Returns:
        (K, K): K = 5 (L - 1) + 1, the number of class centres; rows sum to 1.
    """
    rows = []
    for votes in distributions:
        row = np.ones(1)
        for _ in range(WORKERS):
            row = np.convolve(row, votes)
        rows.append(row)
    return np.stack(rows)


def class_weights(effective: NDArray[np.float64]) -> NDArray[np.float64]:
    """w_k = min(10, n_max / n_k), scaled so that its mean over all samples is 1.

    Args:
        effective: samples of each class (photos x samples drawn a photo), (K,). A class without samples gets the
            largest weight; it plays no part in the scale.

    Returns:
        (K,).

    Raises:
        DataError: no class has samples.
    """
    if not effective.any():
        raise DataError("No photo has a label for this defect, so its classes can't be weighted.")
    with np.errstate(divide="ignore"):
        weights: NDArray[np.float64] = np.minimum(LARGEST_WEIGHT, effective.max() / effective)
    weights /= weights @ effective / effective.sum()
    return weights


def infogain_matrix(distributions: NDArray[np.float64], effective: NDArray[np.float64]) -> NDArray[np.float64]:
    """H = w_k V.

    Args:
        distributions: p_k, (K, L).
        effective: samples of each class, (K,).

    Returns:
        (K, K): the row is the true class, the column the predicted one.
    """
    return class_weights(effective)[:, None] * vote_matrix(distributions)
