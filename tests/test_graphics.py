"""Screenshots, drawings, charts and documents are told from photographs."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from photodefect.diagnosis.scoring import make_inputs
from photodefect.photos.decode import decode
from photodefect.photos.facts import Capture
from photodefect.photos.find import find_photos
from photodefect.photos.graphics import why_no_photograph

Pixels = NDArray[np.uint8]


def saved(image: Image.Image, quality: int) -> Pixels:
    """What a JPEG of this quality keeps."""
    stream = io.BytesIO()
    image.convert("RGB").save(stream, "JPEG", quality=quality)
    return np.array(Image.open(io.BytesIO(stream.getvalue())))


def document() -> Image.Image:
    """A page full of text."""
    page = Image.new("RGB", (1000, 1400), (252, 251, 247))
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(22)
    for line in range(42):
        draw.text((80, 60 + 30 * line), "The quick brown fox jumps over the lazy dog, and so on.", (40, 40, 40), font)
    return page


def screenshot() -> Image.Image:
    """A window with a title, a list and a pane of text."""
    screen = Image.new("RGB", (1366, 768), (43, 48, 59))
    draw, font = ImageDraw.Draw(screen), ImageFont.load_default(16)
    draw.rectangle((0, 0, 1366, 40), (70, 120, 200))
    for row in range(30):
        draw.rectangle((10, 50 + 24 * row, 260, 68 + 24 * row), (60, 66, 80))
        draw.text((16, 50 + 24 * row), f"a file with the number {row}", (220, 220, 220), font)
        draw.text((300, 50 + 24 * row), "def method(self, value): return value * 2  # twice", (160, 220, 140), font)
    return screen


def chart() -> Image.Image:
    """Bars in plain colours with a frame and labels."""
    sheet = Image.new("RGB", (900, 600), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(18)
    for bar in range(10):
        colour = [(31, 119, 180), (255, 127, 14), (44, 160, 44)][bar % 3]
        draw.rectangle((60 + 80 * bar, 540 - 45 * (bar + 1), 120 + 80 * bar, 540), colour)
        draw.text((70 + 80 * bar, 550), f"{bar}", "black", font)
    draw.rectangle((40, 40, 880, 541), outline="black", width=2)
    return sheet


def cartoon() -> Image.Image:
    """Plain shapes with outlines on coloured ground."""
    sheet = Image.new("RGB", (800, 600), (150, 205, 240))
    draw = ImageDraw.Draw(sheet)
    draw.rectangle((0, 400, 800, 600), (90, 170, 80))
    draw.ellipse((580, 50, 700, 170), (255, 220, 60), "black", 5)
    for x in range(40, 560, 130):
        draw.rectangle((x, 260, x + 100, 440), (200, 80 + x // 8, 70), "black", 5)
        draw.polygon([(x - 10, 260), (x + 50, 190), (x + 110, 260)], (120, 40, 40), "black", 5)
    return sheet


GRAPHICS = {make.__name__: make for make in (document, screenshot, chart, cartoon)}


@pytest.mark.parametrize("name", GRAPHICS)
def test_a_graphic_is_recognized_as_it_is_and_after_compression_and_scaling(name: str) -> None:
    graphic = GRAPHICS[name]()
    assert why_no_photograph(np.array(graphic))
    assert why_no_photograph(saved(graphic, 85))
    half = graphic.resize((graphic.width * 2 // 3, graphic.height * 2 // 3), Image.Resampling.LANCZOS)
    assert why_no_photograph(saved(half, 85))


@pytest.mark.parametrize("name", GRAPHICS)
def test_the_reason_says_what_it_is(name: str) -> None:
    reason = why_no_photograph(np.array(GRAPHICS[name]()))
    assert reason is not None
    assert "drawing" in reason


def test_no_sample_is_taken_for_a_graphic_at_any_size_or_quality(samples: Path) -> None:
    for path in find_photos([samples]):
        photo = Image.fromarray(decode(path).pixels)
        for side in (1024, 512, 224):
            photo.thumbnail((side, side))
            assert why_no_photograph(np.array(photo)) is None, (path.name, side)
            assert why_no_photograph(saved(photo, 75)) is None, (path.name, side)


@pytest.mark.parametrize("ground", [(255, 255, 255), (246, 246, 246), (0, 0, 0), (6, 6, 7)])
@pytest.mark.parametrize("name", ["dog", "flowers", "city", "bulb"])
def test_a_subject_cut_out_on_plain_white_or_black_stays_a_photograph(
    samples: Path, name: str, ground: tuple[int, int, int]
) -> None:
    with Image.open(samples / f"{name}.jpg") as image:
        subject = image.convert("RGB").resize((520, 520), Image.Resampling.LANCZOS)
    mask = Image.new("L", subject.size)
    ImageDraw.Draw(mask).ellipse((10, 10, 510, 510), fill=255)
    picture = Image.new("RGB", (1200, 800), ground)
    picture.paste(subject, (340, 140), mask.filter(ImageFilter.GaussianBlur(2)))
    assert why_no_photograph(saved(picture, 92)) is None


def test_stars_and_the_moon_on_black_stay_photographs() -> None:
    random = np.random.default_rng(4)
    stars = np.zeros((700, 1000))
    stars[random.integers(0, 700, 600), random.integers(0, 1000, 600)] = random.exponential(900, 600)
    down, across = np.mgrid[:700, :1000]
    moon = np.where(np.hypot(down - 350, across - 500) < 150, 170.0 + 30 * np.sin(across / 17) * np.cos(down / 23), 2.0)
    for light in (stars, moon):
        blurred = Image.fromarray(light.clip(0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(1))
        noisy = np.asarray(blurred, float)[..., None] + random.normal(3.0, 1.5, (700, 1000, 3))
        assert why_no_photograph(noisy.clip(0, 255).astype(np.uint8)) is None
        assert why_no_photograph(saved(Image.fromarray(noisy.clip(0, 255).astype(np.uint8)), 85)) is None


@pytest.mark.parametrize("level", [0, 255])
def test_a_frame_without_light_or_wholly_blown_may_be_a_photograph(level: int) -> None:
    assert why_no_photograph(np.full((400, 600, 3), level, np.uint8)) is None


@pytest.mark.parametrize("shape", [(1, 1), (7, 900), (900, 7), (8, 8), (9, 3000), (25, 31)])
def test_frames_of_any_shape_are_judged(shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(60, 200, (*shape, 3), dtype=np.uint8)
    assert why_no_photograph(noise) is None


def test_a_picture_is_judged_alike_when_it_is_turned() -> None:
    page = np.array(document())
    assert why_no_photograph(page.transpose(1, 0, 2)[::-1]) == why_no_photograph(page)


@pytest.mark.parametrize(
    ("capture", "graphic"), [(None, True), (Capture(time="2024-05-01"), True), (Capture(iso=100), False)]
)
def test_a_file_with_an_exposure_is_a_photograph_whatever_it_shows(capture: Capture | None, graphic: bool) -> None:
    inputs = make_inputs(np.array(chart()), patches=1, placement="random", side=64, capture=capture)
    assert (inputs.not_photograph is not None) is graphic


@pytest.fixture
def mixed(samples: Path, tmp_path: Path) -> Path:
    """A folder with two photos and a screenshot."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    for name in ("dog", "city"):
        with Image.open(samples / f"{name}.jpg") as image:
            image.resize((600, 400)).save(folder / f"{name}.jpg")
    screenshot().save(folder / "screen.png")
    return folder


def photodefect(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "photodefect", *arguments, "--no-cache", "--workers", "1"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)


def test_a_ranking_leaves_the_screenshot_out_and_says_so(mixed: Path) -> None:
    done = photodefect("rank-folder", "--format", "paths", "--show-excluded", folder=mixed)
    assert sorted(done.stdout.split()) == ["city.jpg", "dog.jpg"]
    assert "1 of 3 left out: 1 no photograph" in done.stderr
    assert "screen.png: no photograph: a screenshot, drawing or document" in done.stderr


def test_with_keep_graphics_it_is_ranked(mixed: Path) -> None:
    done = photodefect("rank-folder", "--format", "paths", "--keep-graphics", folder=mixed)
    assert sorted(done.stdout.split()) == ["city.jpg", "dog.jpg", "screen.png"]
    assert "left out" not in done.stderr


def test_the_summary_counts_photographs_and_names_the_others(mixed: Path) -> None:
    text = photodefect("rank-folder", "--summary", folder=mixed).stdout
    assert text.startswith("2 photos:")
    assert "1 more left out: no photographs" in text
    kept = photodefect("rank-folder", "--summary", "--keep-graphics", "--format", "json", folder=mixed).stdout
    assert (json.loads(kept)["photos"], json.loads(kept)["graphics"]) == (3, 0)


def test_the_record_and_the_table_say_that_it_is_no_photograph(mixed: Path) -> None:
    records = json.loads(photodefect("diagnose", "--format", "json", ".", folder=mixed).stdout)
    said = {Path(record["path"]).name: (record["photograph"], record["not_photograph"]) for record in records}
    assert said["dog.jpg"] == (True, None)
    assert said["screen.png"] == (False, "a screenshot, drawing or document: flat areas without noise")
    assert records[0]["severity"].keys() == records[-1]["severity"].keys()
    assert "screen.png  (no photograph: a screenshot" in photodefect("diagnose", ".", folder=mixed).stdout
