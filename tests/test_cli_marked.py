"""``rank-folder --marked``: a person's marks choose photos, and become ratings and labels of sidecars."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from photodefect.cli import app
from photodefect.review.marks import Mark, MarkStore, Subject

MARKS = {
    "bulb.jpg": Mark("pick"),
    "city.jpg": Mark("reject"),
    "dog.jpg": Mark("pick", 4, "Blue"),
    "flowers.jpg": Mark(None, 2),
}
NAMES = (*MARKS, "guitar.jpg")


@pytest.fixture
def folder(samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in NAMES:
        shutil.copy(samples / name, photos)
    with MarkStore() as store:
        for name, mark in MARKS.items():
            store.set([Subject(str(photos / name))], mark)
    return photos


def rank(model: Path, folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(
        app, ["rank-folder", str(folder), *arguments, "--model", str(model), "--patches", "1", "--quiet"]
    )


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def names(result: Result) -> set[str]:
    assert result.exit_code == 0, result.output
    return {Path(line).name for line in result.stdout.splitlines()}


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("pick", {"bulb.jpg", "dog.jpg"}),
        ("reject", {"city.jpg"}),
        ("unmarked", {"guitar.jpg"}),
        ("2+", {"dog.jpg", "flowers.jpg"}),
        ("3+", {"dog.jpg"}),
    ],
)
def test_marks_choose(random_model: Path, folder: Path, wanted: str, expected: set[str]) -> None:
    assert names(rank(random_model, folder, "--marked", wanted, "--format", "paths")) == expected
    rest = names(rank(random_model, folder, "--marked", wanted, "--excluded", "--format", "paths"))
    assert rest == set(NAMES) - expected


def test_every_format_and_the_summary_know_marks(random_model: Path, folder: Path) -> None:
    table = rank(random_model, folder, "--marked", "reject")
    assert "city.jpg" in table.stdout
    assert "dog.jpg" not in table.stdout
    ranked = json.loads(rank(random_model, folder, "--marked", "pick", "--format", "json").stdout)
    assert {Path(photo["path"]).name for photo in ranked} == {"bulb.jpg", "dog.jpg"}
    rows = list(csv.DictReader(io.StringIO(rank(random_model, folder, "--marked", "2+", "--format", "csv").stdout)))
    assert {Path(row["path"]).name for row in rows} == {"dog.jpg", "flowers.jpg"}


def test_what_is_no_mark_is_wrong_usage(random_model: Path, folder: Path) -> None:
    result = rank(random_model, folder, "--marked", "picked")
    assert result.exit_code == 2
    assert "there are pick, reject, unmarked" in result.stderr
    both = rank(random_model, folder, "--keep", "3", "--top", "2")
    assert both.exit_code == 2
    assert "both say how many photos" in both.stderr


def test_rejects_are_moved_and_picks_copied(random_model: Path, folder: Path, tmp_path: Path) -> None:
    copied = rank(random_model, folder, "--marked", "pick", "--copy-to", str(tmp_path / "keepers"), "--apply")
    assert copied.exit_code == 0, copied.output
    assert names_in(tmp_path / "keepers") == ["bulb.jpg", "dog.jpg"]
    moved = rank(random_model, folder, "--marked", "reject", "--move-to", str(tmp_path / "rejects"), "--apply")
    assert moved.exit_code == 0, moved.output
    assert names_in(tmp_path / "rejects") == ["city.jpg"]
    # What was moved keeps its mark, and so does a copy.
    assert names(rank(random_model, tmp_path / "rejects", "--marked", "reject", "--format", "paths")) == {"city.jpg"}
    again = names(rank(random_model, tmp_path / "keepers", "--marked", "4+", "--format", "paths"))
    assert again == {"dog.jpg"}


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")
def test_marks_become_ratings_and_labels_that_exiftool_reads(random_model: Path, folder: Path) -> None:
    from exiftool import tags  # noqa: PLC0415

    for wanted in ("pick", "reject", "2+"):
        written = rank(random_model, folder, "--marked", wanted, "--xmp", "--apply")
        assert written.exit_code == 0, written.output
    found = {name: tags(folder / name.replace(".jpg", ".xmp")) for name in MARKS}
    assert {name: it.get("XMP-xmp:Rating") for name, it in found.items()} == {
        "bulb.jpg": 3,
        "city.jpg": -1,
        "dog.jpg": 4,
        "flowers.jpg": 2,
    }
    assert {name: it.get("XMP-xmp:Label") for name, it in found.items()} == {
        "bulb.jpg": None,
        "city.jpg": None,
        "dog.jpg": "Blue",
        "flowers.jpg": None,
    }
    # A run that says what was found leaves the person's decisions as they are.
    assert rank(random_model, folder, "--xmp", "--apply").exit_code == 0
    assert tags(folder / "dog.xmp")["XMP-xmp:Rating"] == 4
    assert tags(folder / "city.xmp")["XMP-xmp:Rating"] == -1


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")
def test_a_mark_goes_before_an_older_rating_of_the_sidecar(random_model: Path, folder: Path) -> None:
    from exiftool import tags  # noqa: PLC0415

    rating = '<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:Rating="5"/>'
    rdf = f'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">{rating}</rdf:RDF>'
    for name in ("city.xmp", "guitar.xmp"):
        (folder / name).write_text(f'<x:xmpmeta xmlns:x="adobe:ns:meta/">{rdf}</x:xmpmeta>')
    assert rank(random_model, folder, "--marked", "reject", "--xmp", "--apply").exit_code == 0
    assert tags(folder / "city.xmp")["XMP-xmp:Rating"] == -1
    assert rank(random_model, folder, "--marked", "unmarked", "--xmp", "--apply").exit_code == 0
    assert tags(folder / "guitar.xmp")["XMP-xmp:Rating"] == 5


def test_exiftools_csv_says_what_was_marked(random_model: Path, folder: Path) -> None:
    text = rank(random_model, folder, "--marked", "pick", "--format", "exiftool-csv").stdout
    rows = {Path(row["SourceFile"]).name: row for row in csv.DictReader(io.StringIO(text))}
    assert rows["dog.jpg"]["XMP-xmp:Rating"] == "4"
    assert rows["dog.jpg"]["XMP-xmp:Label"] == "Blue"
    assert rows["bulb.jpg"]["XMP-xmp:Rating"] == "3"


def test_marks_that_cannot_be_read_end_the_run_before_anything_is_done(
    random_model: Path, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "state" / "photodefect" / "marks.sqlite").write_bytes(b"overwritten by something else " * 20)
    result = rank(random_model, folder, "--marked", "reject", "--move-to", str(tmp_path / "rejects"), "--apply")
    assert result.exit_code == 2
    assert "Nothing was changed in it" in result.stderr
    assert names_in(folder) == sorted(NAMES)
