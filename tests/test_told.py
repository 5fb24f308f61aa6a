"""How often defects are told, beside how often people say that they are there."""

from __future__ import annotations

import numpy as np
import pytest

from photodefect.evaluation.told import told
from photodefect.verdicts import Threshold


def test_shares_precision_and_auc_are_counted_over_the_photos() -> None:
    votes = np.array([0, 0, 0, 0, 1 / 3, 0.5, 2 / 3, 5 / 6, 1, -1])
    severities = np.array([0, 0.1, 0.2, 0.6, 0.3, 0.1, 0.35, 0.5, 0.9, -0.7])
    found = told(votes, severities, Threshold(0.3, 0.5))
    assert (found.mild, found.said, found.severe, found.said_severe) == (0.6, 0.5, 0.4, 0.3)
    assert found.precision == 0.75  # 0.6 is called severe where nobody says anything
    # Five photos against four: one pair in which 0.6 stands above each of 0.1, 0.35 and 0.5, 0.2 above 0.1, 0.1 = 0.1.
    assert found.auc == pytest.approx((20 - 3 - 1 - 0.5) / 20)


def test_what_cannot_be_told_is_none() -> None:
    found = told(np.zeros(3), np.array([0.0, 0.1, 0.2]), Threshold())
    assert found.precision is None
    assert found.auc is None
