"""How often a defect is told, beside how often people say that it is there, and how surely what is severe is one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photodefect.evaluation.spearman import share_above
from photodefect.labels.table import SAID, SAID_SEVERE
from photodefect.verdicts import Threshold


@dataclass(frozen=True)
class Told:
    """Shares of photos, in 0..1.

    Attributes:
        mild: of photos that are called mild or worse.
        said: of photos that have a mean vote of a half and more.
        severe: of photos that are called severe.
        said_severe: of photos that have a mean vote of three quarters and more.
        precision: of the photos called severe, those with a mean vote of a half and more; None without any.
        auc: of photos with such a vote against those with none; None without either.
    """

    mild: float
    said: float
    severe: float
    said_severe: float
    precision: float | None
    auc: float | None


def told(truth: NDArray[np.float64], predicted: NDArray[np.float64], threshold: Threshold) -> Told:
    """Compare how often a defect is told and said; the sign of a signed one doesn't matter.

    Args:
        truth: mean votes, (N,), N > 0.
        predicted: severities, (N,).
        threshold: of the defect.
    """
    votes, sizes = np.abs(truth) + 1e-9, np.abs(predicted) + 1e-9
    said, severe = votes >= SAID, sizes >= threshold.severe
    there, none = sizes[said], sizes[votes < 1e-6]
    return Told(
        mild=float((sizes >= threshold.mild).mean()),
        said=float(said.mean()),
        severe=float(severe.mean()),
        said_severe=float((votes >= SAID_SEVERE).mean()),
        precision=float(said[severe].mean()) if severe.any() else None,
        auc=share_above(there, none) if len(there) and len(none) else None,
    )
