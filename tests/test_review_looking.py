"""Looking at photos in a review: 100 %, comparing in step, heat maps, bursts, help and export, in Chromium."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.keys import Keys
from test_review_browser import Page, Review, chromium, kept

from photodefect.review.drawing import sharpest_place
from photodefect.review.marks import Mark

__all__ = ["chromium"]

WIDTH, HEIGHT = 1800, 1200
SHARP = (0.75, 0.25)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, samples: Path) -> Path:
    """Four large photos, sharp in one place, two of them a burst; and one that is none."""
    folder = tmp_path_factory.mktemp("looking") / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(4):
        with Image.open(samples / "dog.jpg") as dog:
            soft = dog.convert("RGB").resize((40, 30)).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        pixels = np.asarray(soft).copy()
        left, top = round(SHARP[0] * WIDTH) - 112, round(SHARP[1] * HEIGHT) - 112
        pixels[top : top + 224, left : left + 224] = rng.integers(0, 256, (224, 224, 3), dtype=np.uint8)
        image = Image.fromarray(pixels)
        exif = image.getexif()
        exif.get_ifd(0x8769)[0x9003] = f"2024:05:01 10:0{number // 2}:0{number}"
        image.save(folder / f"{number}.jpg", exif=exif, quality=90)
    return folder


@pytest.fixture(scope="module")
def review(folder: Path, random_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Review]:
    running = Review(folder, tmp_path_factory.mktemp("home"), random_model)
    yield running
    assert running.end() == 0, running.said


@pytest.fixture(scope="module")
def admitted(chromium: webdriver.Chrome, review: Review) -> webdriver.Chrome:
    chromium.get(review.address)
    return chromium


@pytest.fixture
def page(admitted: webdriver.Chrome, review: Review) -> Iterator[Page]:
    opened = Page(admitted)
    opened.open(f"http://127.0.0.1:{review.port}/?sort=name")
    opened.focus("0.jpg")
    admitted.get_log("browser")
    yield opened
    assert [entry["message"] for entry in admitted.get_log("browser")] == []


def middles(page: Page) -> list[tuple[float, float]]:
    """Which place of each photo lies in the middle of its pane, 0..1."""
    found: list[Any] = page.script("""return [...document.querySelectorAll('.pane')].map(pane => {
        const view = pane.querySelector('.pane-view').getBoundingClientRect();
        const frame = pane.querySelector('.pane-frame').getBoundingClientRect();
        return [(view.x + view.width / 2 - frame.x) / frame.width, (view.y + view.height / 2 - frame.y) / frame.height];
    })""")
    return [(x, y) for x, y in found]


def widths(page: Page) -> list[float]:
    found: list[float] = page.script("return [...document.querySelectorAll('.pane-frame')].map(f => f.clientWidth)")
    return found


def shown(page: Page) -> list[str]:
    names: list[str] = page.script("return [...document.querySelectorAll('.pane-name')].map(n => n.textContent)")
    return names


def whole(page: Page) -> bool:
    """Whether every pane shows its photo at full size."""
    at_full_size = f"[...document.querySelectorAll('.whole')].every(i => !i.hidden && i.naturalWidth === {WIDTH})"
    return bool(page.script(f"return {at_full_size}"))


def test_the_sharpest_place_is_where_the_detail_is() -> None:
    pixels = np.full((HEIGHT, WIDTH, 3), 100, np.uint8)
    pixels[200:400, 1300:1500] = np.random.default_rng(0).integers(0, 256, (200, 200, 3))
    x, y = (float(part) for part in sharpest_place(pixels).decode().strip("[]").split(","))
    assert abs(x * WIDTH - 1400) < 112
    assert abs(y * HEIGHT - 300) < 112
    for shape in ((1, 1), (1, 500), (30, 40)):
        assert sharpest_place(np.zeros((*shape, 3), np.uint8))


def test_z_shows_every_pixel_where_the_photo_is_sharpest_and_takes_it_back(page: Page) -> None:
    page.press(Keys.ENTER)
    assert page.viewed() == "0.jpg"
    page.press("z")
    page.wait(lambda: whole(page))
    assert widths(page) == [WIDTH]
    ((x, y),) = middles(page)
    assert abs(x - SHARP[0]) < 0.1
    assert abs(y - SHARP[1]) < 0.16, "or as near as the border allows"
    page.press("+")
    assert widths(page) == [WIDTH * 1.25]
    page.press("z")
    page.wait(lambda: widths(page)[0] < 1000)


def test_a_click_shows_every_pixel_there(page: Page) -> None:
    page.press(Keys.ENTER)
    page.one(".pane-view").click()
    page.wait(lambda: whole(page))
    ((x, y),) = middles(page)
    assert (abs(x - 0.5) < 0.02, abs(y - 0.5) < 0.02) == (True, True)
    page.one(".pane-view").click()
    page.wait(lambda: widths(page)[0] < 1000)


def test_photos_are_compared_in_step_with_one_held(page: Page) -> None:
    page.press("c")
    assert shown(page) == ["0.jpg", "1.jpg"]
    assert page.one(".pane .held:not([hidden])").is_displayed()
    assert page.viewed() == "1.jpg"
    page.press(Keys.ARROW_RIGHT)
    assert shown(page) == ["0.jpg", "2.jpg"]
    page.press("z")
    page.wait(lambda: whole(page))
    first, second = middles(page)
    assert first == pytest.approx(second)
    page.script("""
        const view = document.querySelectorAll('.pane-view')[1];
        const tell = (type, x, y) => view.dispatchEvent(new PointerEvent(type,
            { pointerId: 1, button: 0, clientX: x, clientY: y, bubbles: true }));
        view.setPointerCapture = () => {};
        tell('pointerdown', 700, 300);
        tell('pointermove', 750, 260);
        tell('pointermove', 790, 240);
        tell('pointerup', 790, 240);
    """)
    moved = middles(page)
    assert moved[0] == pytest.approx(moved[1])
    assert moved[0][0] < first[0] - 0.02
    assert moved[0][1] > first[1] + 0.02
    page.press("z", "+")
    assert shown(page) == ["0.jpg", "2.jpg", "3.jpg"]
    page.press("-")
    assert len(shown(page)) == 2
    page.press("h")  # the other one is held from now on
    held = page.script("return [...document.querySelectorAll('.held')].map(h => !h.hidden)")
    assert held == [False, True]
    page.press("c")
    assert len(shown(page)) == 1


def test_a_mark_goes_to_the_photo_that_tab_chose(page: Page, review: Review) -> None:
    page.press("c", "4")
    kept(page, review, "1.jpg", Mark(None, 4))
    page.press(Keys.TAB, "2")
    kept(page, review, "0.jpg", Mark(None, 2))
    page.press("0", Keys.TAB, "0")
    kept(page, review, "1.jpg", Mark())
    kept(page, review, "0.jpg", Mark())


def test_up_to_four_chosen_photos_are_compared(page: Page) -> None:
    page.press(" ", Keys.ARROW_RIGHT, " ", Keys.ARROW_RIGHT, " ", Keys.ARROW_RIGHT, " ", "c")
    assert shown(page) == ["0.jpg", "1.jpg", "2.jpg", "3.jpg"]
    boxes = [pane.rect for pane in page.all(".pane")]
    assert {(box["width"], box["height"]) for box in boxes} == {(boxes[0]["width"], boxes[0]["height"])}
    assert len({(box["x"], box["y"]) for box in boxes}) == 4


def test_m_shows_the_heat_maps_and_z_goes_where_one_is_worst(page: Page) -> None:
    page.press(Keys.ENTER, "m")
    there = "const o = document.querySelector('.overlay'); return !o.hidden && o.complete"
    page.wait(lambda: page.script(there))  # a process of its own loads the networks first
    chosen = page.one("#scores [aria-pressed=true] .score-name").text
    told = page.one("#pane-note").text
    assert told.startswith(f"{chosen}: ")
    overlay, base = page.one(".overlay").rect, page.one(".base").rect
    assert overlay == base
    page.press("z")
    page.wait(lambda: whole(page) and page.one("#pane-note").text == told)
    page.press("z", "m")
    page.wait(lambda: page.one("#scores [aria-pressed=true] .score-name").text != chosen)
    for _ in range(5):
        page.press("m")
    page.wait(lambda: not page.one(".overlay").is_displayed())
    row = next(row for row in page.all(".score") if "Noise" in row.text)
    row.click()
    page.wait(lambda: (page.one(".overlay").get_attribute("src") or "").split("?")[0].endswith("/noise"))
    composition = next(row for row in page.all(".score") if "Composition" in row.text)
    assert not composition.is_enabled()


def test_b_shows_the_burst_with_one_suggested(page: Page) -> None:
    page.press(Keys.ENTER, "b")
    assert len(page.all(".strip-photo")) == 2
    page.wait(lambda: [best.text for best in page.all(".strip-photo .best")] == ["suggested"])
    page.wait(lambda: page.all(".strip-photo")[1].click() is None)  # the strip is drawn anew when pictures come
    assert page.viewed() == "1.jpg"
    page.press(Keys.ARROW_RIGHT)
    assert page.viewed() == "1.jpg", "arrows stay in the burst"
    page.press("b", Keys.ARROW_RIGHT)
    assert page.viewed() == "2.jpg"


def test_the_question_mark_lists_the_keys_and_escape_closes(page: Page) -> None:
    page.press("?")
    assert page.one("#help").is_displayed()
    assert "pick" in page.one("#help").text
    page.press(Keys.ESCAPE)
    page.wait(lambda: not page.one("#help").is_displayed())
    page.press("/", "2.jpg")
    page.wait(lambda: page.names() == ["2.jpg"])


def test_closing_gives_the_focus_back_to_the_photo_that_was_looked_at(page: Page) -> None:
    page.press(Keys.ENTER, Keys.ARROW_RIGHT, Keys.ARROW_RIGHT, Keys.ESCAPE)
    page.wait(lambda: "2.jpg" in (page.focused().get_attribute("title") or ""))


def test_what_is_shown_can_be_exported(page: Page, folder: Path, tmp_path: Path, review: Review) -> None:
    page.press("p")
    kept(page, review, "0.jpg", Mark("pick"))
    page.choose("mark", "pick")
    page.driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    page.one("#export-open").click()
    assert page.one("#export-count").text.startswith("1 photo is shown")
    expected = {"paths": "photos.txt", "csv": "photos.csv", "exiftool-csv": "exiftool.csv", "xmp": "sidecars.txt"}
    for kind, name in expected.items():
        page.one(f"[data-format={kind}]").click()
        page.wait(lambda name=name: (tmp_path / name).is_file())  # type: ignore[misc]
    assert (tmp_path / "photos.txt").read_text() == f"{folder / '0.jpg'}\n"
    with (tmp_path / "exiftool.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["SourceFile"], row["XMP-xmp:Rating"]) == (str(folder / "0.jpg"), "3")
    with (tmp_path / "photos.csv").open(newline="") as file:
        assert [row["path"] for row in csv.DictReader(file)] == [str(folder / "0.jpg")]
    assert (tmp_path / "sidecars.txt").read_text().startswith(f"{folder / '0.xmp'} (new): rating 3")
    assert not list(folder.glob("*.xmp"))
    page.press(Keys.ESCAPE)
    page.one("#show-all").click()
    page.focus("0.jpg")
    page.press("u")
    kept(page, review, "0.jpg", Mark())
