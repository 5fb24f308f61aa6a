"""``photodefect report`` as a person or a program calls it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
import typer
from PIL import Image, ImageFilter
from pypdf import PdfReader
from typer.testing import CliRunner, Result

from photodefect.cli.guard import guarded
from photodefect.cli.report import report
from photodefect.diagnosis.diagnoser import Diagnoser
from photodefect.reports.html import illustrate

Report = Callable[..., Result]


@pytest.fixture
def run(random_model: Path) -> Report:
    command = typer.Typer()
    command.command()(guarded(report))

    def call(*arguments: str | Path) -> Result:
        return CliRunner().invoke(command, ["--model", str(random_model), "--patches", "1", *map(str, arguments)])

    return call


@pytest.fixture
def photos(samples: Path, tmp_path: Path) -> Path:
    """A folder with two photos, one of them in a sub-folder, and a broken one."""
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    shutil.copy(samples / "bulb.jpg", folder / "bulb.jpg")
    shutil.copy(samples / "guitar.jpg", folder / "more" / "guitar.jpg")
    (folder / "broken.jpg").write_bytes((samples / "dog.jpg").read_bytes()[:3000])
    return folder


def data_of(folder: Path) -> dict[str, Any]:
    (script,) = folder.glob("photodefect-files-*/data.js")
    data: dict[str, Any] = json.loads(script.read_text("ascii").partition(" = ")[2].removesuffix(";\n"))
    return data


def names(folder: Path) -> list[str]:
    return [photo["name"] for photo in data_of(folder)["photos"]]


def snapshot(folder: Path) -> dict[str, bytes]:
    return {os.fspath(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_becomes_a_page_and_a_broken_photo_is_listed(run: Report, photos: Path, tmp_path: Path) -> None:
    before = snapshot(photos)
    result = run(photos, "-o", tmp_path / "report")
    assert result.exit_code == 1
    assert result.stdout == f"{tmp_path / 'report' / 'index.html'}\n"
    assert "1 photo failed" in result.stderr
    assert names(tmp_path / "report") == ["bulb.jpg", "guitar.jpg"]
    assert "broken.jpg</dt>" in (tmp_path / "report" / "index.html").read_text("utf-8")
    assert snapshot(photos) == before
    files = next((tmp_path / "report").glob("photodefect-files-*"))
    assert len(list((files / "maps").iterdir())) == 2 * 6


def test_no_maps_leaves_the_heat_maps_out_and_changes_no_severity(run: Report, photos: Path, tmp_path: Path) -> None:
    (photos / "broken.jpg").unlink()
    assert run(photos, "-o", tmp_path / "with").exit_code == 0
    assert run(photos, "--no-maps", "-q", "-o", tmp_path / "without").exit_code == 0
    assert not list((tmp_path / "without").rglob("*.png"))
    severities = [
        [photo["severity"] for photo in data_of(tmp_path / folder)["photos"]] for folder in ("with", "without")
    ]
    assert severities[0] == severities[1]


def test_a_photo_named_twice_is_shown_twice(run: Report, photos: Path, tmp_path: Path) -> None:
    paths = tmp_path / "list"
    paths.write_text(f"{photos}/bulb.jpg\n" * 3)
    assert run("--no-maps", "--files-from", paths, "-o", tmp_path / "report").exit_code == 0
    assert names(tmp_path / "report") == ["bulb.jpg"] * 3


def test_a_name_that_is_not_utf_8_survives(run: Report, photos: Path, tmp_path: Path) -> None:
    name = os.fsdecode(b"gr\xfcn <b>.jpg")
    folder = tmp_path / "odd"
    folder.mkdir()
    shutil.copy(photos / "bulb.jpg", folder / name)
    assert run("--no-maps", folder, "-o", tmp_path / "report").exit_code == 0
    (photo,) = data_of(tmp_path / "report")["photos"]
    assert photo["name"] == r"gr\xfcn <b>.jpg"
    assert photo["href"] == "../odd/gr%FCn%20%3Cb%3E.jpg"


def test_an_earlier_report_is_replaced_and_its_pictures_are_no_photos(
    run: Report, photos: Path, tmp_path: Path
) -> None:
    (photos / "broken.jpg").unlink()
    report_folder = photos / "report"
    assert run("--no-maps", photos, "-o", report_folder).exit_code == 0
    assert run("--no-maps", photos, "-o", report_folder).exit_code == 0
    assert names(report_folder) == ["bulb.jpg", "guitar.jpg"]
    only_pictures = run("--no-maps", report_folder, "-o", tmp_path / "other")
    assert only_pictures.exit_code == 3
    assert not (tmp_path / "other").exists()


def test_a_folder_with_other_things_is_refused_before_any_work(run: Report, photos: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (target / "thesis.txt").write_text("years")
    refused = run(photos, "-o", target)
    assert refused.exit_code == 2
    assert "--force" in refused.stderr
    assert run("--no-maps", photos / "bulb.jpg", "-o", target, "--force").exit_code == 0
    assert (target / "thesis.txt").read_text() == "years"


def test_the_folder_of_the_photos_is_refused_even_by_force(run: Report, photos: Path) -> None:
    before = snapshot(photos)
    refused = run(photos, "-o", photos, "--force")
    assert refused.exit_code == 2
    assert "holds photos of this run" in refused.stderr
    assert snapshot(photos) == before


def test_usage_errors_have_their_exit_codes(run: Report, photos: Path, tmp_path: Path) -> None:
    assert run(photos).exit_code == 2  # no --output
    assert run("-o", tmp_path / "report").exit_code == 2
    assert run(tmp_path / "nowhere", "-o", tmp_path / "report").exit_code == 2
    (tmp_path / "empty").mkdir()
    assert run(tmp_path / "empty", "-o", tmp_path / "report").exit_code == 3
    assert run(photos, "-o", tmp_path / "report", "--model", tmp_path / "empty").exit_code == 4
    assert not (tmp_path / "report").exists()


def test_bursts_and_hints_are_those_of_the_ranking(run: Report, samples: Path, tmp_path: Path) -> None:
    folder = tmp_path / "burst"
    folder.mkdir()
    for number in range(3):
        image = Image.open(samples / "dog.jpg").convert("RGB").filter(ImageFilter.GaussianBlur(number))
        exif = image.getexif()
        exif.get_ifd(0x8769)[0x9003] = f"2024:05:01 10:00:0{number}"
        image.save(folder / f"{number}.jpg", exif=exif)
    shutil.copy(samples / "city.jpg", folder / "city.jpg")
    assert run("--no-maps", folder, "-o", tmp_path / "report", "--threshold", "0.0001").exit_code == 0
    data = data_of(tmp_path / "report")
    assert [one["kind"] for one in data["sets"]] == ["burst"]
    assert [photo["name"] for photo in data["photos"] if photo.get("set") == 0] == ["0.jpg", "1.jpg", "2.jpg"]
    assert data["photos"][data["sets"][0]["best"]]["set"] == 0
    assert all({hint["grade"] for hint in photo["hints"]} == {"severe"} for photo in data["photos"])


def test_a_contact_sheet_comes_beside_the_page_or_instead_of_it(run: Report, photos: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.pdf"
    alone = run(photos, "--sheet", sheet)
    assert (alone.exit_code, alone.stdout) == (1, f"{sheet}\n")  # one photo is broken
    assert len(PdfReader(sheet).pages) == 1
    before = sheet.read_bytes()
    again = run(photos, "--sheet", sheet)
    assert again.exit_code == 2
    assert "--force" in again.stderr
    both = run("--no-maps", photos, "--sheet", tmp_path / "sheet.jpg", "-o", tmp_path / "report")
    assert both.stdout.splitlines() == [str(tmp_path / "report" / "index.html"), str(tmp_path / "sheet.jpg")]
    assert sheet.read_bytes() == before
    assert run(photos, "--sheet", sheet, "--force").exit_code == 1


def test_a_contact_sheet_is_refused_before_any_work(run: Report, photos: Path, tmp_path: Path) -> None:
    before = snapshot(photos)
    assert "neither .pdf nor .jpg" in run(photos, "--sheet", tmp_path / "sheet.png").stderr
    refused = run(photos, "--sheet", photos / "bulb.jpg", "--force")
    assert refused.exit_code == 2
    assert "originals are never written to" in refused.stderr
    assert run(photos, "--sheet", tmp_path / "nowhere" / "sheet.pdf").exit_code == 2
    assert "a contact sheet by --sheet" in " ".join(run(photos).stderr.replace("│", " ").split())
    assert snapshot(photos) == before


def test_thresholds_make_the_grades(run: Report, photos: Path, tmp_path: Path) -> None:
    result = run("--no-maps", photos / "bulb.jpg", "--threshold", "0.000001", "-o", tmp_path / "report")
    assert result.exit_code == 0
    data = data_of(tmp_path / "report")
    assert data["photos"][0]["verdict"] == "severe"
    assert {defect["severe"] for defect in data["defects"]} == {1e-6}


def test_without_a_cache_each_photo_is_looked_at_once(
    run: Report, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_at, looked_at = Diagnoser.diagnose_with, []

    def seen(self: Diagnoser, paths: Any, *arguments: Any, **options: Any) -> Generator[Any, None, None]:
        for record in look_at(self, paths, *arguments, **options):
            looked_at.append(record[0].path)
            yield record

    monkeypatch.setattr(Diagnoser, "diagnose_with", seen)
    result = run("--no-maps", "--no-cache", photos, "-o", tmp_path / "report")
    assert result.exit_code in (0, 1)
    assert len(looked_at) > 2
    assert len(looked_at) == len(set(looked_at))


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C after the first photo."""
    look_at = Diagnoser.diagnose_with

    def one(self: Diagnoser, *arguments: Any, **options: Any) -> Generator[Any, None, None]:
        yield next(look_at(self, *arguments, **options))
        raise KeyboardInterrupt

    monkeypatch.setattr(Diagnoser, "diagnose_with", one)


@pytest.mark.usefixtures("interrupted")
def test_an_interrupted_run_shows_what_there_is_and_says_so(run: Report, photos: Path, tmp_path: Path) -> None:
    result = run("--no-maps", photos / "bulb.jpg", photos / "more", "-o", tmp_path / "report")
    assert result.exit_code == 130
    assert names(tmp_path / "report") == ["bulb.jpg"]
    assert "1 more photo had not been looked at" in (tmp_path / "report" / "index.html").read_text("utf-8")


def test_an_interrupted_run_does_not_replace_an_earlier_report(
    run: Report, photos: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    arguments = ("--no-maps", photos / "bulb.jpg", photos / "more", "-o", tmp_path / "report")
    assert run(*arguments).exit_code == 0
    before = snapshot(tmp_path / "report")
    request.getfixturevalue("interrupted")
    result = run(*arguments)
    assert result.exit_code == 130
    assert "the earlier report stays" in result.stderr
    assert snapshot(tmp_path / "report") == before


class FailForSmall(illustrate.Draw):
    """Makes no pictures of one photo."""

    def __call__(self, pixels: Any) -> Any:
        if pixels.shape == (48, 64, 3):
            raise ValueError("no room")
        return super().__call__(pixels)


def test_a_photo_whose_pictures_can_not_be_made_is_a_failed_photo(
    run: Report, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (64, 48), "red").save(photos / "small.png")
    monkeypatch.setattr(illustrate, "Draw", FailForSmall)
    result = run("--no-maps", photos / "small.png", photos / "more", "-o", tmp_path / "report")
    assert result.exit_code == 1
    assert "no room" in result.stderr
    assert names(tmp_path / "report") == ["guitar.jpg"]
