"""The Diagnoser, which takes photos and gives their records.

Photos are decoded, cut into network inputs and, on a processor, scored by a few worker processes, one photo each: that
keeps all cores busy whatever decoding and computing cost, and a broken photo can't break more than its own worker. On
a GPU this process computes, several photos at once, while the workers decode.

A full-size photo lives only inside the worker that decodes it; what waits are records or network inputs of a few
megabytes, and only a few of them, so memory doesn't grow with the number of photos.
"""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from photodefect.core.patches import DEFAULT_PLACEMENT
from photodefect.diagnosis.cache import Cache
from photodefect.diagnosis.findings import known_finding
from photodefect.diagnosis.picture_cache import PictureCache, file_beside
from photodefect.diagnosis.settings import Settings
from photodefect.diagnosis.waiting import GPU_BATCH, WaitingPhoto, Wanted, score_together
from photodefect.diagnosis.workers.limits import available_cores, default_workers, time_limit
from photodefect.diagnosis.workers.limits import memory_limit as worker_memory_limit
from photodefect.diagnosis.workers.pool import ProcessWorkers, ThreadWorkers, Workers
from photodefect.diagnosis.workers.tasks import Outcome, PictureJob, PixelJob
from photodefect.engines import DEVICES, Engine, EngineChoice, choose_engine
from photodefect.errors import ModelError
from photodefect.extras import require
from photodefect.photos.facts import DEFAULT_MAX_PIXELS
from photodefect.records import Diagnosis
from photodefect.verdicts import DEFAULT_THRESHOLDS, Threshold

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from photodefect.core.network.model import Model
    from photodefect.core.patches import Placement
    from photodefect.heatmap import HeatMaps, Mapper

__all__ = ["DEVICES", "Diagnoser", "available_cores"]

READ_AHEAD: Final = 2
"""Photos that are done and wait for their turn, beside those being worked on."""

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Diagnoser:
    """Says how severe seven defects are in photos.

    The same photo gets the same scores in whatever order and company it comes: its patches are drawn by its content,
    and on a processor each photo is a batch of its own.

    Workers start with the first photo that needs them, serve all calls, and end with :meth:`close`, at the end of a
    ``with`` block, or with the program.

    Args:
        model: the name of a shipped model, a model's folder, or a loaded model.
        device: ``auto`` (a GPU if there is one), ``cpu``, ``cuda`` or ``mps``.
        engine: what computes, one of :data:`photodefect.engines.ENGINES`.
        precision: of the arithmetic, one of :data:`photodefect.engines.PRECISIONS`.
        patches: how many crops at original resolution are scored, None for what suits the model; a grid has nine.
        placement: ``sharp``: the sharpest of many places, and others; ``random`` ones alone (the paper), or a fixed
            3x3 ``grid`` (the authors' released script).
        seed: draws other patches than the photo's content alone does.
        thresholds: by defect key, where mild and severe begin; what is missing is as in
            :data:`~photodefect.verdicts.DEFAULT_THRESHOLDS`.
        max_pixels: larger photos are refused.
        workers: photos worked on at once; None for one a core, as far as there is memory
            (:func:`~photodefect.diagnosis.workers.limits.default_workers`).
        threads: that compute at once for one photo; None for what the workers leave of the cores.
        isolated: work in processes of their own; else in threads of this one, where a photo that crashes a decoder
            ends the program. A model that was given loaded is never isolated.
        time_limit: seconds that a photo may take, when isolated; None for a minute and more for large
            ones (:func:`~photodefect.diagnosis.workers.limits.time_limit`).
        memory_limit: bytes that a worker may use, when isolated, on Linux; None for half of the machine's memory,
            but 1 to 4 GiB.
        cache: known results, used and added to; None for none. A model that was given loaded has none.

    Raises:
        ModelError: the model or the device can't be used.
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        model: str | Path | Model = "compact",
        *,
        device: str = "auto",
        engine: str = "auto",
        precision: str = "auto",
        patches: int | None = None,
        placement: Placement = DEFAULT_PLACEMENT,
        seed: int | None = None,
        thresholds: Mapping[str, Threshold] | None = None,
        max_pixels: int = DEFAULT_MAX_PIXELS,
        workers: int | None = None,
        threads: int | None = None,
        isolated: bool = True,
        time_limit: float | None = None,
        memory_limit: int | None = None,
        cache: Cache | None = None,
    ) -> None:
        for name, value in (("patches", patches), ("workers", workers), ("threads", threads)):
            if value is not None and value < 1:
                raise ValueError(f"{name} must be 1 or more, not {value}")
        self._model: Model | None = None
        self._cache = cache
        if isinstance(model, str | Path):
            choice = choose_engine(model, engine=engine, device=device, precision=precision)
        else:
            from photodefect.engines.devices import pick_device  # noqa: PLC0415  imports torch, as the model has

            choice = EngineChoice(Path(), model.manifest, "torch", pick_device(device).type, "fp32")
            # Its weights needn't be those that its manifest names.
            self._model, self._cache, isolated = model, None, False
        self.device = choice.device
        self.folder = choice.folder if self._model is None else None
        self.manifest = choice.manifest
        self.thresholds = dict(DEFAULT_THRESHOLDS) | dict(thresholds or {})
        self._identity = self.manifest.identity
        self._isolated = isolated
        self._count = workers or default_workers(threads)
        self._settings = Settings(
            choice,
            patches or choice.patches,
            placement,
            seed,
            max_pixels=max_pixels,
            threads=threads or max(1, available_cores() // self._count),
            score=choice.device == "cpu",
            cache=None if self._cache is None else self._cache.file,
        )
        self._kind = self._settings.kind  # the checksum in it is computed anew each time
        self._time_limit = time_limit
        # What a GPU's driver maps counts as memory, too.
        default = worker_memory_limit() if choice.device == "cpu" else 0
        self._memory_limit = default if memory_limit is None else memory_limit
        self._workers: Workers | None = None
        self._pictures: PictureCache | None = None
        self._engine: Engine | None = None

    def __enter__(self) -> Diagnoser:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """End the workers, at once, and write to the cache what waits. Another call starts workers again."""
        if self._workers is not None:
            self._workers.close()
            self._workers = None
        if self._pictures is not None:
            self._pictures.close()
            self._pictures = None
        if self._cache is not None:
            self._cache.commit()

    @property
    def model(self) -> Model:
        """The model, loaded by torch.

        Raises:
            ModelError: torch isn't installed, or a file of the model is damaged.
        """
        if self._model is None:
            require("gpu", "torch", what="loading a model's networks", error=ModelError)
            from photodefect.core.network.model import load_model  # noqa: PLC0415

            self._model = load_model(self._settings.choice.folder, device=self.device)
        return self._model

    @property
    def settings(self) -> Settings:
        """How photos are looked at."""
        return self._settings

    @property
    def maps_by(self) -> EngineChoice | Mapper:
        """What :func:`photodefect.heatmap.mapper_of` opens its maps from; in any process, if the model was named."""
        if self._model is None or self.folder is not None:
            return self._settings.choice
        from photodefect.heatmap.torch_mapper import TorchMapper  # noqa: PLC0415  imports torch, as the model has

        return TorchMapper(self._model)

    def describe(self) -> str:
        """Model, engine, device, workers and threads, for people."""
        where = "processes" if self._isolated else "threads"
        return (
            f"model {self.manifest.name} {self.manifest.version} ({self.manifest.network}, "
            f"{self._identity.sha256[:12]}), {self._settings.choice.describe()}, {self._count} photos at once in "
            f"{where} with {self._settings.threads} threads each"
        )

    def diagnose(
        self, paths: Iterable[str | os.PathLike[str]], *, beside: PixelJob[Any] | None = None
    ) -> Generator[Diagnosis, None, None]:
        """Diagnose photos, lazily and in the order given.

        A photo that can't be diagnosed gives a record with an ``error`` instead of stopping the others.

        Args:
            paths: files; folders are walked by :func:`photodefect.find_photos`.
            beside: what else to make of photos that are decoded, for the cache alone: who wants it later has it then.
                If it can't be made, the photo is diagnosed all the same.

        Yields:
            One record a path.

        Raises:
            ModelError: the model's files turn out to be damaged when the first photo needs them.
        """
        # Closed, not left to be collected: an interrupt in the meantime would be ignored, with a traceback.
        with closing(self._run(paths, self._wanted(None, beside))) as run:
            for diagnosis, _ in run:
                yield diagnosis

    def diagnose_with(
        self,
        paths: Iterable[str | os.PathLike[str]],
        job: PixelJob[T],
        *,
        beside: PixelJob[Any] | None = None,
        take_beside: Callable[[str, str], None] | None = None,
    ) -> Generator[tuple[Diagnosis, T | None], None, None]:
        """Diagnose photos and make something else of their pixels, which are decoded once.

        Args:
            paths: as in :meth:`diagnose`.
            job: what to make; a photo of which it can't be made has failed.
            beside: as in :meth:`diagnose`.
            take_beside: told a photo's path and the text of what was made beside, without a cache, too.

        Yields:
            One record a path, and what was made, None if the photo failed.

        Raises:
            ModelError: as :meth:`diagnose`.
            TypeError: the job can't be sent to another process.
        """
        yield from self._run(paths, self._wanted(job, beside, take_beside))

    def content_of(self, path: str) -> bytes | None:
        """What tells the content of a photo's file, if the cache knows it as it is now; the file isn't read."""
        return None if self._cache is None else self._cache.content_of(path)

    def diagnose_pixels(self, pixels: NDArray[np.uint8], path: str = "") -> Diagnosis:
        """Diagnose a photo that is in memory already.

        Args:
            pixels: (height, width, 3), uint8, sRGB, upright.
            path: what to call it in the record.

        Raises:
            ValueError: the array has another shape or type.
            ModelError: the model's files are damaged.
        """
        from photodefect.diagnosis.scoring import inputs_by, score  # noqa: PLC0415

        settings = self._settings
        inputs = inputs_by(settings, pixels)
        (finding,) = score(self._own_engine(), self.manifest, [inputs])
        return finding.diagnosis(path, self.thresholds, self._identity)

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
        from photodefect.heatmap import heatmaps, mapper_of  # noqa: PLC0415
        from photodefect.photos.decode import decode  # noqa: PLC0415

        photo = decode(Path(path), max_pixels=self._settings.max_pixels)
        mapper, threads = mapper_of(self.maps_by), available_cores()
        made = heatmaps(mapper, photo.view, defects, scale=scale, full=full, window=window, threads=threads)
        whole = self.diagnose_pixels(photo.view)
        return made.of_photo(whole.severity or {}, monochrome=bool(whole.monochrome))

    def _run(
        self, paths: Iterable[str | os.PathLike[str]], wanted: Wanted
    ) -> Generator[tuple[Diagnosis, Any], None, None]:
        pending: deque[WaitingPhoto] = deque()
        scored = self._settings.score  # else those that wait for a GPU had better wait for others
        room = self._count + READ_AHEAD + (0 if scored else GPU_BATCH)
        try:
            for path in paths:
                pending.append(self._begin(os.fspath(path), wanted))
                while pending and (len(pending) >= room or (pending[0].done if scored else pending[0].work is None)):
                    yield self._next(pending, wanted)
            while pending:
                yield self._next(pending, wanted)
        finally:
            for photo in pending:
                if photo.work is not None:
                    photo.work.cancel()
            if self._cache is not None:
                self._cache.commit()

    def _wanted(
        self,
        job: PixelJob[Any] | None,
        beside: PixelJob[Any] | None,
        take_beside: Callable[[str, str], None] | None = None,
    ) -> Wanted:
        if self._cache is None:
            return Wanted(job, None if take_beside is None else beside, take_beside)
        if self._pictures is None and isinstance(job, PictureJob):
            self._pictures = PictureCache(file_beside(self._cache.file))
        return Wanted(job, beside, take_beside, self._pictures)

    def _begin(self, path: str, wanted: Wanted) -> WaitingPhoto:
        """Look a photo up, and hand it to the workers if anything isn't known."""
        settings, job = self._settings, wanted.job
        kinds = [self._kind] + ([job.kind] if job is not None and job.kind else [])
        content, known = (b"", {}) if self._cache is None else self._cache.look_up(path, kinds)
        finding = known_finding(known.get(self._kind), settings.max_pixels)
        made = wanted.recall(content)
        wants_job = job is not None and made is None and job.kind not in known
        if finding is not None and not wants_job:
            return WaitingPhoto(path, known, finding, made=made)
        if self._workers is None:
            self._workers = self._start()
        kind = "" if finding is not None else self._kind
        limit = time_limit(path, settings.patches) if self._time_limit is None else self._time_limit
        task = wanted.task(path, kind, limit, job=wants_job, longer=self._time_limit is None)
        return WaitingPhoto(path, known, finding, self._workers.submit(task), made)

    def _next(self, pending: deque[WaitingPhoto], wanted: Wanted) -> tuple[Diagnosis, Any]:
        """The record of the photo whose turn it is, once the work on it is done."""
        photo = pending.popleft()
        if photo.work is None:
            return photo.record(wanted.job, self.thresholds, self._identity)
        outcome = photo.work.result()
        if outcome.fatal is not None:
            raise outcome.fatal
        if outcome.traceback:
            _log.debug("unexpected error at %s\n%s", photo.path, outcome.traceback)
        failure = outcome.failure
        if outcome.inputs is not None and photo.finding is None:
            failure = score_together(photo, pending, self._own_engine, self.manifest, self.device)
        if failure is not None:
            return Diagnosis(photo.path, model=self._identity, error=failure), None
        return self._kept(photo, outcome, wanted).record(wanted.job, self.thresholds, self._identity)

    def _kept(self, photo: WaitingPhoto, outcome: Outcome, wanted: Wanted) -> WaitingPhoto:
        """The photo with all that is known now, which the cache is told."""
        kind = self._kind
        wanted.tell(photo.path, outcome)
        known = {**photo.known, **outcome.known}
        finding = photo.finding or outcome.finding or known_finding(known.get(kind), self._settings.max_pixels)
        if self._cache is not None and outcome.content:
            new = wanted.keep(outcome, known)
            if finding is not None and kind not in known:
                new[kind] = finding.to_json()
            self._cache.store(photo.path, outcome.stamp, outcome.content, new)
        return WaitingPhoto(photo.path, known, finding, made=photo.made if outcome.made is None else outcome.made)

    def _own_engine(self) -> Engine:
        """The engine of this process."""
        if self._engine is None:
            if self._model is not None:
                from photodefect.engines.torch_engine import TorchEngine  # noqa: PLC0415

                self._engine = TorchEngine(self._model, self.device)
            else:
                self._engine = self._settings.choice.open(available_cores())
        return self._engine

    def _start(self) -> Workers:
        if self._isolated:
            return ProcessWorkers(self._settings, self._count, self._memory_limit)
        return ThreadWorkers(self._settings, self._count, self._own_engine() if self._settings.score else None)
