"""The recipe of the shipped weights: cached features of a trunk, trained columns, calibrated scores.

From a folder of clean photographs to a model folder, in four steps that can be looked at one by one: features of
degraded variants (:mod:`photodefect.training.features`, hours of a core, resumable by photo), the last stage of the
trunk that sees the whole photo (:mod:`photodefect.training.tuning`, minutes), columns
(:mod:`photodefect.training.columns`, minutes), calibration on photographs that were held out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from photodefect.core.network.compact import MEMBERS, CompactColumn, CompactTrunk
from photodefect.core.network.manifest import Manifest, Normalization, Weighting
from photodefect.core.network.model import save_model
from photodefect.core.network.multicolumn import MultiColumnNetwork, expected_severity
from photodefect.core.network.registry import KINDS, NETWORKS, Kind, build_network
from photodefect.defects import DEFECTS
from photodefect.training.calibration import fit_calibration, good_photos, reference_quantiles
from photodefect.training.columns import compact_column, fit_columns, merged
from photodefect.training.compact_samples import Samples, load_maps, load_samples
from photodefect.training.compact_settings import CompactSettings
from photodefect.training.features import (
    cache_features,
    shard_files,
    unfit_source,
)
from photodefect.training.imagenet import load_imagenet_trunk
from photodefect.training.independence import independence_weights
from photodefect.training.samples import LeftOut
from photodefect.training.tuning import (
    TUNED_FOR,
    TuningSamples,
    compact_trunk,
    tune_trunk,
    tuned_descriptors,
)

Report: TypeAlias = Callable[[str, int | None], None]
"""Told a line, and the number of photos whose features are cached (None when that is over)."""


def train_compact(
    sources: Sequence[Path],
    cache_folder: Path,
    model_folder: Path,
    settings: CompactSettings,
    *,
    name: str,
    version: str,
    report: Report,
) -> LeftOut:
    """Train the compact network from clean photographs and save it.

    Args:
        sources: photographs; those that aren't clean are left out.
        cache_folder: where features are cached; what is there already is used.
        model_folder: where the model goes.
        settings: see there.
        name: what people will call the model.
        version: of the weights.
        report: told what is going on, line by line, and how many photos are cached while that goes on.

    Returns:
        The photos that couldn't be used, those that aren't clean among them.

    Raises:
        DataError: nothing to learn from.
        ModelError: the ImageNet weights are missing.
    """
    left_out = LeftOut()
    files = shard_files(sources, cache_folder, settings.cache)
    already = sum(shard.exists() for shard in files.values())
    # After an error, or Ctrl-C, its processes end at once.
    with closing(cache_features(files, settings.cache, workers=settings.workers)) as caching:
        for done, cached in enumerate(caching, 1):
            if cached.failure is None:
                report(f"features of {cached.source.name} are cached", already + done)
            else:
                left_out.unreadable[str(cached.source)] = cached.failure.message
                report(f"{cached.source} is left out: {cached.failure.message}", already + done)
    cached_files = {source: shard for source, shard in files.items() if str(source) not in left_out.unreadable}
    reasons = {str(source): unfit_source(shard) for source, shard in cached_files.items()}
    left_out.unfit.update({source: reason for source, reason in reasons.items() if reason})
    shards = sorted(set(cached_files.values()))
    samples = load_samples(shards, settings)
    report(f"{len(samples.held)} variants, {int(samples.held.sum())} of them held out", None)
    networks: dict[Kind, MultiColumnNetwork] = {}
    for kind in KINDS:
        networks[kind] = network = build_network("lite0", kind)
        load_imagenet_trunk(compact_trunk(network).lite0)
        network.eval()
    if settings.tuning.epochs:
        samples = tuned(networks["holistic"], samples, load_maps(shards, len(samples.held)), settings, report)
    for kind in KINDS:
        train_columns(networks[kind], kind, samples, settings, report)
    manifest = calibrated_manifest(networks, samples, settings, name, version)
    save_model(model_folder, manifest, networks["holistic"], networks["patches"], half_precision=True)
    return left_out


def tuned(
    network: MultiColumnNetwork, samples: Samples, maps: Tensor, settings: CompactSettings, report: Report
) -> Samples:
    """Tune the last stage of the holistic network's trunk, in place, and give the samples as it sees them then.

    Args:
        network: with its ImageNet trunk.
        samples: whose holistic descriptors are those of that trunk.
        maps: of these, from :func:`load_maps`.
        settings: see there.
        report: told now and then how it goes.
    """

    def on_progress(done: int, total: int, losses: Mapping[str, float]) -> None:
        report(_told(f"trunk, {done} of {total} samples", losses), None)

    # Twice as fast on a processor.
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    learnt = np.flatnonzero(~samples.held)
    severities = samples.holistic_severities
    tune_trunk(
        network,
        TuningSamples(maps, samples.holistic, severities, samples.holistic_points, learnt),
        settings.tuning,
        on_progress,
        blind=unseen_descriptors(compact_trunk(network)),
        emphasis=_emphasis(TUNED_FOR, severities[learnt]),
    )
    descriptors = tuned_descriptors(network, maps, samples.holistic)
    network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return replace(samples, holistic=descriptors)


def train_columns(
    network: MultiColumnNetwork, kind: Kind, samples: Samples, settings: CompactSettings, report: Report
) -> None:
    """Train the columns of a network of one kind, in place; the samples must be what its trunk sees."""
    recipe = settings.holistic if kind == "holistic" else settings.patches
    trunk = compact_trunk(network)
    if kind == "holistic":
        train = ~samples.held
        descriptors, severities = samples.holistic[train], samples.holistic_severities[train]
        points = samples.holistic_points[train]
        unseen = unseen_descriptors(trunk)
    else:
        # Photos as a whole teach the patch network as well: casts and veils look the same at any scale.
        descriptors, severities, points, unseen = samples.pieces, samples.piece_severities, samples.piece_points, {}
    keys = [defect.key for defect in network.defects]
    emphasis = _emphasis(keys, severities)
    members: dict[str, list[CompactColumn]] = {key: [] for key in keys}
    for member in range(MEMBERS[kind]):
        own = replace(recipe, seed=recipe.seed + member)

        def on_epoch(epoch: int, losses: Mapping[str, float], named: str = _named(kind, member)) -> None:
            report(_told(f"{named} epoch {epoch + 1}", losses), None)

        torch.manual_seed(own.seed)
        for defect in network.defects:
            network.columns[defect.key] = CompactColumn(defect, trunk.tapped, trunk.outputs)
        fit_columns(network, descriptors, severities, own, on_epoch, points=points, blind=unseen, emphasis=emphasis)
        for key, columns in members.items():
            columns.append(compact_column(network, key))
    for defect in network.defects:
        network.columns[defect.key] = merged(members[defect.key], defect)
    network.eval()


DEEPEST: Final[Mapping[str, int]] = MappingProxyType(
    {"bad_exposure": 4, "haze": 4, "bad_saturation": 10, "noise": 10, "undesired_blur": 10}
)
"""The last block that a column of the whole photo sees: all of them where nothing is said. What is in a picture doesn't
say how it is exposed, nor how hazy the air is; and the last one is tuned for others."""

WITHOUT_STATISTICS: Final = frozenset({"bad_saturation"})
"""Defects whose column of the whole photo sees no statistics: they say how much colour there is, not how much there was
in what is shown."""


def unseen_descriptors(trunk: CompactTrunk) -> dict[str, Tensor]:
    """By defect key, which descriptors (boolean, (D,)) :data:`DEEPEST` and :data:`WITHOUT_STATISTICS` hide from it."""
    taps = torch.cat([torch.full((trunk.lite0.channels[tap],), tap) for tap in trunk.lite0.taps])
    statistics = torch.full((trunk.statistics.count,), -1)
    depths = torch.cat([taps, taps, statistics])
    late = {key: depths > deepest for key, deepest in DEEPEST.items()}
    nothing = torch.zeros(trunk.outputs, dtype=torch.bool)
    return late | {key: late.get(key, nothing) | (depths < 0) for key in WITHOUT_STATISTICS}


INDEPENDENT: Final = frozenset({"noise", "undesired_blur", "bad_composition"})
"""Defects that the columns learn apart from the others, with which people's photos have them more often than not."""


def _emphasis(keys: Iterable[str], severities: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """How much each sample counts for the columns that learn apart from other defects."""
    return {key: independence_weights(severities, key) for key in keys if key in INDEPENDENT}


def _told(what: str, losses: Mapping[str, float]) -> str:
    return f"{what}: " + "  ".join(f"{key} {loss:.3f}" for key, loss in losses.items())


def _named(kind: Kind, member: int) -> str:
    return f"{kind}, {member + 1} of {MEMBERS[kind]}," if MEMBERS[kind] > 1 else kind


LOWEST_PATCHES: Final[Mapping[str, float]] = MappingProxyType({"undesired_blur": 0.2})
"""Share of the patches that tell, those with the lowest scores; all of them where nothing is said. A photo that is
sharp somewhere is so where it is meant to be, more often than not."""

HUMAN_SCALE: Final[Mapping[str, float]] = MappingProxyType({"noise": 2.0})
"""Synthetic severities are multiplied by this for calibration: people call noise severe that synthesis calls mild."""


def calibrated_manifest(
    networks: Mapping[Kind, MultiColumnNetwork], samples: Samples, settings: CompactSettings, name: str, version: str
) -> Manifest:
    """Combination, calibration and reference distribution, from the photos held out."""
    count, width = samples.patches.shape[1:]
    holistic = scores(networks["holistic"], samples.holistic[samples.scene])
    patches = scores(networks["patches"], samples.patches.reshape(-1, width))
    severities = samples.severities
    good = good_photos(severities)
    natural = samples.natural
    combination, calibration, reference = {}, {}, {}
    for index, defect in enumerate(DEFECTS):
        share = settings.holistic_share[defect.key]
        weighting = combination[defect.key] = Weighting(share, 1 - share, LOWEST_PATCHES.get(defect.key, 1.0))
        raw = holistic[defect.key] * share
        if share < 1:
            pooled = [weighting.pool(scores_of_photo) for scores_of_photo in patches[defect.key].reshape(-1, count)]
            raw = raw + np.array(pooled, np.float32) * (1 - share)
        calibration[defect.key] = fit_calibration(
            defect, raw, np.clip(severities[:, index] * HUMAN_SCALE.get(defect.key, 1.0), -1, 1), good
        )
        reference[defect.key] = reference_quantiles(
            calibration[defect.key], raw[natural] if natural.any() else raw, digits=4
        )
    return Manifest(
        name=name,
        version=version,
        network="lite0",
        normalization=Normalization.from_mapping(NETWORKS["lite0"].default_normalization),
        combination=combination,
        calibration=calibration,
        reference=reference,
    )


def scores(network: MultiColumnNetwork, descriptors: Tensor) -> dict[str, NDArray[np.float32]]:
    """Descriptors (N, D) -> severity (N,) by defect key, before calibration."""
    result = {}
    with torch.inference_mode():
        for defect in network.defects:
            column = compact_column(network, defect.key)
            parts = [
                expected_severity(defect, column.classify_descriptors(chunk.float()[:, :, None, None]).flatten(1))
                for chunk in torch.split(descriptors, 4096)
            ]
            result[defect.key] = torch.cat(parts).numpy()
    return result
