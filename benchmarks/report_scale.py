"""How a report of thousands of photos opens and scrolls in Chromium.

Makes a report of generated records over a few sample photographs, opens it from disk in a headless browser and prints
what was measured, as JSON:

    python benchmarks/report_scale.py --photos 5000
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from photodefect.defects import DEFECTS
from photodefect.photos.decode import decode
from photodefect.records import Capture, Diagnosis
from photodefect.reports.html import HtmlReport, ReportFolder, make_pictures
from photodefect.verdicts import DEFAULT_THRESHOLDS, verdict

SAMPLES = Path(__file__).parents[1] / "samples"
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --window-size=1440,900"
)

# Scrolls for some seconds, at every frame by some pixels, and gives the time of each frame in milliseconds.
SCROLL = """
const [pixels, seconds, done] = arguments;
const times = [];
let blank = 0, last = performance.now();
const start = last;
function step(now) {
  times.push(now - last);
  last = now;
  // More than one place, since there is nothing between cards either.
  const places = [[0.3, 0.5], [0.35, 0.6], [0.62, 0.55], [0.66, 0.7]];
  const filled = ([x, y]) => document.elementFromPoint(innerWidth * x, innerHeight * y)?.closest("#grid li");
  if (!places.some(filled)) blank++;
  scrollBy(0, pixels);
  if (now - start < seconds * 1000) requestAnimationFrame(step);
  else done({ times: times.slice(1), blank, top: scrollY });
}
requestAnimationFrame(step);
"""

# Clicks an element, or types into one, and gives the milliseconds until the page has been drawn again.
CLICK = """
const [selector, done] = arguments;
const start = performance.now();
document.querySelector(selector).click();
const work = performance.now() - start;
requestAnimationFrame(() => setTimeout(() => done({ work, drawn: performance.now() - start })));
"""
TYPE = """
const [text, done] = arguments;
const field = document.getElementById("search");
const start = performance.now();
field.value = text;
field.dispatchEvent(new Event("input", { bubbles: true }));
const work = performance.now() - start;
requestAnimationFrame(() => setTimeout(() => done({ work, drawn: performance.now() - start })));
"""


def make_report(folder: Path, photos: int) -> Path:
    """A report of generated records; the pictures are those of the samples, each photo with files of its own."""
    draw = random.Random(0)
    pictures = [make_pictures(decode(path).pixels) for path in sorted(SAMPLES.glob("*.jpg"))]
    with ReportFolder(folder) as target:
        page = HtmlReport(target, f"{photos} photos")
        for number in range(photos):
            severity = {
                defect.key: draw.betavariate(0.6, 2.5) * (draw.choice((-1, 1)) if defect.signed else 1)
                for defect in DEFECTS
            }
            worst, overall = verdict(severity)
            capture = Capture(
                time=f"2024-05-{1 + number % 28:02}T{number // 60 % 24:02}:{number % 60:02}:00",
                camera="Camera Model One",
                lens="24-70mm F2.8",
                iso=100,
                shutter_s=0.004,
                aperture=5.6,
                focal_mm=35.0,
            )
            page.add(
                Diagnosis(
                    f"photos/{number // 500:02}/IMG_{number:05}.JPG",
                    width=6000,
                    height=4000,
                    severity=severity,
                    percentile={key: round(abs(value) * 100) for key, value in severity.items()},
                    worst=worst,
                    verdict=overall,
                    thresholds=DEFAULT_THRESHOLDS,
                    monochrome=False,
                    capture=capture,
                ),
                pictures[number % len(pictures)],
            )
        return page.close()


@contextmanager
def browser(chromium: str, driver: str) -> Iterator[webdriver.Chrome]:
    """Chromium with an empty profile."""
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for flag in [*FLAGS.split(), f"--user-data-dir={profile}"]:
            options.add_argument(flag)
        running = webdriver.Chrome(options=options, service=Service(driver))
        running.set_script_timeout(120)
        try:
            yield running
        finally:
            running.quit()


def percentile(values: list[float], share: float) -> float:
    """The value below which ``share`` of the values are."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def measure(page: Path, running: webdriver.Chrome) -> dict[str, Any]:
    """Open, scroll, sort and filter."""
    started = time.monotonic()
    running.get(page.resolve().as_uri())
    result: dict[str, Any] = {"open_ms": round((time.monotonic() - started) * 1000)}
    timing = running.execute_script("return performance.getEntriesByType('navigation')[0].toJSON()")
    result["interactive_ms"] = round(timing["domContentLoadedEventEnd"])
    result["elements"] = running.execute_script("return document.querySelectorAll('*').length")
    result["cards"] = running.execute_script("return document.querySelectorAll('#grid li').length")
    result["heap_mb"] = round(running.execute_script("return performance.memory.usedJSHeapSize") / 1e6, 1)
    for name, pixels in (("scroll", 40), ("fling", 400)):
        running.execute_script("scrollTo(0, 0)")
        run = running.execute_async_script(SCROLL, pixels, 5)
        result[name] = {
            "pixels_a_frame": pixels,
            "frames": len(run["times"]),
            "median_ms": round(percentile(run["times"], 0.5), 1),
            "p95_ms": round(percentile(run["times"], 0.95), 1),
            "longest_ms": round(max(run["times"]), 1),
            "blank_frames": run["blank"],
        }
    result["elements_after_scrolling"] = running.execute_script("return document.querySelectorAll('*').length")
    running.execute_script("scrollTo(0, 0)")
    for defect in ("noise", "bad_saturation"):
        run = running.execute_async_script(CLICK, f"[data-order={defect}]")
        result[f"sort_by_{defect}_ms"] = {key: round(value, 1) for key, value in run.items()}
    run = running.execute_async_script(TYPE, "img_04")
    result["search_ms"] = {key: round(value, 1) for key, value in run.items()}
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=5000)
    parser.add_argument("--chromium", default=shutil.which("chromium"))
    parser.add_argument("--driver", default=shutil.which("chromedriver"))
    arguments = parser.parse_args()
    if arguments.chromium is None or arguments.driver is None:
        parser.error("Chromium and chromedriver are needed (Debian: chromium, chromium-driver)")
    with tempfile.TemporaryDirectory() as folder:
        page = make_report(Path(folder) / "report", arguments.photos)
        data = next(page.parent.glob("*/data.js"))
        with browser(arguments.chromium, arguments.driver) as running:
            result = {"photos": arguments.photos, "data_mb": round(data.stat().st_size / 1e6, 2)}
            result |= measure(page, running)
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
