"""The rated photos of the compact recipe: cached features beside what people said, and how they are parted in folds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from photodefect.core.infogain import classes_of, vote_distributions, vote_matrix
from photodefect.core.network.compact import describe
from photodefect.core.network.compact_trunk import CompactTrunk
from photodefect.defects import DEFECTS, KEYS
from photodefect.errors import DataError
from photodefect.labels.table import LabelledPhoto
from photodefect.training.compact_samples import WINDOWS_WHOLE, window_descriptors, windows
from photodefect.training.trunk_features import whole_descriptors

LARGEST_GROUP: Final = 0.15
"""A group of a larger share of the photos is parted by photo, or one fold would be half of everything."""


@dataclass(frozen=True)
class FramedViews:
    """What the network of whole photos sees of views that are turned or cropped, well or wrongly.

    Attributes:
        views: (R, V, F), the trunk's own descriptors, float16.
        carried: (R, V, C, 14, 14), what the tuned blocks take, float16.
        by: (R, V), how severely each is composed badly by that; NaN where unknown.
    """

    views: Tensor
    carried: Tensor
    by: NDArray[np.float32]


@dataclass(frozen=True)
class RatedSamples:
    """What the networks see of rated photos, and their votes.

    Attributes:
        photos: as labelled, R of them.
        views: (R, V + E, F), the trunk's own descriptors of V views of the whole photo, and of E under another light,
            float16.
        carried: (R, V + E, C, 14, 14), what the tuned blocks take of these, float16.
        pieces: (R, P, D), what the patch network learns from of each photo.
        exposed_by: (R, E), how severely that is wrong.
        framed: of views that are turned or cropped wrongly.
        diagnosed: (R, Q, D), descriptors of the patches that a diagnosis looks at.
        severities: (R, 7), mean votes, NaN where unknown.
    """

    photos: tuple[LabelledPhoto, ...]
    views: Tensor
    carried: Tensor
    pieces: Tensor
    exposed_by: NDArray[np.float32]
    framed: FramedViews
    diagnosed: Tensor
    severities: NDArray[np.float32]

    @property
    def whole(self) -> Tensor:
        """(R, V, F), of the views that people would rate as they did the photo."""
        return self.views[:, : self.views.shape[1] - self.exposed_by.shape[1]]

    def exposed_severities(self) -> NDArray[np.float32]:
        """Severities (R, E, 7) of the views under another light: of exposure; all others are unknown, NaN.

        What people mind in a photo and what was done to it are independent reasons to mind it.
        """
        column = KEYS.index("bad_exposure")
        severities = np.full((*self.exposed_by.shape, len(KEYS)), np.nan, np.float32)
        severities[..., column] = 1 - (1 - self.severities[:, None, column]) * (1 - self.exposed_by)
        return severities

    def matrices(self, chosen: NDArray[np.int64]) -> dict[str, NDArray[np.float64]]:
        """V of section 4.2 by defect key, from the votes on some of the photos.

        Raises:
            DataError: there are no votes on a defect.
        """
        found = {}
        for column, defect in enumerate(DEFECTS):
            classes = classes_of(defect, self.severities[chosen, column].tolist())
            votes = [(self.photos[index].votes or {}).get(defect.key, ()) for index in chosen.tolist()]
            found[defect.key] = vote_matrix(vote_distributions(defect, classes, votes))
        return found


def load_rated(photos: Mapping[Path, LabelledPhoto], shards: Mapping[Path, Path], seed: int) -> RatedSamples:
    """Read cached features of rated photos.

    Args:
        photos: as labelled, by their file.
        shards: the files of :class:`~photodefect.training.rated_features.RatedJob`, by photo.
        seed: of the parts of pictures that the patch network sees.

    Raises:
        DataError: there is no photo, or none has votes.
    """
    if not shards:
        raise DataError("None of the labelled photos can be read, so there is nothing to learn from.")
    labelled = tuple(photos[path] for path in shards)
    if not any(photo.votes for photo in labelled):
        raise DataError(
            "The labels hold no single votes, and the recipe learns from them: make them by aggregate-votes, or take "
            "--recipe finetune."
        )
    rng = np.random.default_rng(seed)
    trunk, tapped = CompactTrunk("holistic"), CompactTrunk("patches").tapped
    views, carried, pieces, diagnosed, exposed_by = [], [], [], [], []
    framed, framed_carried, framed_by = [], [], []
    for shard in shards.values():
        with np.load(shard) as stored:
            own, taken = zip(*(_whole_views(stored, name, trunk, tapped) for name in ("", "exposed_")), strict=True)
            views.append(torch.cat(own))
            carried.append(torch.cat(taken))
            exposed_by.append(stored["exposed_by"])
            reframed, reframed_carried = _whole_views(stored, "framed_", trunk, tapped)
            framed.append(reframed)
            framed_carried.append(reframed_carried)
            framed_by.append(stored["framed_by"])
            crops = stored["patches"]
            pieces.append(windows(crops.reshape(-1, *crops.shape[2:]), 1, rng, tapped))
            pooled = torch.from_numpy(stored["diagnosed"])[:, :, None, None]
            diagnosed.append(describe(pooled, tapped).flatten(1).half())
    return RatedSamples(
        labelled,
        torch.stack(views),
        torch.stack(carried),
        torch.stack(pieces),
        np.array(exposed_by, np.float32),
        FramedViews(torch.stack(framed), torch.stack(framed_carried), np.array(framed_by, np.float32)),
        torch.stack(diagnosed),
        np.array([[photo.severities[key] for key in KEYS] for photo in labelled], np.float32),
    )


def _whole_views(
    stored: Mapping[str, NDArray[Any]], prefix: str, trunk: CompactTrunk, tapped: int
) -> tuple[Tensor, Tensor]:
    """Of some views in a shard the trunk's own descriptors, (V, F), and what the tuned blocks take."""
    own = window_descriptors(stored[f"{prefix}holistic"], WINDOWS_WHOLE, tapped)
    late = torch.from_numpy(stored[f"{prefix}late"])
    return whole_descriptors(trunk, own, late), torch.from_numpy(stored[f"{prefix}carried"])


def folds_of(groups: Sequence[str], count: int) -> NDArray[np.int64]:
    """Which of ``count`` folds each photo belongs to, (R,).

    All photos of a group are in one fold, but for groups of more than :data:`LARGEST_GROUP` of them; so is each photo
    without a group by itself. Folds are of about the same size.
    """
    members: dict[str, list[int]] = {}
    for index, group in enumerate(groups):
        members.setdefault(group or f"\0{index}", []).append(index)
    units = [
        unit
        for own in members.values()
        for unit in ([[one] for one in own] if len(own) > LARGEST_GROUP * len(groups) else [own])
    ]
    folds = np.zeros(len(groups), np.int64)
    sizes = np.zeros(count, np.int64)
    for unit in sorted(units, key=len, reverse=True):
        fold = int(np.argmin(sizes))
        folds[unit] = fold
        sizes[fold] += len(unit)
    return folds
