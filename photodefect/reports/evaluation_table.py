"""The tables of an evaluation and of a benchmark, for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TextIO

from rich.console import Console
from rich.table import Table

from photodefect.defects import BY_KEY, DEFECTS
from photodefect.evaluation.benchmark_result import BenchmarkResult
from photodefect.evaluation.report import Evaluation
from photodefect.evaluation.spearman import CrossClass, Estimate
from photodefect.printable import console_on, printable
from photodefect.reports.table import short_title

LEAST_WIDTH: Final = 160
"""Tables are set as if there were so many columns: better a line that runs over than a number cut in two."""

MISSING: Final = "-"

NAMED_ANNOTATORS: Final = 8
"""More annotators than this are summed up only."""


def write_evaluation(stream: TextIO, evaluation: Evaluation) -> None:
    """Table 1 of the paper for these predictions, then calibration, how often defects are told, single annotators."""
    console = _console(stream)
    console.print(f"{printable(evaluation.origin)} on {printable(evaluation.truth)}: {evaluation.photos} photos")
    console.print()
    sources = list(evaluation.table)
    table = _table(
        "\nDefect",
        *(f"rho\n{source}" for source in sources),
        *(f"95 %\n{source}" for source in sources[-1:]),
        *(f"cross-class\n{source}" for source in sources),
        *(f"authors' bins\n{source}" for source in sources[-1:]),
    )
    for defect in DEFECTS:
        cells = [evaluation.table[source].get(defect.key) for source in sources]
        table.add_row(
            short_title(defect),
            *(MISSING if cell is None else _value(cell.spearman) for cell in cells),
            *(MISSING if cell is None else _range(cell.spearman) for cell in cells[-1:]),
            *(MISSING if cell is None else _cross(cell.cross_class) for cell in cells),
            *(MISSING if cell is None else _cross(cell.cross_class_authors) for cell in cells[-1:]),
        )
    table.add_section()
    for title, flag in (("Mean w/o composition", False), ("Mean", True)):
        table.add_row(
            title,
            *(_number(evaluation.mean(source, with_composition=flag)) for source in sources),
            "",
            *(_number(evaluation.mean_cross_class(source, with_composition=flag)) + " " * 5 for source in sources),
        )
    console.print(table)
    for why in evaluation.undefined:
        console.print(why)
    console.print()
    table = _table("Calibration of the combined score", *(short_title(defect) for defect in DEFECTS))
    for title, name in (
        ("expected error", "expected_error"),
        ("absolute error", "absolute_error"),
        ("bias", "bias"),
    ):
        values = [evaluation.calibration.get(defect.key) for defect in DEFECTS]
        table.add_row(title, *(MISSING if one is None else _number(getattr(one, name)) for one in values))
    console.print(table)
    console.print()
    table = _table("How often it is told", *(short_title(defect) for defect in DEFECTS))
    for title, name, digits in (
        ("called mild or worse", "mild", 3),
        ("mean vote of 0.5 and more", "said", 3),
        ("called severe", "severe", 3),
        ("mean vote of 0.75 and more", "said_severe", 3),
        ("severe with a vote of 0.5", "precision", 2),
        ("AUC, 0.5 and more against 0", "auc", 3),
    ):
        shares = [evaluation.told.get(defect.key) for defect in DEFECTS]
        table.add_row(title, *(MISSING if one is None else _number(getattr(one, name), digits) for one in shares))
    console.print(table)
    if evaluation.annotators:
        console.print()
        table = _table("Single annotators", "annotators", "outperformed", "mean difference", "left out")
        for key, comparison in evaluation.annotators.items():
            differences = [one.difference for one in comparison.annotators]
            mean = sum(differences) / len(differences)
            share = f"{comparison.beaten:.0%}"
            table.add_row(
                short_title(BY_KEY[key]), str(len(differences)), share, f"{mean:+.3f}", str(comparison.left_out)
            )
        console.print(table)
        names = {one.name for comparison in evaluation.annotators.values() for one in comparison.annotators}
        if len(names) <= NAMED_ANNOTATORS:
            console.print()
            _write_single(console, evaluation, sorted(names))


def _write_single(console: Console, evaluation: Evaluation, names: Sequence[str]) -> None:
    """Each annotator's agreement with the others, and that of the predictions on the same photos."""
    table = _table("Agreement with the others of", *(short_title(defect) for defect in DEFECTS))
    for name in names:
        for title, field in ((printable(name), "own"), (f"predictions, for {printable(name)}", "predicted")):
            found = [
                next((one for one in comparison.annotators if one.name == name), None)
                if (comparison := evaluation.annotators.get(defect.key))
                else None
                for defect in DEFECTS
            ]
            table.add_row(title, *(MISSING if one is None else _number(getattr(one, field)) for one in found))
    console.print(table)


def write_benchmark(stream: TextIO, result: BenchmarkResult) -> None:
    """Every set, their means, specificity, and what is said of good photographs."""
    console = _console(stream)
    console.print(
        f"{printable(result.origin)} ({result.source}) on {printable(result.manifest)}, split {printable(result.split)}"
    )
    console.print()
    table = _table("Set", "defect", "metric", "score", "95 %", "far", "across", "scenes", "photos")
    for one in result.sets:
        table.add_row(
            printable(one.set),
            short_title(BY_KEY[one.defect]),
            one.metric,
            _number(one.score.value),
            _range(one.score),
            _number(one.far),
            _number(one.across),
            str(one.scenes),
            str(one.photos),
        )
    console.print(table)
    console.print()
    table = _table("Mean over sets", "group", "metric", "mean", "across", "sets", "scenes")
    for mean in result.summary:
        table.add_row(
            short_title(BY_KEY[mean.defect]),
            printable(mean.group),
            mean.metric,
            _number(mean.mean),
            _number(mean.across),
            str(mean.sets),
            str(mean.scenes),
        )
    console.print(table)
    console.print()
    table = _table("Scores that follow a set", "varies", *(short_title(defect) for defect in DEFECTS), "cross-talk")
    for follower in result.specificity:
        values = [_number(follower.follows[defect.key], 2) for defect in DEFECTS]
        table.add_row(
            printable(follower.set), short_title(BY_KEY[follower.defect]), *values, _number(follower.cross_talk, 2)
        )
    console.print(table)
    if result.good:
        console.print()
        table = _table("Good photographs", *(short_title(defect) for defect in DEFECTS))
        for title, name in (("called severe", "severe"), ("called mild or worse", "mild"), ("median", "median")):
            ones = [result.good.get(defect.key) for defect in DEFECTS]
            table.add_row(title, *(MISSING if one is None else _number(getattr(one, name), 2) for one in ones))
        console.print(table)


def _console(stream: TextIO) -> Console:
    console = console_on(stream, soft_wrap=True)
    console.width = max(console.width, LEAST_WIDTH)
    return console


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold", show_edge=False)
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _number(value: float | None, digits: int = 3) -> str:
    return MISSING if value is None else f"{round(value, digits) + 0.0:.{digits}f}"


def _value(estimate: Estimate | None) -> str:
    return _number(None if estimate is None else estimate.value)


def _range(estimate: Estimate | None) -> str:
    return MISSING if estimate is None else f"{estimate.low:.2f}..{estimate.high:.2f}"


def _cross(cell: CrossClass | None) -> str:
    return MISSING if cell is None else f"{cell.mean:.3f}±{cell.deviation:.2f}"
