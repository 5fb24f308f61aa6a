"""XMP sidecars of ranked photos: the options, the plan, the writing with ``--apply``, and the CSV for exiftool."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal, TextIO, TypeAlias

import typer

from photodefect.cli.console import note
from photodefect.cli.exit_codes import ExitCode
from photodefect.cli.interrupts import held_interrupts
from photodefect.cli.progress import ProgressLine
from photodefect.errors import DataError, SidecarError
from photodefect.sidecars.programs import READERS, Program
from photodefect.sidecars.style import SidecarStyle

if TYPE_CHECKING:
    from photodefect.ranking.profiles.settings import Setting
    from photodefect.records import Diagnosis
    from photodefect.reports.exiftool_csv import ExiftoolCsvWriter
    from photodefect.sidecars.marks import Marks
    from photodefect.sidecars.sources import Sources
    from photodefect.sidecars.write import SidecarTask, Written
    from photodefect.sidecars.xmp import XmpDocument

_SIDECARS: Final = partial(typer.Option, rich_help_panel="Sidecars")

RejectAs: TypeAlias = Literal["rating", "label", "keyword"]
"""What ``--reject-as`` takes."""


@dataclass
class SidecarWish:
    """What shall be said in sidecars.

    Attributes:
        xmp: write sidecars.
        journal: where the journal goes; None for the usual place.
        style: how they are called; None to go by those that are there.
        overwrite: replace the person's ratings and labels.
        refused: something was left as it is; set on the way.
    """

    xmp: bool
    journal: Path | None = None
    style: SidecarStyle | None = None
    overwrite: bool = False
    refused: bool = False


@dataclass(frozen=True)
class SidecarOptions:
    """What ``rank-folder`` shall say about photos in their sidecars."""

    xmp: Annotated[
        bool,
        _SIDECARS(
            "--xmp",
            help="Write rating, label, keywords and severities to XMP sidecars, merged with what they hold. Without "
            "--apply, only the plan is shown.",
        ),
    ] = False
    program: Annotated[
        Program | None,
        _SIDECARS(
            "--for",
            help="The program that is to read them. It decides how sidecars are named, how a rejected photo is marked "
            "and what labels are called, unless --xmp-style, --reject-as or your profile do.",
            show_default=False,
        ),
    ] = None
    xmp_style: Annotated[
        SidecarStyle | None,
        _SIDECARS(
            "--xmp-style",
            help="stem: IMG.xmp (Lightroom, Capture One); full: IMG.CR2.xmp (darktable, digiKam). Default: as --for "
            "has it, or as existing sidecars are named, else stem.",
            show_default=False,
        ),
    ] = None
    reject_as: Annotated[
        RejectAs | None,
        _SIDECARS(
            "--reject-as",
            help="How a sidecar marks a photo as rejected. Default: as --for or the profile have it, else by keyword.",
            show_default=False,
        ),
    ] = None
    overwrite_ratings: Annotated[
        bool, _SIDECARS("--overwrite-ratings", help="Also replace ratings and labels that you gave yourself.")
    ] = False

    def wanted(self, *, journal: Path | None) -> SidecarWish:
        """What options ask for.

        Args:
            journal: ``--journal``.

        Raises:
            DataError: the journal is there already.
        """
        if self.xmp and journal is not None and os.path.lexists(journal):
            raise DataError(f"{journal} is there already; a journal is never written over")
        reader = READERS[self.program] if self.program is not None and self.xmp else None
        style = self.xmp_style or (None if reader is None else reader.style)
        return SidecarWish(self.xmp, journal if self.xmp else None, style, self.overwrite_ratings)

    def presets(self) -> dict[str, Setting]:
        """What ``--for`` says of rejected photos and labels, as settings of a profile."""
        from photodefect.ranking.profiles.profile import DEFAULT_LABELS  # noqa: PLC0415
        from photodefect.ranking.profiles.settings import Setting  # noqa: PLC0415

        if self.program is None:
            return {}
        reader, source = READERS[self.program], f"--for {self.program}"
        labels = {
            f"labels.{key}": Setting(reader.labels.get(label, label), source) for key, label in DEFAULT_LABELS.items()
        }
        return labels | {"reject.as": Setting(reader.mark, source)}


def write_sidecars(
    wish: SidecarWish, photos: Sequence[Diagnosis], say: Callable[[Diagnosis], Marks], *, apply: bool, quiet: bool
) -> None:
    """Show what would be written, or write it; ``wish.refused`` says whether all went as it should.

    Args:
        wish: what shall be said.
        photos: about whom, as the profile judges them.
        say: what is to be said about each.
        apply: do it.
        quiet: say only what went wrong.

    Raises:
        TransferError: the disk is full or the journal can't be written; the message says how much is done.
        typer.Exit: interrupted; the person was told how much is done.
    """
    from photodefect.files.journal import Journal, default_journal_path  # noqa: PLC0415
    from photodefect.files.operations import DryRunOperations, FileOperations  # noqa: PLC0415
    from photodefect.files.transfer import undo_command  # noqa: PLC0415
    from photodefect.sidecars import write  # noqa: PLC0415
    from photodefect.sidecars.locations import SidecarLocator  # noqa: PLC0415

    diagnosed = [photo for photo in photos if photo.error is None]
    locator = SidecarLocator((photo.path for photo in diagnosed), wish.style)
    name = (wish.journal or default_journal_path("xmp")) if apply else None
    done: list[Written] = []
    if not apply and wish.style is None:
        note(
            f"which program is to read them? --for {'|'.join(READERS)} names and marks them as it does; these are for "
            "all, as far as that goes",
            "yellow",
        )
    with (
        Journal(name, "XMP sidecars") as journal,
        ProgressLine(len(diagnosed), enabled=apply and not quiet, what="writing sidecars") as progress,
    ):

        def left_out(photo: str, reason: str) -> None:
            wish.refused = True
            note(f"{photo} gets no sidecar: {reason}", "yellow")

        def tasks() -> Iterator[SidecarTask]:
            for photo in diagnosed:
                try:
                    place = locator.locate(photo.path)
                    sources = None if place is None else locator.sources(photo.path, place)
                except SidecarError as error:
                    left_out(photo.path, str(error))
                else:
                    if place is not None and sources is not None:
                        yield write.SidecarTask(place, say(photo), sources)
                progress.advance()

        def tell(written: Written) -> None:
            done.append(written)
            if not apply:
                note(str(written))

        try:
            outcome = write.write_sidecars(
                tasks(),
                journal,
                files=FileOperations() if apply else DryRunOperations(),
                overwrite=wish.overwrite,
                on_written=tell,
                whole=held_interrupts,
            )
        except KeyboardInterrupt:
            progress.hide()
            note(f"interrupted; {_counted(done)} {'written' if apply else 'planned'} up to then")
            if journal.begun and name is not None:
                note(f"to take that back: {undo_command(name)}")
            raise typer.Exit(ExitCode.INTERRUPTED) from None
    for refused in outcome.refused:
        note(str(refused), "yellow")
    wish.refused = wish.refused or bool(outcome.refused)
    counts = _counted(done) + (f"; {outcome.unchanged} up to date" if outcome.unchanged else "")
    if not apply:
        note(f"nothing was written; that was the plan for {counts}, and --apply follows it", "yellow")
    elif not quiet:
        note(f"wrote {counts}")
        if journal.begun and name is not None:
            note(f"to take that back: {undo_command(name)}")


def exiftool_writer(
    stream: TextIO, wish: SidecarWish, photos: Sequence[Diagnosis], say: Callable[[Diagnosis], Marks]
) -> ExiftoolCsvWriter:
    """The writer of what exiftool is to write: to the photos, or with ``--xmp-style`` to their sidecars."""
    from photodefect.reports.exiftool_csv import ExiftoolCsvWriter  # noqa: PLC0415
    from photodefect.sidecars.locations import SidecarLocator  # noqa: PLC0415
    from photodefect.sidecars.sources import Sources, document_of  # noqa: PLC0415
    from photodefect.sidecars.write import read_sidecar  # noqa: PLC0415

    def refused(file: str, reason: str) -> None:
        wish.refused = True
        note(f"{file} is left out: {reason}", "yellow")

    if wish.style is None:

        def target(photo: str) -> tuple[str, XmpDocument | None, Sources] | None:
            return photo, document_of(Path(photo)), Sources()

    else:
        diagnosed = (photo.path for photo in photos if photo.error is None)
        locator = SidecarLocator(diagnosed, wish.style)

        def target(photo: str) -> tuple[str, XmpDocument | None, Sources] | None:
            place = locator.locate(photo)
            return None if place is None else (str(place), read_sidecar(place), locator.sources(photo, place))

    return ExiftoolCsvWriter(stream, say, target, refused, overwrite=wish.overwrite)


def _counted(written: Sequence[Written]) -> str:
    new = sum(it.new for it in written)
    count = "1 sidecar" if len(written) == 1 else f"{len(written)} sidecars"
    return f"{count} ({new} new, {len(written) - new} changed)"
