"""Contact sheets: photos with name and verdict on A4 pages, as one PDF or as JPEGs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from photodefect.defects import BY_KEY
from photodefect.errors import DataError
from photodefect.files.unfinished import clear_leftovers, part_of
from photodefect.photos.names import file_name
from photodefect.printable import printable
from photodefect.ranking.overall import RankedPhoto

DPI: Final = 200
"""Pixels of a page for each inch."""

PAGE: Final = (round(210 / 25.4 * DPI), round(297 / 25.4 * DPI))
"""Width and height of a page in pixels: A4, upright."""

COLUMNS: Final = 4
ROWS: Final = 5
PER_PAGE: Final = COLUMNS * ROWS

PDF: Final = ".pdf"
JPEG: Final = (".jpg", ".jpeg")

_MARGIN: Final = round(12 / 25.4 * DPI)
_GAP: Final = round(4 / 25.4 * DPI)
_HEADING: Final = round(14 / 25.4 * DPI)
_CAPTION: Final = round(10 / 25.4 * DPI)
_CELL: Final = (
    (PAGE[0] - 2 * _MARGIN - (COLUMNS - 1) * _GAP) // COLUMNS,
    (PAGE[1] - 2 * _MARGIN - _HEADING - (ROWS - 1) * _GAP) // ROWS,
)
_TEXT: Final = (20, 20, 20)
_MUTED: Final = (95, 95, 95)
_COLOURS: Final = {"good": (53, 107, 65), "mild": (138, 90, 0), "severe": (180, 35, 24)}
_AT_ONCE: Final = 16
"""Pages that are in memory together."""


@dataclass(frozen=True)
class SheetPhoto:
    """A photo of a sheet.

    Attributes:
        photo: with its place in the ranking.
        picture: a JPEG file of it.
    """

    photo: RankedPhoto
    picture: Path


def check_sheet(path: Path) -> None:
    """Refuse a file whose ending says neither PDF nor JPEG.

    Raises:
        DataError: it doesn't.
    """
    if path.suffix.lower() not in (PDF, *JPEG):
        raise DataError(f"{path} is neither .pdf nor .jpg; a contact sheet is one of these")


def sheet_files(path: Path, photos: int) -> list[Path]:
    """The files of a sheet: one PDF, or a JPEG a page; several of these are numbered, ``sheet-1.jpg``.

    Args:
        path: as it was asked for.
        photos: how many are on it.
    """
    pages = max(1, -(-photos // PER_PAGE))
    if path.suffix.lower() == PDF or pages == 1:
        return [path]
    return [path.with_name(f"{path.stem}-{number:0{len(str(pages))}}{path.suffix}") for number in range(1, pages + 1)]


def write_sheet(path: Path, title: str, photos: Sequence[SheetPhoto]) -> list[Path]:
    """Write a contact sheet. Each file appears whole or not at all, in place of one that is there.

    Args:
        path: its ending says which kind.
        title: stands on every page.
        photos: in their order.

    Returns:
        The files.

    Raises:
        OSError: one can't be written.
    """
    files = sheet_files(path, len(photos))
    clear_leftovers(files)
    if path.suffix.lower() == PDF:
        part = part_of(path)
        try:
            pages = _pages(title, photos)
            appended = False
            while some := list(islice(pages, _AT_ONCE)):
                first, *others = some
                first.save(
                    part,
                    "PDF",
                    save_all=True,
                    append_images=others,
                    append=appended,
                    resolution=DPI,
                    quality=88,
                    title=printable(title),
                )
                appended = True
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        return files
    for file, page in zip(files, _pages(title, photos), strict=True):
        part = part_of(file)
        try:
            page.save(part, "JPEG", quality=90, dpi=(DPI, DPI))
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)
    return files


def _pages(title: str, photos: Sequence[SheetPhoto]) -> Iterator[Image.Image]:
    count = max(1, -(-len(photos) // PER_PAGE))
    for number in range(count):
        some = photos[number * PER_PAGE : (number + 1) * PER_PAGE]
        yield _page(title, some, f"{number + 1} of {count}" if count > 1 else "")


def _page(title: str, photos: Iterable[SheetPhoto], place: str) -> Image.Image:
    page = Image.new("RGB", PAGE, (255, 255, 255))
    draw = ImageDraw.Draw(page)
    right = PAGE[0] - _MARGIN
    _text(draw, (_MARGIN, _MARGIN), printable(title), (44, _TEXT), PAGE[0] - 2 * _MARGIN - 240)
    draw.text((right, _MARGIN + 14), place, _MUTED, _font(26), anchor="ra")
    for index, it in enumerate(photos):
        row, column = divmod(index, COLUMNS)
        left = _MARGIN + column * (_CELL[0] + _GAP)
        top = _MARGIN + _HEADING + row * (_CELL[1] + _GAP)
        _draw_cell(page, draw, it, (left, top))
    return page


def _draw_cell(page: Image.Image, draw: ImageDraw.ImageDraw, it: SheetPhoto, corner: tuple[int, int]) -> None:
    left, top = corner
    width, height = _CELL[0], _CELL[1] - _CAPTION
    with Image.open(it.picture) as opened:
        opened.draft("RGB", (width, height))
        picture = opened.convert("RGB")
    picture.thumbnail((width, height), Image.Resampling.LANCZOS)
    bottom = top + height
    page.paste(picture, (left + (width - picture.width) // 2, bottom - picture.height))
    photo = it.photo
    verdict = photo.verdict or "good"
    _text(draw, (left, bottom + 8), printable(file_name(photo.path)), (25, _TEXT), width)
    _text(draw, (left, bottom + 40), f"{_rank(photo)}{verdict}{_worst(photo)}", (23, _COLOURS[verdict]), width)


def _rank(photo: RankedPhoto) -> str:
    return "" if photo.ranking is None or photo.ranking.rank is None else f"{photo.ranking.rank}. "


def _worst(photo: RankedPhoto) -> str:
    if photo.verdict in (None, "good") or photo.worst is None or photo.severity is None:
        return ""
    defect = BY_KEY[photo.worst]
    return f": {defect.short_title.lower()} {defect.format(photo.severity[photo.worst])}"


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _text(
    draw: ImageDraw.ImageDraw, place: tuple[int, int], text: str, style: tuple[int, tuple[int, int, int]], room: int
) -> None:
    """Write a line in a size and colour; one that is too long loses its middle, as names differ at their ends."""
    size, colour = style
    font = _font(size)
    shown, kept = text, len(text)
    while draw.textlength(shown, font) > room and kept > 4:
        kept -= 1
        shown = f"{text[: (kept + 1) // 2]}\N{HORIZONTAL ELLIPSIS}{text[-(kept // 2) :]}"
    draw.text(place, shown, colour, font)
