"""``photodefect diagnose``: how severe seven defects are in photos."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from photodefect.cli.cluster import diagnose_on_cluster
from photodefect.cli.console import log_to_stderr, note
from photodefect.cli.fail_on import fail_on, fail_on_option
from photodefect.cli.option_groups import grouped
from photodefect.cli.options import (
    Detail,
    DiagnosisOptions,
    FilesFrom,
    Null,
    Photos,
    Quiet,
    ReplaceOutput,
    ReportFormat,
    Verbose,
    WalkOptions,
)
from photodefect.cli.output import STDOUT, check_output, open_output
from photodefect.cli.run import end, end_interrupted, take_all
from photodefect.cli.work import Work, diagnosing

if TYPE_CHECKING:
    from photodefect.records import Diagnosis


@grouped
def diagnose(
    paths: Photos = None,
    *,
    report_format: Annotated[
        ReportFormat, typer.Option("--format", "-f", help="Table for people, the others for programs.")
    ] = "table",
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Write to this file instead of stdout; with --ray, to this folder or URL.",
        ),
    ] = None,
    force: ReplaceOutput = False,
    detail: Detail = False,
    files_from: FilesFrom = None,
    null: Null = False,
    walk: WalkOptions,
    diagnosis: DiagnosisOptions,
    fail_on_: Annotated[
        list[str] | None,
        fail_on_option("Exit with code 10 if any photo is that bad or has that defect. Repeatable."),
    ] = None,
    work: Work,
    ray: Annotated[
        str | None,
        typer.Option(
            "--ray",
            metavar="auto|local|HOST:PORT",
            help="Run on a Ray cluster. Photos are given by path or URL (s3://...); results are Parquet files.",
        ),
    ] = None,
    part_size: Annotated[
        int, typer.Option("--part-size", min=1, max=1_000_000, metavar="N", help="Photos per result file of --ray.")
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
    _ = diagnosis.thresholds  # wrong ones are told before any work is done
    demands = [fail_on(value) for value in fail_on_ or []]
    if verbose:
        log_to_stderr()
    if ray is not None:
        if report_format != "table":
            raise typer.BadParameter("--ray writes Parquet; leave --format out")
        diagnose_on_cluster(
            paths or [],
            files_from,
            null_separated=null,
            walk=walk,
            address=ray,
            results=output,
            force=force,
            part_size=part_size,
            diagnosis=diagnosis,
            work=work,
            demands=demands,
            quiet=quiet,
            verbose=verbose,
        )
    # Decoders and torch take a while to import: help pages don't wait for the former, mistyped paths not for torch.
    from photodefect.cli.photo_list import list_photos  # noqa: PLC0415
    from photodefect.cli.tally import Tally  # noqa: PLC0415

    listed = list_photos(paths or [], files_from, null_separated=null, walk=walk, quiet=quiet)
    target = None if output is None else Path(output)
    check_output(target, force=force, originals=listed.photos)

    from photodefect.ranking.hints.measuring import MEASURE  # noqa: PLC0415
    from photodefect.reports import FORMATS  # noqa: PLC0415

    tally = Tally(demands)
    chosen = FORMATS[report_format]
    # A table is for the terminal as it is; what programs read is UTF-8 everywhere.
    encoding = sys.stdout.encoding if report_format == "table" else "utf-8"
    with diagnosing(diagnosis.model, work, listed.photos, **diagnosis.settings()) as diagnoser:
        if verbose:
            note(diagnoser.describe())
        with open_output(target, force=force, errors=chosen.encoding_errors, encoding=encoding) as stream:
            writer = chosen.writer(stream, detail)

            def take(record: Diagnosis) -> None:
                writer.write(record)
                tally.add(record)

            for record in listed.problems:
                take(record)
            # What rank-folder and review will want is measured while the pixels are there.
            running = diagnoser.diagnose(listed.photos, beside=MEASURE)
            interrupted = take_all(running, take, len(listed.photos), quiet=quiet, writes=True)
            writer.close()
    if interrupted:
        done = f"interrupted after {tally.photos} of {len(listed)} photos"
        end_interrupted(f"{done}; what was written is complete up to there", work)
    end(tally, quiet=quiet, table=report_format == "table" and target in (None, STDOUT))
