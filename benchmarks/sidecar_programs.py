"""What arrives in other programs of the sidecars that are written for them: a table program by field, from trying.

    python benchmarks/sidecar_programs.py [--photo samples/dog.jpg]

darktable imports photos by ``darktable-cli`` into a library of its own, whose database is read afterwards. digiKam is
started on a screen that nobody sees, with reading of sidecars switched on, until it has scanned the photos; its
database is read as well. Geeqie, on such a screen too, tells by its Lua what it has; exiv2 and exiftool print what they
find. A program that isn't installed is left out and named.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from photodefect.cli.sidecars import SidecarOptions
from photodefect.defects import KEYS
from photodefect.files.journal import Journal
from photodefect.ranking.profiles.settings import to_profile
from photodefect.records import Diagnosis
from photodefect.sidecars.marks import marks_of
from photodefect.sidecars.programs import READERS, Program
from photodefect.sidecars.sources import Sources
from photodefect.sidecars.style import SidecarStyle
from photodefect.sidecars.write import SidecarTask, write_sidecars
from photodefect.verdicts import DEFAULT_THRESHOLDS, verdict

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from tiff_bytes import bayer_dng  # type: ignore[import-untyped]

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
    """Copies of a photo, with sidecars as ``--for`` writes them but in this style.

    Each differs by some bytes at its end: digiKam gives a copy what it knows of the first, and reads no sidecar of it.
    """
    profile = to_profile(SidecarOptions(xmp=True, program=program).presets())
    folder.mkdir(parents=True)
    tasks, copies = [], []
    for kind, severities in KINDS.items():
        copy = folder / f"{kind}{photo.suffix}"
        copy.write_bytes(photo.read_bytes() + kind.encode())
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


_DIGIKAM = """\
[Album Settings]
Show ToolTips=false

[Database Settings]
Database Name={home}/
Database Name Face={home}/
Database Name Similarity={home}/
Database Name Thumbnails={home}/
Database Type=QSQLITE

[General Settings]
Version=7.9.0
Show Splash=false
Scan At Start=true

[Metadata Settings]
Use XMP Sidecar For Reading=true
"""
"""Without the first and the last group digiKam asks a beginner's questions, and reads no sidecars."""

_PATIENCE_S = 120


def digikam(photos: list[Path], style: SidecarStyle) -> Iterator[Arrived]:  # noqa: ARG001  finds them by itself
    """As digiKam has them in its database."""
    home = photos[0].parent.with_name(f"{photos[0].parent.name}-home")
    environment = _home(home)
    (home / ".config" / "digikamrc").write_text(_DIGIKAM.format(home=home))
    (home / "digikam4.db").touch()
    with closing(sqlite3.connect(home / "digikam4.db", timeout=30)) as database:
        with _on_a_hidden_screen(["digikam"], environment):
            _wait_for(lambda: bool(_rows(database, "SELECT 1 FROM Settings WHERE keyword = 'DBVersion'")))
            time.sleep(5)  # it fills tables after it has made them
        root = (f"volumeid:?path={photos[0].parent}",)
        with database:
            database.execute("INSERT INTO AlbumRoots VALUES (NULL, 'photos', 0, 1, ?, '/')", root)
        with _on_a_hidden_screen(["digikam"], environment):
            _wait_for(lambda: len(_rows(database, "SELECT 1 FROM ImageInformation")) == len(photos))
            time.sleep(5)
        names: dict[int, str] = {0: ""}
        parents = dict[int, int]()
        for number, parent, name in database.execute("SELECT id, pid, name FROM Tags"):
            names[number], parents[number] = name, parent
        for photo in photos:
            ((number, rating),) = _rows(
                database,
                "SELECT id, rating FROM Images JOIN ImageInformation ON imageid = id WHERE name = ?",
                photo.name,
            )
            tags = [tag for (tag,) in _rows(database, "SELECT tagid FROM ImageTags WHERE imageid = ?", number)]
            labels = [names[tag] for tag in tags if names[tag].startswith("Color Label ")]
            words = sorted(_path(tag, names, parents) for tag in tags if not _path(tag, names, parents).startswith("_"))
            label = ", ".join(it.removeprefix("Color Label ") for it in labels)
            yield Arrived("" if rating < 0 else str(rating), label, words)


def _path(tag: int, names: Mapping[int, str], parents: Mapping[int, int]) -> str:
    above = parents[tag]
    return f"{_path(above, names, parents)}|{names[tag]}" if above else names[tag]


_LUA = """\
local found = Image:get_exif()
local function value(key) return found and found:get_datum(key) or "" end
return value("Xmp.xmp.Rating") .. "\\t" .. value("Xmp.xmp.Label") .. "\\t" .. value("Xmp.lr.hierarchicalSubject")
"""


def geeqie(photos: list[Path], style: SidecarStyle) -> Iterator[Arrived]:  # noqa: ARG001  finds them by itself
    """As Geeqie tells them."""
    home = photos[0].parent.with_name(f"{photos[0].parent.name}-home")
    environment = _home(home)
    scripts = home / ".config" / "geeqie" / "lua"
    scripts.mkdir(parents=True)
    (scripts / "found.lua").write_text(_LUA)
    asking = " && ".join(f"geeqie --remote --lua:{photo},found.lua && echo" for photo in photos)
    command = ["sh", "-c", f"geeqie --blank >&2 & sleep 8; {asking}; geeqie --remote --quit"]
    with _on_a_hidden_screen(command, environment) as running:
        told, _ = running.communicate(timeout=_PATIENCE_S)
    for line in filter(lambda line: "\t" in line, told.decode().splitlines()):
        rating, label, words = line.split("\t")
        yield Arrived(rating, label, sorted(filter(None, words.split(", "))))


def _home(home: Path) -> dict[str, str]:
    """An empty home, and what is in the environment there."""
    for name in (".config", "run"):
        (home / name).mkdir(parents=True, mode=0o700)
    places = {"HOME": home, "XDG_CONFIG_HOME": home / ".config", "XDG_RUNTIME_DIR": home / "run"}
    usual = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "QTWEBENGINE_DISABLE_SANDBOX": "1"}
    return usual | {name: str(place) for name, place in places.items()}


@contextmanager
def _on_a_hidden_screen(command: list[str], environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    running = subprocess.Popen(
        ["xvfb-run", "-a", "dbus-run-session", "--", *command],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        yield running
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGTERM)
        running.communicate()


def _wait_for(there: Callable[[], bool]) -> None:
    begun = time.monotonic()
    while not there():
        if time.monotonic() - begun > _PATIENCE_S:
            raise TimeoutError("the program didn't get ready")
        time.sleep(1)


def _rows(database: sqlite3.Connection, query: str, *values: object) -> list[tuple[int, ...]]:
    """What is there; nothing where there is no such table yet."""
    try:
        return database.execute(query, values).fetchall()
    except sqlite3.OperationalError:
        return []


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


class Trial(NamedTuple):
    """A program that reads, how its version is asked for, and which sidecars it gets."""

    reading: Reading
    asking: list[str]
    program: Program
    style: SidecarStyle
    raw: bool = False


_OFFSCREEN = ["xvfb-run", "-a"]

TRIALS: tuple[Trial, ...] = (
    Trial(darktable, ["darktable-cli", "--version"], "darktable", SidecarStyle.FULL),
    Trial(darktable, ["darktable-cli", "--version"], "lightroom", SidecarStyle.STEM),
    Trial(darktable, ["darktable-cli", "--version"], "bridge", SidecarStyle.STEM),
    Trial(digikam, [*_OFFSCREEN, "digikam", "--version"], "digikam", SidecarStyle.FULL),
    Trial(digikam, [*_OFFSCREEN, "digikam", "--version"], "darktable", SidecarStyle.FULL),
    Trial(digikam, [*_OFFSCREEN, "digikam", "--version"], "lightroom", SidecarStyle.STEM),
    Trial(geeqie, [*_OFFSCREEN, "geeqie", "--version"], "lightroom", SidecarStyle.STEM),
    Trial(geeqie, [*_OFFSCREEN, "geeqie", "--version"], "lightroom", SidecarStyle.STEM, True),
    Trial(geeqie, [*_OFFSCREEN, "geeqie", "--version"], "darktable", SidecarStyle.FULL, True),
    *(Trial(exiv2, ["exiv2", "--version"], program, reader.style) for program, reader in READERS.items()),
    *(Trial(exiftool, ["exiftool", "-ver"], program, reader.style) for program, reader in READERS.items()),
)


def version(command: list[str]) -> str | None:
    """The version of a program; None if it isn't there."""
    if any(shutil.which(it) is None for it in (command[0], command[-2])):
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
        raw = Path(folder) / "raw.dng"
        raw.write_bytes(bayer_dng(np.full((64, 64), 9000, np.uint16)))
        for number, (reading, command, program, style, is_raw) in enumerate(TRIALS):
            there = version(command)
            if there is None:
                missing.add(command[-2])
                continue
            photos = prepared(Path(folder) / str(number), raw if is_raw else photo, program, style)
            arrived = list(reading(photos, style))
            words = ", ".join(f"`{word}`" for word in arrived[-1].keywords).replace("|", "\\|")
            named = "`IMG.xmp`" if style is SidecarStyle.STEM else f"`IMG{photos[0].suffix}.xmp`"
            named += " of raw photos" if is_raw else ""
            stars = ", ".join(it.rating or "none" for it in arrived)
            cells = (f"{reading.__name__} {there}", f"`--for {program}`, {named}", stars, arrived[-1].label, words)
            print("|", " | ".join(cells), "|")
    for name in sorted(missing):
        print(f"\n{name} isn't installed")


if __name__ == "__main__":
    main()
