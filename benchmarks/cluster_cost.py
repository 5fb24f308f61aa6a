"""What a million and a hundred million photos cost: core-hours, bytes from storage, time on so many cores.

    python benchmarks/cluster_cost.py --photos 6 --into docs/at-scale.md

Measures the processor time (not the clock, so that other programs matter little) that `photodefect diagnose` takes for
each photo more, what of it is decoding, and how large the photos and their rows are; then multiplies. Without --folder
the photos are made like those of speed.py: 24 megapixels, as cameras write them. Prints what docs/at-scale.md says of
it, sentences and tables; with --into that page gets it, between its two comments "measured".
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from speed import ROOT, make_photos

from photodefect.core.network.registry import NETWORKS
from photodefect.distributed.plan import DEFAULT_PART_SIZE, parquet
from photodefect.distributed.rows import from_table, to_table
from photodefect.records import Diagnosis

MILLION = 1_000_000
CORES = (16, 256, 1024)
S3_REQUESTS = 5_500
"""GET requests a second and prefix that Amazon documents for S3."""

BEGIN, END = "<!-- measured by benchmarks/cluster_cost.py -->", "<!-- measured, end -->"

DECODE = """
import sys
from pathlib import Path
from photodefect.photos.decode import Memory, decode_bytes
from photodefect.photos.files import read_photo
memory = Memory()
for path in map(Path, sys.argv[1:]):
    decode_bytes(read_photo(path), path.suffix, memory=memory)
"""


@dataclass(frozen=True)
class Measured:
    """Of one photo: seconds of one core, in all and for decoding; bytes of its file and of its row.

    Beside: records that one process makes of rows in a second; the model, its patches, and what the photos are.
    """

    cpu_s: float
    decode_s: float
    start_s: float
    file_bytes: float
    row_bytes: float
    records_a_second: float
    model: str
    patches: int
    photos: str


def processor_seconds(command: Sequence[str | Path]) -> tuple[float, bytes]:
    """Seconds of user and system time of a command and its children, and what it wrote to stdout."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    before = os.times()
    done = subprocess.run([*map(str, command)], check=True, stdout=subprocess.PIPE, env=environment)
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return spent, done.stdout


def measure(photos: list[Path], what: str, model: str, patches: int) -> Measured:
    """Measure all photos against the first one alone, so that starting doesn't count."""
    options = ["--quiet", "--format", "ndjson", "--detail", "--no-cache", "--device", "cpu", "--model", model]
    alone = ["--workers", "1", "--threads", "1"]  # as a worker of the cluster
    command = [sys.executable, "-m", "photodefect", "diagnose", *options, *alone, "--patches", str(patches)]
    decoding = [sys.executable, "-c", DECODE]
    one, _ = processor_seconds([*command, photos[0]])
    many, written = processor_seconds([*command, *photos])
    decode_one, _ = processor_seconds([*decoding, photos[0]])
    decode_many, _ = processor_seconds([*decoding, *photos])
    each = (many - one) / (len(photos) - 1)
    rows = table_of(written)
    return Measured(
        cpu_s=each,
        decode_s=(decode_many - decode_one) / (len(photos) - 1),
        start_s=one - each,
        file_bytes=sum(path.stat().st_size for path in photos) / len(photos),
        row_bytes=len(parquet(rows)) / rows.num_rows,
        records_a_second=records_a_second(rows),
        model=model,
        patches=patches,
        photos=what,
    )


def table_of(written: bytes) -> pa.Table:
    """A part of the usual size, made of these rows with other names and scores."""
    records = [json.loads(line) for line in written.splitlines()]
    rows = []
    for number in range(DEFAULT_PART_SIZE):
        record = dict(records[number % len(records)], path=f"s3://archive/2024/{number:07}.jpg")
        for scores in ("severity", "holistic", "patches"):
            record[scores] = {key: value * (1 - number / 1e6) for key, value in record[scores].items()}
        rows.append(Diagnosis.from_dict(record))
    return to_table(rows)


def records_a_second(rows: pa.Table) -> float:
    """How fast the machine that started the run makes records of rows, to count them: seconds of one core."""
    started = time.process_time()
    for _ in from_table(rows):
        pass
    return rows.num_rows / (time.process_time() - started)


def page(it: Measured) -> str:
    """What there is to say, in Markdown."""
    lines = [
        *fill(
            f"Measured by `python benchmarks/cluster_cost.py`: {it.photos} of {it.file_bytes / 1e6:.1f} MB, the model "
            f"`{it.model}` and `--patches {it.patches}`, one core of an {platform.machine()} server. It counts "
            "processor time, so waiting for storage is not in it."
        ),
        "",
        "| of one photo | |",
        "|---|---|",
        f"| processor time | {it.cpu_s * 1000:.0f} ms of one core: {1 / it.cpu_s:.2f} photos a second and core |",
        f"| of it decoding | {it.decode_s * 1000:.0f} ms |",
        f"| read from storage | {it.file_bytes / 1e6:.1f} MB |",
        f"| written as Parquet | {it.row_bytes:.0f} bytes |",
        f"| starting a worker, once | {it.start_s:.1f} s of one core |",
        "",
        "| | a million photos | a hundred million |",
        "|---|---|---|",
    ]
    counts = (MILLION, 100 * MILLION)
    rows = {
        "core-hours": lambda count: f"{count * it.cpu_s / 3600:,.0f}",
        **{
            f"on {cores} cores": lambda count, cores=cores: duration(count * it.cpu_s / cores)  # type: ignore[misc]
            for cores in CORES
        },
        "read from storage": lambda count: f"{count * it.file_bytes / 1e12:,.1f} TB",
        "results": lambda count: f"{count * it.row_bytes / 1e9:,.1f} GB",
    }
    lines += [f"| {name} | {' | '.join(map(value, counts))} |" for name, value in rows.items()]
    lines += ["", "| cores | photos a second | read from storage |", "|---|---|---|"]
    for cores in CORES:
        rate = cores / it.cpu_s
        lines.append(f"| {cores} | {rate:,.0f} | {rate * it.file_bytes * 8 / 1e9:,.1f} Gbit/s |")
    middle = CORES[1]
    rate = middle / it.cpu_s
    cores = it.records_a_second * it.cpu_s
    bounds = (
        f"Decoding takes {it.decode_s * 1000:.0f} of the {it.cpu_s * 1000:.0f} ms, the networks most of the rest.",
        f"{middle} cores read {rate * it.file_bytes * 8 / 1e9:,.0f} Gbit/s, by {rate:,.0f} requests a second, where S3 "
        f"allows {S3_REQUESTS:,} a second and prefix.",
        f"The machine that started the run makes {round(it.records_a_second, -3):,.0f} records of rows a second, with "
        f"one core: what {round(cores, -2):,.0f} cores do.",
    )
    for bound in bounds:
        lines += ["", *fill(bound)]
    return "\n".join(lines)


def fill(text: str) -> list[str]:
    return textwrap.wrap(text, 120, break_long_words=False, break_on_hyphens=False)


def put_into(file: Path, text: str) -> None:
    """Let a text take the place of what is between the two comments in a page."""
    before, begin, rest = file.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise SystemExit(f"{file} has no {BEGIN} and {END}")
    file.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


def duration(seconds: float) -> str:
    hours = seconds / 3600
    return f"{hours * 60:.0f} min" if hours < 2 else f"{hours:.1f} h" if hours < 48 else f"{hours / 24:,.1f} days"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--photos", type=int, default=8)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--model", default="compact")
    parser.add_argument("--patches", type=int, default=NETWORKS["lite0"].patches)
    parser.add_argument("--into", type=Path, metavar="PAGE")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = arguments.folder or make_photos(Path(made) / "photos", arguments.photos)
        photos = sorted(path for path in folder.rglob("*") if path.is_file())[: arguments.photos]
        what = f"photos of {arguments.folder}" if arguments.folder else "24-megapixel JPEGs"
        text = page(measure(photos, what, arguments.model, arguments.patches))
    print(text)
    if arguments.into is not None:
        put_into(arguments.into, text)


if __name__ == "__main__":
    main()
