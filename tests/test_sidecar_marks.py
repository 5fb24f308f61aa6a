"""What is said about a photo in XMP."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ranked import failure, record

from photodefect.cli.sidecars import SidecarOptions
from photodefect.defects import KEYS
from photodefect.ranking.profiles.profile import DEFAULT_PROFILE, RejectPolicy
from photodefect.ranking.profiles.settings import to_profile
from photodefect.sidecars.marks import Marks, keyword_of, marks_of
from photodefect.sidecars.programs import READERS, Program

BLURRED = record("a.jpg", undesired_blur=0.8, noise=0.4)
KEPT = replace(DEFAULT_PROFILE, reject=RejectPolicy(defects=("noise",)))


def by(mark: str) -> Marks:
    return marks_of(BLURRED, replace(DEFAULT_PROFILE, reject=RejectPolicy(mark=mark)))  # type: ignore[arg-type]


def test_a_rejected_photo_is_marked_by_rating_label_or_keyword() -> None:
    found = (("photodefect", "severe", "blur"), ("photodefect", "mild", "noise"))
    assert (by("rating").rating, by("rating").label, by("rating").keywords) == (-1, "Red", found)
    assert (by("label").rating, by("label").label, by("label").keywords) == (1, "Red", found)
    assert (by("keyword").rating, by("keyword").label) == (1, "Red")
    assert by("keyword").keywords == (("photodefect", "rejected"), *found)


@pytest.mark.parametrize("mark", ["rating", "label", "keyword"])
def test_a_photo_that_its_set_needs_is_said_to_be_severe_but_not_rejected(mark: str) -> None:
    profile = replace(DEFAULT_PROFILE, reject=RejectPolicy(mark=mark))  # type: ignore[arg-type]
    marks = marks_of(BLURRED, profile, spared=True)
    assert marks.rating == 1
    assert marks.keywords == (("photodefect", "severe", "blur"), ("photodefect", "mild", "noise"))
    assert marks.label == (None if mark == "label" else "Red")


def test_a_label_that_means_rejected_means_nothing_else() -> None:
    profile = replace(DEFAULT_PROFILE, reject=RejectPolicy(mark="label"))
    assert marks_of(record("a.jpg", undesired_blur=0.4), profile).label is None


def test_good_photos_have_more_stars_than_mild_ones_and_those_more_than_severe_ones() -> None:
    good, mild = marks_of(record("a.jpg", haze=0.2), DEFAULT_PROFILE), marks_of(record("a.jpg", haze=0.35), KEPT)
    assert (good.rating, mild.rating, marks_of(BLURRED, KEPT).rating) == (3, 2, 1)
    assert (good.label, good.keywords, good.worth_a_file) == (None, (), True)
    assert good.values["verdict"] == "good"
    silent = replace(DEFAULT_PROFILE, ratings={**DEFAULT_PROFILE.ratings, "good": 0})
    assert not marks_of(record("a.jpg"), silent).worth_a_file


@pytest.mark.parametrize("program", READERS)
def test_by_default_a_programs_order_is_good_mild_severe_rejected(program: Program) -> None:
    # Programs sort by stars with those without, and rejected ones, below one star.
    presets = SidecarOptions(xmp=True, program=program).presets()
    profile = to_profile(presets)
    stars = [
        marks_of(photo, profile).rating or 0
        for photo in (record("a.jpg"), record("a.jpg", haze=0.35), record("a.jpg", noise=0.9))
    ]
    assert stars == sorted(stars, reverse=True)
    assert len(set(stars)) == 3
    rejected = marks_of(record("a.jpg", noise=0.9), profile)
    assert (rejected.rating == -1) == (("photodefect", "rejected") not in rejected.keywords)


def test_rejects_are_told_by_a_keyword_unless_a_program_is_named() -> None:
    assert marks_of(BLURRED, DEFAULT_PROFILE).keywords[0] == ("photodefect", "rejected")
    presets = SidecarOptions(xmp=True, program="bridge").presets()
    assert marks_of(BLURRED, to_profile(presets)).label == "Select"
    assert marks_of(BLURRED, to_profile(presets)).rating == -1


def test_the_label_is_that_of_the_worst_defect_that_counts() -> None:
    labels = {
        "bad_exposure": "Yellow",
        "bad_white_balance": "Blue",
        "bad_saturation": "Blue",
        "noise": "Purple",
        "haze": "Yellow",
        "undesired_blur": "Red",
        "bad_composition": "Green",
    }
    for key in KEYS:
        others = {other: 0.4 for other in KEYS if other != key}
        assert (
            marks_of(record("a.jpg", **{**others, key: -0.9 if key == "bad_saturation" else 0.9}), KEPT).label
            == (labels[key])
        )
    ignoring = replace(DEFAULT_PROFILE, weights={**DEFAULT_PROFILE.weights, "undesired_blur": 0.0})
    assert marks_of(ignoring.judge(BLURRED), ignoring).label == "Purple"


def test_severities_have_three_decimals_and_their_sign() -> None:
    values = marks_of(record("a.jpg", bad_saturation=-0.61249, noise=0.00004), DEFAULT_PROFILE).values
    assert values["bad_saturation"] == "-0.612"
    assert values["noise"] == "0.000"
    assert list(values) == [*KEYS, "overall", "verdict"]


def test_colour_is_no_matter_in_a_monochrome_photo() -> None:
    marks = marks_of(record("a.jpg", monochrome=True, bad_saturation=-0.9, bad_white_balance=0.9), DEFAULT_PROFILE)
    assert (marks.rating, marks.label, marks.keywords) == (3, None, ())
    assert not {"bad_saturation", "bad_white_balance"} & set(marks.values)


def test_a_photo_that_failed_has_no_marks() -> None:
    assert marks_of(failure("a.jpg"), DEFAULT_PROFILE) == Marks()


def test_a_profile_says_which_stars_and_which_colours() -> None:
    own = replace(
        DEFAULT_PROFILE,
        ratings={"good": 4, "mild": 3, "severe": 0, "rejected": 0},
        labels={**DEFAULT_PROFILE.labels, "haze": "Gelb", "undesired_blur": ""},
    )
    assert marks_of(record("a.jpg"), own).rating == 4
    hazy = marks_of(record("a.jpg", haze=0.4), own)
    assert (hazy.rating, hazy.label) == (3, "Gelb")
    assert (marks_of(BLURRED, own).rating, marks_of(BLURRED, own).label) == (None, None)


def test_keywords_are_words_for_people() -> None:
    assert [keyword_of(key) for key in KEYS] == [
        "exposure",
        "white balance",
        "saturation",
        "noise",
        "haze",
        "blur",
        "composition",
    ]
