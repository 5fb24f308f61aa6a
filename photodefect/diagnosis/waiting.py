"""Photos that wait for their turn, and those of them that a GPU scores together."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from photodefect.diagnosis.findings import Finding
from photodefect.diagnosis.workers.tasks import Outcome
from photodefect.records import PhotoFailure

if TYPE_CHECKING:
    from photodefect.core.network.manifest import Manifest
    from photodefect.engines import Engine

GPU_BATCH: Final = 16
"""Photos that a GPU computes at once, at most."""

_log = logging.getLogger(__name__)


@dataclass
class WaitingPhoto:
    """A photo that waits for its turn.

    Attributes:
        path: of the photo.
        known: results that the cache has of it, by kind.
        finding: what was found in it, if that is known.
        work: what the workers make of it; None if nothing is left to do.
    """

    path: str
    known: Mapping[str, str]
    finding: Finding | None = None
    work: Future[Outcome] | None = None

    @property
    def done(self) -> bool:
        """Whether its turn could come at once."""
        return self.work is None or self.work.done()


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
