"""Training the experts of the compact network's columns on cached features of its frozen trunk."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from photodefect.core.infogain import class_weights, modelled_vote_distributions, vote_matrix
from photodefect.core.network.compact import CompactColumn, Expert
from photodefect.core.network.direction_planes import class_logits, grid_targets
from photodefect.core.network.multicolumn import MultiColumnNetwork
from photodefect.defects import IN_PLANE, KEYS, Defect


@dataclass(frozen=True)
class ExpertRecipe:
    """How experts are trained.

    Attributes:
        epochs: passes over the samples.
        other_epochs: by defect key, another number of them.
        batch: samples a step.
        learning_rate: at the start; it falls to zero along a cosine.
        weight_decay: of AdamW.
        largest_weight: a severity class is weighted at most this many times the most frequent one.
        dropout: share of descriptors, and of hidden neurons, that are dropped at a step.
        seed: of the initial weights, the order and the dropout.
    """

    epochs: int = 20
    batch: int = 512
    learning_rate: float = 1e-3
    weight_decay: float = 0.02
    largest_weight: float = 4.0
    dropout: float = 0.5
    seed: int = 0
    other_epochs: Mapping[str, int] = field(default_factory=dict)


def soft_targets(defect: Defect, severities: Tensor, matrix: NDArray[np.float64] | None = None) -> Tensor:
    """How five workers would have voted: the rows of V (section 4.2), interpolated between class centres.

    Args:
        defect: whose severities.
        severities: (N,), within the defect's range; NaN gives a row of zeros.
        matrix: V, (K, K), from votes; that of modelled votes unless told.

    Returns:
        (N, K); rows sum to 1, and with the modelled V their mean is the severity.
    """
    if matrix is None:
        matrix = vote_matrix(modelled_vote_distributions(defect))
    rows = torch.from_numpy(matrix).float()
    position = (severities.nan_to_num(0.0) - defect.lowest) * 10
    low = position.floor().clamp(0, defect.class_count - 2).long()
    share = (position - low)[:, None]
    return ((1 - share) * rows[low] + share * rows[low + 1]) * (~severities.isnan())[:, None]


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


class Origin(IntEnum):
    """Where a picture's severities come from.

    Attributes:
        DEGRADED: from synthesis, of a clean photo.
        RATED: from people's votes on a photo, or a view that they would rate alike.
        WORSENED: from both, of a rated photo to which something was done.
    """

    DEGRADED = 0
    RATED = 1
    WORSENED = 2


@dataclass(frozen=True)
class Lessons:
    """What experts learn of pictures: what is wrong with them, and how much each picture counts.

    Attributes:
        severities: (M, 7) in the order of ``KEYS``, NaN where unknown.
        points: (M, 2, 2), of each picture in the direction plane of each of ``IN_PLANE``, NaN where unknown: then its
            severity teaches. None where no picture has any.
        origins: (M,), an :class:`Origin` of each; None if all were degraded.
        rated_share: share of the rated ones in the loss, those made worse among them.
        worsened_share: share of those made worse in that, where they tell of a defect.
        matrices: V of the rated ones as they are by defect key (section 4.2), from their votes.
        emphasis: by defect key, how much each degraded one, in order, counts beside its class.
    """

    severities: NDArray[np.float32]
    points: NDArray[np.float32] | None = None
    origins: NDArray[np.int64] | None = None
    rated_share: float = 0.0
    worsened_share: float = 0.0
    matrices: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    emphasis: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)


def fit_experts(
    experts: Mapping[Defect, Expert],
    descriptors: Tensor,
    lessons: Lessons,
    recipe: ExpertRecipe,
    on_epoch: Callable[[int, dict[str, float]], None] | None = None,
) -> None:
    """Train experts, in place.

    Args:
        experts: by what they predict.
        descriptors: (M, F), those of the trunk (:meth:`photodefect.core.network.compact.CompactColumn.describe`) up to
            the last ones that the experts see; float16 is enough.
        lessons: of these pictures.
        recipe: see there.
        on_epoch: called with the number of the epoch and the mean loss by defect.
    """
    torch.manual_seed(recipe.seed)
    standardize(experts, descriptors)
    aims = aims_of(experts, lessons, recipe.largest_weight)
    passes = {defect: recipe.other_epochs.get(defect.key, recipe.epochs) for defect in experts}
    for expert in experts.values():
        expert.dropout.p = expert.descriptor_dropout.p = recipe.dropout
        expert.train()
    for epochs in sorted(set(passes.values())):
        together = {defect: expert for defect, expert in experts.items() if passes[defect] == epochs}

        def losses(rows: Tensor, together: Mapping[Defect, Expert] = together) -> dict[str, Tensor]:
            return losses_of(together, aims, descriptors[rows].float(), rows)

        parameters = [p for expert in together.values() for p in expert.parameters()]
        _descend(parameters, losses, len(descriptors), replace(recipe, epochs=epochs), on_epoch)
    for expert in experts.values():
        expert.eval()


class Aim(NamedTuple):
    """What an expert is trained towards.

    Attributes:
        classes: (M, K), shares of the classes; zeros where the severity is unknown or a point tells more.
        points: (M, P), shares of the grid's points in a direction plane; zeros where unknown. None without a plane.
        weights: (M,), how much each sample counts; mean 1.
    """

    classes: Tensor
    points: Tensor | None
    weights: Tensor


def standardize(experts: Mapping[Defect, Expert], descriptors: Tensor) -> None:
    """Set centre and deviation of experts, in place, to those of the descriptors (M, F) that they see."""
    centre, deviation = standardization(descriptors)
    for expert in experts.values():
        expert.centre.copy_(centre[:, expert.seen])
        expert.deviation.copy_(deviation[:, expert.seen])


def aims_of(experts: Mapping[Defect, Expert], lessons: Lessons, largest_weight: float) -> dict[Defect, Aim]:
    """What experts are to learn; a severity class counts at most ``largest_weight`` times the most frequent one."""
    origins = np.zeros(len(lessons.severities), np.int64) if lessons.origins is None else lessons.origins
    rated = torch.from_numpy(origins == Origin.RATED)[:, None]
    aims = {}
    for defect, expert in experts.items():
        own = lessons.severities[:, KEYS.index(defect.key)]
        severities = torch.from_numpy(own)
        modelled = soft_targets(defect, severities)
        voted = soft_targets(defect, severities, lessons.matrices.get(defect.key))
        classes = torch.where(rated, voted, modelled)
        points = None
        if lessons.points is not None and expert.in_plane:
            points = grid_targets(torch.from_numpy(lessons.points[:, IN_PLANE.index(defect.key)]))
            classes[points.sum(1) > 0] = 0.0
        aims[defect] = Aim(classes, points, torch.from_numpy(_weights(defect, own, origins, lessons, largest_weight)))
    return aims


def _weights(
    defect: Defect, severities: NDArray[np.float32], origins: NDArray[np.int64], lessons: Lessons, largest: float
) -> NDArray[np.float32]:
    """How much each sample counts, (M,): mean 1, those of an origin together by its share of the loss."""
    weights = np.zeros(len(severities), np.float32)
    known = {origin for origin in Origin if not np.isnan(severities[origins == origin]).all()}
    of_rated = lessons.rated_share if known & {Origin.RATED, Origin.WORSENED} else 0.0
    of_worsened = lessons.worsened_share if Origin.WORSENED in known else 0.0
    shares = {
        Origin.DEGRADED: 1 - of_rated,
        Origin.RATED: of_rated * (1 - of_worsened),
        Origin.WORSENED: of_rated * of_worsened,
    }
    for origin in known:
        chosen, share = origins == origin, shares[origin]
        own = sample_weights(defect, severities[chosen], largest)
        if origin == Origin.DEGRADED and defect.key in lessons.emphasis:
            own *= lessons.emphasis[defect.key]
        weights[chosen] = own * (share * len(severities) / own.sum())
    return weights


def losses_of(
    experts: Mapping[Defect, Expert], aims: Mapping[Defect, Aim], descriptors: Tensor, rows: Tensor
) -> dict[str, Tensor]:
    """Mean weighted cross-entropy by defect key.

    Args:
        experts: to be trained.
        aims: of all samples.
        descriptors: (B, F), of some samples.
        rows: (B,), which they are.
    """
    found = {}
    for defect, expert in experts.items():
        aim = aims[defect]
        outputs = expert.outputs(descriptors[:, expert.seen, None, None]).flatten(1)
        by_class = class_logits(defect, outputs) if expert.in_plane else outputs
        cross_entropy = -(aim.classes[rows] * functional.log_softmax(by_class, 1)).sum(1)
        if aim.points is not None:
            cross_entropy = cross_entropy - (aim.points[rows] * functional.log_softmax(outputs, 1)).sum(1)
        found[defect.key] = (cross_entropy * aim.weights[rows]).mean()
    return found


def _descend(
    parameters: Sequence[Tensor],
    losses: Callable[[Tensor], dict[str, Tensor]],
    count: int,
    recipe: ExpertRecipe,
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


def merged(experts: Sequence[Expert]) -> Expert:
    """One expert whose outputs are the mean of those of several, which were trained on the same samples.

    Args:
        experts: with one member each.
    """
    whole = experts[0].with_members(len(experts))
    states = [expert.state_dict() for expert in experts]
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
        raise TypeError("only the compact network can be trained on cached features")
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
