"""The networks' inputs: the warped whole, and patches at the original resolution."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from photodefect.core.inputs import (
    CANDIDATES,
    SIDE,
    _spread_corners,
    content_seed,
    enlarged_size,
    holistic_input,
    patch_corners,
    patch_inputs,
)
from photodefect.diagnosis.scoring import make_inputs
from photodefect.photos.decode import Photo, Provenance, decode


def coordinates(height: int, width: int) -> NDArray[np.uint8]:
    """Pixels that tell their place: (row, column) modulo 251 in the first two channels."""
    rows, columns = np.mgrid[:height, :width] % 251
    return np.stack([rows, columns, rows], axis=-1).astype(np.uint8)


@pytest.fixture(scope="module", params=["city.jpg", "lake-sherburne.jpg", "fragrant-chamomile.jpg"])
def photo(request: pytest.FixtureRequest, samples: Path) -> NDArray[np.uint8]:
    return decode(samples / request.param).pixels


def test_the_whole_photo_is_warped_as_pillow_would(photo: NDArray[np.uint8]) -> None:
    expected = np.asarray(Image.fromarray(photo).resize((224, 224), Image.Resampling.BILINEAR), np.int16)
    got = holistic_input(photo)
    assert got.shape == (224, 224, 3)
    assert got.dtype == np.uint8
    assert np.abs(got - expected).max() <= 1


def test_arrays_of_any_layout_are_taken(photo: NDArray[np.uint8]) -> None:
    locked = photo.copy()
    locked.flags.writeable = False
    expected = holistic_input(photo)
    assert np.array_equal(holistic_input(locked), expected)
    assert np.array_equal(holistic_input(np.asfortranarray(photo)), expected)
    assert np.array_equal(patch_inputs(locked, count=2, seed=1), patch_inputs(photo, count=2, seed=1))
    flipped = photo[:, ::-1]
    assert np.array_equal(patch_inputs(flipped, count=2, seed=1), patch_inputs(flipped.copy(), count=2, seed=1))


@pytest.mark.parametrize(
    "wrong", [np.zeros((300, 300), np.uint8), np.zeros((300, 300, 4), np.uint8), np.zeros((0, 9, 3), np.uint8)]
)
def test_what_is_no_photo_is_refused(wrong: NDArray[np.uint8]) -> None:
    with pytest.raises(ValueError, match="pixels are"):
        holistic_input(wrong)
    with pytest.raises(ValueError, match="pixels are"):
        patch_inputs(wrong, count=2, seed=0)


def test_random_patches_are_cut_out_of_the_photo_unchanged() -> None:
    pixels = coordinates(251, 502)
    for patch in patch_inputs(pixels, count=20, seed=3):
        top, left = patch[0, 0, :2].astype(int)
        candidates = [pixels[top : top + SIDE, start : start + SIDE] for start in (left, left + 251)]
        assert any(np.array_equal(patch, candidate) for candidate in candidates)


@settings(max_examples=60)
@given(
    height=st.integers(SIDE, 9000), width=st.integers(SIDE, 9000), count=st.integers(1, 40), seed=st.integers(0, 2**64)
)
def test_random_places_lie_inside_and_are_always_the_same(height: int, width: int, count: int, seed: int) -> None:
    corners = patch_corners(height, width, count=count, placement="random", seed=seed)
    assert corners.shape == (count, 2)
    assert (corners >= 0).all()
    assert (corners <= (height - SIDE, width - SIDE)).all()
    assert np.array_equal(corners, patch_corners(height, width, count=count, placement="random", seed=seed))


def test_random_places_are_uniform_up_to_the_borders() -> None:
    corners = patch_corners(SIDE + 3, SIDE + 9, count=20_000, placement="random", seed=5)
    for column, places in ((0, 4), (1, 10)):
        counts = np.bincount(corners[:, column], minlength=places)
        expected = 20_000 / places
        assert len(counts) == places
        assert np.sum((counts - expected) ** 2 / expected) < 28  # chi squared of 9 degrees: 99.9 % lie under 27.9


def test_other_seeds_give_other_places() -> None:
    places = {patch_corners(900, 900, count=10, placement="random", seed=seed).tobytes() for seed in range(50)}
    assert len(places) == 50


def test_the_grid_touches_the_borders_and_the_centre() -> None:
    corners = patch_corners(1000, 624, count=10, placement="grid", seed=0)
    assert corners.tolist() == [[top, left] for top in (0, 388, 776) for left in (0, 200, 400)]
    pixels = coordinates(1000, 624)
    patches = patch_inputs(pixels, count=2, placement="grid", seed=0)
    assert patches.shape == (9, SIDE, SIDE, 3)
    assert np.array_equal(patches[0], pixels[:SIDE, :SIDE])
    assert np.array_equal(patches[8], pixels[-SIDE:, -SIDE:])
    assert np.array_equal(patches[4], pixels[388 : 388 + SIDE, 200 : 200 + SIDE])


def test_wrong_arguments_are_refused() -> None:
    pixels = coordinates(300, 300)
    with pytest.raises(ValueError, match="count is 0"):
        patch_inputs(pixels, count=0, seed=0)
    with pytest.raises(ValueError, match="'spiral'"):
        patch_inputs(pixels, count=2, placement="spiral", seed=0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("size", "expected"),
    [((100, 100), (224, 224)), ((150, 100), (336, 224)), ((224, 50_000), (224, 50_000)), ((112, 300), (224, 600))],
)
def test_the_short_side_becomes_224(size: tuple[int, int], expected: tuple[int, int]) -> None:
    assert enlarged_size(*size) == expected


@pytest.mark.parametrize("placement", ["random", "grid"])
@pytest.mark.parametrize("shape", [(100, 163), (223, 90), (223, 223), (40, 400)])
def test_patches_of_a_small_photo_are_those_of_the_enlarged_photo(
    shape: tuple[int, int], placement: str, samples: Path
) -> None:
    with Image.open(samples / "dog.jpg") as image:
        small = np.array(image.resize((shape[1], shape[0])))
    height, width = enlarged_size(*shape)
    enlarged = np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))
    patches = patch_inputs(small, count=10, placement=placement, seed=11)  # type: ignore[arg-type]
    corners = patch_corners(height, width, count=10, placement=placement, seed=11)  # type: ignore[arg-type]
    for patch, (top, left) in zip(patches, corners, strict=True):
        expected = enlarged[top : top + SIDE, left : left + SIDE].astype(np.int16)
        assert np.abs(patch - expected).max() <= 1


@pytest.mark.parametrize("shape", [(1, 1), (1, 20_000), (20_000, 1), (2, 3), (224, 1), (20_000, 300)])
def test_extreme_shapes_work_in_little_memory(shape: tuple[int, int]) -> None:
    pixels = coordinates(*shape)
    tracemalloc.start()
    try:
        whole = holistic_input(pixels)
        patches = patch_inputs(pixels, count=2, seed=1)
        grid = patch_inputs(pixels, count=2, placement="grid", seed=1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert whole.shape == (SIDE, SIDE, 3)
    assert patches.shape == (2, SIDE, SIDE, 3)
    assert grid.shape == (9, SIDE, SIDE, 3)
    assert peak < 50e6


def test_a_single_pixel_gives_patches_of_its_colour() -> None:
    pixels = np.array([[[10, 120, 250]]], np.uint8)
    assert (patch_inputs(pixels, count=2, seed=0) == pixels).all()
    assert (holistic_input(pixels) == pixels).all()


def test_the_seed_is_the_contents_whatever_the_metadata_and_name(tmp_path: Path, samples: Path) -> None:
    with Image.open(samples / "dog.jpg") as image:
        pixels = np.array(image)
        exif = Image.Exif()
        exif[271] = "Somebody"
        image.save(tmp_path / "a.png")
        image.save(tmp_path / "b.png", exif=exif, compress_level=1)
        image.save(tmp_path / "c.tif")
        turned = image.transpose(Image.Transpose.ROTATE_90)  # counter-clockwise, which orientation 6 undoes
        exif[274] = 6
        turned.save(tmp_path / "d.png", exif=exif)
    seeds = set()
    for path in sorted(tmp_path.iterdir()):
        photo = decode(path)
        seeds.add(content_seed(holistic_input(photo.pixels), photo.width, photo.height))
    assert len(seeds) == 1
    whole = holistic_input(pixels)
    seed = seeds.pop()
    assert 0 <= seed < 2**64
    assert content_seed(whole, 576, 577) != content_seed(whole, 577, 576) != seed
    whole[0, 0, 0] ^= 1
    assert content_seed(whole, 576, 576) != seed


def test_the_sharpest_place_is_found_and_the_others_are_spread_from_the_middle_on() -> None:
    rng = np.random.default_rng(0)
    pixels = np.full((1200, 1600, 3), 128, np.uint8)
    pixels[300:900, 200:1400] = rng.integers(0, 256, (600, 1200, 3))
    sharp = patch_inputs(pixels, count=3, placement="sharp", seed=0)
    assert sharp.shape == (3, 224, 224, 3)
    np.testing.assert_array_equal(sharp[0], pixels[488:712, 688:912])
    assert float(sharp[2].std()) == pytest.approx(float(pixels[300:900, 200:1400].std()), rel=0.02)
    (alone,) = patch_inputs(pixels, count=1, placement="sharp", seed=0)
    assert float(alone.std()) == pytest.approx(float(sharp[2].std()), rel=0.02)


def test_evenly_spread_places_leave_no_large_part_of_the_frame_out() -> None:
    corners = _spread_corners(1160, 1660, CANDIDATES, 0, 160)
    assert (corners >= 0).all()
    assert (corners <= (1000, 1500)).all()
    ninths = np.bincount(corners[:, 0] // 334 * 3 + corners[:, 1] // 501, minlength=9)
    assert ninths.min() > CANDIDATES / 9 * 0.7
    assert not np.array_equal(corners, _spread_corners(1160, 1660, CANDIDATES, 1, 160))


def test_a_photo_saved_again_is_looked_at_in_the_same_places(samples: Path) -> None:
    pixels = decode(samples / "dog.jpg").pixels
    stored = io.BytesIO()
    Image.fromarray(pixels).save(stored, "JPEG", quality=90)
    again = np.asarray(Image.open(stored))
    one, two = (make_inputs(each, patches=2, placement="sharp", side=160).patches for each in (pixels, again))
    assert np.abs(one.astype(int) - two.astype(int)).mean() < 4


def _soft_texture(seed: int) -> NDArray[np.uint8]:
    """Detail that is stronger here and there, in many places about as strong."""
    rng = np.random.default_rng(seed)
    strength = ndimage.gaussian_filter(rng.normal(size=(420, 560)), 30)
    strength = (strength - strength.min()) / np.ptp(strength)
    grey = 128 + 120 * strength * ndimage.gaussian_filter(rng.normal(size=strength.shape), 1)
    return np.repeat(grey.clip(0, 255).astype(np.uint8)[:, :, None], 3, axis=2)


def test_a_crop_by_two_pixels_hardly_ever_moves_the_sharpest_place() -> None:
    moved = 0
    for seed in range(16):
        pixels = _soft_texture(seed)
        cropped = np.ascontiguousarray(pixels[2:-2, 2:-2])
        before, after = (
            patch_inputs(each, count=1, placement="sharp", seed=0, side=160)[0] for each in (pixels, cropped)
        )
        shifts = [(down, right) for down in range(-4, 5) for right in range(-4, 5)]
        inside = after[4:-4, 4:-4]
        moved += not any(
            np.array_equal(before[4 + down : 156 + down, 4 + right : 156 + right], inside) for down, right in shifts
        )
    assert moved <= 2  # with every eighth row alone it was 6


def test_another_seed_looks_for_the_sharpest_in_the_same_places(samples: Path) -> None:
    pixels = decode(samples / "dog.jpg").pixels
    alone, again = (patch_inputs(pixels, count=1, placement="sharp", seed=seed, side=160) for seed in (0, 7))
    np.testing.assert_array_equal(alone, again)
    one, other = (patch_inputs(pixels, count=2, placement="sharp", seed=seed, side=160) for seed in (0, 7))
    np.testing.assert_array_equal(one[1], other[1])
    assert not np.array_equal(one[0], other[0])


@pytest.mark.parametrize("shape", [(1, 20000), (30, 50), (224, 224), (1, 1)])
def test_photos_smaller_than_a_patch_have_a_sharpest_place_too(shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (*shape, 3), np.uint8)
    assert patch_inputs(pixels, count=3, placement="sharp", seed=2).shape == (3, 224, 224, 3)


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize(("width", "height"), [(150, 90), (900, 500), (2700, 1800)])
def test_networks_see_the_same_of_a_photo_that_lies_on_its_side_as_of_its_upright_copy(
    orientation: int, width: int, height: int
) -> None:
    rng = np.random.default_rng(orientation)
    small = Image.fromarray(rng.integers(0, 256, (12, 18, 3)).astype(np.uint8))
    stored = np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))
    lying = Photo(stored, Provenance("JPEG", orientation=orientation), orientation)
    looks = [
        make_inputs(pixels, patches=3, placement="sharp", side=160) for pixels in (lying.view, lying.pixels.copy())
    ]
    assert not lying.view.flags.c_contiguous
    assert (looks[0].width, looks[0].height) == (looks[1].width, looks[1].height) == (lying.width, lying.height)
    # The one is reduced as it lies in the file and then turned.
    np.testing.assert_allclose(looks[0].holistic.astype(int), looks[1].holistic, atol=2)
    np.testing.assert_array_equal(looks[0].patches, looks[1].patches)
    assert looks[0].monochrome == looks[1].monochrome
