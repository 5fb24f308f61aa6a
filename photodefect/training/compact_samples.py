"""The samples of the compact recipe: cached features, read as descriptors with their severities."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from photodefect.core.network.compact import CompactTrunk, describe
from photodefect.core.network.registry import KINDS
from photodefect.defects import IN_PLANE, KEYS
from photodefect.errors import DataError
from photodefect.training.compact_settings import CompactSettings
from photodefect.training.features import (
    GROUPS,
    photo_of,
)
from photodefect.training.trunk_features import AREAS

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


@dataclass(frozen=True)
class Samples:
    """Descriptors and severities of cached features.

    Attributes:
        holistic: (N, C), whole photos and zoomed parts, float16.
        holistic_severities: (N, 7), NaN where unknown.
        holistic_points: (N, 2, 2), in the direction plane of each of ``IN_PLANE``, NaN where unknown.
        held: (N,), whether the photo is held out.
        pieces: (K, D), what the patch network learns from: crops, parts of crops, and reduced photos and parts of them,
            in the channels that it has; none of a photo held out.
        piece_severities: (K, 7), of the pieces; noise and blur of reduced photos are unknown to them.
        piece_points: (K, 2, 2), of the pieces.
        patches: (M, P, D), patches of variants of photos held out.
        severities: (M, 7), of the photos of these.
        scene: (M,), index into the holistic samples of the same variant.
        natural: (M,), whether the severities were drawn as people saw them.
    """

    holistic: Tensor
    holistic_severities: NDArray[np.float32]
    holistic_points: NDArray[np.float32]
    held: NDArray[np.bool_]
    pieces: Tensor
    piece_severities: NDArray[np.float32]
    piece_points: NDArray[np.float32]
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
    whole_points: list[NDArray[np.float32]] = []
    held: list[bool] = []
    pieces: list[Tensor] = []
    piece_labels: list[NDArray[np.float32]] = []
    piece_points: list[NDArray[np.float32]] = []
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
            severities, points = arrays[prefix + "severities"], arrays[prefix + "places"]
            if not len(frames):
                continue
            start = sum(len(part) for part in whole)
            if prefix == "zoomed_":
                _forget_exposure(severities, points)
            whole.append(window_descriptors(frames, WINDOWS_WHOLE, tapped["holistic"]))
            whole_labels.append(severities)
            whole_points.append(points)
            held += [out] * len(frames)
            if not out:
                pieces.append(_windows(crops.reshape(-1, *crops.shape[2:]), 1, rng, tapped["patches"]))
                piece_labels.append(np.tile(np.repeat(severities, crops.shape[1], axis=0), (2, 1)))
                piece_points.append(np.tile(np.repeat(points, crops.shape[1], axis=0), (2, 1, 1)))
                pieces.append(_windows(frames[..., shared], WINDOWS_OF_FRAMES, rng, tapped["patches"]))
                piece_labels.append(np.tile(_without_noise_and_blur(severities), (1 + WINDOWS_OF_FRAMES, 1)))
                piece_points.append(np.tile(points, (1 + WINDOWS_OF_FRAMES, 1, 1)))
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
        np.concatenate(whole_points),
        np.array(held),
        torch.cat(pieces),
        np.concatenate(piece_labels),
        np.concatenate(piece_points),
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


def _forget_exposure(severities: NDArray[np.float32], points: NDArray[np.float32]) -> None:
    """Of parts of photos, in place: the dark corner of a well exposed photo is no badly exposed photo."""
    severities[:, KEYS.index("bad_exposure")] = np.nan
    points[:, IN_PLANE.index("bad_exposure")] = np.nan


def _without_noise_and_blur(severities: NDArray[np.float32]) -> NDArray[np.float32]:
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
