"""Losses and rates as TensorBoard logs."""

from __future__ import annotations

from pathlib import Path

from photodefect.core.network.registry import Kind
from photodefect.extras import require
from photodefect.training.listener import Listener, StepReport
from photodefect.training.settings import SettingError
from photodefect.training.validation import ValidationLoss

EVERY = 10
"""Steps between two points of a curve."""


class TensorBoard(Listener):
    """Writes scalars by the number of the step, so that a resumed run goes on with its curves.

    Args:
        folder: where the logs go.

    Raises:
        SettingError: TensorBoard isn't installed.
    """

    def __init__(self, folder: Path) -> None:
        require("tensorboard", "torch.utils.tensorboard", what="--tensorboard", error=SettingError)
        from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415 - an extra

        self._folder = folder
        self._make = SummaryWriter
        self._writer: SummaryWriter | None = None

    def _scalars(self, kind: Kind, step: int, values: dict[str, float]) -> None:
        if self._writer is None:  # not before there is something to write: nothing is left of a run that never began
            self._writer = self._make(str(self._folder))
        for name, value in values.items():
            self._writer.add_scalar(f"{kind}/{name}", value, step)

    def step(self, report: StepReport) -> None:
        """See :class:`Listener`."""
        if report.step % EVERY == 0:
            values = {f"loss/{key}": loss for key, loss in report.losses.items()}
            rest = {"loss/all": report.loss, "learning_rate": report.learning_rate, "seconds_a_step": report.seconds}
            self._scalars(report.kind, report.step, values | rest)

    def validated(self, kind: Kind, step: int, found: ValidationLoss, *, improved: bool) -> None:  # noqa: ARG002
        """See :class:`Listener`."""
        values = {f"validation/{key}": loss for key, loss in found.losses.items()}
        self._scalars(kind, step, values | {"validation/mean": found.loss})

    def close(self) -> None:
        """See :class:`Listener`."""
        if self._writer is not None:
            self._writer.close()
