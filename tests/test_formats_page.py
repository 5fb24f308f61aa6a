"""The page of formats names every format and ending, and the versions of libraries that are tested."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from photodefect.photos.formats import PHOTO_SUFFIXES, Format

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8").partition("## Capture data")[0]
TABLE = [line.strip("|").split(" | ") for line in PAGE.splitlines() if line.startswith("| ")]
ROWS = {cells[0].strip(): [cell.strip() for cell in cells[1:]] for cells in TABLE}


def test_every_format_has_a_row() -> None:
    assert {kind.value for kind in Format} <= set(ROWS)


def test_every_ending_of_a_photo_stands_in_one_row() -> None:
    endings = [ending for kind in Format for ending in ROWS[kind.value][0].split()]
    assert sorted(endings) == sorted(ending.removeprefix(".") for ending in PHOTO_SUFFIXES)


@pytest.mark.parametrize("package", ["pillow", "pillow-heif", "rawpy", "simplejpeg", "tifffile"])
def test_versions_are_those_that_are_tested(package: str) -> None:
    (version,) = re.findall(rf"^{package}==([^;\s]+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert set(re.findall(rf"\b{package} (\d[\d.]*\d)", PAGE, re.IGNORECASE)) == {version}
