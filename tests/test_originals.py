"""Originals are sacred: whatever a command is told to write, no photo and nothing beside it changes.

All of that with the network forbidden, so that these runs also show that no command needs or asks it.

Every command has an entry in RUNS; a new one, or a new option that isn't tried there, fails a test here.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from no_network_here import forbidden_network, listening_allowed
from PIL import Image
from tiff_bytes import bayer_dng
from tiny_training import tiny_builder
from typer.testing import CliRunner, Result

from photodefect.cli import _load, app, available_commands
from photodefect.core.network.registry import NETWORKS
from photodefect.defects import KEYS

SIDECAR = """\
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="5" xmp:Label="a person's"/>
 </rdf:RDF>
</x:xmpmeta>
"""
READ_ONLY = ("photos/IMG_2.jpg", "photos/IMG_2.jpg.xmp", "outside/linked.jpg")


@dataclass(frozen=True)
class Place:
    """Where a run finds what it reads, and where it may write.

    Attributes:
        tree: photos and all that a person has beside them; sacred.
        out: a folder that belongs to the run.
    """

    tree: Path
    out: Path

    @property
    def photos(self) -> Path:
        return self.tree / "photos"

    @property
    def labels(self) -> Path:
        return self.tree / "set" / "labels.csv"

    @property
    def predictions(self) -> Path:
        return self.tree / "set" / "predictions.csv"

    @property
    def votes(self) -> Path:
        return self.tree / "set" / "votes.csv"

    @property
    def listed(self) -> Path:
        return self.tree / "set" / "photos.lst"

    @property
    def network(self) -> Path:
        return self.tree / "set" / "network.caffemodel"


Run = list[str | Path]

# What most commands have, of little photos.
LISTED: Run = ["--null", "--exclude", "*.tif", "--include-passed-over", "--time-limit", "60", "--device", "cpu"]
WORKERS: Run = ["--workers", "1", "--threads", "1"]
JUDGED: Run = ["--threshold", "noise=0.2:0.4", "--weight", "noise=2", "--relative-to", "folder", "--no-hints"]

TRAINING: Run = ["--init", "random", "--batch", "1", "--steps", "1", "--device", "cpu"]

# Every option of every command, except ELSEWHERE. Photos that are moved come back by the next run, an undo.
RUNS: dict[str, Callable[[Place], list[Run]]] = {
    "diagnose": lambda at: [
        [at.photos, "--output", at.out / "severities.csv", "--format", "csv", "--detail", "--verbose"],
        [at.photos, "--output", at.out / "severities.csv", "--format", "json", "--force", "--cache",
         at.out / "kept.sqlite"],
        ["--files-from", at.listed, *LISTED, *WORKERS, "--no-cache", "--patch-placement", "random", "--seed", "1",
         "--threshold", "noise=0.2:0.4", "--fail-on", "severe", "--quiet", "--format", "ndjson"],
    ],
    "watch": lambda at: [
        [at.photos, "--existing", "--stop-after", "0.2", "--settle", "0.1", "--output", at.out / "arrived.ndjson",
         "--cache", at.out / "kept.sqlite"],
        [at.photos, "--existing", "--stop-after", "0.2", "--settle", "0.1", "--output", at.out / "arrived.ndjson",
         "--force"],
        [at.photos, "--existing", "--stop-after", "0.2", "--look-every", "1", "--format", "csv", "--detail",
         *LISTED[1:], *WORKERS, "--no-cache", "--patch-placement", "random", "--seed", "1", "--threshold",
         "noise=0.2:0.4", "--fail-on", "severe", "--quiet", "--verbose"],
    ],
    "heatmap": lambda at: [
        [at.photos, "--output", at.out / "maps", "--raw", "--overlays", "--defect", "noise"],
        [at.photos, "--output", at.out / "maps", "--raw", "--full-size", "--force", "--format", "png", "--defect",
         "noise"],
        ["--files-from", at.listed, *LISTED, "--output", at.out / "more", "--no-panel", "--overlays", "--full",
         "--window", "3", "--json", "--quiet", "--verbose", "--defect", "noise"],
        ["--files-from", at.listed, "--null", "--output", at.out / "scaled", "--scale", "0.5", "--no-overlays"],
    ],
    "report": lambda at: [
        [at.photos, "--output", at.out / "report", "--maps"],
        [at.photos, "--output", at.out / "report", "--sheet", at.out / "sheet.pdf", "--force"],
        [at.photos, "--sheet", at.out / "sheet.jpg"],
        [at.photos, "--output", at.out / "report", "--force"],
        ["--files-from", at.listed, *LISTED, *WORKERS, "--output", at.out / "titled", "--title", "Mine", "--cache",
         at.out / "kept.sqlite", "--threshold", "noise=0.2:0.4", "--quiet"],
        [at.photos, "--output", at.out / "fresh", "--no-cache", "--verbose"],
    ],
    "rank-folder": lambda at: [
        [at.photos, "--output", at.out / "ranking.csv", "--format", "csv"],
        [at.photos, "--output", at.out / "ranking.csv", "--format", "json", "--force"],
        [at.photos, "--copy-to", at.out / "copies", "--apply", "--journal", at.out / "copies.jsonl"],
        [at.photos, "--include-passed-over", "--exclude", "IMG_1.*", "--copy-to", at.out / "all", "--apply"],
        [at.photos, "--link-to", at.out / "links", "--apply", "--keep-folders"],
        [at.photos, "--xmp", "--xmp-style", "full"],
        [at.photos, "--xmp", "--for", "darktable"],
        [at.photos, *LISTED[1:], *WORKERS, *JUDGED, "--xmp", "--by", "noise", "--reverse", "--exclude-severe",
         "--keep-graphics",
         "--show-excluded", "--excluded", "--min", "haze=0", "--max", "noise=0.9", "--top", "2", "--best-per-burst",
         "1", "--thin-sequences", "--burst-gap", "5", "--cache", at.out / "kept.sqlite", "--print0", "--verbose"],
        [at.photos, "--best", "50%", "--summary", "--no-cache", "--profile", at.tree / "set" / "own.toml"],
        ["--files-from", at.listed, "--null", "--keep", "2", "--format", "csv", "--detail", "--quiet", "--only", "good",
         "--since", "2000-01-01"],
        [at.photos, "--marked", "unmarked", "--format", "exiftool-csv", "--output", at.out / "marks.csv"],
        [at.photos, "--marked", "pick", "--xmp"],
        [at.photos, "--xmp", "--reject-as", "label", "--overwrite-ratings", "--apply", "--journal",
         at.out / "xmp.jsonl"],
        [at.photos, "--move-to", at.out / "planned"],
        [at.photos, "--move-to", at.out / "moved", "--apply", "--journal", at.out / "moved.jsonl"],
    ],
    "unmark": lambda at: [
        [at.photos],
        [at.photos, "--apply", "--journal", at.out / "unmarked.jsonl"],
        [at.photos, "--quiet"],
    ],
    "review": lambda at: [
        [at.photos, "--stop-after", "0", "--no-browser"],
        [at.photos, "--stop-after", "0", "--no-browser", "--blind", "--ratings", at.out / "ratings.csv"],
        ["--files-from", at.listed, *LISTED, *WORKERS, *JUDGED, "--burst-gap", "5", "--port", "0", "--no-browser",
         "--stop-after", "0.5", "--cache", at.out / "kept.sqlite", "--quiet", "--verbose"],
        [at.photos, "--profile", at.tree / "set" / "own.toml", "--no-cache", "--no-browser", "--stop-after", "0.5"],
    ],
    "undo": lambda at: [
        [],
        [at.out / "copies.jsonl"],
        [at.out / "copies.jsonl", "--apply"],
        [at.out / "moved.jsonl", "--apply"],
        [at.out / "xmp.jsonl", "--apply"],
        [at.out / "xmp.jsonl", "--quiet"],
    ],
    "cache": lambda at: [
        ["info", "--json"],
        ["verify"],
        ["clear"],
        ["clear", "--older-than", "1", "--cache", at.out / "kept.sqlite", "--quiet"],
    ],
    "profile": lambda at: [
        ["show", at.photos],
        ["list"],
        ["show", at.photos, "--profile", at.tree / "set" / "own.toml", "--quiet"],
    ],
    "tune": lambda at: [
        [at.labels, "--output", at.out / "mine.toml", "--anyway"],
        [at.labels, "--output", at.out / "mine.toml", "--anyway", "--force"],
        [at.labels, "--save-as", "mine", "--anyway"],
        [at.labels, "--images", at.tree / "set", "--anyway", "--device", "cpu", *WORKERS, "--time-limit", "60",
         "--cache", at.out / "kept.sqlite", "--quiet"],
        [at.labels, "--anyway", "--no-cache"],
    ],
    "train": lambda at: [
        [at.labels, "--output", at.out / "model", "--checkpoint-every", "1", "--keep", "1", *TRAINING],
        [at.labels, "--output", at.out / "model", "--resume", "auto", *TRAINING],
        ["--synthesize", at.tree / "set", "--any-source", "--output", at.out / "other", *TRAINING,
         "--variants", "1", "--rebalanced", "0.5", "--exclude", "1*.jpg", "--include-passed-over"],
        [at.labels, "--images", at.tree / "set", "--output", at.out / "set", *TRAINING, "--network", "lite0",
         "--recipe", "paper", "--inputs", "holistic", "--loss", "euclidean", "--learning-rate", "0.01",
         "--column-factor", "2", "--momentum", "0.5", "--weight-decay", "0", "--seed", "1", "--validation", "0.2",
         "--validate-every", "1", "--patience", "1", "--window", "8", "--cache-mb", "16", "--workers", "1",
         "--name", "mine", "--quiet"],
    ],
    "evaluate": lambda at: [
        [at.predictions, "--labels", at.labels, "--bootstrap", "10", "--output", at.out / "table.txt", "--html",
         at.out / "page.html"],
        [at.predictions, "--labels", at.labels, "--bootstrap", "10", "--output", at.out / "table.txt", "--html",
         at.out / "page.html", "--force"],
        [at.predictions, "--benchmark", at.tree / "set" / "ladders.csv", "--split", "all", "--group", "a=n", "--score",
         "combined", "--format", "json", "--seed", "1", "--quiet"],
        ["compact", "--labels", at.labels, "--images", at.tree / "set", "--bootstrap", "0", "--device", "cpu", *WORKERS,
         "--patches", "1", "--time-limit", "60", "--cache", at.out / "kept.sqlite"],
        ["compact", "--labels", at.labels, "--bootstrap", "0", "--no-cache"],
    ],
    "aggregate-votes": lambda at: [
        [at.votes, "--output", at.out / "labels.csv"],
        [at.votes, "--output", at.out / "labels.csv", "--force"],
        [at.votes, "--obvious", at.labels, "--severe", "1", "--groups", at.tree / "set" / "groups.csv",
         "--min-accuracy", "0.1", "--min-votes", "1", "--quiet"],
    ],
    "synthesize": lambda at: [
        [at.tree / "set", "--output", at.out / "synthetic", "--count", "3", "--contact-sheet", "--any-source"],
        [at.tree / "set", "--output", at.out / "small", "--count", "1", "--seed", "1", "--rebalanced", "1", "--size",
         "128", "--exclude", "1*.jpg", "--include-passed-over", "--any-source", "--quiet"],
    ],
    "import-caffe": lambda at: [
        [at.network, at.network, "--output", at.out / "imported"],
        [at.network, at.network, "--output", at.out / "imported", "--force"],
    ],
}  # fmt: skip

# Targets that would cost a person something: photos, tables and folders that are there.
WRONG_TARGETS: dict[str, Callable[[Place], list[Run]]] = {
    "diagnose": lambda at: [
        [at.photos, "--force", "--output", at.photos / "IMG_1.jpg"],
        [at.photos, "--cache", at.photos / "IMG_1.jpg"],
        [at.photos, "--cache", at.photos / "notes.txt"],
        [at.photos, "--cache", at.tree / "catalog.lrcat"],
    ],
    "cache": lambda at: [
        ["clear", "--cache", at.tree / "catalog.lrcat"],
        ["clear", "--cache", at.photos / "IMG_1.jpg"],
    ],
    "watch": lambda at: [
        [at.photos, "--existing", "--stop-after", "0", "--force", "--output", at.photos / "IMG_1.jpg"]
    ],
    "report": lambda at: [
        [at.photos, "--force", "--output", at.photos],
        [at.photos, "--force", "--sheet", at.photos / "IMG_1.jpg"],
    ],
    "rank-folder": lambda at: [
        [at.photos, "--force", "--output", at.photos / "IMG_1.jpg"],
        [at.photos, "--move-to", at.photos / "inside", "--apply"],
        [at.photos, "--copy-to", at.photos, "--apply"],
        [at.photos, "--copy-to", at.out, "--apply", "--journal", at.photos / "IMG_1.jpg"],
        [at.photos, "--xmp", "--apply", "--journal", at.photos / "IMG_1.jpg"],
    ],
    "review": lambda at: [
        [at.photos, "--stop-after", "0", "--no-browser", "--blind", "--ratings", at.photos / "IMG_1.jpg"],
    ],
    "tune": lambda at: [[at.labels, "--force", "--anyway", "--output", at.labels]],
    "train": lambda at: [[at.labels, "--output", at.photos / "IMG_1.jpg", *TRAINING]],
    "evaluate": lambda at: [
        [at.predictions, "--labels", at.labels, "--bootstrap", "10", "--force", "--output", at.predictions],
        [at.predictions, "--labels", at.labels, "--bootstrap", "10", "--force", "--output", at.labels],
        [at.predictions, "--labels", at.labels, "--bootstrap", "10", "--force", "--html", at.labels],
    ],
    "aggregate-votes": lambda at: [[at.votes, "--force", "--output", at.votes]],
    "synthesize": lambda at: [[at.tree / "set", "--output", at.tree / "set", "--any-source", "--count", "1"]],
    "import-caffe": lambda at: [[at.network, at.network, "--force", "--output", at.photos]],
}

ELSEWHERE = {
    "--ray": "tests/test_cluster.py",
    "--part-size": "tests/test_cluster.py",
    "--folds": "tests/test_compact_recipe.py",
    "--tensorboard": "an extra; it writes below --output",
}
"""Options that need more than there is here, and where they are tried."""


def plant(tree: Path, samples: Path) -> None:
    """Photos with sidecars, twins, links, damage and things that are none of our business; and a labelled set."""
    for folder in ("photos/sub", "outside", "set"):
        (tree / folder).mkdir(parents=True)
    names = sorted(samples.glob("*.jpg"))
    places = ["photos/IMG_1.jpg", "photos/IMG_2.jpg", "photos/sub/IMG_3.jpg", "photos/.hidden.jpg",
              "outside/linked.jpg", *(f"set/{number}.jpg" for number in range(12))]  # fmt: skip
    for source, place in zip(names, places, strict=False):
        with Image.open(source) as image:
            image.convert("RGB").resize((160, 120)).save(tree / place)
    photos = tree / "photos"
    with Image.open(photos / "IMG_2.jpg") as image:  # rated inside, by XMP and by EXIF
        rated = image.getexif()
        rated[0x4746] = 5
        for name in ("IMG_2.jpg", "PXL_1.MP.jpg"):
            image.copy().save(photos / name, exif=rated, xmp=SIDECAR.encode())
    for name in ("PXL_1.MP", "PXL_1.MP.jpg.supplemental-metadat.json"):
        (photos / name).write_text("of PXL_1.MP.jpg\n")
    (photos / "L.photoslibrary").mkdir()
    shutil.copy(photos / "IMG_1.jpg", photos / "L.photoslibrary" / "own.jpg")
    shutil.copy(photos / "IMG_1.jpg", photos / "IMG_1.jpg_original")
    (photos / "IMG_1.xmp").write_text(SIDECAR)
    (photos / "IMG_2.jpg.xmp").write_text(SIDECAR)
    (photos / "IMG_1.AAE").write_text("<plist/>\n")
    (photos / "IMG_1.dng").write_bytes(bayer_dng(np.full((64, 64), 9000, np.uint16)))
    (photos / "broken.jpg").write_bytes((photos / "IMG_1.jpg").read_bytes()[:300])
    (photos / "notes.txt").write_text("about these photos\n")
    (photos / ".photodefect.toml").write_text("# by a person\n")
    (photos / "link.jpg").symlink_to(tree / "outside" / "linked.jpg")
    (photos / "nowhere.jpg").symlink_to(tree / "gone.jpg")
    (photos / "folder").symlink_to(tree / "outside")
    rows = [",".join([f"{number}.jpg", *["0.5" if number % 2 else "0.1"] * 7]) for number in range(12)]
    header = ",".join(["path", *KEYS])
    for name in ("labels.csv", "predictions.csv"):
        (tree / "set" / name).write_text("\n".join([header, *rows, ""]))
    (tree / "set" / "votes.csv").write_text("path,worker,noise\n0.jpg,a,1\n0.jpg,b,0\n1.jpg,a,0\n")
    ladder = ["path,set,scene,defect,level,kind,split", *(f"{it}.jpg,n,0,noise,{it},ladder,all" for it in range(3))]
    (tree / "set" / "ladders.csv").write_text("\n".join([*ladder, ""]))
    (tree / "set" / "groups.csv").write_text("path,group\n0.jpg,a\n1.jpg,b\n")
    (tree / "set" / "own.toml").write_text("hints = false\n")
    listed = [photos / "IMG_1.jpg", photos / "IMG_2.jpg", photos / "IMG_1.dng", photos / "broken.jpg"]
    (tree / "set" / "photos.lst").write_text("".join(f"{path}\0" for path in listed))
    (tree / "set" / "network.caffemodel").write_bytes(b"no network")
    with closing(sqlite3.connect(tree / "catalog.lrcat")) as catalog, catalog:
        catalog.execute("CREATE TABLE photos (name)")
    for path in [tree, *tree.rglob("*")]:
        os.utime(path, ns=(10**18, 10**18), follow_symlinks=False)  # in 2001, so that a touch can't go unseen
    for name in READ_ONLY:
        (tree / name).chmod(0o444)


def snapshot(tree: Path) -> dict[str, tuple[object, ...]]:
    """Name -> kind, mode, time of change and content of everything in a tree; links are not followed."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted([tree, *tree.rglob("*")]):
        status = path.lstat()
        about = (status.st_mode, status.st_mtime_ns)
        if path.is_symlink():
            content = str(path.readlink())
        elif path.is_dir():
            content = "folder"
        else:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        found[str(path.relative_to(tree))] = (*about, content)
    return found


@pytest.fixture
def place(samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A tree, and a home and a working folder that are empty."""
    for variable in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    at = Place(tmp_path / "tree", tmp_path / "out")
    at.out.mkdir()
    plant(at.tree, samples)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with forbidden_network() as attempts:
        yield at
        assert attempts == []
    assert not list((tmp_path / "elsewhere").iterdir()), "something was written where nobody asked for it"


def call(command: str, arguments: Run, model: Path) -> Result:
    there = {option for parameter in _load(command).params for option in parameter.opts}
    usual: Run = [
        *(["--model", model] if "--model" in there else []),
        *(["--patches", "1"] if "--patches" in there else []),
    ]
    with listening_allowed() if command == "review" else nullcontext():
        return CliRunner().invoke(app, [command, *map(str, [*arguments, *usual])])


@pytest.mark.parametrize("command", available_commands())
def test_nothing_that_a_command_writes_changes_an_original(
    command: str, place: Place, random_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if command == "train":
        monkeypatch.setitem(NETWORKS, "lite0", tiny_builder())
    original = snapshot(place.tree)
    if command == "cache":
        assert call("diagnose", [place.photos, "--cache", place.out / "kept.sqlite"], random_model).exit_code == 1
    if command == "unmark":  # what another command wrote
        assert call("rank-folder", [place.photos, "--xmp", "--apply"], random_model).exit_code in (0, 1)
    if command == "undo":  # of what another command did
        for arguments in RUNS["rank-folder"](place):
            if "--journal" in arguments:
                assert call("rank-folder", arguments, random_model).exit_code in (0, 1)
        assert "photos/IMG_1.jpg" not in snapshot(place.tree)
    before = snapshot(place.tree)
    for arguments in RUNS[command](place):
        result = call(command, arguments, random_model)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        assert result.exit_code != 2, result.output
        after = snapshot(place.tree)
        if "--move-to" in arguments and "--apply" in arguments:
            everywhere = {entry[-1] for entry in (after | snapshot(place.out)).values()}
            assert {entry[-1] for entry in before.values()} <= everywhere, "something that was moved is gone"
        elif "--apply" in arguments and ("--xmp" in arguments or command == "unmark"):
            assert after != before
            assert _beside_sidecars(after) == _beside_sidecars(before)
            before = after
        elif command != "undo":
            assert after == before, arguments
    if command == "undo":
        assert _without_times(snapshot(place.tree)) == _without_times(original)
    if command == "unmark":
        assert not any(b"photodefect:" in path.read_bytes() for path in place.photos.glob("*.xmp"))


def _beside_sidecars(found: dict[str, tuple[object, ...]]) -> dict[str, tuple[object, ...]]:
    """All but sidecars, and when a folder got a new one."""
    return {
        name: (entry[0], *entry[2:]) if entry[-1] == "folder" else entry
        for name, entry in found.items()
        if not name.endswith(".xmp")
    }


def _without_times(found: dict[str, tuple[object, ...]]) -> dict[str, tuple[object, ...]]:
    """What comes back by undo: all but when folders changed, and sidecars, which are written anew."""
    return {
        name: (entry[0], *entry[2:]) if entry[-1] == "folder" or name.endswith(".xmp") else entry
        for name, entry in found.items()
    }


@pytest.mark.parametrize("command", WRONG_TARGETS)
def test_a_target_that_would_cost_something_is_refused_even_by_force(
    command: str, place: Place, random_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if command == "train":
        monkeypatch.setitem(NETWORKS, "lite0", tiny_builder())
    before = snapshot(place.tree)
    for arguments in WRONG_TARGETS[command](place):
        result = call(command, arguments, random_model)
        assert result.exit_code not in (0, 1), arguments
        assert result.exception is None or isinstance(result.exception, SystemExit)
        assert snapshot(place.tree) == before, arguments


def test_every_command_is_tried() -> None:
    assert RUNS.keys() == set(available_commands())


@pytest.mark.parametrize("command", available_commands())
def test_every_option_is_tried(command: str, tmp_path: Path) -> None:
    tried = {argument for run in RUNS[command](Place(tmp_path, tmp_path)) for argument in run}
    tried |= {*ELSEWHERE, "--model", "--patches"}  # which call() adds
    for parameter in _load(command).params:
        if parameter.param_type_name == "option" and not parameter.is_eager:
            assert tried & {*parameter.opts, *parameter.secondary_opts}, parameter.opts


def test_what_is_inside_of_photos_and_beside_them_is_among_what_is_compared(place: Place) -> None:
    assert b'xmp:Rating="5"' in (place.photos / "IMG_2.jpg").read_bytes()
    with Image.open(place.photos / "IMG_2.jpg") as photo:
        assert photo.getexif()[0x4746] == 5
    assert {"photos/IMG_2.jpg", "photos/PXL_1.MP", "photos/L.photoslibrary/own.jpg"} <= snapshot(place.tree).keys()


def test_a_change_would_be_seen(place: Place) -> None:
    before = snapshot(place.tree)
    photo = place.photos / "IMG_1.jpg"
    touched, renamed = photo.stat().st_mtime_ns, photo.with_name("other.jpg")
    os.utime(photo, ns=(touched, touched + 1))
    assert snapshot(place.tree) != before
    os.utime(photo, ns=(touched, touched))
    shutil.move(photo, renamed)
    assert snapshot(place.tree) != before
