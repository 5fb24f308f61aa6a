"""Keepers: the best of each moment first, then spread over time and likeness."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from ranked import record, shot

from photodefect.ranking.hints.cast import Cast
from photodefect.ranking.hints.light import Light
from photodefect.ranking.hints.measurements import Measurements
from photodefect.ranking.hints.softness import Softness
from photodefect.ranking.overall import Limit
from photodefect.ranking.profiles.profile import DEFAULT_PROFILE
from photodefect.ranking.selection import Wishes, select
from photodefect.ranking.series.miniature import measure_miniature
from photodefect.records import Capture, Diagnosis


def unlike(number: int) -> str:
    """A photo in miniature that is like none of another number."""
    pixels = np.random.default_rng(number).integers(0, 256, (64, 96, 3), np.uint8)
    return measure_miniature(pixels, pixels)


UNLIKE = [unlike(number) for number in range(40)]


def measured(likeness: str) -> Measurements:
    fields = {
        kind: dict.fromkeys(kind.__dataclass_fields__, 0.0)  # type: ignore[attr-defined]
        for kind in (Light, Cast, Softness)
    }
    return Measurements(likeness, Light(**fields[Light]), Cast(**fields[Cast]), Softness(**fields[Softness]))  # type: ignore[arg-type]


def taken(path: str, time: str | None, noise: float = 0.0) -> Diagnosis:
    return record(path, capture=Capture(time=time, camera="X-1"), noise=noise)


def kept(photos: list[Diagnosis], count: int, looks: Mapping[str, str] | None = None) -> set[str]:
    likeness = looks or {photo.path: UNLIKE[index] for index, photo in enumerate(photos)}
    measurements = {path: measured(text) for path, text in likeness.items()}
    selection = select(photos, measurements, DEFAULT_PROFILE, Wishes(keep=count))
    assert len(selection.chosen) + len(selection.left_out) == len(photos)
    assert all(it.ranking and it.ranking.left_out == f"not among the {count} keepers" for it in selection.left_out)
    return {photo.path for photo in selection.chosen}


def test_each_moment_gives_its_best_photo() -> None:
    looks = {}
    photos = []
    for moment in range(3):
        for second in range(4):
            path = f"{moment}{second}.jpg"
            noise = 0.1 if second == moment else 0.4
            photos.append(taken(path, f"2024-05-01T1{moment}:00:{10 * second:02}", noise))
            looks[path] = UNLIKE[moment]
    assert kept(photos, 3, looks) == {"00.jpg", "11.jpg", "22.jpg"}


def test_keepers_of_equal_photos_are_spread_over_the_time() -> None:
    photos = [taken(f"{minute:02}.jpg", f"2024-05-01T12:{minute:02}:00") for minute in range(0, 60, 2)]
    found = sorted(int(path[:2]) for path in kept(photos, 4))
    # An hour by four: a quarter of an hour apart each.
    assert found == [0, 16, 32, 48]


def test_a_better_photo_is_taken_of_two_at_the_same_time() -> None:
    photos = [
        taken("a.jpg", "2024-05-01T12:00:00", 0.9),
        taken("b.jpg", "2024-05-01T12:00:01", 0.1),
        taken("c.jpg", "2024-05-01T14:00:00", 0.2),
        taken("d.jpg", "2024-05-01T14:00:01", 0.8),
    ]
    assert kept(photos, 2) == {"b.jpg", "c.jpg"}


def test_where_no_photo_is_left_none_is_kept() -> None:
    photos = [taken(f"{number}.jpg", None) for number in range(3)]
    known = {photo.path: measured(UNLIKE[0]) for photo in photos}
    selection = select(photos, known, DEFAULT_PROFILE, Wishes(keep=2, limits=(Limit("haze", 0.9, upper=False),)))
    assert not selection.chosen
    assert len(selection.left_out) == 3


def test_without_times_likeness_alone_spreads_them() -> None:
    photos = [taken(f"{number}.jpg", None, number / 100) for number in range(6)]
    looks = {photo.path: UNLIKE[index % 3] for index, photo in enumerate(photos)}
    assert kept(photos, 3, looks) == {"0.jpg", "1.jpg", "2.jpg"}


def test_when_moments_are_used_up_the_others_follow() -> None:
    photos = [taken(f"{second}.jpg", f"2024-05-01T12:00:0{second}", second / 10) for second in range(5)]
    looks = dict.fromkeys((photo.path for photo in photos), UNLIKE[0])
    assert "0.jpg" in kept(photos, 3, looks)
    assert len(kept(photos, 3, looks)) == 3
    assert len(kept(photos, 9, looks)) == 5


def test_a_bracket_is_kept_whole_and_counts_as_one() -> None:
    bracket = [shot(f"b{step}.jpg", f"2024-05-01T12:00:0{step}", exposure_mode="auto bracket") for step in range(3)]
    photos = [
        *bracket,
        taken("later.jpg", "2024-05-01T18:00:00", 0.1),
        taken("between.jpg", "2024-05-01T12:01:00", 0.6),
    ]
    assert kept(photos, 2) == {"b0.jpg", "b1.jpg", "b2.jpg", "later.jpg"}


@pytest.mark.parametrize("count", [1, 2])
def test_a_raw_photo_and_its_jpeg_count_as_one(count: int) -> None:
    photos = [
        taken("a.cr2", "2024-05-01T12:00:00"),
        taken("a.jpg", "2024-05-01T12:00:00"),
        taken("b.jpg", "2024-05-01T13:00:00", 0.5),
    ]
    assert kept(photos, count) == {"a.cr2", "a.jpg", *(["b.jpg"] if count == 2 else [])}
