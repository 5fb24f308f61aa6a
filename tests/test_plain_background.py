"""A small subject on a plain background tells by itself how light and how colourful a picture is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from photodefect import Diagnoser
from photodefect.core.inputs import holistic_input
from photodefect.core.network.manifest import Manifest, Normalization, Weighting
from photodefect.defects import DEFECTS, KEYS, PATCH_DEFECTS
from photodefect.diagnosis.scoring import TOLD_BY_SUBJECT, make_inputs, score
from photodefect.photos.decode import decode
from photodefect.photos.plain_background import subject_on_plain_background

BACKGROUNDS = {"white": (246, 246, 246), "black": (5, 6, 6), "blue": (20, 60, 170)}


def on_plain(subject: Image.Image, background: tuple[int, int, int], width: int = 900) -> NDArray[np.uint8]:
    """A round subject, 300 x 300, a little left of the middle of a frame of 600 rows."""
    frame = Image.new("RGB", (width, 600), background)
    mask = Image.new("L", (300, 300))
    ImageDraw.Draw(mask).ellipse((4, 4, 296, 296), fill=255)
    frame.paste(subject.resize((300, 300)), (width // 2 - 200, 150), mask.filter(ImageFilter.GaussianBlur(2)))
    return np.asarray(frame)


@pytest.mark.parametrize("name", BACKGROUNDS)
@pytest.mark.parametrize("quality", [None, 90])
def test_the_subject_is_found(samples: Path, tmp_path: Path, name: str, quality: int | None) -> None:
    with Image.open(samples / "dog.jpg") as dog:
        pixels = on_plain(dog, BACKGROUNDS[name])
    if quality is not None:
        Image.fromarray(pixels).save(tmp_path / "saved.jpg", quality=quality)
        pixels = decode(tmp_path / "saved.jpg").pixels
    box = subject_on_plain_background(holistic_input(pixels))
    assert box is not None
    # The middle of rows 150 to 450 of 600 and columns 250 to 550 of 900.
    assert (box.top, box.bottom) == pytest.approx((180 / 600, 420 / 600), abs=0.02)
    assert (box.left, box.right) == pytest.approx((280 / 900, 520 / 900), abs=0.02)
    assert box.of(pixels).shape == pytest.approx((240, 240, 3), abs=20)


def gradient(height: int, width: int) -> NDArray[np.uint8]:
    sky = np.linspace(120, 200, height)[:, None, None] * np.array([0.6, 0.8, 1.0])
    return np.broadcast_to(sky, (height, width, 3)).astype(np.uint8)


def nearly_filled(height: int, width: int) -> NDArray[np.uint8]:
    pixels = np.full((height, width, 3), 250, np.uint8)
    pixels[height // 10 : -height // 10, width // 10 : -width // 10] = gradient(height, width)[
        height // 10 : -height // 10, width // 10 : -width // 10
    ]
    return pixels


@pytest.mark.parametrize(
    "make",
    [
        gradient,
        nearly_filled,
        lambda height, width: np.full((height, width, 3), 5, np.uint8),
        lambda height, width: np.random.default_rng(0).integers(0, 40, (height, width, 3)).astype(np.uint8),
    ],
)
def test_what_has_no_small_subject_on_a_plain_background_has_none(
    make: Callable[[int, int], NDArray[np.uint8]],
) -> None:
    assert subject_on_plain_background(make(224, 224)) is None


def test_no_sample_photograph_is_one(samples: Path) -> None:
    for path in sorted(samples.glob("*.jpg")):
        assert subject_on_plain_background(holistic_input(decode(path).view)) is None, path.name


class Lightness:
    """An engine that takes how light its inputs are for every severity."""

    def scores(self, kind: str, inputs: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        means = (inputs.mean((1, 2, 3)) / 255).astype(np.float32)
        return {defect.key: means for defect in (DEFECTS if kind == "holistic" else PATCH_DEFECTS)}


def test_light_and_colours_are_the_subjects_and_the_rest_is_the_whole_photos() -> None:
    pixels = np.full((600, 900, 3), 255, np.uint8)
    pixels[200:400, 350:550] = 51
    manifest = Manifest(
        "made", "1", "lite0", Normalization("rgb", (127, 127, 127), 1), {key: Weighting(1, 0) for key in KEYS}
    )
    inputs = make_inputs(pixels, patches=1, placement="sharp", side=160)
    (found,) = score(Lightness(), manifest, [inputs])
    whole = 1 - 200 * 200 / (600 * 900) * 0.8
    assert found.severity == {key: pytest.approx(0.2 if key in TOLD_BY_SUBJECT else whole, abs=0.01) for key in KEYS}


@pytest.mark.parametrize("name", BACKGROUNDS)
def test_a_well_exposed_subject_is_never_severe_for_its_background(samples: Path, name: str) -> None:
    with Image.open(samples / "dog.jpg") as dog, Diagnoser(isolated=False) as diagnoser:
        record = diagnoser.diagnose_pixels(on_plain(dog, BACKGROUNDS[name]))
    assert record.severity is not None
    assert not record.monochrome
    assert {key: value for key, value in record.severity.items() if key in TOLD_BY_SUBJECT and abs(value) >= 0.3} == {}
