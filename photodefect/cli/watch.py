"""``photodefect watch``: photos are diagnosed as they arrive in a folder."""

from __future__ import annotations

import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from photodefect.cli.console import complain, log_to_stderr, note
from photodefect.cli.diagnose import ReportFormat
from photodefect.cli.exit_codes import ExitCode
from photodefect.cli.interrupts import held_interrupts
from photodefect.cli.options import (
    CacheFile,
    Detail,
    Device,
    DeviceName,
    ModelName,
    NoCache,
    Patches,
    PatchPlacement,
    Placement,
    Quiet,
    ReplaceOutput,
    Seed,
    Threads,
    ThresholdTexts,
    TimeLimit,
    Verbose,
    Workers,
    fail_on,
    thresholds,
)
from photodefect.cli.output import check_output, open_growing
from photodefect.cli.work import Work, diagnosing
from photodefect.core.patches import DEFAULT_PATCHES

if TYPE_CHECKING:
    from photodefect.cli.tally import Tally
    from photodefect.diagnosis.diagnoser import Diagnoser
    from photodefect.reports import ReportWriter
    from photodefect.watching.arrivals import Arrivals
    from photodefect.watching.folder import FolderWatch


def watch(
    folder: Annotated[str, typer.Argument(metavar="FOLDER", help="The folder to watch, with all folders in it.")],
    *,
    existing: Annotated[bool, typer.Option("--existing", help="Begin with the photos that are in it already.")] = False,
    stop_after: Annotated[
        float | None,
        typer.Option("--stop-after", min=0.0, metavar="SECONDS", help="End when nothing arrived for so long."),
    ] = None,
    settle: Annotated[
        float,
        typer.Option(
            "--settle",
            min=0.1,
            max=3600.0,
            metavar="SECONDS",
            help="A photo is complete when it hasn't changed for so long.",
        ),
    ] = 2.0,
    look_every: Annotated[
        float,
        typer.Option(
            "--look-every",
            min=1.0,
            max=86400.0,
            metavar="SECONDS",
            help="Look through the folder even if the system tells of no changes, as on network mounts.",
        ),
    ] = 30.0,
    report_format: Annotated[
        ReportFormat | None,
        typer.Option("--format", "-f", help="Table for people (default on a terminal), NDJSON (default elsewhere)."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write here instead of to stdout, record by record."),
    ] = None,
    force: ReplaceOutput = False,
    detail: Detail = False,
    model: ModelName = "compact",
    device: DeviceName = Device.AUTO,
    patches: Patches = DEFAULT_PATCHES,
    patch_placement: Placement = PatchPlacement.SHARP,
    seed: Seed = None,
    threshold: ThresholdTexts = None,
    fail_on_: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-on",
            metavar="mild|severe|DEFECT[=VALUE]",
            help="End with code 10, after --stop-after, if a photo was that bad, or had that defect. Repeatable.",
        ),
    ] = None,
    workers: Workers = None,
    threads: Threads = None,
    time_limit: TimeLimit = None,
    cache: CacheFile = None,
    no_cache: NoCache = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Diagnose photos as they arrive in a folder.

    A photo is told once, when it is completely written: a renamed one not
    again, one that is written anew again. A folder that is deleted or
    unmounted is waited for. Ctrl-C ends it.

    Exit codes: 0 done (--stop-after); 1 done, but some files failed; 2 wrong
    usage; 4 the model can't be used; 10 --fail-on found something;
    130 interrupted.
    """
    limits = thresholds(threshold or [])
    demands = [fail_on(value) for value in fail_on_ or []]
    if verbose:
        log_to_stderr()
    # Imported as late as in diagnose, for the same reasons.
    from photodefect.cli.tally import Tally  # noqa: PLC0415
    from photodefect.watching.arrivals import Arrivals  # noqa: PLC0415
    from photodefect.watching.folder import FolderWatch  # noqa: PLC0415

    arrivals = Arrivals(settle, time.monotonic)
    watched = FolderWatch(folder, arrivals, tick_s=settle / 2, look_s=look_every, tell=complain)
    there = watched.photos()
    check_output(output, force=force, originals=there)
    if not existing:
        arrivals.know(there)

    from photodefect.reports import FORMATS  # noqa: PLC0415

    tally = Tally(demands)
    if report_format is None:
        report_format = ReportFormat.TABLE if output is None and sys.stdout.isatty() else ReportFormat.NDJSON
    chosen = FORMATS[report_format.value]
    encoding = sys.stdout.encoding if report_format is ReportFormat.TABLE else "utf-8"
    work = Work(workers, threads, time_limit, cache, no_cache)
    with diagnosing(
        model,
        work,
        there,
        device=device.value,
        patches=patches,
        placement=patch_placement.value,
        seed=seed,
        thresholds=limits,
    ) as diagnoser:
        if verbose:
            note(diagnoser.describe())
        if not quiet:
            note(f"watching {folder}; Ctrl-C ends it")
        with open_growing(output, force=force, errors=chosen.encoding_errors, encoding=encoding) as stream:
            writer = chosen.writer(stream, detail)
            interrupted = _run(watched, arrivals, diagnoser, writer, tally, stop_after=stop_after)
    if not quiet:
        for line in tally.summary().splitlines():
            note(line)
    if interrupted:
        left = f"; {len(arrivals)} more had arrived, but were not complete or not looked at yet" if arrivals else ""
        note(f"interrupted after {tally.photos} photos{left}")
        raise typer.Exit(ExitCode.INTERRUPTED)
    raise typer.Exit(tally.exit_code())


def _run(
    watched: FolderWatch,
    arrivals: Arrivals,
    diagnoser: Diagnoser,
    writer: ReportWriter,
    tally: Tally,
    *,
    stop_after: float | None,
) -> bool:
    """Write the records as photos arrive.

    Returns:
        Whether the person ended the run. The document is complete even then.
    """
    interrupted = False
    last_arrival = time.monotonic()
    try:
        for photos in watched.batches():
            with closing(diagnoser.diagnose(photos)) as diagnoses:
                for diagnosis in diagnoses:
                    with held_interrupts():
                        if arrivals.accept(diagnosis):
                            writer.write(diagnosis)
                            tally.add(diagnosis)
            now = time.monotonic()
            if photos or arrivals:
                last_arrival = now
            elif stop_after is not None and now - last_arrival >= stop_after:
                break
    except KeyboardInterrupt:
        interrupted = True
    writer.close()
    return interrupted
