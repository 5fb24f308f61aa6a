"""The plan of a run on a cluster: which photos, in which parts, and how they are judged.

It lies beside the results, so that a run can go on. A results folder holds ::

    _manifest.json            what the run is, written when the list is complete
    _plan/part-000000.parquet the photos of a part, one column: path, the bytes of the path or URL as given
    part-000000.parquet       the results of a part; it is there when the part is complete

Names with an underscore are passed over by whatever reads the folder as one data set.
"""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from photodefect._version import __version__
from photodefect.distributed.storage import ResultsFolder
from photodefect.errors import DataError, NothingToDoError
from photodefect.records import ModelIdentity

FORMAT: Final = 1
MANIFEST: Final = "_manifest.json"
PLAN_FOLDER: Final = "_plan"
DEFAULT_PART_SIZE: Final = 2000

_PATHS: Final = pa.schema([pa.field("path", pa.binary(), nullable=False)])


@dataclass(frozen=True)
class Job:
    """What decides a photo's record, beside the photo.

    Attributes:
        model: as :class:`~photodefect.diagnosis.diagnoser.Diagnoser` takes it.
        identity: of the model; workers must have the same.
        device: likewise.
        patches: likewise.
        placement: likewise.
        seed: likewise.
        thresholds: by defect key, where mild and severe begin.
        time_limit: seconds that a photo may take, or None.
        folder: where relative paths start.
    """

    model: str
    identity: ModelIdentity
    device: str
    patches: int
    placement: str
    seed: int | None
    thresholds: dict[str, tuple[float, float]]
    time_limit: float | None
    folder: str

    def judgement(self) -> dict[str, Any]:
        """What must be the same when a run goes on."""
        settings = asdict(self)
        for name in (
            "model",
            "device",
            "time_limit",
            "folder",
        ):  # the same model may be elsewhere, and compute elsewhere
            del settings[name]
        return json.loads(json.dumps(settings))  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Plan:
    """The parts of a run.

    Attributes:
        results: the folder that it lies in.
        photos: number of photos.
        part_size: photos in a part; the last may have fewer.
        parts: number of parts.
        created: when the photos were listed, ISO 8601, UTC.
        folder: where relative paths start.
    """

    results: ResultsFolder
    photos: int
    part_size: int
    parts: int
    created: str
    folder: str

    def size(self, part: int) -> int:
        """Number of photos in a part."""
        return min(self.part_size, self.photos - part * self.part_size)

    def paths(self, part: int) -> list[bytes]:
        """The photos of a part, in order."""
        table = pq.read_table(io.BytesIO(self.results.read(f"{PLAN_FOLDER}/{part_name(part)}")))
        paths: list[bytes] = table.column("path").to_pylist()
        return paths

    def open_parts(self) -> list[int]:
        """Parts that aren't complete."""
        there = self.results.names()
        return [part for part in range(self.parts) if part_name(part) not in there]

    def complete(self, part: int, rows: pa.Table) -> None:
        """Write a part's rows; with that it is complete."""
        self.results.write(part_name(part), parquet(rows))

    def rows(self, part: int) -> pa.Table:
        """The rows of a complete part."""
        return pq.read_table(io.BytesIO(self.results.read(part_name(part))))


def make_plan(
    results: ResultsFolder, photos: Iterable[bytes], inputs: Sequence[str], job: Job, *, part_size: int
) -> Plan:
    """List photos and divide them into parts. Only one part is held in memory at a time.

    Args:
        results: the folder for the results.
        photos: paths and URLs.
        inputs: what the photos were found by, to be recognized by :func:`read_plan`.
        job: likewise.
        part_size: photos in a part.

    Raises:
        NothingToDoError: there is no photo.
    """
    for name in results.names(PLAN_FOLDER):  # of a run that ended while it listed
        results.remove(f"{PLAN_FOLDER}/{name}")
    iterator = iter(photos)
    count = parts = 0
    while paths := list(itertools.islice(iterator, part_size)):
        results.write(f"{PLAN_FOLDER}/{part_name(parts)}", parquet(pa.Table.from_pydict({"path": paths}, _PATHS)))
        parts, count = parts + 1, count + len(paths)
    if not count:
        raise NothingToDoError(f"no photo in {', '.join(map(repr, inputs[:3]))}{' and others' if inputs[3:] else ''}")
    manifest = {
        "format": FORMAT,
        "photodefect": __version__,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "inputs": list(inputs),
        "judgement": job.judgement(),
        "folder": job.folder,
        "photos": count,
        "part_size": part_size,
        "parts": parts,
    }
    results.write(MANIFEST, json.dumps(manifest, indent=2).encode())
    return _plan(results, manifest)


def read_plan(results: ResultsFolder, inputs: Sequence[str], job: Job) -> Plan | None:
    """The plan of a run that is to go on; None if there is none yet.

    Args:
        results: the folder for the results.
        inputs: what the person named.
        job: what decides records.

    Raises:
        DataError: the folder holds other things, or the results of another run.
    """
    names = results.names()
    if MANIFEST not in names:
        if names - {PLAN_FOLDER}:
            raise DataError(f"{results} holds other things; name a new folder, or an empty one, for the results")
        return None
    manifest = json.loads(results.read(MANIFEST))
    if manifest.get("format") != FORMAT:
        raise DataError(f"{results} holds results in a form of another version; name another folder")
    differing = [key for key, value in job.judgement().items() if manifest["judgement"].get(key) != value]
    if manifest["inputs"] != list(inputs):
        differing.append("photos")
    if differing:
        names_of = {"identity": "model"}
        what = ", ".join(names_of.get(name, name) for name in differing)
        raise DataError(
            f"{results} holds results of another run (other {what}); name another folder, or start over with --force"
        )
    return _plan(results, manifest)


def clear(results: ResultsFolder) -> None:
    """Remove a run from its folder: its own files, and no others."""
    names = results.names()
    if MANIFEST not in names:
        return
    results.remove(MANIFEST)  # first: without it nothing else counts
    for name in results.names(PLAN_FOLDER):
        results.remove(f"{PLAN_FOLDER}/{name}")
    for name in names:
        if name.startswith("part-") and name.endswith(".parquet"):
            results.remove(name)


def part_name(part: int) -> str:
    """The name of a part's file."""
    return f"part-{part:06d}.parquet"


def parquet(table: pa.Table) -> bytes:
    """A table as a Parquet file."""
    stream = io.BytesIO()
    pq.write_table(table, stream, compression="zstd")
    return stream.getvalue()


def _plan(results: ResultsFolder, manifest: dict[str, Any]) -> Plan:
    return Plan(
        results,
        photos=manifest["photos"],
        part_size=manifest["part_size"],
        parts=manifest["parts"],
        created=manifest["created"],
        folder=manifest["folder"],
    )
