"""A run over a plan: Ray Data hands photos out to actors and retries what lost workers had, and parts are written.

Rows come back to where the run was started, a kilobyte a photo, so that only that machine needs access to the results
folder and a part is written by nobody else. A photo that takes its worker with it, again and again, becomes a record
with an error.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa
import ray
import ray.data

from photodefect.distributed.plan import Job, Plan
from photodefect.distributed.rows import SCHEMA, from_table, to_table
from photodefect.distributed.worker import PhotoWorker, examine, version
from photodefect.errors import DataError, ModelError
from photodefect.records import Diagnosis, PhotoFailure

CHUNK: Final = 32
"""Photos that a worker gets at a time: what is done again if it is lost."""

RETRIES: Final = 2
"""How often photos whose worker was lost are given to another, before they are tried one by one, and then again."""

PHOTOS_PER_WORKER: Final = 2000
"""Photos in a pass, for each worker: some minutes of work, so that starting the actors doesn't count."""

_TASK: Final = pa.schema([("part", pa.int32()), ("place", pa.int32()), ("path", pa.binary())])


@dataclass
class _OpenPart:
    """A part on its way.

    Attributes:
        paths: its photos.
        tables: rows that have come.
        places: where in the part they belong.
    """

    paths: list[bytes]
    tables: list[pa.Table] = field(default_factory=list)
    places: set[int] = field(default_factory=set)

    def add(self, table: pa.Table) -> pa.Table:
        """Keep rows that weren't there yet, and return them."""
        new = [place.as_py() not in self.places for place in table.column("place")]
        table = table.filter(pa.array(new, pa.bool_()))
        self.places.update(table.column("place").to_pylist())
        self.tables.append(table)
        return table

    def missing(self) -> list[int]:
        """Places of the photos of which there is no row yet."""
        return [place for place in range(len(self.paths)) if place not in self.places]

    def rows(self) -> pa.Table:
        """All rows in the order of the photos."""
        whole = pa.concat_tables(self.tables).sort_by("place")
        return whole.select(SCHEMA.names).cast(SCHEMA)


def check_cluster(job: Job) -> int:
    """Make sure that workers can do the job.

    Returns:
        How many workers there can be.

    Raises:
        DataError: photodefect isn't there, or in another version, or there is nobody to work.
        ModelError: the model can't be used there.
    """
    from photodefect._version import __version__  # noqa: PLC0415

    needs = _needs(job)
    kind = "GPU" if "num_gpus" in needs else "CPU"
    count = int(ray.cluster_resources().get(kind, 0))
    if not count:
        raise DataError(f"the Ray cluster has no {kind} to compute with")
    try:
        there = ray.get(ray.remote(**needs)(version).remote())
        problem = ray.get(ray.remote(**needs)(examine).remote(job)) if there == __version__ else ""
    except ray.exceptions.RayError as error:
        raise DataError(f"the workers of the Ray cluster can't use photodefect: {_explain(error)}") from error
    if there != __version__:
        raise DataError(f"the workers of the Ray cluster have photodefect {there}, and this is {__version__}")
    if problem:
        raise ModelError(f"on a worker of the Ray cluster: {problem}")
    return count


def run(
    plan: Plan, job: Job, workers: int, *, worker: type[PhotoWorker] = PhotoWorker
) -> Generator[Diagnosis, None, None]:
    """Diagnose the photos of all parts that aren't complete; a part is written when its last photo is done.

    Args:
        plan: the parts.
        job: what decides records.
        workers: actors that work at once.
        worker: what they are.

    Yields:
        Records as they come, in any order, one a photo.

    Raises:
        DataError: the cluster can't do it any more.
        OSError: a part can't be written.
    """
    parts = plan.open_parts()
    per_pass = max(1, workers * PHOTOS_PER_WORKER // plan.part_size)
    for start in range(0, len(parts), per_pass):
        opened = {part: _OpenPart(plan.paths(part)) for part in parts[start : start + per_pass]}
        for size in (CHUNK, 1):
            for part, rows in _pass(opened, job, workers, size, worker):
                yield from _take(plan, opened, part, rows)
        for part in sorted(opened):
            lost = opened[part].missing()
            paths = [os.fsdecode(opened[part].paths[place]) for place in lost]
            yield from _take(plan, opened, part, _lost_rows(part, lost, paths, job))


def _pass(
    opened: dict[int, _OpenPart], job: Job, workers: int, chunk: int, worker: type[PhotoWorker]
) -> Iterator[tuple[int, pa.Table]]:
    """Have the photos done that are missing, ``chunk`` at a time; those whose workers are lost too often stay missing.

    Yields:
        Parts and rows of theirs.
    """
    tasks = [
        pa.Table.from_pydict(
            {"part": [part] * len(places), "place": places, "path": [photos.paths[place] for place in places]}, _TASK
        )
        for part, photos in opened.items()
        for places in _chunks(photos.missing(), chunk)
    ]
    if not tasks:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Ray warns of is meant for those who write programs for it
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.max_errored_blocks = -1
        rows = ray.data.from_arrow(tasks).map_batches(
            worker,
            fn_constructor_args=(job,),
            batch_size=None,
            batch_format="pyarrow",
            zero_copy_batch=True,
            # Photos that are tried one by one must not wait at a worker: it would take them with it.
            compute=ray.data.ActorPoolStrategy(
                size=min(workers, len(tasks)), max_tasks_in_flight_per_actor=1 if chunk == 1 else None
            ),
            max_restarts=-1,
            max_task_retries=RETRIES,
            **_needs(job),
        )
        try:
            for table in rows.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
                for part in set(table.column("part").to_pylist()):
                    yield part, table.filter(pa.compute.equal(table.column("part"), part))
        except ray.exceptions.RayError as error:
            raise DataError(f"the Ray cluster can't go on: {_explain(error)}") from error


def _take(plan: Plan, opened: dict[int, _OpenPart], part: int, rows: pa.Table) -> Iterator[Diagnosis]:
    new = opened[part].add(rows)
    if not opened[part].missing():
        plan.complete(part, opened[part].rows())
        del opened[part]
    yield from from_table(new)


def _lost_rows(part: int, places: Sequence[int], paths: Sequence[str], job: Job) -> pa.Table:
    message = f"the worker was lost {RETRIES + 1} times while it was at this photo alone"
    failure = PhotoFailure("WorkerLostError", message)
    rows = to_table(Diagnosis(path, model=job.identity, error=failure) for path in paths)
    return rows.add_column(0, _TASK.field("part"), pa.array([part] * len(places), pa.int32())).add_column(
        1, _TASK.field("place"), pa.array(places, pa.int32())
    )


def _needs(job: Job) -> dict[str, Any]:
    """What Ray keeps for a worker."""
    return {"num_cpus": 1} | ({"num_gpus": 1} if job.device == "cuda" else {})


def _chunks(places: list[int], size: int) -> Iterator[list[int]]:
    for start in range(0, len(places), size):
        yield places[start : start + size]


def _explain(error: BaseException) -> str:
    """The line of Ray's message that says what happened."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
