"""Labelled sets: a CSV of ground truth severities and the photos it belongs to.

Two layouts are read, told apart by their header (names are compared without regard to case):

* the authors' one: ``url`` (or ``path``) and the seven columns ``Bad Exposure`` … ``Bad Composition``; a URL stands
  for the file of that name in the folder of images;
* our own: ``path``, relative to the folder of images, and the seven keys; optionally ``<key>_votes``, the single
  votes of the photo's workers joined by semicolons (``0;0.5;0;1;0``, an empty place where a worker gave none), and
  ``workers``, their names in the same order, and ``group``, what photos of one place or one shoot have in common.

An empty cell, or ``nan``, is a label that isn't known: it is masked in training and left out of evaluation.
"""

from __future__ import annotations

import csv
import io
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final, TextIO
from urllib.parse import unquote, urlsplit

import numpy as np
from numpy.typing import NDArray

from photodefect.defects import BY_KEY, DEFECTS, KEYS, Defect
from photodefect.encodings import as_utf8
from photodefect.errors import DataError

VOTES_SUFFIX: Final = "_votes"
"""``<key>_votes`` is the column of single votes."""

WORKERS_COLUMN: Final = "workers"
"""Column that names the workers, in the order of their votes."""

GROUP_COLUMN: Final = "group"
"""Column that says what a photo has in common with others."""

SAID: Final = 0.5
"""Mean vote from which people say that a defect is there."""

SAID_SEVERE: Final = 0.75
"""Mean vote from which most of them say that it is severe."""

ROUNDING: Final = 1e-6
"""How far outside its range a severity may lie to count as a rounding error, which is clipped."""

_NUMBER: Final = r"[-+]?\d*(?:,\d+)?(?:[eE][-+]?\d+)?"
_DECIMAL_COMMAS: Final = re.compile(rf"{_NUMBER}(?:; *{_NUMBER})*")
"""A number or several votes as spreadsheets write them where the comma is the decimal sign."""


def identity_of(path: str | Path) -> str:
    """What all spellings of one path have in common: ``a.jpg``, ``./a.jpg`` and ``b/../a.jpg`` are one photo."""
    return os.path.normpath(path)


def vote_levels(defect: Defect) -> tuple[float, ...]:
    """What one worker can say (section 3): none, mild, severe = 0, 0.5, 1; signed: -1 … 1 in steps of 0.5."""
    return (-1.0, -0.5, 0.0, 0.5, 1.0) if defect.signed else (0.0, 0.5, 1.0)


@dataclass(frozen=True)
class LabelledPhoto:
    """One photo and what people said about it.

    Attributes:
        path: the image file.
        severities: ground truth by defect key, each within its defect's range; nan where it isn't known.
        votes: single votes by defect key, one place a worker, nan where that worker gave none; None without votes.
        workers: their names, in the order of the votes; None where the set doesn't name them.
        name: the path or URL as the CSV has it.
        group: photos of one group are of one place or one shoot: what is learnt from some of them can't be judged by
            others. Empty where the set doesn't say.
    """

    path: Path
    severities: Mapping[str, float]
    votes: Mapping[str, tuple[float, ...]] | None = None
    workers: tuple[str, ...] | None = None
    name: str = ""
    group: str = ""


@dataclass(frozen=True)
class LabelledSet:
    """The photos of one CSV.

    Attributes:
        source: the CSV.
        photos: in the order of the CSV, without those whose image is missing.
        missing: images that the CSV names and the folder doesn't have.
        by_url: the CSV names URLs, so only the file names of ``path`` are known for certain.
    """

    source: Path
    photos: tuple[LabelledPhoto, ...]
    missing: tuple[Path, ...] = ()
    by_url: bool = False

    def severities(self, defect: Defect) -> NDArray[np.float64]:
        """Ground truth of one defect, (photos,), nan where it isn't known."""
        return np.array([photo.severities[defect.key] for photo in self.photos], dtype=np.float64)


@dataclass
class CsvTable:
    """A CSV with a header, read with everything that can be wrong with it reported as a :class:`DataError`.

    Attributes:
        path: the file.
        columns: header names, stripped and in lower case, in order.
        rows: (row number as an editor shows it, cell by column name, stripped, decimals with a point).
    """

    path: Path
    columns: tuple[str, ...]
    rows: list[tuple[int, dict[str, str]]] = field(default_factory=list)

    def where(self, row: int) -> str:
        """``file, row n``: how an error begins."""
        return f"{self.path}, row {row}"

    def require(self, columns: Iterable[str], what_to_do: str) -> None:
        """Check that all ``columns`` are there.

        Raises:
            DataError: one is not.
        """
        absent = [column for column in columns if column not in self.columns]
        if absent:
            raise DataError(
                f"{self.path}, row 1: no column {', '.join(map(repr, absent))} "
                f"(it has {', '.join(map(repr, self.columns))}). {what_to_do}"
            )


def read_table(path: Path) -> CsvTable:
    """Read a CSV with a header row; blank lines are skipped.

    Cells are separated by commas, or by semicolons or tabs, as spreadsheets save a table where the comma is the decimal
    sign; the header tells, or a line ``sep=;`` before it. Then numbers with a decimal comma are read as well. Text is
    UTF-8, with or without a byte order mark, or UTF-16.

    Raises:
        DataError: it can't be read, isn't UTF-8 text, is empty, repeats a column, has no rows, or a row has
            more or fewer cells than the header.
    """
    try:
        # File names are bytes to some systems; those that aren't UTF-8 come through as they are.
        text = as_utf8(path.read_bytes()).decode("utf-8", "surrogateescape")
        table = _parse(path, io.StringIO(text, newline=""))
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not whole: its UTF-16 text ends within a letter. Save it as a CSV in UTF-8."
        ) from error
    except csv.Error as error:
        raise DataError(f"{path} is not a CSV: {error}.") from error
    if not table.rows:
        raise DataError(f"{path} has a header but no rows. Add one row for each photo.")
    return table


_SEPARATOR_LINE: Final = re.compile(r'"?sep=([,;\t])"?\s*', re.I)
"""What some spreadsheets write before the header."""

_REMEDIES: Final = {
    ",": "Put names that contain a comma in quotes, and write decimals with a point.",
    ";": "Put cells that contain a semicolon in quotes.",
    "\t": "Put cells that contain a tab in quotes.",
}


def _parse(path: Path, stream: Iterable[str]) -> CsvTable:
    lines = list(stream)
    start = next((number for number, line in enumerate(lines) if line.strip()), 0)
    said = _SEPARATOR_LINE.fullmatch(lines[start]) if lines else None
    if said is not None:
        lines[start] = "\n"  # rows keep their numbers
    first = next(filter(str.strip, lines), "")
    separator = said[1] if said else next((letter for letter in ",;\t" if letter in first), ",")
    reader = csv.reader(lines, delimiter=separator, strict=True)
    header = next((cells for cells in reader if any(map(str.strip, cells))), None)
    if header is None:
        raise DataError(f"{path} is empty. It needs a header and one row for each photo.")
    columns = tuple(name.strip().casefold() for name in header)
    if not all(name.isprintable() for name in columns):
        raise DataError(f"{path} is not UTF-8 text. Save it as a CSV in UTF-8.")
    repeated = sorted({name for name in columns if name and columns.count(name) > 1})
    if repeated:
        raise DataError(f"{path}, row 1: column {repeated[0]!r} is there twice. Keep one of them.")
    table = CsvTable(path, columns)
    for cells in reader:
        if not any(map(str.strip, cells)):
            continue
        if len(cells) != len(columns):
            raise DataError(
                f"{table.where(reader.line_num)}: {len(cells)} cells where the header has {len(columns)}. "
                f"{_REMEDIES[separator]}"
            )
        plain = map(str.strip if separator == "," else _with_points, cells)
        table.rows.append((reader.line_num, dict(zip(columns, plain, strict=True))))
    return table


def _with_points(cell: str) -> str:
    cell = cell.strip()
    return cell.replace(",", ".") if _DECIMAL_COMMAS.fullmatch(cell) else cell


def read_severity(text: str, defect: Defect, where: str) -> float:
    """One cell as a severity; empty or ``nan`` gives nan.

    Args:
        text: the cell.
        defect: whose range holds.
        where: file and row, for the error.

    Raises:
        DataError: not a number, or out of range.
    """
    if not text:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        remedy = "Write decimals with a point, as 0.5." if "," in text else "Leave it empty if it isn't known."
        raise DataError(f"{where}: {defect.key} is {text!r}, not a number. {remedy}") from None
    if math.isnan(value):
        return value
    if not defect.lowest - ROUNDING <= value <= 1 + ROUNDING:
        raise DataError(
            f"{where}: {defect.key} is {text}, outside {defect.lowest:g}..1. "
            f"Scale it to that range{' (negative = under-saturated)' if defect.signed else ''}."
        )
    return min(max(value, defect.lowest), 1.0)


def read_vote(text: str, defect: Defect, where: str, largest: float = 1.0) -> float:
    """One worker's vote; empty or ``nan`` gives nan.

    Args:
        text: the cell.
        defect: whose levels hold.
        where: file and row, for the error.
        largest: what a severe vote is.

    Raises:
        DataError: not one of the levels a worker can choose.
    """
    if not text:
        return math.nan
    levels = vote_levels(defect)
    try:
        value = float(text) / largest
    except ValueError:
        value = math.inf
    if not math.isnan(value) and value not in levels:
        allowed = ", ".join(f"{level * largest:g}" for level in levels)
        raise DataError(f"{where}: a vote for {defect.key} is {text!r}. A vote is one of {allowed}.")
    return value


def read_labels(source: Path, images: Path | None = None, *, need_images: bool = True) -> LabelledSet:
    """Read a labelled set.

    Args:
        source: the CSV, in the authors' layout or our own.
        images: folder of its images; None for the CSV's own folder.
        need_images: leave photos out whose image file doesn't exist (they are listed in ``missing``). Without it,
            nothing is looked up on disk: enough for comparing with predictions that were made before.

    Raises:
        DataError: a column is absent, a severity out of range, a photo there twice, or no photo is found.
    """
    table = read_table(source)
    place = next((name for name in ("path", "url") if name in table.columns), None)
    if place is None:
        table.require(["path"], "Name the photos in a column 'path' (or 'url', as in the authors' layout).")
    folder = images if images is not None else source.parent
    if need_images and not folder.is_dir():
        raise DataError(f"{folder} is not a folder. Name the folder that holds the images of {source}.")
    columns = {defect.key: _column_of(defect, table) for defect in DEFECTS}
    photos: list[LabelledPhoto] = []
    missing: list[Path] = []
    first_row: dict[str, int] = {}
    for row, cells in table.rows:
        where = table.where(row)
        name = cells[place or "path"]
        path = folder / _file_of(name, by_url=place == "url", where=where)
        identity = identity_of(path)
        if identity in first_row:
            raise DataError(f"{where}: {path} is in row {first_row[identity]} already. Keep one row a photo.")
        first_row[identity] = row
        severities = {key: read_severity(cells[columns[key]], BY_KEY[key], where) for key in KEYS}
        votes, workers = _votes_of(cells, where)
        if need_images and not path.is_file():
            missing.append(path)
            continue
        photos.append(LabelledPhoto(path, severities, votes, workers, name, cells.get(GROUP_COLUMN, "")))
    if not photos:
        raise DataError(
            f"{source}: none of its {len(missing)} photos is in {folder} "
            f"(looked for {missing[0]}). Name the folder that holds the images."
        )
    return LabelledSet(source, tuple(photos), tuple(missing), by_url=place == "url")


def _column_of(defect: Defect, table: CsvTable) -> str:
    for name in (defect.key, defect.authors_column.casefold()):
        if name in table.columns:
            return name
    authors_names = {d.authors_column.casefold() for d in DEFECTS} - set(KEYS)
    wanted = defect.key if authors_names.isdisjoint(table.columns) else defect.authors_column
    raise DataError(
        f"{table.path}, row 1: no column {wanted!r} (it has {', '.join(map(repr, table.columns))}). "
        "All seven defects need a column; leave its cells empty where a severity isn't known."
    )


def _file_of(name: str, *, by_url: bool, where: str) -> str:
    file = PurePosixPath(unquote(urlsplit(name).path)).name if by_url else name
    if not file or "\0" in file:
        raise DataError(f"{where}: {name!r} names no photo. Every row needs a {'url' if by_url else 'path'}.")
    return file


def _votes_of(
    cells: Mapping[str, str], where: str
) -> tuple[dict[str, tuple[float, ...]] | None, tuple[str, ...] | None]:
    votes = {}
    for defect in DEFECTS:
        text = cells.get(defect.key + VOTES_SUFFIX, "")
        if text:
            votes[defect.key] = tuple(read_vote(part.strip(), defect, where) for part in text.split(";"))
    names = cells.get(WORKERS_COLUMN, "")
    workers = tuple(part.strip() for part in names.split(";")) if names else None
    if workers is not None:
        for key, given in votes.items():
            if len(given) != len(workers):
                raise DataError(
                    f"{where}: {len(given)} votes for {key} but {len(workers)} workers. "
                    "Leave a place empty (0;;1) where a worker gave no vote."
                )
    return votes or None, workers


def write_labels(stream: TextIO, photos: Sequence[LabelledPhoto]) -> None:
    """Write a labelled set in our own layout, votes and workers included.

    Each photo is written under its ``name``. Severities have six decimals; what isn't known is an empty cell.

    Args:
        stream: opened with ``newline=""``.
        photos: in the order to write.
    """
    with_votes = any(photo.votes for photo in photos)
    with_workers = any(photo.workers for photo in photos)
    with_groups = any(photo.group for photo in photos)
    writer = csv.writer(stream)
    header = ["path", *([GROUP_COLUMN] if with_groups else []), *KEYS, *([WORKERS_COLUMN] if with_workers else [])]
    writer.writerow([*header, *(key + VOTES_SUFFIX for key in KEYS if with_votes)])
    for photo in photos:
        group = [photo.group] if with_groups else []
        writer.writerow([photo.name, *group, *_cells_of(photo, with_votes=with_votes, with_workers=with_workers)])


def _cells_of(photo: LabelledPhoto, *, with_votes: bool, with_workers: bool) -> Iterator[str]:
    for key in KEYS:
        yield _number(photo.severities[key], "{:.6f}")
    if with_workers:
        yield ";".join(photo.workers or ())
    if with_votes:
        for key in KEYS:
            yield ";".join(_number(vote, "{:g}") for vote in (photo.votes or {}).get(key, ()))


def _number(value: float, form: str) -> str:
    return "" if math.isnan(value) else form.format(value)
