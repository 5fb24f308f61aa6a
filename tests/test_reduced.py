"""Smaller sizes of a photo: the means of its pixels, neither shifted nor darker, however it lies in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photodefect.core.reduced import Reduced, box_means
from photodefect.photos.photo import upright


@pytest.mark.parametrize(("height", "width"), [(64, 96), (403, 601), (17, 33), (3, 2), (1, 700), (260, 1)])
@pytest.mark.parametrize("side", [2, 4, 8, 64])
def test_a_box_is_the_mean_of_its_pixels(height: int, width: int, side: int) -> None:
    pixels = np.random.default_rng(side).integers(0, 256, (height, width, 3), dtype=np.uint8)

    means = box_means(pixels, side)

    boxes = [
        [pixels[top : top + side, left : left + side].mean((0, 1)) for left in range(0, width, side)]
        for top in range(0, height, side)
    ]
    assert means == pytest.approx(np.array(boxes), abs=1.5)


@pytest.mark.parametrize("side", [2, 4, 8, 16])
def test_boxes_are_no_darker_than_the_photo(side: int) -> None:
    pixels = np.random.default_rng(side).integers(0, 256, (512, 640, 3), dtype=np.uint8)

    assert box_means(pixels, side).mean() == pytest.approx(pixels.mean(), abs=0.02)


@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_turned_photo_has_the_photos_own_pixels(orientation: int) -> None:
    stored = np.random.default_rng(0).integers(0, 256, (301, 533, 3), dtype=np.uint8)
    size = (60, 40) if orientation < 5 else (40, 60)

    turned = np.asarray(Reduced(upright(stored, orientation)).image(size))

    assert np.array_equal(turned, upright(np.asarray(Reduced(stored).image((60, 40))), orientation))


def test_a_photo_of_the_wanted_size_is_itself() -> None:
    view = upright(np.random.default_rng(0).integers(0, 256, (30, 50, 3), dtype=np.uint8), 6)

    assert np.array_equal(np.asarray(Reduced(view).image((30, 50))), view)


@pytest.mark.parametrize("size", [(640, 427), (300, 200), (1200, 800), (150, 37)])
def test_a_reduced_photo_is_pillows_neither_shifted_nor_darker(samples: Path, size: tuple[int, int]) -> None:
    with Image.open(samples / "haze.jpg") as image:
        large = image.convert("RGB").resize((1201, 803))

    small = np.asarray(Reduced(np.asarray(large)).image(size)).astype(int)

    wanted = np.asarray(large.resize(size, Image.Resampling.BILINEAR)).astype(int)
    assert np.abs(small - wanted).mean() < 1
    assert abs((small - wanted).mean()) < 0.1


def test_every_row_of_a_photo_counts_however_small_it_becomes() -> None:
    ramp = np.repeat(np.linspace(0, 250, 1003)[:, None, None], 40, axis=1).repeat(3, axis=2).astype(np.uint8)

    for height in (3, 50, 333):
        small = np.asarray(Reduced(ramp).image((40, height))).astype(float)
        middles = (np.arange(height) + 0.5) / height * 250
        assert small[1:-1, 20, 0] == pytest.approx(middles[1:-1], abs=2)
    assert Reduced(ramp).image((1, 1)).size == (1, 1)
