"""Which files go where a photo goes."""

from __future__ import annotations

from pathlib import Path

import pytest

from photodefect.files import CompanionIndex, companions


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).write_bytes(name.encode())


def names(folder: Path, photo: str) -> list[str]:
    return [path.name for path in companions(folder / photo)]


@pytest.mark.parametrize(
    "sidecar",
    ["IMG_1.xmp", "IMG_1.CR2.xmp", "IMG_1_01.CR2.xmp", "IMG_1.CR2.pp3", "img_1.XMP", "IMG_1.wav", "IMG_1.CR2.json"],
)
def test_sidecars_belong_to_their_photo_however_they_are_named(tmp_path: Path, sidecar: str) -> None:
    touch(tmp_path, "IMG_1.CR2", sidecar)
    assert names(tmp_path, "IMG_1.CR2") == [sidecar]


@pytest.mark.parametrize(
    "other",
    ["IMG_10.xmp", "IMG_1.json", "IMG_1.txt", "IMG_1.tif", "IMG_1.png", "IMG_1-edit.jpg", "._IMG_1.xmp", "IMG.xmp"],
)
def test_what_only_looks_alike_stays(tmp_path: Path, other: str) -> None:
    touch(tmp_path, "IMG_1.CR2", other)
    assert names(tmp_path, "IMG_1.CR2") == []


def test_a_raw_photo_and_its_twin_go_together_with_the_sidecars_of_both(tmp_path: Path) -> None:
    together = ["IMG_1.CR2", "IMG_1.CR2.xmp", "IMG_1.JPG", "IMG_1.JPG.xmp"]
    touch(tmp_path, *together, "IMG_2.JPG", "IMG_2.xmp")
    for photo in ("IMG_1.CR2", "IMG_1.JPG"):
        assert [photo, *names(tmp_path, photo)] == sorted(together, key=lambda name: (name != photo, name))


def test_two_developed_photos_of_one_stem_are_no_twins(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "a.heic")
    assert names(tmp_path, "a.jpg") == []


def test_the_moving_half_of_a_live_photo_belongs_to_it(tmp_path: Path) -> None:
    touch(tmp_path, "a.HEIC", "a.MOV", "b.CR2", "b.MOV")
    assert names(tmp_path, "a.HEIC") == ["a.MOV"]
    assert names(tmp_path, "b.CR2") == []


def test_case_counts_where_two_photos_differ_in_nothing_else(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "A.jpg", "a.xmp", "A.xmp")
    assert names(tmp_path, "a.jpg") == ["a.xmp"]
    assert names(tmp_path, "A.jpg") == ["A.xmp"]


def test_a_sidecar_of_the_bare_stem_is_the_raw_photos(tmp_path: Path) -> None:
    touch(tmp_path, "a.jpg", "a.nef", "b.jpg", "b.png")
    index = CompanionIndex()
    assert index.sidecar_owner(tmp_path / "a.jpg") == tmp_path / "a.nef"
    assert index.sidecar_owner(tmp_path / "b.png") == tmp_path / "b.jpg"


def test_a_folder_that_is_gone_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        companions(tmp_path / "gone" / "a.jpg")
