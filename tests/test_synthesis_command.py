"""``photodefect synthesize``: a labelled set and contact sheets, nothing overwritten, nothing half written."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from photodefect.cli import app
from photodefect.defects import BY_KEY, KEYS
from photodefect.labels.table import read_labels


@pytest.fixture(scope="module")
def photos(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three small clean photographs."""
    folder = tmp_path_factory.mktemp("photos")
    for name in ("dog.jpg", "roman-colosseum.jpg", "lake-sherburne.jpg"):
        with Image.open(samples / name) as image:
            image.thumbnail((240, 240))
            image.save(folder / name, quality=95)
    return folder


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["synthesize", *map(str, arguments)])


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "labels.csv").open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_a_set_has_as_many_pictures_as_rows_and_every_label_in_range(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "set"
    result = run(photos, "-o", out, "--count", 7, "--seed", 1)
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    table = rows(out)
    assert list(table[0]) == ["path", *KEYS]
    assert [row["path"] for row in table] == [f"images/{index}.jpg" for index in range(7)]
    for row in table:
        with Image.open(out / row["path"]) as image:
            assert min(image.size) > 16
        for key in KEYS:
            assert row[key] == "" or BY_KEY[key].lowest <= float(row[key]) <= 1
    assert any(float(row[key] or 0) != 0 for row in table for key in KEYS)


def test_the_set_can_be_read_by_what_reads_labelled_sets(photos: Path, tmp_path: Path) -> None:
    run(photos, "-o", tmp_path / "set", "--count", 3)
    labelled = read_labels(tmp_path / "set" / "labels.csv", tmp_path / "set")
    assert len(labelled.photos) == 3
    assert not labelled.missing


def test_the_same_seed_writes_the_same_bytes_and_another_seed_others(photos: Path, tmp_path: Path) -> None:
    for name, seed in (("one", 5), ("two", 5), ("three", 6)):
        run(photos, "-o", tmp_path / name, "--count", 3, "--seed", seed)
    one, two, three = (
        {path.name: path.read_bytes() for path in (tmp_path / name).rglob("*") if path.is_file()}
        for name in ("one", "two", "three")
    )
    assert one == two
    assert one["labels.csv"] != three["labels.csv"]


def test_contact_sheets_show_every_defect(photos: Path, tmp_path: Path) -> None:
    result = run(photos, "-o", tmp_path / "set", "--count", 0, "--contact-sheet", "--size", 200)
    assert result.exit_code == 0, result.output
    sheets = sorted((tmp_path / "set" / "contact-sheets").iterdir())
    assert [sheet.stem for sheet in sheets] == sorted(KEYS)
    with Image.open(sheets[0]) as image:
        assert image.width > 5 * 200


def test_a_folder_with_something_in_it_is_left_alone(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    result = run(photos, "-o", tmp_path, "--count", 1)
    assert result.exit_code == 2
    assert "not an empty folder" in result.output.replace("\n", " ")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_file_in_the_place_of_the_folder_is_left_alone(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("keep")
    assert run(photos, "-o", tmp_path / "out", "--count", 1).exit_code == 2
    assert (tmp_path / "out").read_text() == "keep"


def test_a_damaged_photo_is_reported_and_the_others_are_used(photos: Path, tmp_path: Path) -> None:
    shutil.copytree(photos, tmp_path / "in")
    whole = (tmp_path / "in" / "dog.jpg").read_bytes()
    (tmp_path / "in" / "damaged.jpg").write_bytes(whole[: len(whole) // 8])
    result = run(tmp_path / "in", "-o", tmp_path / "out", "--count", 2)
    assert result.exit_code == 1
    assert "damaged.jpg" in result.output
    assert len(rows(tmp_path / "out")) == 2


def test_a_folder_without_clean_photos_says_so_and_leaves_no_folder(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    Image.new("RGB", (300, 200), (2, 2, 3)).save(tmp_path / "in" / "black.png")
    result = run(tmp_path / "in", "-o", tmp_path / "out", "--count", 2)
    assert result.exit_code == 3
    assert "--any-source" in result.output
    assert not (tmp_path / "out").exists()
    assert run(tmp_path / "in", "-o", tmp_path / "out", "--count", 1, "--any-source").exit_code == 0


def test_a_missing_folder_and_one_without_photos_are_told_apart(tmp_path: Path) -> None:
    assert run(tmp_path / "nowhere", "-o", tmp_path / "out").exit_code == 2
    (tmp_path / "empty").mkdir()
    assert run(tmp_path / "empty", "-o", tmp_path / "out").exit_code == 3
    assert not (tmp_path / "out").exists()


def test_originals_are_never_written_to(photos: Path, tmp_path: Path) -> None:
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in photos.iterdir()}
    run(photos, "-o", tmp_path / "set", "--count", 3)
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in photos.iterdir()} == before


def test_quiet_says_nothing(photos: Path, tmp_path: Path) -> None:
    assert run(photos, "-o", tmp_path / "set", "--count", 1, "--quiet").output == ""
