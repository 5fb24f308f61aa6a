"""A progress line on the terminal for a long run."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Final

from rich.console import Console
from rich.control import Control
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.segment import ControlType
from rich.text import Text

from photodefect.printable import console_on

PATIENCE_S: Final = 1.0
"""How long a run may take before it shows its progress."""

REFRESH_S: Final = 0.1
"""The line is drawn no more often than this, unless it was taken away."""


class _Rate(ProgressColumn):
    """Photos a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.1f}/s" if speed >= 1 else f"{1 / speed:.1f} s each")


class ProgressLine:
    """One line on stderr with a bar, the rate and the time left. It shows only on a terminal, and only after a second.

    Data may go to the same terminal between two steps: :meth:`hide` takes the line away first.

    Args:
        total: number of steps.
        enabled: False shows nothing at all.
        console: where to; stderr if None.
        what: stands before the bar.
    """

    def __init__(
        self, total: int, *, enabled: bool = True, console: Console | None = None, what: str = "diagnosing"
    ) -> None:
        self._console = console or console_on()
        self._enabled = enabled and self._console.is_terminal and not self._console.is_dumb_terminal
        # No refreshing thread: it would draw between the pieces of a record on the same terminal.
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(),
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._progress.add_task(what, total=total)
        self._started = time.monotonic()
        self._drawn: float | None = None
        self._visible = False

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._drawn is not None:
            self.hide()
            self._progress.stop()

    def advance(self) -> None:
        """One step is done."""
        self._progress.advance(self._task)
        now = time.monotonic()
        if not self._enabled or now - self._started < PATIENCE_S:
            return
        if self._drawn is None:
            self._progress.start()
        elif self._visible and now - self._drawn < REFRESH_S:
            return
        else:
            self._progress.refresh()
        self._drawn, self._visible = now, True

    def hide(self) -> None:
        """Take the line away until the next step."""
        if self._visible:
            self._console.control(Control(ControlType.CARRIAGE_RETURN, (ControlType.ERASE_IN_LINE, 2)))
            self._visible = False
