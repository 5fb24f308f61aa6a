"""What a network says about photos that it wasn't trained on."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from photodefect.defects import DEFECTS, KEYS
from photodefect.network.manifest import QUANTILES
from photodefect.network.model import Model
from photodefect.network.multicolumn import MultiColumnNetwork, expected_severity
from photodefect.network.registry import Kind
from photodefect.training.losses import defect_losses
from photodefect.training.samples import Batch, Cuts, SampleReader
from photodefect.training.settings import Loss
from photodefect.training.team import ALONE, Team

READ_AHEAD = 8
"""Photos that are decoded while the network looks at the one before them."""


@dataclass(frozen=True)
class Look:
    """The loss on the validation photos.

    Attributes:
        losses: by defect key; every photo counts the same, its patches share.
    """

    losses: Mapping[str, float]

    @property
    def loss(self) -> float:
        """Mean over the defects."""
        return float(np.mean(list(self.losses.values())))


@torch.no_grad()
def look_at(
    network: MultiColumnNetwork,
    kind: Kind,
    reader: SampleReader,
    members: Sequence[int],
    *,
    loss: Loss,
    matrices: Mapping[str, Tensor],
    team: Team = ALONE,
) -> Look | None:
    """Look at the validation photos as ``diagnose`` would: the whole photo, or patches of it.

    Args:
        network: left in the mode that it is in.
        kind: what it looks at.
        reader: of the photos.
        members: indices of the validation photos.
        loss: as in training.
        matrices: as in training.
        team: each process looks at its share of the photos, and all get the same loss.

    Returns:
        The loss; None if no photo has a label that counts.
    """
    training = network.training
    network.eval()
    sums = torch.zeros(len(KEYS), 2, dtype=torch.float64)
    for _, cuts in _diagnosed(reader, members[team.rank :: team.size], kind):
        rows = np.repeat(cuts.severities[None].astype(np.float32), len(cuts.inputs), axis=0)
        batch = Batch(_tensor(cuts), torch.from_numpy(rows), torch.arange(len(rows)))
        for key, value in defect_losses(network, batch, loss, matrices).items():
            sums[KEYS.index(key)] += torch.tensor([float(value), 1.0], dtype=torch.float64)
    network.train(training)
    losses = {
        key: total / count for key, (total, count) in zip(KEYS, team.stack(sums).sum(0).tolist(), strict=True) if count
    }
    return Look(losses) if losses else None


@torch.no_grad()
def reference_quantiles(
    model: Model, reader: SampleReader, members: Sequence[int], device: torch.device
) -> dict[str, tuple[float, ...]]:
    """The quantiles 0 … 100 % of the absolute severities that a model gives photos: what percentiles are told by.

    Args:
        model: its networks in evaluation mode, on ``device``.
        reader: of the photos.
        members: indices of the photos.
        device: where to compute.

    Returns:
        101 ascending numbers by defect key; nothing if no photo can be read.
    """
    severities: dict[str, list[float]] = {defect.key: [] for defect in DEFECTS}
    patches = _diagnosed(reader, members, "patches")
    for (_, whole), (_, parts) in zip(_diagnosed(reader, members, "holistic"), patches, strict=True):
        combined = model.combine(_scores(model.holistic, whole, device), _scores(model.patches, parts, device))
        for key, severity in combined.items():
            severities[key].append(abs(severity))
    shares = np.linspace(0, 1, QUANTILES)
    return {
        key: tuple(float(value) for value in np.quantile(np.array(values), shares).clip(0, 1).round(6))
        for key, values in severities.items()
        if values
    }


def _diagnosed(reader: SampleReader, members: Sequence[int], kind: Kind) -> Iterator[tuple[int, Cuts]]:
    """The photos that can be used, decoded a little ahead."""
    pending = deque((member, reader.diagnosed(member, kind)) for member in members[:READ_AHEAD])
    for following in [*members[READ_AHEAD:], *[None] * len(pending)]:
        member, future = pending.popleft()
        if following is not None:
            pending.append((following, reader.diagnosed(following, kind)))
        cuts = future.result()
        if len(cuts.inputs):
            yield member, cuts


def _scores(network: MultiColumnNetwork, cuts: Cuts, device: torch.device) -> dict[str, float]:
    logits = network(_tensor(cuts).to(device))
    return {defect.key: float(expected_severity(defect, logits[defect.key]).mean()) for defect in network.defects}


def _tensor(cuts: Cuts) -> Tensor:
    inputs: NDArray[np.uint8] = np.ascontiguousarray(cuts.inputs)
    return torch.from_numpy(inputs).permute(0, 3, 1, 2)
