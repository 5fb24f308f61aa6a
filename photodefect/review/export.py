"""What is taken along from a review: paths, CSV, CSV for exiftool, or the plan of what sidecars would say."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from photodefect.errors import DataError, SidecarError

if TYPE_CHECKING:
    from photodefect.ranking.overall import RankedPhoto
    from photodefect.review.shoot import Shoot
    from photodefect.review.sidecar_marks import PersonsMarks
    from photodefect.sidecars.marks import Marks

FORMATS: Final = MappingProxyType(
    {
        "paths": "photos.txt",
        "csv": "photos.csv",
        "exiftool-csv": "exiftool.csv",
        "xmp": "sidecars.txt",
    }
)
"""What can be exported, and what the file is called."""


class Exporter:
    """Writes what a person takes along; nothing goes to disk here, the browser saves it."""

    def export(self, kind: str, shoot: Shoot, numbers: Sequence[int]) -> tuple[str, bytes]:
        """Export some photos, in the order of the ranking.

        Args:
            kind: one of :data:`FORMATS`.
            shoot: the photos; all are diagnosed.
            numbers: which of them.

        Returns:
            A name for the file, and its content.

        Raises:
            DataError: not all photos are diagnosed.
            IndexError: there is no such photo.
        """
        # Sidecars take a while to import, which the first page doesn't wait for; so do the writers below.
        from photodefect.review.sidecar_marks import PersonsMarks  # noqa: PLC0415

        selection = shoot.selection
        if selection is None:
            raise DataError("not all photos are diagnosed yet")
        wanted = set(shoot.chosen(numbers))
        photos = [photo for photo in selection.chosen if photo.path in wanted]
        said = PersonsMarks(shoot.marks(), shoot.profile, selection.spared)
        text = _WRITERS[kind](photos, said)
        return FORMATS[kind], text.encode("utf-8", "surrogateescape")


def _paths(photos: Sequence[RankedPhoto], _said: Callable[[RankedPhoto], Marks]) -> str:
    from photodefect.reports.paths import PathsWriter  # noqa: PLC0415

    stream = io.StringIO(newline="")
    writer = PathsWriter(stream)
    for photo in photos:
        writer.write(photo)
    return stream.getvalue()


def _csv(photos: Sequence[RankedPhoto], _said: Callable[[RankedPhoto], Marks]) -> str:
    from photodefect.reports.rank_csv import RankCsvWriter  # noqa: PLC0415

    stream = io.StringIO(newline="")
    writer = RankCsvWriter(stream)
    for photo in photos:
        writer.write(photo)
    writer.close()
    return stream.getvalue()


def _exiftool(photos: Sequence[RankedPhoto], said: PersonsMarks) -> str:
    from photodefect.reports.exiftool_csv import ExiftoolCsvWriter  # noqa: PLC0415
    from photodefect.sidecars.sources import Sources, document_of  # noqa: PLC0415

    stream = io.StringIO(newline="")
    refused: list[str] = []
    writer = ExiftoolCsvWriter(
        stream,
        said,
        lambda photo: (photo, document_of(Path(photo)), Sources()),
        lambda file, reason: refused.append(f"{file}: {reason}"),
        overwrite=True,
    )
    for photo in photos:
        writer.write(photo)
    writer.close()
    if refused:
        raise DataError(f"exiftool can't be told about {len(refused)} photos; the first: {refused[0]}")
    return stream.getvalue()


def _plan(photos: Sequence[RankedPhoto], said: PersonsMarks) -> str:
    from photodefect.files.journal import Journal  # noqa: PLC0415
    from photodefect.files.operations import DryRunOperations  # noqa: PLC0415
    from photodefect.sidecars.locations import SidecarLocator  # noqa: PLC0415
    from photodefect.sidecars.write import SidecarTask, write_sidecars  # noqa: PLC0415

    lines: list[str] = []
    locator = SidecarLocator(photo.path for photo in photos)
    wanted = []
    for photo in photos:
        try:
            place = locator.locate(photo.path)
        except SidecarError as error:
            lines.append(f"{photo.path} gets no sidecar: {error}")
            continue
        if place is not None:
            wanted.append(SidecarTask(place, said(photo), locator.sources(photo.path, place)))
    with Journal(None) as journal:
        outcome = write_sidecars(wanted, journal, files=DryRunOperations(), overwrite=True)
    lines += [str(it) for it in (*outcome.written, *outcome.refused)]
    if outcome.unchanged:
        lines.append(f"{outcome.unchanged} say it already")
    return "".join(f"{line}\n" for line in lines)


_WRITERS: Final[Mapping[str, Callable[[Sequence[RankedPhoto], PersonsMarks], str]]] = MappingProxyType(
    {"paths": _paths, "csv": _csv, "exiftool-csv": _exiftool, "xmp": _plan}
)
