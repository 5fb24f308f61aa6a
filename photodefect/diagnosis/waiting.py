"""Photos whose turn hasn't come yet, and which of them a GPU can compute together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass

from photodefect.diagnosis.findings import Finding
from photodefect.diagnosis.workers.tasks import Outcome


@dataclass
class WaitingPhoto:
    """A photo whose turn hasn't come yet.

    Attributes:
        path: as it was given.
        known: results that the cache had, by kind.
        finding: what was found in it, once that is known.
        work: that a worker does on it; None if nothing is left to do.
    """

    path: str
    known: Mapping[str, str]
    finding: Finding | None = None
    work: Future[Outcome] | None = None

    @property
    def done(self) -> bool:
        """Whether its turn could come at once."""
        return self.work is None or self.work.done()


def ready_batch(first: WaitingPhoto, behind: Iterable[WaitingPhoto], most: int) -> list[WaitingPhoto]:
    """A photo, and those right behind it whose inputs are there and whose findings aren't.

    Args:
        first: its inputs are there.
        behind: the photos after it, in order; the first one that a worker still works on ends the batch.
        most: photos together.
    """
    batch = [first]
    for other in behind:
        if len(batch) == most or not other.done:
            break
        if other.work is not None and other.finding is None and other.work.result().inputs is not None:
            batch.append(other)
    return batch
