"""Colour spaces: against published values and Pillow."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageCms

from photodefect.photos.colour_spaces import (
    decode,
    encode,
    lab,
    lightness,
    linear_from_oklab,
    linear_from_pixels,
    luminance,
    oklab,
    pixels_from_encoded,
)


def test_the_srgb_curve_has_its_published_values() -> None:
    # IEC 61966-2-1: 0.04045 <-> 0.0031308, middle grey 0.5 <-> 0.21404.
    values = np.array([0.0, 0.04045, 0.5, 1.0], dtype=np.float32)
    assert decode(values) == pytest.approx([0.0, 0.0031308, 0.2140411, 1.0], abs=2e-5)
    assert encode(np.array([0.0, 0.0031308, 0.2140411, 1.0], dtype=np.float32)) == pytest.approx(values, abs=2e-4)


def test_all_8_bit_values_survive_the_way_to_linear_light_and_back() -> None:
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)
    assert np.array_equal(pixels_from_encoded(encode(linear_from_pixels(pixels))), pixels)


def test_lab_of_the_primaries_is_the_published_one() -> None:
    # CIE Lab of sRGB red, green, blue and white under D65 (e.g. brucelindbloom.com).
    primaries = np.array([[1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 1, 1]], dtype=np.float32)
    expected = [[53.24, 80.09, 67.20], [87.74, -86.18, 83.18], [32.30, 79.19, -107.86], [100, 0, 0]]
    assert pytest.approx(np.array(expected), abs=0.05) == lab(primaries).T


def test_lab_agrees_with_littlecms_up_to_the_white_point() -> None:
    # LittleCMS adapts to D50, which leaves L* of colours nearly, and of greys exactly, as it is.
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    transform = ImageCms.buildTransformFromOpenProfiles(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    image = ImageCms.applyTransform(Image.fromarray(pixels), transform)
    assert image is not None
    theirs = np.asarray(image)[..., 0].astype(np.float64) / 255 * 100
    assert np.abs(lightness(luminance(linear_from_pixels(pixels))) - theirs).max() < 3.0


def test_oklab_of_the_primaries_is_the_published_one() -> None:
    # Ottosson's reference values for sRGB red, green and blue.
    primaries = np.eye(3, dtype=np.float32)
    expected = [[0.627955, 0.224863, 0.125846], [0.866440, -0.233888, 0.179498], [0.452014, -0.032457, -0.311528]]
    assert pytest.approx(np.array(expected), abs=2e-4) == oklab(primaries).T


def test_oklab_goes_back_to_where_it_came_from() -> None:
    linear = np.random.default_rng(1).random((3, 20, 20), dtype=np.float32)
    assert linear_from_oklab(oklab(linear)) == pytest.approx(linear, abs=1e-4)
