"""Marks: kept as they are made, by content and path, and never lost or given to another photo."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from photodefect.errors import DataError, TransferError
from photodefect.files.journal import state_folder
from photodefect.review.marks import UNMARKED, Mark, MarkStore, Subject, default_file, taken_of


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MarkStore]:
    with MarkStore(tmp_path / "state" / "marks.sqlite") as opened:
        yield opened


@pytest.fixture
def photo(samples: Path, tmp_path: Path) -> Path:
    target = tmp_path / "a.jpg"
    target.write_bytes((samples / "bulb.jpg").read_bytes())
    return target


def mark_of(store: MarkStore, path: Path, taken: str = "") -> Mark:
    return store.find(Subject(str(path), taken))[0]


def test_marks_lie_beside_the_journals() -> None:
    assert default_file() == state_folder().parent / "marks.sqlite"


def test_a_mark_is_there_for_the_next_run_and_nothing_is_written_before_the_first(
    store: MarkStore, photo: Path
) -> None:
    assert mark_of(store, photo) == UNMARKED
    assert not store.file.exists()
    store.set([Subject(str(photo))], Mark("pick", 4, "Blue"))
    with MarkStore(store.file) as again:
        assert mark_of(again, photo) == Mark("pick", 4, "Blue")
    if os.name == "posix":
        assert store.file.stat().st_mode & 0o077 == 0


def test_fields_change_one_by_one(store: MarkStore, photo: Path) -> None:
    subjects = [Subject(str(photo))]
    store.change(subjects, {"flag": "reject"})
    assert store.change(subjects, {"stars": 2}) == Mark("reject", 2)
    assert store.change(subjects, {"flag": None}) == Mark(None, 2)
    assert not store.change(subjects, {"stars": 0})


def test_a_renamed_or_copied_photo_keeps_its_mark(store: MarkStore, photo: Path) -> None:
    store.set([Subject(str(photo))], Mark("pick"))
    copy = photo.with_name("copy.jpg")
    copy.write_bytes(photo.read_bytes())
    assert mark_of(store, copy) == Mark("pick")
    store.set([Subject(str(copy))], Mark("reject"))
    assert mark_of(store, photo) == Mark("pick"), "a copy has a mark of its own"
    renamed = photo.rename(photo.with_name("b.jpg"))
    copy.unlink()
    store.set([Subject(str(renamed))], Mark("pick", 5))
    assert mark_of(store, renamed) == Mark("pick", 5)


def test_a_touched_photo_keeps_its_mark(store: MarkStore, photo: Path) -> None:
    store.set([Subject(str(photo))], Mark("pick"))
    os.utime(photo, ns=(10**18, 10**18))
    assert mark_of(store, photo) == Mark("pick")


def test_another_photo_of_the_same_name_has_no_mark(store: MarkStore, photo: Path, samples: Path) -> None:
    taken = taken_of("2024-05-01T12:00:00", "X-1")
    store.set([Subject(str(photo), taken)], Mark("reject"))
    photo.write_bytes((samples / "dog.jpg").read_bytes())  # a memory card that begins anew
    assert mark_of(store, photo, taken_of("2024-06-01T12:00:00", "X-1")) == UNMARKED
    assert mark_of(store, photo) == UNMARKED


def test_a_photo_that_was_edited_in_place_keeps_its_mark_by_its_time(
    store: MarkStore, photo: Path, samples: Path
) -> None:
    taken = taken_of("2024-05-01T12:00:00", "X-1")
    store.set([Subject(str(photo), taken)], Mark("pick"))
    photo.write_bytes((samples / "dog.jpg").read_bytes())
    assert mark_of(store, photo, taken) == Mark("pick")


def test_a_content_that_is_known_is_not_read_again(store: MarkStore, photo: Path, tmp_path: Path) -> None:
    store.set([Subject(str(photo), content=lambda: b"key")], Mark("pick"))
    other = tmp_path / "other.jpg"
    other.write_bytes(bytes(photo.stat().st_size))
    assert store.find(Subject(str(other), content=lambda: b"key"))[0] == Mark("pick")


def test_a_raw_photo_and_its_jpeg_have_one_mark(store: MarkStore, photo: Path, samples: Path) -> None:
    raw = photo.with_suffix(".CR2")
    raw.write_bytes((samples / "dog.jpg").read_bytes())
    store.set([Subject(str(photo))], Mark("reject"))
    store.set([Subject(str(raw))], Mark("pick"))
    found = store.find_all([Subject(str(photo)), Subject(str(raw))])
    assert found == {str(photo): Mark("pick"), str(raw): Mark("pick")}


def test_a_photo_that_is_gone_is_not_marked_and_its_mark_stays(store: MarkStore, photo: Path) -> None:
    store.set([Subject(str(photo))], Mark("pick"))
    photo.unlink()
    with pytest.raises(DataError, match="is gone"):
        store.set([Subject(str(photo))], Mark("reject"))
    assert mark_of(store, photo) == Mark("pick")


def test_reviews_that_begin_at_once_share_the_file_that_one_of_them_makes(tmp_path: Path, photo: Path) -> None:
    photos = {stars: photo.with_name(f"{stars}.jpg") for stars in range(1, 6)}
    for stars, path in photos.items():
        path.write_bytes(photo.read_bytes() + bytes(stars))
    for number in range(20):
        file = tmp_path / f"{number}.sqlite"

        def mark(stars: int, file: Path = file) -> None:
            with MarkStore(file) as opened:
                opened.set([Subject(str(photos[stars]))], Mark(None, stars))

        with ThreadPoolExecutor(5) as pool:
            list(pool.map(mark, photos))
        with MarkStore(file) as opened:
            assert {stars: mark_of(opened, path).stars for stars, path in photos.items()} == {n: n for n in photos}


def test_two_reviews_see_each_others_marks(store: MarkStore, photo: Path) -> None:
    with MarkStore(store.file) as other:
        assert other.last == 0
        store.set([Subject(str(photo))], Mark("pick"))
        assert other.paths_since(0) == [str(photo)]
        other.set([Subject(str(photo))], Mark("reject"))
        assert mark_of(store, photo) == Mark("reject")
        assert store.paths_since(store.last) == []


def test_a_mark_that_cannot_be_written_is_told_and_those_before_stay(store: MarkStore, photo: Path) -> None:
    store.set([Subject(str(photo))], Mark("pick"))
    with sqlite3.connect(store.file) as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.close()
    store._there().execute(f"PRAGMA max_page_count = {pages}")  # a disk that is full, to SQLite
    others = []
    for number in range(400):
        other = photo.with_name(f"{number} {'x' * 200}.jpg")
        other.hardlink_to(photo)
        others.append(Subject(str(other), content=lambda: b"key"))
    with pytest.raises(TransferError, match=r"marks\.sqlite: the mark can't be kept: database or disk is full"):
        store.set(others, Mark("reject"))
    assert mark_of(store, photo) == Mark("pick")
    assert mark_of(store, Path(others[0].path)) == Mark("pick"), "by its content"


@pytest.mark.parametrize("content", [b"not a database, but text of some length" * 10, b"SQLite format 3\0damaged" * 10])
def test_a_file_that_is_no_marks_is_left_alone(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "marks.sqlite"
    file.write_bytes(content)
    with pytest.raises(DataError, match="Nothing was changed in it; move it elsewhere"):
        MarkStore(file)
    assert file.read_bytes() == content


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "marks.sqlite"
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE photos (name)")
    connection.commit()
    connection.close()
    before = file.read_bytes()
    with pytest.raises(DataError, match="another program's database"):
        MarkStore(file)
    assert file.read_bytes() == before
