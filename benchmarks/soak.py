"""A long run: does memory, the number of open files or the pace change from the first photo to the last?

Makes a folder of small photos (a few hundred different ones made from the samples, the rest links to them), has the
installed command diagnose it, and looks at its processes all the while:

    python benchmarks/soak.py                    20,000 photos
    python benchmarks/soak.py --photos 300       to try it
    python benchmarks/soak.py -- --workers 4     what follows goes to photodefect diagnose

Memory is the proportional set size: pages that several processes share are counted once. Slopes are least squares over
the samples after the first tenth of the photos, in which models are loaded and buffers filled. Results are not cached,
as otherwise all but the first few hundred photos would be looked up. Needs /proc (Linux).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image

SAMPLES = Path(__file__).parents[1] / "samples"
COMMAND = [sys.executable, "-m", "photodefect", "diagnose"]
PER_FOLDER = 1000


@dataclass(frozen=True)
class Look:
    """What was seen at one moment.

    Attributes:
        seconds: since the start.
        photos: records written so far.
        parent_mib: memory of the command's own process.
        children_mib: memory of all processes below it.
        children: how many those are.
        files: open in all of them.
        threads: of all of them.
    """

    seconds: float
    photos: int
    parent_mib: float
    children_mib: float
    children: int
    files: int
    threads: int


def make_photos(folder: Path, count: int, distinct: int, side: int) -> None:
    """``distinct`` parts of the samples in several sizes and qualities, and links to them up to ``count`` files."""
    rng = np.random.default_rng(0)
    sources = [Image.open(path).convert("RGB") for path in sorted(SAMPLES.glob("*.jpg"))]
    made: list[Path] = []
    for number in range(count):
        place = folder / f"{number // PER_FOLDER:03d}"
        place.mkdir(parents=True, exist_ok=True)
        target = place / f"{number:06d}.jpg"
        if number >= distinct:
            link(made[number % distinct], target)
            continue
        source = sources[number % len(sources)]
        width, height = (int(rng.integers(size // 2, size + 1)) for size in source.size)
        left, top = int(rng.integers(source.width - width + 1)), int(rng.integers(source.height - height + 1))
        part = source.crop((left, top, left + width, top + height))
        part.thumbnail((side, side))
        part.save(target, quality=int(rng.integers(60, 96)))
        made.append(target)


def link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # a file has as many links as it can have, or the file system has none
        target.write_bytes(source.read_bytes())


def descendants(root: int) -> list[int]:
    """Processes below one, itself left out."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                # The name in the second field may hold anything, but its closing bracket is the last one.
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue  # it has ended meanwhile
            parents.setdefault(parent, []).append(int(entry.name))
    found: list[int] = []
    pending = [root]
    while pending:
        below = parents.get(pending.pop(), [])
        found += below
        pending += below
    return found


def memory_mib(process: int) -> float:
    for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def look(root: int, started: float, photos: int) -> Look | None:
    """None if the command has ended."""
    children = descendants(root)
    seen: list[tuple[float, int, int]] = []
    for process in [root, *children]:
        try:
            threads = len(list(Path(f"/proc/{process}/task").iterdir()))
            seen.append((memory_mib(process), len(list(Path(f"/proc/{process}/fd").iterdir())), threads))
        except OSError:
            if process == root:
                return None
    parent, *others = (memory for memory, _, _ in seen)
    files, threads = sum(files for _, files, _ in seen), sum(threads for _, _, threads in seen)
    return Look(time.monotonic() - started, photos, parent, sum(others), len(others), files, threads)


def slope(looks: list[Look], values: list[float]) -> tuple[float, float]:
    """Change by a thousand photos, and its standard error."""
    photos = np.array([one.photos for one in looks]) / 1000
    if len(looks) < 3 or np.ptp(photos) == 0:
        return float("nan"), float("nan")
    (slope_, _), covariance = np.polyfit(photos, values, 1, cov="unscaled")
    residual = np.array(values) - np.polyval(np.polyfit(photos, values, 1), photos)
    return float(slope_), float(np.sqrt(covariance[0, 0] * (residual**2).sum() / (len(looks) - 2)))


def watch(process: subprocess.Popen[bytes], records: Path, every: float) -> list[Look]:
    """Look at a running command until it ends, and print what is seen."""
    titles = {
        "seconds": 8,
        "photos": 8,
        "photos/s": 10,
        "parent MiB": 12,
        "children": 10,
        "MiB": 7,
        "files": 7,
        "threads": 9,
    }
    print("".join(title.rjust(width) for title, width in titles.items()))
    started, looks, written = time.monotonic(), [Look(0, 0, 0, 0, 0, 0, 0)], 0
    with records.open("rb") as stream:
        while True:
            try:
                process.wait(every)
            except subprocess.TimeoutExpired:
                pass
            else:
                return looks[1:]
            written += stream.read().count(b"\n")
            seen = look(process.pid, started, written)
            if seen is None:
                continue
            rate = (seen.photos - looks[-1].photos) / (seen.seconds - looks[-1].seconds)
            looks.append(seen)
            numbers = (
                f"{seen.parent_mib:>12.0f}{seen.children:>10}{seen.children_mib:>7.0f}{seen.files:>7}{seen.threads:>9}"
            )
            print(f"{seen.seconds:>8.0f}{seen.photos:>8}{rate:>10.1f}{numbers}", flush=True)


def summarize(looks: list[Look], count: int, seconds: float) -> None:
    settled = [one for one in looks if count / 10 <= one.photos < count]  # after the last one it is being put away
    print(f"\n{count} photos in {seconds:.0f} s, {count / seconds:.1f} a second with start and end")
    if len(settled) < 3:
        print("too few looks for a slope: more photos, or a shorter --every")
        return
    print(f"{'after the first tenth':<24}{'first':>9}{'last':>9}{'highest':>9}   change by 1,000 photos")
    columns = {
        "memory, parent, MiB": [one.parent_mib for one in settled],
        "memory, children, MiB": [one.children_mib for one in settled],
        "memory, all, MiB": [one.parent_mib + one.children_mib for one in settled],
        "open files": [float(one.files) for one in settled],
        "threads": [float(one.threads) for one in settled],
    }
    for name, values in columns.items():
        change, error = slope(settled, values)
        print(f"{name:<24}{values[0]:>9.1f}{values[-1]:>9.1f}{max(values):>9.1f}   {change:+.3f} ± {error:.3f}")
    pairs = list(pairwise(settled))
    rates = [(after.photos - before.photos) / (after.seconds - before.seconds) for before, after in pairs]
    change, error = slope([after for _, after in pairs], rates)
    print(f"{'photos a second':<24}{rates[0]:>9.1f}{rates[-1]:>9.1f}{max(rates):>9.1f}   {change:+.3f} ± {error:.3f}")


def main() -> int:
    arguments = sys.argv[1:]
    own, passed = arguments, []
    if "--" in arguments:
        at = arguments.index("--")
        own, passed = arguments[:at], arguments[at + 1 :]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=20_000)
    parser.add_argument("--distinct", type=int, default=300, help="different ones among them")
    parser.add_argument("--side", type=int, default=320, help="long side in pixels")
    parser.add_argument("--every", type=float, default=10.0, help="seconds between two looks")
    options = parser.parse_args(own)

    help_page = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, check=True).stdout
    uncached = [option for option in ("--no-cache",) if option in help_page]
    with tempfile.TemporaryDirectory() as scratch:
        folder, records = Path(scratch) / "photos", Path(scratch) / "records.ndjson"
        make_photos(folder, options.photos, min(options.distinct, options.photos), options.side)
        command = [*COMMAND, "--format", "ndjson", "--quiet", *uncached, *passed, str(folder)]
        print(f"photodefect diagnose {' '.join(command[4:-1])} on {options.photos} photos of {options.side} pixels\n")
        environment = os.environ | {"XDG_CACHE_HOME": str(Path(scratch) / "cache")}
        with records.open("wb") as stream:
            started = time.monotonic()
            process = subprocess.Popen(command, stdout=stream, env=environment)
            try:
                looks = watch(process, records, options.every)
            finally:
                process.terminate()
            seconds = time.monotonic() - started
        summarize(looks, options.photos, seconds)
        found = [json.loads(line) for line in records.read_text(encoding="utf-8").splitlines()]
        failed = sum(record["error"] is not None for record in found)
        paths = {record["path"] for record in found}
        print(f"\nexit code {process.returncode}, {len(found)} records of {len(paths)} photos, {failed} with an error")
        return (
            0 if (process.returncode, len(found), len(paths), failed) == (0, options.photos, options.photos, 0) else 1
        )


if __name__ == "__main__":
    sys.exit(main())
