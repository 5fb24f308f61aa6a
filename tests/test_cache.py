"""Results are found again by content, whatever became of the file's name and times, and never after it changed."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

import photodefect
from photodefect.diagnosis import cache as cache_module
from photodefect.diagnosis.cache import Cache
from photodefect.diagnosis.cache_file import CacheReader
from photodefect.diagnosis.content import Stamp, content_key
from photodefect.errors import DataError

ROOT = Path(photodefect.__file__).parents[1]
KIND, OTHER = "kind one", "kind two"
LONG_AGO = 1_600_000_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "results.sqlite"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.jpg"
    path.write_bytes(b"content")
    os.utime(path, (LONG_AGO, LONG_AGO))
    return path


def keep(cache: Cache, photo: Path, value: str = "value", kind: str = KIND) -> None:
    cache.store(str(photo), Stamp.of(photo.stat()), content_key(photo.read_bytes()), {kind: value})
    cache.commit()


def test_a_result_is_found_again_by_the_next_run(file: Path, photo: Path) -> None:
    with_results = Cache(file)
    keep(with_results, photo)
    with_results.close()
    again = Cache(file)
    assert again.find(str(photo), [KIND]) == {KIND: "value"}
    assert again.find(str(photo), [OTHER]) == {}
    assert again.find(str(photo.with_name("other.jpg")), [KIND]) == {}
    again.close()


def test_a_relative_path_means_the_same_file(file: Path, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(file)
    keep(cache, photo)
    monkeypatch.chdir(photo.parent)
    assert cache.find("photo.jpg", [KIND]) == {KIND: "value"}
    assert cache.find("./photo.jpg", [KIND]) == {KIND: "value"}
    cache.close()


@pytest.mark.parametrize("change", ["size", "mtime", "inode", "same size and mtime"])
def test_a_file_that_changed_in_any_way_is_not_known_without_being_read(file: Path, photo: Path, change: str) -> None:
    cache = Cache(file)
    keep(cache, photo)
    if change == "size":
        photo.write_bytes(b"more content")
    elif change == "mtime":
        os.utime(photo, (LONG_AGO, LONG_AGO + 1))
    elif change == "inode":
        shutil.copy2(photo, photo.with_name("copy"))
        photo.with_name("copy").replace(photo)
    else:
        time.sleep(0.02)  # the clock of the file system has ticks
        photo.write_bytes(b"CONTENT")
        os.utime(photo, (LONG_AGO, LONG_AGO))
    assert cache.find(str(photo), [KIND]) == {}
    cache.close()


def test_a_content_is_known_whatever_its_file_is_called(file: Path, photo: Path) -> None:
    cache = Cache(file)
    keep(cache, photo)
    assert cache.find_content(content_key(b"content"), [KIND, OTHER]) == {KIND: "value"}
    assert CacheReader(file).find_content(content_key(b"content"), [KIND, OTHER]) == {KIND: "value"}
    assert cache.find_content(content_key(b"other"), [KIND]) == {}
    cache.close()


def test_a_raw_photos_ending_is_part_of_its_content() -> None:
    assert content_key(b"x", ".jpg") == content_key(b"x", ".png") != content_key(b"x", ".NEF")


def test_a_file_that_was_just_written_is_not_settled(photo: Path) -> None:
    assert not Stamp.of(photo.stat()).settled()  # os.utime() set its ctime to now
    old = Stamp(1, LONG_AGO * 10**9, LONG_AGO * 10**9, 1)
    assert old.settled()


def test_runs_side_by_side_lose_nothing(file: Path) -> None:
    script = """
import sys
from pathlib import Path
from photodefect.diagnosis.cache import Cache
from photodefect.diagnosis.content import content_key
cache = Cache(Path(sys.argv[1]), warn=sys.exit)
for number in range(200):
    content = content_key(f"{sys.argv[2]}-{number}".encode())
    cache.store(f"/{sys.argv[2]}/{number}", None, content, {"kind": sys.argv[2]})
    cache.commit()
cache.close()
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    runs = [
        subprocess.Popen([sys.executable, "-c", script, str(file), name], env=environment) for name in ("a", "b", "c")
    ]
    assert [run.wait(60) for run in runs] == [0, 0, 0]
    cache = Cache(file)
    assert cache.info().kinds == {"kind": 600}
    for name in ("a", "b", "c"):
        assert cache.find_content(content_key(f"{name}-199".encode()), ["kind"]) == {"kind": name}
    cache.close()


def test_a_run_that_is_killed_keeps_what_it_committed(file: Path, photo: Path) -> None:
    script = f"""
import os, signal
from pathlib import Path
from tests.test_cache import keep
from photodefect.diagnosis.cache import Cache
cache = Cache(Path({str(file)!r}))
keep(cache, Path({str(photo)!r}))
os.kill(os.getpid(), signal.SIGKILL)
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, check=False)
    assert done.returncode == -9
    cache = Cache(file)
    assert cache.find(str(photo), [KIND]) == {KIND: "value"}
    assert cache.check() == []
    cache.close()


@pytest.mark.parametrize("damage", ["garbage", "truncated", "middle"])
def test_a_damaged_cache_is_told_set_aside_and_begun_anew(file: Path, photo: Path, damage: str) -> None:
    cache = Cache(file)
    for number in range(500):
        cache.store(f"/{number}", None, content_key(str(number).encode()), {KIND: "x" * 500})
    keep(cache, photo)
    cache.close()
    data = file.read_bytes()
    middle = data[:100] + b"\xff" * (len(data) - 200) + data[-100:]
    file.write_bytes({"garbage": b"garbage" * 100, "truncated": data[: len(data) // 3], "middle": middle}[damage])
    told: list[str] = []
    cache = Cache(file, warn=told.append)
    cache.find(str(photo), [KIND])
    keep(cache, photo, "again")
    assert cache.find(str(photo), [KIND]) == {KIND: "again"} or told == []
    cache.find_content(content_key(b"250"), [KIND])
    keep(cache, photo, "again")
    assert cache.find(str(photo), [KIND]) == {KIND: "again"}
    assert cache.check() == []
    cache.close()
    assert len(told) == 1
    assert "damaged" in told[0]
    assert sorted(path.name for path in file.parent.iterdir()) == ["results.sqlite", "results.sqlite.damaged"]


@pytest.mark.parametrize("name", ["photo.jpg", "notes.txt", "catalog.sqlite"])
def test_a_file_that_is_something_else_is_refused_and_left_alone(tmp_path: Path, samples: Path, name: str) -> None:
    path = tmp_path / name
    if name == "photo.jpg":
        shutil.copy(samples / "dog.jpg", path)
    elif name == "notes.txt":
        path.write_text("my notes\n" * 20)
    else:
        with sqlite3.connect(path) as other:
            other.execute("PRAGMA application_id = 1234")
            other.execute("CREATE TABLE mine (x)")
        other.close()
    before = path.read_bytes()
    with pytest.raises(DataError, match="name another file"):
        Cache(path)
    assert path.read_bytes() == before
    assert [it.name for it in tmp_path.iterdir()] == [name]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_cache_that_can_not_be_written_is_told_and_done_without(
    tmp_path: Path, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(0o500)
    monkeypatch.setattr(cache_module, "default_file", lambda: locked / "deeper" / "results.sqlite")
    told: list[str] = []
    cache = Cache(warn=told.append)
    keep(cache, photo)
    assert cache.find(str(photo), [KIND]) == {}
    cache.close()
    assert len(told) == 1
    with pytest.raises(DataError, match="can't be used"):
        Cache(locked / "results.sqlite")


def test_a_full_disk_is_told_once_and_the_run_goes_on(file: Path, photo: Path) -> None:
    told: list[str] = []
    cache = Cache(file, warn=told.append)
    (pages,) = cache._there().execute("PRAGMA page_count").fetchone()
    cache._there().execute(f"PRAGMA max_page_count = {pages}")  # SQLite says the same as on a full disk
    for number in range(300):
        cache.store(str(photo), None, str(number).encode(), {KIND: "x" * 1000})
    cache.close()
    assert len(told) == 1
    assert "full" in told[0]


def test_the_file_stays_within_its_bounds_and_loses_the_oldest_first(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_module, "MAX_BYTES", 200_000)
    today = cache_module._today()
    for day in range(4):
        monkeypatch.setattr(cache_module, "_today", lambda day=day: today + day)
        cache = Cache(file)
        for number in range(100):
            cache.store(f"/{day}/{number}", None, f"{day}-{number}".encode(), {KIND: "x" * 1000})
        cache.close()
    cache = Cache(file)
    assert cache.find_content(b"3-99", [KIND])
    assert not cache.find_content(b"0-0", [KIND])
    assert cache.info().bytes < 300_000
    cache.close()


def test_only_its_owner_may_read_where_photos_lie(file: Path) -> None:
    Cache(file).close()
    assert file.stat().st_mode & 0o077 == 0
