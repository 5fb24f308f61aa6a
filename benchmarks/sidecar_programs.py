"""What arrives in other programs of the sidecars that are written for them: a table program by field, from trying.

    python benchmarks/sidecar_programs.py [--photo samples/dog.jpg]

darktable imports photos by ``darktable-cli`` into a library of its own, whose database is read afterwards. Exiv2, by
which digiKam, darktable and Geeqie read XMP, and exiftool print what they find. A program that isn't installed is left
out and named.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from photodefect.cli.sidecars import SidecarOptions
from photodefect.defects import KEYS
from photodefect.files import Journal
from photodefect.ranking.profiles.settings import to_profile
from photodefect.records import Diagnosis
from photodefect.sidecars.marks import marks_of
from photodefect.sidecars.programs import READERS, Program
from photodefect.sidecars.sources import Sources
from photodefect.sidecars.style import SidecarStyle
from photodefect.sidecars.write import SidecarTask, write_sidecars
from photodefect.verdicts import DEFAULT_THRESHOLDS, verdict

KINDS: dict[str, dict[str, float]] = {"good": {}, "mild": {"noise": 0.4}, "rejected": {"noise": 0.8}}


class Arrived(NamedTuple):
    """What a program has of a photo."""

    rating: str
    label: str
    keywords: list[str]


def record(path: Path, severities: dict[str, float]) -> Diagnosis:
    """A record of a photo with these severities."""
    severity = dict.fromkeys(KEYS, 0.0) | severities
    worst, overall = verdict(severity)
    return Diagnosis(
        str(path), severity=severity, worst=worst, verdict=overall, thresholds=DEFAULT_THRESHOLDS, monochrome=False
    )


def prepared(folder: Path, photo: Path, program: Program, style: SidecarStyle) -> list[Path]:
    """Copies of a photo, with sidecars as ``--for`` writes them but in this style."""
    profile = to_profile(SidecarOptions(xmp=True, program=program).presets())
    folder.mkdir(parents=True)
    tasks, copies = [], []
    for kind, severities in KINDS.items():
        copy = Path(shutil.copy(photo, folder / f"{kind}{photo.suffix}"))
        sidecar = copy.with_suffix(".xmp") if style is SidecarStyle.STEM else copy.with_name(copy.name + ".xmp")
        tasks.append(SidecarTask(sidecar, marks_of(record(copy, severities), profile), Sources((copy,))))
        copies.append(copy)
    with Journal(None) as journal:
        write_sidecars(tasks, journal)
    return copies


def darktable(photos: list[Path], style: SidecarStyle) -> Iterator[Arrived]:  # noqa: ARG001  finds them by itself
    """As darktable has them in its library."""
    home = photos[0].parent / "home"
    for photo in photos:
        subprocess.run(
            ["darktable-cli", photo, home / f"{photo.stem}.png", "--width", "32", "--height", "32", "--core",
             "--configdir", home, "--cachedir", home, "--library", home / "library.db", "--disable-opencl"],
            check=True, capture_output=True,
        )  # fmt: skip
    colours = ("Red", "Yellow", "Green", "Blue", "Purple")
    with closing(sqlite3.connect(home / "library.db")) as library:
        library.execute("ATTACH ? AS data", (str(home / "data.db"),))
        for photo in photos:
            number, flags = library.execute("SELECT id, flags FROM images WHERE filename = ?", (photo.name,)).fetchone()
            labels = library.execute("SELECT color FROM color_labels WHERE imgid = ?", (number,)).fetchall()
            tags = library.execute(
                "SELECT name FROM tagged_images JOIN data.tags ON tags.id = tagid WHERE imgid = ?", (number,)
            ).fetchall()
            own = sorted(name for (name,) in tags if not name.startswith("darktable|"))
            yield Arrived("rejected" if flags & 8 else str(flags & 7), ", ".join(colours[it] for (it,) in labels), own)


def exiv2(photos: list[Path], style: SidecarStyle) -> Iterator[Arrived]:
    """As exiv2 prints them."""
    for photo in photos:
        done = subprocess.run(["exiv2", "-Pkv", _sidecar(photo, style)], capture_output=True, text=True, check=True)
        found = dict(re.findall(r"^(\S+)\s+(.*)$", done.stdout, re.MULTILINE))
        paths = found.get("Xmp.lr.hierarchicalSubject", "")
        yield Arrived(
            found.get("Xmp.xmp.Rating", ""), found.get("Xmp.xmp.Label", ""), sorted(filter(None, paths.split(", ")))
        )


def exiftool(photos: list[Path], style: SidecarStyle) -> Iterator[Arrived]:
    """As exiftool prints them."""
    for photo in photos:
        done = subprocess.run(["exiftool", "-j", _sidecar(photo, style)], capture_output=True, text=True, check=True)
        (found,) = json.loads(done.stdout)
        paths = found.get("HierarchicalSubject", [])
        listed = paths if isinstance(paths, list) else [paths]
        yield Arrived(str(found.get("Rating", "")), str(found.get("Label", "")), sorted(listed))


def _sidecar(photo: Path, style: SidecarStyle) -> Path:
    return photo.with_suffix(".xmp") if style is SidecarStyle.STEM else photo.with_name(photo.name + ".xmp")


Reading = Callable[[list[Path], SidecarStyle], Iterator[Arrived]]

# Program that reads; how its version is asked for; which --for the sidecars are written by, and in which style.
TRIALS: tuple[tuple[Reading, list[str], Program, SidecarStyle], ...] = (
    (darktable, ["darktable-cli", "--version"], "darktable", SidecarStyle.FULL),
    (darktable, ["darktable-cli", "--version"], "lightroom", SidecarStyle.STEM),
    (darktable, ["darktable-cli", "--version"], "bridge", SidecarStyle.STEM),
    *((exiv2, ["exiv2", "--version"], program, reader.style) for program, reader in READERS.items()),
    *((exiftool, ["exiftool", "-ver"], program, reader.style) for program, reader in READERS.items()),
)


def version(command: list[str]) -> str | None:
    """The version of a program; None if it isn't there."""
    if shutil.which(command[0]) is None:
        return None
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"\d+(\.\d+)+", done.stdout)
    return found[0] if found else "?"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photo", type=Path, default=Path(__file__).parents[1] / "samples" / "dog.jpg")
    photo = parser.parse_args().photo
    print("| read by | written | stars: good, mild, rejected | label | keywords of the rejected photo |")
    print("|---|---|---|---|---|")
    missing = set()
    with tempfile.TemporaryDirectory() as folder:
        for number, (reading, command, program, style) in enumerate(TRIALS):
            there = version(command)
            if there is None:
                missing.add(command[0])
                continue
            photos = prepared(Path(folder) / str(number), photo, program, style)
            arrived = list(reading(photos, style))
            words = ", ".join(f"`{word}`" for word in arrived[-1].keywords).replace("|", "\\|")
            named = "`IMG.xmp`" if style is SidecarStyle.STEM else "`IMG.jpg.xmp`"
            stars = ", ".join(it.rating or "none" for it in arrived)
            cells = (f"{reading.__name__} {there}", f"`--for {program}`, {named}", stars, arrived[-1].label, words)
            print("|", " | ".join(cells), "|")
    for name in sorted(missing):
        print(f"\n{name} isn't installed")


if __name__ == "__main__":
    main()
