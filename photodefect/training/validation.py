"""Validation: losses and predictions on photos that a network wasn't trained on."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from photodefect.core.batches import Batch, Loss
from photodefect.core.infogain import class_counts, classes_of
from photodefect.core.losses import defect_losses
from photodefect.core.network.manifest import Calibration
from photodefect.core.network.model import Model
from photodefect.core.network.multicolumn import MultiColumnNetwork, expected_severity
from photodefect.core.network.registry import Kind
from photodefect.defects import DEFECTS, KEYS
from photodefect.training.calibration import LEAST_GOOD, fit_calibration, good_photos
from photodefect.training.samples import Cuts, SampleReader
from photodefect.training.team import ALONE, Team

READ_AHEAD = 8
"""Photos that are decoded while the network looks at the one before them."""

LEAST_OF_A_CLASS: Final = 5
"""Fewer photos of a class than this have no typical score."""

BANDS: Final = ((0.1, 0.4), (0.4, 0.7), (0.7, 1.1))
"""Class centres of mild, plain and severe defects: from, and up to below."""


@dataclass(frozen=True)
class ValidationLoss:
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
def validation_loss(
    network: MultiColumnNetwork,
    kind: Kind,
    reader: SampleReader,
    members: Sequence[int],
    *,
    loss: Loss,
    matrices: Mapping[str, Tensor],
    team: Team = ALONE,
) -> ValidationLoss | None:
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
    for member, cuts in _diagnosed(reader, members[team.rank :: team.size], kind):
        rows, planned = (
            torch.from_numpy(np.repeat(severities[None].astype(np.float32), len(cuts.inputs), axis=0))
            for severities in (cuts.severities, reader.photos.severities[member])
        )
        batch = Batch(_tensor(cuts), rows, torch.arange(len(rows)), planned)
        for key, value in defect_losses(network, batch, loss, matrices).items():
            sums[KEYS.index(key)] += torch.tensor([float(value), 1.0], dtype=torch.float64)
    network.train(training)
    losses = {
        key: total / count for key, (total, count) in zip(KEYS, team.stack(sums).sum(0).tolist(), strict=True) if count
    }
    return ValidationLoss(losses) if losses else None


@dataclass(frozen=True)
class Predictions:
    """What a model says about photos, before calibration, and what is true of them.

    Attributes:
        members: indices of the photos that can be read, (N,).
        raw: combined scores by defect key, (N,).
        severities: (N, 7) in the order of ``KEYS``; nan where unknown.
    """

    members: NDArray[np.int64]
    raw: Mapping[str, NDArray[np.float32]]
    severities: NDArray[np.float32]


@torch.no_grad()
def predict(model: Model, reader: SampleReader, members: Sequence[int], device: torch.device) -> Predictions:
    """Look at photos as ``diagnose`` would, with both networks.

    Args:
        model: its networks in evaluation mode, on ``device``.
        reader: of the photos.
        members: indices of the photos.
        device: where to compute.
    """
    uncalibrated = replace(model.manifest, calibration={})
    raw: dict[str, list[float]] = {key: [] for key in KEYS}
    predictions: list[int] = []
    severities: list[NDArray[np.float64]] = []
    patches = _diagnosed(reader, members, "patches")
    for (member, whole), (_, parts) in zip(_diagnosed(reader, members, "holistic"), patches, strict=True):
        frame = {key: float(score.mean()) for key, score in _scores(model.holistic, whole, device).items()}
        crops = {
            key: model.manifest.combination[key].pool(scores)
            for key, scores in _scores(model.patches, parts, device).items()
        }
        for key, score in uncalibrated.combine(frame, crops).items():
            raw[key].append(score)
        predictions.append(member)
        severities.append(whole.severities)
    return Predictions(
        np.array(predictions, np.int64),
        {key: np.array(scores, np.float32) for key, scores in raw.items()},
        np.array(severities, np.float32).reshape(-1, len(KEYS)),
    )


def fitted_calibrations(predictions: Predictions, keys: Collection[str]) -> dict[str, Calibration]:
    """Calibrations of the defects that the photos say enough about.

    That is :data:`~photodefect.training.calibration.LEAST_GOOD` good photos, which tell what is a false alarm, and on
    each side of zero :data:`LEAST_OF_A_CLASS` photos of one class at least in each of :data:`BANDS`: a map that was
    fitted to mild photos alone says nothing about severe ones.

    Args:
        predictions: photos that the networks weren't trained on.
        keys: the defects to calibrate.

    Returns:
        By defect key; defects that too little is known about are left out.
    """
    good = good_photos(predictions.severities)
    fitted = {}
    for column, defect in enumerate(DEFECTS):
        severities = predictions.severities[:, column]
        if defect.key not in keys or np.sum(good & ~np.isnan(severities)) < LEAST_GOOD:
            continue
        counts = class_counts(defect, classes_of(defect, severities.tolist()))
        told = np.array(defect.class_centres)[counts >= LEAST_OF_A_CLASS]
        sides = (told, -told) if defect.signed else (told,)
        if all(np.any((side >= low - 0.05) & (side < high - 0.05)) for side in sides for low, high in BANDS):
            fitted[defect.key] = fit_calibration(defect, predictions.raw[defect.key], severities, good)
    return fitted


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


def _scores(network: MultiColumnNetwork, cuts: Cuts, device: torch.device) -> dict[str, NDArray[np.float32]]:
    """Of each input, (n,)."""
    logits = network(_tensor(cuts).to(device))
    return {
        defect.key: expected_severity(defect, logits[defect.key]).cpu().numpy().astype(np.float32)
        for defect in network.defects
    }


def _tensor(cuts: Cuts) -> Tensor:
    inputs: NDArray[np.uint8] = np.ascontiguousarray(cuts.inputs)
    return torch.from_numpy(inputs).permute(0, 3, 1, 2)
