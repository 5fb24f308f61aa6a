"""The table of a ranking for people: one line a photo, and below it what is wrong and what to do about it."""

from __future__ import annotations

import textwrap
from typing import Final, TextIO

from rich.console import Console
from rich.text import Text

from photodefect.defects import BY_KEY
from photodefect.printable import printable
from photodefect.ranking.hints.advice import Finding
from photodefect.ranking.overall import OVERALL, RankedPhoto, Ranking, number
from photodefect.reports.table import STYLES, short_title

_RANK: Final = 5
_VERDICT: Final = 9
_INDENT: Final = " " * (_RANK + 2)
_NOT_APPLICABLE: Final = "n/a"


class RankTableWriter:
    """Writes rank, value, verdict and path; paths are never cut, hints are wrapped on a terminal.

    Args:
        stream: where to.
        by: ``overall`` or the key of the defect that photos are ranked by.
    """

    def __init__(self, stream: TextIO, by: str = OVERALL) -> None:
        self._console = Console(file=stream, highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._title = OVERALL if by == OVERALL else short_title(BY_KEY[by]).lower()
        self._column = max(len(self._title), len("+0.00"))
        self._by = by
        self._started = False

    def write(self, photo: RankedPhoto) -> None:
        """Write one photo, and flush it."""
        if not self._started:
            self._started = True
            heading = f"{'rank':>{_RANK}}  {self._title:>{self._column}}  {'verdict':<{_VERDICT}}photo"
            self._console.print(Text(heading, "bold"))
        path = Text(printable(photo.path), "bold")
        if photo.ranking is None:
            message = "" if photo.error is None else printable(photo.error.message)
            self._console.print(self._start("-", "-", "failed") + path + Text(f": {message}"))
        else:
            self._write_ranked(photo, photo.ranking, path)
        self._console.file.flush()

    def close(self) -> None:
        """Nothing is left to write."""

    def _write_ranked(self, photo: RankedPhoto, ranking: Ranking, path: Text) -> None:
        rank = "-" if ranking.rank is None else str(ranking.rank)
        line = self._start(rank, self._value(ranking.value), photo.verdict or "good") + path
        notes = ["monochrome"] if photo.monochrome else []
        if photo.not_photograph is not None:
            notes.append("no photograph")
        if ranking.burst is not None:
            notes.append(f"{ranking.burst.kind} {ranking.burst.number}, {ranking.burst.place} of {ranking.burst.size}")
        if notes:
            line.append(f"  ({'; '.join(notes)})", "dim")
        self._console.print(line)
        if ranking.left_out is not None:
            self._console.print(Text(f"{_INDENT}left out: {printable(ranking.left_out)}", "magenta"))
        for finding in ranking.findings:
            self._write_finding(finding)

    def _start(self, rank: str, value: str, verdict: str) -> Text:
        return Text.assemble(f"{rank:>{_RANK}}  {value:>{self._column}}  ", (f"{verdict:<{_VERDICT}}", STYLES[verdict]))

    def _value(self, value: float | None) -> str:
        if value is None:
            return _NOT_APPLICABLE
        return number(self._by, value)

    def _write_finding(self, finding: Finding) -> None:
        start = f"{short_title(BY_KEY[finding.defect]).lower()} {number(finding.defect, finding.severity)}"
        if finding.percentile is not None:
            start += f" (above {finding.percentile} %)"
        text = start if finding.hint is None else f"{start}: {finding.hint}"
        lines = [text]
        if self._console.is_terminal:
            width = max(40, self._console.width - len(_INDENT) - 2)
            lines = textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
        for row, line in enumerate(lines):
            styled = Text(_INDENT + ("  " if row else "") + line)
            if row == 0:
                styled.stylize(STYLES[finding.grade], len(_INDENT), len(_INDENT) + len(start))
            self._console.print(styled)
