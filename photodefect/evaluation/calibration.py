"""How far severities can be taken at their word: whether 0.6 means 0.6 to people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from photodefect.defects import Defect

BIN_WIDTH: Final = 0.1
"""Width of a bin of predictions."""


@dataclass(frozen=True)
class ReliabilityBin:
    """Photos whose predictions are close to each other.

    Attributes:
        low: lower edge of the predictions.
        high: upper edge, exclusive except at 1.
        photos: how many.
        predicted: mean prediction.
        truth: mean ground truth.
    """

    low: float
    high: float
    photos: int
    predicted: float
    truth: float


@dataclass(frozen=True)
class Calibration:
    """How predictions relate to ground truth in size.

    Attributes:
        bins: those that hold photos, ascending.
        expected_error: mean over all photos of the distance between mean prediction and mean truth of their bin (the
            expected calibration error).
        absolute_error: mean absolute error.
        bias: mean of prediction - truth.
    """

    bins: tuple[ReliabilityBin, ...]
    expected_error: float
    absolute_error: float
    bias: float


def calibration(defect: Defect, truth: NDArray[np.float64], predicted: NDArray[np.float64]) -> Calibration:
    """Compare the size of predictions with the truth.

    Args:
        defect: whose range is cut into bins of 0.1.
        truth: (N,), N > 0.
        predicted: (N,).
    """
    count = round((1 - defect.lowest) / BIN_WIDTH)
    # 1e-9: 0.3 / 0.1 is a hair below 3.
    numbers = np.clip(np.floor((predicted - defect.lowest) / BIN_WIDTH + 1e-9).astype(np.int64), 0, count - 1)
    bins = []
    for number in np.unique(numbers):
        inside = numbers == number
        low = round(defect.lowest + number * BIN_WIDTH, 9)
        high = round(low + BIN_WIDTH, 9)
        bins.append(
            ReliabilityBin(low, high, int(inside.sum()), float(predicted[inside].mean()), float(truth[inside].mean()))
        )
    gap = sum(one.photos * abs(one.predicted - one.truth) for one in bins) / len(truth)
    error = predicted - truth
    return Calibration(tuple(bins), float(gap), float(np.abs(error).mean()), float(error.mean()))
