"""The table of a ranking for people: one line a photo, and below it what is wrong and what to do about it."""

from __future__ import annotations

import textwrap
from typing import Final, TextIO

from rich.text import Text

from photodefect.defects import BY_KEY
from photodefect.printable import console_on, printable
from photodefect.ranking.hints.advice import Finding
from photodefect.ranking.overall import OVERALL, RankedPhoto, Ranking, number
from photodefect.reports.table import STYLES, short_title

_RANK: Final = 5
_TAKEN: Final = len("2024-05-01 12:30") + 2
_VERDICT: Final = 9
_INDENT: Final = " " * (_RANK + 2)
_NOT_APPLICABLE: Final = "n/a"


class RankTableWriter:
    """Writes rank, value, verdict and path; paths are never cut, hints are wrapped on a terminal.

    Photos of a burst or another set that come one after the other stand below a line that names it.

    Args:
        stream: where to.
        by: ``overall`` or the key of the defect that photos are ranked by.
        dated: with the time that each photo was taken.
    """

    def __init__(self, stream: TextIO, by: str = OVERALL, *, dated: bool = False) -> None:
        self._console = console_on(stream, soft_wrap=True)
        self._title = OVERALL if by == OVERALL else short_title(BY_KEY[by]).lower()
        self._column = max(len(self._title), len("+0.00"))
        self._by = by
        self._taken = _TAKEN if dated else 0
        self._started = False
        self._group: list[RankedPhoto] = []

    def write(self, photo: RankedPhoto) -> None:
        """Take one photo; it is written once it is known whether the next one is of the same burst."""
        if self._group and _burst_of(self._group[0]) != _burst_of(photo):
            self._write_group()
        self._group.append(photo)
        if _burst_of(photo) is None:
            self._write_group()

    def close(self) -> None:
        """Write what is left."""
        self._write_group()

    def _write_group(self) -> None:
        group, self._group = self._group, []
        if group and not self._started:
            self._started = True
            taken = f"{'taken':<{self._taken}}" if self._taken else ""
            heading = f"{'rank':>{_RANK}}  {self._title:>{self._column}}  {'verdict':<{_VERDICT}}{taken}photo"
            self._console.print(Text(heading, "bold"))
        burst = _burst_of(group[0]) if group else None
        together = burst is not None and len(group) > 1
        if burst is not None and together:
            some = "" if len(group) == burst[2] else f"{len(group)} of "
            self._console.print(Text(f"{_INDENT}{burst[0]} {burst[1]}, {some}{burst[2]} photos:", "bold"))
        for photo in group:
            self._write_photo(photo, together=together)
        self._console.file.flush()

    def _write_photo(self, photo: RankedPhoto, *, together: bool) -> None:
        path = Text(printable(photo.path), "bold")
        if photo.ranking is None:
            message = "" if photo.error is None else printable(photo.error.message)
            self._console.print(self._start("-", "-", "failed", "") + path + Text(f": {message}"))
        else:
            self._write_ranked(photo, photo.ranking, path, together=together)

    def _write_ranked(self, photo: RankedPhoto, ranking: Ranking, path: Text, *, together: bool) -> None:
        rank = "-" if ranking.rank is None else str(ranking.rank)
        clock = None if photo.capture is None else photo.capture.clock
        taken = "" if clock is None else f"{clock:%Y-%m-%d %H:%M}"
        line = self._start(rank, self._value(ranking.value), photo.verdict or "good", taken) + path
        notes = ["monochrome"] if photo.monochrome else []
        if photo.not_photograph is not None:
            notes.append("no photograph")
        if ranking.burst is not None:
            place = f"{ranking.burst.place} of {ranking.burst.size}"
            notes.append(place if together else f"{ranking.burst.kind} {ranking.burst.number}, {place}")
        if notes:
            line.append(f"  ({'; '.join(notes)})", "dim")
        self._console.print(line)
        if ranking.left_out is not None:
            self._console.print(Text(f"{_INDENT}left out: {printable(ranking.left_out)}", "magenta"))
        for finding in ranking.findings:
            self._write_finding(finding)

    def _start(self, rank: str, value: str, verdict: str, taken: str) -> Text:
        return Text.assemble(
            f"{rank:>{_RANK}}  {value:>{self._column}}  ",
            (f"{verdict:<{_VERDICT}}", STYLES[verdict]),
            f"{taken:<{self._taken}}",
        )

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


def _burst_of(photo: RankedPhoto) -> tuple[str, int, int] | None:
    """Kind, number and size of the series that a photo is in; None if it is in none."""
    burst = None if photo.ranking is None else photo.ranking.burst
    return None if burst is None else (burst.kind, burst.number, burst.size)
