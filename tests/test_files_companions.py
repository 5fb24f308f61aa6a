"""Which files go where a photo goes."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from photodefect.files.companions import CompanionIndex, companions


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


def test_the_parts_of_a_phones_shot_go_together_with_the_sidecars_of_all(tmp_path: Path) -> None:
    together = [
        "PXL_1.RAW-01.COVER.jpg",
        "PXL_1.RAW-01.COVER.jpg.supplemental-met.json",
        "PXL_1.RAW-02.ORIGINAL.dng",
        "PXL_1.RAW-02.ORIGINAL.dng.xmp",
        "PXL_1.RAW-02.ORIGINAL.xmp",
    ]
    touch(tmp_path, *together, "PXL_2.RAW-01.COVER.jpg", "PXL_1.xmp")
    for photo in (together[0], together[2]):
        assert [photo, *names(tmp_path, photo)] == sorted(together, key=lambda name: (name != photo, name))


@pytest.mark.parametrize(
    ("photo", "half"),
    [
        ("PXL_1.MP.jpg", "PXL_1.MP"),
        ("PXL_1.MP.jpg", "PXL_1.MP.mp4"),
        ("PXL_1.MP.jpg", "PXL_1.MP4"),
        ("PXL_1.RAW-01.MP.COVER.jpg", "PXL_1.RAW-01.MP.COVER.mp4"),
        ("PXL_1.VB-01.COVER.jpg", "PXL_1.VB-02.MAIN.mp4"),
        ("MVIMG_1.jpg", "MVIMG_1.MP4"),
        ("IMG_1234.HEIC", "IMG_1234.MP4"),
        ("IMG_1234.HEIC", "IMG_1234.mov"),
    ],
)
def test_the_moving_half_of_a_motion_photo_belongs_to_it(tmp_path: Path, photo: str, half: str) -> None:
    touch(tmp_path, photo, half, "PXL_2.MP4", "IMG_2.MOV")
    assert names(tmp_path, photo) == [half]


def test_of_two_photos_the_motion_photo_has_the_moving_half(tmp_path: Path) -> None:
    touch(tmp_path, "X.MP", "X.MP.jpg", "X.jpg")
    assert names(tmp_path, "X.MP.jpg") == ["X.MP"]
    assert names(tmp_path, "X.jpg") == []


def test_an_iphones_edit_goes_with_what_was_edited_and_with_how(tmp_path: Path) -> None:
    together = ["IMG_1234.AAE", "IMG_1234.HEIC", "IMG_1234.MOV", "IMG_E1234.HEIC", "IMG_E1234.MOV", "IMG_O1234.AAE"]
    touch(tmp_path, *together, "IMG_1235.HEIC", "IMG_E1235.HEIC")
    for photo in ("IMG_1234.HEIC", "IMG_E1234.HEIC"):
        assert sorted([photo, *names(tmp_path, photo)]) == together


@pytest.mark.parametrize(
    ("photo", "sidecar"),
    [
        ("IMG_3397.JPG", "IMG_3397.JPG.json"),
        ("IMG_3397.JPG", "IMG_3397.JPG.supplemental-metadata.json"),
        ("IMG_3397.JPG", "IMG_3397.JPG.supplemental-meta.json"),
        ("IMG_3397.JPG", "IMG_3397.JPG.s.json"),
        ("IMG_3397.JPG", "IMG_3397.JPG..json"),
        ("IMG_3397(1).JPG", "IMG_3397(1).JPG.json"),
        ("IMG_3397(1).JPG", "IMG_3397.JPG(1).json"),
        ("IMG_3397(1).JPG", "IMG_3397.JPG.supplemental-metadata(1).json"),
        ("IMG_3397(1).JPG", "IMG_3397.JPG.suppl(1).json"),
        ("PXL_20230101_120000000.MP.jpg", "PXL_20230101_120000000.MP.jpg.supplemental-met.json"),
        # 46 characters, then .json: of the photo's own name nothing more is left.
        (f"{'a' * 47}.jpg", f"{'a' * 46}.json"),
        (f"{'a' * 44}.jpg", f"{'a' * 44}.j.json"),
        (f"{'a' * 47}(2).jpg", f"{'a' * 46}(2).json"),
    ],
)
def test_what_google_takeout_says_of_a_photo_belongs_to_it(tmp_path: Path, photo: str, sidecar: str) -> None:
    touch(tmp_path, photo, sidecar, "IMG_3397.HEIC", f"{'a' * 47}(3).jpg", f"{'a' * 43}b{'a' * 5}.jpg")
    assert names(tmp_path, photo) == [sidecar]


def test_takeouts_numbers_are_told_apart(tmp_path: Path) -> None:
    first, second = "IMG_1.JPG.supplemental-metadata.json", "IMG_1.JPG.supplemental-metadata(1).json"
    touch(tmp_path, "IMG_1.JPG", "IMG_1(1).JPG", first, second, "IMG_1.supplemental-metadata.json")
    assert names(tmp_path, "IMG_1.JPG") == [first]
    assert names(tmp_path, "IMG_1(1).JPG") == [second]


@pytest.mark.parametrize(
    "sidecar", ["Caf\N{LATIN SMALL LETTER E WITH ACUTE}.xmp", "CAFE\N{COMBINING ACUTE ACCENT}.jpg.XMP"]
)
def test_ways_of_writing_an_accent_do_not_part_a_photo_from_its_sidecar(tmp_path: Path, sidecar: str) -> None:
    for form in ("NFC", "NFD"):
        photo = unicodedata.normalize(form, "Caf\N{LATIN SMALL LETTER E WITH ACUTE}.jpg")
        folder = tmp_path / form
        folder.mkdir()
        touch(folder, photo, sidecar)
        assert names(folder, photo) == [sidecar]


def test_spelling_counts_where_two_photos_differ_in_nothing_else(tmp_path: Path) -> None:
    composed, parted = (unicodedata.normalize(form, "\N{LATIN SMALL LETTER E WITH ACUTE}") for form in ("NFC", "NFD"))
    touch(tmp_path, *(f"{stem}{end}" for stem in (composed, parted) for end in (".jpg", ".xmp")))
    assert names(tmp_path, f"{composed}.jpg") == [f"{composed}.xmp"]
    assert names(tmp_path, f"{parted}.jpg") == [f"{parted}.xmp"]
