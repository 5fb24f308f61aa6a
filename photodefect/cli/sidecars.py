"""Sidecars of ranked photos: the plan, and on ``--apply`` the deed; and the same for exiftool."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from photodefect.cli.console import note
from photodefect.sidecars.style import SidecarStyle

if TYPE_CHECKING:
    from photodefect.profiles.profile import Profile
    from photodefect.records import Diagnosis
    from photodefect.reports.exiftool_csv import ExiftoolCsvWriter

_PANEL = "Sidecars"


class RejectAs(str, Enum):
    """What ``--reject-as`` takes."""

    RATING = "rating"
    LABEL = "label"
    KEYWORD = "keyword"


Xmp = Annotated[
    bool,
    typer.Option(
        "--xmp",
        help="Rating, label, keywords and severities to XMP sidecars, merged with what is there. Only the plan, "
        "unless --apply.",
        rich_help_panel=_PANEL,
    ),
]
XmpStyle = Annotated[
    SidecarStyle | None,
    typer.Option(
        "--xmp-style",
        help="IMG.xmp (Lightroom, Capture One) or IMG.CR2.xmp (darktable, digiKam); as those that are there, or else "
        "stem.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
RejectAsOption = Annotated[
    RejectAs | None,
    typer.Option(
        "--reject-as",
        help="How a sidecar says that a photo is rejected; by rating -1 unless the profile says otherwise.",
        show_default=False,
        rich_help_panel=_PANEL,
    ),
]
OverwriteRatings = Annotated[
    bool,
    typer.Option("--overwrite-ratings", help="Replace your own ratings and labels too.", rich_help_panel=_PANEL),
]


@dataclass
class SidecarWish:
    """What shall be said in sidecars.

    Attributes:
        xmp: write sidecars.
        style: how they are called; None to go by those that are there.
        overwrite: replace the person's ratings and labels.
        refused: something was left as it is; set on the way.
    """

    xmp: bool
    style: SidecarStyle | None = None
    overwrite: bool = False
    refused: bool = False


def wanted_sidecars(
    xmp: bool, style: SidecarStyle | None, reject_as: RejectAs | None, *, overwrite: bool, exiftool: bool
) -> SidecarWish:
    """What options ask for.

    Args:
        xmp: ``--xmp``.
        style: ``--xmp-style``.
        reject_as: ``--reject-as``.
        overwrite: ``--overwrite-ratings``.
        exiftool: the format is exiftool's, which says the same.

    Raises:
        typer.BadParameter: an option has no meaning without a sidecar.
    """
    if not xmp and not exiftool:
        given = {"--xmp-style": style, "--reject-as": reject_as, "--overwrite-ratings": overwrite or None}
        for option, value in given.items():
            if value is not None:
                raise typer.BadParameter(f"{option} is about --xmp or --format exiftool-csv")
    return SidecarWish(xmp, style, overwrite)


def write_sidecars(
    wish: SidecarWish, photos: Iterable[Diagnosis], profile: Profile, *, apply: bool, quiet: bool
) -> None:
    """Show what would be written, or write it; ``wish.refused`` says whether all went as it should.

    Args:
        wish: what shall be said.
        photos: about whom, as the profile judges them.
        profile: what is said.
        apply: do it.
        quiet: say only what went wrong.

    Raises:
        TransferError: the disk is full or the journal can't be written; the message says how much is done.
    """
    from photodefect.files import DryFiles, Files, Journal, default_journal_path  # noqa: PLC0415
    from photodefect.sidecars import write  # noqa: PLC0415
    from photodefect.sidecars.marks import marks_of  # noqa: PLC0415
    from photodefect.sidecars.places import SidecarPlaces  # noqa: PLC0415

    diagnosed = [photo for photo in photos if photo.error is None]
    places = SidecarPlaces((photo.path for photo in diagnosed), wish.style)
    wanted = ((place, marks_of(photo, profile)) for photo in diagnosed if (place := places.place(photo.path)))
    with Journal(default_journal_path("xmp") if apply else None, "rank-folder --xmp") as journal:
        outcome = write.write_sidecars(
            wanted,
            journal,
            files=Files() if apply else DryFiles(),
            overwrite=wish.overwrite,
            on_written=None if apply else lambda written: note(str(written)),
        )
    for refused in outcome.refused:
        note(str(refused), "yellow")
    wish.refused = wish.refused or bool(outcome.refused)
    new = sum(written.new for written in outcome.written)
    counts = f"{_sidecars(len(outcome.written))} ({new} new, {len(outcome.written) - new} changed)"
    up_to_date = f"; {outcome.unchanged} up to date" if outcome.unchanged else ""
    if not apply:
        note(f"nothing was written: that was the plan for {counts}{up_to_date}; --apply follows it", "yellow")
    elif not quiet:
        note(f"wrote {counts}{up_to_date}")
        if journal.begun and journal.path is not None:
            note(f"photodefect undo {journal.path} takes that back")


def exiftool_writer(
    stream: TextIO, wish: SidecarWish, photos: Iterable[Diagnosis], profile: Profile
) -> ExiftoolCsvWriter:
    """The writer of what exiftool is to write: to the photos, or with ``--xmp-style`` to their sidecars."""
    from photodefect.reports.exiftool_csv import ExiftoolCsvWriter  # noqa: PLC0415
    from photodefect.sidecars.embedded import embedded_xmp  # noqa: PLC0415
    from photodefect.sidecars.marks import marks_of  # noqa: PLC0415
    from photodefect.sidecars.places import SidecarPlaces  # noqa: PLC0415
    from photodefect.sidecars.write import read_sidecar  # noqa: PLC0415

    def refused(file: str, reason: str) -> None:
        wish.refused = True
        note(f"{file} is left out: {reason}", "yellow")

    if wish.style is None:

        def target(photo: str) -> tuple[str, bytes | None] | None:
            return photo, embedded_xmp(Path(photo))

    else:
        diagnosed = (photo.path for photo in photos if photo.error is None)
        places = SidecarPlaces(diagnosed, wish.style)

        def target(photo: str) -> tuple[str, bytes | None] | None:
            place = places.place(photo)
            return None if place is None else (str(place), read_sidecar(place))

    return ExiftoolCsvWriter(stream, lambda photo: marks_of(photo, profile), target, refused, overwrite=wish.overwrite)


def _sidecars(count: int) -> str:
    return f"{count} sidecar" if count == 1 else f"{count} sidecars"
