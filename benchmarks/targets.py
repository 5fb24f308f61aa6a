"""What speed, memory and size are to reach: this build and another one over the same photos, and other programs.

    python benchmarks/targets.py [--beside TREE|WHEEL] [--photos 96] [--few 10] [--known 200] [--runs 5] [--size]
    python benchmarks/targets.py --only peers --peers /tmp/rivals/bin/python

`--beside` is another build of photodefect: a working tree (`git worktree add`) or a wheel, which is unpacked for the
run. Both builds run with this Python and its packages, in turn, so that a machine that slows down slows down both.
Printed are, for each build, medians of the runs:

maps: processor seconds (user and system, of all processes) of `report` with maps and of `heatmap` with overlays,
divided by those of `diagnose` in the same round, over `--few` photos of 24 megapixels; the largest process.

decoding: seconds of `diagnose` divided by those of decoding the same files with simplejpeg in the same round, over
`--photos` photos of each kind; the most memory that all processes held together.

known: processor milliseconds a photo of the first `rank-folder` after `diagnose`, and of a second `report`, over
`--known` photographs of about two megapixels. What one photo takes is taken off as start-up.

`--size` installs both builds without extras, anew from the network, and adds up what lies there.

Peers (see speed.py for how to install them) take seconds, as `decoding` does, over `--few` photos of 24 megapixels.
"""

from __future__ import annotations

import argparse
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from heatmap_speed import COMMANDS, measured
from installed_size import install, sizes
from speed import RIVALS, ROOT, SIZES, copies, cores, diagnose, has, make_photos, measure, processor, table, task

KINDS = {
    "24 megapixels": (SIZES[24], 1),
    "12 megapixels": (SIZES[12], 1),
    "6 megapixels": (SIZES[6], 1),
    "24 megapixels taken upright": (SIZES[24], 6),
}
DISTINCT = 8
"""Photos of a kind that are made; the others are copies, which a run without a cache can't tell."""

TARGETS = {
    "`report` with maps / `diagnose`": (3, 2),
    "`heatmap` with overlays / `diagnose`": (5, 3),
    "`diagnose` / decoding, 24 megapixels": (1.2, 1.12),
    "`diagnose` / decoding, 12 megapixels": (1.35, 1.25),
    "`diagnose` / decoding, 6 megapixels": (1.8, 1.5),
    "`diagnose` / decoding, 24 megapixels taken upright": (1.25, 1.15),
    "`rank-folder` after `diagnose`, ms a known photo": (1, 0.3),
    "`report` again, ms a known photo": (5, 2),
    "installed without extras, MB": (400, 300),
}
"""What must be reached, and what is the goal."""


@dataclass
class Build:
    """A build: its name, the folder that its package lies in, what pip installs, and what was found, by row."""

    name: str
    folder: Path
    source: Path
    found: dict[str, list[float]] = field(default_factory=dict)

    def add(self, row: str, value: float) -> None:
        self.found.setdefault(row, []).append(value)

    def told(self, row: str) -> str:
        if row not in self.found:
            return ""
        value = statistics.median(self.found[row])
        return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def beside(place: Path, scratch: Path) -> Build:
    """The other build, by its tree or its wheel."""
    if place.suffix != ".whl":
        return Build(place.name, place.resolve(), place.resolve())
    folder = scratch / "wheel"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder]
    subprocess.run([*pip, place], check=True)
    return Build(place.name, folder, place.resolve())


def maps(builds: list[Build], scratch: Path, few: int, runs: int) -> None:
    """Rows of maps."""
    photos = make_photos(scratch / "few", few)
    rows = {"report with maps": "`report` with maps", "heatmap, panel and overlays": "`heatmap` with overlays"}
    out = scratch / "maps"
    for _ in range(runs):
        for build in builds:
            base, peak = measured(build.folder, [*COMMANDS["diagnose"], "--force"], photos, scratch / "records.ndjson")
            build.add("`diagnose`, processor ms a photo of 24 megapixels", base / few * 1000)
            build.add("`diagnose`, MiB of the largest process", peak)
            for command, name in rows.items():
                seconds, peak = measured(build.folder, COMMANDS[command], photos, out)
                build.add(f"{name} / `diagnose`", seconds / base)
                build.add(f"{name}, MiB of the largest process", peak)
                shutil.rmtree(out)


def decoding(builds: list[Build], scratch: Path, count: int, runs: int) -> None:
    """Rows of diagnosing beside decoding."""
    for kind, (size, orientation) in KINDS.items():
        distinct = make_photos(scratch / f"{kind} distinct", min(DISTINCT, count), size, orientation=orientation)
        photos = copies(distinct, scratch / kind, count)
        for _ in range(runs):
            base, _ = measure(task("simplejpeg", photos, sys.executable))
            for build in builds:
                seconds, peak = measure(diagnose(photos), build.folder)
                build.add(f"`diagnose` / decoding, {kind}", seconds / base)
                build.add(f"`diagnose`, MiB of all processes, {kind}", peak)
        shutil.rmtree(photos)


def known(builds: list[Build], scratch: Path, count: int, runs: int) -> None:
    """Rows of photos that are known already."""
    samples = sorted((ROOT / "samples").glob("*.jpg"))
    folder, alone = scratch / "known", scratch / "alone"
    folder.mkdir()
    alone.mkdir()
    for number in range(count):
        # What comes after the end of a JPEG is ignored by decoders, but makes another content.
        data = samples[number % len(samples)].read_bytes() + number.to_bytes(4, "big")
        (folder / f"{number:05}.jpg").write_bytes(data)
    shutil.copy(folder / "00000.jpg", alone)
    output = scratch / "written"
    diagnosing = ["diagnose", "--format", "ndjson", "--force", "--cache"]
    ranking = ["rank-folder", "--format", "ndjson", "--force", "--cache"]
    reporting = ["report", "--force", "--cache"]
    for number, build in enumerate(builds):
        cache = scratch / f"{number}.sqlite"
        measured(build.folder, [*diagnosing, str(cache)], folder, output)
        drawn = shutil.copy(cache, scratch / f"{number}-drawn.sqlite")
        measured(build.folder, [*reporting, drawn], folder, scratch / f"report-{number}")
    for run in range(runs):
        for number, build in enumerate(builds):
            fresh = shutil.copy(scratch / f"{number}.sqlite", scratch / f"{number}-{run}.sqlite")
            drawn = scratch / f"{number}-drawn.sqlite"
            ranked = [measured(build.folder, [*ranking, fresh], photos, output)[0] for photos in (alone, folder)]
            reported = [
                measured(build.folder, [*reporting, str(drawn)], photos, scratch / f"report-{number}")[0]
                for photos in (alone, folder)
            ]
            rows = {
                "`rank-folder` after `diagnose`, ms a known photo": ranked,
                "`report` again, ms a known photo": reported,
            }
            for row, (one, all_of_them) in rows.items():
                build.add(row, (all_of_them - one) / (count - 1) * 1000)


def installed(builds: list[Build], scratch: Path) -> None:
    """The row of what is installed."""
    for number, build in enumerate(builds):
        found = sizes(install(scratch / f"installed-{number}", "", [], build.source))
        build.add("installed without extras, MB", sum(found.values()) / 1e6)


def lines(builds: list[Build]) -> Iterator[str]:
    """The table."""
    yield f"| | {' | '.join(build.name for build in builds)} | must | goal |"
    yield f"|---|{'---:|' * (len(builds) + 2)}"
    found = dict.fromkeys(row for build in builds for row in build.found)
    for row in [*(it for it in TARGETS if it in found), *(it for it in found if it not in TARGETS)]:
        must, goal = TARGETS.get(row, ("", ""))
        yield f"| {row} | {' | '.join(build.told(row) for build in builds)} | {must} | {goal} |"


def peers(scratch: Path, few: int, runs: int, python: str) -> None:
    """Print the table of other programs."""
    missing = [name for name, package in RIVALS.items() if not has(python, package)]
    if missing:
        print(f"Not installed, so not measured: {', '.join(missing)}\n")
    photos = make_photos(scratch / "for peers", few)
    ways = {
        "decode only, simplejpeg": (task("simplejpeg", photos, sys.executable), few),
        "**photodefect, default**": (diagnose(photos), few),
    }
    ways |= {name: (task(name, photos, python), few) for name in RIVALS if name not in missing}
    table("way", ways, runs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--beside", type=Path, metavar="TREE|WHEEL", help="another build of photodefect")
    parser.add_argument("--photos", type=int, default=96, help="of each kind, beside decoding")
    parser.add_argument("--few", type=int, default=10, help="of 24 megapixels, for maps and for peers")
    parser.add_argument("--known", type=int, default=200, help="that are known already, at least 2")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--size", action="store_true", help="install both builds to measure their size")
    parser.add_argument("--only", action="append", choices=["maps", "decoding", "known", "peers"], help="repeatable")
    parser.add_argument("--peers", metavar="PYTHON", help="that has the other programs, which aren't measured without")
    arguments = parser.parse_args()
    wanted = arguments.only or ["maps", "decoding", "known", *(["peers"] if arguments.peers else [])]
    print(f"{processor()}, {cores()} cores; {platform.system()}, Python {platform.python_version()}; ", end="")
    print(f"medians of {arguments.runs} runs, start-up included\n")
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        builds = [Build("this build", ROOT, ROOT)]
        if arguments.beside is not None:
            builds.insert(0, beside(arguments.beside, scratch))
        if "maps" in wanted:
            maps(builds, scratch, arguments.few, arguments.runs)
        if "decoding" in wanted:
            decoding(builds, scratch, arguments.photos, arguments.runs)
        if "known" in wanted:
            known(builds, scratch, arguments.known, arguments.runs)
        if arguments.size:
            installed(builds, scratch)
        if any(build.found for build in builds):
            print("\n".join(lines(builds)) + "\n", flush=True)
        if "peers" in wanted:
            peers(scratch, arguments.few, arguments.runs, arguments.peers or sys.executable)


if __name__ == "__main__":
    main()
