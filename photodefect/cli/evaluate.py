"""``photodefect evaluate``: compare predictions with ground truth as the paper does."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from photodefect.cli.console import note
from photodefect.cli.exit_codes import ExitCode
from photodefect.cli.option_groups import grouped
from photodefect.cli.options import Device, Images, Quiet, ReplaceFiles
from photodefect.cli.output import STDOUT, check_output, open_output
from photodefect.cli.run import diagnose_all
from photodefect.cli.work import Work, diagnosing

if TYPE_CHECKING:
    from photodefect.evaluation.benchmark_result import BenchmarkResult
    from photodefect.evaluation.predictions import Predictions
    from photodefect.evaluation.report import Evaluation

NAMED: Final = 5
"""How many photos a list on stderr names."""


@grouped
def evaluate(
    source: Annotated[
        str,
        typer.Argument(
            metavar="PREDICTIONS|MODEL",
            help="What diagnose wrote: a CSV, JSON or NDJSON file (--detail adds the scores of each network), or the "
            "Parquet folder of --ray. Or a model's name or folder, to diagnose the photos now.",
        ),
    ],
    *,
    labels: Annotated[
        Path | None,
        typer.Option(
            "--labels", metavar="LABELS.csv", help="Ground truth, with columns path (or url) and the seven defects."
        ),
    ] = None,
    images: Images = None,
    benchmark: Annotated[
        Path | None,
        typer.Option(
            "--benchmark",
            metavar="MANIFEST.csv",
            help="Ladders, pairs and pools, with columns path, set, scene, defect, level, kind, split.",
        ),
    ] = None,
    split: Annotated[
        str, typer.Option("--split", metavar="NAME", help="Only the benchmark rows of this split.")
    ] = "all",
    group: Annotated[
        list[str] | None,
        typer.Option(
            "--group", metavar="GROUP=START", help="Sum up the sets whose names begin with START as GROUP. Repeatable."
        ),
    ] = None,
    score: Annotated[
        Literal["combined", "holistic", "patches"], typer.Option("--score", help="Which scores the benchmark judges.")
    ] = "combined",
    report_format: Annotated[
        Literal["table", "json"], typer.Option("--format", "-f", help="Table for people, JSON for programs.")
    ] = "table",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to this file instead of stdout.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Also write an HTML page with plots.")
    ] = None,
    force: ReplaceFiles = False,
    patches: Annotated[
        int | None,
        typer.Option(
            "--patches", min=1, max=1000, metavar="N", help="Number of crops per photo, if a model is evaluated."
        ),
    ] = None,
    device: Device = "auto",
    seed: Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Seed of random draws and resamples.")] = 0,
    resamples: Annotated[
        int,
        typer.Option(
            "--bootstrap", min=0, metavar="N", help="Bootstrap resamples for the 95 % intervals; 0 for no intervals."
        ),
    ] = 1000,
    work: Work,
    quiet: Quiet = False,
) -> None:
    """Compare predictions with ground truth as the paper does.

    --labels gives the rank correlation (within and across classes) of both
    networks and their combination, and calibration. Where the labels have
    votes, it also compares with single annotators. --benchmark judges ladders,
    pairs and pools. Photos are matched by path, never by order.

    Exit codes: 0 done; 1 done, but some photos have no prediction; 2 wrong
    usage, or the data can't be used; 4 the model can't be used;
    130 interrupted.
    """
    if labels is None and benchmark is None:
        raise typer.BadParameter("name ground truth by --labels, --benchmark or both", param_hint="--labels")
    groups = _groups(group or [])
    truth = {path: "the ground truth" for path in (labels, benchmark) if path is not None}
    for target in (output, html):
        check_output(target, force=force, read={Path(source): "the predictions"} | truth)
    if html is not None and (html == output or (html == STDOUT and output is None)):
        raise typer.BadParameter("the page and the report can't go to the same place", param_hint="--html")

    from photodefect.distributed.results import is_results  # noqa: PLC0415
    from photodefect.errors import DataError  # noqa: PLC0415
    from photodefect.evaluation.benchmark import run_benchmark  # noqa: PLC0415
    from photodefect.evaluation.benchmark_manifest import read_manifest  # noqa: PLC0415
    from photodefect.evaluation.predictions import match, read_predictions  # noqa: PLC0415
    from photodefect.evaluation.report import evaluate as judge  # noqa: PLC0415
    from photodefect.labels.table import read_labels  # noqa: PLC0415

    predictions = read_predictions(Path(source)) if Path(source).is_file() or is_results(Path(source)) else None
    if predictions is None and Path(source).suffix.lower() in (".csv", ".json", ".ndjson", ".jsonl"):
        raise DataError(f"{source}: there is no such file of predictions")
    labelled = None if labels is None else read_labels(labels, images, need_images=predictions is None)
    entries = () if benchmark is None else read_manifest(benchmark, split)
    if predictions is None:
        wanted = [photo.path for photo in labelled.photos] if labelled is not None else []
        wanted += [entry.path for entry in entries]
        predictions = _diagnose(source, wanted, work, device=device, patches=patches, quiet=quiet)

    evaluation = None
    if labelled is not None and labels is not None:
        paths = [photo.path for photo in labelled.photos]
        folder = images if images is not None else labels.parent
        matched = match(paths, predictions, folder, labels, by_name=labelled.by_url)
        evaluation = judge(
            labelled.photos, matched, truth=str(labels), origin=predictions.origin, seed=seed, resamples=resamples
        )
        if labelled.missing and not quiet:
            note(f"images missing: {_listed([str(path) for path in labelled.missing])}", "yellow")
        if matched.extra and benchmark is None and not quiet:
            note(f"predicted, but not labelled: {_listed(matched.extra)}", "yellow")
    result = None
    if benchmark is not None:
        matched = match([entry.path for entry in entries], predictions, benchmark.parent, benchmark)
        result = run_benchmark(
            entries,
            matched,
            manifest=str(benchmark),
            origin=predictions.origin,
            source=score,
            split=split,
            groups=groups,
            seed=seed,
            resamples=resamples,
        )
    _write(evaluation, result, output, html, as_json=report_format == "json", force=force)
    unpredicted = dict(evaluation.unpredicted if evaluation is not None else {})
    unpredicted |= result.unpredicted if result is not None else {}
    if unpredicted and not quiet:
        reasons = [f"{name} ({why})" for name, why in unpredicted.items()]
        note(f"{len(unpredicted)} photos left out, as they have no prediction: {_listed(reasons)}", "yellow")
    incomplete = bool(unpredicted) or (labelled is not None and bool(labelled.missing))
    raise typer.Exit(ExitCode.SOME_FAILED if incomplete else ExitCode.DONE)


def _groups(values: Sequence[str]) -> dict[str, str]:
    groups = {"syn_": "synthetic"}
    for value in values:
        name, equals, start = value.partition("=")
        if not (name and equals and start):
            raise typer.BadParameter(f"{value!r} is not GROUP=START, e.g. digital=IQA_", param_hint="--group")
        groups[start] = name
    return groups


def _diagnose(
    model: str, paths: Sequence[Path], work: Work, *, device: str, patches: int | None, quiet: bool
) -> Predictions:
    from photodefect.evaluation.predictions import from_records  # noqa: PLC0415

    names = list(dict.fromkeys(str(path) for path in paths))
    with diagnosing(model, work, names, device=device, patches=patches) as diagnoser:
        records = diagnose_all(diagnoser, names, len(names), quiet=quiet)
        return from_records(records, diagnoser.manifest.name)


def _write(
    evaluation: Evaluation | None,
    result: BenchmarkResult | None,
    output: Path | None,
    html: Path | None,
    *,
    as_json: bool,
    force: bool,
) -> None:
    from photodefect.reports.evaluation_page import write_page  # noqa: PLC0415
    from photodefect.reports.evaluation_table import write_benchmark, write_evaluation  # noqa: PLC0415

    encoding = "utf-8" if as_json or output is not None else sys.stdout.encoding
    with open_output(output, force=force, errors="backslashreplace", encoding=encoding) as stream:
        if as_json:
            parts: Mapping[str, Evaluation | BenchmarkResult | None] = {"labels": evaluation, "benchmark": result}
            document = {name: part.to_dict() for name, part in parts.items() if part is not None}
            stream.write(json.dumps(document, indent=1, allow_nan=False) + "\n")
        else:
            if evaluation is not None:
                write_evaluation(stream, evaluation)
            if result is not None:
                write_benchmark(stream, result)
    if html is not None:
        with open_output(html, force=force, errors="backslashreplace") as stream:
            write_page(stream, evaluation=evaluation, benchmark=result)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
