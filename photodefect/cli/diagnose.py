"""``photodefect diagnose``: how severe seven defects are in photos."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import closing
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from photodefect.cli.cluster import diagnose_on_cluster
from photodefect.cli.console import log_to_stderr, note
from photodefect.cli.exit_codes import ExitCode
from photodefect.cli.interrupts import held_interrupts
from photodefect.cli.options import (
    CacheFile,
    Detail,
    Device,
    DeviceName,
    FilesFrom,
    ModelName,
    NoCache,
    Null,
    Patches,
    PatchPlacement,
    Photos,
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
from photodefect.cli.output import check_output, open_output
from photodefect.cli.progress import ProgressLine
from photodefect.cli.work import Work, diagnosing
from photodefect.core.patches import DEFAULT_PATCHES

if TYPE_CHECKING:
    from photodefect.cli.tally import Tally
    from photodefect.records import Diagnosis
    from photodefect.reports import ReportWriter


class ReportFormat(str, Enum):
    """What ``--format`` takes."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"


def diagnose(
    paths: Photos = None,
    *,
    report_format: Annotated[
        ReportFormat, typer.Option("--format", "-f", help="Table for people, the others for programs.")
    ] = ReportFormat.TABLE,
    output: Annotated[
        str | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Write here instead of to stdout; with --ray, a folder or URL."
        ),
    ] = None,
    force: ReplaceOutput = False,
    detail: Detail = False,
    files_from: FilesFrom = None,
    null: Null = False,
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
            help="Exit with code 10 if a photo is that bad, or has that defect. Repeatable.",
        ),
    ] = None,
    workers: Workers = None,
    threads: Threads = None,
    time_limit: TimeLimit = None,
    cache: CacheFile = None,
    no_cache: NoCache = False,
    ray: Annotated[
        str | None,
        typer.Option(
            "--ray",
            metavar="auto|local|HOST:PORT",
            help="Have it done on a Ray cluster; photos by path or URL (s3://...), results as Parquet.",
        ),
    ] = None,
    part_size: Annotated[
        int, typer.Option("--part-size", min=1, max=1_000_000, metavar="N", help="Photos in a file of --ray's results.")
    ] = 2000,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Say how severe seven defects are in photos.

    Severities run from 0 (none) to 1 (severe); saturation from -1 (too little) to +1 (too much).

    Exit codes: 0 done, whatever was found; 1 done, but some files failed;
    2 wrong usage; 3 no photos; 4 the model can't be used; 10 --fail-on found
    something; 130 interrupted.
    """
    limits = thresholds(threshold or [])
    demands = [fail_on(value) for value in fail_on_ or []]
    if verbose:
        log_to_stderr()
    if ray is not None:
        if report_format is not ReportFormat.TABLE:
            raise typer.BadParameter("--ray writes Parquet; leave --format out")
        diagnose_on_cluster(
            paths or [],
            files_from,
            null_separated=null,
            address=ray,
            results=output,
            force=force,
            part_size=part_size,
            model=model,
            device=device.value,
            patches=patches,
            placement=patch_placement.value,
            seed=seed,
            limits=limits,
            workers=workers,
            time_limit=time_limit,
            demands=demands,
            quiet=quiet,
            verbose=verbose,
        )
    # Decoders and torch take a while to import: help pages don't wait for the former, mistyped paths not for torch.
    from photodefect.cli.photo_list import list_photos  # noqa: PLC0415
    from photodefect.cli.tally import Tally  # noqa: PLC0415

    listed = list_photos(paths or [], files_from, null_separated=null)
    target = None if output is None else Path(output)
    check_output(target, force=force, originals=listed.photos)

    from photodefect.reports import FORMATS  # noqa: PLC0415

    tally = Tally(demands)
    chosen = FORMATS[report_format.value]
    # A table is for the terminal as it is; what programs read is UTF-8 everywhere.
    encoding = sys.stdout.encoding if report_format is ReportFormat.TABLE else "utf-8"
    work = Work(workers, threads, time_limit, cache, no_cache)
    with diagnosing(
        model,
        work,
        listed.photos,
        device=device.value,
        patches=patches,
        placement=patch_placement.value,
        seed=seed,
        thresholds=limits,
    ) as diagnoser:
        if verbose:
            note(diagnoser.describe())
        with open_output(target, force=force, errors=chosen.encoding_errors, encoding=encoding) as stream:
            writer = chosen.writer(stream, detail)
            for record in listed.problems:
                writer.write(record)
                tally.add(record)
            interrupted = _run(diagnoser.diagnose(listed.photos), len(listed.photos), writer, tally, quiet=quiet)
    if interrupted:
        note(f"interrupted after {tally.photos} of {len(listed)} photos; what was written is complete up to there")
        work.tell_how_to_go_on()
        raise typer.Exit(ExitCode.INTERRUPTED)
    if not quiet:
        for line in tally.summary().splitlines():
            note(line)
    raise typer.Exit(tally.exit_code())


def _run(
    diagnoses: Generator[Diagnosis, None, None], total: int, writer: ReportWriter, tally: Tally, *, quiet: bool
) -> bool:
    """Write the records as they come.

    Returns:
        Whether the person interrupted the run. The document is complete even then.
    """
    interrupted = False
    try:
        with closing(diagnoses), ProgressLine(total, enabled=not quiet) as progress:
            for diagnosis in diagnoses:
                with held_interrupts():
                    if sys.stdout.isatty():
                        progress.hide()
                    writer.write(diagnosis)
                    tally.add(diagnosis)
                progress.advance()
    except KeyboardInterrupt:
        interrupted = True
    writer.close()
    return interrupted
