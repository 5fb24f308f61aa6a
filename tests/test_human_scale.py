"""The scale of people: severities are reached by as many photos as votes say."""

from __future__ import annotations

import numpy as np
import pytest

from photodefect.defects import BY_KEY
from photodefect.training.human_scale import human_scale
from photodefect.verdicts import Threshold


def rated(key: str, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores of 4,000 photos that know something of their votes, and the votes: sixths, as of three raters."""
    generator = np.random.default_rng(seed)
    votes = np.round(np.clip(generator.normal(-0.1, 0.4, 4000), 0, 1) * 6) / 6
    if BY_KEY[key].signed:
        votes *= np.where(np.arange(4000) % 3, -1, 1)
    raw = 0.4 * votes + 0.02 + generator.normal(0, 0.03, 4000)
    return np.clip(raw, BY_KEY[key].lowest, 1).astype(np.float32), votes.astype(np.float32)


@pytest.mark.parametrize("key", ["bad_exposure", "noise", "bad_saturation"])
def test_as_many_photos_are_mild_and_severe_as_people_say(key: str) -> None:
    raw, votes = rated(key)
    calibration = human_scale(BY_KEY[key], raw, votes)
    severities = np.interp(raw, calibration.raw, calibration.severity)
    for sign in (1, -1) if BY_KEY[key].signed else (1,):
        for vote, severity in ((0.5, Threshold().mild), (0.75, Threshold().severe)):
            said = np.mean(sign * votes >= vote)
            assert np.mean(sign * severities >= severity - 1e-4) == pytest.approx(said, rel=0.1)


def test_composition_is_told_at_half_of_the_rate() -> None:
    raw, votes = rated("bad_composition")
    calibration = human_scale(BY_KEY["bad_composition"], raw, votes)
    mild = np.interp(raw, calibration.raw, calibration.severity) >= Threshold().mild - 1e-4
    assert mild.mean() == pytest.approx((votes >= 0.5).mean() / 2, rel=0.1)


def test_what_scores_hardly_know_is_seldom_called_severe() -> None:
    _, votes = rated("haze")
    blind = (0.4 * np.random.default_rng(1).random(4000)).astype(np.float32)
    calibration = human_scale(BY_KEY["haze"], blind, votes)
    severe = np.interp(blind, calibration.raw, calibration.severity) >= Threshold().severe
    assert (votes >= 0.75).mean() > 0.01
    assert severe.mean() < 0.005


def test_only_scores_that_are_sure_up_to_the_highest_are_called_severe() -> None:
    raw = np.linspace(0.9, 0.0, 1000).astype(np.float32)
    # Of the hundred highest 80 are at fault, of the 60 highest, as many as raters call severe, only 40.
    votes = np.zeros(1000, np.float32)
    votes[:10], votes[30:80], votes[80:200] = 1.0, 1.0, 0.5
    calibration = human_scale(BY_KEY["haze"], raw, votes)
    severe = np.interp(raw, calibration.raw, calibration.severity) >= Threshold().severe - 1e-4
    assert severe.sum() == 12
    assert (votes[severe] >= 0.5).mean() == pytest.approx(10 / 12)


@pytest.mark.parametrize("key", ["bad_exposure", "bad_saturation"])
def test_severities_rise_with_scores_everywhere(key: str) -> None:
    calibration = human_scale(BY_KEY[key], *rated(key))
    assert (np.diff(calibration.raw) > 0).all()
    assert (np.diff(calibration.severity) > 0).all()
    assert np.interp(0.0, calibration.raw, calibration.severity) == 0
    assert (calibration.severity[0], calibration.severity[-1]) == (BY_KEY[key].lowest, 1.0)


def test_photos_without_votes_on_a_defect_say_nothing_of_it() -> None:
    raw, votes = rated("noise")
    more = human_scale(BY_KEY["noise"], np.append(raw, [0.9] * 500), np.append(votes, [np.nan] * 500))
    assert more == human_scale(BY_KEY["noise"], raw, votes)
