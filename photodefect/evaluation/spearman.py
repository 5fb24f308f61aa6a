"""Rank correlation: Spearman's, across classes (section 5.1), and its uncertainty."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from photodefect.core.infogain import classes_of
from photodefect.defects import Defect

Floats = NDArray[np.float64]
Binning = Literal["classes", "authors"]

DRAWS_PER_PHOTO: Final = 10
"""Tuples drawn for the cross-class correlation, for each photo of the test set."""

RESAMPLES: Final = 1000
"""Bootstrap samples behind an interval."""

FEWEST_BINS: Final = 3
"""With fewer occupied bins there is no order worth a correlation."""

_CHUNK: Final = 1 << 22
"""Array elements worked on at once."""


@dataclass(frozen=True)
class Estimate:
    """A number and its 95 % interval by percentile bootstrap.

    Attributes:
        value: the number.
        low: 2.5 % of the resamples lie below; equal to ``value`` where there is nothing to resample.
        high: 2.5 % lie above.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class CrossClass:
    """The cross-class correlation.

    Attributes:
        mean: over the draws.
        deviation: standard deviation over the draws.
        bins: bins that hold photos, one photo of each is drawn.
        draws: how many tuples have a correlation; those of equal predictions have none and don't count.
    """

    mean: float
    deviation: float
    bins: int
    draws: int


def spearman(a: Floats, b: Floats) -> float | None:
    """Spearman's rank correlation of two sequences, (N,), equal values sharing their mean rank.

    None where one of them is constant: it has no order, and the correlation isn't defined.
    """
    value = float(_row_correlation(rankdata(a)[None], rankdata(b)[None])[0])
    return None if math.isnan(value) else value


def _row_correlation(a: Floats, b: Floats) -> Floats:
    """Pearson's correlation of each row of (R, N) with the same row of (R or 1, N); nan where one is constant."""
    a = a - a.mean(1, keepdims=True)
    b = b - b.mean(1, keepdims=True)
    scale = np.sqrt((a * a).sum(1) * (b * b).sum(1))
    result: Floats = np.divide((a * b).sum(1), scale, out=np.full_like(scale, np.nan), where=scale > 0)
    return result


def bootstrap_spearman(
    truth: Floats, predicted: Floats, rng: np.random.Generator, resamples: int = RESAMPLES
) -> Estimate | None:
    """Spearman's correlation with its interval over photos. Resamples without a correlation are left out of that.

    Args:
        truth: (N,).
        predicted: (N,).
        rng: draws the resamples.
        resamples: how many.

    Returns:
        None if one of the two is constant.
    """
    value, size = spearman(truth, predicted), len(truth)
    if value is None:
        return None
    correlations = np.empty(0)
    step = max(1, _CHUNK // size)
    for start in range(0, resamples, step):
        # How often each photo is in a resample; ranks follow from that without sorting again.
        counts = rng.multinomial(size, np.full(size, 1 / size), size=min(step, resamples - start))
        a, b = _ranks_of_repeated(truth, counts), _ranks_of_repeated(predicted, counts)
        drawn = _weighted_correlation(a, b, counts)
        correlations = np.concatenate([correlations, drawn[~np.isnan(drawn)]])
    low, high = np.quantile(correlations, (0.025, 0.975)) if len(correlations) else (value, value)
    return Estimate(value, float(low), float(high))


def _ranks_of_repeated(values: Floats, counts: NDArray[np.int64]) -> Floats:
    """Mean ranks of ``values`` (N,) when value n is there counts[r, n] times, (R, N)."""
    _, inverse = np.unique(values, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    starts = np.flatnonzero(np.diff(inverse[order], prepend=-1))
    equals = np.add.reduceat(counts[:, order], starts, axis=1)
    ranks: Floats = (np.cumsum(equals, axis=1) - (equals - 1) / 2)[:, inverse]
    return ranks


def _weighted_correlation(a: Floats, b: Floats, weights: NDArray[np.int64]) -> Floats:
    """Pearson's correlation of each row of (R, N), weighted; nan where one is constant."""
    total = weights.sum(1, keepdims=True)
    a = a - (weights * a).sum(1, keepdims=True) / total
    b = b - (weights * b).sum(1, keepdims=True) / total
    scale = np.sqrt((weights * a * a).sum(1) * (weights * b * b).sum(1))
    # A resample that repeats one value has no order; rounding leaves a hair above 0.
    result: Floats = np.divide((weights * a * b).sum(1), scale, out=np.full_like(scale, np.nan), where=scale > 1e-9)
    return result


def bins_of(defect: Defect, severities: Floats, binning: Binning) -> NDArray[np.int64]:
    """The bin of each severity, (N,).

    Args:
        defect: whose range.
        severities: (N,), none of them nan.
        binning: ``classes``: around the class centres, as in the paper (11, or 21 for saturation); ``authors``: eleven
            bins around eleven centres from the lowest severity to 1, as in the authors' script. They differ for
            saturation alone, whose eleven bins are 0.2 wide.
    """
    if binning == "classes":
        return classes_of(defect, severities)
    width = (1 - defect.lowest) / 10
    return np.floor((severities - defect.lowest) / width + 0.5 + 1e-9).astype(np.int64)


def cross_class_spearman(
    defect: Defect,
    truth: Floats,
    predicted: Floats,
    rng: np.random.Generator,
    *,
    binning: Binning = "classes",
    draws: int | None = None,
) -> CrossClass | None:
    """Draw one photo from every bin of ground truth, correlate, repeat (section 5.1). Empty bins are left out.

    Args:
        defect: whose bins.
        truth: ground truth severities, (N,), none of them nan.
        predicted: (N,).
        rng: draws the photos.
        binning: see :func:`bins_of`.
        draws: how many tuples; None for ten a photo, which for the paper's test set is its "about 15,000".

    Returns:
        None if fewer than three bins hold photos, or predictions are constant.
    """
    bins = bins_of(defect, truth, binning)
    occupied = np.unique(bins)
    if len(occupied) < FEWEST_BINS:
        return None
    draws = DRAWS_PER_PHOTO * len(truth) if draws is None else draws
    columns = []
    for number in occupied:
        members = predicted[bins == number]
        columns.append(members[rng.integers(0, len(members), draws)])
    # Bins don't overlap, so ground truth ascends along every tuple.
    order = np.arange(len(occupied), dtype=np.float64)[None]
    correlations = _row_correlation(rankdata(np.stack(columns, axis=1), axis=1), order)
    correlations = correlations[~np.isnan(correlations)]
    if not len(correlations):
        return None
    return CrossClass(float(correlations.mean()), float(correlations.std()), len(occupied), len(correlations))


def bootstrap_mean(values: Floats, rng: np.random.Generator, resamples: int = RESAMPLES) -> Estimate:
    """The mean of independent values, (N,), with its interval."""
    mean = float(values.mean())
    if len(values) < 2 or not resamples:
        return Estimate(mean, mean, mean)
    means = values[rng.integers(0, len(values), (resamples, len(values)))].mean(1)
    low, high = np.quantile(means, (0.025, 0.975))
    return Estimate(mean, float(low), float(high))


def share_above(higher: Floats, lower: Floats) -> float:
    """Share of pairs (one of ``higher``, one of ``lower``) in which the former is larger; equal ones count half.

    The area under the ROC curve, if the two are scores of positives and negatives.
    """
    # Ranks give the number of pairs won without looking at each.
    ranks = rankdata(np.concatenate([higher, lower]))[: len(higher)]
    won = ranks.sum() - len(higher) * (len(higher) + 1) / 2
    return float(won / (len(higher) * len(lower)))


def interval(statistic: Callable[[], float], value: float, resamples: int) -> Estimate:
    """The interval of a statistic that draws its own resample each time it is called."""
    if not resamples:
        return Estimate(value, value, value)
    low, high = np.quantile([statistic() for _ in range(resamples)], (0.025, 0.975))
    return Estimate(value, float(low), float(high))
