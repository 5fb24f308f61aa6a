"""Photos that wait for their turn, and those of them that a GPU scores together."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from photodefect.diagnosis.findings import Finding
from photodefect.diagnosis.picture_cache import KeptPictures, PictureCache
from photodefect.diagnosis.workers.tasks import TIME_LIMIT_OPTION, Outcome, PictureJob, PixelJob, Task
from photodefect.records import Diagnosis, ModelIdentity, PhotoFailure

if TYPE_CHECKING:
    from photodefect.core.network.manifest import Manifest
    from photodefect.engines import Engine
    from photodefect.verdicts import Threshold

GPU_BATCH: Final = 16
"""Photos that a GPU computes at once, at most."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wanted:
    """What a run makes of each photo beside its record.

    Attributes:
        job: what its caller gets.
        beside: what else is made of photos that are decoded, for the cache.
        take_beside: told each photo's path and the text of that; None if nobody asks for it at once.
        pictures: where results of the job are kept that are too large for the cache of results; None if they aren't.
    """

    job: PixelJob[Any] | None = None
    beside: PixelJob[Any] | None = None
    take_beside: Callable[[str, str], None] | None = None
    pictures: PictureCache | None = None

    @property
    def kept(self) -> KeptPictures | None:
        """How workers find what is kept of the job's results."""
        if self.pictures is None or not isinstance(self.job, PictureJob):
            return None
        return KeptPictures(self.pictures.file, self.job.kept_as, self.job.from_bytes)

    def task(self, path: str, kind: str, limit_s: float, *, job: bool, longer: bool) -> Task:
        """What workers are told of a photo.

        Args:
            path: of the photo.
            kind: of the finding that is wanted; empty if it is known.
            limit_s: how long it may take, in seconds.
            job: whether the job's result is wanted.
            longer: the job's own time comes on top.
        """
        wanted = self.job if job else None
        return Task(
            path,
            kind=kind,
            job=None if wanted is None else wanted.function,
            job_kind="" if wanted is None else wanted.kind,
            limit_s=limit_s,
            job_s=wanted.seconds if wanted is not None and longer else 0.0,
            remedy=TIME_LIMIT_OPTION,
            beside=self.beside,
            kept=self.kept if job else None,
        )

    def recall(self, content: bytes) -> Any:  # noqa: ANN401  what the job makes
        """What is kept of the job's results; None if nothing is, or if the content is empty, which isn't known then."""
        kept = self.kept if content else None
        return None if kept is None or self.pictures is None else kept.find(self.pictures, content)

    def tell(self, path: str, outcome: Outcome) -> None:
        """Tell what was made beside to whoever asked for it."""
        if self.take_beside is not None and outcome.beside:
            self.take_beside(path, outcome.beside)

    def keep(self, outcome: Outcome, known: Mapping[str, str]) -> dict[str, str]:
        """Keep what was made, as far as it is too large for the cache of results.

        Returns:
            What that cache is to have, by kind, beside what is ``known``.
        """
        new = {}
        job, kept = self.job, self.kept
        if job is not None and outcome.made is not None and not outcome.recalled:
            if job.kind and job.kind not in known:
                new[job.kind] = job.encode(outcome.made)
            if self.pictures is not None and kept is not None and isinstance(job, PictureJob):
                self.pictures.keep(kept.key(outcome.content), job.to_bytes(outcome.made))
        if self.beside is not None and outcome.beside:
            new[self.beside.kind] = outcome.beside
        return new


@dataclass
class WaitingPhoto:
    """A photo that waits for its turn.

    Attributes:
        path: of the photo.
        known: results that the cache has of it, by kind.
        finding: what was found in it, if that is known.
        work: what the workers make of it; None if nothing is left to do.
        made: what the run's job made of it, if that is known.
    """

    path: str
    known: Mapping[str, str]
    finding: Finding | None = None
    work: Future[Outcome] | None = None
    made: Any = None

    @property
    def done(self) -> bool:
        """Whether its turn could come at once."""
        return self.work is None or self.work.done()

    def record(
        self, job: PixelJob[Any] | None, thresholds: Mapping[str, Threshold], model: ModelIdentity
    ) -> tuple[Diagnosis, Any]:
        """Its record, once its finding is known, and what the run's job made of it."""
        if self.finding is None:
            raise RuntimeError(f"nothing was found of {self.path}, and no error")
        made = self.made
        if made is None and job is not None and job.kind in self.known:
            made = job.decode(self.known[job.kind])
        return self.finding.diagnosis(self.path, thresholds, model), made


def score_together(
    photo: WaitingPhoto,
    pending: Iterable[WaitingPhoto],
    engine: Callable[[], Engine],
    manifest: Manifest,
    device: str,
) -> PhotoFailure | None:
    """Compute a photo's finding, and in the same batch those of photos that wait behind it and are ready.

    Args:
        photo: whose turn it is; its inputs are there.
        pending: those behind it, in order.
        engine: gives what computes the model's networks; it may have to be loaded first.
        manifest: the model's.
        device: that computes, for messages.

    Returns:
        Why the photo has no finding, or None if it has one now.
    """
    from photodefect.diagnosis.scoring import score  # noqa: PLC0415

    batch = [photo]
    for other in pending:
        if len(batch) == GPU_BATCH or not other.done:
            break
        if other.work is not None and other.finding is None and other.work.result().inputs is not None:
            batch.append(other)
    while True:
        inputs = [it.work.result().inputs for it in batch if it.work is not None]
        try:
            findings = score(engine(), manifest, [it for it in inputs if it is not None])
        except RuntimeError as error:
            if len(batch) == 1:
                return PhotoFailure("InternalError", f"the {device} device failed: {error}")
            # Too little memory for so many: the photo alone, then.
            _log.debug("a batch of %d photos failed", len(batch), exc_info=True)
            batch = [photo]
        else:
            for it, finding in zip(batch, findings, strict=True):
                it.finding = finding
            return None
