"""What a person sees of a training run."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from photodefect.training.listener import StepReport
from photodefect.training.progress import TrainingProgress
from photodefect.training.validation import ValidationLoss


def report(step: int, loss: float = 2.0) -> StepReport:
    return StepReport("holistic", step, 100, {"noise": loss, "bad_exposure": 1.0}, 1e-4, seconds=36.0)


def test_elsewhere_than_on_a_terminal_lines_come_now_and_then() -> None:
    text = StringIO()
    progress = TrainingProgress(Console(file=text, width=60))
    for step in range(1, 100):
        progress.step(report(step))
    progress.close()
    assert text.getvalue() == (
        "holistic: step 1/100, loss 3.000 (noise 2.000, exposure 1.000), rate 0.0001, 36.00 s a step, 0:59:24 left\n"
    )
    progress.step(report(100))
    assert text.getvalue().count("\n") == 2, "the last step is always told"


def test_on_a_terminal_a_display_is_drawn_in_place_and_taken_away() -> None:
    text = StringIO()
    progress = TrainingProgress(Console(file=text, width=100, force_terminal=True, _environ={"TERM": "xterm"}))
    progress.step(report(50))
    drawn = text.getvalue()
    assert "holistic 50/100" in drawn
    assert "0:30:00 left" in drawn
    assert "noise 2.000" in drawn
    progress.validated("holistic", 50, ValidationLoss({"noise": 1.5, "bad_exposure": 0.5}), improved=True)
    assert "after step 50 validation loss 1.0000" in text.getvalue()
    progress.close()
    assert text.getvalue().endswith("\x1b[?25h") or "\x1b[2K" in text.getvalue()[len(drawn) :]


def test_losses_are_shown_as_a_running_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("photodefect.training.progress.LINE_S", -1.0)
    text = StringIO()
    progress = TrainingProgress(Console(file=text, width=60))
    progress.step(report(1, loss=2.0))
    progress.step(report(2, loss=4.0))
    assert "noise 2.100" in text.getvalue().splitlines()[1]


def test_an_escape_sequence_in_a_message_never_reaches_the_terminal_raw() -> None:
    text = StringIO()
    TrainingProgress(Console(file=text)).say("the photo \x1b[31mred.jpg", warning=True)
    assert "\x1b" not in text.getvalue()
    assert "\\x1b[31mred.jpg" in text.getvalue()
