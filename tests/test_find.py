"""Finding photos in files, folders and lists."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from photodefect.errors import DataError, UnreadableError
from photodefect.photos.decode import decode
from photodefect.photos.files import is_one_of
from photodefect.photos.find import find_photos, read_path_list

JPEG = b"\xff\xd8\xff\xe0 and so on"

needs_links = pytest.mark.skipif(os.name != "posix", reason="symbolic links need rights here")


def plant(folder: Path, *names: str, content: bytes = JPEG) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def found(*paths: Path, below: Path) -> list[str]:
    return [path.relative_to(below).as_posix() for path in find_photos(paths)]


def test_folders_are_walked_recursively_in_sorted_order(tmp_path: Path) -> None:
    plant(tmp_path, "b.jpg", "a/2.png", "a/1.CR2", "a/deep/er/x.heic", "c/z.tif", "Z.jpg")
    assert found(tmp_path, below=tmp_path) == ["Z.jpg", "a/1.CR2", "a/2.png", "a/deep/er/x.heic", "b.jpg", "c/z.tif"]


def test_paths_are_yielded_as_they_were_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(tmp_path, "one.jpg", "sub/two.jpg")
    monkeypatch.chdir(tmp_path)
    assert list(find_photos([Path("sub/../one.jpg"), Path("sub")])) == [Path("sub/../one.jpg"), Path("sub/two.jpg")]
    assert list(find_photos(["sub"])) == [Path("sub/two.jpg")]
    assert list(find_photos([Path()])) == [Path("one.jpg"), Path("sub/two.jpg")]


def test_hidden_files_and_folders_are_left_out_of_folders(tmp_path: Path) -> None:
    plant(tmp_path, ".hidden.jpg", "._resource.jpg", ".cache/x.jpg", "shown.jpg")
    assert found(tmp_path, below=tmp_path) == ["shown.jpg"]
    assert found(tmp_path / ".hidden.jpg", tmp_path / ".cache", below=tmp_path) == [".hidden.jpg", ".cache/x.jpg"]


def test_in_a_folder_a_photo_is_told_by_its_ending_or_its_first_bytes(tmp_path: Path) -> None:
    plant(tmp_path, "text.jpg", "TEXT.JPEG", "readme.txt", "photo.xmp", "photo.CR2.xmp", "notes", content=b"words")
    plant(tmp_path, "empty.dat", "empty.png", content=b"")
    plant(tmp_path, "no-ending", "odd.bin")
    assert found(tmp_path, below=tmp_path) == ["TEXT.JPEG", "empty.png", "no-ending", "odd.bin", "text.jpg"]


def test_given_files_are_yielded_whatever_they_are(tmp_path: Path) -> None:
    plant(tmp_path, "readme.txt", "photo.xmp", content=b"words")
    assert found(tmp_path / "readme.txt", tmp_path / "photo.xmp", below=tmp_path) == ["readme.txt", "photo.xmp"]


@needs_links
def test_loops_of_links_end_and_each_folder_is_entered_once(tmp_path: Path) -> None:
    plant(tmp_path, "a/one.jpg", "b/two.jpg")
    (tmp_path / "a" / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "a" / "self").symlink_to(tmp_path / "a", target_is_directory=True)
    (tmp_path / "c").symlink_to(tmp_path / "b", target_is_directory=True)
    assert found(tmp_path, below=tmp_path) == ["a/one.jpg", "b/two.jpg"]
    assert found(tmp_path / "c", below=tmp_path) == ["c/two.jpg"]
    assert found(tmp_path / "a", tmp_path, below=tmp_path) == ["a/one.jpg", "a/up/b/two.jpg"]


@needs_links
def test_links_to_files_are_followed_and_dangling_ones_are_seen(tmp_path: Path) -> None:
    plant(tmp_path, "elsewhere/real.jpg", "here/x.txt", content=JPEG)
    (tmp_path / "here" / "link").symlink_to(tmp_path / "elsewhere" / "real.jpg")
    (tmp_path / "here" / "gone.jpg").symlink_to(tmp_path / "nowhere")
    (tmp_path / "here" / "gone.txt").symlink_to(tmp_path / "nowhere")
    (tmp_path / "here" / "loop.jpg").symlink_to(tmp_path / "here" / "loop.jpg")
    paths = list(find_photos([tmp_path / "here"]))
    assert [path.name for path in paths] == ["gone.jpg", "link", "loop.jpg", "x.txt"]
    for path in (paths[0], paths[2]):
        with pytest.raises(UnreadableError):
            decode(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_pipes_in_folders_are_passed_over_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    os.mkfifo(tmp_path / "pipe")
    plant(tmp_path, "photo.jpg")
    assert found(tmp_path, below=tmp_path) == ["photo.jpg"]
    assert found(tmp_path / "pipe.jpg", below=tmp_path) == ["pipe.jpg"]


def test_a_missing_path_is_refused_before_any_photo_is_yielded(tmp_path: Path) -> None:
    plant(tmp_path, "photo.jpg")
    with pytest.raises(DataError, match=r"no such file or folder.*gone\\x1b\.jpg.*also"):
        find_photos([tmp_path / "photo.jpg", tmp_path / "gone\x1b.jpg", tmp_path / "photo.jpg" / "also"])
    assert found(tmp_path / "photo.jpg", below=tmp_path) == ["photo.jpg"]


def test_many_missing_paths_are_counted(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="and 7 more"):
        find_photos([tmp_path / str(number) for number in range(12)])


def test_a_missing_path_of_a_list_is_left_to_decoding(tmp_path: Path) -> None:
    plant(tmp_path, "photo.jpg")
    paths = [tmp_path / "gone.jpg", tmp_path / "photo.jpg"]
    assert list(find_photos(paths, missing_ok=True)) == paths


def test_a_folder_that_cannot_be_read_is_reported_and_the_rest_walked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(tmp_path, "a/x.jpg", "b/y.jpg", "c/z.jpg")
    really_scan = os.scandir

    def scandir(path: Path) -> AbstractContextManager[Iterator[os.DirEntry[str]]]:
        if Path(path).name == "b":
            raise PermissionError(13, "Permission denied", str(path))
        return really_scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    problems: list[tuple[Path, OSError]] = []
    paths = find_photos([tmp_path], on_problem=lambda path, error: problems.append((path, error)))
    assert [path.name for path in paths] == ["x.jpg", "z.jpg"]
    assert [(path.name, type(error)) for path, error in problems] == [("b", PermissionError)]


def test_a_file_is_one_of_others_by_whatever_name_and_those_out_of_reach_are_none(tmp_path: Path) -> None:
    plant(tmp_path, "photo.jpg", "other.jpg")
    photo = tmp_path / "photo.jpg"
    os.link(photo, tmp_path / "linked.jpg")
    gone = str(tmp_path / "gone.jpg")
    assert is_one_of(tmp_path / "linked.jpg", [gone, "a\0b", str(tmp_path / "other.jpg"), str(photo)])
    assert not is_one_of(photo, [gone, str(tmp_path / "other.jpg")])
    assert not is_one_of(Path(gone), [gone])


def test_a_file_that_cannot_be_looked_into_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(tmp_path, "a", "b.jpg")

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    problems: list[Path] = []
    paths = find_photos([tmp_path], on_problem=lambda path, _: problems.append(path))
    assert [path.name for path in paths] == ["b.jpg"]
    assert [path.name for path in problems] == ["a"]


def test_a_path_out_of_reach_is_left_to_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> os.stat_result:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", refuse)
    assert list(find_photos([tmp_path / "photo.jpg"])) == [tmp_path / "photo.jpg"]
    with pytest.raises(UnreadableError, match="permission"):
        decode(tmp_path / "photo.jpg")


def test_the_walk_is_lazy(tmp_path: Path) -> None:
    plant(tmp_path, "a/x.jpg", "b/y.jpg")
    paths = find_photos([tmp_path])
    assert [path.name for path in islice(paths, 1)] == ["x.jpg"]
    (tmp_path / "b" / "z.jpg").write_bytes(JPEG)
    assert [path.name for path in paths] == ["y.jpg", "z.jpg"]


def test_lists_are_split_at_lines_or_null_bytes() -> None:
    assert read_path_list(io.BytesIO(b"a.jpg\nb c.jpg\r\n\nd.jpg")) == ["a.jpg", "b c.jpg", "d.jpg"]
    assert read_path_list(io.BytesIO(b"a\nb.jpg\0c.jpg\r\0\0"), True) == ["a\nb.jpg", "c.jpg\r"]
    assert read_path_list(io.BytesIO(b"")) == []


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_lists_are_read_as_editors_and_shells_save_them(encoding: str) -> None:
    assert read_path_list(io.BytesIO("été.jpg\r\nb\tc.jpg\r\n".encode(encoding))) == ["été.jpg", "b\tc.jpg"]


def test_a_list_in_utf_16_that_is_cut_is_refused() -> None:
    with pytest.raises(DataError, match="UTF-16 text ends within a letter"):
        read_path_list(io.BytesIO("a.jpg".encode("utf-16")[:-1]))


def test_a_null_separated_list_read_as_lines_is_refused() -> None:
    with pytest.raises(DataError, match="-0"):
        read_path_list(io.BytesIO(b"a.jpg\0b.jpg\0"))


@pytest.mark.skipif(os.name != "posix", reason="names are text here")
@given(st.lists(st.binary(min_size=1).filter(lambda name: b"\0" not in name and b"/" not in name and name != b".")))
def test_names_of_any_bytes_survive_a_null_separated_list(names: list[bytes]) -> None:
    paths = read_path_list(io.BytesIO(b"".join(name + b"\0" for name in names)), True)
    assert [os.fsencode(path) for path in paths] == names


def test_a_folder_nested_too_deep_for_its_name_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(tmp_path, "a/deep/photo.jpg", "z.jpg")
    really_stat = Path.stat

    def stat(path: Path, **options: bool) -> os.stat_result:
        if "deep" in path.parts:
            raise OSError(errno.ENAMETOOLONG, "File name too long", str(path))
        return really_stat(path, **options)

    monkeypatch.setattr(Path, "stat", stat)
    problems: list[OSError] = []
    found = list(find_photos([tmp_path], on_problem=lambda _, error: problems.append(error)))
    assert found == [tmp_path / "z.jpg"]
    assert [error.errno for error in problems] == [errno.ENAMETOOLONG]
