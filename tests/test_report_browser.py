"""The report as a person uses it: in Chromium, opened from disk, by mouse, keyboard and on a phone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from browser import Browsing, browser
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement

from photodefect.defects import KEYS
from photodefect.heatmap import HeatMap
from photodefect.photos.decode import decode
from photodefect.ranking.hints.advice import Finding
from photodefect.ranking.overall import RankedPhoto, Ranking, SeriesPlace
from photodefect.records import Capture, Diagnosis, PhotoFailure
from photodefect.reports.html import HtmlReport, ReportFolder, make_pictures
from photodefect.verdicts import DEFAULT_THRESHOLDS, verdict

HOSTILE = '"><img src=x onerror=alert(1)>.jpg'
MANY = 300

# Name, camera, and what differs from 0.05.
PHOTOS: tuple[tuple[str, str, dict[str, float]], ...] = (
    ("IMG_10.jpg", "Camera A", {"noise": 0.9, "bad_saturation": 0.1}),
    ("IMG_9.jpg", "Camera A", {"noise": 0.4, "bad_saturation": -0.8}),
    (HOSTILE, "Camera B", {"undesired_blur": 0.6, "bad_saturation": 0.6}),
    ("IMG_2.jpg", "Camera B", {"haze": 0.35, "bad_saturation": -0.4}),
    ("bad/bytes \udcff.jpg", "Camera C", {}),
)
BY_SATURATION = ["IMG_9.jpg", HOSTILE, "IMG_2.jpg", "IMG_10.jpg", "bytes \\xff.jpg"]
BY_NOISE = ["IMG_10.jpg", "IMG_9.jpg"]


def record(name: str, camera: str, severity: dict[str, float]) -> Diagnosis:
    severity = dict.fromkeys(KEYS, 0.05) | severity
    worst, overall = verdict(severity)
    return Diagnosis(
        f"/photos/{name}",
        width=576,
        height=576,
        severity=severity,
        percentile=dict.fromkeys(KEYS, 70),
        worst=worst,
        verdict=overall,
        thresholds=DEFAULT_THRESHOLDS,
        monochrome=False,
        capture=Capture(camera=camera, iso=800, shutter_s=0.01),
    )


# Who stands at which place of which set.
PLACES = {
    "IMG_9.jpg": SeriesPlace(1, "burst", 2, 2),
    HOSTILE: SeriesPlace(1, "burst", 2, 1),
    "IMG_2.jpg": SeriesPlace(2, "bracket", 2, 2),
    "IMG_10.jpg": SeriesPlace(2, "bracket", 2, 1),
}


def ranked(name: str, camera: str, severity: dict[str, float]) -> RankedPhoto:
    noisy = (Finding("noise", 0.9, 97, "severe", None, "reduce <b>noise</b>"),) if severity.get("noise") == 0.9 else ()
    both = (
        Finding("bad_saturation", 0.6, 97, "severe", "over-saturated", "over-saturated: lower saturation"),
        Finding("undesired_blur", 0.6, 97, "severe", "motion", "looks like motion at 1/15 s"),
    )
    findings = both if "undesired_blur" in severity else noisy
    ranking = Ranking(1, 5, "overall", 0.5, 0.5, findings, PLACES.get(name))
    return RankedPhoto.of(record(name, camera, severity), ranking)


@pytest.fixture(scope="module")
def small(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of five photos and a failed one."""
    pixels = decode(samples / "bulb.jpg").pixels
    grid = np.linspace(-1, 1, 36, dtype=np.float32).reshape(6, 6)
    maps = {
        key: HeatMap(key, grid if key == "bad_saturation" else abs(grid), 576, 576, (96, 96), (48, 48), 96, 1.0, False)
        for key in KEYS
        if key != "bad_composition"
    }
    pictures = make_pictures(pixels, maps)
    with ReportFolder(tmp_path_factory.mktemp("small") / "a report #1") as folder:
        report = HtmlReport(folder, "Photos")
        for photo in PHOTOS:
            report.add(record(*photo), pictures)
        report.add(Diagnosis(f"/photos/{HOSTILE}", error=PhotoFailure("UnreadableError", "<b>cut short</b>")), None)
        return report.close(ranked=[ranked(*photo) for photo in PHOTOS])


@pytest.fixture(scope="module")
def large(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of more photos than are in sight."""
    pictures = make_pictures(decode(samples / "bulb.jpg").pixels[:64, :96].copy())
    with ReportFolder(tmp_path_factory.mktemp("large") / "report") as folder:
        report = HtmlReport(folder, "Many photos")
        for number in range(MANY):
            report.add(record(f"IMG_{number}.jpg", "Camera", {"noise": number / MANY}), pictures)
        return report.close()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    with browser(tmp_path_factory.mktemp("profile")) as running:
        yield running


class Page(Browsing):
    """A report in the browser, and what a person sees and does there."""

    def open(self, page: Path) -> None:
        self.driver.get(page.resolve().as_uri())
        self.wait(lambda: self.all("#grid li") or self.all("#empty:not([hidden])"))

    def names(self) -> list[str]:
        names: list[str] = self.script("return [...document.querySelectorAll('#grid .name')].map(n => n.textContent)")
        return names

    def viewer_is_open(self) -> bool:
        return bool(self.script("return document.getElementById('viewer').open"))

    def viewed(self) -> str:
        assert self.viewer_is_open()
        return self.one("#viewer-name").text

    def loaded(self, selector: str) -> bool:
        """Whether a picture is there and is really one."""
        return bool(
            self.script(f"const i = document.querySelector({selector!r}); return i && i.complete && i.naturalWidth > 0")
        )

    def chip(self, grade: str) -> WebElement:
        return self.one(f"[data-grade={grade}]")


@pytest.fixture
def page(chromium: webdriver.Chrome) -> Iterator[Page]:
    """A browser; afterwards its console must be empty, and nothing may have been asked of a network."""
    chromium.get("about:blank")
    for kind in ("browser", "performance"):
        chromium.get_log(kind)
    yield Page(chromium)
    # The photos of these pages aren't there; a page that was sent to somebody shows its own pictures instead.
    messages = [entry["message"] for entry in chromium.get_log("browser")]
    assert [message for message in messages if not message.startswith("file:///photos/")] == []
    asked = []
    for entry in chromium.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            asked.append(message["params"]["request"]["url"])
    assert asked
    assert [url for url in asked if not url.startswith(("file:///", "about:", "chrome://"))] == []
    chromium.execute_script("localStorage.clear()")
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_page_opens_from_disk_with_the_worst_photos_first(page: Page, small: Path) -> None:
    page.open(small)
    assert page.names() == ["IMG_10.jpg", "IMG_9.jpg", HOSTILE, "IMG_2.jpg", "bytes \\xff.jpg"]
    assert page.one("h1").text == "Photos"
    assert [tile.text.split("\n")[0] for tile in page.all(".tile")][:3] == ["Overall", "Exposure", "White balance"]
    page.wait(lambda: all(page.script("return [...document.querySelectorAll('#grid img')].map(i => i.naturalWidth)")))


def test_a_hostile_name_is_text_wherever_it_shows(page: Page, small: Path) -> None:
    page.open(small)
    card = next(card for card in page.all("#grid .card") if card.find_element(By.CLASS_NAME, "name").text == HOSTILE)
    assert card.get_attribute("title") == f"/photos/{HOSTILE}"
    card.click()
    assert page.viewed() == HOSTILE
    link = page.one("#original").get_attribute("href") or ""
    assert link.endswith("/photos/%22%3E%3Cimg%20src%3Dx%20onerror%3Dalert%281%29%3E.jpg")
    page.press(Keys.ESCAPE)
    page.one(".failures summary").click()
    assert page.one(".failures dt").text == f"/photos/{HOSTILE}"
    assert page.one(".failures dd").text == "<b>cut short</b>"
    assert page.all("[onerror], img[src=x]") == []


def test_a_defects_gallery_is_ordered_by_its_size_and_tells_the_direction(page: Page, small: Path) -> None:
    page.open(small)
    page.one("[data-order=bad_saturation]").click()
    assert page.names() == BY_SATURATION
    findings = [element.text for element in page.all("#grid .finding-text")]
    assert findings[0] == "−0.80 under · worse than 70%"  # noqa: RUF001 - the sign of numbers
    assert findings[1] == "+0.60 over · worse than 70%"
    assert page.one("[data-order=bad_saturation]").get_attribute("aria-pressed") == "true"
    assert page.one("[data-order=overall]").get_attribute("aria-pressed") == "false"


def test_sorting_goes_both_ways_and_by_name_as_people_count(page: Page, small: Path) -> None:
    page.open(small)
    page.one("[data-order=bad_saturation]").click()
    sort = page.one("#sort")
    sort.find_element(By.CSS_SELECTOR, "[value=best]").click()
    assert page.names() == BY_SATURATION[::-1]
    sort.find_element(By.CSS_SELECTOR, "[value=name]").click()
    names = page.names()
    assert names.index("IMG_2.jpg") < names.index("IMG_9.jpg") < names.index("IMG_10.jpg")
    assert page.all("#sort [value=time]") == []  # no photo says when it was taken


def test_filters_narrow_by_grade_and_by_text_and_can_be_taken_back(page: Page, small: Path) -> None:
    page.open(small)
    page.chip("mild").click()
    assert page.names() == ["IMG_2.jpg"]
    assert page.one("#count").text == "1 of 5 photos"
    page.chip("severe").click()
    assert len(page.names()) == 4
    page.one("[data-order=noise]").click()
    page.chip("severe").click()
    page.chip("mild").click()
    assert page.names() == BY_NOISE
    page.one("#search").send_keys("camera b")
    assert page.names() == []
    assert page.one("#empty").is_displayed()
    page.one("#clear").click()
    assert len(page.names()) == 5
    page.one("#search").send_keys("onerror")
    assert page.names() == [HOSTILE]


def test_the_histograms_hold_every_photo_once(page: Page, small: Path) -> None:
    page.open(small)
    heights = """return [...document.querySelectorAll('[data-order=noise] rect.all')]
        .map(bar => [bar.x.baseVal.value, bar.height.baseVal.value])"""
    # 0.9 and 0.4 once each, 0.05 three times, in twenty bins.
    (low, tall), (middle, one), (high, other) = page.script(heights)
    assert [int(x) for x in (low, middle, high)] == [1, 8, 18]
    assert one == other == pytest.approx(tall / 3, rel=0.01)


def test_a_photo_opens_with_its_heat_maps_and_its_data(page: Page, small: Path) -> None:
    page.open(small)
    page.all("#grid .card")[0].click()
    assert page.viewed() == "IMG_10.jpg"
    assert page.one("#viewer-place").text == "1 of 5"
    assert page.one("#viewer-verdict").text.lower() == "severe"
    page.wait(lambda: page.loaded("#preview"))
    shown = page.one("#facts").text
    assert "Camera A" in shown
    assert "1/100 s · ISO 800" in shown
    assert "worse than 70% of reference photos" in page.one("#scores").text
    assert [item.text for item in page.all(".strip-item")] == [
        "Photo", "Exposure", "White balance", "Saturation", "Noise", "Haze", "Blur",
    ]  # fmt: skip
    assert not page.one("#overlay").is_displayed()
    page.all(".strip-item")[4].click()
    page.wait(lambda: page.loaded("#overlay"))
    assert page.one("#overlay").is_displayed()
    assert (page.one("#overlay").get_attribute("src") or "").endswith("-noise.png")
    assert page.one("#overlay").rect == page.one("#preview").rect
    assert page.one("#map-note").text == "Noise: the redder, the severer; original resolution"
    page.all(".strip-item")[0].click()
    assert not page.one("#overlay").is_displayed()


def test_the_keyboard_is_enough(page: Page, small: Path) -> None:
    page.open(small)
    for _ in range(40):
        page.press(Keys.TAB)
        if page.script("return document.activeElement.matches('#grid .card')"):
            break
    assert page.focused().find_element(By.CLASS_NAME, "name").text == "IMG_10.jpg"
    outline = page.script("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.press(Keys.ARROW_RIGHT, Keys.ENTER)
    assert page.viewed() == "IMG_9.jpg"
    page.press(Keys.ARROW_RIGHT)
    assert page.viewed() == HOSTILE
    page.press("6")
    page.wait(lambda: page.one("#overlay").is_displayed())
    page.press("0")
    assert not page.one("#overlay").is_displayed()
    page.press(Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert page.viewed() == "IMG_10.jpg"
    page.press(Keys.ARROW_RIGHT, Keys.ESCAPE)
    page.wait(lambda: not page.viewer_is_open())
    page.wait(lambda: page.script("return document.activeElement.matches('#grid .card')"))
    assert page.focused().find_element(By.CLASS_NAME, "name").text == "IMG_9.jpg"
    page.press(Keys.END)
    assert page.focused().find_element(By.CLASS_NAME, "name").text == "bytes \\xff.jpg"
    page.press("/", "9")
    assert page.names() == ["IMG_9.jpg"]


def test_a_key_that_comes_right_after_the_viewer_was_closed_is_not_taken_back(page: Page, small: Path) -> None:
    page.open(small)
    page.one("#grid .card").click()
    page.press(Keys.ARROW_RIGHT)
    page.script(
        "const viewer = document.getElementById('viewer');"
        "viewer.addEventListener('close', () => { document.title = 'told'; });"
        "viewer.close();"
        "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key: 'End', bubbles: true }));"
    )
    page.wait(lambda: page.driver.title == "told")
    assert page.focused().find_element(By.CLASS_NAME, "name").text == "bytes \\xff.jpg"


def test_arrow_keys_still_work_after_a_click_on_the_photo(page: Page, small: Path) -> None:
    page.open(small)
    page.all("#grid .card")[0].click()
    page.one("#preview").click()
    page.press(Keys.ARROW_RIGHT)
    assert page.viewed() == "IMG_9.jpg"


def test_it_follows_the_systems_theme_until_told_otherwise_and_remembers(page: Page, small: Path) -> None:
    def lightness() -> int:
        colour = page.script("return getComputedStyle(document.body).backgroundColor")
        parts = [int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
        assert len(set(parts)) == 1  # a neutral grey
        return parts[0]

    page.open(small)
    assert lightness() > 200
    page.emulate("setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    page.open(small)
    assert lightness() < 60
    page.one("#theme").click()
    assert lightness() > 200
    page.open(small)
    assert lightness() > 200


def test_a_phone_shows_two_columns_and_nothing_sticks_out(page: Page, small: Path) -> None:
    page.emulate("setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=2, mobile=True)
    page.open(small)
    assert page.script("return document.documentElement.scrollWidth") <= 390
    left, right = (card.rect for card in page.all("#grid li")[:2])
    assert left["y"] == right["y"]
    assert right["x"] + right["width"] <= 390
    assert page.has_room_for("Saturation \N{MINUS SIGN}0.62 too little")
    for button in page.all(".chip, #theme, #search, #sort"):
        assert button.rect["height"] >= 35
    page.script("document.querySelector('#grid .card').click()")
    page.wait(lambda: page.loaded("#preview"))
    assert page.one("#preview").rect["width"] <= 390
    assert page.script("const b = document.querySelector('.viewer-body'); return b.scrollWidth <= b.clientWidth")
    assert page.script("const b = document.querySelector('.viewer-body'); return b.scrollHeight > b.clientHeight")


def test_of_many_photos_only_those_in_sight_are_in_the_page(page: Page, large: Path) -> None:
    page.open(large)
    count = len(page.all("#grid li"))
    assert count < 60
    assert page.names()[0] == f"IMG_{MANY - 1}.jpg"
    assert page.one("#grid li").get_attribute("aria-setsize") == str(MANY)
    page.script("scrollTo(0, document.body.scrollHeight)")
    page.wait(lambda: "IMG_0.jpg" in page.names())
    assert len(page.all("#grid li")) < 60


def test_the_keyboard_reaches_the_last_of_many_photos(page: Page, large: Path) -> None:
    page.open(large)
    page.one("[data-order=noise]").click()
    page.script("document.querySelector('#grid .card').focus()")
    page.press(Keys.END)
    last = page.focused()
    assert last.find_element(By.CLASS_NAME, "name").text == "IMG_0.jpg"
    bottom = page.script("return document.activeElement.getBoundingClientRect().bottom - innerHeight")
    assert bottom <= 0
    page.press(Keys.ENTER)
    assert page.one("#viewer-place").text == f"{MANY} of {MANY}"
    assert not page.one("#next").is_enabled()
    assert not page.one("#strip").is_displayed()  # this report was made without heat maps


def test_hints_say_which_way_it_went_and_are_text(page: Page, small: Path) -> None:
    page.open(small)
    texts = [element.text for element in page.all("#grid .finding-text")]
    assert texts[2] == "Saturation +0.60 over-saturated"
    page.all("#grid .card")[0].click()
    assert [line.text for line in page.all("#findings .hint")] == ["Noise: reduce <b>noise</b>"]
    page.press(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert [line.text for line in page.all("#findings .hint")] == [
        "Saturation: over-saturated: lower saturation",
        "Blur: looks like motion at 1/15 s",
    ]
    page.press(Keys.ARROW_RIGHT)
    assert page.all("#findings .hint") == []


def test_nothing_is_said_to_be_worse_than_others_under_a_good_bar(page: Page, small: Path) -> None:
    page.open(small)
    page.all("#grid .card")[0].click()
    rows = {row.text.split("\n")[0]: row.text for row in page.all("#scores .score")}
    assert "worse than 70% of reference photos" in rows["Noise"]
    assert all("worse" not in text for name, text in rows.items() if name != "Noise")
    page.press(Keys.ESCAPE)
    page.one("[data-order=haze]").click()
    texts = [element.text for element in page.all("#grid .finding-text")]
    assert texts[0] == "0.35 · worse than 70%"
    assert all(text == "0.05" for text in texts[1:])


def test_bursts_and_sets_are_named_shown_alone_and_thinned_to_the_best(page: Page, small: Path) -> None:
    page.open(small)
    labels = {card.find_element(By.CLASS_NAME, "name").text: card.find_element(By.CLASS_NAME, "series").text
              for card in page.all("#grid .card")}  # fmt: skip
    assert labels == {
        "IMG_10.jpg": "Bracket 1",
        "IMG_9.jpg": "Burst 2",
        HOSTILE: "Burst 2: best",
        "IMG_2.jpg": "Bracket 1",
        "bytes \\xff.jpg": "",
    }
    choices = page.one("#set")
    assert [option.text for option in choices.find_elements(By.TAG_NAME, "option")] == [
        "All photos", "Best of each burst", "In bursts and sets", "Bracket 1, 2 photos", "Burst 2, 2 photos",
    ]  # fmt: skip
    choices.find_element(By.CSS_SELECTOR, "[value=best]").click()
    assert "IMG_9.jpg" not in page.names()
    assert len(page.names()) == 4  # a bracket stays whole
    choices.find_element(By.CSS_SELECTOR, "[value='']").click()
    page.all("#grid .card")[1].click()
    assert page.one("#series").text == f"Burst 2, 2 photos; its best is {HOSTILE}. Show them"
    page.one("#series-show").click()
    page.wait(lambda: not page.viewer_is_open())
    assert sorted(page.names()) == sorted(["IMG_9.jpg", HOSTILE])


def test_filters_stand_in_the_address_and_come_back_with_it(page: Page, small: Path) -> None:
    page.open(small)
    assert "#" not in page.driver.current_url
    page.one("[data-order=bad_saturation]").click()
    page.chip("severe").click()
    page.one("#search").send_keys("camera")
    page.one("#sort").find_element(By.CSS_SELECTOR, "[value=name]").click()
    seen, address = page.names(), page.driver.current_url
    assert address.endswith("#by=bad_saturation&verdict=severe&sort=name&search=camera")
    page.driver.get("about:blank")
    page.driver.get(address)
    page.wait(lambda: page.all("#grid li"))
    assert page.names() == seen
    assert page.one("#search").get_attribute("value") == "camera"
    assert page.one("[data-order=bad_saturation]").get_attribute("aria-pressed") == "true"
    page.script("location.hash = '#verdict=mild'")
    page.wait(lambda: page.names() == ["IMG_2.jpg"])
    page.script("location.hash = '#by=nonsense&verdict=no&sort=up&set=9'")
    page.wait(lambda: len(page.names()) == 5)


def test_a_click_shows_the_photo_at_its_own_size_there(page: Page, small: Path) -> None:
    page.open(small)
    page.all("#grid .card")[0].click()
    page.wait(lambda: page.loaded("#preview"))
    before = page.one("#frame").rect["width"]
    page.script("window.photodefectReport.photos.forEach((photo) => { photo.size = [5000, 5000]; })")
    page.press(Keys.ARROW_RIGHT, Keys.ARROW_LEFT)
    page.one("#stage").click()
    assert page.one("#frame").rect["width"] == 5000
    assert before < 1300
    # A click in the middle shows the middle.
    across = page.script("const s = document.getElementById('stage'); return s.scrollLeft + s.clientWidth / 2")
    assert across == pytest.approx(2500, abs=30)
    page.press("z")
    assert page.one("#frame").rect["width"] < 1300
    page.press("z", Keys.ARROW_RIGHT)
    assert page.one("#stage").get_attribute("aria-pressed") == "false"


def test_on_a_phone_every_bar_has_its_name(page: Page, small: Path) -> None:
    page.emulate("setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=2, mobile=True)
    page.open(small)
    names = page.all("#grid .card")[0].find_elements(By.CLASS_NAME, "bar-name")
    assert [name.text.rstrip("+\N{MINUS SIGN}") for name in names] == [
        "Exp",
        "WB",
        "Sat",
        "Noise",
        "Haze",
        "Blur",
        "Comp",
    ]
    card = page.all("#grid .card")[0].rect
    for name in names:
        assert name.is_displayed()
        assert name.rect["y"] + name.rect["height"] <= card["y"] + card["height"]
