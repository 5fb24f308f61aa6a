"""Seconds of a first and of further runs over the same photos: what the cache saves.

    python benchmarks/cache_speed.py [--photos 1000] [--runs 5] [--model NAME|DIR] [--format ndjson] [--megapixels 24]
    python benchmarks/cache_speed.py --links [--photos 20000] [--base FOLDER] [--command rank-folder] [--runs 3]

Makes a photo from a sample photograph and copies of it, each with a few bytes of its own at its end, so that every
photo has a content of its own (10 MB each at 24 megapixels). The first run diagnoses them all; with ``--skip-cold``
the cache gets for all what the first photo got, which later runs can't tell. Then further runs: all known by their
times; all touched, so that their content is hashed again. Each is the whole command in a process of its own; its start
alone is measured by a run over one known photo, and taken off what a photo costs.

With ``--links`` the photos are links to a few samples, taken in bursts of three, and the cache is given for all of
them what they got, each under a content and severities of its own: so tens of thousands can be had at once. Then each
command runs over all of them, and over one, in turn with another build of photodefect if ``--base`` says where its
package lies; printed are processor seconds (user and system, of all its processes) and seconds by the clock, medians.
The other build gets no pictures for reports, as none before kept any.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]


def make_photos(folder: Path, count: int, megapixels: float) -> int:
    """Write ``count`` photos that differ by a byte or two; returns the size of one."""
    with Image.open(ROOT / "samples" / "oakland-zoo-otters.jpg") as image:
        share = (megapixels * 1e6 / (image.width * image.height)) ** 0.5
        large = image.convert("RGB").resize((round(image.width * share), round(image.height * share)))
    first = folder / "00000.jpg"
    large.save(first, quality=92)
    data = first.read_bytes()
    for number in range(1, count):
        # What comes after the end of a JPEG is ignored by decoders.
        (folder / f"{number:05}.jpg").write_bytes(data + number.to_bytes(4, "big"))
    return len(data)


def run(cache: Path, model: str, report: str, *paths: Path) -> float:
    """Seconds that the command takes."""
    command = [sys.executable, "-m", "photodefect", "diagnose", "-q", "--model", model, "--cache", str(cache)]
    started = time.perf_counter()
    done = subprocess.run(
        [*command, "--format", report, *map(str, paths)], stdout=subprocess.PIPE, check=False, cwd=ROOT
    )
    seconds = time.perf_counter() - started
    if done.returncode not in (0, 1):
        raise SystemExit(f"photodefect ended with code {done.returncode}")
    return seconds


def fill(cache: Path, folder: Path) -> None:
    """Give every photo what the first one got, as if all had been diagnosed."""
    sys.path.insert(0, str(ROOT))
    from photodefect.diagnosis.cache import Cache  # noqa: PLC0415
    from photodefect.diagnosis.content import Stamp, content_key  # noqa: PLC0415

    known = Cache(cache)
    results = {kind: value for _, kind, value in known.values()}
    for path in sorted(folder.iterdir()):
        known.store(str(path), Stamp.of(path.stat()), content_key(path.read_bytes()), results)
    known.close()


SMALL = ("city", "dog", "bulb", "guitar", "flowers")


def link(folder: Path, count: int) -> None:
    """Make so many links to samples. Each changes what tells the state of a file, of all links to the same one."""
    for number in range(count):
        path = folder / f"day{number // 2000:02}" / f"IMG_{number:05}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(ROOT / "samples" / f"{SMALL[number // 3 % len(SMALL)]}.jpg", path)


def plant(folder: Path, cache_file: Path) -> None:
    """Have a cache know all photos of a folder and their pictures, by the photodefect that Python finds."""
    from photodefect import Diagnoser  # noqa: PLC0415
    from photodefect.diagnosis.cache import Cache  # noqa: PLC0415
    from photodefect.diagnosis.content import Stamp  # noqa: PLC0415
    from photodefect.diagnosis.findings import Finding  # noqa: PLC0415
    from photodefect.photos.facts import Capture  # noqa: PLC0415
    from photodefect.ranking.hints import measurements  # noqa: PLC0415
    from photodefect.reports.html.illustrate import illustrate  # noqa: PLC0415

    try:
        from photodefect.ranking.hints.measuring import MEASURE  # noqa: PLC0415
    except ImportError:  # an earlier build
        MEASURE = measurements.MEASURE  # noqa: N806
    sources = [ROOT / "samples" / f"{name}.jpg" for name in SMALL]
    cache = Cache(cache_file)
    with Diagnoser(cache=cache) as diagnoser:
        pairs = list(diagnoser.diagnose_with(sources, MEASURE))
        list(illustrate(diagnoser, sources, maps=False))
        kind = diagnoser._kind
    cache.commit()
    cache.clear()
    known = [
        (Finding(**{it: getattr(found, it) for it in Finding.__dataclass_fields__}), seen) for found, seen in pairs
    ]
    rng = random.Random(0)
    start = datetime(2024, 5, 1, 8)
    photos = sorted(folder.glob("*/*.jpg"))
    for number, path in enumerate(photos):
        finding, measured = known[number // 3 % len(known)]
        start += timedelta(seconds=1 if number % 3 else rng.choice((5, 60)))
        changed = {key: abs(value) + rng.uniform(-0.2, 0.4) for key, value in finding.severity.items()}
        severity = {key: round(min(1.0, max(0.0, value)), 3) for key, value in changed.items()}
        own = replace(finding, severity=severity, capture=Capture(time=start.isoformat(), camera="X-1", iso=200))
        results = {kind: own.to_json(), MEASURE.kind: MEASURE.encode(measured)}
        cache.store(str(path), Stamp.of(path.stat()), number.to_bytes(16, "big"), results)
    cache.close()
    pictures = cache_file.with_name(f"{cache_file.stem}-pictures.sqlite")
    if pictures.exists():
        multiply(pictures, len(photos))


def multiply(pictures: Path, count: int) -> None:
    """Keep the pictures of the samples for every content."""
    with sqlite3.connect(pictures) as file:
        rows = file.execute("SELECT key, used, size, data FROM pictures ORDER BY rowid").fetchall()
        for number in range(count):
            key, *rest = rows[number // 3 % len(rows)]
            name = f"{key.rpartition(' ')[0]} {number.to_bytes(16, 'big').hex()}"
            file.execute("INSERT OR REPLACE INTO pictures VALUES (?, ?, ?, ?)", (name, *rest))
    file.close()


def timed(build: Path, command: list[str]) -> tuple[float, float]:
    """Processor seconds and seconds that a command of a build takes."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "photodefect", *command, "--quiet"],
        stdout=subprocess.DEVNULL,
        check=False,
        cwd=build,
        env=os.environ | {"PYTHONPATH": str(build)},
    )
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1):
        raise SystemExit(f"photodefect ended with code {done.returncode}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, seconds


def measure_links(home: Path, arguments: argparse.Namespace) -> None:
    """Print what known photos cost by each command and build."""
    builds = {"this build": ROOT} | ({"the other": arguments.base.resolve()} if arguments.base else {})
    folder, lone = home / "photos", home / "one"
    link(folder, arguments.photos)
    link(lone, 1)
    for name, build in builds.items():
        for photos in (folder, lone):
            planting = [__file__, "--plant", photos, home / f"{name}-{photos.name}.sqlite"]
            environment = os.environ | {"PYTHONPATH": str(build), "XDG_CACHE_HOME": str(home / "cache")}
            subprocess.run([sys.executable, *planting], check=True, cwd=build, env=environment)
    time.sleep(2.5)  # links that were made just now are not known by their times
    commands = {
        "diagnose": ["--format", "ndjson"],
        "rank-folder": ["--format", "ndjson"],
        "report": ["--no-maps", "--output", str(home / "report")],
    }
    print(f"{'':<30}{'processor s':>12}{'s':>8}{'processor ms a photo':>24}")
    for command in arguments.command or list(commands):
        taken: dict[str, list[list[tuple[float, float]]]] = {name: [[], []] for name in builds}
        for _ in range(arguments.runs):
            for name, build in builds.items():
                if command == "report" and build != ROOT:
                    continue
                for place, photos in enumerate((folder, lone)):
                    cache = ["--cache", str(home / f"{name}-{photos.name}.sqlite")]
                    taken[name][place].append(timed(build, [command, str(photos), *commands[command], *cache]))
        for name, (many, one) in taken.items():
            if many:
                (spent, clock), start = (statistics.median(it) for it in zip(*many, strict=True)), min(one)[0]
                each = (spent - start) / arguments.photos * 1000
                print(f"{f'{command}, {name}':<30}{spent:>12.2f}{clock:>8.1f}{each:>24.3f}", flush=True)


def main() -> None:
    if sys.argv[1:2] == ["--plant"]:
        plant(*map(Path, sys.argv[2:]))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--model", default="compact")
    parser.add_argument("--format", action="append", default=[], help="repeatable; ndjson and table if left out")
    parser.add_argument("--megapixels", type=float, default=24)
    parser.add_argument("--skip-cold", action="store_true")
    parser.add_argument("--links", action="store_true")
    parser.add_argument("--base", type=Path, help="the folder of another build's package, for --links")
    parser.add_argument("--command", action="append", default=[], help="for --links; repeatable, all if left out")
    arguments = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    if arguments.links:
        with tempfile.TemporaryDirectory(dir=ROOT.parent) as scratch:  # links need the samples' file system
            measure_links(Path(scratch), arguments)
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder, cache = Path(scratch) / "photos", Path(scratch) / "cache.sqlite"
        folder.mkdir()
        size = make_photos(folder, arguments.photos, arguments.megapixels)
        print(f"{arguments.photos} JPEGs of {arguments.megapixels:g} megapixels, {size / 1e6:.1f} MB each\n")
        print(f"{'':<34}{'s':>9}{'ms a photo':>12}")

        def tell(name: str, seconds: float, start: float = 0.0) -> None:
            print(f"{name:<34}{seconds:>9.2f}{(seconds - start) / arguments.photos * 1000:>12.3f}", flush=True)

        time.sleep(2.5)  # files that were written just now are not known by their times
        run(cache, arguments.model, "ndjson", folder / "00000.jpg")
        if arguments.skip_cold:
            fill(cache, folder)
        else:
            tell("first run", run(cache, arguments.model, "ndjson", folder))
        for report in arguments.format or ("ndjson", "table"):
            one = folder / "00000.jpg"
            start = statistics.median(run(cache, arguments.model, report, one) for _ in range(arguments.runs))
            print(f"{f'one known photo ({report})':<34}{start:>9.2f}")
            again = statistics.median(run(cache, arguments.model, report, folder) for _ in range(arguments.runs))
            tell(f"all known ({report})", again, start)
        for path in folder.iterdir():
            os.utime(path, (1e9, 1e9))
        time.sleep(2.5)
        tell("all touched: content hashed", run(cache, arguments.model, "ndjson", folder))
        print(f"\ncache: {cache.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
