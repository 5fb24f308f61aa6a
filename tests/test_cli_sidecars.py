"""``rank-folder --xmp`` and ``--format exiftool-csv`` as a person calls them."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from exiftool import exiftool, keywords, needs_exiftool, tags
from PIL import Image
from typer.testing import CliRunner, Result

from photodefect.cli import app
from photodefect.files.companions import CompanionIndex
from photodefect.sidecars.xmp import XmpDocument

pytestmark = pytest.mark.usefixtures("config", "state")

ALL_SEVERE = [f"--threshold={key}=0.0001:0.0002" for key in ("exposure", "noise", "haze", "blur")]
NONE = ["--threshold=1:1"]
XMP = Path(__file__).parent / "xmp"

Rank = Callable[..., Result]


@pytest.fixture
def folder(samples: Path, tmp_path: Path) -> Path:
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("bulb", "dog"):
        shutil.copy(samples / f"{name}.jpg", photos / f"{name}.jpg")
    return photos


@pytest.fixture
def rank(random_model: Path, folder: Path) -> Rank:
    def run(*arguments: str | Path) -> Result:
        options = ["--model", str(random_model), "--patches", "1", "--device", "cpu", "--format", "paths"]
        return CliRunner().invoke(app, ["rank-folder", str(folder), *options, *map(str, arguments)])

    return run


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_plan_is_shown_and_nothing_written(rank: Rank, folder: Path, tmp_path: Path) -> None:
    result = rank("--xmp", *ALL_SEVERE)
    assert result.exit_code == 0
    assert f"{folder}/dog.xmp (new): rating 1, label " in result.stderr
    assert "that was the plan for 2 sidecars (2 new, 0 changed), and --apply follows it" in result.stderr
    assert sorted(result.stdout.splitlines()) == [f"{folder}/bulb.jpg", f"{folder}/dog.jpg"]
    assert names(folder) == {"bulb.jpg", "dog.jpg"}
    assert not (tmp_path / "state").exists()


@needs_exiftool
def test_applied_they_are_written_once_and_undo_takes_them_back(rank: Rank, folder: Path) -> None:
    result = rank("--xmp", "--apply", *ALL_SEVERE)
    assert result.exit_code == 0
    assert "wrote 2 sidecars (2 new, 0 changed)" in result.stderr
    found = tags(folder / "dog.xmp")
    assert found["XMP-xmp:Rating"] == 1
    assert "photodefect|rejected" in keywords(folder / "dog.xmp", "XMP-lr:HierarchicalSubject")
    assert "photodefect|severe|noise" in keywords(folder / "dog.xmp", "XMP-lr:HierarchicalSubject")
    assert -1 <= found["XMP-photodefect:Bad_saturation"] <= 1
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert "wrote 0 sidecars (0 new, 0 changed); 2 up to date" in rank("--xmp", "--apply", *ALL_SEVERE).stderr
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    journal = result.stderr.split("photodefect undo ")[1].split()[0]
    undone = CliRunner().invoke(app, ["undo", journal, "--apply"])
    assert undone.exit_code == 0
    assert names(folder) == {"bulb.jpg", "dog.jpg"}


def test_good_photos_get_stars_unless_the_profile_gives_none(rank: Rank, folder: Path) -> None:
    (folder / ".photodefect.toml").write_text("[ratings]\ngood = 0\n")
    assert rank("--xmp", "--apply", *NONE).exit_code == 0
    assert names(folder) == {"bulb.jpg", "dog.jpg", ".photodefect.toml"}
    (folder / ".photodefect.toml").unlink()
    rank("--xmp", "--apply", *NONE)
    assert XmpDocument((folder / "dog.xmp").read_bytes()).rating == 3


def test_sidecars_are_as_the_named_program_reads_them(rank: Rank, folder: Path) -> None:
    asking = rank("--xmp", *ALL_SEVERE).stderr
    assert "which program is to read them? --for lightroom|bridge|captureone|darktable|digikam" in asking
    plan = rank("--xmp", "--for", "darktable", *ALL_SEVERE).stderr
    assert "which program" not in plan
    assert f"{folder}/dog.jpg.xmp (new): rating -1" in plan
    assert f"{folder}/dog.xmp (new): rating 1, label " in rank("--xmp", "--for", "lightroom", *ALL_SEVERE).stderr
    assert f"{folder}/dog.jpg.xmp (new): rating 1" in rank("--xmp", "--for", "digikam", *ALL_SEVERE).stderr
    styled = rank("--xmp", "--for", "darktable", "--xmp-style", "stem", "--reject-as", "keyword", *ALL_SEVERE).stderr
    assert f"{folder}/dog.xmp (new): rating 1" in styled
    (folder / ".photodefect.toml").write_text('[reject]\nas = "label"\n')
    assert f"{folder}/dog.jpg.xmp (new): rating 1, label Red" in rank("--xmp", "--for", "darktable", *ALL_SEVERE).stderr


def test_the_chosen_or_the_excluded_photos_get_them(rank: Rank, folder: Path) -> None:
    best = Path(rank("--top", "1").stdout.strip())
    rank("--xmp", "--apply", "--top", "1", "--excluded", *ALL_SEVERE)
    assert not best.with_suffix(".xmp").exists()
    assert len(names(folder)) == 3


def test_style_and_reject_as_are_followed(rank: Rank, folder: Path) -> None:
    rank("--xmp", "--apply", "--xmp-style", "full", "--reject-as", "keyword", *ALL_SEVERE)
    document = XmpDocument((folder / "dog.jpg.xmp").read_bytes())
    assert document.rating == 1
    assert "photodefect|rejected" in document.hierarchical_keywords
    # By what is there, from now on.
    rank("--xmp", "--apply", "--reject-as", "rating", *ALL_SEVERE)
    document = XmpDocument((folder / "dog.jpg.xmp").read_bytes())
    assert document.rating == -1
    assert "photodefect|rejected" not in document.hierarchical_keywords
    assert names(folder) == {"bulb.jpg", "dog.jpg", "bulb.jpg.xmp", "dog.jpg.xmp"}


def test_a_photo_of_a_bracket_is_not_rejected_unless_the_bracket_may_be_thinned(rank: Rank, folder: Path) -> None:
    with Image.open(folder / "dog.jpg") as photo:
        image = photo.convert("RGB").resize((300, 280))
    for path in folder.iterdir():
        path.unlink()
    for second, factor in enumerate((0.2, 1.0, 3.0)):
        exif = image.getexif()
        exif.get_ifd(0x8769).update({0x9003: f"2024:05:01 11:00:0{second}", 0xA402: 2})
        lit = image.point(lambda value, factor=factor: min(255, int(value * factor)))  # type: ignore[misc]
        lit.save(folder / f"{second}.jpg", exif=exif)
    lines = rank("--format", "ndjson", "--by", "noise").stdout.splitlines()
    noise = [json.loads(line)["severity"]["noise"] for line in lines]
    assert len({*noise}) == 3
    middle = (noise[1] + noise[2]) / 2
    told = ["--xmp", "--for", "darktable", *NONE, f"--threshold=noise=0.001:{middle:.4f}"]
    kept, thinned = (rank(*told, *more).stderr.count("rating -1") for more in ([], ["--thin-sequences"]))
    assert (kept, thinned) == (0, 1)
    table = folder.parent / "table.csv"
    for more, expected in (([], 0), (["--thin-sequences"], 1)):
        rank(*told[3:], "--format", "exiftool-csv", "--reject-as", "rating", "-o", table, "--force", *more)
        rows = csv.DictReader(table.read_text().splitlines())
        assert sum(row["XMP-xmp:Rating"] == "-1" for row in rows) == expected


def test_the_folders_profile_says_how_photos_are_marked(rank: Rank, folder: Path) -> None:
    colours = "\n".join(f'{key} = "Schlecht"' for key in ("bad_exposure", "noise", "haze", "undesired_blur"))
    (folder / ".photodefect.toml").write_text(f'[reject]\nas = "label"\n[ratings]\nsevere = 3\n[labels]\n{colours}')
    rank("--xmp", "--apply", *ALL_SEVERE)
    document = XmpDocument((folder / "dog.xmp").read_bytes())
    assert (document.rating, document.label) == (3, "Red")


def test_a_persons_rating_stays_unless_told_otherwise(rank: Rank, folder: Path) -> None:
    sidecar = folder / "dog.xmp"
    shutil.copy(XMP / "lightroom.xmp", sidecar)
    plan = rank("--xmp", *ALL_SEVERE)
    assert "your rating 4 stays" in plan.stderr
    rank("--xmp", "--apply", *ALL_SEVERE)
    assert XmpDocument(sidecar.read_bytes()).rating == 4
    rank("--xmp", "--apply", "--overwrite-ratings", *ALL_SEVERE)
    assert XmpDocument(sidecar.read_bytes()).rating == 1


def test_a_broken_sidecar_is_named_and_the_others_written(rank: Rank, folder: Path) -> None:
    (folder / "dog.xmp").write_bytes(b"<x:xmpmeta")
    result = rank("--xmp", "--apply", *ALL_SEVERE)
    assert result.exit_code == 1
    assert f"{folder}/dog.xmp is left alone: it isn't well-formed XML" in result.stderr
    assert (folder / "dog.xmp").read_bytes() == b"<x:xmpmeta"
    assert (folder / "bulb.xmp").exists()


def test_a_folder_that_cant_be_read_is_named(rank: Rank, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root reads every folder: so it is the refusal that is made up.
    def refuse(*_arguments: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(CompanionIndex, "companions", refuse)
    result = rank("--xmp", "--apply", *ALL_SEVERE)
    assert result.exit_code == 1
    assert f"{folder}/dog.jpg gets no sidecar: {folder} can't be read: Permission denied" in result.stderr


def test_sidecars_go_where_photos_go(rank: Rank, folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "rejects"
    result = rank("--xmp", "--move-to", target, "--apply", *ALL_SEVERE)
    assert result.exit_code == 0, result.stderr
    assert names(target) == {"bulb.jpg", "dog.jpg", "bulb.xmp", "dog.xmp"}
    assert names(folder) == set()


def test_the_journal_goes_where_it_is_told_to(rank: Rank, tmp_path: Path) -> None:
    journal = tmp_path / "it's.jsonl"
    assert rank("--xmp", "--apply", "--journal", journal, *ALL_SEVERE).exit_code == 0
    assert journal.is_file()
    again = rank("--xmp", "--apply", "--journal", journal, *ALL_SEVERE)
    assert again.exit_code == 2
    assert "a journal is never written over" in again.stderr


@needs_exiftool
def test_exiftool_gets_a_table_for_photos_or_for_sidecars(rank: Rank, folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "marks.csv"
    assert rank("--format", "exiftool-csv", "--output", table, *ALL_SEVERE).exit_code == 0
    exiftool("-q", "-overwrite_original", f"-csv={table}", folder)
    assert tags(folder / "dog.jpg")["XMP-xmp:Rating"] == 1
    assert "severe" in keywords(folder / "dog.jpg")
    rank("--format", "exiftool-csv", "--output", table, "--force", "--xmp-style", "full", *ALL_SEVERE)
    with table.open(newline="") as file:
        assert {row["SourceFile"] for row in csv.DictReader(file)} == {f"{folder}/{n}.jpg.xmp" for n in ("bulb", "dog")}
    exiftool("-q", "-srcfile", "%d%f.%e.xmp", f"-csv={table}", folder)
    assert tags(folder / "dog.jpg.xmp")["XMP-xmp:Rating"] == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--xmp-style", "full"], "--xmp-style is about --xmp"),
        (["--reject-as", "label"], "--reject-as is about --xmp"),
        (["--overwrite-ratings"], "--overwrite-ratings is about --xmp"),
        (["--apply"], "--apply is about"),
        (["--xmp", "--copy-to", "out", "--journal", "j"], "--journal is one"),
        (["--xmp", "--xmp-style", "both"], "--xmp-style"),
        (["--format", "exiftool-csv", "--summary"], "--summary is a table"),
    ],
)
def test_wrong_usage_is_refused_before_any_work(rank: Rank, arguments: list[str], words: str) -> None:
    result = rank(*arguments)
    assert result.exit_code == 2
    assert words in " ".join(result.stderr.replace("│", " ").split())


@needs_exiftool
def test_what_the_photo_itself_says_is_in_its_new_sidecar_and_stays(rank: Rank, folder: Path) -> None:
    dog, bulb = folder / "dog.jpg", folder / "bulb.jpg"
    exiftool("-q", "-overwrite_original", "-XMP-xmp:Rating=5", "-XMP-xmp:Label=Green", "-XMP-dc:Title=Rex", dog)
    exiftool("-q", "-overwrite_original", "-IFD0:Rating=4", bulb)
    before = {path: path.read_bytes() for path in (dog, bulb)}
    plan = rank("--xmp", *ALL_SEVERE)
    assert "your rating 5 stays" in plan.stderr
    assert rank("--xmp", "--apply", *ALL_SEVERE).exit_code == 0
    found = tags(folder / "dog.xmp")
    assert (found["XMP-xmp:Rating"], found["XMP-xmp:Label"], found["XMP-dc:Title"]) == (5, "Green", "Rex")
    assert tags(folder / "bulb.xmp")["XMP-xmp:Rating"] == 4
    assert {path: path.read_bytes() for path in (dog, bulb)} == before
    assert "2 up to date" in rank("--xmp", "--apply", *ALL_SEVERE).stderr


def test_a_rating_in_a_sidecar_of_the_other_style_counts(rank: Rank, folder: Path) -> None:
    shutil.copy(XMP / "lightroom.xmp", folder / "dog.jpg.xmp")
    rank("--xmp", "--xmp-style", "stem", "--apply", *ALL_SEVERE)
    document = XmpDocument((folder / "dog.xmp").read_bytes())
    assert (document.rating, document.label) == (None, None)
    assert document.hierarchical_keywords


def test_a_photo_whose_own_xmp_is_damaged_gets_no_sidecar_that_would_hide_it(rank: Rank, folder: Path) -> None:
    Image.open(folder / "dog.jpg").save(folder / "dog.jpg", xmp=b"<x:xmpmeta")
    result = rank("--xmp", "--apply", *ALL_SEVERE)
    assert result.exit_code == 1
    assert "dog.xmp is left alone: the XMP inside the photo can't be read" in result.stderr
    assert names(folder) == {"bulb.jpg", "dog.jpg", "bulb.xmp"}
