"""Photos with severities to train on: labelled ones from files, or clean ones degraded as they are needed."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photodefect.core.batches import VotedPhotos
from photodefect.defects import KEYS, Defect
from photodefect.labels.table import LabelledSet
from photodefect.photos.decode import Decoder, decode_pixels
from photodefect.photos.monochrome import is_monochrome
from photodefect.synthesis.degrade import degrade
from photodefect.synthesis.severities import draw_severities
from photodefect.synthesis.sources import source_quality, why_not_clean
from photodefect.training.split import photo_digest

WORK_PIXELS: Final = 2_000_000
"""Synthesis: larger photos are reduced to this many pixels, or a part of that size is taken."""

LEAST_SIDE: Final = 64
"""Synthesis: photos with a shorter side are left out."""

_WHITE_BALANCE = KEYS.index("bad_white_balance")
_SATURATION = KEYS.index("bad_saturation")
_COMPOSITION = KEYS.index("bad_composition")


@dataclass(frozen=True, eq=False)
class TrainingPhoto:
    """One photo, decoded.

    Attributes:
        pixels: (H, W, 3) uint8 sRGB.
        severities: (7,) in the order of ``KEYS``; nan where it isn't known.
        unfit: why it is not to be trained on; empty if it is.
    """

    pixels: NDArray[np.uint8]
    severities: NDArray[np.float64]
    unfit: str = ""


class TrainingPhotos(VotedPhotos, Protocol):
    """What samples are drawn from.

    Loading is a function of the index alone, so that it may happen in any order and in several threads.
    """

    @property
    def digests(self) -> Sequence[str]:
        """(N,), of the photo that each item comes from; equal digests stay on one side of a split."""
        ...

    @property
    def representative(self) -> NDArray[np.bool_]:
        """(N,) whether an item's severities are as people's photos have them, not rebalanced."""
        ...

    @property
    def identity(self) -> str:
        """Changes with anything that changes what is trained on."""
        ...

    def path(self, index: int) -> Path:
        """The file that an item comes from."""
        ...

    def load(self, index: int, decoder: Decoder = decode_pixels) -> TrainingPhoto:
        """Decode an item.

        Args:
            index: of the item.
            decoder: reads its file.

        Raises:
            PhotoError: its file can't be decoded.
        """
        ...


class LabelledPhotos:
    """The photos of a labelled set.

    Args:
        labelled: with at least one photo.
    """

    def __init__(self, labelled: LabelledSet) -> None:
        self._photos = labelled.photos
        self.severities = np.array([[photo.severities[key] for key in KEYS] for photo in labelled.photos])
        self.representative = np.ones(len(labelled.photos), dtype=np.bool_)

    @cached_property
    def digests(self) -> list[str]:
        """See :class:`TrainingPhotos`."""
        return [photo_digest(photo.path) for photo in self._photos]

    @property
    def identity(self) -> str:
        """See :class:`TrainingPhotos`."""
        votes = [{key: tuple(given) for key, given in sorted((photo.votes or {}).items())} for photo in self._photos]
        return _identity(self.digests, self.severities, votes)

    def path(self, index: int) -> Path:
        """See :class:`TrainingPhotos`."""
        return self._photos[index].path

    def votes(self, defect: Defect) -> list[Sequence[float]] | None:
        """See :class:`TrainingPhotos`."""
        given = [(photo.votes or {}).get(defect.key, ()) for photo in self._photos]
        return [*given] if any(not math.isnan(vote) for votes in given for vote in votes) else None

    def load(self, index: int, decoder: Decoder = decode_pixels) -> TrainingPhoto:
        """See :class:`TrainingPhotos`."""
        return TrainingPhoto(decoder(self._photos[index].path), self.severities[index])


class SyntheticPhotos:
    """Clean photos, each degraded in several ways; what a variant looks like depends on the photo and the seed alone.

    Of a photo larger than :data:`WORK_PIXELS` the even variants show all of it, reduced, and the odd ones a part at
    original resolution: a camera's own pixels are softer than those of a reduced picture, and both must be judged.

    Args:
        sources: files of clean photos.
        variants: of each.
        rebalanced: share of the variants of a photo, the first ones, with one defect drawn evenly over its range.
        seed: of severities and degradations.
        check: leave out sources that aren't clean (see :func:`~photodefect.synthesis.sources.why_not_clean`).
    """

    def __init__(
        self, sources: Sequence[Path], *, variants: int, rebalanced: float, seed: int, check: bool = True
    ) -> None:
        self._sources = list(sources)
        self._variants = variants
        self._seed = seed
        self._check = check
        self._unfit: dict[Path, str | None] = {}
        own = [photo_digest(path) for path in self._sources]
        self.digests = [digest for digest in own for _ in range(variants)]
        self.representative = np.tile(np.arange(variants) >= round(rebalanced * variants), len(own))
        self._wanted = [
            draw_severities(self._random(index, "severities"), rebalanced=not representative)
            for index, representative in enumerate(self.representative)
        ]
        self.severities = np.array([[wanted[key] for key in KEYS] for wanted in self._wanted])

    @property
    def identity(self) -> str:
        """See :class:`TrainingPhotos`."""
        return _identity(self.digests, self.severities, self._check)

    def path(self, index: int) -> Path:
        """See :class:`TrainingPhotos`."""
        return self._sources[index // self._variants]

    def votes(self, defect: Defect) -> list[Sequence[float]] | None:  # noqa: ARG002 - nobody voted
        """See :class:`TrainingPhotos`."""
        return None

    def load(self, index: int, decoder: Decoder = decode_pixels) -> TrainingPhoto:
        """See :class:`TrainingPhotos`."""
        path = self.path(index)
        pixels = decoder(path)
        unknown = np.full(len(KEYS), math.nan)
        if path not in self._unfit:
            self._unfit[path] = self._why_unfit(pixels)
        reason = self._unfit[path]
        if reason is not None:
            return TrainingPhoto(pixels, unknown, reason)
        rng = self._random(index, "pixels")
        monochrome = is_monochrome(pixels)
        whole = index % self._variants % 2 == 0 or pixels.shape[0] * pixels.shape[1] <= WORK_PIXELS
        pixels = _reduced(pixels) if whole else _part(pixels, rng)
        degraded = degrade(pixels, self._wanted[index], rng)
        severities = np.array([degraded.severities[key] for key in KEYS], dtype=np.float64)
        if monochrome:
            # What people said of black and white photos; a cast can't be told in them.
            severities[_SATURATION], severities[_WHITE_BALANCE] = -1.0, math.nan
        if not whole:
            severities[_COMPOSITION] = math.nan
        return TrainingPhoto(degraded.pixels, severities)

    def _why_unfit(self, pixels: NDArray[np.uint8]) -> str | None:
        if min(pixels.shape[:2]) < LEAST_SIDE:
            return f"smaller than {LEAST_SIDE} pixels"
        return why_not_clean(source_quality(pixels)) if self._check else None

    def _random(self, index: int, purpose: str) -> np.random.Generator:
        """By content and number of the variant, so that other photos in the folder don't matter."""
        text = f"{self._seed} {self.digests[index]} {index % self._variants} {purpose}"
        return np.random.default_rng(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest(), "little"))


def _identity(digests: Sequence[str], severities: NDArray[np.float64], rest: object) -> str:
    """A hash; of ``rest``, plain values, by how Python writes them."""
    digest = hashlib.blake2b("\n".join(digests).encode(), digest_size=16)
    digest.update(np.ascontiguousarray(severities).tobytes())
    digest.update(repr(rest).encode())
    return digest.hexdigest()


def _reduced(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    factor = math.sqrt(WORK_PIXELS / (height * width))
    if factor >= 1:
        return pixels
    size = (max(LEAST_SIDE, round(width * factor)), max(LEAST_SIDE, round(height * factor)))
    return np.array(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))


def _part(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    factor = math.sqrt(WORK_PIXELS / (height * width))
    tall, wide = max(LEAST_SIDE, round(height * factor)), max(LEAST_SIDE, round(width * factor))
    top, left = int(rng.integers(height - tall + 1)), int(rng.integers(width - wide + 1))
    return np.ascontiguousarray(pixels[top : top + tall, left : left + wide])
