"""The progress of a training run, for people: a live display on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from photodefect.core.network.registry import Kind
from photodefect.defects import BY_KEY
from photodefect.printable import printable
from photodefect.training.listener import Listener, StepReport
from photodefect.training.validation import ValidationLoss

LINE_S: Final = 10.0
"""Seconds between two plain lines."""

DRAW_S: Final = 0.25
"""Seconds between two drawings of the live display."""

MEMORY: Final = 0.95
"""Losses are shown as a running mean: single batches differ much."""


class TrainingProgress(Listener):
    """Shows losses by defect, the pace and the time left.

    Args:
        console: where to. A terminal gets a live display, anything else a line every :data:`LINE_S` seconds.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True) if _is_live(console) else None
        self._means: dict[tuple[Kind, str], float] = {}
        self._shown: float | None = None

    def step(self, report: StepReport) -> None:
        """See :class:`Listener`."""
        for key, loss in report.losses.items():
            before = self._means.get((report.kind, key), loss)
            self._means[report.kind, key] = MEMORY * before + (1 - MEMORY) * loss
        now = time.monotonic()
        pause = DRAW_S if self._live else LINE_S
        if self._shown is not None and now - self._shown < pause and report.step != report.steps:
            return
        self._shown = now
        if self._live is None:
            self._console.print(Text(self._line(report)), soft_wrap=True)
            return
        self._live.start()
        self._live.update(self._display(report), refresh=True)

    def validated(self, kind: Kind, step: int, found: ValidationLoss, *, improved: bool) -> None:
        """See :class:`Listener`."""
        verdict = "the best so far" if improved else "no better"
        self.say(f"{kind}: after step {step} validation loss {found.loss:.4f} ({_by_defect(found.losses)}), {verdict}")

    def say(self, message: str, *, warning: bool = False) -> None:
        """See :class:`Listener`."""
        self._console.print(Text(printable(message), "yellow" if warning else ""), soft_wrap=True)

    def close(self) -> None:
        """See :class:`Listener`."""
        if self._live is not None:
            self._live.stop()

    def _own(self, report: StepReport) -> dict[str, float]:
        return {key: mean for (kind, key), mean in self._means.items() if kind == report.kind}

    def _line(self, report: StepReport) -> str:
        means = self._own(report)
        return (
            f"{report.kind}: step {report.step}/{report.steps}, loss {sum(means.values()):.3f} ({_by_defect(means)}), "
            f"{_pace(report)}"
        )

    def _display(self, report: StepReport) -> Group:
        means = self._own(report)
        head = Table.grid(padding=(0, 1), expand=True)
        head.add_column(no_wrap=True)
        head.add_column(ratio=1)
        head.add_column(no_wrap=True)
        head.add_row(
            f"{report.kind} {report.step}/{report.steps}",
            ProgressBar(report.steps, report.step),
            _pace(report),
        )
        return Group(head, Text(f"loss {sum(means.values()):.3f} ({_by_defect(means)})"))


def _is_live(console: Console) -> bool:
    return console.is_terminal and not console.is_dumb_terminal


def _by_defect(losses: Mapping[str, float]) -> str:
    return ", ".join(f"{BY_KEY[key].title.removeprefix('Bad ').lower()} {loss:.3f}" for key, loss in losses.items())


def _pace(report: StepReport) -> str:
    left = timedelta(seconds=round(report.seconds_left))
    return f"rate {report.learning_rate:.2g}, {report.seconds:.2f} s a step, {left} left"
