"""How severe defects are in people's photographs: class frequencies and which defects come together.

A Gaussian copula over the absolute severities, with the class counts of 11,313 rated photographs as marginals
(Yu et al., section 3) and the correlations found there.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from photodefect.defects import BY_KEY, DEFECTS, KEYS

LEAST: Final = 0.15
"""Severities below this are set to zero: people do not agree on anything milder."""

CLASS_COUNTS: Final[dict[str, tuple[int, ...]]] = {
    "bad_exposure": (3223, 3596, 2110, 1045, 567, 312, 189, 115, 90, 38, 28),
    "bad_white_balance": (3990, 3158, 1989, 990, 521, 273, 181, 94, 72, 27, 18),
    "bad_saturation": (
        *(285, 15, 58, 76, 136, 219, 312, 474, 551, 621, 6360),
        *(601, 516, 401, 288, 197, 111, 58, 22, 4, 8),
    ),
    "noise": (6725, 2713, 1109, 424, 181, 64, 38, 24, 15, 13, 7),
    "haze": (7584, 2271, 748, 330, 148, 90, 61, 31, 29, 11, 10),
    "undesired_blur": (7412, 2263, 880, 336, 138, 90, 64, 47, 32, 33, 18),
    "bad_composition": (1774, 2633, 2293, 1698, 1169, 768, 464, 263, 160, 64, 27),
}
"""Photographs per class of each defect, in the order of the defect's class centres."""

OTHER_CORRELATION: Final = 0.14
"""Correlation of the pairs not named below (they lie between 0.06 and 0.23)."""

_CORRELATIONS: Final[dict[tuple[str, str], float]] = {
    ("bad_exposure", "bad_white_balance"): 0.36,
    ("bad_exposure", "noise"): 0.34,
    ("noise", "undesired_blur"): 0.31,
    ("bad_white_balance", "noise"): 0.28,
    ("undesired_blur", "bad_composition"): 0.29,
}


def correlation_matrix() -> NDArray[np.float64]:
    """(7, 7) correlations of absolute severities in the order of ``KEYS``."""
    matrix = np.full((len(KEYS), len(KEYS)), OTHER_CORRELATION)
    np.fill_diagonal(matrix, 1.0)
    for (one, other), value in _CORRELATIONS.items():
        i, j = KEYS.index(one), KEYS.index(other)
        matrix[i, j] = matrix[j, i] = value
    return matrix


def _magnitude_counts(key: str) -> NDArray[np.float64]:
    counts = np.asarray(CLASS_COUNTS[key], dtype=np.float64)
    if BY_KEY[key].signed:
        middle = counts.size // 2
        folded = counts[middle:].copy()
        folded[1:] += counts[:middle][::-1]
        # A rating of -1 is nearly always an intended black-and-white photograph, which synthesis gets from
        # monochrome sources; what remains in that class is as rare as its neighbour.
        folded[-1] -= counts[0] - counts[1]
        magnitudes: NDArray[np.float64] = folded
        return magnitudes
    return counts


_CDF: Final = {
    key: np.concatenate([[0.0], np.cumsum(_magnitude_counts(key)) / _magnitude_counts(key).sum()]) for key in KEYS
}
_EDGES: Final = np.concatenate([[0.0], np.arange(0.05, 1.0, 0.1), [1.0]])
_SKEW: Final = 1.22
"""Severities are so skewed that their correlation is lower than that of the normal variables behind them by this
factor (1.15 to 1.3 for these pairs)."""


def _latent_matrix() -> NDArray[np.float64]:
    matrix = correlation_matrix() * _SKEW
    np.fill_diagonal(matrix, 1.0)
    return matrix


_LATENT: Final = _latent_matrix()
_FACTOR: Final = np.linalg.cholesky(_LATENT)


def _magnitude(key: str, u: float) -> float:
    return float(np.interp(u, _CDF[key], _EDGES))


def _quantile(key: str, magnitude: float) -> float:
    return float(np.interp(magnitude, _EDGES, _CDF[key]))


def _negative_share(magnitude: float) -> float:
    """Share of under-saturation among saturation faults of this magnitude."""
    counts = CLASS_COUNTS["bad_saturation"]
    middle = len(counts) // 2
    k = min(max(1, round(magnitude * 10)), middle - 1)
    under, over = counts[middle - k], counts[middle + k]
    return under / (under + over)


def draw_severities(rng: np.random.Generator, *, rebalanced: bool) -> dict[str, float]:
    """Draw the severities of one photograph.

    Args:
        rng: source of randomness.
        rebalanced: False draws photographs as people take them, nearly all of them mild. True draws one defect,
            chosen evenly, uniformly over its whole range, and the others as people saw them together with it.

    Returns:
        Severity by defect key in the order of ``KEYS``; magnitudes under ``LEAST`` are zero.
    """
    z = _FACTOR @ rng.standard_normal(len(KEYS))
    chosen = -1
    value = 0.0
    if rebalanced:
        chosen = int(rng.integers(len(KEYS)))
        value = float(rng.uniform(DEFECTS[chosen].lowest, 1.0))
        u = np.clip(_quantile(KEYS[chosen], abs(value)), 1e-6, 1 - 1e-6)
        # Conditional Gaussian: shift the others by their covariance with the chosen one.
        z = z + _LATENT[chosen] * (float(ndtri(u)) - z[chosen])
    severities: dict[str, float] = {}
    for index, defect in enumerate(DEFECTS):
        if index == chosen:
            severity = value
        else:
            severity = _magnitude(defect.key, float(ndtr(z[index])))
            if defect.signed and rng.random() < _negative_share(severity):
                severity = -severity
        severities[defect.key] = severity if abs(severity) >= LEAST else 0.0
    return severities
