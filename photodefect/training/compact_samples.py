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

from photodefect.core.network.compact import describe
from photodefect.core.network.compact_trunk import CompactTrunk
from photodefect.defects import IN_PLANE, KEYS
from photodefect.errors import DataError
from photodefect.training.degraded_features import GROUPS
from photodefect.training.feature_cache import photo_of
from photodefect.training.trunk_features import AREAS, whole_descriptors

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

WINDOWS_OF_FRAMES: Final = 2
"""Parts of each reduced photo that the patch network sees."""


@dataclass(frozen=True)
class Samples:
    """Descriptors and severities of cached features of degraded photos.

    Attributes:
        whole: (N, F), of whole photos and zoomed parts, float16.
        severities: (N, 7), NaN where unknown.
        points: (N, 2, 2), in the direction plane of each of ``IN_PLANE``, NaN where unknown.
        photos: (N,), the name of each one's photo without folder and ending.
        pieces: (K, D), what the patch network learns from: crops, parts of crops, and reduced photos and parts of them.
        piece_severities: (K, 7), of the pieces; noise and blur of reduced photos are unknown to them.
        piece_points: (K, 2, 2), of the pieces.
        piece_photos: (K,), as ``photos``.
    """

    whole: Tensor
    severities: NDArray[np.float32]
    points: NDArray[np.float32]
    photos: NDArray[np.str_]
    pieces: Tensor
    piece_severities: NDArray[np.float32]
    piece_points: NDArray[np.float32]
    piece_photos: NDArray[np.str_]


def is_held_out(photo: str, validation: int) -> bool:
    """Whether a photo is held out: by its name without folder and ending, so that crops go with their photo."""
    return zlib.crc32(photo.encode()) % validation == 0


def load_samples(shards: Iterable[Path], seed: int) -> Samples:
    """Read cached features.

    Args:
        shards: the files of :func:`photodefect.training.feature_cache.cache_features`, without those held out.
        seed: of the parts of pictures that the patch network sees.

    Raises:
        DataError: no photo was clean enough to be used.
    """
    rng = np.random.default_rng(seed)
    trunk, tapped = CompactTrunk("holistic"), CompactTrunk("patches").tapped
    whole, pieces = _Collected(), _Collected()
    for shard in shards:
        photo = photo_of(shard)
        with np.load(shard) as stored:
            arrays = dict(stored)
        for prefix in GROUPS:
            frames, crops = arrays[prefix + "holistic"], arrays[prefix + "patches"]
            severities, points = arrays[prefix + "severities"], arrays[prefix + "places"]
            if not len(frames):
                continue
            if prefix == "zoomed_":
                _forget_exposure(severities, points)
            early = window_descriptors(frames, WINDOWS_WHOLE, tapped)
            seen = whole_descriptors(trunk, early, torch.from_numpy(arrays[prefix + "late"]))
            whole.add(seen, severities, points, photo)
            each = crops.shape[1]
            of_crops = (np.tile(np.repeat(severities, each, axis=0), (2, 1)), np.repeat(points, each, axis=0))
            flat = crops.reshape(-1, *crops.shape[2:])
            pieces.add(windows(flat, 1, rng, tapped), of_crops[0], np.tile(of_crops[1], (2, 1, 1)), photo)
            of_frames = np.tile(_without_noise_and_blur(severities), (1 + WINDOWS_OF_FRAMES, 1))
            of_points = np.tile(points, (1 + WINDOWS_OF_FRAMES, 1, 1))
            pieces.add(windows(frames, WINDOWS_OF_FRAMES, rng, tapped), of_frames, of_points, photo)
    if not whole.descriptors:
        raise DataError(
            "No photo is clean enough to learn from (hazy, noisy, blown, blurred or graphics, all of them)."
        )
    return Samples(*whole.joined(), *pieces.joined())


class _Collected:
    """Samples of one kind, photo by photo."""

    def __init__(self) -> None:
        self.descriptors: list[Tensor] = []
        self.severities: list[NDArray[np.float32]] = []
        self.points: list[NDArray[np.float32]] = []
        self.photos: list[str] = []

    def add(
        self, descriptors: Tensor, severities: NDArray[np.float32], points: NDArray[np.float32], photo: str
    ) -> None:
        self.descriptors.append(descriptors)
        self.severities.append(severities)
        self.points.append(points)
        self.photos += [photo] * len(descriptors)

    def joined(self) -> tuple[Tensor, NDArray[np.float32], NDArray[np.float32], NDArray[np.str_]]:
        return (
            torch.cat(self.descriptors),
            np.concatenate(self.severities),
            np.concatenate(self.points),
            np.array(self.photos),
        )


def windows(regions: NDArray[np.float32], count: int, rng: np.random.Generator, tapped: int) -> Tensor:
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
