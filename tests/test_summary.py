"""The summary of a folder."""

from __future__ import annotations

import io
import json

from ranked import failure, record

from photodefect.ranking.profiles.profile import DEFAULT_PROFILE, Profile
from photodefect.ranking.summary import FolderSummary, summarize
from photodefect.records import Capture
from photodefect.reports.folder_summary import write_summary

PHOTOS = [
    record("d/a.jpg", noise=0.3, bad_saturation=-0.9, capture=Capture(camera="X", iso=100)),
    record("d/b.jpg", noise=0.75, capture=Capture(camera="X", iso=200)),
    record("d/sub/c.jpg", noise=1.0, bad_saturation=0.4, capture=Capture(camera="A", iso=6400)),
    record("d/sub/e.jpg", monochrome=True, bad_saturation=-1.0, noise=0.3),
    failure("d/f.jpg"),
]


def summary(root: str = "d") -> FolderSummary:
    return summarize(PHOTOS, DEFAULT_PROFILE, root)


def test_photos_are_counted_by_verdict_and_by_defect_and_grade() -> None:
    result = summary()
    assert (result.photos, result.failed) == (4, 1)
    assert result.verdicts == {"good": 0, "mild": 1, "severe": 3}
    defects = {it.defect: it for it in result.defects}
    assert defects["noise"].grades == {"good": 0, "mild": 2, "severe": 2}
    assert defects["haze"].grades == {"good": 4, "mild": 0, "severe": 0}
    assert (defects["noise"].too_little, defects["noise"].not_applicable) == (None, 0)
    saturation = defects["bad_saturation"]
    assert (saturation.too_little, saturation.too_much, saturation.not_applicable) == (1, 1, 1)
    assert saturation.grades == {"good": 1, "mild": 1, "severe": 1}


def test_histograms_have_steps_of_a_tenth_and_their_ends_belong_to_them() -> None:
    defects = {it.defect: it for it in summary().defects}
    # 0.3 twice, 0.75, and 1 in the last step.
    assert defects["noise"].histogram == (0, 0, 0, 2, 0, 0, 0, 1, 0, 1)
    saturation = [0] * 20
    for step in (1, 10, 14):  # -0.9, 0 and 0.4
        saturation[step] = 1
    assert list(defects["bad_saturation"].histogram) == saturation
    assert sum(summary().overall) == 4


def test_the_worst_photos_are_named_by_the_size_of_the_defect() -> None:
    defects = {it.defect: it for it in summary().defects}
    assert defects["noise"].worst == (
        ("d/sub/c.jpg", 1.0),
        ("d/b.jpg", 0.75),
        ("d/a.jpg", 0.3),
        ("d/sub/e.jpg", 0.3),
    )
    assert defects["bad_saturation"].worst == (("d/a.jpg", -0.9), ("d/sub/c.jpg", 0.4))
    assert defects["haze"].worst == ()


def test_groups_are_sub_folders_cameras_and_iso_speeds_in_order() -> None:
    result = summary()
    assert [(group.name, group.photos) for group in result.by_folder] == [(".", 2), ("sub", 2)]
    assert [(group.name, group.photos) for group in result.by_camera] == [("A", 1), ("X", 2), ("unknown", 1)]
    assert [(group.name, group.photos) for group in result.by_iso] == [
        ("up to 200", 2),
        ("3201-12800", 1),
        ("unknown", 1),
    ]
    x = result.by_camera[1]
    assert x.verdicts == {"good": 0, "mild": 0, "severe": 2}
    assert x.commonest == "noise"
    assert x.overall == round(sum(DEFAULT_PROFILE.overall(it) for it in PHOTOS[:2]) / 2, 6)


def test_an_ignored_defect_is_nobodys_commonest() -> None:
    profile = Profile(weights=dict(DEFAULT_PROFILE.weights) | {"noise": 0.0})
    result = summarize([profile.judge(it) for it in PHOTOS], profile, "d")
    assert [group.commonest for group in result.by_camera] == ["bad_saturation", "bad_saturation", None]


def test_an_empty_folder_has_a_summary() -> None:
    result = summarize([failure("a")], DEFAULT_PROFILE)
    assert (result.photos, result.failed, result.by_camera) == (0, 1, ())


def test_the_summary_is_plain_json() -> None:
    values = json.loads(json.dumps(summary().to_dict()))
    assert values["defects"][3]["defect"] == "noise"
    assert values["by_iso"][0]["name"] == "up to 200"


def test_the_summary_for_people_names_everything_within_100_columns() -> None:
    stream = io.StringIO()
    write_summary(stream, summary())
    text = stream.getvalue()
    assert all(len(line) <= 100 for line in text.splitlines())
    assert "4 photos: 0 good, 1 mild, 3 severe" in text
    assert "1 more could not be diagnosed" in text
    assert "-0.90  d/a.jpg" in text
    for heading in ("defect", "sub-folder", "camera", "ISO"):
        assert heading in text


def test_hostile_names_do_not_reach_the_terminal_raw() -> None:
    stream = io.StringIO()
    photos = [record("x\x1b[2J/a.jpg", noise=0.9, capture=Capture(camera=name)) for name in ("\x1b[31m", "[bold]B")]
    write_summary(stream, summarize(photos, DEFAULT_PROFILE))
    assert "\x1b" not in stream.getvalue()
    assert "[bold]B" in stream.getvalue()
