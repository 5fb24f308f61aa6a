"""How a review of many known photos starts and scrolls: time to the first page, frames a second, memory.

    python benchmarks/review_many.py --photos 20000

The photos are links to a few samples, and their results are put into a cache of their own with scores that differ.
Needs Chromium and its driver, and Linux, for memory is read from /proc.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from photodefect import Diagnoser
from photodefect.diagnosis.cache import Cache
from photodefect.diagnosis.content import Stamp
from photodefect.diagnosis.findings import Finding
from photodefect.photos.decode import decode
from photodefect.photos.facts import Capture
from photodefect.ranking.hints.measurements import measure
from photodefect.ranking.hints.measuring import MEASURE

SAMPLES = Path(__file__).parents[1] / "samples"

SCROLL = """
const done = arguments[arguments.length - 1];
const times = [];
let last = performance.now();
const step = (now) => {
  times.push(now - last);
  last = now;
  scrollBy(0, 120);
  if (times.length < 400) requestAnimationFrame(step);
  else done(times.slice(1));
};
requestAnimationFrame(step);
"""


def plant(folder: Path, cache_file: Path, count: int) -> None:
    """So many links to the samples, and results for each."""
    sources = sorted(SAMPLES.glob("*.jpg"))
    rng = random.Random(0)
    cache = Cache(cache_file)
    with Diagnoser() as diagnoser:
        kind = diagnoser._kind
        known = []
        for source, diagnosis in zip(sources, diagnoser.diagnose(sources), strict=True):
            pixels = decode(source).pixels
            fields = {name: getattr(diagnosis, name) for name in Finding.__dataclass_fields__}
            known.append((source, Finding(**fields), measure(pixels)))
    start = datetime(2024, 5, 1, 8)
    paths = [folder / f"day{number // 2000:02}" / f"IMG_{number:05}.jpg" for number in range(count)]
    for number, path in enumerate(paths):  # each changes what tells the state of the file, of all its links
        path.parent.mkdir(exist_ok=True)
        os.link(known[number % len(known)][0], path)
    for number, path in enumerate(paths):
        _, finding, measured = known[number % len(known)]
        start += timedelta(seconds=rng.choice((1, 1, 5, 60)))
        changed = {key: abs(value) + rng.uniform(-0.2, 0.4) for key, value in finding.severity.items()}
        severity = {key: round(min(1.0, max(0.0, value)), 3) for key, value in changed.items()}
        own = replace(finding, severity=severity, capture=Capture(time=start.isoformat(), camera="X-1", iso=200))
        results = {kind: own.to_json(), MEASURE.kind: MEASURE.encode(measured)}
        cache.store(str(path), Stamp.of(path.stat()), number.to_bytes(16, "big"), results)
    cache.close()


def resident(process: int) -> float:
    """Megabytes of memory of a process and those that it started."""
    total = 0.0
    pending = [process]
    while pending:
        number = pending.pop()
        status = Path(f"/proc/{number}/status").read_text()
        total += int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]
        pending += [int(it) for it in Path(f"/proc/{number}/task/{number}/children").read_text().split()]
    return total


def processor_time(process: int) -> float:
    """Seconds that a process has computed: on a busy machine it tells more than the clock."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=20000)
    parser.add_argument("--screenshot", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=SAMPLES.parent) as name:  # links need the samples' file system
        measure_review(Path(name), arguments.photos, arguments.screenshot)


def measure_review(home: Path, count: int, screenshot: Path | None) -> None:
    """Plant photos, and review them."""
    folder = home / "photos"
    folder.mkdir()
    plant(folder, home / "known.sqlite", count)
    environment = os.environ | {"XDG_STATE_HOME": str(home / "state"), "XDG_CACHE_HOME": str(home / "cache")}
    command = [
        sys.executable,
        "-m",
        "photodefect",
        "review",
        str(folder),
        "--no-browser",
        "--cache",
        str(home / "known.sqlite"),
    ]
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in ("--headless", "--no-sandbox", "--disable-gpu", "--enable-precise-memory-info"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    begin = time.perf_counter()
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        address = re.search(r"http://\S+", process.stderr.readline())
        assert address
        listening = time.perf_counter() - begin
        driver.get(address[0])
        found = {}
        while not driver.execute_script("return document.querySelectorAll('#grid li').length"):
            time.sleep(0.02)
        found["first page, s"] = time.perf_counter() - begin
        found["first page, s of this process's processor time"] = processor_time(process.pid)
        summary = "return document.getElementById('summary').textContent"
        while "looked at" in driver.execute_script(summary):
            time.sleep(0.2)
        found["all photos, s"] = time.perf_counter() - begin
        found["listening, s"] = listening
        memory = lambda: driver.execute_script("return performance.memory.usedJSHeapSize") / 1e6  # noqa: E731
        found["server before scrolling, MB"] = resident(process.pid)
        found["page before scrolling, MB"] = memory()
        driver.set_script_timeout(120)
        frames = sorted(driver.execute_async_script(SCROLL))
        found["frames a second, median"] = 1000 / frames[len(frames) // 2]
        found["frames a second, slowest tenth"] = 1000 / frames[len(frames) * 9 // 10]
        for _ in range(4):
            driver.execute_async_script(SCROLL)
        found["server after scrolling, MB"] = resident(process.pid)
        found["page after scrolling, MB"] = memory()
        found["cards in the page"] = driver.execute_script("return document.querySelectorAll('#grid li').length")
        begin = time.perf_counter()
        driver.execute_script(
            "const s = document.getElementById('sort'); s.value = 'noise'; s.dispatchEvent(new Event('input'))"
        )
        found["sorting, s"] = time.perf_counter() - begin
        if screenshot:
            driver.save_screenshot(str(screenshot))
        process.terminate()
    driver.quit()
    print(json.dumps({name: round(value, 2) for name, value in found.items()}, indent=1))


if __name__ == "__main__":
    main()
