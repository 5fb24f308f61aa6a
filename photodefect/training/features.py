"""The cache of features: what the frozen trunks see of degraded photos, one file a source photo.

Columns are then trained in seconds instead of hours. Such a file, a shard, holds several degraded variants of one
photo, each as one holistic input and a few patches (:mod:`photodefect.training.trunk_features`).
"""

from __future__ import annotations

import hashlib
import json
import math
import zlib
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import as_completed
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from photodefect.core.inputs import holistic_input, patch_inputs
from photodefect.defects import IN_PLANE, KEYS
from photodefect.diagnosis.settings import Decoding
from photodefect.diagnosis.workers.limits import memory_limit, time_limit
from photodefect.diagnosis.workers.pool import ProcessWorkers
from photodefect.diagnosis.workers.tasks import Task
from photodefect.records import PhotoFailure
from photodefect.synthesis.degrade import Degraded, degrade
from photodefect.synthesis.severities import draw_severities
from photodefect.synthesis.sources import source_quality, why_not_clean
from photodefect.training.split import photo_digest
from photodefect.training.trunk_features import Trunks, frozen_trunks, region_features
from photodefect.training.variants import framed_severities, seen_exposure, smeared, zoomed, zoomed_severities

GROUPS: Final = ("", "framed_", "zoomed_", "smeared_")
"""Kinds of variants that a shard holds, by what their arrays' names begin with."""

FRAGMENTS: Final = "native"
"""Sources in a folder of this name are fragments of photos: their framing says nothing."""


@dataclass(frozen=True)
class CacheSettings:
    """What a cache of features holds.

    Attributes:
        variants: degraded variants of each source photo, with patches.
        patches: patches of each variant.
        frames: further variants, of what the whole frame shows best: each of
            :data:`~photodefect.training.variants.FRAMED` in turn.
        frame_patches: patches of each of these.
        zooms: degraded variants of parts of the photo in which one colour, or light or shade, takes up the frame, so
            that a red dress isn't taken for a cast.
        zoom_patches: patches of each of these.
        smears: variants blurred by many pixels, as large photos are that look just as blurred as small ones.
        seed: of the severities, the degradations and the patches.
        rebalanced: share of the variants whose severities are rebalanced instead of drawn as people saw them.
        any_source: photos that aren't clean are degraded as well.
    """

    variants: int = 10
    patches: int = 3
    frames: int = 36
    frame_patches: int = 1
    zooms: int = 8
    zoom_patches: int = 1
    smears: int = 1
    seed: int = 0
    rebalanced: float = 0.7
    any_source: bool = False


def cache_shard(pixels: NDArray[np.uint8], source: Path, shard: Path, settings: CacheSettings, trunks: Trunks) -> None:
    """Degrade one source photo, (H, W, 3) sRGB, in several ways and store the features of each.

    The shard is an ``.npz`` with ``holistic`` (V, 9, C) and ``patches`` (V, P, 9, D) in float32, ``maps``
    (V, c, 14, 14) in float16, what the trunk's last stage takes of the whole photos, ``severities``
    (V, 7) with NaN where a severity is unknown, ``places`` (V, 2, 2), the points in the direction plane of each of
    ``IN_PLANE``, of which the same holds; likewise of the other :data:`GROUPS`, with their names before. All are empty
    for a photo that isn't clean, and ``unfit`` says why.
    """
    unfit = None if settings.any_source else why_not_clean(source_quality(pixels))
    kept = unfit is None
    framed = source.parent.name != FRAGMENTS
    variants, frames, zooms, smears = (_Group() for _ in range(4))
    rng = _random_numbers(settings, source)
    for variant in range(settings.variants if kept else 0):
        wanted = draw_severities(rng, rebalanced=variant < settings.rebalanced * settings.variants)
        seen = _picture_features(degrade(pixels, wanted, rng), settings.patches, rng, trunks)
        variants.add(seen, framed=framed)
    rng = _random_numbers(settings, source, 3)
    for frame in range(settings.frames if kept else 0):
        wanted = framed_severities(rng, frame)
        seen = _picture_features(degrade(pixels, wanted, rng), settings.frame_patches, rng, trunks)
        frames.add(seen, framed=framed)
    rng = _random_numbers(settings, source, 1)
    for variant in range(settings.zooms if kept else 0):
        part = zoomed(pixels, rng)
        wanted = zoomed_severities(rng, variant)
        if part is not None:
            # What a part of a photo shows is nobody's composition.
            zooms.add(_picture_features(degrade(part, wanted, rng), settings.zoom_patches, rng, trunks), framed=False)
    rng = _random_numbers(settings, source, 2)
    for _ in range(settings.smears if kept else 0):
        smears.add(_picture_features(smeared(pixels, rng), settings.patches, rng, trunks), framed=False)
    temporary = shard.with_suffix(".partial.npz")
    groups = zip(GROUPS, (variants, frames, zooms, smears), strict=True)
    arrays = {prefix + name: array for prefix, group in groups for name, array in group.arrays()}
    np.savez(temporary, unfit=np.array(unfit or ""), **arrays)  # type: ignore[arg-type]
    temporary.replace(shard)


def _random_numbers(settings: CacheSettings, source: Path, *group: int) -> np.random.Generator:
    """Of each photo, and of each group of variants, their own: none depends on how many others there are."""
    return np.random.default_rng([settings.seed, zlib.crc32(source.name.encode()), *group])


@dataclass(frozen=True)
class _Group:
    """What the networks see of several pictures of one kind, and their labels; named as the arrays of a shard."""

    holistic: list[NDArray[np.float32]] = field(default_factory=list)
    patches: list[NDArray[np.float32]] = field(default_factory=list)
    maps: list[NDArray[np.float16]] = field(default_factory=list)
    severities: list[list[float]] = field(default_factory=list)
    places: list[list[tuple[float, float]]] = field(default_factory=list)

    def add(self, seen: _PictureFeatures, *, framed: bool) -> None:
        """Keep what is seen of a picture; its composition is unknown unless somebody framed it."""
        self.holistic.append(seen.whole)
        self.patches.append(seen.parts)
        self.maps.append(seen.maps)
        labels = seen.severities
        self.severities.append([labels[key] if framed or key != "bad_composition" else math.nan for key in KEYS])
        self.places.append([seen.points[key] for key in IN_PLANE])

    def arrays(self) -> Iterator[tuple[str, NDArray[np.floating]]]:
        """Each of them by name."""
        for name, values in vars(self).items():
            yield name, np.array(values, np.float16 if name == "maps" else np.float32)


@dataclass(frozen=True)
class _PictureFeatures:
    """Region means of the whole (9, C) and of crops (P, 9, D) of a picture, and the labels as people see them.

    Also the whole as the trunk's last stage takes it, (c, 14, 14).
    """

    whole: NDArray[np.float32]
    parts: NDArray[np.float32]
    maps: NDArray[np.float16]
    severities: dict[str, float]
    points: dict[str, tuple[float, float]]


def _picture_features(degraded: Degraded, crops: int, rng: np.random.Generator, trunks: Trunks) -> _PictureFeatures:
    whole = holistic_input(degraded.pixels)
    seed = int(rng.integers(2**31))
    means, maps = (one[0] for one in region_features(trunks["holistic"], whole[None]))
    parts = np.empty((0, *means.shape), np.float32)
    if crops:
        parts, _ = region_features(trunks["patches"], patch_inputs(degraded.pixels, count=crops, seed=seed))
    labels = dict(degraded.severities)
    exposure = seen_exposure(degraded.points["bad_exposure"], whole)
    labels["bad_exposure"] = math.hypot(*exposure)
    return _PictureFeatures(means, parts, maps, labels, degraded.points | {"bad_exposure": exposure})


@dataclass(frozen=True)
class Cached:
    """A source photo that is done.

    Attributes:
        source: the photo.
        failure: why there are no features of it; None if there are.
    """

    source: Path
    failure: PhotoFailure | None = None


@dataclass(frozen=True)
class _CacheFeatures:
    """What becomes of a source photo where it is decoded: its shard."""

    source: Path
    shard: Path
    settings: CacheSettings

    def prepare(self) -> None:
        """Build the networks.

        Raises:
            ModelError: the ImageNet weights are missing.
        """
        _worker_trunks()

    def __call__(self, pixels: NDArray[np.uint8]) -> OSError | None:
        """Write the shard of (H, W, 3) sRGB; what is in the way if it can't be written."""
        try:
            cache_shard(pixels, self.source, self.shard, self.settings, _worker_trunks())
        except OSError as error:
            return error
        return None


@cache
def _worker_trunks() -> Trunks:
    torch.set_num_threads(1)
    return frozen_trunks()


VERSION: Final = 3
"""To be raised when features of the same photo under the same settings become others: trunk, statistics, synthesis."""


def shard_files(sources: Sequence[Path], folder: Path, settings: CacheSettings) -> dict[Path, Path]:
    """Where the features of each source lie, by source.

    The name tells its content and the settings, so that a photo that was changed, or other settings, have features of
    their own; it begins with what tells a person, and :func:`photo_of`, which photo it is.
    """
    made = json.dumps([VERSION, asdict(settings)], sort_keys=True)
    files = {}
    for source in sources:
        told = f"{made} {source.name} {photo_digest(source)}"
        key = hashlib.blake2b(told.encode(errors="surrogateescape"), digest_size=8).hexdigest()
        files[source] = folder / f"{source.parent.name}__{source.stem}.{key}.npz"
    return files


def photo_of(shard: Path) -> str:
    """The name of the photo of a shard, without folder and ending."""
    return shard.name.split("__", 1)[1].rsplit(".", 2)[0]


def unfit_source(shard: Path) -> str:
    """Why the photo of a shard isn't clean; empty if it is."""
    with np.load(shard) as stored:
        return str(stored["unfit"])


VARIANT_S: Final = 2.0
"""Seconds that a variant may take for each megapixel of its photo: ten times what one takes on a slow machine."""


def cache_features(
    shards: Mapping[Path, Path], settings: CacheSettings, *, workers: int = 2
) -> Generator[Cached, None, None]:
    """Cache the features of many source photos, one process a core; shards that exist already are kept.

    A photo that can't be decoded, or that takes its process with it, costs nothing but itself.

    Args:
        shards: by photo, where its features go, from :func:`shard_files`.
        settings: what each shard holds.
        workers: processes.

    Yields:
        Each source as it is done; not those that were.

    Raises:
        ModelError: the ImageNet weights are missing.
        OSError: a shard can't be written.
    """
    missing = {source: shard for source, shard in shards.items() if not shard.exists()}
    for folder in {shard.parent for shard in missing.values()}:
        folder.mkdir(parents=True, exist_ok=True)
    seconds = VARIANT_S * (settings.variants + settings.frames + settings.zooms + settings.smears)
    pool = ProcessWorkers(Decoding(), workers, memory_limit())
    try:
        futures = {}
        for source, shard in missing.items():
            job = _CacheFeatures(source, shard, settings)
            task = Task(str(source), job=job, limit_s=time_limit(str(source), 0), job_s=seconds)
            futures[pool.submit(task)] = source
        for future in as_completed(futures):
            outcome = future.result()
            if outcome.fatal is not None:
                raise outcome.fatal
            if isinstance(outcome.made, OSError):
                raise outcome.made
            yield Cached(futures[future], outcome.failure)
    finally:
        pool.close()
