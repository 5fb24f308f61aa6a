"""Training in many processes as in one: shares of a batch, and batch norms and dropout over all of it.

Every photo belongs to one process, which decodes it and keeps its samples; a step's samples are those of one process
with the same settings, each computed where its photo is. Three things must not notice that:

* **Losses.** The mean over a defect's samples is weighted by how many of them a process has; it may be none.
* **Batch norms.** Mean and variance are those of the whole batch, summed up over the processes, as otherwise a network
  would depend on how many there are. On GPUs that is :class:`torch.nn.SyncBatchNorm`; it has no form for the CPU, so
  :class:`SharedBatchNorm` is one.
* **Dropout.** Every process draws for the whole batch, from generators in the same state, and takes the rows that are
  its own: what is dropped depends on the sample and the step, and the generators stay in step.

What remains is the order in which numbers are added: losses and weights are equal up to rounding, not bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional

from photodefect.core.batches import Batch
from photodefect.core.network.multicolumn import MultiColumnNetwork
from photodefect.defects import KEYS
from photodefect.training.team import Team


@dataclass(frozen=True)
class Share:
    """The part of a step that one process computes.

    Attributes:
        rows: by defect key, which of the defect's samples in the step the own ones are, in order, (n,).
        counted: by defect key, the samples of all processes.
    """

    rows: Mapping[str, Tensor]
    counted: Mapping[str, int]


def share_of(team: Team, batch: Batch, most: int) -> Share:
    """Compare notes with the other processes about a step.

    Args:
        team: of this process.
        batch: its own samples.
        most: samples of a step, at most.
    """
    notes = torch.full((most, 1 + len(KEYS)), torch.nan, dtype=torch.float64)
    notes[: len(batch.numbers), 0] = batch.numbers
    notes[: len(batch.numbers), 1:] = batch.severities
    every = team.stack(notes)
    rows, counted = {}, {}
    for column, key in enumerate(KEYS, start=1):
        numbers = [part[~part[:, column].isnan(), 0] for part in every]
        order = torch.cat(numbers).argsort()
        ranks = torch.empty_like(order)
        ranks[order] = torch.arange(len(order))
        before = sum(len(part) for part in numbers[: team.rank])
        rows[key] = ranks[before : before + len(numbers[team.rank])]
        counted[key] = len(order)
    return Share(rows, counted)


class SharedBatchNorm(nn.BatchNorm2d):
    """A batch norm over the samples of all processes, of which one may have none."""

    group: dist.ProcessGroup

    @classmethod
    def of(cls, norm: nn.BatchNorm2d, group: dist.ProcessGroup) -> SharedBatchNorm:
        """With the parameters and statistics of another one: the same tensors."""
        shared = cls(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
        shared._parameters, shared._buffers = norm._parameters, norm._buffers
        shared.group = group
        return shared.train(norm.training)

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        if not self.training:
            return super().forward(input)
        own = torch.cat([input.sum((0, 2, 3)), input.new_tensor([input.numel() / input.shape[1]])])
        sums = _total(own, self.group)
        count = sums[-1].detach()
        mean = sums[:-1] / count
        centred = input - mean[:, None, None]
        variance = _total(centred.square().sum((0, 2, 3)), self.group) / count
        if self.running_mean is not None and self.running_var is not None and self.num_batches_tracked is not None:
            with torch.no_grad():
                self.num_batches_tracked += 1
                momentum = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
                self.running_mean.lerp_(mean, momentum)
                self.running_var.lerp_(variance * count / (count - 1).clamp(min=1), momentum)
        scale = torch.rsqrt(variance + self.eps)
        if self.affine:
            scale = scale * self.weight
        result: Tensor = centred * scale[:, None, None]
        return result + self.bias[:, None, None] if self.affine else result


class _Total(torch.autograd.Function):
    """The sum over the processes; its gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, group: dist.ProcessGroup) -> Tensor:  # noqa: ANN401 - as torch has it
        ctx.group = group
        total = values.detach().clone()
        dist.all_reduce(total, group=group)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401 - likewise
        total = gradients[0].clone()
        dist.all_reduce(total, group=ctx.group)
        return total, None


def _total(values: Tensor, group: dist.ProcessGroup) -> Tensor:
    result: Tensor = _Total.apply(values, group)  # type: ignore[no-untyped-call]
    return result


class SharedDropout(nn.Module):
    """Dropout drawn for the samples of all processes.

    Attributes:
        rows: which of them the own ones are, (n,).
        total: how many there are.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p
        self.rows = torch.empty(0, dtype=torch.int64)
        self.total = 0

    def forward(self, x: Tensor) -> Tensor:
        """(n, ...) -> the same shape."""
        if not self.training or self.p == 0:
            return x
        kept = functional.dropout(torch.ones((self.total, *x.shape[1:]), dtype=x.dtype, device=x.device), self.p)
        return x * kept[self.rows.to(x.device)]


def share_network(network: MultiColumnNetwork, device: torch.device) -> None:
    """Put batch norms and dropout over all processes in place of a network's own; names of weights stay the same."""
    # A group of their own: the gradients that DistributedDataParallel exchanges at the same time must not get between.
    group = dist.new_group()
    if device.type == "cuda":
        nn.SyncBatchNorm.convert_sync_batchnorm(network, group)  # type: ignore[no-untyped-call]
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, SharedBatchNorm.of(child, group))
            elif isinstance(child, nn.Dropout):
                setattr(module, name, SharedDropout(child.p).train(child.training))


def place_dropout(network: MultiColumnNetwork, share: Share) -> None:
    """Tell the dropout of every column which samples of the step are here."""
    for defect in network.defects:
        for module in network.column(defect.key).modules():
            if isinstance(module, SharedDropout):
                module.rows, module.total = share.rows[defect.key], share.counted[defect.key]
