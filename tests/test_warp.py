"""The warp to a square, against Pillow's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import NodeProto, TensorProto, helper
from PIL import Image

from photodefect.photos.decode import decode
from photodefect.warp import AVERAGE, PRODUCT, warp

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


@pytest.mark.parametrize(
    ("height", "width"), [(1792, 1793), (2100, 800), (2831, 4240), (20, 30000), (30000, 20), (300, 5000)]
)
def test_even_noise_in_large_sizes_is_about_a_level_from_pillow(height: int, width: int) -> None:
    # Neighbouring pixels of noise have nothing in common: no photograph is as far from Pillow's.
    noise = np.random.default_rng(height * width).integers(0, 256, (height, width, 3)).astype(np.uint8)
    assert distance(noise).mean() <= 1.1
    assert distance(noise).max() <= 8


def test_photographs_are_within_a_level_of_pillow(samples: Path) -> None:
    for name in ("city.jpg", "dog.jpg"):
        assert distance(decode(samples / name).pixels).max() <= 1


@pytest.mark.parametrize(("height", "width"), [(4003, 6000), (5999, 4000)])
def test_photographs_of_24_megapixels_are_within_a_third_of_a_level_on_average(
    height: int, width: int, samples: Path
) -> None:
    # Crops of photographs side by side: pixels as sharp as those of a camera, and hard edges between them.
    crops = [decode(path).pixels[:500, :500] for path in sorted(samples.glob("*.jpg"))[:9]]
    tile = np.vstack([np.hstack(crops[row : row + 3]) for row in (0, 3, 6)])
    photo = np.tile(tile, (4, 4, 1))[:height, :width]
    assert photo.shape == (height, width, 3)
    assert distance(photo).mean() <= 0.33
    assert np.percentile(distance(photo), 99.9) <= 4


def test_the_last_rows_count_as_much_as_others() -> None:
    pixels = np.zeros((4003, 300, 3), np.uint8)  # in means of seven rows the last six are left over
    pixels[-3:] = 255
    assert distance(pixels).max() <= 4  # the mean of six tells not which of them are white
    assert warp(pixels, SIDE)[-1].min() > 20


def test_a_pattern_as_fine_as_rows_becomes_grey() -> None:
    pixels = np.zeros((4000, 300, 3), np.uint8)
    pixels[::2] = 255
    np.testing.assert_allclose(warp(pixels, SIDE), 127.5, atol=2)


def test_a_photo_of_that_size_already_stays_as_it_is() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)
    np.testing.assert_array_equal(warp(pixels, SIDE), pixels)


def test_one_colour_stays_that_colour() -> None:
    for level in (0, 1, 127, 254, 255):
        pixels = np.full((3000, 700, 3), level, np.uint8)
        np.testing.assert_array_equal(warp(pixels, SIDE), np.full((SIDE, SIDE, 3), level))


def test_neither_strides_nor_write_protection_matter() -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (700, 900, 3)).astype(np.uint8)
    pixels.flags.writeable = False
    view = pixels[::-1, ::2]
    np.testing.assert_array_equal(warp(view, SIDE), warp(view.copy(), SIDE))


def graph(node: NodeProto, inputs: dict[str, list[str | int]], output: list[str | int]) -> bytes:
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT if name == "scale" else TensorProto.UINT8, shape)
        for name, shape in inputs.items()
    ]
    one = helper.make_tensor("one", TensorProto.FLOAT, [], [1])
    zero = helper.make_tensor("zero", TensorProto.UINT8, [], [0])
    result = helper.make_tensor_value_info("y", TensorProto.UINT8, output)
    versions = [helper.make_opsetid("", 17)] + ([helper.make_opsetid(node.domain, 1)] if node.domain else [])
    model = helper.make_model(helper.make_graph([node], "warp", values, [result], [one, zero]), opset_imports=versions)
    model.ir_version = 8
    return bytes(model.SerializeToString(deterministic=True))


def test_the_stored_graphs_are_a_mean_and_a_product_of_bytes() -> None:
    mean = helper.make_node(
        "QLinearGlobalAveragePool",
        ["x", "one", "zero", "one", "zero"],
        ["y"],
        domain="com.microsoft",
        channels_last=1,
    )
    assert graph(mean, {"x": ["m", "k", 1, "n"]}, ["m", 1, 1, "n"]) == AVERAGE
    product = helper.make_node("QLinearMatMul", ["a", "scale", "zero", "b", "one", "zero", "one", "zero"], ["y"])
    assert graph(product, {"a": ["m", "k"], "scale": [], "b": ["k", "n"]}, ["m", "n"]) == PRODUCT
