"""Weights that make a defect independent of the others."""

from __future__ import annotations

import numpy as np
import pytest

from photodefect.defects import KEYS
from photodefect.training.independence import MOST, independence_weights

NOISE, BLUR, SATURATION = (KEYS.index(key) for key in ("noise", "undesired_blur", "bad_saturation"))


def together(*groups: tuple[float, float, int]) -> np.ndarray:
    """Severities of groups of photos, each with some noise, some blur and so many photos."""
    severities = np.zeros((sum(count for _, _, count in groups), len(KEYS)), np.float32)
    start = 0
    for noise, blur, count in groups:
        severities[start : start + count, [NOISE, BLUR]] = noise, blur
        start += count
    return severities


def test_weights_of_two_defects_are_the_probability_of_one_by_that_given_the_other() -> None:
    severities = together((0, 0, 40), (0, 0.5, 10), (0.5, 0, 10), (0.5, 0.5, 40))
    expected = np.repeat([0.5 / 0.8, 0.5 / 0.2, 0.5 / 0.2, 0.5 / 0.8], [40, 10, 10, 40])
    for key in ("noise", "undesired_blur"):
        np.testing.assert_allclose(independence_weights(severities, key), expected, rtol=0.02)


def test_of_independent_defects_all_samples_count_the_same() -> None:
    severities = together((0, 0, 40), (0, 0.5, 20), (0.5, 0, 20), (0.5, 0.5, 10))
    np.testing.assert_allclose(independence_weights(severities, "noise"), 1, rtol=0.01)


def test_hardly_any_correlation_is_left_of_many_defects_that_come_together() -> None:
    rng = np.random.default_rng(0)
    common = rng.normal(size=(4000, 1))
    severities = np.clip(0.3 * common + 0.3 * rng.normal(size=(4000, len(KEYS))), 0, 1).astype(np.float32)
    severities[:, SATURATION] *= rng.choice([-1, 1], 4000)
    before = np.corrcoef(np.abs(severities.T))
    for index, key in enumerate(KEYS):
        weights = independence_weights(severities, key).astype(float)
        covariance = np.cov(np.abs(severities.T), aweights=weights)
        after = covariance / np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
        others = np.arange(len(KEYS)) != index
        assert np.abs(before[index, others]).min() > 0.2
        assert np.abs(after[index, others]).max() < 0.15


def test_unknown_severities_have_no_say_and_no_weight_is_extreme() -> None:
    severities = together((0, 0, 5000), (0.5, 0.5, 5000), (0.5, 0, 1))
    severities[:100, NOISE] = np.nan
    weights = independence_weights(severities, "noise")
    assert (weights[:100] == 1).all()
    assert weights.min() >= 1 / MOST
    assert weights[-1] == pytest.approx(MOST)
    assert np.isfinite(independence_weights(severities, "undesired_blur")).all()
