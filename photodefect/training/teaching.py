"""What each expert of the compact network is taught: by synthesis alone, or by votes with some synthesis."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from photodefect.core.network.compact import MEMBERS, Expert, Teacher, view_of
from photodefect.core.network.multicolumn import MultiColumnNetwork
from photodefect.core.network.registry import Kind
from photodefect.defects import KEYS
from photodefect.training.compact_samples import Samples
from photodefect.training.compact_settings import RATED_SHARE, WORSENED_SHARE, CompactSettings
from photodefect.training.experts import ExpertRecipe, Lessons, Origin, compact_column, fit_experts, merged
from photodefect.training.independence import independence_weights
from photodefect.training.rated_samples import RatedSamples
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
        degraded, severities, points, photos = samples.whole, samples.severities, samples.points, samples.photos
        rated, exposed = people.whole[chosen], people.exposed[chosen].flatten(0, 1)
    else:
        degraded, severities = samples.pieces, samples.piece_severities
        points, photos, rated = samples.piece_points, samples.piece_photos, people.pieces[chosen]
        exposed = rated[:0, 0]  # Whether there is light enough is told by the whole photo.
    unseen = {photo.path.stem for photo in people.photos} - {people.photos[i].path.stem for i in chosen.tolist()}
    allowed = np.flatnonzero(~np.isin(photos, list(unseen)))
    drawn = np.sort(np.random.default_rng(settings.votes.seed).permutation(allowed)[: settings.synthetic])
    each = rated.shape[1]
    voted = np.repeat(people.severities[chosen], each, axis=0)
    worse = people.exposed_severities()[chosen].reshape(-1, len(KEYS))[: len(exposed)]
    told = (severities[drawn], voted, worse)
    descriptors = torch.cat([degraded[torch.from_numpy(drawn)], rated.flatten(0, 1), exposed])
    lessons = Lessons(
        np.concatenate(told),
        np.concatenate([points[drawn], np.full((len(voted) + len(worse), *points.shape[1:]), np.nan, np.float32)]),
        origins=np.repeat([*Origin], [len(severities) for severities in told]),
        rated_share=RATED_SHARE,
        worsened_share=WORSENED_SHARE,
        matrices=people.matrices(chosen),
    )
    _teach(network, (kind, "votes"), descriptors, lessons, recipe=settings.votes, say=say)
    if kind == "holistic":
        tune_to_votes(network, people, chosen, settings.tuning, say)


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
        experts = {defect: Expert(defect, trunk, view_of(kind, teacher, defect)) for defect in network.defects}

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
