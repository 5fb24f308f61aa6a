"""Monotone calibration of scores: decompressed, without more false alarms."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from photodefect.core.network.manifest import QUANTILES, Calibration
from photodefect.defects import Defect

LEAST_GOOD = 20
"""Fewer good photos than this say nothing about false alarms."""

Alarms: TypeAlias = tuple[tuple[float, float], ...]
"""At most this severity (second) at these quantiles (first) of good photos."""

ALARMS: Final[Alarms] = ((0.95, 0.29), (0.98, 0.49))
"""5 % of good photos may look mild, 2 % severe."""

OTHER_ALARMS: Final[Mapping[str, Alarms]] = MappingProxyType(
    {
        # Its scores leave room for fewer alarms.
        "bad_exposure": ((0.97, 0.29), (0.985, 0.49)),
        # Some of the synthesis' good photos are tinted, more than real good ones.
        "bad_white_balance": ((0.9, 0.29), (0.94, 0.49)),
        # A frame of hardly any colour looks like a pale photo, more than most that are.
        "bad_saturation": ((0.97, 0.29), (0.995, 0.45)),
        # Good photos of the synthesis are as noisy as a good camera's at dusk, real ones less.
        "noise": ((0.9, 0.29), (0.95, 0.49)),
    }
)
"""Where others hold, by defect key."""

BARELY: Final = 0.3
"""A photo without a severity above this counts as good when false alarms are looked at."""

FREE = 0.1
"""So far above the scores of good photos no severity is held back any more."""


def good_photos(severities: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which photos, (N,), have no defect worth mentioning, by their severities, (N, 7), NaN where unknown."""
    good: NDArray[np.bool_] = np.all(np.nan_to_num(np.abs(severities)) <= BARELY, axis=1)
    return good


def reference_quantiles(
    calibration: Calibration | None, raw: NDArray[np.float32], *, digits: int = 6
) -> tuple[float, ...]:
    """The quantiles 0 … 100 % of the absolute severities of photos: what percentiles are told by.

    Args:
        calibration: of the defect; None leaves the scores as they are.
        raw: combined scores of the photos, (N,) with N > 0.
        digits: decimals.

    Returns:
        101 ascending numbers.
    """
    severities = raw if calibration is None else np.interp(raw, calibration.raw, calibration.severity)
    quantiles = np.quantile(np.abs(severities), np.linspace(0, 1, QUANTILES))
    return tuple(float(value) for value in quantiles.clip(0, 1).round(digits))


def fit_calibration(
    defect: Defect,
    raw: NDArray[np.float32],
    severities: NDArray[np.float32],
    good: NDArray[np.bool_],
) -> Calibration:
    """Undo the compression of expected severities without raising false alarms.

    A network that is unsure predicts something in the middle, so severe defects come out too mild and their scores
    are close together. The map sends the typical (median) score of photos of severity s to s: the inverse of a
    monotone regression of scores on severities. It stays below what :data:`ALARMS` allow for good photos, on both
    sides of zero alike.

    Args:
        defect: which one; a signed one is calibrated on both sides of zero.
        raw: combined scores of validation photos, (N,).
        severities: their true severities, (N,), NaN where unknown.
        good: whether a photo has no defect worth mentioning, (N,).

    Returns:
        Knots from the lowest to the highest score possible, strictly ascending in both.
    """
    known = ~np.isnan(severities)
    # Of a signed defect both sides are held back alike: too little and too much are told apart by their own maps only
    # where nothing is held back, and sizes of the two can be compared.
    clean = np.abs(raw[known & good])
    alarms = OTHER_ALARMS.get(defect.key, ALARMS)
    halves = []
    for side in [1.0, -1.0] if defect.signed else [1.0]:
        knots = _side(raw[known] * side, severities[known] * side)
        halves.append(_capped(knots, clean, alarms))
    if not defect.signed:
        xs, ys = ascending([(0.0, 0.0), *halves[0], (1.0, 1.0)])
    else:
        negative = [(-x, -y) for x, y in halves[1][::-1]]
        xs, ys = ascending([(-1.0, -1.0), *negative, (0.0, 0.0), *halves[0], (1.0, 1.0)])
    return Calibration(xs, ys)


def _capped(knots: list[tuple[float, float]], clean: NDArray[np.float32], alarms: Alarms) -> list[tuple[float, float]]:
    """Lower the knots to what the scores of good photos allow."""
    limits = [(0.0, 0.0)]
    if len(clean) >= LEAST_GOOD:
        limits += [(float(np.quantile(clean, share)), limit) for share, limit in alarms]
    # Above the scores of good photos nothing is held back.
    limits += [(limits[-1][0] + FREE, 1.0), (limits[-1][0] + FREE + 1.0, 1.0)]
    scores, allowed = np.array(limits).T
    scores = np.maximum.accumulate(scores + np.arange(len(scores)) * 1e-6)
    grid = np.unique(np.concatenate([scores[(scores > 0) & (scores < 1)], [x for x, _ in knots if 0 < x < 1]]))
    typical_scores = np.array([0.0, *(x for x, _ in knots), 1.0])
    typical = np.array([0.0, *(y for _, y in knots), 1.0])
    order = np.argsort(typical_scores, kind="stable")
    free = np.interp(grid, typical_scores[order], typical[order])
    return [(float(x), float(y)) for x, y in zip(grid, np.minimum(free, np.interp(grid, scores, allowed)), strict=True)]


def _side(raw: NDArray[np.float32], severities: NDArray[np.float32]) -> list[tuple[float, float]]:
    """(score, severity) of typical photos at and above zero, by class of severity."""
    centres = np.arange(1, 11) / 10
    levels, medians, counts = [], [], []
    for centre in centres:
        near = np.abs(severities - centre) <= 0.075
        if near.sum() >= 5:
            levels.append(centre)
            medians.append(float(np.median(raw[near])))
            counts.append(float(near.sum()))
    if len(levels) < 2:
        return []
    typical = isotonic_regression(medians, weights=counts).x
    return [(float(x), float(y)) for x, y in zip(typical, levels, strict=True)]


def ascending(knots: list[tuple[float, float]], *, least: float = 0.01) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Leave out knots that don't rise in both, or by less than ``least`` in scores; the first and the last one stay."""
    kept: list[tuple[float, float]] = [knots[0]]
    for x, y in knots[1:-1]:
        if kept[-1][0] + least < x < knots[-1][0] - least and kept[-1][1] < y < knots[-1][1]:
            kept.append((x, y))
    kept.append(knots[-1])
    return tuple(round(x, 4) for x, _ in kept), tuple(round(y, 4) for _, y in kept)
