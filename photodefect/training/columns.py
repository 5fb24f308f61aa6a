"""Training the columns of the compact network on cached features of its frozen trunk."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from photodefect.core.infogain import class_weights, modelled_vote_distributions, vote_matrix
from photodefect.core.network.compact import CompactColumn
from photodefect.core.network.direction_planes import grid_targets
from photodefect.core.network.multicolumn import MultiColumnNetwork
from photodefect.defects import IN_PLANE, KEYS, Defect


@dataclass(frozen=True)
class ColumnRecipe:
    """How columns are trained.

    Attributes:
        epochs: passes over the samples.
        other_epochs: by defect key, another number of them.
        batch: samples a step.
        learning_rate: at the start; it falls to zero along a cosine.
        weight_decay: of AdamW.
        largest_weight: a severity class is weighted at most this many times the most frequent one.
        seed: of the initial weights, the order and the dropout.
    """

    epochs: int = 20
    batch: int = 512
    learning_rate: float = 1e-3
    weight_decay: float = 0.02
    largest_weight: float = 4.0
    seed: int = 0
    other_epochs: Mapping[str, int] = field(default_factory=dict)


def soft_targets(defect: Defect, severities: Tensor) -> Tensor:
    """How five workers would have voted: the rows of V (section 4.2), interpolated between class centres.

    Args:
        defect: whose severities.
        severities: (N,), within the defect's range; NaN gives a row of zeros.

    Returns:
        (N, K); rows sum to 1 and their mean is the severity.
    """
    matrix = torch.from_numpy(vote_matrix(modelled_vote_distributions(defect))).float()
    position = (severities.nan_to_num(0.0) - defect.lowest) * 10
    low = position.floor().clamp(0, defect.class_count - 2).long()
    share = (position - low)[:, None]
    rows = (1 - share) * matrix[low] + share * matrix[low + 1]
    return rows * (~severities.isnan())[:, None]


def sample_weights(defect: Defect, severities: NDArray[np.float32], largest: float) -> NDArray[np.float32]:
    """A weight for each sample by its class, at most ``largest`` times the smallest; mean 1; 0 where unknown.

    Args:
        defect: whose severities.
        severities: (N,), NaN where unknown.
        largest: the cap.
    """
    known = ~np.isnan(severities)
    classes = np.array([defect.nearest_class(float(s)) for s in severities[known]])
    counts = np.bincount(classes, minlength=defect.class_count).astype(float)
    weights = np.minimum(class_weights(counts), class_weights(counts)[counts > 0].min() * largest)
    result = np.zeros(len(severities), np.float32)
    result[known] = weights[classes]
    result /= result[known].mean()
    return result


def fit_columns(
    network: MultiColumnNetwork,
    descriptors: Tensor,
    severities: NDArray[np.float32],
    recipe: ColumnRecipe,
    on_epoch: Callable[[int, dict[str, float]], None] | None = None,
    *,
    points: NDArray[np.float32] | None = None,
    blind: Mapping[str, Tensor] = MappingProxyType({}),
    emphasis: Mapping[str, NDArray[np.float32]] = MappingProxyType({}),
) -> None:
    """Train the columns of ``network``, in place.

    Args:
        network: a compact network; its trunk isn't used.
        descriptors: (M, 2T + S), from :func:`photodefect.core.network.compact.describe`; float16 is enough.
        severities: (M, 7) in the order of ``KEYS``, NaN where unknown.
        recipe: see there.
        on_epoch: called with the number of the epoch and the mean loss by defect.
        points: (M, 2, 2), of each sample in the direction plane of each of ``IN_PLANE``, NaN where unknown. Without
            them these defects are learnt from severities alone, as all others are.
        blind: by defect key, the descriptors (boolean, (D,)) that its column shall make nothing of.
        emphasis: by defect key, how much each sample (M,) counts for its column, beside its class.
    """
    torch.manual_seed(recipe.seed)
    columns = {defect: compact_column(network, defect.key) for defect in network.defects}
    aims = aims_of(
        columns, descriptors, severities, recipe.largest_weight, points=points, blind=blind, emphasis=emphasis
    )
    passes = {defect: recipe.other_epochs.get(defect.key, recipe.epochs) for defect in columns}
    network.columns.train()
    for epochs in sorted(set(passes.values())):
        together = {defect: column for defect, column in columns.items() if passes[defect] == epochs}

        def losses(rows: Tensor, together: Mapping[Defect, CompactColumn] = together) -> dict[str, Tensor]:
            return column_losses(together, aims, descriptors[rows].float(), rows)

        parameters = [p for column in together.values() for p in column.parameters()]
        _descend(parameters, losses, len(descriptors), replace(recipe, epochs=epochs), on_epoch)
    network.columns.eval()


class Aim(NamedTuple):
    """What a column is trained towards.

    Attributes:
        targets: (M, K), shares of the classes, or of the grid's points in a direction plane; zeros where unknown.
        weights: (M,), how much each sample counts; mean 1.
        on_grid: the column's own outputs are compared with the targets, not the classes that follow from them.
    """

    targets: Tensor
    weights: Tensor
    on_grid: bool


def aims_of(
    columns: Mapping[Defect, CompactColumn],
    descriptors: Tensor,
    severities: NDArray[np.float32],
    largest_weight: float,
    *,
    points: NDArray[np.float32] | None = None,
    blind: Mapping[str, Tensor] = MappingProxyType({}),
    emphasis: Mapping[str, NDArray[np.float32]] = MappingProxyType({}),
) -> dict[Defect, Aim]:
    """Make columns ready for training, in place, and say what they are to learn.

    Arguments are those of :func:`fit_columns`, and the largest weight that of its recipe.
    """
    centre, deviation = standardization(descriptors)
    aims = {}
    for defect, column in columns.items():
        column.centre.copy_(centre)
        column.deviation.copy_(deviation)
        own = severities[:, KEYS.index(defect.key)]
        if points is not None and column.in_plane:
            targets = grid_targets(torch.from_numpy(points[:, IN_PLANE.index(defect.key)]))
        else:
            targets = soft_targets(defect, torch.from_numpy(own))
        count = sample_weights(defect, own, largest_weight)
        if defect.key in emphasis:
            count *= emphasis[defect.key]
            count /= count[~np.isnan(own)].mean()
        # Without points all columns are compared by class.
        aims[defect] = Aim(targets, torch.from_numpy(count), points is not None)
        if defect.key in blind:
            _blind(column, blind[defect.key])
    return aims


def column_losses(
    columns: Mapping[Defect, CompactColumn], aims: Mapping[Defect, Aim], descriptors: Tensor, rows: Tensor
) -> dict[str, Tensor]:
    """Mean weighted cross-entropy by defect key.

    Args:
        columns: to be trained.
        aims: of all samples.
        descriptors: (B, 2T + S), of some samples.
        rows: (B,), which they are.
    """
    found = {}
    for defect, column in columns.items():
        targets, weights, on_grid = aims[defect]
        outputs_of = column.outputs if on_grid else column.classify_descriptors
        logits = outputs_of(descriptors[:, :, None, None]).flatten(1)
        cross_entropy = -(targets[rows] * functional.log_softmax(logits, 1)).sum(1)
        found[defect.key] = (cross_entropy * weights[rows]).mean()
    return found


def _descend(
    parameters: Sequence[Tensor],
    losses: Callable[[Tensor], dict[str, Tensor]],
    count: int,
    recipe: ColumnRecipe,
    on_epoch: Callable[[int, dict[str, float]], None] | None,
) -> None:
    """Make the sum of the losses of some of ``count`` samples, by their numbers, small."""
    optimizer = torch.optim.AdamW(parameters, recipe.learning_rate, weight_decay=recipe.weight_decay)
    steps = -(-count // recipe.batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe.epochs * steps)
    generator = torch.Generator().manual_seed(recipe.seed)
    for epoch in range(recipe.epochs):
        sums: dict[str, float] = {}
        for rows in torch.split(torch.randperm(count, generator=generator), recipe.batch):
            found = losses(rows)
            optimizer.zero_grad()
            torch.stack(list(found.values())).sum().backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            sums = {key: sums.get(key, 0.0) + float(loss.detach()) for key, loss in found.items()}
        if on_epoch is not None:
            on_epoch(epoch, {key: value / steps for key, value in sums.items()})


def _blind(column: CompactColumn, unseen: Tensor) -> None:
    """Make nothing of some descriptors, now and in training: neither a gradient nor decay moves a weight of zero."""
    weight = column.hidden.weight
    weight.data[:, unseen] = 0.0
    weight.register_hook(lambda gradient: gradient.masked_fill(unseen[:, None, None], 0.0))  # type: ignore[no-untyped-call]


def merged(columns: Sequence[CompactColumn], defect: Defect) -> CompactColumn:
    """One column whose outputs are the mean of those of several, which were trained on the same samples.

    Args:
        columns: with one member each.
        defect: what they predict.
    """
    first = columns[0]
    whole = CompactColumn(defect, first.tapped, first.hidden.in_channels, len(columns))
    states = [column.state_dict() for column in columns]
    state = dict(states[0])
    for name in ("hidden.weight", "hidden.bias"):
        state[name] = torch.cat([one[name] for one in states])
    state["classes.weight"] = torch.cat([one["classes.weight"] for one in states], 1) / len(states)
    state["classes.bias"] = torch.stack([one["classes.bias"] for one in states]).mean(0)
    whole.load_state_dict(state)
    return whole


def compact_column(network: MultiColumnNetwork, key: str) -> CompactColumn:
    """The column of one defect.

    Raises:
        TypeError: the network isn't a compact one.
    """
    column = network.column(key)
    if not isinstance(column, CompactColumn):
        raise TypeError("only the compact network's columns can be trained on cached features")
    return column


def standardization(descriptors: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation of each descriptor over the samples, (1, D, 1, 1) each; constant ones get deviation 1."""
    total = torch.zeros(descriptors.shape[1], dtype=torch.float64)
    squares = torch.zeros_like(total)
    for chunk in torch.split(descriptors, 4096):
        total += chunk.double().sum(0)
        squares += chunk.double().square().sum(0)
    mean = total / len(descriptors)
    deviation = (squares / len(descriptors) - mean.square()).clamp(min=0).sqrt()
    deviation[deviation < 1e-5] = 1.0
    shape = (1, -1, 1, 1)
    return mean.float().reshape(shape), deviation.float().reshape(shape)
