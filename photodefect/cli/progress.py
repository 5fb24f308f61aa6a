"""A progress line on the terminal for a long run."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.control import Control
from rich.segment import ControlType

from photodefect.printable import console_on

if TYPE_CHECKING:
    from rich.progress import Progress

PATIENCE_S: Final = 1.0
"""How long a run may take before it shows its progress."""

REFRESH_S: Final = 0.1
"""The line is drawn no more often than this, unless it was taken away."""


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
        self._progress: Progress | None = None
        if enabled and self._console.is_terminal and not self._console.is_dumb_terminal:
            from photodefect.cli.progress_bar import progress_bar  # noqa: PLC0415  programs see none, and don't wait for it

            self._progress = progress_bar(self._console)
            self._progress.add_task(what, total=total)
        self._started = time.monotonic()
        self._drawn: float | None = None
        self._visible = False

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._drawn is not None and self._progress is not None:
            self.hide()
            self._progress.stop()

    def advance(self) -> None:
        """One step is done."""
        if self._progress is None:
            return
        self._progress.advance(self._progress.task_ids[0])
        now = time.monotonic()
        if now - self._started < PATIENCE_S:
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
