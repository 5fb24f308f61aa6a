"""Which sidecar speaks for which photo."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from photodefect.sidecars.locations import SidecarLocator
from photodefect.sidecars.style import SidecarStyle

STEM, FULL = SidecarStyle.STEM, SidecarStyle.FULL


def places(
    folder: Path, there: str, *, style: SidecarStyle | None = None, photos: Iterable[str] | None = None
) -> dict[str, str | None]:
    """The sidecar of each photo in a folder of these files."""
    names = there.split()
    for name in names:
        (folder / name).touch()
    asked = [name for name in (names if photos is None else photos) if not name.lower().endswith(".xmp")]
    locator = SidecarLocator((str(folder / name) for name in asked), style)
    result = {name: locator.locate(str(folder / name)) for name in asked}
    return {name: None if place is None else place.name for name, place in result.items()}


@pytest.mark.parametrize(
    ("style", "there", "expected"),
    [
        (STEM, "a.cr2", {"a.cr2": "a.xmp"}),
        (FULL, "a.cr2", {"a.cr2": "a.cr2.xmp"}),
        (None, "a.cr2", {"a.cr2": "a.xmp"}),
        (STEM, "a.b.jpg", {"a.b.jpg": "a.b.xmp"}),
        # What is there is used, however it is spelled.
        (STEM, "IMG_1.CR2 img_1.XMP", {"IMG_1.CR2": "img_1.XMP"}),
        (FULL, "IMG_1.CR2 IMG_1.cr2.xmp", {"IMG_1.CR2": "IMG_1.cr2.xmp"}),
        (STEM, "a.cr2 a.cr2.xmp", {"a.cr2": "a.xmp"}),
        # Without a style, what there is says which.
        (None, "a.cr2 a.cr2.xmp", {"a.cr2": "a.cr2.xmp"}),
        (None, "a.cr2 a.xmp", {"a.cr2": "a.xmp"}),
        (None, "a.cr2 a.xmp a.cr2.xmp", {"a.cr2": "a.xmp"}),
        (None, "a.cr2 b.cr2 b.cr2.xmp c.cr2", {"a.cr2": "a.cr2.xmp", "b.cr2": "b.cr2.xmp", "c.cr2": "c.cr2.xmp"}),
        (None, "a.cr2 b.cr2 b.xmp c.cr2.xmp", {"a.cr2": "a.xmp", "b.cr2": "b.xmp"}),
        # A raw photo and its JPEG are one shot with one sidecar, the raw one's; by the full name each has its own.
        (STEM, "a.CR2 a.JPG", {"a.CR2": "a.xmp", "a.JPG": None}),
        (STEM, "a.CR2 a.JPG a.HIF", {"a.CR2": "a.xmp", "a.JPG": None, "a.HIF": None}),
        (FULL, "a.CR2 a.JPG", {"a.CR2": "a.CR2.xmp", "a.JPG": "a.JPG.xmp"}),
        # An edit of the same stem isn't: its name says which photo it is about.
        (STEM, "a.cr2 a.tif", {"a.cr2": "a.xmp", "a.tif": "a.tif.xmp"}),
        (STEM, "a.jpg a.png", {"a.jpg": "a.xmp", "a.png": "a.png.xmp"}),
        # darktable's duplicates have an edit of their own.
        (FULL, "a.cr2 a.cr2.xmp a_01.cr2.xmp", {"a.cr2": "a.cr2.xmp"}),
    ],
)
def test_each_photo_has_its_sidecar(
    style: SidecarStyle | None, there: str, expected: dict[str, str | None], tmp_path: Path
) -> None:
    assert places(tmp_path, there, style=style) == expected


def test_the_jpeg_speaks_for_the_shot_if_nothing_is_said_about_the_raw_photo(tmp_path: Path) -> None:
    there = "a.CR2 a.JPG a.HIF"
    assert places(tmp_path, there, style=STEM, photos=["a.JPG"]) == {"a.JPG": "a.xmp"}
    assert places(tmp_path, there, style=STEM, photos=["a.JPG", "a.HIF"]) == {"a.JPG": "a.xmp", "a.HIF": None}


def test_two_shots_whose_names_differ_in_case_alone_have_two_sidecars(tmp_path: Path) -> None:
    (tmp_path / "a.cr2").touch()
    if (tmp_path / "A.CR2").exists():
        pytest.skip("names differ in more than case here")
    assert places(tmp_path, "a.cr2 A.CR2", style=STEM) == {"a.cr2": "a.xmp", "A.CR2": "A.xmp"}
