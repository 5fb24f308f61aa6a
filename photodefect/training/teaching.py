"""What each expert of the compact network is taught: by synthesis alone, or by votes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from photodefect.core.network.compact import Expert, Teacher, members_of, new_expert, view_of
from photodefect.core.network.multicolumn import MultiColumnNetwork
from photodefect.core.network.registry import Kind
from photodefect.defects import BY_KEY, KEYS, Defect
from photodefect.training.compact_samples import Samples
from photodefect.training.compact_settings import RATED_SHARE, SMOOTHING, CompactSettings
from photodefect.training.experts import ExpertRecipe, Lessons, Origin, compact_column, fit_experts, merged
from photodefect.training.independence import independence_weights
from photodefect.training.kernel_ridge import KernelRidge
from photodefect.training.rated_samples import RatedSamples, folds_of
from photodefect.training.trunk_features import compact_trunk
from photodefect.training.tuning import tune_to_votes, with_tuned

COMPOSITION: Final = BY_KEY["bad_composition"]

INDEPENDENT: Final = frozenset({"noise", "undesired_blur"})
"""Defects that are learnt from synthesis apart from the others, with which people's photos have them more often than
not."""


def learn_from_synthesis(
    network: MultiColumnNetwork, kind: Kind, samples: Samples, settings: CompactSettings, say: Callable[[str], None]
) -> None:
    """Train the experts of a network that learn from synthesis, in place, but for those that see tuned blocks."""
    if kind == "holistic":
        descriptors, severities, points, recipe = samples.whole, samples.severities, samples.points, settings.holistic
    else:
        # Photos as a whole teach the patch network as well: casts and veils look the same at any scale.
        descriptors, severities = samples.pieces, samples.piece_severities
        points, recipe = samples.piece_points, settings.patches
    defects = [defect for defect in network.defects if not view_of(kind, "synthesis", defect).tuned]
    lessons = Lessons(severities, points, emphasis=_emphasis([defect.key for defect in defects], severities))
    _teach(network, (kind, "synthesis"), descriptors, lessons, recipe=recipe, say=say, defects=defects)


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
    """Train the experts of a network that learn from votes, in place.

    Of whole photos the last blocks are tuned to them as well, and what sees these learns from synthesis. Patches of a
    photo get the photo's votes, as the paper's do (section 4.3).

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
        learn_framing(network, people, settings, chosen=chosen, say=say)
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


def learn_framing(
    network: MultiColumnNetwork,
    people: RatedSamples,
    settings: CompactSettings,
    *,
    chosen: NDArray[np.int64],
    say: Callable[[str], None],
) -> None:
    """Train the expert of composition that learns from synthesis, in place, when blocks have been tuned.

    What lies aslant or is cut shows in what is where; ordinary photos tell it from what stands upright or whole in
    them, so it learns from these, as they are and with something done to them.

    Args:
        network: of whole photos, in evaluation mode.
        people: rated photos; their votes are not asked.
        settings: see there.
        chosen: which of the photos to learn from, (M,).
        say: told how it goes.
    """
    views = sorted({0, people.whole.shape[1] - 1})
    framed = people.framed
    parts = [(people.views[chosen, view], people.carried[chosen, view]) for view in views]
    parts += [(framed.views[chosen, view], framed.carried[chosen, view]) for view in range(framed.by.shape[1])]
    by = np.concatenate([np.zeros((len(chosen), len(views)), np.float32), framed.by[chosen]], 1).T.flatten()
    severities = np.full((len(by), len(KEYS)), np.nan, np.float32)
    severities[:, KEYS.index(COMPOSITION.key)] = by
    told = ~np.isnan(by)
    descriptors = torch.cat([with_tuned(network, *part).half() for part in parts])[torch.from_numpy(told)]
    lessons = Lessons(severities[told])
    taught: tuple[Kind, Teacher] = ("holistic", "synthesis")
    _teach(network, taught, descriptors, lessons, recipe=settings.framing, say=say, defects=[COMPOSITION])


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
    defects: Sequence[Defect] | None = None,
) -> None:
    """Train the experts of some defects, by default all of the network's, as many side by side as there are to be."""
    kind, teacher = taught
    trunk = compact_trunk(network)
    defects = network.defects if defects is None else defects
    count = max(members_of(kind, teacher, defect) for defect in defects)
    members: list[dict[str, Expert]] = []
    for member in range(count):
        own = replace(recipe, seed=recipe.seed + member)
        torch.manual_seed(own.seed)
        experts = {defect: new_expert(defect, trunk, kind, teacher) for defect in defects}

        def on_epoch(epoch: int, losses: Mapping[str, float], member: int = member) -> None:
            told = "  ".join(f"{key} {loss:.3f}" for key, loss in losses.items())
            say(f"{kind}, from {teacher}, {member + 1} of {count}, epoch {epoch + 1}: {told}")

        fit_experts(experts, descriptors, lessons, own, on_epoch)
        members.append({defect.key: expert for defect, expert in experts.items()})
    for defect in defects:
        column = compact_column(network, defect.key)
        column.experts[teacher] = merged([one[defect.key] for one in members]).eval()


def _emphasis(keys: Iterable[str], severities: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """How much each sample counts for the experts that learn apart from other defects."""
    return {key: independence_weights(severities, key) for key in keys if key in INDEPENDENT}
