"""Known means known: what one command found out about photos, no other finds out again."""

from __future__ import annotations

import json
import logging
import os
import shutil
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from photodefect import Diagnoser
from photodefect.cli import app
from photodefect.core.inputs import holistic_input
from photodefect.diagnosis.cache import Cache
from photodefect.diagnosis.content import Stamp, content_key
from photodefect.diagnosis.workers.tasks import PixelJob
from photodefect.photos.photo import contiguous, upright
from photodefect.ranking.hints.measurements import measure
from photodefect.ranking.hints.measuring import MEASURE

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
    assert measure(view, holistic_input(view)) == measure(contiguous(view))


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
