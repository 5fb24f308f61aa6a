"""Tuning the last stage of the compact network's trunk.

What colours a photo's things have in ordinary light, ImageNet taught it only in part. The stages before the last one
(:data:`photodefect.core.network.compact.STAGES`) stay as they are: columns that see no further (exposure, haze,
saturation, noise, and blur, which is told worse by blocks that are tuned) aren't touched, and what they carry on can
be cached with the features, so that a pass over the variants of a thousand photographs takes a minute or two.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from photodefect.core.network.compact import STAGES, CompactColumn, CompactTrunk, describe
from photodefect.core.network.multicolumn import MultiColumnNetwork
from photodefect.training.columns import ColumnRecipe, aims_of, column_losses

TUNED_FOR: Final = ("bad_white_balance", "bad_composition")
"""Defects whose columns tell the trunk what to look for: the only ones that see its last stage."""

AT_ONCE: Final = 32
"""Samples that go through the trunk at once: a whole step's don't fit a processor's cache and take longer by half."""

TOLD_EVERY: Final = 10_000
"""Samples between two reports of how tuning goes: a quarter of a minute of two cores."""


@dataclass(frozen=True)
class TuningRecipe:
    """How the trunk is tuned.

    Attributes:
        epochs: passes over the samples; 0 leaves the trunk as it is.
        batch: samples a step.
        learning_rate: of the trunk; it rises over ``warm_up`` and then falls to zero along a cosine.
        weight_decay: of AdamW.
        warm_up: steps.
        seed: of the columns' initial weights, the order, the dropout and which samples are mirrored.
        columns: recipe of the columns that are trained along with it and then thrown away, of which the learning rate
            (from the start, under the same schedule) and the largest weight count.
    """

    epochs: int = 3
    batch: int = 128
    learning_rate: float = 4e-4
    weight_decay: float = 0.02
    warm_up: int = 100
    seed: int = 0
    columns: ColumnRecipe = field(default_factory=ColumnRecipe)


@dataclass(frozen=True)
class TuningSamples:
    """Whole photos as the last stage takes them, and what is wrong with them.

    Attributes:
        maps: (N, c, h, w), what the stage before carries on; float16 is enough.
        descriptors: (N, 2T + S), of the same samples; those that come from the last stage are computed anew.
        severities: (N, 7), NaN where unknown.
        points: (N, 2, 2), in the direction plane of each of ``IN_PLANE``, NaN where unknown.
        chosen: (M,), the samples to learn from.
    """

    maps: Tensor
    descriptors: Tensor
    severities: NDArray[np.float32]
    points: NDArray[np.float32]
    chosen: NDArray[np.int64]


def tune_trunk(
    network: MultiColumnNetwork,
    samples: TuningSamples,
    recipe: TuningRecipe,
    on_progress: Callable[[int, int, dict[str, float]], None] | None = None,
    *,
    blind: Mapping[str, Tensor] = MappingProxyType({}),
    emphasis: Mapping[str, NDArray[np.float32]] = MappingProxyType({}),
) -> None:
    """Tune the last stage, in place.

    Args:
        network: the compact one of whole photos, with its ImageNet trunk; its columns are left as they are.
        samples: to learn from.
        recipe: see there.
        on_progress: called now and then with the number of samples that were learnt from, how many that will be in the
            end, and the mean loss by defect since the call before.
        blind: by defect key, the descriptors (boolean, (2T + S,)) that its column makes nothing of.
        emphasis: by defect key, how much each chosen sample (M,) counts, beside its class.
    """
    trunk = compact_trunk(network)
    # Norms keep ImageNet's statistics: they will be folded into the convolutions.
    network.eval()
    torch.manual_seed(recipe.seed)
    columns = {
        defect: CompactColumn(defect, trunk.tapped, trunk.outputs)
        for defect in network.defects
        if defect.key in TUNED_FOR
    }
    own = torch.from_numpy(samples.chosen)
    aims = aims_of(
        columns,
        samples.descriptors[own],
        samples.severities[samples.chosen],
        recipe.columns.largest_weight,
        points=samples.points[samples.chosen],
        blind=blind,
        emphasis=emphasis,
    )
    tuned = [parameter for block in trunk.lite0.blocks[STAGES[-1][0] :] for parameter in block.parameters()]
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for one in columns.values() for p in one.parameters()], "lr": recipe.columns.learning_rate},
            {"params": tuned, "lr": recipe.learning_rate},
        ],
        weight_decay=recipe.weight_decay,
    )
    steps = recipe.epochs * -(-len(own) // recipe.batch)

    def rate(step: int) -> float:
        return min(1.0, (step + 1) / recipe.warm_up) * 0.5 * (1 + math.cos(math.pi * step / max(1, steps)))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    generator = torch.Generator().manual_seed(recipe.seed)
    positions = late_positions(trunk, samples.maps)
    for column in columns.values():
        column.train()
    total, done, told = recipe.epochs * len(own), 0, 0
    sums = dict.fromkeys((defect.key for defect in columns), 0.0)
    for _ in range(recipe.epochs):
        for batch in torch.split(torch.randperm(len(own), generator=generator), recipe.batch):
            optimizer.zero_grad()
            for rows in torch.split(batch, AT_ONCE):
                mirrored = torch.rand(len(rows), 1, 1, 1, generator=generator) < 0.5
                seen = samples.maps[own[rows]].float()
                seen = torch.where(mirrored, seen.flip(3), seen).contiguous(memory_format=torch.channels_last)
                late = late_descriptors(trunk, seen)
                descriptors = samples.descriptors[own[rows]].float().index_copy(1, positions, late)
                found = column_losses(columns, aims, descriptors, rows)
                share = len(rows) / len(batch)
                (torch.stack(list(found.values())).sum() * share).backward()  # type: ignore[no-untyped-call]
                sums = {key: sums[key] + len(rows) * float(loss.detach()) for key, loss in found.items()}
            optimizer.step()
            schedule.step()
            done += len(batch)
            if on_progress is not None and (done - told >= TOLD_EVERY or done == total):
                on_progress(done, total, {key: value / (done - told) for key, value in sums.items()})
                told, sums = done, dict.fromkeys(sums, 0.0)


def tuned_descriptors(network: MultiColumnNetwork, maps: Tensor, descriptors: Tensor) -> Tensor:
    """Descriptors (N, 2T + S), float16, with what the last stage makes of the maps (N, c, h, w) now."""
    trunk = compact_trunk(network)
    positions = late_positions(trunk, maps)
    result = descriptors.clone()
    with torch.inference_mode():
        for rows in torch.split(torch.arange(len(maps)), AT_ONCE):
            seen = maps[rows].float().contiguous(memory_format=torch.channels_last)
            result[rows[:, None], positions] = late_descriptors(trunk, seen).to(result.dtype)
    return result


def compact_trunk(network: MultiColumnNetwork) -> CompactTrunk:
    """The trunk of a compact network.

    Raises:
        TypeError: it is another network.
    """
    if not isinstance(network.trunk, CompactTrunk):
        raise TypeError("only the compact network's trunk can be tuned on cached maps")
    return network.trunk


def late_positions(trunk: CompactTrunk, maps: Tensor) -> Tensor:
    """Which descriptors come from the last stage, (L,), in the order of :func:`late_descriptors`."""
    with torch.inference_mode():
        features = trunk.stages()[-1].run(torch.zeros(1, *maps.shape[1:])).features
    return torch.cat([torch.arange(first, first + features[first].shape[1]) for first in sorted(features)])


def late_descriptors(trunk: CompactTrunk, maps: Tensor) -> Tensor:
    """Maps (N, c, h, w) that the last stage takes -> means and deviations (N, L) of its tap over the whole input."""
    features = trunk.stages()[-1].run(maps).features
    pooled = torch.cat([features[first].mean((2, 3), keepdim=True) for first in sorted(features)], 1)
    return describe(pooled, pooled.shape[1] // 2).flatten(1)
