"""The progress line: for a person at a terminal, after a second, and never in the way of the data."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from photodefect.cli import progress
from photodefect.cli.progress import PATIENCE_S, REFRESH_S, ProgressLine


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


@pytest.fixture
def stderr() -> io.StringIO:
    return io.StringIO()


def line(stderr: io.StringIO, *, terminal: bool = True, enabled: bool = True) -> ProgressLine:
    console = Console(file=stderr, force_terminal=terminal, width=100, _environ={"TERM": "xterm"})
    return ProgressLine(10, enabled=enabled, console=console)


def steps(shown: ProgressLine, clock: Clock, seconds: float, count: int = 1) -> None:
    for _ in range(count):
        clock.now += seconds
        shown.advance()


def test_nothing_is_shown_for_work_that_takes_less_than_a_second(clock: Clock, stderr: io.StringIO) -> None:
    with line(stderr) as shown:
        steps(shown, clock, PATIENCE_S / 10, 9)
    assert stderr.getvalue() == ""


def test_after_a_second_it_says_how_far_the_work_is(clock: Clock, stderr: io.StringIO) -> None:
    with line(stderr) as shown:
        steps(shown, clock, PATIENCE_S / 2, 4)
        assert "4/10" in stderr.getvalue()


def test_it_is_drawn_no_more_often_than_an_eye_follows(clock: Clock, stderr: io.StringIO) -> None:
    with line(stderr) as shown:
        steps(shown, clock, PATIENCE_S)
        drawn = len(stderr.getvalue())
        steps(shown, clock, REFRESH_S / 100, 5)
        assert len(stderr.getvalue()) == drawn
        steps(shown, clock, REFRESH_S)
        assert "7/10" in stderr.getvalue()[drawn:]


def test_hiding_erases_the_line_and_the_next_step_draws_it_again(clock: Clock, stderr: io.StringIO) -> None:
    with line(stderr) as shown:
        shown.hide()
        assert stderr.getvalue() == ""
        steps(shown, clock, PATIENCE_S)
        shown.hide()
        assert stderr.getvalue().endswith("\r\x1b[2K")
        drawn = len(stderr.getvalue())
        steps(shown, clock, 0)
        assert "2/10" in stderr.getvalue()[drawn:]


def test_nothing_is_left_when_the_work_is_done(clock: Clock, stderr: io.StringIO) -> None:
    with line(stderr) as shown:
        steps(shown, clock, PATIENCE_S, 10)
    assert stderr.getvalue().rstrip("\x1b[?25h").endswith("\x1b[2K")


@pytest.mark.parametrize(("terminal", "enabled"), [(False, True), (True, False)])
def test_nothing_is_shown_elsewhere_than_on_a_terminal_or_when_unwanted(
    clock: Clock, stderr: io.StringIO, terminal: bool, enabled: bool
) -> None:
    with line(stderr, terminal=terminal, enabled=enabled) as shown:
        steps(shown, clock, PATIENCE_S, 10)
    assert stderr.getvalue() == ""
