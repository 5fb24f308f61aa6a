"""The recipe of the shipped weights: cached features of a trunk, trained columns, calibrated scores.

From a folder of clean photographs to a model folder, in four steps that can be looked at one by one: features of
degraded variants (:mod:`photodefect.training.features`, hours of a core, resumable by photo), the last stage of the
trunk that sees the whole photo (:mod:`photodefect.training.tuning`, minutes), columns
(:mod:`photodefect.training.columns`, minutes), calibration on photographs that were held out.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from photodefect.core.network.compact import MEMBERS, CompactColumn, CompactTrunk, describe
from photodefect.core.network.manifest import Manifest, Normalization, Weighting
from photodefect.core.network.model import save_model
from photodefect.core.network.multicolumn import MultiColumnNetwork, expected_severity
from photodefect.core.network.registry import KINDS, NETWORKS, Kind, build_network
from photodefect.defects import DEFECTS, IN_PLANE, KEYS
from photodefect.errors import DataError
from photodefect.training.calibration import fit_calibration, good_photos, reference_quantiles
from photodefect.training.columns import ColumnRecipe, compact_column, fit_columns, merged
from photodefect.training.features import (
    AREAS,
    GROUPS,
    CacheSettings,
    cache_features,
    photo_of,
    shard_files,
    unfit_source,
)
from photodefect.training.imagenet import load_imagenet_trunk
from photodefect.training.independence import independence_weights
from photodefect.training.samples import LeftOut
from photodefect.training.tuning import (
    TUNED_FOR,
    TuningRecipe,
    TuningSamples,
    compact_trunk,
    tune_trunk,
    tuned_descriptors,
)

WINDOWS: Final = tuple(
    (top, bottom, left, right)
    for top in range(3)
    for bottom in range(top + 1, 4)
    for left in range(3)
    for right in range(left + 1, 4)
)
"""All rectangles of the nine regions: (first row, after the last, first column, after the last)."""

WINDOWS_WHOLE: Final = (0, 3, 0, 3)
"""The one of them that is the whole input."""

WINDOW_OF_PATCHES: Final = (0, 2, 0, 2)
"""The part of a cached crop that is as large as a patch of a photo that is diagnosed: 5 x 5 cells of 7 x 7."""

WINDOWS_OF_FRAMES: Final = 2
"""Parts of each reduced photo that the patch network sees."""

HOLISTIC_SHARE: Final[Mapping[str, float]] = MappingProxyType(
    {
        "bad_exposure": 1.0,
        "bad_white_balance": 1.0,
        "bad_saturation": 1.0,
        "noise": 0.5,
        "haze": 0.85,
        "undesired_blur": 0.4,
        "bad_composition": 1.0,
    }
)
"""Weight of the holistic score; the rest is the patches'. Chosen on real photographs (a development set)."""

DEEPEST: Final[Mapping[str, int]] = MappingProxyType(
    {"bad_exposure": 4, "haze": 4, "bad_saturation": 10, "noise": 10, "undesired_blur": 10}
)
"""The last block that a column of the whole photo sees: all of them where nothing is said. What is in a picture doesn't
say how it is exposed, nor how hazy the air is; and the last one is tuned for others."""

WITHOUT_STATISTICS: Final = frozenset({"bad_saturation"})
"""Defects whose column of the whole photo sees no statistics: they say how much colour there is, not how much there was
in what is shown."""

INDEPENDENT: Final = frozenset({"noise", "undesired_blur", "bad_composition"})
"""Defects that the columns learn apart from the others, with which people's photos have them more often than not."""

LONGER: Final[Mapping[str, int]] = MappingProxyType({"bad_saturation": 6})
"""Passes over the samples by defect key, of the columns of the whole photo."""

LOWEST_PATCHES: Final[Mapping[str, float]] = MappingProxyType({"undesired_blur": 0.2})
"""Share of the patches that tell, those with the lowest scores; all of them where nothing is said. A photo that is
sharp somewhere is so where it is meant to be, more often than not."""

HUMAN_SCALE: Final[Mapping[str, float]] = MappingProxyType({"noise": 2.0})
"""Synthetic severities are multiplied by this for calibration: people call noise severe that synthesis calls mild."""

Report: TypeAlias = Callable[[str, int | None], None]
"""Told a line, and the number of photos whose features are cached (None when that is over)."""


@dataclass(frozen=True)
class CompactSettings:
    """How the shipped weights are made.

    Attributes:
        cache: what is cached of each photo.
        holistic: how the columns of the holistic network are trained; briefly, for what they learn of synthetic
            defects after that makes them worse on real ones. How much colour a photo had is learnt for longer.
        patches: how those of the patch network are trained.
        tuning: how the last stage of the holistic network's trunk is tuned before.
        holistic_share: weight of the holistic score by defect.
        validation: one of so many photos is held out for calibration.
        workers: processes that cache features.
    """

    cache: CacheSettings = field(default_factory=CacheSettings)
    holistic: ColumnRecipe = field(default_factory=lambda: ColumnRecipe(epochs=3, batch=256, other_epochs=LONGER))
    patches: ColumnRecipe = field(default_factory=lambda: ColumnRecipe(epochs=3, batch=512))
    tuning: TuningRecipe = field(default_factory=TuningRecipe)
    holistic_share: Mapping[str, float] = field(default_factory=lambda: HOLISTIC_SHARE)
    validation: int = 10
    workers: int = 2


@dataclass(frozen=True)
class Samples:
    """Descriptors and severities of cached features.

    Attributes:
        holistic: (N, C), whole photos and zoomed parts, float16.
        holistic_severities: (N, 7), NaN where unknown.
        holistic_places: (N, 2, 2), where they lie in the plane of each of ``IN_PLANE``, NaN where unknown.
        held: (N,), whether the photo is held out.
        pieces: (K, D), what the patch network learns from: crops, parts of crops, and reduced photos and parts of them,
            in the channels that it has; none of a photo held out.
        piece_severities: (K, 7), of the pieces; noise and blur of reduced photos are unknown to them.
        piece_places: (K, 2, 2), of the pieces.
        patches: (M, P, D), patches of variants of photos held out.
        severities: (M, 7), of the photos of these.
        scene: (M,), index into the holistic samples of the same variant.
        natural: (M,), whether the severities were drawn as people saw them.
    """

    holistic: Tensor
    holistic_severities: NDArray[np.float32]
    holistic_places: NDArray[np.float32]
    held: NDArray[np.bool_]
    pieces: Tensor
    piece_severities: NDArray[np.float32]
    piece_places: NDArray[np.float32]
    patches: Tensor
    severities: NDArray[np.float32]
    scene: NDArray[np.int64]
    natural: NDArray[np.bool_]


def is_held_out(photo: str, validation: int) -> bool:
    """Whether a photo is held out: by its name without folder and ending, so that crops go with their photo."""
    return zlib.crc32(photo.encode()) % validation == 0


def load_samples(shards: Iterable[Path], settings: CompactSettings) -> Samples:
    """Read cached features.

    Args:
        shards: the files of :func:`photodefect.training.features.cache_features`.
        settings: says which photos are held out.

    Raises:
        DataError: no photo was clean enough to be used.
    """
    rng = np.random.default_rng(settings.cache.seed)
    trunks = {kind: CompactTrunk(kind) for kind in KINDS}
    tapped = {kind: trunk.tapped for kind, trunk in trunks.items()}
    shared = shared_channels(trunks["holistic"], trunks["patches"])
    whole: list[Tensor] = []
    whole_labels: list[NDArray[np.float32]] = []
    whole_places: list[NDArray[np.float32]] = []
    held: list[bool] = []
    pieces: list[Tensor] = []
    piece_labels: list[NDArray[np.float32]] = []
    piece_places: list[NDArray[np.float32]] = []
    patches: list[Tensor] = []
    labels: list[NDArray[np.float32]] = []
    scene: list[int] = []
    natural: list[bool] = []
    for shard in shards:
        with np.load(shard) as stored:
            arrays = {name: stored[name] for name in stored.files if not name.endswith("maps")}
        if not len(arrays["severities"]):
            continue
        out = is_held_out(photo_of(shard), settings.validation)
        for prefix in GROUPS:
            frames, crops = arrays[prefix + "holistic"], arrays[prefix + "patches"]
            severities, places = arrays[prefix + "severities"], arrays[prefix + "places"]
            if not len(frames):
                continue
            start = sum(len(part) for part in whole)
            if prefix == "zoomed_":
                _forget_exposure(severities, places)
            whole.append(window_descriptors(frames, WINDOWS_WHOLE, tapped["holistic"]))
            whole_labels.append(severities)
            whole_places.append(places)
            held += [out] * len(frames)
            if not out:
                pieces.append(_windows(crops.reshape(-1, *crops.shape[2:]), 1, rng, tapped["patches"]))
                piece_labels.append(np.tile(np.repeat(severities, crops.shape[1], axis=0), (2, 1)))
                piece_places.append(np.tile(np.repeat(places, crops.shape[1], axis=0), (2, 1, 1)))
                pieces.append(_windows(frames[..., shared], WINDOWS_OF_FRAMES, rng, tapped["patches"]))
                piece_labels.append(np.tile(_coarse(severities), (1 + WINDOWS_OF_FRAMES, 1)))
                piece_places.append(np.tile(places, (1 + WINDOWS_OF_FRAMES, 1, 1)))
            elif not prefix:
                patches.append(window_descriptors(crops, WINDOW_OF_PATCHES, tapped["patches"]))
                labels.append(severities)
                scene += range(start, start + len(crops))
                natural += [index >= settings.cache.rebalanced * len(crops) for index in range(len(crops))]
    if not whole:
        raise DataError(
            "No photo is clean enough to learn from (hazy, noisy, blown, blurred or graphics, all of them)."
        )
    if not pieces:
        raise DataError("Every clean photo was held out, so nothing is left to learn from; add photos.")
    if not patches:
        raise DataError("No clean photo was held out, so nothing can be calibrated; add photos.")
    return Samples(
        torch.cat(whole),
        np.concatenate(whole_labels),
        np.concatenate(whole_places),
        np.array(held),
        torch.cat(pieces),
        np.concatenate(piece_labels),
        np.concatenate(piece_places),
        torch.cat(patches),
        np.concatenate(labels),
        np.array(scene),
        np.array(natural),
    )


def load_maps(shards: Iterable[Path], count: int) -> Tensor:
    """The maps of cached whole photos, (N, c, 14, 14), float16, in the order of :attr:`Samples.holistic`.

    Args:
        shards: as of :func:`load_samples`.
        count: N, of all of them.

    Raises:
        DataError: there are fewer maps than that.
    """
    maps: Tensor | None = None
    done = 0
    for shard in shards:
        with np.load(shard) as stored:
            for prefix in GROUPS:
                own = stored[prefix + "maps"]
                if not len(own):
                    continue
                # All at once is several gigabytes: they are never there twice.
                maps = torch.empty(count, *own.shape[1:], dtype=torch.float16) if maps is None else maps
                maps[done : done + len(own)] = torch.from_numpy(own)
                done += len(own)
    if maps is None or done != count:
        raise DataError(f"{done} maps of {count} whole photos are cached; remove the cached features and start anew.")
    return maps


def shared_channels(whole: CompactTrunk, part: CompactTrunk) -> NDArray[np.int64]:
    """Which channels of the features of ``whole`` are those of ``part``, whose taps must be the first of ``whole``."""
    means = np.arange(part.tapped)
    statistics = np.arange(2 * whole.tapped, whole.outputs)
    return np.concatenate([means, whole.tapped + means, statistics])


def unseen_descriptors(trunk: CompactTrunk) -> dict[str, Tensor]:
    """By defect key, which descriptors (boolean, (D,)) :data:`DEEPEST` and :data:`WITHOUT_STATISTICS` hide from it."""
    taps = torch.cat([torch.full((trunk.lite0.channels[tap],), tap) for tap in trunk.lite0.taps])
    statistics = torch.full((trunk.statistics.count,), -1)
    depths = torch.cat([taps, taps, statistics])
    late = {key: depths > deepest for key, deepest in DEEPEST.items()}
    nothing = torch.zeros(trunk.outputs, dtype=torch.bool)
    return late | {key: late.get(key, nothing) | (depths < 0) for key in WITHOUT_STATISTICS}


def _windows(regions: NDArray[np.float32], count: int, rng: np.random.Generator, tapped: int) -> Tensor:
    """Region means (N, 9, C) -> descriptors ((1 + count) * N, D): of the whole inputs, then of random parts of each.

    Heat maps look through smaller windows than a patch.
    """
    seen = [window_descriptors(regions, WINDOWS_WHOLE, tapped)]
    for _ in range(count):
        chosen = rng.integers(len(WINDOWS), size=len(regions))
        seen.append(
            torch.stack(
                [window_descriptors(one, WINDOWS[int(i)], tapped) for one, i in zip(regions, chosen, strict=True)]
            )
        )
    return torch.cat(seen)


def _forget_exposure(severities: NDArray[np.float32], places: NDArray[np.float32]) -> None:
    """Of parts of photos, in place: the dark corner of a well exposed photo is no badly exposed photo."""
    severities[:, KEYS.index("bad_exposure")] = np.nan
    places[:, IN_PLANE.index("bad_exposure")] = np.nan


def _coarse(severities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Severities of reduced photos as patches know them: a reduction hides noise and blur."""
    known: NDArray[np.float32] = severities.copy()
    known[:, [KEYS.index("noise"), KEYS.index("undesired_blur")]] = np.nan
    return known


def window_descriptors(regions: NDArray[np.float32], window: tuple[int, int, int, int], tapped: int) -> Tensor:
    """Region means (..., 9, C) -> descriptors (..., C) of a window of whole regions, float16."""
    top, bottom, left, right = window
    inside = [3 * row + column for row in range(top, bottom) for column in range(left, right)]
    areas = np.array([AREAS[index] for index in inside], np.float32)
    pooled = torch.from_numpy(np.einsum("...rc,r->...c", regions[..., inside, :], areas / areas.sum()))
    flat = pooled.reshape(-1, pooled.shape[-1], 1, 1)
    return describe(flat, tapped).reshape(pooled.shape).half()


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
        TuningSamples(maps, samples.holistic, severities, samples.holistic_places, learnt),
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
        places = samples.holistic_places[train]
        unseen = unseen_descriptors(trunk)
    else:
        # Photos as a whole teach the patch network as well: casts and veils look the same at any scale.
        descriptors, severities, places, unseen = samples.pieces, samples.piece_severities, samples.piece_places, {}
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
        fit_columns(network, descriptors, severities, own, on_epoch, places=places, blind=unseen, emphasis=emphasis)
        for key, columns in members.items():
            columns.append(compact_column(network, key))
    for defect in network.defects:
        network.columns[defect.key] = merged(members[defect.key], defect)
    network.eval()


def _emphasis(keys: Iterable[str], severities: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """How much each sample counts for the columns that learn apart from other defects."""
    return {key: independence_weights(severities, key) for key in keys if key in INDEPENDENT}


def _told(what: str, losses: Mapping[str, float]) -> str:
    return f"{what}: " + "  ".join(f"{key} {loss:.3f}" for key, loss in losses.items())


def _named(kind: Kind, member: int) -> str:
    return f"{kind}, {member + 1} of {MEMBERS[kind]}," if MEMBERS[kind] > 1 else kind


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
