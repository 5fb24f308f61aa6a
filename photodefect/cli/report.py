"""``photodefect report``: a page of photos with severities and heat maps, and contact sheets."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from photodefect.cli.console import log_to_stderr, note
from photodefect.cli.option_groups import grouped
from photodefect.cli.options import (
    FilesFrom,
    ModelOptions,
    Null,
    Photos,
    Quiet,
    ThresholdTexts,
    Verbose,
    WalkOptions,
    thresholds,
)
from photodefect.cli.output import check_output
from photodefect.cli.run import end, end_interrupted, take_all
from photodefect.cli.work import Work, diagnosing
from photodefect.printable import printable

if TYPE_CHECKING:
    from photodefect.diagnosis.diagnoser import Diagnoser
    from photodefect.ranking.hints.measurements import Measurements
    from photodefect.ranking.overall import RankedPhoto
    from photodefect.records import Diagnosis
    from photodefect.reports.html import Pictures
    from photodefect.verdicts import Threshold


@grouped
def report(
    paths: Photos = None,
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="Folder for the page; created if missing.")
    ] = None,
    sheet: Annotated[
        Path | None,
        typer.Option(
            "--sheet",
            metavar="FILE",
            help="Write a contact sheet, best photos first: a PDF, or by its ending JPEGs, one a page.",
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Write into DIR even if it holds other files; they stay. Replace a sheet."),
    ] = False,
    maps: Annotated[
        bool,
        typer.Option(
            "--maps/--no-maps", help="Add heat maps, which show where each defect sits. They take most of the time."
        ),
    ] = True,
    title: Annotated[
        str | None,
        typer.Option("--title", metavar="TEXT", help="Heading of the page. Default: the names of the folders."),
    ] = None,
    files_from: FilesFrom = None,
    null: Null = False,
    walk: WalkOptions,
    model: ModelOptions,
    threshold: ThresholdTexts = None,
    work: Work,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Make a page that shows photos with their severities and heat maps.

    DIR/index.html opens from disk in any browser and needs no network. It can
    be sorted by each defect, filtered and used by keyboard. It takes about
    0.2 MB per photo. An earlier report in DIR is replaced once the new one is
    complete. --sheet makes a contact sheet of A4 pages, beside the page or
    instead of it.

    Exit codes: 0 done, whatever was found; 1 done, but some files failed;
    2 wrong usage; 3 no photos; 4 the model can't be used; 130 interrupted.
    """
    limits = thresholds(threshold or [])
    if output is None and sheet is None:
        raise typer.BadParameter("name the folder for the page, or a contact sheet by --sheet", param_hint="--output")
    maps = maps and output is not None
    if verbose:
        log_to_stderr()
    # Imported as late as in diagnose, for the same reasons.
    from photodefect.cli.photo_list import list_photos  # noqa: PLC0415
    from photodefect.cli.tally import Tally  # noqa: PLC0415
    from photodefect.reports.html import HtmlReport, ReportFolder, is_report  # noqa: PLC0415

    listed = list_photos(paths or [], files_from, null_separated=null, walk=walk, quiet=quiet)
    photos = listed.photos
    _check_targets(output, sheet, photos, force=force)

    tally = Tally()
    diagnoses: list[Diagnosis] = []
    measured: dict[str, Measurements] = {}
    replaces = output is not None and is_report(output)
    heading = _title(paths or []) if title is None else title
    work = _with_room(work) if maps else work
    settings = model.settings() | {"thresholds": limits}
    with (
        diagnosing(model.model, work, photos, **settings) as diagnoser,
        nullcontext() if output is None else ReportFolder(output) as folder,
        nullcontext() if sheet is None else TemporaryDirectory(prefix="photodefect-") as spool,
    ):
        if verbose:
            note(diagnoser.describe())
        page = None if folder is None else HtmlReport(folder, heading)
        pictures: dict[str, Path] = {}

        def take(illustrated: tuple[Diagnosis, Pictures | None]) -> None:
            diagnosis, made = illustrated
            if page is not None:
                page.add(diagnosis, made)
            if spool is not None and made is not None:
                pictures[diagnosis.path] = Path(spool) / f"{len(pictures)}.jpg"
                pictures[diagnosis.path].write_bytes(made.preview)
            tally.add(diagnosis)
            diagnoses.append(diagnosis)

        for record in listed.problems:
            take((record, None))
        interrupted = take_all(_illustrated(diagnoser, photos, measured, maps=maps), take, len(photos), quiet=quiet)
        missing = len(photos) + len(listed.problems) - tally.photos
        if interrupted and (replaces or page is None or not tally.photos):
            kept = "the earlier report stays as it was" if replaces else "nothing was written"
            end_interrupted(f"interrupted after {tally.photos} of {tally.photos + missing} photos; {kept}", work)
        ranked = [] if interrupted else _ranked(diagnoses, measured, diagnoser, limits, quiet=quiet)
        if page is not None:
            _tell(page.close(missing=missing, ranked=ranked))
        if sheet is not None and not interrupted:
            _write_sheet(sheet, heading, ranked, pictures, force=force)
    if interrupted:
        end_interrupted(
            f"interrupted after {tally.photos} of {tally.photos + missing} photos; the page shows those", work
        )
    end(tally, quiet=quiet)


def _with_room(work: Work) -> Work:
    """As many workers as there is room for, unless somebody said how many: one that makes maps takes more memory."""
    from photodefect.diagnosis.workers.limits import MAPPING_MEMORY, default_workers  # noqa: PLC0415

    if work.workers:
        return work
    return replace(work, workers=default_workers(work.threads, memory=MAPPING_MEMORY, budget=None))


def _check_targets(output: Path | None, sheet: Path | None, photos: Sequence[str], *, force: bool) -> None:
    """Refuse targets before any work is done for them.

    Raises:
        DataError: the folder can't be that of a report; the contact sheet is of another kind, or there already, or one
            of the photos.
    """
    from photodefect.reports.contact_sheet import check_sheet, sheet_files  # noqa: PLC0415
    from photodefect.reports.html import check_folder  # noqa: PLC0415

    if output is not None:
        check_folder(output, force=force, originals=photos)
    if sheet is None:
        return
    check_sheet(sheet)
    for file in sheet_files(sheet, len(photos)):
        check_output(file, force=force, originals=photos)


def _write_sheet(
    sheet: Path, title: str, ranked: Sequence[RankedPhoto], pictures: Mapping[str, Path], *, force: bool
) -> None:
    """Write the contact sheet of photos, in their order."""
    from photodefect.reports.contact_sheet import SheetPhoto, sheet_files, write_sheet  # noqa: PLC0415

    for file in sheet_files(sheet, len(ranked)):  # fewer than were listed, if some failed
        check_output(file, force=force, originals=list(pictures))
    for file in write_sheet(sheet, title, [SheetPhoto(photo, pictures[photo.path]) for photo in ranked]):
        _tell(file)


def _tell(place: Path) -> None:
    """Say where something is; programs get the path as it is."""
    if sys.stdout.isatty():
        sys.stdout.write(printable(os.fspath(place)) + "\n")
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(os.fsencode(place) + b"\n")


def _illustrated(
    diagnoser: Diagnoser, photos: Sequence[str], measured: dict[str, Measurements], *, maps: bool
) -> Generator[tuple[Diagnosis, Pictures | None], None, None]:
    """Photos with their pictures; puts into ``measured`` what is measured while they are decoded."""
    from photodefect.ranking.hints.measuring import MEASURE  # noqa: PLC0415
    from photodefect.reports.html.illustrate import illustrate  # noqa: PLC0415

    def take(path: str, text: str) -> None:
        measured[path] = MEASURE.decode(text)

    return illustrate(diagnoser, photos, maps=maps, beside=MEASURE, take_beside=take)


def _ranked(
    diagnoses: Sequence[Diagnosis],
    measured: dict[str, Measurements],
    diagnoser: Diagnoser,
    limits: Mapping[str, Threshold],
    *,
    quiet: bool,
) -> list[RankedPhoto]:
    """Photos in their order, with what ``rank-folder`` says of them; completes what is measured."""
    from photodefect.ranking.hints.measuring import MEASURE  # noqa: PLC0415
    from photodefect.ranking.profiles.profile import Profile  # noqa: PLC0415
    from photodefect.ranking.selection import Wishes, select  # noqa: PLC0415

    def take(found: tuple[Diagnosis, Measurements | None]) -> None:
        diagnosis, measurements = found
        if measurements is not None:
            measured[diagnosis.path] = measurements

    # The cache knows what was measured of photos that weren't decoded now. If Ctrl-C comes, hints say less.
    known = [it.path for it in diagnoses if it.error is None and it.path not in measured]
    running = diagnoser.diagnose_with(known, MEASURE)
    take_all(running, take, len(known), quiet=quiet)
    return list(select(diagnoses, measured, Profile(thresholds=limits), Wishes(keep_graphics=True)).chosen)


def _title(paths: Sequence[str]) -> str:
    """The names of the folders and files, as far as a heading has room for them."""
    names = [os.path.basename(os.path.abspath(path)) or path for path in paths]  # noqa: PTH100, PTH119 - keeps ".." right
    if not names:
        return "Photos"
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
