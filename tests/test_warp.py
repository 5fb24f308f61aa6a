"""The warp to a square, against Pillow's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper
from PIL import Image

from photodefect.core.warp import ACROSS, DOWN, _columns, _rows, warp
from photodefect.photos.decode import decode
from photodefect.photos.photo import contiguous, upright

SIDE = 224


def pillows(pixels: np.ndarray) -> np.ndarray:
    return np.array(Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def distance(pixels: np.ndarray) -> np.ndarray:
    """Levels between ours and Pillow's."""
    warped = warp(pixels, SIDE)
    assert warped.shape == (SIDE, SIDE, 3)
    assert warped.dtype == np.uint8
    apart: np.ndarray = np.abs(warped.astype(int) - pillows(pixels))
    return apart


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (1, 500), (500, 1), (3, 5), (223, 225), (224, 224), (450, 449), (1791, 1790)]
)
def test_any_size_up_to_eight_pixels_to_one_is_within_a_level_of_pillow(height: int, width: int) -> None:
    generator = np.random.default_rng(height * width)
    noise = generator.integers(0, 256, (height, width, 3)).astype(np.uint8)
    assert distance(noise).max() <= 1
    assert distance(np.where(noise > 127, 255, 0).astype(np.uint8)).max() <= 1


@pytest.mark.parametrize(("height", "width"), [(2100, 800), (20, 30000), (30000, 20), (300, 5000)])
def test_narrow_photos_are_within_a_level_of_pillow_whatever_their_length(height: int, width: int) -> None:
    noise = np.random.default_rng(height * width).integers(0, 256, (height, width, 3)).astype(np.uint8)
    assert distance(noise).max() <= 1


@pytest.mark.parametrize(("height", "width"), [(2831, 4240), (4000, 2000)])
def test_even_noise_in_large_sizes_is_a_few_levels_from_pillow(height: int, width: int) -> None:
    # Neighbouring pixels of noise have nothing in common: no photograph is as far from Pillow's. Of every seven rows
    # two are looked at, so that what is left of a deviation of 74 levels is two to three instead of one.
    noise = np.random.default_rng(height * width).integers(0, 256, (height, width, 3)).astype(np.uint8)
    assert distance(noise).mean() <= 5
    assert abs(warp(noise, SIDE).mean() - noise.mean()) <= 0.05


def test_photographs_are_within_a_level_of_pillow(samples: Path) -> None:
    for name in ("city.jpg", "dog.jpg"):
        assert distance(decode(samples / name).pixels).max() <= 1


@pytest.mark.parametrize(("height", "width"), [(4003, 6000), (5999, 4000)])
def test_photographs_of_24_megapixels_are_within_half_a_level_on_average(
    height: int, width: int, samples: Path
) -> None:
    # Crops of photographs side by side: pixels as sharp as those of a camera, and hard edges between them.
    crops = [decode(path).pixels[:500, :500] for path in sorted(samples.glob("*.jpg"))[:9]]
    tile = np.vstack([np.hstack(crops[row : row + 3]) for row in (0, 3, 6)])
    photo = np.tile(tile, (4, 4, 1))[:height, :width]
    assert photo.shape == (height, width, 3)
    assert distance(photo).mean() <= 0.5
    assert np.percentile(distance(photo), 99) <= 6


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_turned_view_of_a_photo_has_the_photos_result_turned(orientation: int) -> None:
    photo = np.random.default_rng(orientation).integers(0, 256, (1795, 2600, 3)).astype(np.uint8)
    view = upright(photo, orientation)
    np.testing.assert_array_equal(warp(view, SIDE), upright(warp(photo, SIDE), orientation))


@pytest.mark.parametrize("orientation", [3, 5, 6, 8])
def test_a_turned_view_of_a_photograph_has_nearly_the_result_of_its_copy(orientation: int, samples: Path) -> None:
    crops = [decode(path).pixels[:500, :450] for path in sorted(samples.glob("*.jpg"))[:6]]
    view = upright(np.tile(np.vstack([np.hstack(crops[:3]), np.hstack(crops[3:])]), (2, 2, 1)), orientation)
    assert min(view.shape[:2]) >= 1792
    apart = np.abs(warp(view, SIDE).astype(int) - warp(contiguous(view), SIDE))
    assert apart.mean() <= 0.3
    assert np.percentile(apart, 99) <= 3


@pytest.mark.parametrize("period", [2, 3, 4, 5, 6, 7, 8])
@pytest.mark.parametrize(("height", "levels"), [(1792, 6), (2690, 6), (2900, 55), (3500, 55), (4000, 55), (6000, 55)])
def test_little_is_left_of_stripes_of_a_few_rows(height: int, levels: int, period: int) -> None:
    # Of the largest photos not all rows are looked at, and a fifth of the contrast may be left.
    pixels = np.zeros((height, 1800, 3), np.uint8)
    pixels[::period] = 255
    assert distance(pixels).max() <= levels


def test_sums_of_two_products_fit_into_sixteen_bits_at_any_size() -> None:
    # Processors without a better instruction add so, and stop at the largest number there is.
    for length in (1792, 1793, 2500, 4000, 6001, 20000):
        for box in (1, 2, 7):
            down = [block.weights for block in _rows(length, SIDE, box).blocks]
            assert max(int(weights.max()) for weights in down) * 2 * 128 <= 32768
        across = [block.weights for block in _columns(length, SIDE).blocks]
        assert max(int(weights.max()) for weights in across) * 2 * 255 <= 32767


def test_the_last_rows_count_as_much_as_others() -> None:
    pixels = np.zeros((4003, 1800, 3), np.uint8)  # in boxes of seven rows the last six are left over
    pixels[-3:] = 255
    assert distance(pixels).max() <= 4  # the mean of six tells not which of them are white
    assert warp(pixels, SIDE)[-1].min() > 20


def test_a_pattern_as_fine_as_rows_becomes_grey() -> None:
    pixels = np.zeros((4000, 1800, 3), np.uint8)
    pixels[::2] = 255
    np.testing.assert_allclose(warp(pixels, SIDE)[1:-1], 127.5, atol=10)


def test_a_photo_of_that_size_already_stays_as_it_is() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)
    np.testing.assert_array_equal(warp(pixels, SIDE), pixels)


def test_one_colour_stays_that_colour() -> None:
    for level in (0, 1, 127, 254, 255):
        pixels = np.full((3000, 1900, 3), level, np.uint8)
        np.testing.assert_array_equal(warp(pixels, SIDE), np.full((SIDE, SIDE, 3), level))


def test_neither_strides_nor_write_protection_matter() -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (700, 900, 3)).astype(np.uint8)
    pixels.flags.writeable = False
    view = pixels[::3, ::2]
    np.testing.assert_array_equal(warp(view, SIDE), warp(view.copy(), SIDE))


@pytest.mark.parametrize(("graph", "middle"), [(DOWN, -128), (ACROSS, 0)])
def test_the_stored_graphs_are_products_of_bytes(graph: bytes, middle: int) -> None:
    node = helper.make_node("QLinearMatMul", ["a", "scale", "zero", "b", "one", "middle", "one", "zero"], ["y"])
    inputs = [
        helper.make_tensor_value_info("a", TensorProto.UINT8, ["m", "k"]),
        helper.make_tensor_value_info("scale", TensorProto.FLOAT, []),
        helper.make_tensor_value_info("b", TensorProto.INT8, ["k", "n"]),
    ]
    constants = [
        helper.make_tensor("one", TensorProto.FLOAT, [], [1]),
        helper.make_tensor("zero", TensorProto.UINT8, [], [0]),
        helper.make_tensor("middle", TensorProto.INT8, [], [middle]),
    ]
    output = helper.make_tensor_value_info("y", TensorProto.UINT8, ["m", "n"])
    made = helper.make_graph([node], "warp", inputs, [output], constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    assert model.SerializeToString(deterministic=True) == graph
