"""Ctrl-C at random moments: how long until the command has ended, and is what it wrote whole?

    python benchmarks/interrupts.py                              30 runs over 60 photos of 24 megapixels
    python benchmarks/interrupts.py --runs 5 --megapixels 6      to try it
    python benchmarks/interrupts.py --command heatmap            another command

Each run starts the command in a process of its own and sends it SIGINT at a moment drawn between its start and the time
of --longest. Whole means: every line of NDJSON is a record, every row of CSV has all its columns, every picture opens,
no file of half a name is left, and no process. Prints the median and the longest time from the signal to the end of the
command; ends with code 1 if anything wasn't whole. Needs /proc (Linux) to look for processes.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image
from soak import descendants
from speed import SIZES, make_photos

INTERRUPTED = (130, -signal.SIGINT)
"""Exit codes: ours, and that of Python when it hasn't come to us yet."""

OPTIONS = {
    "ndjson": ["diagnose", "--format", "ndjson", "--no-cache"],
    "csv": ["diagnose", "--format", "csv", "--no-cache"],
    "file": ["diagnose", "--format", "ndjson", "--no-cache", "--output", "{out}/report.ndjson"],
    "report": ["report", "--no-cache", "--output", "{out}/page"],
    "heatmap": ["heatmap", "--output", "{out}/maps"],
}


@dataclass
class Seen:
    """What became of the runs so far."""

    seconds: list[float] = field(default_factory=list)
    written: int = 0
    finished: int = 0
    broken: list[str] = field(default_factory=list)


def run(command: list[str], photos: Path, pause: float, seen: Seen) -> None:
    """Start it, interrupt it after a while, and look at what it left."""
    with tempfile.TemporaryDirectory() as place:
        out = Path(place)
        filled = [argument.replace("{out}", place) for argument in command]
        with subprocess.Popen(
            [sys.executable, "-m", "photodefect", *filled, str(photos)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            # Pipes hold 64 KiB; the records of a second or two are fewer.
            time.sleep(pause)
            workers = descendants(process.pid)
            if process.poll() is not None:
                seen.finished += 1
                return
            started = time.monotonic()
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate()
            seen.seconds.append(time.monotonic() - started)
        wrong = [] if process.returncode in INTERRUPTED else [f"exit code {process.returncode}"]
        wrong += ["a traceback"] if b"Traceback" in errors else []
        wrong += [f"process {worker} is left" for worker in workers if Path(f"/proc/{worker}").exists()]
        wrong += what_is_not_whole(output, command, out)
        seen.written += bool(output) or any(out.iterdir())
        seen.broken += [f"after {pause:.3f} s: {what}" for what in wrong]


def what_is_not_whole(output: bytes, command: list[str], out: Path) -> list[str]:
    text = output.decode()
    wrong = ["a line of the output has no end"] if text and not text.endswith("\n") else []
    records = [*text.splitlines()] if "ndjson" in command else []
    for path in out.rglob("*"):
        if path.name.startswith(".") or path.suffix == ".part":
            wrong.append(f"{path.name} is left")
        elif path.suffix == ".ndjson":
            records += path.read_text().splitlines()
        elif path.suffix in (".jpg", ".png"):
            try:
                with Image.open(path) as image:
                    image.load()
            except OSError:
                wrong.append(f"{path.name} is not whole")
    for line in records:
        try:
            json.loads(line)
        except ValueError:
            wrong.append(f"half a record: {line[-60:]}")
    if "csv" in command and len({len(row) for row in csv.reader(io.StringIO(text))}) > 1:
        wrong.append("a row of another length than the others")
    return wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--command", choices=OPTIONS, default="ndjson")
    parser.add_argument("--runs", type=int, default=30)
    parser.add_argument("--photos", type=int, default=60)
    parser.add_argument("--megapixels", type=int, choices=SIZES, default=24)
    parser.add_argument("--longest", type=float, default=4.0, help="seconds from the start to the latest signal")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    moments, seen = random.Random(options.seed), Seen()
    with tempfile.TemporaryDirectory() as scratch:
        photos = Path(scratch) / "photos"
        distinct = make_photos(Path(scratch) / "some", min(options.photos, 4), SIZES[options.megapixels])
        some = sorted(path for path in distinct.rglob("*") if path.is_file())
        photos.mkdir()
        for number in range(options.photos):
            os.link(some[number % len(some)], photos / f"{number:04d}.jpg")
        for _ in range(options.runs):
            run(OPTIONS[options.command], photos, moments.uniform(0, options.longest), seen)
    if not seen.seconds:
        print("every run had ended before its signal: more --photos, or a shorter --longest")
        return 1
    print(f"photodefect {options.command}, {options.photos} photos of {options.megapixels} megapixels: ", end="")
    print(f"{len(seen.seconds)} runs interrupted, {seen.written} of them after they wrote; {seen.finished} had ended")
    print(f"from the signal to the end: median {statistics.median(seen.seconds):.2f} s, ", end="")
    print(f"longest {max(seen.seconds):.2f} s")
    print("\n".join(seen.broken) if seen.broken else "everything that was written is whole, and nothing else is left")
    return 1 if seen.broken else 0


if __name__ == "__main__":
    sys.exit(main())
