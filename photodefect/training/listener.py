"""The listener of a training run: it is told what happens while the run goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from photodefect.core.network.registry import Kind

if TYPE_CHECKING:
    from photodefect.training.validation import ValidationLoss


@dataclass(frozen=True)
class StepReport:
    """One step.

    Attributes:
        kind: which network.
        step: steps done.
        steps: steps in all.
        losses: by defect key, of the defects that had samples.
        learning_rate: of the trunk.
        seconds: that a step takes, the mean since the run was begun or resumed.
    """

    kind: Kind
    step: int
    steps: int
    losses: Mapping[str, float]
    learning_rate: float
    seconds: float

    @property
    def loss(self) -> float:
        """Sum over the defects, all weighted the same (section 4.1)."""
        return sum(self.losses.values())

    @property
    def seconds_left(self) -> float:
        """Until all steps are done."""
        return (self.steps - self.step) * self.seconds


class Listener:
    """Hears nothing; those that do something override what they are interested in."""

    def step(self, report: StepReport) -> None:
        """A step is done."""

    def validated(self, kind: Kind, step: int, found: ValidationLoss, *, improved: bool) -> None:
        """The validation photos were looked at; ``improved``: never was the loss lower."""

    def say(self, message: str, *, warning: bool = False) -> None:
        """Something worth knowing."""

    def close(self) -> None:
        """Nothing follows."""


class Listeners(Listener):
    """Tells several.

    Args:
        listeners: in the order in which they are told.
    """

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._listeners = listeners

    def step(self, report: StepReport) -> None:
        """See :class:`Listener`."""
        for listener in self._listeners:
            listener.step(report)

    def validated(self, kind: Kind, step: int, found: ValidationLoss, *, improved: bool) -> None:
        """See :class:`Listener`."""
        for listener in self._listeners:
            listener.validated(kind, step, found, improved=improved)

    def say(self, message: str, *, warning: bool = False) -> None:
        """See :class:`Listener`."""
        for listener in self._listeners:
            listener.say(message, warning=warning)

    def close(self) -> None:
        """See :class:`Listener`."""
        for listener in self._listeners:
            listener.close()
