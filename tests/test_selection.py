"""What is chosen of a folder, in which order, and why the rest was left out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from ranked import failure, record

from photodefect.ranking.hints.cast import Cast
from photodefect.ranking.hints.light import Light
from photodefect.ranking.hints.measurements import Measurements
from photodefect.ranking.hints.softness import Softness
from photodefect.ranking.overall import Limit, RankedPhoto
from photodefect.ranking.profiles.profile import DEFAULT_PROFILE, Profile, RejectPolicy
from photodefect.ranking.selection import Selection, Wishes, select
from photodefect.ranking.series.miniature import measure_miniature
from photodefect.records import Capture, Diagnosis

RANDOM = np.random.default_rng(0).integers(0, 256, (200, 300, 3), np.uint8)
ALIKE = measure_miniature(RANDOM, RANDOM)


def measured(paths: list[str]) -> dict[str, Measurements]:
    light, cast, softness = Light(0.18, 0.9, 0.0, 0.0, 0.0), Cast(0.0, 0.0, certain=False), Softness(None, 0.0)
    return {path: Measurements(ALIKE, light, cast, softness) for path in paths}


def selected(photos: list[Diagnosis], profile: Profile = DEFAULT_PROFILE, **wishes: Any) -> Selection:
    return select(photos, measured([photo.path for photo in photos]), profile, Wishes(**wishes))


def names(photos: tuple[RankedPhoto, ...]) -> str:
    return " ".join(photo.path for photo in photos)


def reasons(selection: Selection) -> dict[str, str | None]:
    return {photo.path: photo.ranking and photo.ranking.left_out for photo in selection.left_out}


def by_noise(*severities: float) -> list[Diagnosis]:
    """Photos a, b, c ... that are far apart in time, so no burst."""
    return [
        record(name, noise=severity, capture=Capture(time=f"2024-05-0{day}T00:00:00"))
        for day, (name, severity) in enumerate(zip("abcdefgh", severities, strict=False), start=1)
    ]


def test_all_photos_are_ranked_from_best_to_worst_and_failures_kept_apart() -> None:
    selection = selected([*by_noise(0.3, 0.1, 0.2), failure("x")])
    assert names(selection.chosen) == "b c a"
    assert [photo.ranking and photo.ranking.rank for photo in selection.chosen] == [1, 2, 3]
    assert names(selection.failed) == "x"
    assert not selection.left_out


def test_reversed_the_worst_come_first_and_keep_their_ranks() -> None:
    selection = selected(by_noise(0.3, 0.1, 0.2), reverse=True)
    assert names(selection.chosen) == "a c b"
    assert [photo.ranking and photo.ranking.rank for photo in selection.chosen] == [3, 2, 1]


def test_severe_photos_are_excluded_with_the_reason() -> None:
    photos = [
        record("a", noise=0.2),
        record("b", noise=0.5, bad_saturation=-0.8),
        record("c", haze=0.49),
        record("d", haze=0.9),
    ]
    selection = selected(photos, exclude_severe=True)
    assert names(selection.chosen) == "a c"
    assert reasons(selection) == {"b": "severe bad saturation -0.80, noise 0.50", "d": "severe haze 0.90"}
    assert selection.reasons == {"severe bad saturation": 1, "severe haze": 1}


def test_a_profile_decides_what_is_rejected() -> None:
    profile = Profile(reject=RejectPolicy(at="mild", defects=("noise",)))
    selection = selected([record("a", noise=0.35), record("b", haze=0.9)], profile, exclude_severe=True)
    assert names(selection.chosen) == "b"
    assert reasons(selection) == {"a": "mild noise 0.35"}


def test_limits_leave_out_what_does_not_keep_them() -> None:
    photos = by_noise(0.1, 0.3, 0.5)
    assert names(selected(photos, limits=(Limit("noise", 0.3, upper=True),)).chosen) == "a b"
    selection = selected(photos, limits=(Limit("noise", 0.3, upper=False), Limit("noise", 0.4, upper=True)))
    assert names(selection.chosen) == "b"
    assert reasons(selection) == {"a": "noise 0.10 is below 0.3", "c": "noise 0.50 is above 0.4"}


def test_the_first_or_best_photos_of_what_is_left() -> None:
    photos = by_noise(0.4, 0.1, 0.9, 0.3, 0.2)
    assert names(selected(photos, top=2).chosen) == "b e"
    assert names(selected(photos, top=2, reverse=True).chosen) == "c a"
    assert names(selected(photos, best=40.0).chosen) == "b e"
    assert names(selected(photos, best=40.0, reverse=True).chosen) == "e b"
    # Of four that aren't severe.
    assert names(selected(photos, best=50.0, exclude_severe=True).chosen) == "b e"
    assert names(selected(photos, top=99).chosen) == "b e d a c"
    assert selected(photos, top=2).reasons == {"not among the best 2": 3}


def sequence(kind: str | None, *severities: float) -> list[Diagnosis]:
    return [
        record(
            name,
            noise=severity,
            capture=Capture(time=f"2024-05-01T12:00:0{second}", camera="X", sequence=kind),
        )
        for second, (name, severity) in enumerate(zip("abcdefgh", severities, strict=False))
    ]


def test_of_each_burst_the_best_is_kept() -> None:
    later = [record("d", noise=0.3), record("e", noise=0.6)]
    later = [
        replace(photo, capture=Capture(time=f"2024-05-01T13:00:0{second}", camera="X"))
        for second, photo in enumerate(later)
    ]
    photos = [*sequence(None, 0.4, 0.1, 0.2), *later]
    selection = selected(photos, best_per_burst=1)
    assert names(selection.chosen) == "b d"
    assert reasons(selection) == {
        "a": "b is the best of its burst",
        "c": "b is the best of its burst",
        "e": "d is the best of its burst",
    }
    places = [photo.ranking and photo.ranking.burst for photo in selection.chosen]
    assert [place and (place.number, place.kind, place.place, place.size) for place in places] == [
        (1, "burst", 1, 3),
        (2, "burst", 1, 2),
    ]
    assert names(selected(photos, best_per_burst=2).chosen) == "b c d e"


def test_no_severe_photo_is_taken_out_of_a_sequence_unless_that_is_asked_for() -> None:
    photos = [*sequence("bracket", 0.6, 0.1, 0.7), record("z", noise=0.8)]
    assert names(selected(photos, exclude_severe=True).chosen) == "b a c"
    assert reasons(selected(photos, exclude_severe=True)) == {"z": "severe noise 0.80"}
    assert names(selected(photos, exclude_severe=True, thin_sequences=True).chosen) == "b"


def test_a_sequence_of_which_all_photos_are_severe_is_left_out_as_a_whole() -> None:
    selection = selected([*sequence("bracket", 0.6, 0.8, 0.7), record("z")], exclude_severe=True)
    assert names(selection.chosen) == "z"
    assert names(selection.left_out) == "a c b"


def test_what_a_set_or_a_shot_needs_is_spared() -> None:
    bracket = sequence("bracket", 0.6, 0.1, 0.7)
    pair = [record("Y.jpg", noise=0.1), record("Y.dng", noise=0.9)]
    photos = [*bracket, *pair, record("z", noise=0.8)]
    assert selected(photos).spared == {"a", "c", "Y.dng"}
    assert selected(photos, exclude_severe=True, top=1).spared == {"a", "c", "Y.dng"}
    assert selected(photos, thin_sequences=True).spared == {"Y.dng"}
    assert selected(sequence("bracket", 0.6, 0.8, 0.7)).spared == frozenset()
    assert selected(sequence(None, 0.6, 0.1, 0.7)).spared == frozenset()


def test_photos_outside_of_limits_do_not_hold_a_sequence_together() -> None:
    limits = (Limit("noise", 0.2, upper=False),)
    assert names(selected(sequence("bracket", 0.6, 0.1, 0.7), exclude_severe=True, limits=limits).chosen) == ""


def test_a_phones_shot_is_left_out_only_if_none_of_its_photos_is_wanted() -> None:
    photos = [
        record("X.RAW-01.COVER.jpg", noise=0.1),
        record("X.RAW-02.ORIGINAL.dng", noise=0.9),
        record("IMG_1234.HEIC", noise=0.9),
        record("IMG_E1234.HEIC", noise=0.1),
        record("Y.MP.jpg", noise=0.9),
        record("Y.dng", noise=0.9),
    ]
    assert {*reasons(selected(photos, exclude_severe=True))} == {"Y.MP.jpg", "Y.dng"}
    assert len(selected(photos, top=2).chosen) == 4


def test_a_severe_photo_does_not_compete_in_its_burst() -> None:
    photos = sequence(None, 0.6, 0.3, 0.4)
    selection = selected(photos, exclude_severe=True, best_per_burst=1, by="haze")
    assert names(selection.chosen) == "b"
    assert reasons(selection)["a"] == "severe noise 0.60"


def test_brackets_stay_whole_unless_told_otherwise() -> None:
    photos = sequence("bracket", 0.3, 0.1, 0.2)
    assert names(selected(photos, best_per_burst=1).chosen) == "b c a"
    selection = selected(photos, best_per_burst=1, thin_sequences=True)
    assert names(selection.chosen) == "b"
    assert set(reasons(selection).values()) == {"b is the best of its bracket"}
    assert selection.reasons == {"not the best of a bracket": 2}


def test_a_raw_photo_and_its_jpeg_share_their_fate() -> None:
    photos = [record("a.cr2", noise=0.6), record("a.jpg", noise=0.4), record("b.jpg", noise=0.7), record("c.jpg")]
    assert names(selected(photos, exclude_severe=True).chosen) == "c.jpg a.jpg a.cr2"
    assert names(selected(photos, top=2).chosen) == "c.jpg a.jpg a.cr2"
    assert names(selected(photos, top=1).chosen) == "c.jpg"
    assert names(selected(photos, best=60.0).chosen) == "c.jpg a.jpg a.cr2"


def test_percentiles_may_be_those_of_the_folder() -> None:
    selection = selected(by_noise(0.4, 0.6), relative_to_folder=True)
    assert [(photo.percentile or {})["noise"] for photo in selection.chosen] == [0, 50]
    assert [photo.ranking and photo.ranking.findings[0].percentile for photo in selection.chosen] == [0, 50]


def test_findings_have_hints_unless_the_profile_says_otherwise() -> None:
    (photo,) = selected(by_noise(0.6)).chosen
    assert photo.ranking is not None
    assert photo.ranking.findings[0].hint
    (photo,) = selected(by_noise(0.6), Profile(hints=False)).chosen
    assert photo.ranking is not None
    assert photo.ranking.findings[0].hint is None


def test_an_ignored_defect_counts_for_nothing() -> None:
    profile = Profile(weights=dict(DEFAULT_PROFILE.weights) | {"noise": 0.0})
    selection = selected(by_noise(0.9), profile, exclude_severe=True)
    (photo,) = selection.chosen
    assert photo.ranking is not None
    assert (photo.verdict, photo.ranking.overall, photo.ranking.findings) == ("good", 0.0, ())


def test_what_one_defect_ranks_by_is_shown_and_none_where_it_does_not_apply() -> None:
    photos = [record("a", bad_saturation=-0.2), record("b", monochrome=True, bad_saturation=-1.0)]
    selection = selected(photos, by="bad_saturation")
    assert [photo.ranking and photo.ranking.value for photo in selection.chosen] == [None, -0.2]


def drawing(path: str, **severities: float) -> Diagnosis:
    return replace(record(path, **severities), photograph=False, not_photograph="a drawing: flat areas")


def test_what_is_no_photograph_is_left_out_with_the_reason_and_takes_no_rank() -> None:
    selection = selected([drawing("d"), *by_noise(0.3, 0.1)])
    assert names(selection.chosen) == "b a"
    assert reasons(selection) == {"d": "no photograph: a drawing: flat areas"}
    assert selection.reasons == {"no photograph": 1}
    assert [photo.ranking and (photo.ranking.rank, photo.ranking.of) for photo in selection.chosen] == [(1, 2), (2, 2)]


def test_graphics_that_are_kept_are_ranked_and_left_out_as_photos_are() -> None:
    photos = [drawing("d"), drawing("e", noise=0.9), *by_noise(0.3)]
    assert names(selected(photos, keep_graphics=True).chosen) == "d a e"
    assert reasons(selected(photos, keep_graphics=True, exclude_severe=True)) == {"e": "severe noise 0.90"}


def test_a_record_that_does_not_say_whether_it_is_a_photograph_is_ranked() -> None:
    assert names(selected([replace(record("old"), photograph=None)]).chosen) == "old"
