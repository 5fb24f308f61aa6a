"""The review as a person uses it: the installed command, its page in Chromium, keys, filters, and what goes wrong."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import PATIENCE_S, Browsing, browser
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from photodefect.review.marks import Mark, MarkStore, Subject

NAMES = ("burst0.jpg", "burst1.jpg", "burst2.jpg", "bulb.jpg", "city.jpg")
HOSTILE = "<img src=x onerror=alert(1)>.jpg"


@pytest.fixture(scope="module")
def originals(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A burst of three, two others, a raw photo's JPEG, a damaged one and one with a hostile name."""
    folder = tmp_path_factory.mktemp("shoot") / "photos"
    folder.mkdir()
    dog = Image.open(samples / "dog.jpg")
    for second in range(3):
        exif = dog.getexif()
        exif.get_ifd(0x8769)[0x9003] = f"2024:05:01 10:00:0{second}"
        dog.crop((second, 0, dog.width - 2 + second, dog.height)).save(folder / f"burst{second}.jpg", exif=exif)
    for name, target in (("bulb.jpg", "bulb.jpg"), ("city.jpg", "city.jpg"), ("haze.jpg", HOSTILE)):
        shutil.copy(samples / name, folder / target)
    (folder / "broken.jpg").write_bytes((folder / "bulb.jpg").read_bytes()[:900])
    return folder


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with browser(tmp_path_factory.mktemp("profile")) as running:
        yield running


class Review:
    """The command, running."""

    def __init__(self, folder: Path, home: Path, model: Path) -> None:
        self.folder = folder
        self.marks = home / "state" / "photodefect" / "marks.sqlite"
        self._command = [sys.executable, "-m", "photodefect", "review", str(folder), "--no-browser"]
        self._command += ["--model", str(model), "--patches", "1"]
        self._environment = os.environ | {"XDG_STATE_HOME": str(home / "state"), "HOME": str(home)}
        self.start()

    def start(self, *options: str) -> None:
        self.process = subprocess.Popen(
            [*self._command, *options], env=self._environment, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/\?key=\S+", line)
        assert found, line + self.process.stderr.read()
        self.address, self.port = found[0], found[1]

    def end(self, how: int = signal.SIGINT) -> int:
        self.process.send_signal(how)
        code = self.process.wait(timeout=PATIENCE_S)
        assert self.process.stderr is not None
        self.said = self.process.stderr.read()
        self.process.stderr.close()
        return code

    def mark_of(self, name: str) -> Mark:
        with MarkStore(self.marks) as store:
            return store.find(Subject(str(self.folder / name)))[0]


class Page(Browsing):
    """The page of a review."""

    def open(self, address: str) -> None:
        self.driver.get(address)
        self.wait(lambda: "picked" in self.one("#summary").text and "looked at" not in self.one("#summary").text)

    def names(self) -> list[str]:
        names: list[str] = self.script("return [...document.querySelectorAll('#grid .name')].map(n => n.textContent)")
        return names

    def card(self, name: str) -> WebElement:
        return next(card for card in self.all("#grid .card") if name in (card.get_attribute("title") or ""))

    def focus(self, name: str) -> None:
        self.driver.execute_script("arguments[0].focus()", self.card(name))

    def label(self, name: str) -> str:
        return self.card(name).get_attribute("aria-label") or ""

    def choose(self, control: str, value: str) -> None:
        self.script(
            f"const c = document.getElementById({control!r}); c.value = {value!r};"
            "c.dispatchEvent(new Event('input', { bubbles: true }))"
        )

    def query(self) -> str:
        text: str = self.script("return location.search")
        return text

    def viewed(self) -> str:
        assert self.script("return document.getElementById('viewer').open")
        return self.one("#viewer-name").text

    def saved(self) -> bool:
        """Whether the last mark is kept: it is read out."""
        return bool(self.one("#said").get_attribute("textContent"))

    def toast(self) -> str:
        self.wait(lambda: self.one("#toast").is_displayed())
        return self.one("#toast").text


@pytest.fixture
def review(originals: Path, random_model: Path, tmp_path: Path) -> Iterator[Review]:
    folder = Path(shutil.copytree(originals, tmp_path / "photos"))
    running = Review(folder, tmp_path / "home", random_model)
    yield running
    with contextlib.suppress(ProcessLookupError):
        running.process.kill()
    running.process.wait()
    if running.process.stderr is not None:
        running.process.stderr.close()


@pytest.fixture
def page(chromium: webdriver.Chrome, review: Review) -> Iterator[Page]:
    opened = Page(chromium)
    opened.open(review.address)
    chromium.get_log("browser")
    yield opened
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    chromium.get("about:blank")


def kept(page: Page, review: Review, name: str, mark: Mark) -> None:
    page.wait(lambda: review.marks.exists() and review.mark_of(name) == mark)


def test_photos_are_shown_by_time_with_what_was_found_and_nothing_is_fetched_from_elsewhere(
    page: Page, chromium: webdriver.Chrome
) -> None:
    assert page.one("h1").text == "photos"
    assert page.names()[:3] == ["burst0.jpg", "burst1.jpg", "burst2.jpg"]
    assert HOSTILE in page.names()
    assert "broken.jpg, failed, Can" in page.label("broken.jpg")
    page.wait(
        lambda: page.script(
            "return [...document.querySelectorAll('#grid img')].filter(i => i.naturalWidth).length == 6"
        )
    )
    assert page.all("img[src=x], [onerror]") == []
    assert [entry["message"] for entry in chromium.get_log("browser")] == []
    asked = page.script("return performance.getEntries().map(e => e.name).filter(n => n.startsWith('http'))")
    assert asked
    assert {url.split("/")[2] for url in asked} == {page.script("return location.host")}


def test_every_key_marks_and_what_is_marked_is_kept_at_once(page: Page, review: Review) -> None:
    page.focus("bulb.jpg")
    for key, mark in {
        "p": Mark("pick"),
        "x": Mark("reject"),
        "u": Mark(),
        "3": Mark(None, 3),
        "5": Mark(None, 5),
        "0": Mark(),
        "6": Mark(None, 0, "Red"),
        "7": Mark(None, 0, "Yellow"),
        "8": Mark(None, 0, "Green"),
        "9": Mark(None, 0, "Blue"),
    }.items():
        page.press(key)
        kept(page, review, "bulb.jpg", mark)
    page.press("9", "P")
    kept(page, review, "bulb.jpg", Mark("pick"))
    assert "picked" in page.label("bulb.jpg")
    assert "1 picked · 0 rejected" in page.one("#summary").text
    assert page.one("#said").get_attribute("textContent") == "bulb.jpg: picked"


def test_a_mark_with_shift_goes_on_and_the_last_mark_can_be_undone(page: Page, review: Review) -> None:
    page.focus("burst0.jpg")
    page.script(
        "document.activeElement.dispatchEvent("
        "new KeyboardEvent('keydown', { key: 'X', code: 'KeyX', shiftKey: true, bubbles: true }))"
    )
    kept(page, review, "burst0.jpg", Mark("reject"))
    page.wait(lambda: "burst1.jpg" in (page.focused().get_attribute("title") or ""))
    page.press("4")
    kept(page, review, "burst1.jpg", Mark(None, 4))
    undo = "dispatchEvent(new KeyboardEvent('keydown', { key: 'z', ctrlKey: true, bubbles: true }))"
    page.script(f"document.activeElement.{undo}")
    kept(page, review, "burst1.jpg", Mark())
    page.script(f"document.activeElement.{undo}")
    kept(page, review, "burst0.jpg", Mark())


def test_filters_stand_in_the_address_and_a_view_can_be_opened_again(page: Page, review: Review) -> None:
    page.focus("bulb.jpg")
    page.press("p")
    kept(page, review, "bulb.jpg", Mark("pick"))
    page.choose("mark", "pick")
    assert page.names() == ["bulb.jpg"]
    assert page.one("#hidden-count").text == "6 hidden by your filters"
    page.choose("sort", "name")
    assert page.query() == "?mark=pick&sort=name"
    page.driver.refresh()
    page.wait(lambda: page.names() == ["bulb.jpg"])
    assert page.script("return document.getElementById('sort').value") == "name"
    page.one("#show-all").click()
    assert len(page.names()) == 7
    assert page.query() == "?sort=name"
    page.choose("search", "burst")
    assert page.names() == ["burst0.jpg", "burst1.jpg", "burst2.jpg"]
    page.choose("burst", "best")
    assert len(page.names()) == 1
    page.choose("search", "")
    page.choose("burst", "in")
    assert len(page.names()) == 3
    page.one("[data-verdict=failed]").click()
    assert page.names() == []
    page.choose("burst", "")
    assert (page.names(), page.query()) == (["broken.jpg"], "?verdict=failed&sort=name")
    page.driver.refresh()
    page.wait(lambda: page.names() == ["broken.jpg"])
    assert not page.one("#grid img").is_displayed()
    page.one("[data-verdict=failed]").click()
    page.choose("since", "2024-05-01")
    page.choose("until", "2024-05-01")
    assert page.names() == ["burst0.jpg", "burst1.jpg", "burst2.jpg"]
    page.one("#show-all").click()
    noise = page.script("return document.querySelector('#sort [value=noise]').textContent")
    assert noise == "Noise, worst first"
    page.choose("sort", "noise")
    first = page.names()
    page.one("#reverse").click()
    assert page.names() == first[::-1]


def test_what_no_longer_fits_the_filter_goes_and_the_next_photo_is_at_hand(page: Page, review: Review) -> None:
    page.choose("mark", "unmarked")
    page.focus("burst0.jpg")
    page.press("x")
    kept(page, review, "burst0.jpg", Mark("reject"))
    page.wait(lambda: "burst0.jpg" not in page.names())
    page.wait(lambda: "burst1.jpg" in (page.focused().get_attribute("title") or ""))


def test_a_killed_browser_loses_no_mark_and_another_browser_gets_nothing(review: Review, tmp_path: Path) -> None:
    with browser(tmp_path / "first") as first:
        page = Page(first)
        page.open(review.address)
        page.focus("city.jpg")
        page.press("p")
        kept(page, review, "city.jpg", Mark("pick"))
        driver = first.service.process.pid
        children = Path(f"/proc/{driver}/task/{driver}/children").read_text().split()
        for child in children:
            os.kill(int(child), signal.SIGKILL)
    with browser(tmp_path / "other") as other:
        other.get(review.address)
        assert "Each address works once" in other.page_source
        assert Page(other).all("#grid") == []
    assert review.end() == 0
    review.start()
    with browser(tmp_path / "other") as other:
        page = Page(other)
        page.open(review.address)
        assert "picked" in page.label("city.jpg")


def test_a_killed_server_loses_no_mark_and_a_renamed_photo_keeps_its_own(page: Page, review: Review) -> None:
    page.focus("city.jpg")
    page.press("p", "4")
    kept(page, review, "city.jpg", Mark("pick", 4))
    review.end(signal.SIGKILL)
    page.press("x")
    assert "photodefect review was ended" in page.toast()
    page.wait(lambda: "picked" in page.label("city.jpg"))  # what was shown too early is taken back
    (review.folder / "city.jpg").rename(review.folder / "town.jpg")
    review.start()
    page.open(review.address)
    page.wait(lambda: "picked, 4 stars" in page.label("town.jpg"))
    assert review.mark_of("town.jpg") == Mark("pick", 4)


def test_a_photo_that_is_deleted_or_changed_meanwhile_is_told(page: Page, review: Review, samples: Path) -> None:
    (review.folder / "bulb.jpg").unlink()
    page.focus("bulb.jpg")
    page.press("p")
    assert "bulb.jpg is gone: it was moved or deleted. Nothing was marked" in page.toast()
    page.wait(lambda: "unmarked" in page.label("bulb.jpg"))
    page.press(Keys.ENTER)
    page.wait(lambda: page.one("#file-state").text.startswith("The file is gone"))
    page.press(Keys.ESCAPE)
    shutil.copy(samples / "dog.jpg", review.folder / "city.jpg")
    page.focus("city.jpg")
    page.press(Keys.ENTER)
    page.wait(lambda: page.one("#file-state").text.startswith("The file has changed"))


def test_two_reviews_of_one_folder_see_each_others_marks(page: Page, review: Review) -> None:
    with MarkStore(review.marks) as other:
        other.set([Subject(str(review.folder / "bulb.jpg"))], Mark("reject"))
    page.wait(lambda: "rejected" in page.label("bulb.jpg"))


def test_a_foreign_page_can_neither_mark_nor_look(page: Page, review: Review, tmp_path: Path) -> None:
    server = f"http://127.0.0.1:{review.port}"
    foreign = tmp_path / "foreign.html"
    foreign.write_text(f"""<!doctype html><title>waiting</title><img id="stolen" src="{server}/picture/0/thumbnail">
        <iframe src="{server}/"></iframe><script>
        const body = JSON.stringify({{ photos: [0], flag: "reject" }});
        fetch("{server}/api/mark", {{ method: "POST", mode: "no-cors", credentials: "include", body }})
            .catch(() => 0).finally(() => {{ document.title = "done"; }});</script>""")
    page.driver.get(foreign.as_uri())
    page.wait(lambda: page.driver.title == "done")
    assert page.script("return document.getElementById('stolen').naturalWidth") == 0
    assert not review.marks.exists()
    page.driver.get(server)
    page.wait(lambda: len(page.names()) == 7)
    assert "unmarked" in page.label("burst0.jpg")


def test_ctrl_c_ends_it_and_says_that_the_marks_are_kept(review: Review) -> None:
    code = review.end()
    assert code == 0, review.said
    assert "all marks are kept" in review.said
    assert "Traceback" not in review.said


def test_a_phone_shows_two_columns_and_has_buttons_for_everything(page: Page, review: Review) -> None:
    page.emulate("setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=2, mobile=True)
    page.driver.refresh()
    page.wait(lambda: len(page.all("#grid li")) >= 4)
    assert page.script("return document.documentElement.scrollWidth") <= 390
    left, right = (card.rect for card in page.all("#grid li")[:2])
    assert left["y"] == right["y"]
    assert page.has_room_for("Saturation \N{MINUS SIGN}0.62 too little")
    page.script("document.querySelector('#grid .card').click()")
    body: Any = page.script("const b = document.querySelector('.viewer-body'); return b.scrollWidth <= b.clientWidth")
    assert body
    for button in page.all("#viewer .actions button"):
        assert button.rect["height"] >= 35
        assert button.is_displayed()
    page.one("[data-is=pick]").click()
    kept(page, review, "burst0.jpg", Mark("pick"))
    page.one("[data-is=pick]").click()
    kept(page, review, "burst0.jpg", Mark())
