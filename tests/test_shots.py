"""Which photos are one shot."""

from __future__ import annotations

import unicodedata

import pytest

from photodefect.photos.shots import apart, shots


def test_a_raw_photo_and_its_jpeg_are_one_shot() -> None:
    assert shots(["d/IMG_1.CR2", "d/img_1.jpg", "d/IMG_2.CR2"]) == {
        "d/IMG_1.CR2": "d/IMG_1.CR2",
        "d/img_1.jpg": "d/IMG_1.CR2",
        "d/IMG_2.CR2": "d/IMG_2.CR2",
    }


def test_other_photos_are_shots_of_their_own() -> None:
    # Another folder, two developed files without a raw one, somebody's edit as a TIFF.
    paths = ["d/a.nef", "e/a.jpg", "d/b.jpg", "d/b.heic", "d/a.tif"]
    assert shots(paths) == {path: path for path in paths}


def test_case_counts_where_two_names_differ_in_nothing_else() -> None:
    assert shots(["a.CR2", "A.CR2", "a.jpg"]) == {"a.CR2": "a.CR2", "a.jpg": "a.CR2", "A.CR2": "A.CR2"}


def test_paths_come_back_as_they_were_given() -> None:
    assert shots(["./x.dng", "./x.jpg"]) == {"./x.dng": "./x.dng", "./x.jpg": "./x.dng"}


@pytest.mark.parametrize(
    "shot",
    [
        # Names as Google's and Apple's cameras give them, and what other cameras write beside a JPEG.
        ["PXL_20240501_120000000.RAW-02.ORIGINAL.dng", "PXL_20240501_120000000.RAW-01.COVER.jpg"],
        ["PXL_20240501_120000000.RAW-02.ORIGINAL.dng", "PXL_20240501_120000000.RAW-01.MP.COVER.jpg"],
        ["PXL_20240501_120000000.NIGHT.RAW-02.ORIGINAL.dng", "PXL_20240501_120000000.NIGHT.RAW-01.COVER.jpg"],
        ["PXL_20240501_120000000.dng", "PXL_20240501_120000000.MP.jpg"],
        ["PXL_20240501_120000000.PORTRAIT-01.COVER.jpg", "PXL_20240501_120000000.PORTRAIT-02.ORIGINAL.jpg"],
        ["PXL_20240501_120000000.LONG_EXPOSURE-01.COVER.jpg", "PXL_20240501_120000000.LONG_EXPOSURE-02.ORIGINAL.jpg"],
        ["IMG_1234.HEIC", "IMG_E1234.HEIC"],
        ["IMG_1234.DNG", "IMG_1234.JPG", "IMG_E1234.JPG"],
        ["IMG_1234.PNG", "IMG_E1234.JPG"],
        ["GOPR0001.GPR", "GOPR0001.JPG"],
        ["P1010001.ORF", "P1010001.JPG", "P1010001.ORI"],
        ["IMG_20240501_120000_00_001.dng", "IMG_20240501_120000_00_001.insp"],
    ],
)
def test_what_phones_and_cameras_write_of_one_exposure_is_one_shot(shot: list[str]) -> None:
    assert shots([*shot, "other.jpg"]) == dict.fromkeys(shot, shot[0]) | {"other.jpg": "other.jpg"}


@pytest.mark.parametrize(
    "names",
    [
        ["PXL_20240501_120000000.BURST-01.COVER.jpg", "PXL_20240501_120000000.BURST-02.jpg"],
        ["PXL_20240501_120000000.MP.jpg", "PXL_20240501_120000000.jpg"],
        ["PXL_20240501_120000000.RAW-02.ORIGINAL.dng", "PXL_20240501_120001000.RAW-01.COVER.jpg"],
        ["IMG_1234.HEIC", "IMG_E1235.HEIC"],
        ["IMG_1234.HEIC", "IMG_1234.JPG"],
        ["IMG_1234.HEIC", "IMG_1234-edited.HEIC"],
        ["holiday.jpg", "holiday.COVER.dng"],
    ],
)
def test_what_only_looks_alike_are_shots_of_their_own(names: list[str]) -> None:
    assert sorted(apart(names)) == sorted([name] for name in names)


def test_ways_of_writing_an_accent_count_where_two_names_differ_in_nothing_else() -> None:
    composed, parted = (
        unicodedata.normalize(form, "Caf\N{LATIN SMALL LETTER E WITH ACUTE}") for form in ("NFC", "NFD")
    )
    assert apart([f"{composed}.dng", f"{parted}.jpg"]) == [[f"{composed}.dng", f"{parted}.jpg"]]
    four = [f"{stem}.{ending}" for stem in (composed, parted) for ending in ("dng", "jpg")]
    assert apart(four) == [four[:2], four[2:]]
