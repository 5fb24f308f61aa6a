"""The model that ships: a defective twin of a photo scores worse on its own defect than the original.

The twins are made here, by Pillow and numpy, not by what the model was trained with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from photodefect import Diagnoser
from photodefect.defects import BY_KEY
from photodefect.photos.decode import decode

Pixels = NDArray[np.uint8]
CLEAR = 0.1
"""By how much a twin must score worse."""


def linear_light(pixels: Pixels) -> NDArray[np.float64]:
    """SRGB in 0..255 to linear light in 0..1 (IEC 61966-2-1)."""
    value = pixels / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def encoded(light: NDArray[np.float64]) -> Pixels:
    """The inverse of :func:`linear_light`."""
    light = light.clip(0, 1)
    value = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.rint(value * 255).astype(np.uint8)


def blurred(pixels: Pixels) -> Pixels:
    return np.array(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(max(pixels.shape) / 300)))


def darkened(pixels: Pixels) -> Pixels:
    return encoded(linear_light(pixels) / 8)  # three stops


def colour_cast(pixels: Pixels) -> Pixels:
    return encoded(linear_light(pixels) * (1.6, 1.0, 0.5))


def noisy(pixels: Pixels) -> Pixels:
    return (pixels + np.random.default_rng(0).normal(0, 30, pixels.shape)).clip(0, 255).astype(np.uint8)


def desaturated(pixels: Pixels) -> Pixels:
    grey = pixels @ np.array([0.299, 0.587, 0.114])
    return np.rint(0.2 * pixels + 0.8 * grey[..., np.newaxis]).astype(np.uint8)


TWINS: Mapping[str, Callable[[Pixels], Pixels]] = {
    "undesired_blur": blurred,
    "bad_exposure": darkened,
    "bad_white_balance": colour_cast,
    "noise": noisy,
    "bad_saturation": desaturated,
}


@pytest.fixture(scope="module")
def diagnoser() -> Diagnoser:
    return Diagnoser(device="cpu", patches=4)


def severities(diagnoser: Diagnoser, pixels: Pixels) -> Mapping[str, float]:
    scores = diagnoser.diagnose_pixels(pixels).severity
    assert scores is not None
    return scores


@pytest.mark.parametrize("name", ["dog.jpg", "city.jpg", "guitar.jpg", "haze.jpg"])
def test_a_defective_twin_scores_worse_on_its_own_defect(diagnoser: Diagnoser, samples: Path, name: str) -> None:
    pixels = decode(samples / name).pixels
    original = severities(diagnoser, pixels)
    twins = {key: severities(diagnoser, spoil(pixels))[key] for key, spoil in TWINS.items()}
    worse = {key: original[key] - twin if BY_KEY[key].signed else twin - original[key] for key, twin in twins.items()}
    assert {key: change for key, change in worse.items() if change <= CLEAR} == {}
