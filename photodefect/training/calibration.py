"""Monotone calibration of scores, and how both networks' scores are weighted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression
from scipy.stats import spearmanr

from photodefect.defects import Defect
from photodefect.network.manifest import Calibration, Weighting

SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Weights of the holistic score that are tried."""


def fit_calibration(defect: Defect, raw: NDArray[np.float32], severities: NDArray[np.float32]) -> Calibration:
    """Undo the compression of expected severities.

    A network that is unsure predicts something in the middle, so severe defects come out too mild and their scores
    are close together. The map sends the typical (median) score of photos of severity s to s: the inverse of a
    monotone regression of scores on severities.

    Args:
        defect: which one; a signed one is calibrated on both sides of zero.
        raw: combined scores of validation photos, (N,).
        severities: their true severities, (N,), NaN where unknown.

    Returns:
        Knots from the lowest to the highest score possible; strictly ascending in both.
    """
    known = ~np.isnan(severities)
    raw, severities = raw[known], severities[known]
    high = _side(raw, severities)
    if defect.signed:
        low = [(-x, -y) for x, y in _side(-raw, -severities)]
        knots = [*low[::-1], *high]
    else:
        knots = [(0.0, 0.0), *high]
    xs, ys = _ascending([*knots, (1.0, 1.0)] if not defect.signed else [(-1.0, -1.0), *knots, (1.0, 1.0)])
    return Calibration(xs, ys)


def _side(raw: NDArray[np.float32], severities: NDArray[np.float32]) -> list[tuple[float, float]]:
    """(score, severity) of typical photos at and above zero, by class of severity."""
    centres = np.arange(0, 11) / 10
    levels, medians, counts = [], [], []
    for centre in centres:
        near = np.abs(severities - centre) <= 0.075 if centre else np.abs(severities) < 0.05
        if near.sum() >= 5:
            levels.append(centre)
            medians.append(float(np.median(raw[near])))
            counts.append(float(near.sum()))
    if len(levels) < 2:
        return []
    typical = isotonic_regression(medians, weights=counts).x
    return [(float(x), float(y)) for x, y in zip(typical, levels, strict=True)]


def _ascending(knots: list[tuple[float, float]]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Leave out knots that don't rise clearly in both."""
    kept: list[tuple[float, float]] = [knots[0]]
    for x, y in knots[1:-1]:
        if x > kept[-1][0] + 0.01 and y > kept[-1][1] and x < knots[-1][0] - 0.01 and y < knots[-1][1]:
            kept.append((x, y))
    kept.append(knots[-1])
    return tuple(round(x, 4) for x, _ in kept), tuple(round(y, 4) for _, y in kept)


def best_weighting(
    holistic: NDArray[np.float32], patches: NDArray[np.float32], severities: NDArray[np.float32]
) -> Weighting:
    """The weights under which the combined score ranks validation photos best.

    Args:
        holistic: (N,).
        patches: (N,).
        severities: (N,), NaN where unknown.
    """
    known = ~np.isnan(severities)
    ranks = [
        float(spearmanr(share * holistic[known] + (1 - share) * patches[known], severities[known]).statistic)
        for share in SHARES
    ]
    share = SHARES[int(np.argmax(ranks))]
    return Weighting(share, 1 - share)
