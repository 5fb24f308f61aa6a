"""``photodefect unmark`` as a person calls it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from exiftool import exiftool, needs_exiftool, tags
from typer.testing import CliRunner, Result

from photodefect.cli import app
from photodefect.files.journal import Journal
from photodefect.sidecars.marks import Marks
from photodefect.sidecars.sources import Sources
from photodefect.sidecars.write import SidecarTask, write_sidecars
from photodefect.sidecars.xmp import XmpDocument

pytestmark = pytest.mark.usefixtures("state")

XMP = Path(__file__).parent / "xmp"
SEVERE = Marks(-1, "Purple", (("photodefect", "severe", "noise"),), {"noise": "0.612", "verdict": "severe"})


@pytest.fixture
def folder(samples: Path, tmp_path: Path) -> Path:
    """Two photos with sidecars of ours, one with a person's that we wrote into, and one with theirs alone."""
    photos = tmp_path / "photos"
    (photos / "below").mkdir(parents=True)
    for name in ("bulb", "dog", "below/city"):
        shutil.copy(samples / f"{Path(name).name}.jpg", photos / f"{name}.jpg")
    shutil.copy(XMP / "lightroom.xmp", photos / "below" / "city.xmp")
    shutil.copy(XMP / "digikam.xmp", photos / "alone.xmp")
    with Journal(None) as journal:
        write_sidecars(
            (
                SidecarTask(photo.with_suffix(".xmp"), SEVERE, Sources((photo,)))
                for photo in sorted(photos.rglob("*.jpg"))
            ),
            journal,
        )
    return photos


def unmark(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["unmark", *map(str, arguments)])


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_plan_is_shown_and_nothing_changed(folder: Path) -> None:
    before = contents(folder)
    result = unmark(folder)
    assert result.exit_code == 0
    assert f"{folder}/dog.xmp (removed): no rating, no label, no keyword photodefect|severe|noise" in result.stderr
    assert "that was the plan (3 sidecars changed or removed; 1 without marks of photodefect)" in result.stderr
    assert contents(folder) == before


def test_ours_goes_the_persons_stays_and_undo_brings_it_back(folder: Path) -> None:
    before = contents(folder)
    result = unmark(folder, "--apply")
    assert result.exit_code == 0, result.stderr
    after = contents(folder)
    assert set(before) - set(after) == {"bulb.xmp", "dog.xmp"}
    assert after["alone.xmp"] == before["alone.xmp"]
    document = XmpDocument(after["below/city.xmp"])
    assert (document.rating, document.label, document.keywords) == (4, "Green", ["Alps", "noise"])
    assert b"photodefect" not in after["below/city.xmp"]
    assert "3 sidecars" not in unmark(folder).stderr
    journal = result.stderr.split("photodefect undo ")[1].split()[0]
    assert CliRunner().invoke(app, ["undo", journal, "--apply"]).exit_code == 0
    assert contents(folder) == before


@needs_exiftool
def test_a_sidecar_that_another_program_wrote_into_stays_without_ours(folder: Path) -> None:
    exiftool("-q", "-overwrite_original", "-XMP-dc:Title=Rex", folder / "dog.xmp")
    assert unmark(folder, "--apply", "--quiet").stderr == ""
    found = tags(folder / "dog.xmp")
    assert found.pop("XMP-dc:Title") == "Rex"
    assert set(found) == {"XMP-x:XMPToolkit"}
    assert not (folder / "bulb.xmp").exists()


@needs_exiftool
def test_a_new_sidecar_goes_too_if_it_says_what_the_photo_says(folder: Path) -> None:
    photo = folder / "dog.jpg"
    photo.with_suffix(".xmp").unlink()
    exiftool("-q", "-overwrite_original", "-XMP-xmp:Rating=5", photo)
    with Journal(None) as journal:
        write_sidecars([SidecarTask(photo.with_suffix(".xmp"), SEVERE, Sources((photo,)))], journal)
    assert tags(photo.with_suffix(".xmp"))["XMP-xmp:Rating"] == 5
    unmark(folder, "--apply")
    assert not photo.with_suffix(".xmp").exists()


def test_what_cant_be_read_is_named_and_the_others_are_done(folder: Path) -> None:
    (folder / "bulb.xmp").write_bytes(b"<x:xmpmeta")
    result = unmark(folder, "--apply")
    assert result.exit_code == 1
    assert f"{folder}/bulb.xmp is left alone: it isn't well-formed XML" in result.stderr
    assert not (folder / "dog.xmp").exists()


def test_wrong_usage_and_nothing_to_do(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert unmark(tmp_path / "empty").exit_code == 3
    assert unmark(folder / "dog.jpg").exit_code == 2
    (tmp_path / "j").touch()
    assert unmark(folder, "--apply", "--journal", tmp_path / "j").exit_code == 2
