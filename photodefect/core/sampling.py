"""How many samples each photo gives to each defect, so that its classes come out balanced (section 4.4).

A photo of a rare class is sampled often: in inverse proportion to the photos of its class, within limits that keep
common photos in and rare ones from being repeated without end. Each defect thus has a sample source of its own.

The rule that reproduces the authors' class weights: with n_max photos in the most frequent class and n_k in class k,

* patch network: s_k = 5 n_max / n_k, at most 50, patches a photo (never under 5, as n_max >= n_k);
* holistic network: s_k = n_max / n_k, at most 51 - the whole photo once and s_k - 1 half-size crops;
* composition: the whole photo alone, as a crop would change it.

s_k isn't rounded: that class gives n_k s_k samples in all (rounded down), some of its photos one more than others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from photodefect.core.infogain import MASKED, class_counts
from photodefect.defects import DEFECTS, PATCH_DEFECTS, Defect

NetworkKind = Literal["holistic", "patches"]

FEWEST_PATCHES: Final = 5
"""Patches of a photo of the most frequent class."""

MOST_CROPS: Final = 50
"""Patches, or half-size crops, of a photo of a rare class."""


class SampleKind(Enum):
    """What is cut from a photo; each is then warped to 224x224, except that a patch has this size already."""

    WHOLE = "whole"
    HALF_CROP = "half-crop"
    """Half the height and half the width, anywhere, at original resolution."""
    PATCH = "patch"
    """224x224 pixels, anywhere, at original resolution."""


@dataclass(frozen=True)
class Sample:
    """One training sample.

    Attributes:
        photo: index into the labelled set.
        kind: what to cut.
        number: counts the cuts of that kind from that photo for this defect, from 0; with the seed it says where.
        flipped: mirrored left to right.
    """

    photo: int
    kind: SampleKind
    number: int
    flipped: bool


def samples_per_photo(defect: Defect, counts: NDArray[np.int64], network: NetworkKind) -> NDArray[np.float64]:
    """s_k, the mean number of samples (flips not counted) from a photo of each class.

    Args:
        defect: whose classes; composition gives the whole photo alone.
        counts: photos of each class, (K,).
        network: which network's samples.

    Returns:
        (K,); 0 for a class without photos.

    Raises:
        ValueError: the patch network doesn't predict this defect.
    """
    if network == "patches" and not defect.in_patches:
        raise ValueError(f"{defect.key} is not predicted from patches")
    present = counts > 0
    if network == "holistic" and not defect.in_patches:
        return present.astype(np.float64)
    fewest, most = (FEWEST_PATCHES, MOST_CROPS) if network == "patches" else (1, 1 + MOST_CROPS)
    wanted = fewest * counts.max(initial=0) / np.maximum(counts, 1)
    return np.where(present, np.clip(wanted, fewest, most), 0.0)


def effective_counts(defect: Defect, counts: NDArray[np.int64], network: NetworkKind) -> NDArray[np.float64]:
    """Samples of each class, (K,): photos x samples a photo. What the infogain matrix is weighted by."""
    return counts * samples_per_photo(defect, counts, network)


@dataclass(frozen=True)
class SampleSource:
    """The samples of one defect: for each entry a photo, a kind and a number of cuts.

    Every sample is there twice, as it is and mirrored; ``len`` counts both.

    Attributes:
        defect: whose source it is.
        photos: index of the photo of each entry, (E,).
        kinds: kind of each entry.
        numbers: cuts of each entry, (E,), all positive.
        class_samples: planned samples by class without flips, (K,): the weights of the infogain matrix come from it.
    """

    defect: Defect
    photos: NDArray[np.int64]
    kinds: tuple[SampleKind, ...]
    numbers: NDArray[np.int64]
    class_samples: NDArray[np.float64]

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        return np.cumsum(self.numbers)

    def __len__(self) -> int:
        return 2 * int(self.numbers.sum())

    def __getitem__(self, index: int) -> Sample:
        """The sample at ``index``, 0 … len - 1.

        Raises:
            IndexError: there is no such sample.
        """
        if not 0 <= index < len(self):
            raise IndexError(index)
        cut, flipped = divmod(index, 2)
        entry = int(np.searchsorted(self._ends, cut, side="right"))
        number = cut - int(self._ends[entry] - self.numbers[entry])
        return Sample(int(self.photos[entry]), self.kinds[entry], number, bool(flipped))

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))

    def order(self, seed: int, epoch: int) -> NDArray[np.int64]:
        """Indices of all samples in the random order of one epoch, (len,); the same for the same seed and epoch."""
        return np.random.default_rng([seed, epoch]).permutation(len(self))


SamplePlan = Mapping[str, SampleSource]
"""A sample source for each defect of a network, by key."""


def sample_source(defect: Defect, classes: NDArray[np.int64], network: NetworkKind) -> SampleSource:
    """Plan the samples of one defect.

    Args:
        defect: one that ``network`` predicts.
        classes: class of each photo, (N,); photos whose class is masked give no samples.
        network: "holistic" or "patches".
    """
    counts = class_counts(defect, classes)
    per_photo = samples_per_photo(defect, counts, network)
    numbers = np.zeros(len(classes), dtype=np.int64)
    for klass in np.flatnonzero(counts):
        members = np.flatnonzero(classes == klass)
        # Whole samples up to each photo, so that fractions add up over a class (1e-9: 7 x (10 / 7) is a hair below 10).
        reached = np.floor(np.arange(len(members) + 1) * per_photo[klass] + 1e-9)
        numbers[members] = np.diff(reached).astype(np.int64)
    entries: list[tuple[int, SampleKind, int]] = []
    for photo in np.flatnonzero(classes != MASKED):
        if network == "patches":
            entries.append((int(photo), SampleKind.PATCH, int(numbers[photo])))
            continue
        entries.append((int(photo), SampleKind.WHOLE, 1))
        if numbers[photo] > 1:
            entries.append((int(photo), SampleKind.HALF_CROP, int(numbers[photo]) - 1))
    return SampleSource(
        defect,
        np.array([photo for photo, _, _ in entries], dtype=np.int64),
        tuple(kind for _, kind, _ in entries),
        np.array([number for _, _, number in entries], dtype=np.int64),
        counts * per_photo,
    )


def sample_plan(classes: Mapping[str, NDArray[np.int64]], network: NetworkKind) -> SamplePlan:
    """Plan the samples of every defect that a network predicts.

    Args:
        classes: class of each photo by defect key, (N,) each.
        network: "holistic" (all seven defects) or "patches" (all but composition).
    """
    defects = PATCH_DEFECTS if network == "patches" else DEFECTS
    return {defect.key: sample_source(defect, classes[defect.key], network) for defect in defects}
