"""Whether a person agrees with what was found, counted by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ranked import failure, record

from photodefect.ranking.agreement import Agreement, agreements
from photodefect.ranking.tune import Rating
from photodefect.records import Diagnosis


def rated(*photos: tuple[float, float]) -> tuple[list[Rating], dict[str, Diagnosis]]:
    """Photos with these severities of noise, kept (1) or rejected (0)."""
    ratings = [Rating(f"{number}.jpg", {}, liking) for number, (_, liking) in enumerate(photos)]
    return ratings, {f"{number}.jpg": record(f"{number}.jpg", noise=noise) for number, (noise, _) in enumerate(photos)}


def of_noise(*photos: tuple[float, float]) -> Agreement:
    (found,) = [it for it in agreements(*rated(*photos)) if it.key == "noise"]
    return found


def test_what_fired_and_what_was_agreed_on_is_counted() -> None:
    found = of_noise((0.9, 0), (0.8, 0), (0.6, 1), (0.4, 1), (0.2, 0), (0.1, 1), (0, 1), (0, 1))
    assert (found.judged, found.fired, found.agreed, found.rejected) == (8, 3, 2, 3 / 8)
    assert str(found).startswith("noise: severe on 3 of 8 photos, you agreed on 2 (67%; you reject 38% of all)")


def test_a_threshold_that_tells_rejects_better_is_advised() -> None:
    # What is at 0.7 and more is rejected, what is between 0.5 and 0.7 is kept.
    found = of_noise(*[(0.75, 0)] * 6, *[(0.55, 1)] * 6, *[(0.1, 1)] * 6)
    assert found.advice == "--threshold noise=0.6 tells your rejects better (you would agree on 6 of 6)"


def test_a_lower_threshold_is_advised_to_a_stricter_person() -> None:
    found = of_noise(*[(0.35, 0)] * 8, *[(0.1, 1)] * 8)
    assert found.fired == 0
    assert found.advice == "--threshold noise=0.35 tells your rejects better (you would agree on 8 of 8)"


def test_a_defect_that_tells_nothing_gets_a_small_weight() -> None:
    found = of_noise(*[(0.8, 0), (0.8, 1)] * 6, *[(0.1, 0), (0.1, 1)] * 6)
    assert found.advice == "it doesn't tell your rejects from the others: --weight noise=0.2 or less"


def test_nothing_is_advised_where_the_threshold_is_right() -> None:
    assert of_noise(*[(0.6, 0)] * 8, *[(0.2, 1)] * 8).advice is None


@pytest.mark.parametrize("photos", [[(0.9, 0), (0.1, 1)], [(0.9, 1)] * 20, [(0.9, 0)] * 20])
def test_too_little_is_no_ground_for_advice(photos: list[tuple[float, float]]) -> None:
    assert of_noise(*photos).advice == "too little is rated to tell more"


def test_stars_below_the_middle_count_as_rejected_and_own_severities_before_them() -> None:
    ratings, diagnoses = rated((0.9, 1), (0.9, 3), (0.9, 5))
    found = {it.key: it for it in agreements(ratings, diagnoses)}
    assert (found["noise"].fired, found["noise"].agreed) == (3, 1)
    own = [replace(it, severities={"noise": 0.8}) for it in ratings]
    assert {it.key: it.agreed for it in agreements(own, diagnoses)}["noise"] == 3


def test_failed_photos_and_colours_of_monochrome_ones_count_nowhere() -> None:
    ratings = [Rating("a.jpg", {}, 0.0), Rating("b.jpg", {}, 1.0)]
    found = agreements(ratings, {"a.jpg": failure("a.jpg"), "b.jpg": record("b.jpg", monochrome=True, noise=0.9)})
    assert {it.key: it.judged for it in found}.keys() >= {"noise", "haze"}
    assert "bad_saturation" not in {it.key for it in found}
    assert {it.judged for it in found} == {1}
