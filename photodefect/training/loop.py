"""The training loop: one network, from its first weights to its best ones."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from photodefect.core.batches import Batch, Loss
from photodefect.core.losses import defect_losses, infogain_matrices
from photodefect.core.network.multicolumn import MultiColumnNetwork
from photodefect.core.network.registry import Kind
from photodefect.training.checkpoint import Checkpoint, Progress, random_state, save_checkpoint, set_random_state
from photodefect.training.initial import needs_standardization, standardize
from photodefect.training.listener import Listener, StepReport
from photodefect.training.samples import Batches, SampleReader
from photodefect.training.settings import Recipe, Settings
from photodefect.training.shares import Share, place_dropout, share_network, share_of
from photodefect.training.team import ALONE, Team
from photodefect.training.validation import validation_loss

STANDARDIZATION_SAMPLES: Final = 512
"""Samples that tell the scale of descriptors before training begins; a small set has fewer to tell."""


class Split(NamedTuple):
    """Indices of photos.

    Attributes:
        training: (n,).
        validation: (m,); may be empty.
    """

    training: NDArray[np.int64]
    validation: NDArray[np.int64]


@dataclass(frozen=True)
class Outcome:
    """How training one network ended.

    Attributes:
        reason: ``steps`` (all done), ``patience`` (validation didn't improve any more) or ``stopped``.
        progress: how far it came.
        weights: the best ones by validation; without validation those of the last step.
    """

    reason: str
    progress: Progress
    weights: Mapping[str, Tensor] = field(repr=False)


def make_optimizer(network: MultiColumnNetwork, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimizer over two groups of parameters: the shared trunk, and the columns, which learn faster."""
    groups = [
        {"params": list(network.trunk.parameters()), "lr": recipe.learning_rate, "factor": 1.0},
        {
            "params": list(network.columns.parameters()),
            "lr": recipe.learning_rate * recipe.column_factor,
            "factor": recipe.column_factor,
        },
    ]
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(groups, recipe.learning_rate, weight_decay=recipe.weight_decay)
    return torch.optim.SGD(groups, recipe.learning_rate, momentum=recipe.momentum, weight_decay=recipe.weight_decay)


def train_network(
    network: MultiColumnNetwork,
    kind: Kind,
    *,
    reader: SampleReader,
    split: Split,
    settings: Settings,
    folder: Path,
    device: torch.device,
    checkpoint: Checkpoint | None = None,
    begin: Callable[[], None] = lambda: None,
    listener: Listener | None = None,
    stop: Callable[[], bool] = lambda: False,
    team: Team = ALONE,
) -> Outcome:
    """Train a network, in place.

    With a checkpoint it goes on as if it had never stopped: on the CPU bit for bit. With a team each process calls this
    and all of them end with the same weights: those that one would have found, but for rounding. A checkpoint doesn't
    know how many there were.

    Args:
        network: as training begins with it; a checkpoint replaces its weights.
        kind: what it looks at.
        reader: of the photos.
        split: which of them are for what.
        settings: the whole run's.
        folder: where checkpoints go.
        device: where to compute.
        checkpoint: where to go on from.
        begin: called by every process before the first step, when there are photos for it: time to write.
        listener: told of every step.
        stop: asked after every step; True (in any process) saves a checkpoint and ends the training.
        team: the processes that train it together. The leader alone writes checkpoints.

    Raises:
        DataError: the photos can't be used.
        OSError: a checkpoint can't be written.
        RuntimeError: the other processes can't be reached any more.
    """
    recipe = settings.recipe
    listener = listener or Listener()
    batches = Batches(
        reader,
        split.training,
        kind,
        seed=settings.seed,
        batch=recipe.batch,
        window=settings.window,
        labels=recipe.labels,
        part=(team.rank, team.size),
    )
    matrices = {
        key: matrix.to(device)
        for key, matrix in infogain_matrices(reader.photos, split.training, batches.effective_counts()).items()
    }
    with _repeatable(device):
        torch.manual_seed(settings.seed)
        network.to(device)
        if device.type != "mps":
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # much faster on a CPU
        set_training_mode(network, recipe)
        optimizer = make_optimizer(network, recipe)
        state = _Training(
            network,
            kind,
            optimizer,
            settings=settings,
            data=reader.photos.identity,
            folder=folder,
            device=device,
            writes=team.leads,
        )
        if checkpoint is not None:
            state.restore(checkpoint)
        elif needs_standardization(network, settings.init) and team.leads:  # the others get what the leader finds
            samples = min(STANDARDIZATION_SAMPLES, 2 * len(split.training))
            whole = batches.whole()
            standardize(network, islice(whole.from_step(0), -(-samples // (recipe.batch * len(batches.plan)))))
        losses_of = _objective(network, recipe.loss, matrices, team=team, device=device)

        progress = state.progress
        source = batches.from_step(progress.step)
        started, begun_at, saved_at = time.monotonic(), progress.step, progress.step
        while state.finished() is None:
            rate = _set_rates(optimizer, recipe, progress.step)
            batch = next(source)
            share = _share(team, batch, recipe.batch * len(batches.plan), reader) if team.size > 1 else None
            if progress.step == begun_at:
                begin()
            losses = losses_of(batch, share)
            optimizer.zero_grad(set_to_none=True)
            # Gradients are averaged over the processes, but these losses are parts of a sum.
            (torch.stack(list(losses.values())).sum() * team.size).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            progress.step += 1

            values = _over_all(team, losses)
            seconds = (time.monotonic() - started) / (progress.step - begun_at)
            listener.step(StepReport(kind, progress.step, recipe.steps, values, rate, seconds))
            if len(split.validation) and state.is_due(settings.validate_every):
                found = validation_loss(
                    network,
                    kind,
                    reader,
                    split.validation.tolist(),
                    loss=recipe.loss,
                    matrices=matrices,
                    team=team,
                )
                set_training_mode(network, recipe)
                if found is not None:
                    listener.validated(kind, progress.step, found, improved=state.judge(found.loss))
            stopped = any(team.gather(stop()))
            if stopped or state.is_due(settings.checkpoint_every):
                state.save()
                saved_at = progress.step
            if stopped:
                break
        if saved_at != progress.step:
            state.save()
        return Outcome(state.finished() or "stopped", progress, state.best_weights())


def _set_rates(optimizer: torch.optim.Optimizer, recipe: Recipe, step: int) -> float:
    """Set the learning rates of a step; gives back the trunk's."""
    rate = recipe.learning_rate * recipe.rate_factor(step)
    for group in optimizer.param_groups:
        group["lr"] = rate * group["factor"]
    return rate


class Objective(nn.Module):
    """What is made small, as a module: that is what torch distributes.

    Args:
        network: trained.
        loss: which one.
        matrices: H by defect key, on the device of the network.
    """

    def __init__(self, network: MultiColumnNetwork, loss: Loss, matrices: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.network = network
        self._loss: Loss = loss
        self._matrices = matrices

    def forward(self, batch: Batch, share: Share | None) -> dict[str, Tensor]:
        """A scalar by defect key, for the defects with samples; with a share those of all processes add up."""
        if share is None:
            return defect_losses(self.network, batch, self._loss, self._matrices)
        place_dropout(self.network, share)
        return defect_losses(self.network, batch, self._loss, self._matrices, share.counted)


def _objective(
    network: MultiColumnNetwork, loss: Loss, matrices: Mapping[str, Tensor], *, team: Team, device: torch.device
) -> nn.Module:
    """In a team: weights as the leader has them now, and gradients averaged from now on."""
    objective = Objective(network, loss, matrices)
    if team.size == 1:
        return objective
    share_network(network, device)
    # A step in which a defect has no sample at all leaves its column alone.
    return DistributedDataParallel(objective, find_unused_parameters=True)


def _share(team: Team, batch: Batch, most: int, reader: SampleReader) -> Share:
    share = share_of(team, batch, most)
    if not any(share.counted.values()):
        with team.together():
            raise reader.left_out.error()
    return share


def _over_all(team: Team, losses: Mapping[str, Tensor]) -> dict[str, float]:
    """The losses over all processes, from the parts of this one."""
    parts = torch.tensor([float(loss.detach()) for loss in losses.values()], dtype=torch.float64)
    return dict(zip(losses, team.stack(parts).sum(0).tolist(), strict=True))


class _Training:
    """What a run remembers from step to step, besides what the step's number tells."""

    def __init__(
        self,
        network: MultiColumnNetwork,
        kind: Kind,
        optimizer: torch.optim.Optimizer,
        *,
        settings: Settings,
        data: str,
        folder: Path,
        device: torch.device,
        writes: bool,
    ) -> None:
        self.network = network
        self.kind = kind
        self.optimizer = optimizer
        self.settings = settings
        self.data = data
        self.folder = folder
        self.device = device
        self.writes = writes
        self.progress = Progress()
        self.best: Mapping[str, Tensor] | None = None

    def finished(self) -> str | None:
        """Why there is nothing left to do; None while there is."""
        return self.progress.ended(self.settings.recipe.steps, self.settings.patience)

    def is_due(self, every: int) -> bool:
        """Whether it is time for what happens every so many steps, and after the last one."""
        return self.progress.step % every == 0 or self.progress.step == self.settings.recipe.steps

    def judge(self, loss: float) -> bool:
        """Take note of a validation loss; keeps the weights and returns True if it is the lowest so far."""
        if loss >= self.progress.best:
            self.progress.stale += 1
            return False
        self.progress.best, self.progress.best_step, self.progress.stale = loss, self.progress.step, 0
        self.best = self._weights()
        return True

    def best_weights(self) -> Mapping[str, Tensor]:
        """The weights of the lowest validation loss; without validation those of now."""
        return self._weights() if self.best is None else self.best

    def _weights(self) -> dict[str, Tensor]:
        return {name: tensor.detach().cpu().clone() for name, tensor in self.network.state_dict().items()}

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go back to a checkpoint."""
        self.network.load_state_dict(dict(checkpoint.weights))
        self.optimizer.load_state_dict(dict(checkpoint.optimizer))
        self.progress = checkpoint.progress
        self.best = checkpoint.best_weights
        set_random_state(checkpoint.random, self.device)

    def save(self) -> None:
        """Write a checkpoint, if that is this process's to do."""
        if not self.writes:
            return
        state = Checkpoint(
            network=self.settings.network,
            kind=self.kind,
            settings=self.settings.to_dict(),
            data=self.data,
            progress=self.progress,
            weights=self.network.state_dict(),
            best_weights=self.best,
            optimizer=self.optimizer.state_dict(),
            random=random_state(self.device),
        )
        save_checkpoint(self.folder, state, keep=self.settings.keep)


def set_training_mode(network: MultiColumnNetwork, recipe: Recipe) -> None:
    """Training mode; with ``frozen_norms`` the trunk's batch norms stay as they are."""
    network.train()
    if recipe.frozen_norms:
        for module in network.trunk.modules():
            if isinstance(module, nn.BatchNorm2d | nn.SyncBatchNorm):
                module.eval()
                module.requires_grad_(False)


@contextmanager
def _repeatable(device: torch.device) -> Iterator[None]:
    """Algorithms that give the same result every time, as far as the device has them."""
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when CUDA is first used
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
