"""Degrading a photograph: what is promised of pixels and labels."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from photodefect.defects import DEFECTS, IN_PLANE, KEYS
from photodefect.photos.colour_spaces import lab
from photodefect.synthesis import white_balance
from photodefect.synthesis.degrade import degrade
from photodefect.synthesis.severities import draw_severities


@pytest.fixture(scope="module")
def photo(samples: Path) -> NDArray[np.uint8]:
    with Image.open(samples / "canyon-wren.jpg") as image:
        image.thumbnail((320, 320))
        return np.asarray(image.convert("RGB"))


def test_without_defects_and_camera_the_photo_comes_back_untouched(photo: NDArray[np.uint8]) -> None:
    degraded = degrade(photo, {}, np.random.default_rng(0), camera=False)
    assert np.array_equal(degraded.pixels, photo)
    assert degraded.severities == dict.fromkeys(KEYS, 0.0)


def test_the_same_seed_gives_the_same_picture_and_another_seed_another(photo: NDArray[np.uint8]) -> None:
    wanted = dict.fromkeys(KEYS, 0.4)
    one, same, other = (degrade(photo, wanted, np.random.default_rng(seed)) for seed in (7, 7, 8))
    assert np.array_equal(one.pixels, same.pixels)
    assert one.severities == same.severities
    assert one.pixels.shape != other.pixels.shape or not np.array_equal(one.pixels, other.pixels)


def test_the_photo_itself_is_not_written_to(photo: NDArray[np.uint8]) -> None:
    before = photo.copy()
    for seed in range(5):
        degrade(photo, dict.fromkeys(KEYS, 0.6), np.random.default_rng(seed))
    assert np.array_equal(photo, before)


@given(seed=st.integers(0, 2**32), rebalanced=st.booleans(), camera=st.booleans())
@settings(max_examples=40)
def test_any_draw_gives_a_picture_and_labels_in_range(seed: int, rebalanced: bool, camera: bool) -> None:
    rng = np.random.default_rng(seed)
    shape = (int(rng.integers(32, 150)), int(rng.integers(32, 150)))
    base = np.linspace(0, 255, shape[0] * shape[1] * 3).reshape(*shape, 3)
    pixels = ((base + rng.integers(0, 256, (1, 1, 3))) % 256).astype(np.uint8)
    degraded = degrade(pixels, draw_severities(rng, rebalanced=rebalanced), rng, camera=camera)
    assert degraded.pixels.dtype == np.uint8
    assert degraded.pixels.flags.c_contiguous
    assert degraded.pixels.ndim == 3
    assert degraded.pixels.shape[2] == 3
    assert degraded.pixels.shape[0] <= shape[0]
    assert degraded.pixels.shape[1] <= shape[1]
    assert tuple(degraded.severities) == KEYS
    for defect in DEFECTS:
        severity = degraded.severities[defect.key]
        assert math.isnan(severity) or defect.lowest <= severity <= 1


def test_labels_are_never_raised_but_for_noise_of_underexposure(photo: NDArray[np.uint8]) -> None:
    for seed in range(12):
        wanted = draw_severities(np.random.default_rng(seed), rebalanced=True)
        labels = degrade(photo, wanted, np.random.default_rng(seed)).severities
        for key in KEYS:
            if key != "noise" and not math.isnan(labels[key]):
                assert abs(labels[key]) <= abs(wanted[key]) + 1e-6


def test_a_camera_touches_clean_photographs_too_but_never_their_labels(photo: NDArray[np.uint8]) -> None:
    for seed in range(8):
        degraded = degrade(photo, {}, np.random.default_rng(seed))
        assert degraded.severities == dict.fromkeys(KEYS, 0.0)
        small = np.asarray(Image.fromarray(degraded.pixels).resize((64, 64)).convert("L")).astype(float)
        start = np.asarray(Image.fromarray(photo).resize((64, 64)).convert("L")).astype(float)
        # The picture is still the same one, neither dark nor blown.
        assert np.corrcoef(small.ravel(), start.ravel())[0, 1] > 0.7
        assert abs(small.mean() - start.mean()) < 40


def test_cameras_differ_from_photo_to_photo(photo: NDArray[np.uint8]) -> None:
    shapes = {degrade(photo, {}, np.random.default_rng(seed)).pixels.shape for seed in range(12)}
    assert len(shapes) > 4


@pytest.mark.parametrize("tone", [(1.0, 1.0, 1.0), (1.0, 0.86, 0.67)])
def test_a_monochrome_photo_is_labelled_so_and_has_no_white_balance(
    photo: NDArray[np.uint8], tone: tuple[float, float, float]
) -> None:
    grey = np.asarray(Image.fromarray(photo).convert("L")).astype(float)[..., None]
    monochrome = (grey * np.array(tone)).round().astype(np.uint8)
    labels = degrade(monochrome, {"bad_saturation": 0.5, "noise": 0.4}, np.random.default_rng(0)).severities
    assert labels["bad_saturation"] == -1
    assert math.isnan(labels["bad_white_balance"])
    assert labels["noise"] == pytest.approx(0.4)


def test_a_cast_has_no_label_where_all_colour_is_taken_away(photo: NDArray[np.uint8]) -> None:
    wanted = {"bad_white_balance": 0.6, "bad_saturation": -1.0}
    labels = degrade(photo, wanted, np.random.default_rng(0), camera=False).severities
    assert math.isnan(labels["bad_white_balance"])
    half = degrade(photo, wanted | {"bad_saturation": -0.5}, np.random.default_rng(0), camera=False).severities
    assert 0 < half["bad_white_balance"] < 0.6


def test_a_cast_fades_from_the_label_of_a_frame_that_is_nearly_black(samples: Path) -> None:
    with Image.open(samples / "lake-sherburne.jpg") as image:
        image.thumbnail((320, 320))
        dark = (np.asarray(image.convert("RGB")) * 0.12).astype(np.uint8)
    labels = degrade(dark, {"bad_white_balance": 0.6}, np.random.default_rng(0), camera=False).severities
    assert labels["bad_white_balance"] < 0.4


def test_oversaturation_of_a_nearly_grey_photo_hardly_counts() -> None:
    ramp = np.linspace(30, 220, 100)[:, None, None] * np.ones((1, 100, 3))
    ramp[:, :50, 2] += 8
    ramp[:, 50:, 0] += 8
    pixels = ramp.astype(np.uint8)
    labels = degrade(pixels, {"bad_saturation": 0.8}, np.random.default_rng(0), camera=False).severities
    assert 0 < labels["bad_saturation"] < 0.6


def test_blur_of_a_blank_wall_hardly_counts() -> None:
    wall = np.full((200, 200, 3), 140, dtype=np.uint8)
    wall[:, :, 0] += np.arange(200, dtype=np.uint8)[None] // 10
    labels = degrade(wall, {"undesired_blur": 0.8}, np.random.default_rng(1), camera=False).severities
    assert labels["undesired_blur"] < 0.2


@pytest.mark.parametrize(
    ("severities", "message"),
    [
        ({"sharpness": 0.5}, "sharpness"),
        ({"noise": 1.2}, "noise"),
        ({"haze": -0.1}, "haze"),
        ({"noise": math.nan}, "noise"),
    ],
)
def test_wrong_severities_are_refused_by_name(
    photo: NDArray[np.uint8], severities: dict[str, float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        degrade(photo, severities, np.random.default_rng(0))


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((64, 64), np.uint8),
        np.zeros((64, 64, 4), np.uint8),
        np.zeros((64, 64, 3)),
        np.zeros((8, 90, 3), np.uint8),
    ],
)
def test_pixels_of_the_wrong_kind_are_refused(pixels: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="pixels"):
        degrade(pixels, {}, np.random.default_rng(0))


@pytest.mark.parametrize("seed", range(12))
def test_a_cast_goes_where_a_grey_card_goes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cast = white_balance.draw_cast((64, 64), rng)
    card = np.full((3, 64, 64), 0.2, np.float32)
    lit = white_balance.tint_scene(card, 0.4, replace(cast, field=None))
    a, b = lab(np.clip(lit, 0, 1))[1:, 0, 0]
    direction = white_balance.cast_direction(cast, 0.4)
    assert math.hypot(*direction) == pytest.approx(1)
    assert (direction[0] * a + direction[1] * b) / math.hypot(a, b) > 0.95


@pytest.mark.parametrize("key", IN_PLANE)
def test_a_point_is_as_far_from_the_centre_as_the_defect_is_severe(photo: NDArray[np.uint8], key: str) -> None:
    rng = np.random.default_rng(0)
    for severity in (0.0, 0.3, 0.8):
        degraded = degrade(photo, {key: severity}, rng)
        assert set(degraded.points) == set(IN_PLANE)
        assert math.hypot(*degraded.points[key]) == pytest.approx(degraded.severities[key], abs=1e-6)
        assert all(degraded.points[other] == (0.0, 0.0) for other in IN_PLANE if other != key)


def test_exposure_lies_where_light_lacks_or_is_too_much(photo: NDArray[np.uint8]) -> None:
    before = float(photo.mean())
    seen = set()
    for seed in range(12):
        degraded = degrade(photo, {"bad_exposure": 0.7}, np.random.default_rng(seed), camera=False)
        light, both = degraded.points["bad_exposure"]
        if both:
            assert (light, both) == (0.0, pytest.approx(0.7))
        else:
            assert light * (float(degraded.pixels.mean()) - before) > 0
        seen.add(np.sign(light))
    assert {-1, 1} <= seen


def test_a_cast_without_colour_has_no_point(photo: NDArray[np.uint8]) -> None:
    rng = np.random.default_rng(0)
    colourless = degrade(photo, {"bad_white_balance": 0.8, "bad_saturation": -1.0}, rng)
    assert math.isnan(colourless.severities["bad_white_balance"])
    assert all(math.isnan(part) for part in colourless.points["bad_white_balance"])
