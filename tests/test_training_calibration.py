"""Calibration: decompressed, monotone, and without more false alarms than allowed."""

from __future__ import annotations

import numpy as np
import pytest

from photodefect.defects import BY_KEY
from photodefect.training.calibration import (
    ALARMS,
    OTHER_ALARMS,
    Alarms,
    fit_calibration,
)


def compressed(seed: int, spread: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    severities = np.where(generator.random(4000) < 0.5, 0.0, generator.uniform(0, 1, 4000)).astype(np.float32)
    raw = (0.05 + 0.5 * severities + spread * generator.random(4000)).astype(np.float32)
    return raw, severities, severities < 0.05


def test_typical_scores_of_a_clear_defect_are_sent_to_their_severity() -> None:
    raw, severities, good = compressed(0, spread=0.02)
    calibration = fit_calibration(BY_KEY["noise"], raw, severities, good)
    calibrated = np.interp(raw, calibration.raw, calibration.severity)
    for severity in (0.4, 0.6, 0.8):
        near = np.abs(severities - severity) < 0.03
        assert abs(np.median(calibrated[near]) - severity) < 0.06


@pytest.mark.parametrize(("key", "alarms"), [("undesired_blur", ALARMS), ("noise", OTHER_ALARMS["noise"])])
def test_good_photos_stay_below_the_allowed_severities_even_if_scores_are_poor(key: str, alarms: Alarms) -> None:
    raw, severities, good = compressed(1, spread=0.4)
    calibration = fit_calibration(BY_KEY[key], raw, severities, good)
    calibrated = np.interp(raw[good], calibration.raw, calibration.severity)
    for share, limit in alarms:
        assert np.quantile(calibrated, share) <= limit + 0.02


def test_knots_ascend_over_the_whole_range_on_both_sides_of_zero() -> None:
    raw, severities, good = compressed(2, spread=0.1)
    sign = np.where(np.arange(len(raw)) % 2, 1, -1).astype(np.float32)
    calibration = fit_calibration(BY_KEY["bad_saturation"], raw * sign, severities * sign, good)
    assert calibration.raw[0] == calibration.severity[0] == -1
    assert calibration.raw[-1] == calibration.severity[-1] == 1
    assert (np.diff(calibration.raw) > 0).all()
    assert (np.diff(calibration.severity) > 0).all()
    assert np.interp(0, calibration.raw, calibration.severity) == 0


def test_unknown_severities_are_left_out() -> None:
    raw, severities, good = compressed(3, spread=0.1)
    with_unknown = np.concatenate([severities, np.full(50, np.nan, np.float32)])
    calibration = fit_calibration(
        BY_KEY["haze"], np.concatenate([raw, np.ones(50, np.float32)]), with_unknown, np.append(good, [True] * 50)
    )
    assert calibration == fit_calibration(BY_KEY["haze"], raw, severities, good)
