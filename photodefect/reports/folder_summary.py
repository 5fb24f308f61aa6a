"""The summary of a folder as text for people: counts, histograms, the worst photos, and groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, TextIO

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from photodefect.defects import BY_KEY
from photodefect.photos.places import Kind, some_passed_over
from photodefect.printable import printable
from photodefect.ranking.overall import OVERALL, number
from photodefect.ranking.summary import FolderSummary, GroupSummary
from photodefect.reports.table import BARS, STYLES, short_title
from photodefect.verdicts import VERDICTS

_WIDTH: Final = 100
"""Columns where no terminal says how many there are."""


def write_summary(stream: TextIO, summary: FolderSummary) -> None:
    """Write a summary as text.

    Args:
        stream: where to.
        summary: of a folder.
    """
    console = Console(file=stream, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _WIDTH
    bars = "utf" in console.encoding.lower()
    _line(console, f"{summary.photos} photos: " + _counts(summary.verdicts))
    if summary.graphics:
        _line(console, f"{summary.graphics} more left out: no photographs")
    if summary.failed:
        _line(console, f"{summary.failed} more could not be diagnosed", STYLES["failed"])
    if summary.passed_over:
        told = some_passed_over({Kind[name.upper()]: number for name, number in summary.passed_over.items()})
        _line(console, f"passed over: {told}")
    _write_defects(console, summary, bars=bars)
    _write_worst(console, summary)
    for title, groups in (
        ("sub-folder", summary.by_folder),
        ("camera", summary.by_camera),
        ("ISO", summary.by_iso),
    ):
        if len(groups) > 1:
            _write_groups(console, title, groups)


def _line(console: Console, text: str, style: str = "") -> None:
    # Paths are not cut, and a terminal may wrap them itself.
    console.print(Text(text.rstrip(), style), soft_wrap=True)


def _counts(verdicts: Mapping[str, int]) -> str:
    return ", ".join(f"{verdicts[name]} {name}" for name in VERDICTS)


def _table(*columns: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for place, column in enumerate(columns):
        table.add_column(column, justify="right" if place else "left", overflow="fold")
    return table


def _write_defects(console: Console, summary: FolderSummary, *, bars: bool) -> None:
    table = _table("defect", *VERDICTS, "n/a")
    table.add_column("too little / too much", justify="right")
    table.add_column("severity, in steps of 0.1", justify="left", overflow="fold")
    for it in summary.defects:
        direction = "" if it.too_little is None else f"{it.too_little} / {it.too_much}"
        name = short_title(BY_KEY[it.defect]).lower()
        counts = [str(it.grades[verdict]) for verdict in VERDICTS]
        table.add_row(name, *counts, str(it.not_applicable or ""), direction, _histogram(it.histogram, bars=bars))
    table.add_row(
        OVERALL,
        *(str(summary.verdicts[verdict]) for verdict in VERDICTS),
        "",
        "",
        _histogram(summary.overall, bars=bars),
    )
    console.print(table)


def _histogram(counts: Sequence[int], *, bars: bool) -> str:
    """A bar a step; a single photo shows even beside thousands."""
    signed = len(counts) > 10
    if not bars:
        return ",".join(map(str, counts))
    largest = max(counts, default=0) or 1
    drawn = "".join(BARS[0 if count == 0 else max(1, round(count / largest * (len(BARS) - 1)))] for count in counts)
    return f"{-1 if signed else 0} {drawn} 1"


def _write_worst(console: Console, summary: FolderSummary) -> None:
    for it in summary.defects:
        if not it.worst:
            continue
        _line(console, f"worst {short_title(BY_KEY[it.defect]).lower()}", "bold")
        for path, severity in it.worst:
            _line(console, f"  {number(it.defect, severity)}  {printable(path)}")


def _write_groups(console: Console, title: str, groups: Sequence[GroupSummary]) -> None:
    table = _table(title, "photos", *VERDICTS, "mean overall")
    table.add_column("most have", justify="left")
    for group in groups:
        commonest = "" if group.commonest is None else short_title(BY_KEY[group.commonest]).lower()
        counts = [str(group.verdicts[verdict]) for verdict in VERDICTS]
        table.add_row(Text(printable(group.name)), str(group.photos), *counts, f"{group.overall:.2f}", commonest)
    console.print(table)
