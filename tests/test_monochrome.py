"""Black-and-white and toned photographs are told from colour photographs."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from photodefect.photos.monochrome import is_monochrome

COLOUR = ("dog.jpg", "city.jpg", "lake-sherburne.jpg", "guitar.jpg", "extreme-desert-hike.jpg", "roman-colosseum.jpg")


def load(samples: Path, name: str) -> Image.Image:
    with Image.open(samples / name) as image:
        image.draft("RGB", (512, 512))
        image.thumbnail((512, 512))
        return image.convert("RGB")


def as_jpeg(image: Image.Image, quality: int) -> NDArray[np.uint8]:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(io.BytesIO(stream.getvalue())).convert("RGB"))


@pytest.mark.parametrize("name", COLOUR)
def test_a_colour_photo_is_not_monochrome(samples: Path, name: str) -> None:
    assert not is_monochrome(np.asarray(load(samples, name)))


@pytest.mark.parametrize("name", COLOUR)
def test_its_grey_version_is_even_after_hard_compression(samples: Path, name: str) -> None:
    grey = load(samples, name).convert("L")
    assert is_monochrome(np.asarray(grey.convert("RGB")))
    assert is_monochrome(as_jpeg(grey.convert("RGB"), 40))


@pytest.mark.parametrize("name", COLOUR)
@pytest.mark.parametrize(
    "tones", [("#100a05", "#a08060", "#fff4e0"), ("#000810", "#607890", "#f4faff"), ("#1a0a00", "#8a6a4a", "#f0e0c0")]
)
def test_its_toned_version_is_too(samples: Path, name: str, tones: tuple[str, str, str]) -> None:
    grey = load(samples, name).convert("L")
    toned = ImageOps.colorize(grey, black=tones[0], mid=tones[1], white=tones[2])
    assert is_monochrome(as_jpeg(toned, 88))


def test_a_photo_with_one_coloured_thing_is_not_monochrome(samples: Path) -> None:
    grey = np.asarray(load(samples, "city.jpg").convert("L").convert("RGB")).copy()
    grey[60:110, 60:110] = (190, 30, 40)
    assert not is_monochrome(grey)


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (128, 128, 128)])
def test_an_empty_frame_is_monochrome(colour: tuple[int, int, int]) -> None:
    assert is_monochrome(np.full((50, 60, 3), colour, dtype=np.uint8))


def test_a_single_pixel_is_judged_without_an_error() -> None:
    assert is_monochrome(np.full((1, 1, 3), 90, dtype=np.uint8))
