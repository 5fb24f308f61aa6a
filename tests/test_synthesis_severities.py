"""Severities drawn as people's photographs have them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photodefect.defects import BY_KEY, DEFECTS, KEYS
from photodefect.synthesis.severities import CLASS_COUNTS, LEAST, correlation_matrix, draw_severities


def draws(count: int, *, rebalanced: bool, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.array([list(draw_severities(rng, rebalanced=rebalanced).values()) for _ in range(count)])


def test_every_defect_has_a_count_for_each_class_and_11313_photos() -> None:
    for defect in DEFECTS:
        assert len(CLASS_COUNTS[defect.key]) == defect.class_count
        assert sum(CLASS_COUNTS[defect.key]) in range(11250, 11350)


def test_the_correlations_are_symmetric_and_positive_definite() -> None:
    matrix = correlation_matrix()
    assert np.array_equal(matrix, matrix.T)
    assert np.linalg.eigvalsh(matrix).min() > 0
    at = {key: index for index, key in enumerate(KEYS)}
    assert matrix[at["bad_exposure"], at["bad_white_balance"]] == 0.36
    assert matrix[at["noise"], at["undesired_blur"]] == 0.31


def test_class_frequencies_are_those_of_peoples_photographs() -> None:
    drawn = draws(6000, rebalanced=False)
    for index, key in enumerate(KEYS):
        counts = np.array(CLASS_COUNTS[key], dtype=float)
        if BY_KEY[key].signed:
            counts[0] = counts[1]  # monochrome photographs come from monochrome sources
        share = counts / counts.sum()
        centres = np.array(BY_KEY[key].class_centres)
        for low, high in ((0.15, 0.35), (0.35, 0.65), (0.65, 1.0)):
            inside = (np.abs(centres) > low) & (np.abs(centres) <= high + 1e-9)
            expected = share[inside].sum()
            found = ((np.abs(drawn[:, index]) > low) & (np.abs(drawn[:, index]) <= high)).mean()
            # Four standard deviations of a share of 6,000 draws.
            assert found == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / 6000) + 1e-3), key


def test_saturation_is_drawn_to_both_sides_in_their_proportion() -> None:
    saturation = draws(6000, rebalanced=False)[:, KEYS.index("bad_saturation")]
    counts = CLASS_COUNTS["bad_saturation"]
    under, over = sum(counts[1:9]), sum(counts[12:])
    assert (saturation < 0).sum() / (saturation != 0).sum() == pytest.approx(under / (under + over), abs=0.05)


def test_defects_come_together_as_often_as_people_saw_them_together(monkeypatch: pytest.MonkeyPatch) -> None:
    # The published correlations are of severities with the faintest ones left in.
    monkeypatch.setattr("photodefect.synthesis.severities.LEAST", 0.0)
    drawn = np.abs(draws(20_000, rebalanced=False))
    found = np.corrcoef(drawn.T)
    for one, other, published in (
        ("bad_exposure", "bad_white_balance", 0.36),
        ("bad_exposure", "noise", 0.34),
        ("noise", "undesired_blur", 0.31),
        ("bad_white_balance", "noise", 0.28),
        ("undesired_blur", "bad_composition", 0.29),
    ):
        assert found[KEYS.index(one), KEYS.index(other)] == pytest.approx(published, abs=0.05)
    assert 0.06 < found[KEYS.index("bad_saturation"), KEYS.index("haze")] < 0.23


def test_rebalanced_draws_reach_the_whole_range_of_every_defect() -> None:
    drawn = draws(4000, rebalanced=True)
    for index, defect in enumerate(DEFECTS):
        column = drawn[:, index]
        assert column.max() > 0.93
        assert column.min() < (-0.93 if defect.signed else 1e-9)
        # A seventh of the draws has a uniform severity: a quarter of these is above 0.75 in magnitude.
        assert (np.abs(column) > 0.75).mean() > 0.8 / 7 / 4


def test_a_severe_noise_brings_more_bad_exposure_than_no_noise() -> None:
    drawn = np.abs(draws(6000, rebalanced=True))
    noise, exposure = drawn[:, KEYS.index("noise")], drawn[:, KEYS.index("bad_exposure")]
    assert (exposure[noise > 0.7] > 0).mean() > (exposure[noise == 0] > 0).mean() + 0.1


@given(seed=st.integers(0, 2**32), rebalanced=st.booleans())
@settings(max_examples=60)
def test_every_draw_is_in_range_and_nothing_is_fainter_than_people_agree_on(seed: int, rebalanced: bool) -> None:
    drawn = draw_severities(np.random.default_rng(seed), rebalanced=rebalanced)
    assert tuple(drawn) == KEYS
    for key, severity in drawn.items():
        assert BY_KEY[key].lowest <= severity <= 1
        assert severity == 0 or abs(severity) >= LEAST
    assert drawn == draw_severities(np.random.default_rng(seed), rebalanced=rebalanced)
