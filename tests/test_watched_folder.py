"""What a watched folder gives out where the system's own notices aren't enough."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
import watchfiles

from photodefect.errors import DataError
from photodefect.photos.places import Kind, Rules
from photodefect.watching.arrivals import Arrivals
from photodefect.watching.folder import FolderWatch


def watched(
    folder: Path,
    said: list[str],
    *,
    look_s: float = 3600.0,
    rules: Rules = Rules(),  # noqa: B008  it never changes
) -> FolderWatch:
    arrivals = Arrivals(0.1, time.monotonic)
    return FolderWatch(str(folder), arrivals, tick_s=0.05, look_s=look_s, tell=said.append, rules=rules)


def test_a_folder_that_another_takes_the_place_of_is_watched_in_its_place(samples: Path, tmp_path: Path) -> None:
    """As if something were mounted over it: there is no moment without a folder."""
    for name in ("before", "after"):
        (tmp_path / name).mkdir()
    shutil.copy(samples / "bulb.jpg", tmp_path / "after" / "photo.jpg")
    folder = tmp_path / "folder"
    folder.symlink_to(tmp_path / "before")
    said: list[str] = []
    batches = watched(folder, said).batches()
    assert next(batches) == []
    (tmp_path / "link").symlink_to(tmp_path / "after")
    (tmp_path / "link").rename(folder)
    assert next(filter(None, batches)) == [str(folder / "photo.jpg")]
    assert said == [f"{folder} is another folder now; watching that"]


def test_a_system_that_can_not_tell_of_changes_is_said_so_and_the_folder_is_looked_through(
    samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def watch(*_paths: Path, **_options: object) -> None:
        raise OSError("OS file watch limit reached")

    monkeypatch.setattr(watchfiles, "watch", watch)
    said: list[str] = []
    batches = watched(tmp_path, said, look_s=0.1).batches()
    assert next(batches) == []
    shutil.copy(samples / "bulb.jpg", tmp_path / "photo.jpg")
    assert next(filter(None, batches)) == [str(tmp_path / "photo.jpg")]
    assert said == ["the system can't tell of changes (OS file watch limit reached); looking every 0.1 seconds"]


def test_paths_are_spelled_as_the_folder_was_given(
    samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    batches = watched(Path("in"), []).batches()
    for _ in range(5):
        assert next(batches) == []
    shutil.copy(samples / "bulb.jpg", "in/photo.jpg")
    assert next(filter(None, batches)) == ["in/photo.jpg"]


def test_a_missing_folder_can_not_be_watched(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a folder"):
        watched(tmp_path / "nowhere", [])


def test_what_is_not_the_photographers_does_not_arrive(samples: Path, tmp_path: Path) -> None:
    (tmp_path / "@eaDir" / "a.jpg").mkdir(parents=True)
    watch = watched(tmp_path, [], rules=Rules(("draft*",)))
    batches = watch.batches()
    assert next(batches) == []
    for name in ("@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg", "draft.jpg", "a.jpg_original", "photo.jpg"):
        shutil.copy(samples / "bulb.jpg", tmp_path / name)
    assert next(filter(None, batches)) == [str(tmp_path / "photo.jpg")]
    assert watch.photos() == [str(tmp_path / "photo.jpg")]
    assert watch.passed_over == {Kind.PREVIEWS: 1, Kind.EXCLUDED: 1, Kind.BACKUP: 1}
