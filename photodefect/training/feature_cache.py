"""Caches features of many photos, one process a core and one file a photo, so that an interrupted run goes on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Iterable
from concurrent.futures import as_completed
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from photodefect.diagnosis.settings import Decoding
from photodefect.diagnosis.workers.limits import memory_limit, time_limit
from photodefect.diagnosis.workers.pool import ProcessWorkers
from photodefect.diagnosis.workers.tasks import Task
from photodefect.records import PhotoFailure
from photodefect.training.split import photo_digest
from photodefect.training.trunk_features import Trunks, frozen_trunks

VERSION: Final = 7
"""To be raised when features of the same photo under the same settings become others: trunk, statistics, synthesis."""

PICTURE_S: Final = 2.0
"""Seconds that a picture may take for each megapixel of its photo: ten times what one takes on a slow machine."""


@dataclass(frozen=True)
class CachingJob:
    """What becomes of a photo where it is decoded: its shard.

    Attributes:
        source: the photo.
        shard: the file that its features go to.
    """

    source: Path
    shard: Path

    def prepare(self) -> None:
        """Build the networks.

        Raises:
            ModelError: the ImageNet weights are missing.
        """
        _worker_trunks()

    def __call__(self, pixels: NDArray[np.uint8]) -> OSError | None:
        """Write the shard of (H, W, 3) sRGB; what is in the way if it can't be written."""
        temporary = self.shard.with_suffix(".partial.npz")
        try:
            np.savez(temporary, **self.features(pixels, _worker_trunks()))  # type: ignore[arg-type]
            temporary.replace(self.shard)
        except OSError as error:
            return error
        return None

    def features(self, pixels: NDArray[np.uint8], trunks: Trunks) -> dict[str, NDArray[np.generic]]:
        """What the shard holds, by name."""
        raise NotImplementedError


@dataclass(frozen=True)
class Cached:
    """A photo that is done.

    Attributes:
        source: the photo.
        failure: why there are no features of it; None if there are.
    """

    source: Path
    failure: PhotoFailure | None = None


@cache
def _worker_trunks() -> Trunks:
    torch.set_num_threads(1)
    return frozen_trunks()


def shard_file(source: Path, folder: Path, settings: dict[str, object]) -> Path:
    """Where the features of a photo lie.

    The name tells its content and the settings, so that a photo that was changed, or other settings, have features of
    their own; it begins with what tells a person, and :func:`photo_of`, which photo it is.
    """
    told = f"{json.dumps([VERSION, settings])} {source.name} {photo_digest(source)}"
    key = hashlib.blake2b(told.encode(errors="surrogateescape"), digest_size=8).hexdigest()
    return folder / f"{source.parent.name}__{source.stem}.{key}.npz"


def photo_of(shard: Path) -> str:
    """The name of the photo of a shard, without folder and ending."""
    return shard.name.split("__", 1)[1].rsplit(".", 2)[0]


def cache_features(jobs: Iterable[CachingJob], *, pictures: int, workers: int = 2) -> Generator[Cached, None, None]:
    """Cache the features of many photos; shards that exist already are kept.

    A photo that can't be decoded, or that takes its process with it, costs nothing but itself.

    Args:
        jobs: one a photo.
        pictures: at most so many go through the networks for one photo.
        workers: processes.

    Yields:
        Each photo as it is done; not those that were.

    Raises:
        ModelError: the ImageNet weights are missing.
        OSError: a shard can't be written.
    """
    missing = [job for job in jobs if not job.shard.exists()]
    for folder in {job.shard.parent for job in missing}:
        folder.mkdir(parents=True, exist_ok=True)
    pool = ProcessWorkers(Decoding(), workers, memory_limit())
    try:
        futures = {}
        for job in missing:
            source = str(job.source)
            task = Task(source, job=job, limit_s=time_limit(source, 0), job_s=PICTURE_S * pictures)
            futures[pool.submit(task)] = job.source
        for future in as_completed(futures):
            outcome = future.result()
            if outcome.fatal is not None:
                raise outcome.fatal
            if isinstance(outcome.made, OSError):
                raise outcome.made
            yield Cached(futures[future], outcome.failure)
    finally:
        pool.close()
