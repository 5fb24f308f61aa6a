"""Known means known: what one command found out about photos, no other finds out again."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from photodefect import Diagnoser
from photodefect.cli import app
from photodefect.core.inputs import holistic_input
from photodefect.diagnosis import picture_cache
from photodefect.diagnosis.cache import Cache
from photodefect.diagnosis.content import Stamp, content_key
from photodefect.diagnosis.picture_cache import PictureCache
from photodefect.diagnosis.workers.tasks import PictureJob, PixelJob
from photodefect.photos.photo import contiguous, upright
from photodefect.ranking.hints.measurements import measure
from photodefect.ranking.hints.measuring import MEASURE
from photodefect.reports.html.illustrate import illustrate

NAMES = ("dog", "bulb", "city")


@pytest.fixture
def folder(samples: Path, tmp_path: Path) -> Path:
    """Three photos, of which one was taken upright."""
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in NAMES:
        shutil.copy(samples / f"{name}.jpg", photos)
    with Image.open(photos / "dog.jpg") as image:
        exif = image.getexif()
        exif[0x0112] = 6
        image.convert("RGB").resize((640, 480)).save(photos / "dog.jpg", exif=exif)
    return photos


@dataclass
class Command:
    """Calls commands in this process, with a model of random weights and one cache."""

    model: Path
    cache: Path

    def __call__(self, name: str, folder: Path, *options: str) -> str:
        shared = ["--model", str(self.model), "--patches", "1", "--device", "cpu", "--cache", str(self.cache), "-q"]
        result = CliRunner().invoke(app, [name, str(folder), *shared, *options])
        assert result.exit_code == 0, result.output
        return result.stdout


@pytest.fixture
def command(random_model: Path, tmp_path: Path) -> Command:
    return Command(random_model, tmp_path / "cache.sqlite")


def nothing_left_to_do(command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the files count as settled, which were written just now, and allow no worker from now on."""
    with closing(Cache(command.cache)) as cache:
        for photo in folder.iterdir():
            cache.store(str(photo), Stamp.of(photo.stat()), content_key(photo.read_bytes()), {})

    def refuse(_: Diagnoser) -> None:
        raise AssertionError("a worker was started")

    monkeypatch.setattr(Diagnoser, "_start", refuse)


def test_the_first_ranking_after_a_diagnosis_looks_at_no_photo_again(
    command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command("diagnose", folder)
    nothing_left_to_do(command, folder, monkeypatch)
    known = json.loads(command("rank-folder", folder, "--format", "json"))
    monkeypatch.undo()
    command.cache.unlink()
    assert known == json.loads(command("rank-folder", folder, "--format", "json"))


@pytest.mark.parametrize("orientation", [3, 6, 7])
def test_a_photo_that_lies_turned_in_its_file_is_measured_as_if_it_did_not(samples: Path, orientation: int) -> None:
    with Image.open(samples / "city.jpg") as image:
        stored = np.asarray(image.convert("RGB").resize((480, 360)))
    view = upright(stored, orientation)
    whole = holistic_input(view)  # reduced the way it lies in the file, which rounds otherwise
    assert measure(view, whole) == measure(contiguous(view), whole)


@dataclass(frozen=True)
class Broken:
    """A job that fails at every photo."""

    def __call__(self, _: np.ndarray) -> int:
        raise ZeroDivisionError("a bug")


def test_what_can_not_be_made_beside_a_diagnosis_costs_nothing_but_itself(
    random_model: Path, tmp_path: Path, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        caplog.at_level(logging.DEBUG, "photodefect"),
        closing(Cache(tmp_path / "cache.sqlite")) as cache,
        Diagnoser(random_model, patches=1, isolated=False, cache=cache) as diagnoser,
    ):
        (record,) = diagnoser.diagnose([folder / "dog.jpg"], beside=PixelJob(Broken(), "broken 1"))
        assert record.error is None
        assert "ZeroDivisionError: a bug" in caplog.text
        assert {kind for _, kind, _ in cache.values()} == {diagnoser._kind}


@pytest.mark.parametrize("cached", [True, False])
def test_what_is_made_beside_is_told_at_once_to_whoever_asks(
    random_model: Path, tmp_path: Path, folder: Path, *, cached: bool
) -> None:
    told: dict[str, str] = {}
    photo = str(folder / "city.jpg")
    with (
        closing(Cache(tmp_path / "cache.sqlite")) as cache,
        Diagnoser(random_model, patches=1, isolated=False, cache=cache if cached else None) as diagnoser,
    ):
        list(diagnoser.diagnose_with([photo], PixelJob(np.size), beside=MEASURE, take_beside=told.__setitem__))
    with Image.open(photo) as image:
        assert {path: MEASURE.decode(text) for path, text in told.items()} == {
            photo: measure(np.asarray(image.convert("RGB")))
        }


def test_without_a_cache_nothing_is_made_beside(random_model: Path, folder: Path) -> None:
    with Diagnoser(random_model, patches=1, isolated=False) as diagnoser:
        (record,) = diagnoser.diagnose([folder / "dog.jpg"], beside=PixelJob(Broken(), "broken 1"))
    assert record.error is None


def test_a_touched_photo_keeps_what_was_measured(random_model: Path, tmp_path: Path, folder: Path) -> None:
    photo = folder / "city.jpg"
    with (
        closing(Cache(tmp_path / "cache.sqlite")) as cache,
        Diagnoser(random_model, patches=1, isolated=False, cache=cache) as diagnoser,
    ):
        list(diagnoser.diagnose([photo], beside=MEASURE))
        cache.commit()
        os.utime(photo, (2e9, 2e9))
        ((_, measured),) = diagnoser.diagnose_with([photo], MEASURE)
    with Image.open(photo) as image:
        assert measured == measure(np.asarray(image.convert("RGB")))


def report_of(folder: Path) -> list[bytes]:
    """The pictures of a report, in the order of their names."""
    return [file.read_bytes() for file in sorted(folder.glob("photodefect-files-*/*/*.*"))]


def test_a_second_report_draws_nothing_again(
    command: Command, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command("report", folder, "--no-maps", "-o", str(tmp_path / "first"))
    nothing_left_to_do(command, folder, monkeypatch)
    command("report", folder, "--no-maps", "-o", str(tmp_path / "second"))
    assert report_of(tmp_path / "second") == report_of(tmp_path / "first") != []
    # What a ranking needs was measured on the way.
    command("rank-folder", folder)


@dataclass
class Drawn:
    """A job that counts how often it draws."""

    count: int = 0

    def __call__(self, pixels: np.ndarray) -> bytes:
        self.count += 1
        return pixels.tobytes()[:100]


def drawing(job: Drawn, kind: str) -> PictureJob[Any]:
    return PictureJob(job, kept_as=kind, to_bytes=bytes, from_bytes=bytes)


def test_pictures_are_told_by_content_and_by_what_they_depend_on(
    random_model: Path, tmp_path: Path, folder: Path
) -> None:
    photo, job = folder / "city.jpg", Drawn()
    with (
        closing(Cache(tmp_path / "cache.sqlite")) as cache,
        Diagnoser(random_model, patches=1, isolated=False, cache=cache) as diagnoser,
    ):
        ((_, first),) = diagnoser.diagnose_with([photo], drawing(job, "a model"))
        cache.commit()
        moved = photo.rename(folder / "moved.jpg")
        again = next(diagnoser.diagnose_with([moved], drawing(job, "a model")))[1]
        assert (again, job.count) == (first, 1)
        list(diagnoser.diagnose_with([moved], drawing(job, "another model")))
        assert job.count == 2
        other = next(diagnoser.diagnose_with([folder / "dog.jpg"], drawing(job, "a model")))[1]
        assert other != first
    with Diagnoser(random_model, patches=1, isolated=False) as diagnoser:
        list(diagnoser.diagnose_with([moved], drawing(job, "a model")))
    assert job.count == 4


def test_damaged_pictures_are_drawn_again(random_model: Path, tmp_path: Path, folder: Path) -> None:
    photo = folder / "city.jpg"
    with (
        closing(Cache(tmp_path / "cache.sqlite")) as cache,
        Diagnoser(random_model, patches=1, isolated=False, cache=cache) as diagnoser,
    ):
        ((_, first),) = illustrate(diagnoser, [photo], maps=False)
        with closing(sqlite3.connect(tmp_path / "cache-pictures.sqlite")) as file:
            file.execute("UPDATE pictures SET data = substr(data, 1, 1000)")
            file.commit()
        ((_, again),) = illustrate(diagnoser, [photo], maps=False)
    assert again == first


def test_pictures_stay_within_their_bound_and_those_of_this_hour_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hour = [100]
    monkeypatch.setattr(picture_cache, "_now", lambda: hour[0])
    with closing(PictureCache(tmp_path / "pictures.sqlite", max_bytes=1000)) as cache:
        for number in range(6):
            cache.keep(f"{number}", bytes(200))
        assert [number for number in range(6) if cache.find(f"{number}")] == [0, 1, 2, 3, 4]
        hour[0] += 1
        assert cache.find("0")
        cache.keep("6", bytes(200))
        # A quarter is left free: 1 and 2 had not been used for longest.
        assert [number for number in range(7) if cache.find(f"{number}")] == [0, 3, 4, 6]
        assert cache.size() == (4, 800)
        assert cache.clear() == 4
    assert (tmp_path / "pictures.sqlite").stat().st_mode & 0o077 == 0


def test_another_programs_database_gets_no_pictures(tmp_path: Path) -> None:
    file = tmp_path / "pictures.sqlite"
    with closing(sqlite3.connect(file)) as other:
        other.execute("CREATE TABLE theirs (it)")
    before = file.read_bytes()
    with closing(PictureCache(file)) as cache:
        cache.keep("a", b"b")
        assert cache.find("a") is None
    assert file.read_bytes() == before


def test_clearing_a_cache_clears_its_pictures(command: Command, folder: Path, tmp_path: Path) -> None:
    command("report", folder, "--no-maps", "-o", str(tmp_path / "report"))
    told = CliRunner().invoke(app, ["cache", "info", "--json", "--cache", str(command.cache)])
    assert json.loads(told.stdout)["pictures"] == len(NAMES)
    CliRunner().invoke(app, ["cache", "clear", "--cache", str(command.cache)])
    told = CliRunner().invoke(app, ["cache", "info", "--json", "--cache", str(command.cache)])
    assert json.loads(told.stdout)["pictures"] == 0
