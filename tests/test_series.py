"""Bursts, and sets of which every photo is needed."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from ranked import record, shot
from scenes import blurred, clock, exposed, focused, found, miniature, product, taken, view

from photodefect.photos.names import natural_key
from photodefect.ranking.series.best import keep_best, order_bursts, sharpness
from photodefect.ranking.series.find import find_series
from photodefect.ranking.series.intervals import timed
from photodefect.ranking.series.kinds import Series
from photodefect.ranking.series.likeness import FAR, compare, correlation
from photodefect.ranking.series.miniature import SIDE, read_miniatures
from photodefect.ranking.series.pixel_shift import offset
from photodefect.records import Capture, Diagnosis

SCENES = ("city", "lake-sherburne", "roman-colosseum", "dog", "guitar")


def load(samples: Path, name: str) -> Image.Image:
    image = Image.open(samples / f"{name}.jpg").convert("RGB")
    image.thumbnail((900, 900))
    return image


@pytest.fixture(scope="module")
def scenes(samples: Path) -> list[Image.Image]:
    return [load(samples, name) for name in SCENES]


@pytest.fixture(scope="module")
def city(scenes: list[Image.Image]) -> Image.Image:
    return scenes[0]


@pytest.fixture(scope="module")
def same(city: Image.Image) -> str:
    return miniature(city)


@pytest.fixture(scope="module")
def other(scenes: list[Image.Image]) -> str:
    return miniature(scenes[3])


def alike(photos: list[Diagnosis], text: str, **options: float) -> list[tuple[str, str]]:
    """Series among photos that look alike."""
    return found(photos, [text] * len(photos), **options)


def hand_held(image: Image.Image, count: int, most: float = 0.012) -> list[Image.Image]:
    random = np.random.default_rng(count)
    return [view(image, *(0.06 + random.uniform(-most, most, 2))) for _ in range(count)]


# Order


def test_numbers_in_names_count_as_numbers_whatever_their_digits() -> None:
    names = ["frame10", "frame9", "frame1", "frame02", "Frame1", "frame1b", "frame01", "x"]
    assert sorted(names, key=natural_key) == [
        "Frame1",
        "frame01",
        "frame1",
        "frame1b",
        "frame02",
        "frame9",
        "frame10",
        "x",
    ]
    long = "9" * 5000
    assert natural_key(f"a{long}") < natural_key(f"a1{long}")


@pytest.mark.parametrize("time", [None, clock(0)])
def test_photos_whose_numbers_are_not_padded_follow_one_another(scenes: list[Image.Image], time: str | None) -> None:
    names = sorted(f"frame{number}.jpg" for number in range(1, 25))
    assert names[1] == "frame10.jpg"
    views = {f"frame{number}.jpg": view(scenes[1], 0.005 * number) for number in range(1, 25)}
    series = found([shot(name, time) for name in names], [miniature(views[name]) for name in names])
    assert series == [("burst", " ".join(f"frame{number}" for number in range(1, 25)))]


def test_the_clock_and_its_fractions_order_a_burst_and_names_order_equal_times(same: str) -> None:
    photos = [shot("a", clock(1.5)), shot("b", clock(1.25)), shot("c", clock(1)), shot("d", clock(1.25))]
    assert alike(photos, same) == [("burst", "c b d a")]


# Bursts


def test_photos_taken_in_quick_succession_that_look_alike_are_a_burst(same: str) -> None:
    photos = [shot(name, clock(second)) for name, second in zip("abcde", (0, 0.3, 2, 10.1, 11.5), strict=True)]
    assert alike(photos, same) == [("burst", "a b c"), ("burst", "d e")]


def test_the_pause_between_photos_may_be_chosen_and_starts_when_the_shutter_closes(same: str) -> None:
    photos = [shot("a", clock(0)), shot("b", clock(5))]
    assert alike(photos, same) == []
    assert alike(photos, same, gap_s=5.0) == [("burst", "a b")]
    assert alike([shot("a", clock(0), shutter_s=4.0), shot("b", clock(5))], same) == [("burst", "a b")]


def test_photos_that_look_different_are_no_burst(same: str, other: str) -> None:
    photos = [shot("a", clock(0)), shot("b", clock(1)), shot("c", clock(2))]
    assert found(photos, [same, other, same]) == []
    assert found(photos, [same, same, other]) == [("burst", "a b")]


def test_cameras_and_folders_are_kept_apart(same: str) -> None:
    assert alike([shot("a", clock(0)), shot("b", clock(0), camera="Y-2")], same) == []
    assert alike([shot("x/a", clock(0)), shot("y/b", clock(0))], same) == []


def test_without_times_neighbours_by_name_that_are_alike_are_a_burst(same: str, other: str) -> None:
    photos = [shot(name) for name in "abcd"]
    assert found(photos, [same, same, other, same]) == [("burst", "a b")]
    # A neighbour that couldn't be measured, or has a time, is between them all the same.
    assert [one.members for one in find_series(photos[:3], {"a": same, "c": same})] == []
    assert found([shot("a"), shot("b", clock(0)), shot("c")], [same] * 3) == []


def test_a_photo_with_a_damaged_time_is_no_error(same: str) -> None:
    assert alike([shot("a", "yesterday"), shot("b", clock(1))], same) == []


def test_hand_held_bursts_stay_together(scenes: list[Image.Image]) -> None:
    for scene in scenes:
        images = [exposed(image, stops) for image, stops in zip(hand_held(scene, 4), (0, 0.2, -0.2, 0), strict=True)]
        assert taken(images, (0, 0.7, 1.6, 2.9)) == [("burst", "a b c d")]


def test_different_photographs_are_not_alike(scenes: list[Image.Image]) -> None:
    assert taken(scenes, (0, 0.2, 0.4, 0.6, 0.8)) == []


def test_two_products_photographed_one_after_the_other_are_no_burst() -> None:
    red, blue, brown = (190, 30, 30), (30, 30, 190), (120, 80, 50)
    for first, second in (
        (product(red), product(blue)),
        (product(red), product(brown)),
        (product(red), product(red, "disc")),
        (product((60, 60, 60)), product((160, 160, 160))),
        (product(blue, "disc"), product(red, "disc", 4)),
    ):
        assert taken([first, second], (0, 2)) == []
        assert taken([first, second], (None, None)) == []
    assert taken([product(red), product(red, across=5)], (0, 2)) == [("burst", "a b")]


def test_what_moves_within_a_second_is_one_scene_and_what_the_camera_calls_a_burst_too(city: Image.Image) -> None:
    frames = []
    for across in (0.1, 0.25, 0.4):
        frame = city.copy()
        width, height = frame.size
        place = round(across * width), round(0.4 * height)
        frame.paste((200, 20, 20), (*place, place[0] + width // 5, place[1] + height // 3))
        frames.append(frame)
    assert taken(frames, (0, 0.3, 0.6)) == [("burst", "a b c")]
    assert taken(frames, (0, 2, 3.9)) == []
    # A clock of whole seconds tells, by how many there are in one.
    assert taken(frames, (0, 0, 1)) == [("burst", "a b c")]
    wholly_different = [view(city, 0, 0, 0.3), view(city, 0.6, 0.6, 0.3)]
    assert taken(wholly_different, (0, 0.5)) == []
    assert taken(wholly_different, (0, 0.5), drive="continuous") == [("burst", "a b")]
    assert taken(wholly_different, (0, 0.5), sequence="burst") == [("burst", "a b")]
    assert taken(wholly_different, (0, 1.9), drive="continuous") == []


def test_a_camera_that_sees_all_around_makes_no_panorama(scenes: list[Image.Image]) -> None:
    sphere = scenes[1].resize((640, 320))
    turned = [Image.fromarray(np.roll(np.asarray(sphere), 100 * turn, axis=1)) for turn in range(3)]
    photos = [
        Diagnosis(name, 640, 320, capture=Capture(time=clock(4 * second), camera="T-1", sequence=sequence))
        for second, name in enumerate("abc")
        for sequence in ["panorama"]
    ]
    assert found(photos, [miniature(image) for image in turned]) == []
    photos = [shot(name, clock(second), sequence="panorama") for second, name in enumerate("abc")]
    assert alike(photos, miniature(sphere)) == [("burst", "a b c")]


def test_a_raw_photo_and_its_jpeg_are_no_burst_but_one_photo_of_it(same: str) -> None:
    assert alike([shot("a.cr2", clock(0)), shot("a.jpg", clock(0))], same) == []
    photos = [shot("a.cr2", clock(0)), shot("a.jpg", clock(0)), shot("b.cr2", clock(1)), shot("b.jpg", clock(1))]
    miniatures = {photo.path: same for photo in photos}
    (burst,) = series = find_series(photos, miniatures)
    assert burst.members == (0, 1, 2, 3)
    values = {0: (0.5,), 1: (0.1,), 2: (0.2,), 3: (0.3,)}
    orders = order_bursts(series, photos, miniatures, values)
    assert keep_best(series, orders, photos, 1) == {2: 1, 3: 1}


# Brackets


def test_brackets_are_told_by_what_the_camera_says_however_different_they_look(same: str, other: str) -> None:
    for tag in ({"sequence": "bracket"}, {"exposure_mode": "auto bracket"}):
        photos = [shot(name, clock(second), **tag) for second, name in enumerate("abc")]
        assert found(photos, [same, other, same]) == [("bracket", "a b c")]


def test_brackets_are_told_by_compensation_and_by_exposure_also_seconds_apart(scenes: list[Image.Image]) -> None:
    stops = (0, -2, 2)
    biases = [{"exposure_bias": float(ev)} for ev in stops]
    shutters = [{"shutter_s": 2.0**ev / 100} for ev in stops]
    isos = [{"iso": round(400 * 2.0**ev)} for ev in stops]
    for scene in scenes:
        images = [exposed(image, ev) for image, ev in zip(hand_held(scene, 3, 0.004), stops, strict=True)]
        for times in ((0, 1, 2), (0, 5, 12)):
            assert taken(images, times, *biases) == [("bracket", "a b c")]
            assert taken(images, times, *shutters, aperture=8.0, iso=100) == [("bracket", "a b c")]
            assert taken(images, times, *isos, shutter_s=0.01, exposure_mode="manual") == [("bracket", "a b c")]
            # Nothing says how they were exposed, but it is seen.
            assert taken(images, times) == [("bracket", "a b c")]
        assert taken(images, (0, 20, 40), *biases) == []


def test_manual_exposure_with_automatic_iso_speed_is_a_burst(scenes: list[Image.Image]) -> None:
    isos = [{"iso": iso} for iso in (800, 1000, 1250, 1600, 1600, 2000)]
    manual = {"exposure_mode": "manual", "shutter_s": 1 / 2000, "aperture": 5.6}
    for scene in scenes:
        times = [number / 10 for number in range(6)]
        assert taken(hand_held(scene, 6), times, *isos, **manual) == [("burst", "a b c d e f")]


def test_automatic_exposure_that_follows_the_light_is_a_burst(city: Image.Image) -> None:
    shutters = [{"shutter_s": time} for time in (1 / 500, 1 / 125, 1 / 30)]
    assert taken(hand_held(city, 3), (0, 1, 2), *shutters, exposure_bias=0.0) == [("burst", "a b c")]


def test_a_burst_before_a_bracket_is_a_group_of_its_own_and_so_is_the_next_bracket(city: Image.Image) -> None:
    stops = (0, 0, 0, -1, 1, 0, -1, 1)
    images = [exposed(image, ev) for image, ev in zip(hand_held(city, 8, 0.003), stops, strict=True)]
    times = (0, 0.5, 1.5, 2.5, 3.5, 8.5, 9.5, 10.5)
    tags = [
        {"sequence": "bracket" if index > 1 else None, "exposure_bias": float(ev)} for index, ev in enumerate(stops)
    ]
    assert taken(images, times, *tags) == [("burst", "a b"), ("bracket", "c d e"), ("bracket", "f g h")]


def test_compensation_changed_between_two_bursts_makes_no_bracket_of_both(city: Image.Image) -> None:
    tags = [{"exposure_bias": bias} for bias in (0.0, 0.0, -0.7, -0.7)]
    assert taken(hand_held(city, 4), (0, 0.5, 1.5, 2), *tags) == [("burst", "a b c d")]
    assert taken(hand_held(city, 2), (0, 0.5), *tags[1:3]) == [("bracket", "a b")]


# Stacks, panoramas, timers


def test_a_focus_stack_is_told_by_the_sharp_place_that_wanders(scenes: list[Image.Image]) -> None:
    for scene in scenes:
        stack = [focused(view(scene), depth) for depth in (0, 0.2, 0.4, 0.6, 0.8, 1)]
        assert taken(stack, [number / 10 for number in range(6)]) == [("focus stack", "a b c d e f")]
        assert taken(stack, [7 * number + number % 3 for number in range(6)]) == [("focus stack", "a b c d e f")]


def test_blur_that_comes_and_goes_is_no_focus_stack(scenes: list[Image.Image]) -> None:
    for scene in scenes:
        burst = [blurred(image, radius) for image, radius in zip(hand_held(scene, 5), (1, 3, 0, 2, 4), strict=True)]
        assert taken(burst, [number / 10 for number in range(5)]) == [("burst", "a b c d e")]


def test_a_panorama_is_told_by_photos_that_overlap_on_one_side(samples: Path) -> None:
    wide = Image.open(samples / "lake-sherburne.jpg").convert("RGB").resize((1800, 700))
    parts = [wide.crop((left, 20, left + 700, 620)) for left in (0, 350, 720, 1090)]
    assert taken(parts, (0, 3, 7, 11)) == [("panorama", "a b c d")]
    assert taken(parts, [None] * 4) == [("panorama", "a b c d")]
    assert taken(parts[::-1], (0, 3, 7, 11)) == [("panorama", "a b c d")]
    assert taken(parts, (0, 0.1, 0.2, 0.3)) == []  # a camera that follows something
    assert taken(parts[:2], (0, 3)) == []
    assert taken(parts[:2], (0, 3), sequence="panorama") == [("panorama", "a b")]
    assert taken([parts[0], parts[1], parts[0]], (0, 3, 6)) == []


def test_long_exposures_of_the_night_one_after_the_other_are_a_star_series(city: Image.Image) -> None:
    night = [exposed(view(city), -3)] * 4
    settings = {"shutter_s": 30.0, "aperture": 2.8, "iso": 3200}
    assert taken(night, (0, 31, 62, 93), **settings) == [("star series", "a b c d")]
    # The camera subtracts its noise after each.
    assert taken(night, (0, 61, 122, 183), **settings) == [("star series", "a b c d")]
    # By day it is a waterfall with a dark filter, and after a while another night's subject.
    assert taken(night, (0, 31, 62, 93), shutter_s=30.0, aperture=16.0, iso=100) == [("burst", "a b c d")]
    assert taken(night, (0, 100, 400, 1000), **settings) == []


def test_equal_intervals_from_a_tripod_are_a_time_lapse(city: Image.Image) -> None:
    tripod = [exposed(view(city), stops) for stops in (0, 0.1, 0, -0.1, 0.1, 0, 0, 0.1)]
    assert taken(tripod, [2 * number for number in range(8)]) == [("time lapse", "a b c d e f g h")]
    assert taken(tripod, [300 * number for number in range(8)]) == [("time lapse", "a b c d e f g h")]
    assert taken(tripod, [0.5 + 1.4 * number for number in range(8)]) == [("burst", "a b c d e f g h")]
    assert taken(tripod[:4], (0, 2, 4, 6)) == [("burst", "a b c d")]
    assert taken(tripod[:5], (0, 2, 4, 6, 8), sequence="burst") == [("burst", "a b c d e")]


def test_a_timer_is_told_from_a_finger() -> None:
    def of(*lengths: float, whole: bool = True) -> int:
        return len(timed(lengths, [whole] * len(lengths)))

    assert of(2, 2, 2, 2) == 4
    assert of(2, 2, 2) == 0
    assert of(1, 1, 1, 1) == 0
    assert of(*[1] * 9) == 9
    assert of(2, 3, 2, 2, 3) == 0
    assert of(*[2, 3, 2] * 3) == 9
    assert of(5.1, 5.0, 4.95, 5.05, whole=False) == 4
    assert of(5.5, 5.0, 4.6, 5.05, whole=False) == 0
    assert of(0.1, 0.1, 0.1, 0.1, 0.1, whole=False) == 0
    assert of(7, 2, 2, 2, 2, 9) == 4
    assert timed([None, 3.0, 3.0, 3.0, 3.0, None], [True] * 6) == {1, 2, 3, 4}


def test_pixel_shift_is_told_by_shifts_of_whole_pixels(samples: Path) -> None:
    image = Image.open(samples / "city.jpg").convert("RGB")
    sensor = [
        image.crop((10 + right, 10 + down, 650 + right, 490 + down)) for right, down in ((0, 0), (1, 0), (1, 1), (0, 1))
    ]
    settings = {"shutter_s": 0.01, "aperture": 8.0, "iso": 100}
    assert taken(sensor, (0, 1, 2.1, 3), **settings) == [("pixel shift", "a b c d")]
    assert taken([sensor[0]] * 4, (0, 1, 2.1, 3), **settings) == [("burst", "a b c d")]
    assert taken(sensor[:3], (0, 1, 2.1), **settings) == [("burst", "a b c")]
    # A hand moves by any distance.
    sub_pixel = [
        image.transform((640, 480), Image.Transform.AFFINE, (1, 0, 10 + x, 0, 1, 10 + y), Image.Resampling.BICUBIC)
        for x, y in ((0, 0), (1.3, 0.3), (0.7, 1.2), (0.3, 0.8))
    ]
    assert taken(sub_pixel, (0, 1, 2.1, 3), **settings) == [("burst", "a b c d")]
    profiles = read_miniatures([miniature(part) for part in sub_pixel]).profiles
    for profile, (x, y) in zip(profiles[1:], ((1.3, 0.3), (0.7, 1.2), (0.3, 0.8)), strict=True):
        assert offset(profiles[0], profile) == pytest.approx((-y, -x), abs=0.15)


# Likeness


def test_correlation_is_that_of_numpy_at_every_shift() -> None:
    random = np.random.default_rng(0)
    first, second = random.normal(0, 50, (2, 1, 8, 8)).astype(np.float32)
    scores = correlation(first, second, 3)[0]
    for down, across in ((0, 0), (2, -3), (-3, 1), (3, 3)):
        one = first[0, max(0, -down) : 8 - max(0, down), max(0, -across) : 8 - max(0, across)]
        other = second[0, max(0, down) : 8 + min(0, down), max(0, across) : 8 + min(0, across)]
        expected = np.corrcoef(one.ravel(), other.ravel())[0, 1]
        assert scores[3 + down, 3 + across] == pytest.approx(expected, abs=2e-3)


def test_shift_brightness_and_colour_are_measured(scenes: list[Image.Image]) -> None:
    for scene in scenes:
        first = view(scene, 0.05, 0.05, 0.8)
        moved = view(scene, 0.05 + 0.8 * 4 / SIDE, 0.05 + 0.8 * 2 / SIDE, 0.8)
        pair = read_miniatures([miniature(first), miniature(exposed(moved, -1))])
        likeness = compare(pair[[0]], pair[[1]])
        assert likeness.shift.tolist() == [[-2, -4]]
        assert likeness.structure[0] > 0.7
        assert likeness.brightness[0] == pytest.approx(-1, abs=0.25)
    red, blue = (miniature(product(colour)) for colour in ((190, 30, 30), (30, 30, 190)))
    pair = read_miniatures([red, blue])
    assert compare(pair[[0]], pair[[1]]).colours[0] > 50
    assert len(compare(pair[[]], pair[[]], FAR).structure) == 0


def test_a_miniature_of_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match="no photos in miniature"):
        read_miniatures(["AAAA"])


@pytest.mark.parametrize("size", [(1, 1), (17, 400), (97, 20), (300, 200)])
def test_a_photo_of_any_size_has_a_miniature(size: tuple[int, int]) -> None:
    seen = read_miniatures([miniature(Image.new("RGB", size, (10, 200, 30)))])
    assert len(seen) == 1
    assert np.isfinite(seen.luma).all()
    assert not seen.detail.any()


# The best


def test_the_sharpest_of_a_burst_is_told_at_the_same_places(scenes: list[Image.Image]) -> None:
    radii = (2.0, 0.0, 1.0, 0.5, 3.0)
    for scene in scenes:
        views = hand_held(scene, 5, 0.03)
        values = sharpness(
            read_miniatures([miniature(blurred(it, radius)) for it, radius in zip(views, radii, strict=True)])
        )
        order = sorted(range(5), key=lambda index: radii[index])
        assert all(values[sharper] > values[softer] for sharper, softer in pairwise(order))


def test_what_comes_into_view_does_not_count_as_sharpness() -> None:
    plain = np.full((480, 960, 3), 120, np.uint8)
    rows, columns = np.mgrid[0:480, 0:960]
    texture = 40 * np.sin(columns / 7) * np.cos(rows / 9)
    fine = np.where(columns < 200, 60 * ((rows + columns) % 2), 0)
    scene = Image.fromarray((plain + (texture + fine)[..., None]).clip(0, 255).astype(np.uint8))
    with_edge, without_edge = scene.crop((100, 0, 740, 480)), scene.crop((260, 0, 900, 480))
    seen = read_miniatures([miniature(blurred(with_edge, 0.7)), miniature(without_edge)])
    assert seen.detail[0].max() > seen.detail[1].max()
    soft, sharp = sharpness(seen)
    assert sharp > soft


def test_of_a_burst_the_sharpest_is_the_best_among_equals(city: Image.Image) -> None:
    photos = [shot(name) for name in "abcd"]
    burst = Series("burst", (0, 1, 2, 3))
    images = [blurred(image, radius) for image, radius in zip(hand_held(city, 4), (2, 1, 0, 0), strict=True)]
    miniatures = {photo.path: miniature(image) for photo, image in zip(photos, images, strict=True)}
    values = {0: (0.10, 0.0), 1: (0.12, 0.0), 2: (0.14, 0.0), 3: (0.30, 0.0)}
    assert order_bursts([burst], photos, miniatures, values) == [[2, 1, 0, 3]]
    # In other sets photos differ on purpose.
    assert order_bursts([Series("focus stack", burst.members)], photos, miniatures, values) == [[0, 1, 2, 3]]
    assert order_bursts([burst], photos, {}, values) == [[0, 1, 2, 3]]


def test_the_best_of_each_burst_are_kept_and_the_first_of_equals(same: str) -> None:
    photos = [shot(name) for name in "abcdef"]
    series = [Series("burst", (0, 1, 2)), Series("burst", (4, 5))]
    values = {0: (0.3, 0.0), 1: (0.1, 0.5), 2: (0.1, 0.5), 4: (0.2, 0.0)}
    orders = order_bursts(series, photos, dict.fromkeys("abcdef", same), values)
    assert orders == [[1, 2, 0], [4]]
    assert keep_best(series, orders, photos, 1) == {0: 1, 2: 1}
    assert keep_best(series, orders, photos, 2) == {0: 1}
    assert keep_best(series, orders, photos, 3) == {}


@pytest.mark.parametrize("kind", ["bracket", "pixel shift", "star series", "focus stack", "time lapse", "panorama"])
def test_sets_of_which_every_photo_is_needed_are_thinned_only_if_told_to(kind: str) -> None:
    photos = [record(name) for name in "ab"]
    series = [Series(kind, (0, 1))]  # type: ignore[arg-type]
    assert keep_best(series, [[1, 0]], photos, 1) == {}
    assert keep_best(series, [[1, 0]], photos, 1, thin_sequences=True) == {0: 1}
