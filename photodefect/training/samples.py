"""Batches: each defect's own samples, cut from photos as they are needed.

What a step is trained on follows from the seed and the number of the step alone. Nothing is left over from one step
to the next, so that a run goes on exactly where it stopped, and other processes can take their share of a step.

Decoding is what costs time, so samples of one photo come near each other: the photos of an epoch are shuffled, and
then the samples of ``window`` photos at a time. All cuts that a defect wants of a photo are made at once and wait in
a cache.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from photodefect.core.batches import Batch
from photodefect.core.infogain import classes_of
from photodefect.core.inputs import SIDE, holistic_input, patch_inputs
from photodefect.core.network.registry import NETWORKS, Kind
from photodefect.core.patches import DEFAULT_PLACEMENT
from photodefect.core.sampling import Sample, SampleKind, SamplePlan, SampleSource, sample_plan
from photodefect.defects import BY_KEY, DEFECTS, KEYS
from photodefect.diagnosis.scoring import make_inputs
from photodefect.diagnosis.workers.isolated import IsolatedDecoder
from photodefect.diagnosis.workers.limits import available_cores
from photodefect.errors import DataError, PhotoError
from photodefect.training.photo_sets import TrainingPhotos

READ_AHEAD: Final = 2
"""Batches that are made while the network works on the one before them."""

INPUT_BYTES: Final = SIDE * SIDE * 3

_WHOLE_ONLY: Final = [KEYS.index(defect.key) for defect in DEFECTS if not defect.in_patches]
"""Severities that hold for the whole photo alone: any crop changes them."""


class Cuts(NamedTuple):
    """The inputs that were cut from one photo.

    Attributes:
        inputs: (n, 224, 224, 3) uint8; n is 0 if the photo is left out.
        severities: (7,), nan where unknown, or where these cuts say nothing about it.
    """

    inputs: NDArray[np.uint8]
    severities: NDArray[np.float64]


class _Wanted(NamedTuple):
    """A sample of a batch that is being made: its number in the whole batch, and the cuts that it is one of."""

    number: int
    key: str
    sample: Sample
    cuts: Future[Cuts]


@dataclass
class LeftOut:
    """Photos that couldn't be trained on, by path, and why.

    Attributes:
        unreadable: their files can't be decoded.
        unfit: nothing is wrong with the file, but the photo doesn't serve.
    """

    unreadable: dict[str, str] = field(default_factory=dict)
    unfit: dict[str, str] = field(default_factory=dict)

    @classmethod
    def union(cls, parts: Sequence[LeftOut]) -> LeftOut:
        """Those of several readers."""
        result = cls()
        for part in parts:
            result.unreadable |= part.unreadable
            result.unfit |= part.unfit
        return result

    def error(self) -> DataError:
        """What to say when no photo is left."""
        path, reason = next(iter({**self.unreadable, **self.unfit}.items()), ("the photos", "they have no labels"))
        return DataError(f"no photo of a whole batch can be trained on: {path}: {reason}")


def half_crops(pixels: NDArray[np.uint8], count: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Parts of half the height and half the width at random places, each warped to an input (section 4.4).

    Args:
        pixels: (H, W, 3).
        count: how many.
        rng: where from.

    Returns:
        (count, 224, 224, 3).
    """
    height, width = pixels.shape[:2]
    tall, wide = max(1, height // 2), max(1, width // 2)
    corners = rng.integers(0, (height - tall, width - wide), size=(count, 2), endpoint=True).tolist()
    return np.stack([holistic_input(pixels[top : top + tall, left : left + wide]) for top, left in corners])


def shuffled(source: SampleSource, seed: int, epoch: int, window: int) -> NDArray[np.int64]:
    """The order of a defect's samples in one epoch, (len(source),): all of them, once.

    Photos are shuffled, then the samples of every ``window`` photos among themselves.
    """
    rng = np.random.default_rng([seed, KEYS.index(source.defect.key), epoch])
    photos = np.unique(source.photos)
    shuffled_to = np.empty(int(photos.max(initial=-1)) + 1, dtype=np.int64)
    shuffled_to[photos] = rng.permutation(len(photos))
    windows = np.repeat(shuffled_to[source.photos] // window, 2 * source.numbers)
    order = rng.permutation(len(windows))
    return order[np.argsort(windows[order], kind="stable")]


class SampleReader:
    """Cuts samples from photos in a few threads, and keeps them until the memory is needed.

    Files are decoded in processes, so that a photo that hangs or kills its decoder is left out as a damaged one is.

    Args:
        photos: where from.
        seed: of the places of cuts.
        workers: threads, and processes unless there are fewer cores.
        cache_mb: memory for cuts, in megabytes. How much there is changes nothing but the time.
        network: whose patches ``diagnose`` cuts so, by its name in the registry.
    """

    def __init__(
        self, photos: TrainingPhotos, *, seed: int, workers: int, cache_mb: int, network: str = "googlenet"
    ) -> None:
        self.photos = photos
        self._network = NETWORKS[network]
        self.left_out = LeftOut()
        self._seed = seed
        self._budget = cache_mb * 1_000_000
        self._used = 0
        self._cache: OrderedDict[tuple[object, ...], tuple[Future[Cuts], int]] = OrderedDict()
        self._pool = ThreadPoolExecutor(max(1, workers), thread_name_prefix="samples")
        self._decoder = IsolatedDecoder(min(max(1, workers), available_cores()))

    def __enter__(self) -> SampleReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._decoder.close()  # or those who wait for a photo would be waited for
        self._pool.shutdown(cancel_futures=True)

    def whole(self, photo: int) -> Future[Cuts]:
        """The whole photo as one input; the same for all defects and epochs."""
        return self._get((photo,), 1, lambda: self._cut(photo, SampleKind.WHOLE, 1, 0))

    def crops(self, photo: int, kind: SampleKind, count: int, key: str, epoch: int) -> Future[Cuts]:
        """The crops of a photo for one defect, other ones in each epoch."""
        digest = hashlib.blake2b(f"{self._seed} {photo} {kind.value} {key} {epoch}".encode(), digest_size=8).digest()
        seed = int.from_bytes(digest, "little")
        return self._get((photo, kind, key, epoch), count, lambda: self._cut(photo, kind, count, seed))

    def diagnosed(self, photo: int, kind: Kind) -> Future[Cuts]:
        """The inputs that ``photodefect diagnose`` looks at: the whole photo, or patches by its content."""
        if kind == "holistic":
            return self.whole(photo)
        patches = self._network.patches
        return self._get((photo, "diagnosed"), patches, lambda: self._cut(photo, None, patches, 0))

    def _get(self, key: tuple[object, ...], count: int, make: Callable[[], Cuts]) -> Future[Cuts]:
        """From the cache, or begun now. Only one thread asks, so nothing is locked."""
        if key in self._cache:
            self._cache.move_to_end(key)
            return self._cache[key][0]
        future = self._pool.submit(make)
        self._cache[key] = (future, count * INPUT_BYTES)
        self._used += count * INPUT_BYTES
        while self._used > self._budget and len(self._cache) > 1:
            self._used -= self._cache.popitem(last=False)[1][1]
        return future

    def _cut(self, index: int, kind: SampleKind | None, count: int, seed: int) -> Cuts:
        """Decode and cut (in a thread of the pool). ``kind`` None: patches as ``diagnose`` places them."""
        path = str(self.photos.path(index))
        nothing = Cuts(np.empty((0, SIDE, SIDE, 3), np.uint8), np.full(len(KEYS), np.nan))
        try:
            photo = self.photos.load(index, self._decoder)
        except PhotoError as error:
            self.left_out.unreadable[path] = str(error)
            return nothing
        if photo.unfit:
            self.left_out.unfit[path] = photo.unfit
            return nothing
        pixels, severities = photo.pixels, photo.severities.copy()
        if kind is SampleKind.WHOLE:
            return Cuts(holistic_input(pixels)[None], severities)
        severities[_WHOLE_ONLY] = np.nan
        if kind is SampleKind.HALF_CROP:
            return Cuts(half_crops(pixels, count, np.random.default_rng(seed)), severities)
        if kind is None:
            seen = make_inputs(pixels, patches=count, placement=DEFAULT_PLACEMENT, side=self._network.patch_side)
            return Cuts(seen.patches, severities)
        return Cuts(patch_inputs(pixels, count=count, seed=seed), severities)


class Batches:
    """The batches of a network, by step.

    Args:
        reader: of the photos.
        members: indices of the photos to train on.
        kind: of the network.
        seed: of the order.
        batch: samples of each defect a step.
        window: photos whose samples are shuffled together.
        labels: ``own``: a sample counts for the defect that it was drawn for; ``all``: for all with a label.
        part: (this, of how many): the samples of every so many-th photo only. All parts together are the whole batch,
            and a photo is always in the same part, so that its samples are cut and kept in one place.

    Attributes:
        plan: each defect's source, over ``members``. A defect without a label on any photo has none.
    """

    def __init__(
        self,
        reader: SampleReader,
        members: NDArray[np.int64],
        kind: Kind,
        *,
        seed: int,
        batch: int,
        window: int,
        labels: Literal["own", "all"],
        part: tuple[int, int] = (0, 1),
    ) -> None:
        self._reader = reader
        self._members = members
        self._kind: Kind = kind
        self._seed = seed
        self._batch = batch
        self._window = window
        self._labels: Literal["own", "all"] = labels
        self._part, self._parts = part
        severities = reader.photos.severities[members]
        self.classes: dict[str, NDArray[np.int64]] = {
            defect.key: classes_of(defect, severities[:, column]) for column, defect in enumerate(DEFECTS)
        }
        self.plan: SamplePlan = {
            key: source for key, source in sample_plan(self.classes, kind).items() if len(source) > 0
        }
        self._orders: dict[str, tuple[int, NDArray[np.int64]]] = {}

    def whole(self) -> Batches:
        """The batches that these are a part of."""
        return Batches(
            self._reader,
            self._members,
            self._kind,
            seed=self._seed,
            batch=self._batch,
            window=self._window,
            labels=self._labels,
        )

    def effective_counts(self) -> Mapping[str, NDArray[np.float64]]:
        """Samples of each class by defect key, (K,), flips not counted; only the proportion matters.

        With labels ``own`` those of the defect's source. With ``all``, samples of every source count, each source
        giving as many a step as the others.
        """
        if self._labels == "own":
            return {key: source.class_samples for key, source in self.plan.items()}
        counts = {key: np.zeros(BY_KEY[key].class_count) for key in self.plan}
        for source in self.plan.values():
            share = source.numbers / source.numbers.sum()
            whole = np.array([kind is SampleKind.WHOLE for kind in source.kinds])
            for key, count in counts.items():
                classes = self.classes[key][source.photos]
                counted = (classes >= 0) & (whole | (KEYS.index(key) not in _WHOLE_ONLY))
                np.add(count, np.bincount(classes[counted], share[counted], minlength=len(count)), out=count)
        return counts

    def from_step(self, start: int) -> Iterator[Batch]:
        """Batches from a step on, without end; a few are made ahead.

        Raises:
            DataError: no photo of a batch can be used. A part of one may be empty.
        """
        ahead: deque[list[_Wanted]] = deque()
        step = start
        while True:
            while len(ahead) <= READ_AHEAD:
                ahead.append(self._begin(step))
                step += 1
            yield self._finish(ahead.popleft())

    def _begin(self, step: int) -> list[_Wanted]:
        wanted = []
        for column, (key, source) in enumerate(self.plan.items()):
            for position in range(step * self._batch, (step + 1) * self._batch):
                epoch, turn = divmod(position, len(source))
                sample = source[int(self._order(key, epoch)[turn])]
                photo = int(self._members[sample.photo])
                if photo % self._parts != self._part:
                    continue
                if sample.kind is SampleKind.WHOLE:
                    cuts = self._reader.whole(photo)
                else:
                    cuts = self._reader.crops(photo, sample.kind, self._cuts_of(source, sample), key, epoch)
                number = column * self._batch + position % self._batch
                wanted.append(_Wanted(number, key, sample, cuts))
        return wanted

    def _order(self, key: str, epoch: int) -> NDArray[np.int64]:
        if key not in self._orders or self._orders[key][0] != epoch:
            self._orders[key] = epoch, shuffled(self.plan[key], self._seed, epoch, self._window)
        return self._orders[key][1]

    @staticmethod
    def _cuts_of(source: SampleSource, sample: Sample) -> int:
        entries = np.flatnonzero(source.photos == sample.photo)
        return next(int(source.numbers[entry]) for entry in entries if source.kinds[entry] is sample.kind)

    def _finish(self, wanted: Sequence[_Wanted]) -> Batch:
        inputs, severities, numbers, planned = [], [], [], []
        for number, key, sample, future in wanted:
            cuts = future.result()
            if not len(cuts.inputs):
                continue
            cut = cuts.inputs[sample.number]
            row = cuts.severities
            if self._labels == "own":
                row = np.full(len(KEYS), np.nan)
                row[KEYS.index(key)] = cuts.severities[KEYS.index(key)]
            if not np.isnan(row).all():
                inputs.append(cut[:, ::-1] if sample.flipped else cut)
                severities.append(row)
                numbers.append(number)
                planned.append(self._reader.photos.severities[self._members[sample.photo]])
        if not inputs and self._parts == 1:
            raise self._reader.left_out.error()
        return Batch(
            torch.from_numpy(np.array(inputs, np.uint8).reshape(-1, SIDE, SIDE, 3)).permute(0, 3, 1, 2),
            torch.from_numpy(np.array(severities, np.float32).reshape(-1, len(KEYS))),
            torch.tensor(numbers, dtype=torch.int64),
            torch.from_numpy(np.array(planned, np.float32).reshape(-1, len(KEYS))),
        )
