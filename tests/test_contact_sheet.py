"""Contact sheets, opened by an independent reader of PDF and looked at pixel by pixel."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pypdf import PdfReader
from ranked import record

from photodefect.errors import DataError
from photodefect.ranking.overall import RankedPhoto, Ranking
from photodefect.reports.contact_sheet import PAGE, SheetPhoto, check_sheet, sheet_files, write_sheet


def photos(count: int, folder: Path, size: tuple[int, int] = (300, 200)) -> list[SheetPhoto]:
    """Photos from best to worst; the picture of each is of one colour of its own."""
    found = []
    for number in range(count):
        picture = folder / f"{number}.jpg"
        Image.new("RGB", size, (255, 40 * number % 240, 0)).save(picture, quality=100, subsampling=0)
        photo = RankedPhoto.of(record(f"d/IMG_{number}.jpg"), Ranking(number + 1, count, "overall", 0.1, 0.1))
        found.append(SheetPhoto(photo, picture))
    return found


def test_a_pdf_has_pages_of_a4_with_twenty_photos_each_and_its_title(tmp_path: Path) -> None:
    target = tmp_path / "sheet.pdf"
    assert write_sheet(target, "Wedding", photos(41, tmp_path)) == [target]
    document = PdfReader(target)
    assert len(document.pages) == 3
    for page in document.pages:
        # A4 in points of 1/72 inch.
        assert (float(page.mediabox.width), float(page.mediabox.height)) == pytest.approx((595.3, 841.9), abs=0.5)
        (image,) = page.images
        assert image.image is not None
        assert image.image.size == PAGE
    assert document.metadata is not None
    assert document.metadata.title == "Wedding"
    assert [path.name for path in tmp_path.glob("*.pdf")] == ["sheet.pdf"]
    assert not list(tmp_path.glob(".*"))


def test_more_pages_than_are_in_memory_together_are_all_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("photodefect.reports.contact_sheet._AT_ONCE", 1)
    write_sheet(tmp_path / "sheet.pdf", "x", photos(41, tmp_path))
    assert len(PdfReader(tmp_path / "sheet.pdf").pages) == 3


def test_jpegs_are_one_a_page_and_numbered_if_there_are_several(tmp_path: Path) -> None:
    assert write_sheet(tmp_path / "one.jpg", "x", photos(20, tmp_path)) == [tmp_path / "one.jpg"]
    several = write_sheet(tmp_path / "more.JPEG", "x", photos(21, tmp_path))
    assert [file.name for file in several] == ["more-1.JPEG", "more-2.JPEG"]
    for file in several:
        with Image.open(file) as page:
            assert (page.format, page.size, page.info["dpi"]) == ("JPEG", PAGE, (200, 200))
    assert [file.name for file in sheet_files(Path("a.jpg"), 400)][::19] == ["a-01.jpg", "a-20.jpg"]


def shades(line: NDArray[np.int64], red: NDArray[np.bool_]) -> list[int]:
    """The numbers of the photos along a line of pixels, from left to right, without the blurred edges."""
    numbers = np.round(line[red, 1] / 40).astype(int)
    found = [int(numbers[0])] + [int(now) for before, now in pairwise(numbers) if now != before]
    return [number for number in found if (numbers == number).sum() > 50]


def test_photos_stand_in_rows_in_their_order_each_above_its_name(tmp_path: Path) -> None:
    (file,) = write_sheet(tmp_path / "sheet.jpg", "x", photos(6, tmp_path))
    with Image.open(file) as opened:
        page = np.asarray(opened.convert("RGB")).astype(int)
    red = (page[..., 0] > 200) & (page[..., 2] < 60)
    rows = np.flatnonzero(red.any(axis=1))
    assert shades(page[rows[0] + 20], red[rows[0] + 20]) == [0, 1, 2, 3]
    assert shades(page[rows[-1] - 20], red[rows[-1] - 20]) == [4, 5]
    # Text is dark, and nowhere but below pictures and above all.
    dark = np.flatnonzero((page.max(axis=2) < 80).any(axis=1))
    assert dark.size
    assert not np.intersect1d(dark, np.flatnonzero(red.any(axis=1))).size


def test_a_tall_photo_keeps_its_shape_and_a_long_name_its_ends(tmp_path: Path) -> None:
    (one,) = photos(1, tmp_path, (100, 400))
    long = replace(one, photo=replace(one.photo, path=f"d/{'x' * 300}.jpg"))
    (file,) = write_sheet(tmp_path / "sheet.jpg", "t" * 300, [long])
    with Image.open(file) as opened:
        page = np.asarray(opened.convert("RGB")).astype(int)
    red = (page[..., 0] > 200) & (page[..., 2] < 60)
    height, width = np.ptp(np.flatnonzero(red.any(axis=1))) + 1, np.ptp(np.flatnonzero(red.any(axis=0))) + 1
    assert height / width == pytest.approx(4, abs=0.1)
    dark = np.flatnonzero((page.max(axis=2) < 80).any(axis=0))
    assert dark.max() < PAGE[0] - 80


def test_another_ending_is_refused() -> None:
    with pytest.raises(DataError, match=r"neither \.pdf nor \.jpg"):
        check_sheet(Path("sheet.png"))
