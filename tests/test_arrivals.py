"""Photos are told once, when they are complete; the clock is the test's own."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from photodefect.records import Diagnosis, PhotoFailure
from photodefect.watching.arrivals import PATIENCE, Arrivals

SETTLE = 2.0


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Watched:
    """A folder whose files are offered at every look, as those of a watched folder are."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = Clock()
        self.arrivals = Arrivals(SETTLE, self.clock)

    def files(self) -> list[str]:
        return [str(path) for path in sorted(self.folder.rglob("*"))]

    def look(self, seconds: float = SETTLE) -> list[str]:
        """Names of the photos that are given out after some time."""
        for path in self.files():
            self.arrivals.offer(path)
        self.clock.now += seconds
        return [Path(path).name for path in self.arrivals.settled()]

    def accept(self, name: str, *, damaged: bool = False) -> bool:
        error = PhotoFailure("UnreadableError", "the JPEG is cut short") if damaged else None
        return self.arrivals.accept(Diagnosis(str(self.folder / name), error=error))


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    (tmp_path / "in").mkdir()
    return Watched(tmp_path / "in")


@pytest.fixture
def photo(samples: Path) -> bytes:
    return (samples / "bulb.jpg").read_bytes()


def test_a_photo_is_given_out_once_after_the_settle_time(watched: Watched, photo: bytes) -> None:
    (watched.folder / "a.jpg").write_bytes(photo)
    assert watched.look(SETTLE * 0.9) == []
    assert watched.look(SETTLE * 0.2) == ["a.jpg"]
    assert watched.look() == []
    assert watched.accept("a.jpg")
    assert watched.look() == []
    assert len(watched.arrivals) == 0


def test_a_photo_that_grows_is_waited_for(watched: Watched, photo: bytes) -> None:
    with (watched.folder / "a.jpg").open("wb", buffering=0) as file:
        for start in range(0, len(photo), 1 + len(photo) // 5):
            file.write(photo[start : start + 1 + len(photo) // 5])
            assert watched.look(SETTLE * 0.9) == []
    assert watched.look(SETTLE * 0.2) == ["a.jpg"]


def test_a_photo_that_is_written_to_while_it_is_diagnosed_is_told_only_afterwards(
    watched: Watched, photo: bytes
) -> None:
    path = watched.folder / "a.jpg"
    path.write_bytes(photo)
    assert watched.look() == ["a.jpg"]
    path.write_bytes(photo + b"more")
    assert not watched.accept("a.jpg")
    assert watched.look() == ["a.jpg"]
    assert watched.accept("a.jpg")


def test_a_truncated_photo_is_tried_again_when_it_changes(watched: Watched, photo: bytes) -> None:
    path = watched.folder / "a.jpg"
    path.write_bytes(photo[: len(photo) // 2])
    assert watched.look() == ["a.jpg"]
    assert not watched.accept("a.jpg", damaged=True)
    assert watched.look() == []
    path.write_bytes(photo)
    assert watched.look() == ["a.jpg"]
    assert watched.accept("a.jpg")


def test_a_photo_that_stays_damaged_is_told_in_the_end(watched: Watched, photo: bytes) -> None:
    (watched.folder / "a.jpg").write_bytes(photo[: len(photo) // 2])
    assert watched.look() == ["a.jpg"]
    assert not watched.accept("a.jpg", damaged=True)
    assert watched.look((PATIENCE - 1) * SETTLE) == ["a.jpg"]
    assert watched.accept("a.jpg", damaged=True)
    assert watched.look(PATIENCE * SETTLE) == []


def test_a_renamed_or_moved_photo_is_not_given_out_again(watched: Watched, photo: bytes) -> None:
    path = watched.folder / "a.jpg"
    path.write_bytes(photo)
    assert watched.look() == ["a.jpg"]
    assert watched.accept("a.jpg")
    (watched.folder / "kept").mkdir()
    path.rename(watched.folder / "kept" / "b.jpg")
    assert watched.look() == []


def test_a_photo_renamed_while_it_is_diagnosed_is_told_by_its_new_name(watched: Watched, photo: bytes) -> None:
    path = watched.folder / "a.jpg"
    path.write_bytes(photo)
    assert watched.look() == ["a.jpg"]
    path.rename(watched.folder / "b.jpg")
    assert not watched.accept("a.jpg")
    assert watched.look() == ["b.jpg"]
    assert watched.accept("b.jpg")


def test_a_deleted_photo_is_forgotten(watched: Watched, photo: bytes) -> None:
    path = watched.folder / "a.jpg"
    path.write_bytes(photo)
    assert watched.look(0.0) == []
    path.unlink()
    assert watched.look() == []
    path.write_bytes(photo)
    assert watched.look() == ["a.jpg"]
    path.unlink()
    assert not watched.accept("a.jpg", damaged=True)
    assert len(watched.arrivals) == 0


def test_a_photo_that_is_written_anew_is_given_out_again(watched: Watched, photo: bytes, samples: Path) -> None:
    (watched.folder / "a.jpg").write_bytes(photo)
    assert watched.look() == ["a.jpg"]
    assert watched.accept("a.jpg")
    shutil.copy(samples / "dog.jpg", watched.folder / "a.jpg")
    assert watched.look() == ["a.jpg"]


def test_photos_of_a_card_that_was_out_are_not_given_out_again(watched: Watched, photo: bytes) -> None:
    """Mounted again, a card may have other devices' and inodes' numbers; names, sizes and times are the same."""
    path = watched.folder / "a.jpg"
    path.write_bytes(photo)
    watched.arrivals.know(watched.files())
    shutil.copy2(path, watched.folder / "new")
    path.unlink()
    (watched.folder / "new").rename(path)
    (watched.folder / "b.jpg").write_bytes(photo)
    assert watched.look() == ["b.jpg"]


def test_files_that_are_no_photos_or_not_finished_are_passed_over(watched: Watched, photo: bytes) -> None:
    (watched.folder / "notes.txt").write_text("no photo\n")
    for name in ("a.jpg.part", "b.jpg.crdownload", "c.jpg~", "D.TMP"):
        (watched.folder / name).write_bytes(photo)
    (watched.folder / "folder.jpg").mkdir()
    os.mkfifo(watched.folder / "pipe.jpg")
    (watched.folder / "unnamed").write_bytes(photo)
    assert watched.look() == ["unnamed"]
    (watched.folder / "a.jpg.part").rename(watched.folder / "a.jpg")
    assert watched.look() == ["a.jpg"]
