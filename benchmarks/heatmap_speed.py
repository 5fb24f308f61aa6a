"""What heat maps cost beside a diagnosis: processor seconds of reports and of `heatmap`, of this build and of another.

    python benchmarks/heatmap_speed.py [--photos 10] [--runs 3] [--beside FOLDER]

Makes 24-megapixel JPEGs from the sample photographs, as speed.py does, and prints for `diagnose`, `report` with maps,
`heatmap` with its panel, and `heatmap` with panel and overlays: processor seconds (of the user and the system, of all
processes, start-up included) for each photo, medians of several runs; their ratio to `diagnose` in the same run; and
the largest peak memory of a process. `--beside` measures the build of another working tree (`git worktree add`) on the
same photos, in turn with this one. Results are never taken from a cache.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from speed import make_photos

ROOT = Path(__file__).resolve().parents[1]

COMMANDS = {
    "diagnose": ["diagnose", "--format", "ndjson", "--no-cache"],
    "report with maps": ["report", "--maps", "--no-cache"],
    "heatmap, panel": ["heatmap", "--no-overlays"],
    "heatmap, panel and overlays": ["heatmap", "--overlays"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=10)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--beside", type=Path, metavar="FOLDER", help="another working tree of photodefect")
    parser.add_argument("--only", action="append", choices=list(COMMANDS), help="these commands; repeatable")
    args = parser.parse_args()
    builds = {"this build": ROOT} | ({} if args.beside is None else {str(args.beside): args.beside.resolve()})
    names = [name for name in COMMANDS if args.only is None or name in args.only or name == "diagnose"]
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        photos = make_photos(Path(folder) / "photos", args.photos)
        for run in range(args.runs):
            for build, tree in builds.items():
                for name in names:
                    out = Path(folder) / f"{run}-{len(found)}-{name.replace(' ', '-')}"
                    found.setdefault((build, name), []).append(measured(tree, COMMANDS[name], photos, out))
    print(f"{args.photos} JPEGs of 24 megapixels; medians of {args.runs}, start-up included\n")
    print("| build | command | processor ms a photo | x diagnose | largest process, MiB |\n|---|---|---:|---:|---:|")
    for build in builds:
        diagnosing = statistics.median(seconds for seconds, _ in found[build, "diagnose"])
        for name in names:
            seconds = statistics.median(seconds for seconds, _ in found[build, name])
            peak = max(peak for _, peak in found[build, name])
            ms = seconds / args.photos * 1000
            print(f"| {build} | {name} | {ms:.0f} | {seconds / diagnosing:.2f} | {peak:.0f} |")


def measured(tree: Path, command: list[str], photos: Path, out: Path) -> tuple[float, float]:
    """Processor seconds of a run of the command, and the peak memory in MiB of the largest of its processes."""
    call = [sys.executable, str(Path(__file__).resolve()), "--one", sys.executable, "-m", "photodefect"]
    call += [*command, str(photos), "-o", str(out)]
    environment = os.environ | {"PYTHONPATH": str(tree)}
    run = subprocess.run(call, env=environment, cwd=tree, capture_output=True, text=True, check=True)
    seconds, peak = run.stdout.split()[-2:]
    return float(seconds), float(peak)


def one(command: list[str]) -> None:
    """Run a command and print what it and its processes used; alone in a process, so that nothing else counts."""
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(sys.argv[2:])
    else:
        main()
