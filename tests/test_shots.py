"""Which photos are one shot."""

from __future__ import annotations

from photodefect.photos.shots import shots


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
