"""``photodefect report``: a page of thumbnails with severities and heat maps, which opens from disk."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
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
from photodefect.cli.run import end, end_interrupted, take_all
from photodefect.cli.work import Work, diagnosing
from photodefect.printable import printable

if TYPE_CHECKING:
    from photodefect.records import Diagnosis
    from photodefect.reports.html import Pictures


@grouped
def report(
    paths: Photos = None,
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the page; created if missing.")
    ],
    force: Annotated[
        bool, typer.Option("--force", help="Write into DIR even if it holds other files; they stay.")
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
    complete.

    Exit codes: 0 done, whatever was found; 1 done, but some files failed;
    2 wrong usage; 3 no photos; 4 the model can't be used; 130 interrupted.
    """
    limits = thresholds(threshold or [])
    if verbose:
        log_to_stderr()
    # Imported as late as in diagnose, for the same reasons.
    from photodefect.cli.photo_list import list_photos  # noqa: PLC0415
    from photodefect.cli.tally import Tally  # noqa: PLC0415
    from photodefect.reports.html import HtmlReport, ReportFolder, check_folder, is_report  # noqa: PLC0415

    listed = list_photos(paths or [], files_from, null_separated=null, walk=walk, quiet=quiet)
    photos = listed.photos
    check_folder(output, force=force, originals=photos)

    from photodefect.diagnosis.workers.limits import MAPPING_MEMORY, default_workers  # noqa: PLC0415
    from photodefect.ranking.hints.measuring import MEASURE  # noqa: PLC0415
    from photodefect.reports.html.illustrate import illustrate  # noqa: PLC0415

    tally = Tally()
    replaces = is_report(output)
    # A worker that makes maps takes three times as much, so that there is room for fewer.
    if maps and not work.workers:
        work = replace(work, workers=default_workers(work.threads, memory=MAPPING_MEMORY, budget=None))
    settings = model.settings() | {"thresholds": limits}
    with diagnosing(model.model, work, photos, **settings) as diagnoser, ReportFolder(output) as folder:
        if verbose:
            note(diagnoser.describe())
        page = HtmlReport(folder, title if title is not None else _title(paths or []))

        def take(illustrated: tuple[Diagnosis, Pictures | None]) -> None:
            page.add(*illustrated)
            tally.add(illustrated[0])

        for record in listed.problems:
            take((record, None))
        illustrated = illustrate(diagnoser, photos, maps=maps, beside=MEASURE)
        interrupted = take_all(illustrated, take, len(photos), quiet=quiet)
        missing = len(photos) + len(listed.problems) - tally.photos
        if interrupted and (replaces or not tally.photos):
            kept = "the earlier report stays as it was" if replaces else "nothing was written"
            end_interrupted(f"interrupted after {tally.photos} of {tally.photos + missing} photos; {kept}", work)
        place = os.fspath(page.close(missing=missing))
    # Programs get the path as it is.
    if sys.stdout.isatty():
        sys.stdout.write(printable(place) + "\n")
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(os.fsencode(place) + b"\n")
    if interrupted:
        done = f"interrupted after {tally.photos} of {tally.photos + missing} photos"
        end_interrupted(f"{done}; the page shows those", work)
    end(tally, quiet=quiet)


def _title(paths: Sequence[str]) -> str:
    """The names of the folders and files, as far as a heading has room for them."""
    names = [os.path.basename(os.path.abspath(path)) or path for path in paths]  # noqa: PTH100, PTH119 - keeps ".." right
    if not names:
        return "Photos"
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
