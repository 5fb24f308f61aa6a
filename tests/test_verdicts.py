"""Verdicts: thresholds, signs, monochrome photos."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photodefect.defects import KEYS
from photodefect.verdicts import DEFAULT_THRESHOLDS, TRACE, Threshold, grades, verdict

NONE = dict.fromkeys(KEYS, 0.0)


def test_every_defect_has_a_threshold() -> None:
    assert tuple(DEFAULT_THRESHOLDS) == KEYS


@pytest.mark.parametrize(
    ("severity", "grade"),
    [(0.0, "good"), (0.2999, "good"), (0.3, "mild"), (0.4999, "mild"), (0.5, "severe"), (1.0, "severe")],
)
@pytest.mark.parametrize("sign", [1, -1])
def test_a_grade_begins_exactly_at_its_threshold_whatever_the_sign(severity: float, grade: str, sign: int) -> None:
    assert Threshold().grade(sign * severity) == grade


@pytest.mark.parametrize(("mild", "severe"), [(0.0, 0.5), (0.6, 0.5), (0.3, 1.1), (-0.3, 0.5)])
def test_thresholds_out_of_order_or_range_are_refused(mild: float, severe: float) -> None:
    with pytest.raises(ValueError, match="thresholds must satisfy"):
        Threshold(mild, severe)


def test_an_under_saturated_photo_is_as_bad_as_an_over_saturated_one() -> None:
    assert verdict(NONE | {"bad_saturation": -0.7, "noise": 0.6}) == ("bad_saturation", "severe")
    assert verdict(NONE | {"bad_saturation": 0.7, "noise": 0.6}) == ("bad_saturation", "severe")


def test_a_photo_without_defects_is_good() -> None:
    assert verdict(NONE | {"haze": 0.1}) == ("haze", "good")


def test_of_equal_defects_the_first_is_the_worst() -> None:
    assert verdict(NONE | {"noise": 0.4, "haze": 0.4}) == ("noise", "mild")


def test_a_photo_without_a_trace_of_a_defect_has_no_worst_one() -> None:
    assert verdict(NONE) == (None, "good")
    assert verdict(NONE | {"bad_saturation": -0.9}, monochrome=True) == (None, "good")


def test_a_stricter_threshold_of_a_lesser_defect_makes_the_verdict() -> None:
    thresholds = dict(DEFAULT_THRESHOLDS) | {"noise": Threshold(0.1, 0.2)}
    assert verdict(NONE | {"noise": 0.2, "haze": 0.25}, thresholds) == ("haze", "severe")


def test_a_monochrome_photo_is_not_blamed_for_its_lack_of_colour() -> None:
    severities = NONE | {"bad_saturation": -1.0, "bad_white_balance": 0.8, "undesired_blur": 0.35}
    assert verdict(severities) == ("bad_saturation", "severe")
    assert verdict(severities, monochrome=True) == ("undesired_blur", "mild")
    assert set(KEYS) - set(grades(severities, monochrome=True)) == {"bad_saturation", "bad_white_balance"}


def test_nothing_to_judge_is_an_error() -> None:
    with pytest.raises(ValueError, match="no severity"):
        verdict({})


@given(st.fixed_dictionaries({key: st.floats(-1, 1) for key in KEYS}))
def test_the_verdict_is_the_gravest_grade_and_the_worst_has_no_larger_one_beside_it(
    severities: dict[str, float],
) -> None:
    worst, overall = verdict(severities)
    sizes = [abs(value) for value in severities.values()]
    if worst is None:
        assert max(sizes) < TRACE
    else:
        assert max(sizes) == abs(severities[worst]) >= TRACE
    assert overall == ("severe" if max(sizes) >= 0.5 else "mild" if max(sizes) >= 0.3 else "good")
