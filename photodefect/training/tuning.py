"""Tuning the last blocks of the compact network's trunk to people's votes, together with the experts that see them.

The rest of the trunk stays as it is, so that what the first tuned block takes is cached, and a pass over thousands of
photos takes half a minute. A pass shows one view of each photo, drawn at random among those that people would rate as
they did the photo and those under another light.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.lr_scheduler import OneCycleLR
from torch.optim.swa_utils import AveragedModel

from photodefect.core.network.compact import Expert, describe, new_expert, pool_part
from photodefect.core.network.compact_trunk import CompactTrunk
from photodefect.core.network.layers import ConvNorm, fold_batch_norms
from photodefect.core.network.multicolumn import MultiColumnNetwork
from photodefect.defects import KEYS, Defect
from photodefect.training.experts import Aim, Lessons, Origin, aims_of, compact_column, losses_of, standardize
from photodefect.training.imagenet import load_imagenet_trunk
from photodefect.training.rated_samples import RatedSamples
from photodefect.training.trunk_features import compact_trunk


@dataclass(frozen=True)
class TuningRecipe:
    """How blocks are tuned.

    Attributes:
        epochs: passes over the photos.
        batch: photos a step.
        learning_rate: of the experts, at its height; it rises over the first steps and then falls to zero.
        first_rate: likewise of the first block, which all experts see.
        later_rate: of the blocks behind it, which only composition's does and so would fit to few photos alone.
        weight_decay: of AdamW.
        largest_weight: a severity class is weighted at most this many times the most frequent one.
        worsened_share: share of views under another light in the loss of what they tell of.
        averaged: what is kept is the mean of the weights over the last steps: this share of it stays at each step.
        seed: of the initial experts, the order, the views and the dropout.
    """

    epochs: int = 10
    batch: int = 64
    learning_rate: float = 1e-3
    first_rate: float = 1e-3
    later_rate: float = 4e-4
    weight_decay: float = 0.02
    largest_weight: float = 4.0
    worsened_share: float = 0.3
    averaged: float = 0.995
    seed: int = 0


def tune_to_votes(
    network: MultiColumnNetwork,
    people: RatedSamples,
    chosen: NDArray[np.int64],
    recipe: TuningRecipe,
    say: Callable[[str], None],
) -> None:
    """Tune the last blocks of the network of whole photos, and train the experts that see them, in place.

    Args:
        network: of whole photos, in evaluation mode.
        people: rated photos.
        chosen: which of them to learn from, (M,).
        recipe: see there.
        say: told how it goes.

    Raises:
        ModelError: the ImageNet weights, from which the blocks are tuned, are missing.
    """
    torch.manual_seed(recipe.seed)
    trunk = compact_trunk(network)
    load_imagenet_trunk(trunk)
    experts = {defect: new_expert(defect, trunk, "holistic", "tuning") for defect in network.defects}
    standardize(experts, with_tuned(network, people.whole[chosen, 0], people.carried[chosen, 0]))
    aims = aims_of(experts, _lessons(people, chosen, recipe), recipe.largest_weight)
    # Folded, for a few dozen photos a step say too little of what normalizes all of them.
    folded = copy.deepcopy(trunk)
    fold_batch_norms(folded)
    averaged = _descend(folded, experts, aims, people=people, chosen=chosen, recipe=recipe, say=say)
    assert trunk.tuned is not None
    for layer, tuned in zip(trunk.tuned.modules(), averaged["blocks"].modules(), strict=False):
        if isinstance(layer, ConvNorm) and isinstance(tuned, ConvNorm):
            layer.unfold(tuned)
    for defect in network.defects:
        expert = averaged["experts"].get_submodule(defect.key)
        compact_column(network, defect.key).experts["tuning"] = expert.eval().requires_grad_(False)


def _lessons(people: RatedSamples, chosen: NDArray[np.int64], recipe: TuningRecipe) -> Lessons:
    """What there is to learn of all views of the photos, view by view of one photo after the other."""
    plain = people.whole.shape[1]
    voted = np.repeat(people.severities[chosen, np.newaxis], plain, axis=1)
    severities = np.concatenate([voted, people.exposed_severities()[chosen]], 1)
    origins = np.full(severities.shape[:2], Origin.RATED, np.int64)
    origins[:, plain:] = Origin.WORSENED
    return Lessons(
        severities.reshape(-1, len(KEYS)).astype(np.float32),
        origins=origins.flatten(),
        rated_share=1.0,
        worsened_share=recipe.worsened_share,
        matrices=people.matrices(chosen),
    )


def _descend(
    trunk: CompactTrunk,
    experts: Mapping[Defect, Expert],
    aims: Mapping[Defect, Aim],
    *,
    people: RatedSamples,
    chosen: NDArray[np.int64],
    recipe: TuningRecipe,
    say: Callable[[str], None],
) -> nn.ModuleDict:
    """Train the tuned blocks of a folded trunk, and experts, in place; gives the averaged "blocks" and "experts"."""
    assert trunk.tuned is not None
    first = trunk.tuned.block(trunk.tuned.first)
    later = [trunk.tuned.block(index) for index in range(trunk.tuned.first + 1, trunk.tuned.stop)]
    learning = nn.ModuleDict(
        {"blocks": trunk.tuned, "experts": nn.ModuleDict({defect.key: expert for defect, expert in experts.items()})}
    )
    learning.requires_grad_(True).train()
    groups = [
        list(learning["experts"].parameters()),
        list(first.parameters()),
        [parameter for block in later for parameter in block.parameters()],
    ]
    rates = [recipe.learning_rate, recipe.first_rate, recipe.later_rate]
    optimizer = torch.optim.AdamW([{"params": own} for own in groups], weight_decay=recipe.weight_decay)
    steps = -(-len(chosen) // recipe.batch)
    schedule = OneCycleLR(optimizer, rates, total_steps=recipe.epochs * steps, pct_start=0.15)
    # At first of few steps, or the initial weights would stay in it.
    averaged = AveragedModel(
        learning, avg_fn=lambda mean, new, count: mean + (new - mean) * (1 - min(recipe.averaged, count / (count + 10)))
    )
    generator = torch.Generator().manual_seed(recipe.seed)
    every = people.views.shape[1]
    for epoch in range(recipe.epochs):
        total = 0.0
        shown = torch.randint(every, (len(chosen),), generator=generator)
        for rows in torch.split(torch.randperm(len(chosen), generator=generator), recipe.batch):
            photos, views = torch.from_numpy(chosen)[rows], shown[rows]
            own = people.views[photos, views].float()
            descriptors = torch.cat([own, _tuned_descriptors(trunk, people.carried[photos, views])], 1)
            loss = torch.stack(list(losses_of(experts, aims, descriptors, rows * every + views).values())).sum()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            averaged.update_parameters(learning)
            total += float(loss.detach())
        say(f"tuning the last blocks to votes, pass {epoch + 1} of {recipe.epochs}: {total / steps:.3f}")
    module = averaged.module
    assert isinstance(module, nn.ModuleDict)
    return module


def with_tuned(network: MultiColumnNetwork, own: Tensor, carried: Tensor) -> Tensor:
    """All descriptors of whole photos as the network sees them, (N, F), float32.

    Args:
        network: of whole photos, in evaluation mode.
        own: descriptors of the trunk's own blocks, (N, D).
        carried: what its tuned blocks take, (N, C, 14, 14).
    """
    trunk = compact_trunk(network)
    with torch.inference_mode():
        tuned = [_tuned_descriptors(trunk, chunk) for chunk in torch.split(carried, 256)]
    return torch.cat([own.float(), torch.cat(tuned)], 1)


def _tuned_descriptors(trunk: CompactTrunk, carried: Tensor) -> Tensor:
    part = trunk.parts[1]
    maps = carried.float().contiguous(memory_format=torch.channels_last)
    return describe(pool_part(trunk.tuned_features(maps), part), part.tapped).flatten(1)
