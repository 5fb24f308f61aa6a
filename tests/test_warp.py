"""The warp to a square, against Pillow's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper
from PIL import Image

from photodefect.photos.decode import decode
from photodefect.warp import PRODUCT, warp

SIDE = 224


def pillows(pixels: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BILINEAR))


def distance(pixels: np.ndarray) -> int:
    """Levels between ours and Pillow's, where they differ most."""
    warped = warp(pixels, SIDE)
    assert warped.shape == (SIDE, SIDE, 3)
    assert warped.dtype == np.uint8
    return int(np.abs(warped.astype(int) - pillows(pixels)).max())


@pytest.mark.parametrize(
    ("height", "width"),
    [(1, 1), (1, 500), (500, 1), (3, 5), (223, 225), (224, 224), (450, 449), (1792, 1793), (20, 30000), (30000, 20)],
)
def test_any_size_and_content_is_within_a_level_of_pillow(height: int, width: int) -> None:
    generator = np.random.default_rng(height * width)
    noise = generator.integers(0, 256, (height, width, 3)).astype(np.uint8)
    assert distance(noise) <= 1
    assert distance(np.where(noise > 127, 255, 0).astype(np.uint8)) <= 1


def test_photographs_are_within_a_level_of_pillow(samples: Path) -> None:
    for name in ("city.jpg", "dog.jpg"):
        assert distance(decode(samples / name).pixels) <= 1


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


def test_the_stored_graph_is_a_product_of_integer_matrices() -> None:
    shapes = {"a": ["m", "k"], "b": ["k", "n"]}
    inputs = [helper.make_tensor_value_info(name, TensorProto.UINT8, shape) for name, shape in shapes.items()]
    output = helper.make_tensor_value_info("y", TensorProto.INT32, ["m", "n"])
    graph = helper.make_graph([helper.make_node("MatMulInteger", ["a", "b"], ["y"])], "product", inputs, [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    assert model.SerializeToString(deterministic=True) == PRODUCT
