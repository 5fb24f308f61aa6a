"""The table for people: two lines a photo, readable at 80 columns and more, colours only on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TextIO

from rich.console import Console
from rich.text import Text

from photodefect.defects import BY_KEY, DEFECTS, Defect
from photodefect.printable import printable
from photodefect.records import Diagnosis
from photodefect.verdicts import DEFAULT_THRESHOLDS, grades

STYLES: Final[Mapping[str, str]] = {"good": "green", "mild": "yellow", "severe": "bold red", "failed": "magenta"}
BARS: Final = " ▁▂▃▄▅▆▇█"
LABEL_WIDTH: Final = 12
CELL_WIDTH: Final = len("-0.31 ▃")
PHOTOS_PER_HEADER: Final = 20
WIDE: Final = 90
"""Columns from which on the table is set wider."""


def short_title(defect: Defect) -> str:
    """A defect's name without the judgement in it."""
    return defect.short_title


class TableWriter:
    """Writes verdict, worst defect and path on one line, the seven severities below.

    Paths are never cut. On a terminal the header comes back every :data:`PHOTOS_PER_HEADER` photos.

    Args:
        stream: where to.
        detail: with both networks' own scores and the percentiles.
    """

    def __init__(self, stream: TextIO, detail: bool = False) -> None:
        self._console = Console(file=stream, highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._bars = "utf" in self._console.encoding.lower()
        gap = 2 if not self._console.is_terminal or self._console.width >= WIDE else 1
        self._widths = {
            defect.key: gap + max(CELL_WIDTH, *(len(word) for word in short_title(defect).split()))
            for defect in DEFECTS
        }
        self._detail = detail
        self._count = 0

    def write(self, diagnosis: Diagnosis) -> None:
        """Write one photo, and flush it."""
        if self._count == 0 or (self._console.is_terminal and self._count % PHOTOS_PER_HEADER == 0):
            self._write_header()
        self._count += 1
        path = Text(printable(diagnosis.path), style="bold")
        if diagnosis.error is not None or diagnosis.severity is None:
            message = "" if diagnosis.error is None else printable(diagnosis.error.message)
            self._print(self._headline("failed", "") + path + Text(f": {message}"))
        else:
            self._write_diagnosed(diagnosis, diagnosis.severity, path)
        self._console.file.flush()

    def close(self) -> None:
        """Nothing is left to write."""

    def _print(self, line: Text) -> None:
        if self._console.is_terminal:
            self._console.print(line)
        else:  # what nobody colours needs no rendering, which takes most of the time
            self._console.file.write(f"{line.plain}\n")

    def _write_header(self) -> None:
        titles = {defect.key: short_title(defect).split() for defect in DEFECTS}
        height = max(len(words) for words in titles.values())
        for line in range(height):
            text = " " * LABEL_WIDTH
            for key, words in titles.items():
                row = line - (height - len(words))
                # Values are right-aligned before their bar, and so is the header above them.
                text += (words[row] if row >= 0 else "").rjust(self._widths[key])
            self._print(Text(text.rstrip(), style="bold"))

    def _write_diagnosed(self, diagnosis: Diagnosis, severity: Mapping[str, float], path: Text) -> None:
        worst = "" if diagnosis.worst is None else short_title(BY_KEY[diagnosis.worst]).lower()
        verdict = diagnosis.verdict or "good"
        line = self._headline(verdict, worst if verdict != "good" else "") + path
        if diagnosis.monochrome:
            line.append("  (monochrome)", "dim")
        if diagnosis.not_photograph is not None:
            line.append(f"  (no photograph: {printable(diagnosis.not_photograph)})", "dim")
        self._print(line)
        thresholds = diagnosis.thresholds or DEFAULT_THRESHOLDS
        groups = {"": severity}
        if self._detail:
            groups |= {"holistic": diagnosis.holistic or {}, "patches": diagnosis.patches or {}}
        for label, scores in groups.items():
            graded = grades(scores, thresholds, monochrome=bool(diagnosis.monochrome))
            self._write_scores(label, scores, {key: STYLES[grade] for key, grade in graded.items() if grade != "good"})
        if self._detail and diagnosis.percentile is not None:
            self._write_percentiles(diagnosis.percentile)

    def _headline(self, verdict: str, worst: str) -> Text:
        widest = max(len(short_title(defect)) for defect in DEFECTS)
        return Text.assemble((f"{verdict:<8}", STYLES[verdict]), f"{worst:<{widest}}  ")

    def _write_scores(self, label: str, scores: Mapping[str, float], styles: Mapping[str, str]) -> None:
        line = Text(f"  {label}".ljust(LABEL_WIDTH))
        for defect in DEFECTS:
            cell = self._cell(defect, scores.get(defect.key))
            line.append(" " * (self._widths[defect.key] - len(cell)))
            line.append(cell, styles.get(defect.key, ""))
        line.rstrip()
        self._print(line)

    def _write_percentiles(self, percentile: Mapping[str, int]) -> None:
        text = "  percentile".ljust(LABEL_WIDTH)
        for defect in DEFECTS:
            value = f"{percentile[defect.key]} %" if defect.key in percentile else ""
            text += value.rjust(self._widths[defect.key])
        self._print(Text(text.rstrip(), style="dim"))

    def _cell(self, defect: Defect, score: float | None) -> str:
        if score is None:
            return ""
        number = defect.format(score)
        return f"{number} {BARS[round(abs(score) * (len(BARS) - 1))]}" if self._bars else number
