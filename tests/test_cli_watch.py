"""``photodefect watch`` in a process of its own: photos arrive as cameras, card readers and programs bring them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest
from typer.testing import CliRunner

import photodefect
from photodefect.cli import app

ROOT = Path(photodefect.__file__).parents[1]
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
PATIENCE_S = 120
"""How long something that must happen may take on a busy machine. No test waits so long for nothing to happen."""


class Watching:
    """The real command, and what it has said so far."""

    def __init__(self, folder: Path, model: Path, *options: str) -> None:
        command = [sys.executable, "-m", "photodefect", "watch", str(folder), "--model", str(model), "--patches", "1"]
        self.process = subprocess.Popen(
            [*command, "--settle", "0.5", *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT
        )
        self.lines: list[str] = []
        self.said: list[str] = []
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self._threads = [
            threading.Thread(target=self._collect, args=(stream, into))
            for stream, into in ((self.process.stdout, self.lines), (self.process.stderr, self.said))
        ]
        for thread in self._threads:
            thread.start()
        self.until(lambda: "watching" in self.words)

    @staticmethod
    def _collect(stream: IO[bytes], into: list[str]) -> None:
        into.extend(line.decode() for line in stream)

    @property
    def words(self) -> str:
        return "".join(self.said)

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in list(self.lines)]

    @property
    def paths(self) -> list[str]:
        return [record["path"] for record in self.records]

    def until(self, happened: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not happened():
            assert time.monotonic() < deadline, self.words
            assert self.process.poll() is None or happened(), self.words
            time.sleep(0.02)

    def until_told(self, path: Path) -> None:
        self.until(lambda: str(path) in self.paths)

    def end(self, by: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(by)
        return self.wait()

    def wait(self) -> int:
        code = self.process.wait(PATIENCE_S)
        for thread in self._threads:
            thread.join()
        return code


@pytest.fixture
def watch(random_model: Path) -> Iterator[Callable[..., Watching]]:
    started: list[Watching] = []

    def start(folder: Path, *options: str) -> Watching:
        started.append(Watching(folder, random_model, *options))
        return started[-1]

    yield start
    for watching in started:
        watching.process.kill()
        watching.wait()
        for stream in (watching.process.stdout, watching.process.stderr):
            assert stream is not None
            stream.close()


@pytest.fixture
def folder(tmp_path: Path, samples: Path) -> Path:
    """A folder with a photo that was there before."""
    (tmp_path / "incoming").mkdir()
    shutil.copy(samples / "dog.jpg", tmp_path / "incoming" / "before.jpg")
    return tmp_path / "incoming"


def test_photos_are_told_once_however_they_arrive(watch: Callable[..., Watching], folder: Path, samples: Path) -> None:
    watching = watch(folder)
    photo = (samples / "bulb.jpg").read_bytes()

    slow = folder / "slow.jpg"
    with slow.open("wb", buffering=0) as file:
        for start in range(0, len(photo), 1 + len(photo) // 20):
            file.write(photo[start : start + 1 + len(photo) // 20])
            time.sleep(0.05)
    watching.until_told(slow)

    (folder / ".import.partial").write_bytes(photo)
    (folder / ".import.partial").rename(folder / "renamed-into-place.jpg")
    watching.until_told(folder / "renamed-into-place.jpg")

    card = folder / "DCIM" / "100CANON"
    card.mkdir(parents=True)
    (card / "IMG_0001.JPG").write_bytes(photo)
    watching.until_told(card / "IMG_0001.JPG")

    slow.rename(card / "slow.jpg")
    (folder / "gone.jpg").write_bytes(photo)
    (folder / "gone.jpg").unlink()
    (folder / "damaged.jpg").write_bytes(photo[: len(photo) // 2])
    shutil.copy(samples / "city.jpg", folder / "last.jpg")
    watching.until_told(folder / "last.jpg")
    watching.until_told(folder / "damaged.jpg")

    assert watching.end() == 130
    arrived = [slow, folder / "renamed-into-place.jpg", card / "IMG_0001.JPG", folder / "last.jpg"]
    assert watching.paths == [*map(str, arrived), str(folder / "damaged.jpg")]
    assert [record["error"] is None for record in watching.records] == [True, True, True, True, False]
    assert "cut short" in watching.records[-1]["error"]["message"]
    assert "interrupted after 5 photos" in watching.words
    assert "Traceback" not in watching.words


def test_a_folder_that_goes_away_is_waited_for(
    watch: Callable[..., Watching], folder: Path, samples: Path, tmp_path: Path
) -> None:
    """As a card does that is unmounted and put in again, and a folder that a program makes anew."""
    watching = watch(folder)
    folder.rename(tmp_path / "ejected")
    watching.until(lambda: "incoming is gone" in watching.words)
    shutil.copy(samples / "bulb.jpg", tmp_path / "ejected" / "shot-meanwhile.jpg")
    (tmp_path / "ejected").rename(folder)
    watching.until_told(folder / "shot-meanwhile.jpg")

    shutil.rmtree(folder)
    watching.until(lambda: watching.words.count("incoming is gone") == 2)
    folder.mkdir()
    watching.until(lambda: watching.words.count("incoming is back") == 2)
    shutil.copy(samples / "city.jpg", folder / "in-the-new-folder.jpg")
    watching.until_told(folder / "in-the-new-folder.jpg")

    assert watching.end(signal.SIGTERM) == 130
    names = ["shot-meanwhile.jpg", "in-the-new-folder.jpg"]
    assert watching.paths == [str(folder / name) for name in names]
    assert "Traceback" not in watching.words


def test_it_begins_with_what_is_there_and_ends_when_nothing_arrives_any_more(
    watch: Callable[..., Watching], folder: Path, tmp_path: Path
) -> None:
    target = tmp_path / "records.csv"
    options = ["--existing", "--stop-after", "0.5", "--fail-on", "severe", "--threshold", "0.001"]
    watching = watch(folder, *options, "--format", "csv", "-o", str(target))
    assert watching.wait() == 10
    assert watching.lines == []
    header, row = target.read_text().splitlines()
    assert header.startswith("path,")
    assert row.startswith(f"{folder}/before.jpg,")
    assert "1 photo: 0 good, 0 mild, 1 severe" in watching.words


def test_what_is_no_folder_is_wrong_usage(samples: Path, tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere", samples / "dog.jpg"):
        result = CliRunner().invoke(app, ["watch", str(path)])
        assert result.exit_code == 2
        assert "is not a folder" in result.stderr


def test_a_photo_is_never_the_output(folder: Path) -> None:
    photo = folder / "before.jpg"
    before = photo.read_bytes()
    result = CliRunner().invoke(app, ["watch", str(folder), "-o", str(photo), "--force"])
    assert result.exit_code == 2
    assert photo.read_bytes() == before
