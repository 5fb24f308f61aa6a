"""What a million and a hundred million photos cost: core-hours, bytes from storage, time on so many cores.

    python benchmarks/cluster_cost.py [--photos 8] [--folder DIR] [--model MODEL] [--patches 10]

Measures the processor time (not the clock, so that other programs matter little) that `photodefect diagnose` takes for
each photo more, what of it is decoding, and how large the photos and their rows are; then multiplies. Without --folder
the photos are made like those of speed.py: 24 megapixels, as cameras write them. Prints the tables of
docs/at-scale.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from speed import ROOT, make_photos

MILLION = 1_000_000
CORES = (16, 256, 1024)

DECODE = """
import sys
from pathlib import Path
from photodefect.photos.decode import decode
for path in sys.argv[1:]:
    decode(Path(path))
"""


@dataclass(frozen=True)
class Measured:
    """Of one photo: seconds of one core, in all and for decoding; bytes of its file and of its row."""

    cpu_s: float
    decode_s: float
    start_s: float
    file_bytes: float
    row_bytes: float


def processor_seconds(command: Sequence[str | Path]) -> tuple[float, bytes]:
    """Seconds of user and system time of a command and its children, and what it wrote to stdout."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    before = os.times()
    done = subprocess.run([*map(str, command)], check=True, stdout=subprocess.PIPE, env=environment)
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return spent, done.stdout


def measure(photos: list[Path], model: str, patches: int) -> Measured:
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
    return Measured(
        cpu_s=each,
        decode_s=(decode_many - decode_one) / (len(photos) - 1),
        start_s=one - each,
        file_bytes=sum(path.stat().st_size for path in photos) / len(photos),
        row_bytes=row_bytes(written),
    )


def row_bytes(written: bytes) -> float:
    """Bytes of a photo's row in a part of the usual size, made of these rows with other names and scores."""
    from photodefect.distributed.plan import DEFAULT_PART_SIZE, parquet  # noqa: PLC0415
    from photodefect.distributed.rows import to_table  # noqa: PLC0415
    from photodefect.records import Diagnosis  # noqa: PLC0415

    records = [json.loads(line) for line in written.splitlines()]
    rows = []
    for number in range(DEFAULT_PART_SIZE):
        record = dict(records[number % len(records)], path=f"s3://archive/2024/{number:07}.jpg")
        for scores in ("severity", "holistic", "patches"):
            record[scores] = {key: value * (1 - number / 1e6) for key, value in record[scores].items()}
        rows.append(Diagnosis.from_dict(record))
    return len(parquet(to_table(rows))) / DEFAULT_PART_SIZE


def tables(it: Measured) -> str:
    """The tables, in Markdown."""
    lines = [
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
    return "\n".join(lines)


def duration(seconds: float) -> str:
    hours = seconds / 3600
    return f"{hours * 60:.0f} min" if hours < 2 else f"{hours:.1f} h" if hours < 48 else f"{hours / 24:,.1f} days"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--photos", type=int, default=8)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--model", default="compact")
    parser.add_argument("--patches", type=int, default=10)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = arguments.folder or make_photos(Path(made) / "photos", arguments.photos)
        photos = sorted(path for path in folder.rglob("*") if path.is_file())[: arguments.photos]
        print(tables(measure(photos, arguments.model, arguments.patches)))


if __name__ == "__main__":
    main()
