"""The Diagnoser: photos in, records out.

Photos are decoded and cut into network inputs by a few threads. On a CPU the same thread then computes: one photo a
core from file to record keeps all cores busy whatever decoding and computing cost, and both overlap across photos. On
a GPU the main thread computes while the others decode.

A full-size photo lives only inside the thread that decodes it; what waits in the queue are records or network inputs
of a few megabytes, and only a few of them, so memory doesn't grow with the number of photos.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from photodefect.defects import DEFECTS
from photodefect.errors import ModelError, PhotoError
from photodefect.heatmap import HeatMaps, heatmaps
from photodefect.inputs import DEFAULT_PATCHES, Placement, content_seed, holistic_input, patch_inputs
from photodefect.monochrome import is_monochrome
from photodefect.network.model import Model, load_model
from photodefect.network.multicolumn import MultiColumnNetwork
from photodefect.photos.decode import decode
from photodefect.photos.exif import read_capture
from photodefect.photos.photo import DEFAULT_MAX_PIXELS, Provenance
from photodefect.records import Capture, Diagnosis, PhotoFailure
from photodefect.verdicts import DEFAULT_THRESHOLDS, Threshold, verdict

__all__ = ["DEVICES", "Diagnoser"]

DEVICES: Final = ("auto", "cpu", "cuda", "mps")
READ_AHEAD: Final = 2
"""Photos that are done and wait for their turn, beside those being worked on."""

MAX_WORKERS: Final = 8
"""Photos worked on at once, at most: each takes a few hundred megabytes."""

_DIGITS: Final = 6
"""Decimals of a score in a record; the last of them is beyond what a network's score means."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Inputs:
    """What is left of a photo once its pixels are gone.

    Attributes:
        width: of the photo, in pixels.
        height: likewise.
        holistic: the whole photo, (224, 224, 3).
        patches: crops, (N, 224, 224, 3).
        monochrome: the photo has no colour.
        capture: how it was taken.
        provenance: where its pixels came from.
    """

    width: int
    height: int
    holistic: NDArray[np.uint8]
    patches: NDArray[np.uint8]
    monochrome: bool
    capture: Capture | None = None
    provenance: Provenance | None = None


class Diagnoser:
    """Says how severe seven defects are in photos.

    The same photo gets the same scores in whatever order and company it comes: its patches are drawn by its content,
    and each photo is a batch of its own.

    Args:
        model: the name of a shipped model, a model's folder, or a loaded model.
        device: ``auto`` (a GPU if there is one), ``cpu``, ``cuda`` or ``mps``.
        patches: how many crops at original resolution are looked at; a grid always has nine.
        placement: ``random`` places (the paper), or a fixed 3x3 ``grid`` (the authors' released script).
        seed: draws other patches than the photo's content alone does.
        thresholds: by defect key, where mild and severe begin; what is missing is as in
            :data:`~photodefect.verdicts.DEFAULT_THRESHOLDS`.
        max_pixels: larger photos are refused.

    Raises:
        ModelError: the model or the device can't be used.
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        model: str | Path | Model = "compact",
        *,
        device: str = "auto",
        patches: int = DEFAULT_PATCHES,
        placement: Placement = "random",
        seed: int | None = None,
        thresholds: Mapping[str, Threshold] | None = None,
        max_pixels: int = DEFAULT_MAX_PIXELS,
    ) -> None:
        if patches < 1:
            raise ValueError(f"patches must be 1 or more, not {patches}")
        self.device = pick_device(device)
        self.model = model if isinstance(model, Model) else load_model(model, device=str(self.device))
        self.thresholds = dict(DEFAULT_THRESHOLDS) | dict(thresholds or {})
        self._identity = self.model.identity
        self._patches = patches
        self._placement = placement
        self._seed = seed
        self._max_pixels = max_pixels
        # More threads than cores only get in each other's way.
        cores = available_cores()
        self._workers = min(cores, MAX_WORKERS)
        self._threads_each = min(max(1, cores // self._workers), torch.get_num_threads())

    def describe(self) -> str:
        """Model, device and threads, for people."""
        manifest = self.model.manifest
        return (
            f"model {manifest.name} {manifest.version} ({manifest.network}, {self._identity.sha256[:12]}) on "
            f"{self.device}, {self._workers} photos at once with {self._threads_each} threads each"
        )

    def diagnose(
        self, paths: Iterable[str | os.PathLike[str]], *, look: Callable[[str, NDArray[np.uint8]], object] | None = None
    ) -> Generator[Diagnosis, None, None]:
        """Diagnose photos, lazily and in the order given.

        A photo that can't be diagnosed gives a record with an ``error`` instead of stopping the others.

        Args:
            paths: files; folders are walked by :func:`photodefect.find_photos`.
            look: called with each photo's path and its pixels, (height, width, 3), uint8, sRGB, upright, for whoever
                wants to measure something and not to decode it again. The call comes from the thread that decoded
                it, before the photo's record.

        Yields:
            One record a path.
        """
        pending: deque[tuple[str, Future[_Inputs | Diagnosis]]] = deque()
        with _torch_threads(self._threads_each), ThreadPoolExecutor(self._workers, "photodefect") as pool:
            try:
                for path in paths:
                    name = os.fspath(path)
                    pending.append((name, pool.submit(self._work, name, look)))
                    if len(pending) >= self._workers + READ_AHEAD:
                        yield self._record(*pending.popleft())
                while pending:
                    yield self._record(*pending.popleft())
            finally:
                for _, future in pending:
                    future.cancel()

    def diagnose_pixels(self, pixels: NDArray[np.uint8], path: str = "") -> Diagnosis:
        """Diagnose a photo that is in memory already.

        Args:
            pixels: (height, width, 3), uint8, sRGB, upright.
            path: what to call it in the record.

        Raises:
            ValueError: the array has another shape or type.
        """
        return self._diagnosis(path, self._inputs(pixels))

    def heatmap(
        self,
        path: str | os.PathLike[str],
        defects: Sequence[str] | None = None,
        *,
        scale: float | None = None,
        full: bool = False,
        window: int | None = None,
    ) -> HeatMaps:
        """Map over a photo where each defect sits (section 5.3).

        Args:
            path: of the photo.
            defects: keys; None for all that have a map (all but composition).
            scale: as in :func:`photodefect.heatmap.heatmaps`, like the following.
            full: noise and blur everywhere, also in a large photo.
            window: cells averaged for a value.

        Raises:
            PhotoError: the photo can't be read.
            ValueError: a defect has no map, or an argument is out of range.
        """
        pixels = decode(Path(path), max_pixels=self._max_pixels).pixels
        return heatmaps(self.model, pixels, defects, scale=scale, full=full, window=window, threads=available_cores())

    def _work(self, name: str, look: Callable[[str, NDArray[np.uint8]], object] | None) -> _Inputs | Diagnosis:
        """What is done with a photo in a thread of its own; a GPU's part is left to the main thread."""
        path = Path(name)
        photo = decode(path, max_pixels=self._max_pixels)
        inputs = self._inputs(photo.pixels, read_capture(path), photo.provenance)
        if look is not None:
            look(name, photo.pixels)
        del photo  # the largest thing that there is
        return self._diagnosis(name, inputs) if self.device.type == "cpu" else inputs

    def _inputs(
        self, pixels: NDArray[np.uint8], capture: Capture | None = None, provenance: Provenance | None = None
    ) -> _Inputs:
        holistic = holistic_input(pixels)
        height, width, _ = pixels.shape
        seed = combined_seed(content_seed(holistic, width, height), self._seed)
        patches = patch_inputs(pixels, count=self._patches, placement=self._placement, seed=seed)
        # The warped photo shows as well as the full one whether there is colour, and takes a thousandth of the time.
        return _Inputs(width, height, holistic, patches, is_monochrome(holistic), capture, provenance)

    def _record(self, path: str, work: Future[_Inputs | Diagnosis]) -> Diagnosis:
        """One photo's record, once the work on it is done."""
        try:
            result = work.result()
            return result if isinstance(result, Diagnosis) else self._diagnosis(path, result)
        except PhotoError as error:
            return self._failure(path, PhotoFailure(type(error).__name__, str(error)))
        # The one place that takes any exception: decoders and metadata readers meet files that nobody foresaw, and a
        # run over a thousand photos must not end at the one that finds a bug. It is never silent: the photo's record
        # says so and the log has the traceback.
        except Exception as error:  # noqa: BLE001
            _log.debug("unexpected error at %s", path, exc_info=error)
            return self._failure(path, PhotoFailure("InternalError", f"{type(error).__name__}: {error}"))

    def _failure(self, path: str, failure: PhotoFailure) -> Diagnosis:
        return Diagnosis(path, model=self._identity, error=failure)

    def _diagnosis(self, path: str, inputs: _Inputs) -> Diagnosis:
        holistic = self._scores(self.model.holistic, inputs.holistic[np.newaxis])
        patches = self._scores(self.model.patches, inputs.patches)
        combined = self.model.combine(holistic, patches)
        severity = {defect.key: _rounded(combined[defect.key]) for defect in DEFECTS}
        worst, overall = verdict(severity, self.thresholds, monochrome=inputs.monochrome)
        percentile = {key: self.model.percentile(key, value) for key, value in severity.items()}
        known = {key: value for key, value in percentile.items() if value is not None}
        return Diagnosis(
            path=path,
            width=inputs.width,
            height=inputs.height,
            severity=severity,
            percentile=known or None,
            holistic={key: _rounded(score) for key, score in holistic.items()},
            patches={key: _rounded(score) for key, score in patches.items()},
            worst=worst,
            verdict=overall,
            thresholds=self.thresholds,
            monochrome=inputs.monochrome,
            capture=inputs.capture,
            provenance=inputs.provenance,
            model=self._identity,
        )

    @torch.inference_mode()
    def _scores(self, network: MultiColumnNetwork, inputs: NDArray[np.uint8]) -> dict[str, float]:
        """Mean score by defect key over inputs of one photo, (N, 224, 224, 3) (section 4.4)."""
        batch = torch.from_numpy(np.ascontiguousarray(inputs)).to(self.device).permute(0, 3, 1, 2)
        return {key: float(scores.mean()) for key, scores in network.severities(batch).items()}


@contextmanager
def _torch_threads(count: int) -> Iterator[None]:
    """Have torch compute with ``count`` threads for each thread that calls it, and as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def pick_device(name: str) -> torch.device:
    """The device that ``name`` (one of :data:`DEVICES`) stands for.

    Raises:
        ModelError: it isn't there.
        ValueError: it isn't a device.
    """
    if name not in DEVICES:
        raise ValueError(f"a device is one of {', '.join(DEVICES)}, not {name!r}")
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next(device for device in ("cuda", "mps", "cpu") if there[device])
    if not there[name]:
        raise ModelError(f"this machine, or this build of torch, has no {name} device; take --device cpu")
    return torch.device(name)


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def combined_seed(content: int, seed: int | None) -> int:
    """The seed of a photo's patches: its content's, mixed with a person's own where there is one."""
    if seed is None:
        return content
    return int.from_bytes(hashlib.blake2b(f"{content}:{seed}".encode(), digest_size=8).digest(), "big")


def _rounded(score: float) -> float:
    return round(score, _DIGITS) + 0.0  # no negative zero
