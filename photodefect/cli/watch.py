"""``photodefect watch``: photos are diagnosed as they arrive in a folder."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from photodefect.cli.console import complain, log_to_stderr, note
from photodefect.cli.exit_codes import ExitCode
from photodefect.cli.fail_on import fail_on, fail_on_option
from photodefect.cli.option_groups import grouped
from photodefect.cli.options import Detail, DiagnosisOptions, Quiet, ReplaceOutput, ReportFormat, Verbose, WalkOptions
from photodefect.cli.output import STDOUT, check_output, open_growing
from photodefect.cli.run import take_all, tell_summary
from photodefect.cli.work import Work, diagnosing

if TYPE_CHECKING:
    from photodefect.diagnosis.diagnoser import Diagnoser
    from photodefect.records import Diagnosis
    from photodefect.watching.arrivals import Arrivals
    from photodefect.watching.folder import FolderWatch

_SECONDS: Final = partial(typer.Option, metavar="SECONDS")


@grouped
def watch(
    folder: Annotated[str, typer.Argument(metavar="FOLDER", help="The folder to watch, with all its subfolders.")],
    *,
    existing: Annotated[bool, typer.Option("--existing", help="Start with the photos that are already in it.")] = False,
    stop_after: Annotated[
        float | None,
        _SECONDS("--stop-after", min=0.0, help="End when no photo has arrived for this long."),
    ] = None,
    settle: Annotated[
        float,
        _SECONDS("--settle", min=0.1, max=3600.0, help="A photo is complete when it hasn't changed for this long."),
    ] = 2.0,
    look_every: Annotated[
        float,
        _SECONDS(
            "--look-every",
            min=1.0,
            max=86400.0,
            help="How often to search the folder even if the system reports no changes, as on network mounts.",
        ),
    ] = 30.0,
    report_format: Annotated[
        ReportFormat | None,
        typer.Option("--format", "-f", help="Default: a table on a terminal, NDJSON elsewhere."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write to this file instead of stdout, record by record."),
    ] = None,
    force: ReplaceOutput = False,
    detail: Detail = False,
    walk: WalkOptions,
    diagnosis: DiagnosisOptions,
    fail_on_: Annotated[
        list[str] | None,
        fail_on_option(
            "Exit with code 10, after --stop-after, if any photo was that bad or had that defect. Repeatable."
        ),
    ] = None,
    work: Work,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Diagnose photos as they arrive in a folder.

    Each photo is diagnosed once, when it is completely written. A renamed
    photo is not diagnosed again; one that is overwritten is. If the folder is
    deleted or unmounted, the command waits for it to return. Ctrl-C ends it.

    Exit codes: 0 done (--stop-after); 1 done, but some files failed; 2 wrong
    usage; 4 the model can't be used; 10 --fail-on found something;
    130 interrupted.
    """
    _ = diagnosis.thresholds  # wrong ones are told before any work is done
    demands = [fail_on(value) for value in fail_on_ or []]
    if verbose:
        log_to_stderr()
    # Imported as late as in diagnose, for the same reasons.
    from photodefect.cli.photo_list import told_passed_over  # noqa: PLC0415
    from photodefect.cli.tally import Tally  # noqa: PLC0415
    from photodefect.photos.places import Rules  # noqa: PLC0415
    from photodefect.watching.arrivals import Arrivals  # noqa: PLC0415
    from photodefect.watching.folder import FolderWatch  # noqa: PLC0415

    arrivals = Arrivals(settle, time.monotonic)
    rules = Rules(**walk.finding())
    watched = FolderWatch(folder, arrivals, tick_s=settle / 2, look_s=look_every, tell=complain, rules=rules)
    there = watched.photos()
    check_output(output, force=force, originals=there)
    if not existing:
        arrivals.know(there)

    from photodefect.reports import FORMATS  # noqa: PLC0415

    tally = Tally(demands)
    if report_format is None:
        report_format = "table" if output is None and sys.stdout.isatty() else "ndjson"
    chosen = FORMATS[report_format]
    encoding = sys.stdout.encoding if report_format == "table" else "utf-8"
    with diagnosing(diagnosis.model, work, there, **diagnosis.settings()) as diagnoser:
        if verbose:
            note(diagnoser.describe())
        if not quiet:
            if watched.passed_over:
                note(told_passed_over(watched.passed_over))
            note(f"watching {folder}; Ctrl-C ends it")
        with open_growing(output, force=force, errors=chosen.encoding_errors, encoding=encoding) as stream:
            writer = chosen.writer(stream, detail)

            def take(record: Diagnosis) -> None:
                if arrivals.accept(record):
                    writer.write(record)
                    tally.add(record)

            interrupted = take_all(_arriving(watched, arrivals, diagnoser, stop_after), take, None)
            writer.close()
    tell_summary(tally, quiet=quiet, table=report_format == "table" and output in (None, STDOUT))
    if interrupted:
        left = f"; {len(arrivals)} more had arrived, but were not complete or not looked at yet" if arrivals else ""
        note(f"interrupted after {tally.photos} photos{left}")
        raise typer.Exit(ExitCode.INTERRUPTED)
    raise typer.Exit(tally.exit_code())


def _arriving(
    watched: FolderWatch, arrivals: Arrivals, diagnoser: Diagnoser, stop_after: float | None
) -> Generator[Diagnosis, None, None]:
    """The records of photos as they arrive, until none arrived for ``stop_after`` seconds."""
    from photodefect.ranking.hints.measuring import MEASURE  # noqa: PLC0415

    last_arrival = time.monotonic()
    for photos in watched.batches():
        with closing(diagnoser.diagnose(photos, beside=MEASURE)) as diagnoses:
            yield from diagnoses
        now = time.monotonic()
        if photos or arrivals:
            last_arrival = now
        elif stop_after is not None and now - last_arrival >= stop_after:
            return
