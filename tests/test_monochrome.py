"""Black-and-white and toned photographs are told from colour photographs."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

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


def partly_coloured(grey: Image.Image, kind: str) -> Image.Image:
    """A grey photo with the strip of a trail camera, a coloured frame, or a spot."""
    width, height = grey.size
    made = grey.copy()
    draw = ImageDraw.Draw(made)
    if kind == "strip":
        draw.rectangle((0, int(height * 0.95), width, height), fill="white")
        draw.rectangle((4, int(height * 0.955), 38, int(height * 0.995)), fill=(230, 90, 20))
    elif kind == "spot":
        draw.ellipse((width // 2, height // 2, width // 2 + width // 12, height // 2 + width // 12), fill=(200, 20, 30))
    else:
        made = Image.new("RGB", (width + 24, height + 24), (240, 225, 190))
        made.paste(grey, (12, 12))
    return made


@pytest.mark.parametrize("name", COLOUR)
@pytest.mark.parametrize("kind", ["strip", "spot", "frame"])
@pytest.mark.parametrize("quality", [50, 92])
def test_a_grey_photo_stays_monochrome_beside_a_small_coloured_part(
    samples: Path, name: str, kind: str, quality: int
) -> None:
    grey = load(samples, name).convert("L").convert("RGB")
    assert is_monochrome(as_jpeg(partly_coloured(grey, kind), quality))


def test_so_does_one_in_which_a_thing_kept_its_colours(samples: Path) -> None:
    colour = load(samples, "city.jpg")
    kept = colour.convert("L").convert("RGB")
    kept.paste(colour.crop((60, 60, 160, 160)), (60, 60))
    assert is_monochrome(as_jpeg(kept, 88))


def test_a_photo_that_is_grey_in_one_half_is_not_monochrome(samples: Path) -> None:
    colour = load(samples, "dog.jpg")
    width, height = colour.size
    colour.paste(colour.crop((0, 0, width // 2, height)).convert("L").convert("RGB"), (0, 0))
    assert not is_monochrome(as_jpeg(colour, 88))


def test_a_grey_scene_in_colour_with_one_coloured_thing_is_not_monochrome(samples: Path) -> None:
    colour = load(samples, "haze.jpg")
    pale = ImageEnhance.Color(colour).enhance(0.35)
    ImageDraw.Draw(pale).rectangle((40, 40, 80, 80), fill=(200, 30, 40))
    assert not is_monochrome(as_jpeg(pale, 88))


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (128, 128, 128)])
def test_an_empty_frame_is_monochrome(colour: tuple[int, int, int]) -> None:
    assert is_monochrome(np.full((50, 60, 3), colour, dtype=np.uint8))


def test_a_single_pixel_is_judged_without_an_error() -> None:
    assert is_monochrome(np.full((1, 1, 3), 90, dtype=np.uint8))
