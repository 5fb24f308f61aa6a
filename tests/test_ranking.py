"""Overall severity, the order it makes, limits and percentiles."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ranked import failure, record

from photodefect.defects import DEFECTS, KEYS
from photodefect.ranking.overall import (
    Candidate,
    Limit,
    RankedPhoto,
    Ranking,
    SeriesPlace,
    in_order,
    number,
    overall_severity,
    relative_to_folder,
    series_places,
    share_of,
    shown_value,
)
from photodefect.ranking.series.kinds import Series
from photodefect.records import Diagnosis

SEVERITIES = st.fixed_dictionaries({defect.key: st.floats(defect.lowest, 1) for defect in DEFECTS})
WEIGHTS = st.fixed_dictionaries({key: st.floats(0.01, 10) for key in KEYS})


def candidates(*records: Diagnosis) -> list[Candidate]:
    return [
        Candidate(index, it, overall_severity(it.severity or {}, monochrome=bool(it.monochrome)))
        for index, it in enumerate(records)
    ]


def paths(ordered: list[Candidate]) -> list[str]:
    return [it.diagnosis.path for it in ordered]


def test_overall_severity_by_hand() -> None:
    severity = record("a", noise=0.6, haze=0.1).severity
    assert severity is not None
    assert overall_severity(severity) == pytest.approx(0.8 * 0.6 + 0.2 * (0.6 + 0.1) / 7)
    # Haze twice as important as all others: noise counts half.
    weights = dict.fromkeys(KEYS, 3.0) | {"haze": 6.0}
    assert overall_severity(severity, weights) == pytest.approx(0.8 * 0.3 + 0.2 * (0.3 + 0.1) / (6 * 0.5 + 1))
    assert overall_severity(severity, mean_share=1.0) == pytest.approx(0.1)


def test_overall_severity_is_0_for_nothing_and_1_for_everything() -> None:
    assert overall_severity(dict.fromkeys(KEYS, 0.0)) == 0.0
    assert overall_severity(dict.fromkeys(KEYS, 1.0) | {"bad_saturation": -1.0}) == pytest.approx(1.0)


@given(SEVERITIES, WEIGHTS, st.floats(0, 1), st.booleans())
def test_overall_severity_stays_in_its_range_and_ignores_direction(
    severity: dict[str, float], weights: dict[str, float], share: float, monochrome: bool
) -> None:
    value = overall_severity(severity, weights, mean_share=share, monochrome=monochrome)
    assert -1e-9 <= value <= 1 + 1e-9
    turned = severity | {"bad_saturation": -severity["bad_saturation"]}
    assert overall_severity(turned, weights, mean_share=share, monochrome=monochrome) == value


@given(SEVERITIES, st.sampled_from(KEYS), st.floats(0, 1))
def test_a_worse_defect_makes_a_worse_photo(severity: dict[str, float], key: str, size: float) -> None:
    low, high = sorted((abs(severity[key]), size))
    better, worse = (overall_severity(severity | {key: value}) for value in (low, high))
    assert worse >= better - 1e-12
    if high - low > 1e-3:
        assert worse > better


@given(SEVERITIES, st.sampled_from(KEYS), st.floats(0.01, 1))
def test_one_severe_defect_outweighs_any_number_of_defects_below_four_fifths_of_it(
    severity: dict[str, float], key: str, size: float
) -> None:
    all_smaller = {name: max(-0.79 * size, min(0.79 * size, value)) for name, value in severity.items()}
    assert overall_severity(record("a", **{key: size}).severity or {}) > overall_severity(all_smaller)


def test_a_monochrome_photo_is_not_blamed_for_its_colour() -> None:
    severity = record("a", bad_saturation=-1.0, bad_white_balance=1.0, noise=0.3).severity or {}
    grey = overall_severity(severity, monochrome=True)
    assert grey == pytest.approx(0.8 * 0.3 + 0.2 * 0.3 / 5)
    only_colour = {key: float(key in ("bad_saturation", "bad_white_balance")) for key in KEYS}
    assert overall_severity(severity, only_colour, monochrome=True) == 0.0


def test_weights_need_one_above_zero() -> None:
    with pytest.raises(ValueError, match="weight"):
        overall_severity(dict.fromkeys(KEYS, 0.5), dict.fromkeys(KEYS, 0.0))


def test_photos_are_ordered_by_overall_severity_or_by_one_defect() -> None:
    photos = candidates(record("a", noise=0.9), record("b", haze=0.5, noise=0.1), record("c", haze=0.2, noise=0.2))
    assert paths(in_order(photos)) == ["c", "b", "a"]
    assert paths(in_order(photos, "noise")) == ["b", "c", "a"]


def test_saturation_is_ordered_by_its_size_and_shown_with_its_direction() -> None:
    photos = candidates(
        record("over", bad_saturation=0.4), record("under", bad_saturation=-0.8), record("grey", bad_saturation=0.0)
    )
    ordered = in_order(photos, "bad_saturation")
    assert paths(ordered) == ["grey", "over", "under"]
    assert [shown_value(it, "bad_saturation") for it in ordered] == [0.0, 0.4, -0.8]
    assert [number("bad_saturation", value) for value in (0.4, -0.8, -0.001)] == ["+0.40", "-0.80", "0.00"]


def test_a_defect_that_does_not_apply_is_none() -> None:
    photos = candidates(record("colour", bad_saturation=0.1), record("grey", monochrome=True, bad_saturation=-1.0))
    ordered = in_order(photos, "bad_saturation")
    assert paths(ordered) == ["grey", "colour"]
    assert shown_value(ordered[0], "bad_saturation") is None


@given(st.permutations(["a", "b", "c", "d"]))
def test_ties_are_broken_the_same_way_whatever_the_order_of_the_files(names: list[str]) -> None:
    photos = candidates(*(record(name, noise=0.3, haze=0.1 * (name == "a")) for name in names))
    assert paths(in_order(photos)) == ["b", "c", "d", "a"]
    # By noise all are equal: overall severity decides, then the path.
    assert paths(in_order(photos, "noise")) == ["b", "c", "d", "a"]


def test_limits_compare_sizes_and_say_what_is_wrong() -> None:
    photo = record("a", bad_saturation=-0.6, noise=0.2)
    assert Limit("bad_saturation", 0.5, upper=True).violation(photo, 0.4) == "bad saturation 0.60 is above 0.5"
    assert Limit("noise", 0.3, upper=False).violation(photo, 0.4) == "noise 0.20 is below 0.3"
    assert Limit("overall", 0.4, upper=True).violation(photo, 0.4) is None
    assert Limit("overall", 0.3, upper=True).violation(photo, 0.4) == "overall severity 0.40 is above 0.3"
    grey = record("b", monochrome=True, bad_saturation=-0.9)
    assert Limit("bad_saturation", 0.5, upper=True).violation(grey, 0.0) is None


def test_percentiles_relative_to_the_folder_count_less_severe_photos() -> None:
    photos = [
        record("a", noise=0.1, bad_saturation=-0.9),
        record("b", noise=0.2, bad_saturation=0.5),
        record("c", noise=0.2, bad_saturation=0.1),
        record("d", noise=0.7, monochrome=True, bad_saturation=-1.0),
        failure("e"),
    ]
    result = relative_to_folder(photos)
    assert [(it.percentile or {}).get("noise") for it in result] == [0, 25, 25, 75, None]
    # Only three of them have colour, and the direction doesn't matter.
    assert [(it.percentile or {}).get("bad_saturation") for it in result] == [66, 33, 0, None, None]
    assert result[-1] == photos[-1]
    assert [it.severity for it in result] == [it.severity for it in photos]


@pytest.mark.parametrize(("percentage", "count", "expected"), [(10, 40, 4), (10, 41, 5), (100, 7, 7), (0.1, 5, 1)])
def test_a_share_of_photos_is_rounded_up(percentage: float, count: int, expected: int) -> None:
    assert share_of(percentage, count) == expected


def test_places_in_series_are_those_of_their_orders() -> None:
    places = series_places([Series("burst", (0, 2, 3, 5)), Series("focus stack", (1, 4))], [[3, 0, 2], [1, 4]])
    assert places == {
        3: SeriesPlace(1, "burst", 3, 1),
        0: SeriesPlace(1, "burst", 3, 2),
        2: SeriesPlace(1, "burst", 3, 3),
        1: SeriesPlace(2, "focus stack", 2, 1),
        4: SeriesPlace(2, "focus stack", 2, 2),
    }


def test_equals_are_in_the_natural_order_of_their_names() -> None:
    candidates = [Candidate(index, record(name), 0.0) for index, name in enumerate(("a10", "a9", "a1"))]
    assert [it.diagnosis.path for it in in_order(candidates)] == ["a1", "a9", "a10"]


def test_a_ranked_photo_is_its_record_and_its_ranking() -> None:
    photo = record("a", noise=0.4)
    ranked = RankedPhoto.of(photo, Ranking(1, 5, "overall", 0.4, 0.4))
    values = ranked.to_dict()
    assert values.pop("ranking")["of"] == 5
    assert values == photo.to_dict()
    assert Diagnosis.from_dict(ranked.to_dict()) == Diagnosis.from_dict(photo.to_dict())
    assert RankedPhoto.of(failure("b")).to_dict()["ranking"] is None
