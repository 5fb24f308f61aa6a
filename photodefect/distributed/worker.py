"""The worker of a cluster: an actor that holds the model."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from photodefect._version import __version__
from photodefect.core.network.folders import find_model, read_manifest
from photodefect.core.patches import Placement
from photodefect.distributed.plan import Job
from photodefect.distributed.storage import clear_copies, local_copy
from photodefect.errors import ModelError, PhotodefectError, PhotoError
from photodefect.photos.find import is_url
from photodefect.records import Diagnosis, PhotoFailure
from photodefect.verdicts import Threshold

if TYPE_CHECKING:
    import pyarrow as pa

    from photodefect.diagnosis.diagnoser import Diagnoser


class PhotoWorker:
    """Diagnoses photos by path or URL; the model is loaded once.

    Args:
        job: what decides records.

    Raises:
        ModelError: the model isn't here, or is another than where the run was started.
    """

    def __init__(self, job: Job) -> None:
        clear_copies()
        self._job = job
        self._diagnoser = _make_diagnoser(job)

    def __call__(self, table: pa.Table) -> pa.Table:
        """One row a photo, whatever happens to it.

        Args:
            table: columns ``part``, ``place`` and ``path``, as :mod:`photodefect.distributed.run` has them.

        Returns:
            Columns ``part``, ``place`` and those of :data:`photodefect.distributed.rows.SCHEMA`.
        """
        from photodefect.distributed.rows import to_table  # noqa: PLC0415  pyarrow takes a while to import

        names = [os.fsdecode(path) for path in table.column("path").to_pylist()]
        rows = to_table(self.diagnose(names))
        return rows.add_column(0, "part", table.column("part")).add_column(1, "place", table.column("place"))

    def diagnose(self, names: Sequence[str]) -> list[Diagnosis]:
        """The records of photos, by path or URL, in the order given. Few copies are there at the same time."""
        records: dict[int, Diagnosis] = {}
        waiting: deque[tuple[int, ExitStack]] = deque()

        def fetched() -> Iterator[str]:
            for index, name in enumerate(names):
                path = name if is_url(name) else str(Path(self._job.folder) / name)
                copy = ExitStack()
                try:
                    local = copy.enter_context(local_copy(path))
                except PhotoError as error:
                    failure = PhotoFailure(type(error).__name__, str(error))
                    records[index] = Diagnosis(name, model=self._job.identity, error=failure)
                else:
                    waiting.append((index, copy))
                    yield local

        try:
            with closing(self._diagnoser.diagnose(fetched())) as diagnoses:
                for diagnosis in diagnoses:
                    index, copy = waiting.popleft()
                    copy.close()
                    records[index] = replace(diagnosis, path=names[index])
        except ModelError as error:  # it was whole when the run began
            failure = PhotoFailure("ModelError", str(error))
            for index, name in enumerate(names):
                records.setdefault(index, Diagnosis(name, model=self._job.identity, error=failure))
        finally:
            for _, copy in waiting:
                copy.close()
        return [records[index] for index in range(len(names))]


def examine(job: Job) -> str:
    """Try on a worker what the run needs.

    Returns:
        What is wrong, for people; empty if nothing is.
    """
    import numpy as np  # noqa: PLC0415

    try:
        with _make_diagnoser(job) as diagnoser:
            diagnoser.diagnose_pixels(np.zeros((64, 64, 3), np.uint8))
    except PhotodefectError as error:
        return str(error)
    return ""


def version() -> str:
    """The version of photodefect on a worker."""
    return __version__


def _make_diagnoser(job: Job) -> Diagnoser:
    from photodefect.diagnosis.diagnoser import Diagnoser  # noqa: PLC0415  takes a while

    identity = read_manifest(find_model(job.model)).identity
    if identity != job.identity:
        raise ModelError(
            f"the model {job.model} has the checksum {identity.sha256[:12]} here, and {job.identity.sha256[:12]} where "
            "the run was started"
        )
    return Diagnoser(
        job.model,
        device=job.device,
        patches=job.patches,
        placement=cast(Placement, job.placement),
        seed=job.seed,
        thresholds={key: Threshold(mild, severe) for key, (mild, severe) in job.thresholds.items()},
        # Ray starts a worker a core.
        workers=1,
        threads=1,
        time_limit=job.time_limit,
    )
