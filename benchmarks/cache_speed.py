"""Seconds of a first and of further runs of `photodefect diagnose` over the same photos: what the cache saves.

    python benchmarks/cache_speed.py [--photos 1000] [--runs 5] [--model NAME|DIR] [--format ndjson] [--megapixels 24]

Makes a photo from a sample photograph and copies of it, each with a few bytes of its own at its end, so that every
photo has a content of its own (10 MB each at 24 megapixels). The first run diagnoses them all; with ``--skip-cold``
the cache gets for all what the first photo got, which later runs can't tell. Then further runs: all known by their
times; all touched, so that their content is hashed again. Each is the whole command in a process of its own; its start
alone is measured by a run over one known photo, and taken off what a photo costs.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
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
    ((_, kind, value),) = list(known.values())
    for path in sorted(folder.iterdir()):
        known.store(str(path), Stamp.of(path.stat()), content_key(path.read_bytes()), {kind: value})
    known.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=1000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--model", default="compact")
    parser.add_argument("--format", action="append", default=[], help="repeatable; ndjson and table if left out")
    parser.add_argument("--megapixels", type=float, default=24)
    parser.add_argument("--skip-cold", action="store_true")
    arguments = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
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
