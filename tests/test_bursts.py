"""Bursts, brackets and panoramas."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from ranked import shot

from photodefect.photos.colour_spaces import encode, linear_from_pixels, pixels_from_encoded
from photodefect.ranking.bursts import ALIKE, Burst, find_bursts, keep_best, likeness_hash, unlikeness
from photodefect.records import Diagnosis

SAME = "0123456789abcdef"
NEAR = "0123456789abcdff"  # one bit away
OTHER = "fedcba9876543210"  # all 64 bits away


def groups(photos: list[Diagnosis], hashes: dict[str, str] | None = None, **options: float) -> list[tuple[str, str]]:
    """Kind and members' names of the bursts; photos look alike unless said otherwise."""
    likeness = {photo.path: SAME for photo in photos} | (hashes or {})
    found = find_bursts(photos, likeness, **options)
    return [(burst.kind, " ".join(photos[index].path for index in burst.members)) for burst in found]


def at(second: float) -> str:
    return f"2024-05-01T12:30:{second:06.3f}"


def test_photos_taken_in_quick_succession_that_look_alike_are_a_burst() -> None:
    photos = [shot("a", at(0)), shot("b", at(0.3)), shot("c", at(2.0)), shot("d", at(10)), shot("e", at(11))]
    assert groups(photos) == [("burst", "a b c"), ("burst", "d e")]


def test_the_clock_and_its_fractions_order_a_burst_and_files_order_equal_times() -> None:
    photos = [shot("a", at(1.5)), shot("b", at(1.25)), shot("c", at(1.0)), shot("d", at(1.25))]
    assert groups(photos) == [("burst", "c b d a")]


def test_the_pause_between_photos_may_be_chosen_and_starts_when_the_shutter_closes() -> None:
    photos = [shot("a", at(0)), shot("b", at(5))]
    assert groups(photos) == []
    assert groups(photos, gap_s=5.0) == [("burst", "a b")]
    assert groups([shot("a", at(0), shutter_s=4.0), shot("b", at(5))]) == [("burst", "a b")]


def test_photos_that_look_different_are_no_burst() -> None:
    photos = [shot("a", at(0)), shot("b", at(1)), shot("c", at(2))]
    assert groups(photos, {"b": OTHER}) == []
    assert groups(photos, {"b": NEAR, "c": OTHER}) == [("burst", "a b")]


def test_cameras_and_folders_are_kept_apart() -> None:
    assert groups([shot("a", at(0)), shot("b", at(0), camera="Y-2")]) == []
    assert groups([shot("x/a", at(0)), shot("y/b", at(0))]) == []


def test_without_times_neighbours_that_are_very_much_alike_are_a_burst() -> None:
    photos = [shot(name) for name in "abcd"]
    assert groups(photos, {"c": OTHER}) == [("burst", "a b")]
    ten_bits_away = f"{int(SAME, 16) ^ 0x3FF:016x}"
    assert groups(photos[:2], {"b": ten_bits_away}) == []
    assert groups([shot("a", at(0)), shot("b", at(1))], {"b": ten_bits_away}) == [("burst", "a b")]


def test_a_photo_with_a_damaged_time_or_that_could_not_be_measured_is_no_error() -> None:
    photos = [shot("a", "yesterday"), shot("b", at(1)), shot("c", at(1))]
    assert [burst.members for burst in find_bursts(photos, {"a": SAME, "c": SAME})] == []


def test_brackets_are_told_by_what_the_camera_says_however_different_they_look() -> None:
    photos = [shot(name, at(second), sequence="bracket") for second, name in enumerate("abc")]
    assert groups(photos, {"b": OTHER}) == [("bracket", "a b c")]
    assert groups([shot("a", at(0), exposure_mode="auto bracket"), shot("b", at(1), exposure_mode="auto bracket")]) == [
        ("bracket", "a b")
    ]


def test_brackets_are_told_by_compensation_and_by_steps_of_manual_exposure() -> None:
    biased = [
        shot(name, at(second), exposure_bias=bias) for name, second, bias in (("a", 0, 0), ("b", 1, -1), ("c", 2, 1))
    ]
    assert groups(biased) == [("bracket", "a b c")]
    times = (1 / 500, 1 / 125, 1 / 30)
    stepped = [
        shot(name, at(second), exposure_mode="manual", shutter_s=time, aperture=8.0, iso=100)
        for second, (name, time) in enumerate(zip("abc", times, strict=True))
    ]
    assert groups(stepped) == [("bracket", "a b c")]
    # Automatic exposure follows the light.
    followed = [
        shot(name, at(second), exposure_mode="auto", shutter_s=time, exposure_bias=0.0)
        for second, (name, time) in enumerate(zip("abc", times, strict=True))
    ]
    assert groups(followed) == [("burst", "a b c")]


def test_a_burst_before_a_bracket_is_a_group_of_its_own() -> None:
    photos = [shot("a", at(0)), shot("b", at(1))]
    photos += [shot(name, at(second), sequence="bracket") for second, name in enumerate("cde", start=2)]
    assert groups(photos) == [("burst", "a b"), ("bracket", "c d e")]


def test_panoramas_are_a_kind_of_their_own() -> None:
    photos = [shot(name, at(0), sequence="panorama") for name in "ab"]
    assert groups(photos) == [("panorama", "a b")]


def test_a_raw_photo_and_its_jpeg_are_no_burst_but_one_photo_of_it() -> None:
    assert groups([shot("a.cr2", at(0)), shot("a.jpg", at(0))]) == []
    photos = [shot("a.cr2", at(0)), shot("a.jpg", at(0)), shot("b.cr2", at(1)), shot("b.jpg", at(1))]
    (burst,) = find_bursts(photos, dict.fromkeys([photo.path for photo in photos], SAME))
    values = {0: (0.5,), 1: (0.1,), 2: (0.2,), 3: (0.3,)}
    assert keep_best([burst], photos, values, 1) == {2: 1, 3: 1}


def test_the_best_of_each_burst_are_kept_and_the_first_of_equals() -> None:
    photos = [shot(name) for name in "abcdef"]
    bursts = [Burst("burst", (0, 1, 2)), Burst("burst", (4, 5))]
    values = {0: (0.3, 0.0), 1: (0.1, 0.5), 2: (0.1, 0.5), 4: (0.2, 0.0)}
    assert keep_best(bursts, photos, values, 1) == {0: 1, 2: 1}
    assert keep_best(bursts, photos, values, 2) == {0: 1}
    assert keep_best(bursts, photos, values, 3) == {}


@pytest.mark.parametrize("kind", ["bracket", "panorama"])
def test_brackets_and_panoramas_are_thinned_only_if_told_to(kind: str) -> None:
    photos = [shot(name) for name in "ab"]
    burst = Burst(kind, (0, 1))  # type: ignore[arg-type]
    values = {0: (0.3,), 1: (0.1,)}
    assert keep_best([burst], photos, values, 1) == {}
    assert keep_best([burst], photos, values, 1, thin_sequences=True) == {0: 1}


@pytest.fixture(scope="module")
def thumbnails(samples: Path) -> list[np.ndarray]:
    images = []
    for file in sorted(samples.glob("*.jpg")):
        image = Image.open(file).convert("RGB")
        image.thumbnail((480, 480))
        images.append(np.asarray(image))
    return images


def test_real_photographs_stay_alike_when_exposed_shifted_or_compressed_otherwise(thumbnails: list[np.ndarray]) -> None:
    for pixels in thumbnails:
        own = likeness_hash(pixels)
        height, width = pixels.shape[:2]
        shifted = pixels[height // 30 :, width // 30 :]
        darker, brighter = (
            pixels_from_encoded(encode(linear_from_pixels(pixels) * np.float32(2.0**stops))) for stops in (-1.5, 0.7)
        )
        for other in (shifted, darker, brighter):
            assert unlikeness(own, likeness_hash(other)) <= ALIKE


def test_different_photographs_are_not_alike(thumbnails: list[np.ndarray]) -> None:
    hashes = [likeness_hash(pixels) for pixels in thumbnails]
    for number, first in enumerate(hashes):
        assert all(unlikeness(first, second) > ALIKE for second in hashes[:number])
