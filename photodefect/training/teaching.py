"""What each expert of the compact network is taught: by synthesis alone, or by votes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from photodefect.core.network.compact import MEMBERS, Expert, Teacher, new_expert
from photodefect.core.network.multicolumn import MultiColumnNetwork
from photodefect.core.network.registry import Kind
from photodefect.defects import KEYS
from photodefect.training.compact_samples import Samples
from photodefect.training.compact_settings import RATED_SHARE, SMOOTHING, CompactSettings
from photodefect.training.experts import ExpertRecipe, Lessons, Origin, compact_column, fit_experts, merged
from photodefect.training.independence import independence_weights
from photodefect.training.kernel_ridge import KernelRidge
from photodefect.training.rated_samples import RatedSamples, folds_of
from photodefect.training.trunk_features import compact_trunk
from photodefect.training.tuning import tune_to_votes

INDEPENDENT: Final = frozenset({"noise", "undesired_blur", "bad_composition"})
"""Defects that are learnt from synthesis apart from the others, with which people's photos have them more often than
not."""


def learn_from_synthesis(
    network: MultiColumnNetwork, kind: Kind, samples: Samples, settings: CompactSettings, say: Callable[[str], None]
) -> None:
    """Train the experts of a network that learn from synthesis, in place."""
    if kind == "holistic":
        descriptors, severities, points, recipe = samples.whole, samples.severities, samples.points, settings.holistic
    else:
        # Photos as a whole teach the patch network as well: casts and veils look the same at any scale.
        descriptors, severities = samples.pieces, samples.piece_severities
        points, recipe = samples.piece_points, settings.patches
    keys = [defect.key for defect in network.defects]
    lessons = Lessons(severities, points, emphasis=_emphasis(keys, severities))
    _teach(network, (kind, "synthesis"), descriptors, lessons, recipe=recipe, say=say)


def learn_from_votes(
    network: MultiColumnNetwork,
    kind: Kind,
    samples: Samples,
    people: RatedSamples,
    settings: CompactSettings,
    *,
    chosen: NDArray[np.int64],
    say: Callable[[str], None],
) -> None:
    """Train the experts of a network that learn from votes, in place, and of whole photos tune the last blocks to them.

    Patches of a photo get the photo's votes, as the paper's do (section 4.3).

    Args:
        network: of one kind.
        kind: that one.
        samples: degraded pictures, of which some are seen as well; not those of photos that people rated and that
            aren't chosen.
        people: rated photos.
        settings: see there.
        chosen: which of the rated photos to learn from, (M,).
        say: told how it goes.
    """
    if kind == "holistic":
        _imitate_regression(network, samples, people, settings, chosen=chosen, say=say)
        smoothed = replace(people, severities=smoothed_severities(people, chosen, settings))
        tune_to_votes(network, smoothed, chosen, settings.tuning, say)
        return
    drawn = _drawn(samples.piece_photos, people, chosen, settings)
    rated = people.pieces[chosen]
    told = (samples.piece_severities[drawn], np.repeat(people.severities[chosen], rated.shape[1], axis=0))
    points = samples.piece_points[drawn]
    lessons = Lessons(
        np.concatenate(told),
        np.concatenate([points, np.full((len(told[1]), *points.shape[1:]), np.nan, np.float32)]),
        origins=np.repeat([Origin.DEGRADED, Origin.RATED], [len(severities) for severities in told]),
        rated_share=RATED_SHARE,
        matrices=people.matrices(chosen),
    )
    descriptors = torch.cat([samples.pieces[torch.from_numpy(drawn)], rated.flatten(0, 1)])
    _teach(network, (kind, "votes"), descriptors, lessons, recipe=settings.votes, say=say)


def _drawn(
    photos: NDArray[np.str_], people: RatedSamples, chosen: NDArray[np.int64], settings: CompactSettings
) -> NDArray[np.int64]:
    """Some degraded pictures, by their numbers: none of rated photos that aren't chosen.

    Args:
        photos: that the pictures were made of.
        people: rated photos.
        chosen: see :func:`learn_from_votes`.
        settings: how many, at most.
    """
    unseen = {photo.path.stem for photo in people.photos} - {people.photos[i].path.stem for i in chosen.tolist()}
    allowed = np.flatnonzero(~np.isin(photos, list(unseen)))
    return np.sort(np.random.default_rng(settings.votes.seed).permutation(allowed)[: settings.synthetic])


def _imitate_regression(
    network: MultiColumnNetwork,
    samples: Samples,
    people: RatedSamples,
    settings: CompactSettings,
    *,
    chosen: NDArray[np.int64],
    say: Callable[[str], None],
) -> None:
    """Train the experts of whole photos to say what a regression on votes says (Hinton et al. 2015).

    The regression agrees better with people than experts that learn from the votes themselves, but would have to carry
    all rated photos with it. It is asked about many more pictures than were rated: views of them and degraded ones. A
    view under another light is as badly exposed as it says of the photo and as was done to it.
    """
    regression = KernelRidge(people.whole[chosen, 0], people.severities[chosen], settings.regression)
    drawn = torch.from_numpy(_drawn(samples.photos, people, chosen, settings))
    descriptors = torch.cat([samples.whole[drawn], people.views[chosen].flatten(0, 1)])
    told = regression.severities(descriptors)
    # Few rated photos are as dark or light as these views are, so that the regression knows little of them.
    worsened = replace(people, severities=regression.severities(people.whole[:, 0])).exposed_severities()[chosen]
    of_views = told[len(drawn) :].reshape(len(chosen), -1, len(KEYS))[:, people.whole.shape[1] :]
    np.copyto(of_views, worsened, where=~np.isnan(worsened))
    _teach(network, ("holistic", "votes"), descriptors, Lessons(told), recipe=settings.imitation, say=say)


def smoothed_severities(
    people: RatedSamples, chosen: NDArray[np.int64], settings: CompactSettings
) -> NDArray[np.float32]:
    """Severities (R, 7) of rated photos, those of the chosen ones nearer to what the votes on others let expect.

    A few votes on a photo say less of it than they and those on photos like it do together.

    Args:
        people: rated photos.
        chosen: which of them may be learnt from, (M,).
        settings: see there; each of its folds is told by the others.
    """
    smoothed: NDArray[np.float32] = people.severities.copy()
    folds = folds_of([people.photos[index].group for index in chosen.tolist()], settings.folds)
    for fold in range(settings.folds):
        own, others = chosen[folds == fold], chosen[folds != fold]
        if len(own) and len(others):
            regression = KernelRidge(people.whole[others, 0], people.severities[others], settings.regression)
            expected = regression.severities(people.whole[own, 0])
            smoothed[own] += SMOOTHING * (expected - smoothed[own])
    return smoothed


def _teach(
    network: MultiColumnNetwork,
    taught: tuple[Kind, Teacher],
    descriptors: Tensor,
    lessons: Lessons,
    *,
    recipe: ExpertRecipe,
    say: Callable[[str], None],
) -> None:
    kind, teacher = taught
    trunk = compact_trunk(network)
    members: list[dict[str, Expert]] = []
    for member in range(MEMBERS[kind, teacher]):
        own = replace(recipe, seed=recipe.seed + member)
        torch.manual_seed(own.seed)
        experts = {defect: new_expert(defect, trunk, kind, teacher) for defect in network.defects}

        def on_epoch(epoch: int, losses: Mapping[str, float], member: int = member) -> None:
            told = "  ".join(f"{key} {loss:.3f}" for key, loss in losses.items())
            say(f"{kind}, from {teacher}, {member + 1} of {MEMBERS[kind, teacher]}, epoch {epoch + 1}: {told}")

        fit_experts(experts, descriptors, lessons, own, on_epoch)
        members.append({defect.key: expert for defect, expert in experts.items()})
    for defect in network.defects:
        column = compact_column(network, defect.key)
        column.experts[teacher] = merged([one[defect.key] for one in members]).eval()


def _emphasis(keys: Iterable[str], severities: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """How much each sample counts for the experts that learn apart from other defects."""
    return {key: independence_weights(severities, key) for key in keys if key in INDEPENDENT}
