"""Clean photographs are chosen, and the others are left out for a reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from photodefect.synthesis.degrade import degrade
from photodefect.synthesis.sources import is_clean, noise_deviation, source_quality, why_not_clean


@pytest.fixture(scope="module")
def clean(samples: Path) -> NDArray[np.uint8]:
    return load(samples, "roman-colosseum.jpg")


def load(samples: Path, name: str) -> NDArray[np.uint8]:
    with Image.open(samples / name) as image:
        image.draft("RGB", (640, 640))
        image.thumbnail((640, 640))
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("name", ["roman-colosseum.jpg", "dog.jpg", "lake-sherburne.jpg", "the-spices-of-life.jpg"])
def test_good_photographs_are_clean(samples: Path, name: str) -> None:
    quality = source_quality(load(samples, name))
    assert why_not_clean(quality) is None
    assert is_clean(quality)


@pytest.mark.parametrize(
    ("key", "severity", "reason"), [("haze", 0.95, "hazy"), ("noise", 0.8, "noisy"), ("undesired_blur", 1.0, "blurred")]
)
def test_a_severe_defect_makes_a_source_unfit(clean: NDArray[np.uint8], key: str, severity: float, reason: str) -> None:
    degraded = degrade(clean, {key: severity}, np.random.default_rng(2), camera=False).pixels
    assert reason in str(why_not_clean(source_quality(degraded)))


def test_dark_blown_and_cast_photographs_are_unfit(clean: NDArray[np.uint8]) -> None:
    assert "dark" in str(why_not_clean(source_quality((clean * 0.08).astype(np.uint8))))
    blown = np.clip(clean.astype(int) * 4, 0, 255).astype(np.uint8)
    assert "blown" in str(why_not_clean(source_quality(blown)))
    cast = (clean * np.array([0.2, 0.5, 1.0])).astype(np.uint8)
    assert "cast" in str(why_not_clean(source_quality(cast)))


def test_a_drawing_is_unfit() -> None:
    drawing = np.full((300, 400, 3), (60, 140, 200), dtype=np.uint8)
    drawing[100:200, 50:250] = (220, 200, 40)
    drawing[150:280, 200:380] = (30, 30, 90)
    assert "graphic" in str(why_not_clean(source_quality(drawing)))


def test_a_black_and_white_photograph_is_a_clean_source(clean: NDArray[np.uint8]) -> None:
    grey = np.asarray(Image.fromarray(clean).convert("L").convert("RGB"))
    quality = source_quality(grey)
    assert quality.monochrome
    assert is_clean(quality)


def test_the_estimate_of_noise_finds_the_deviation_that_was_added() -> None:
    rng = np.random.default_rng(0)
    ramp = np.linspace(60, 190, 320)[None, :, None] * np.ones((240, 1, 3))
    for deviation in (3.0, 8.0):
        grain = rng.normal(0, deviation, (240, 320, 1))
        noisy = np.clip(ramp + grain, 0, 255).round().astype(np.uint8)
        assert noise_deviation(noisy) == pytest.approx(deviation, rel=0.25)


def test_a_blurred_copy_is_measured_softer(clean: NDArray[np.uint8]) -> None:
    soft = np.asarray(Image.fromarray(clean).filter(ImageFilter.GaussianBlur(1.5)))
    assert source_quality(soft).softness > source_quality(clean).softness + 0.5
