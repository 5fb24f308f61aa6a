"""Features of degraded photos: what the frozen trunks see of several variants of a clean one.

Columns are then trained in seconds instead of hours. Such a file, a shard, holds several degraded variants of one
photo, each as one holistic input and a few patches (:mod:`photodefect.training.trunk_features`).
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from photodefect.core.inputs import holistic_input, patch_inputs
from photodefect.defects import IN_PLANE, KEYS
from photodefect.synthesis.degrade import Degraded, degrade
from photodefect.synthesis.severities import draw_severities
from photodefect.synthesis.sources import source_quality, why_not_clean
from photodefect.training.feature_cache import CachingJob, shard_file
from photodefect.training.trunk_features import Trunks, patch_features, whole_features
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

    @property
    def pictures(self) -> int:
        """Variants of a photo."""
        return self.variants + self.frames + self.zooms + self.smears


@dataclass(frozen=True)
class DegradedJob(CachingJob):
    """Degrades a photo in several ways and stores the features of each.

    A shard has ``holistic`` (V, 9, D) and ``patches`` (V, P, 9, D) in float32, ``late`` (V, L) in float16,
    descriptors of the whole by the last block, ``severities`` (V, 7) with NaN where a severity is unknown,
    ``places`` (V, 2, 2), the points in the direction plane of each of ``IN_PLANE``, of which the same holds; likewise
    of the other :data:`GROUPS`, with their names before. All are empty for a photo that isn't clean, and ``unfit`` says
    why.

    Attributes:
        settings: what it holds.
    """

    settings: CacheSettings

    def features(self, pixels: NDArray[np.uint8], trunks: Trunks) -> dict[str, NDArray[np.generic]]:
        """What the shard holds, by name."""
        settings, source = self.settings, self.source
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
                zooms.add(
                    _picture_features(degrade(part, wanted, rng), settings.zoom_patches, rng, trunks), framed=False
                )
        rng = _random_numbers(settings, source, 2)
        for _ in range(settings.smears if kept else 0):
            smears.add(_picture_features(smeared(pixels, rng), settings.patches, rng, trunks), framed=False)
        groups = zip(GROUPS, (variants, frames, zooms, smears), strict=True)
        arrays: dict[str, NDArray[np.generic]] = {
            prefix + name: array for prefix, group in groups for name, array in group.arrays()
        }
        return arrays | {"unfit": np.array(unfit or "")}


def _random_numbers(settings: CacheSettings, source: Path, *group: int) -> np.random.Generator:
    """Of each photo, and of each group of variants, their own: none depends on how many others there are."""
    return np.random.default_rng([settings.seed, zlib.crc32(source.name.encode()), *group])


@dataclass(frozen=True)
class _Group:
    """What the networks see of several pictures of one kind, and their labels; named as the arrays of a shard."""

    holistic: list[NDArray[np.float32]] = field(default_factory=list)
    patches: list[NDArray[np.float32]] = field(default_factory=list)
    late: list[NDArray[np.float16]] = field(default_factory=list)
    severities: list[list[float]] = field(default_factory=list)
    places: list[list[tuple[float, float]]] = field(default_factory=list)

    def add(self, seen: _PictureFeatures, *, framed: bool) -> None:
        """Keep what is seen of a picture; its composition is unknown unless somebody framed it."""
        self.holistic.append(seen.whole)
        self.patches.append(seen.parts)
        self.late.append(seen.late)
        labels = seen.severities
        self.severities.append([labels[key] if framed or key != "bad_composition" else math.nan for key in KEYS])
        self.places.append([seen.points[key] for key in IN_PLANE])

    def arrays(self) -> Iterator[tuple[str, NDArray[np.floating]]]:
        """Each of them by name."""
        for name, values in vars(self).items():
            yield name, np.array(values, np.float16 if name == "late" else np.float32)


@dataclass(frozen=True)
class _PictureFeatures:
    """Region means of the whole (9, D) and of crops (P, 9, D) of a picture, and the labels as people see them.

    Also descriptors of the whole by the last block, (L,).
    """

    whole: NDArray[np.float32]
    parts: NDArray[np.float32]
    late: NDArray[np.float16]
    severities: dict[str, float]
    points: dict[str, tuple[float, float]]


def _picture_features(degraded: Degraded, crops: int, rng: np.random.Generator, trunks: Trunks) -> _PictureFeatures:
    whole = holistic_input(degraded.pixels)
    seed = int(rng.integers(2**31))
    seen = whole_features(trunks, whole[None])
    means, late = seen.early[0], seen.late[0]
    parts = np.empty((0, *means.shape), np.float32)
    if crops:
        parts = patch_features(trunks, patch_inputs(degraded.pixels, count=crops, seed=seed))
    labels = dict(degraded.severities)
    exposure = seen_exposure(degraded.points["bad_exposure"], whole)
    labels["bad_exposure"] = math.hypot(*exposure)
    return _PictureFeatures(means, parts, late, labels, degraded.points | {"bad_exposure": exposure})


def degraded_jobs(sources: Sequence[Path], folder: Path, settings: CacheSettings) -> list[DegradedJob]:
    """What caches the features of degraded photos, one job a photo."""
    told = asdict(settings)
    return [DegradedJob(source, shard_file(source, folder, told), settings) for source in sources]


def unfit_source(shard: Path) -> str:
    """Why the photo of a shard isn't clean; empty if it is."""
    with np.load(shard) as stored:
        return str(stored["unfit"])
