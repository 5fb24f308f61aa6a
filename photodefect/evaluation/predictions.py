"""Predictions: read from what ``diagnose`` wrote, or taken from its records, and matched with ground truth by path."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from photodefect.defects import BY_KEY, KEYS
from photodefect.distributed.results import is_results, read_results
from photodefect.encodings import as_utf8
from photodefect.errors import DataError
from photodefect.labels.table import ROUNDING, CsvTable, identity_of, read_severity, read_table
from photodefect.records import Diagnosis

Source = Literal["combined", "holistic", "patches"]

SOURCES: Final[tuple[Source, ...]] = ("holistic", "patches", "combined")
"""Whose scores there may be, in the order of the paper's table 1."""


@dataclass(frozen=True)
class Prediction:
    """What is predicted for one photo.

    Attributes:
        path: as it was given to ``diagnose``.
        scores: severity by source and defect key; a source or defect that isn't there has no prediction.
        error: why there is none, or None.
    """

    path: str
    scores: Mapping[Source, Mapping[str, float]]
    error: str | None = None


@dataclass(frozen=True)
class Predictions:
    """The predictions of one file or run.

    Attributes:
        items: one a photo.
        origin: the file or model they come from, for people.
        folder: where the file lies; relative paths may start there. None for a run.
    """

    items: tuple[Prediction, ...]
    origin: str
    folder: Path | None = None


@dataclass(frozen=True)
class Matched:
    """Predictions in the order of ground truth.

    Attributes:
        items: the prediction for each photo of ground truth, None if there is none.
        extra: paths of predictions for which there is no ground truth.
    """

    items: tuple[Prediction | None, ...]
    extra: tuple[str, ...] = field(default=())

    def scores(self, source: Source, key: str) -> NDArray[np.float64]:
        """Predicted severity of each photo, (N,); nan where there is none."""
        return np.array([_score(item, source, key) for item in self.items], dtype=np.float64)


def _score(item: Prediction | None, source: Source, key: str) -> float:
    return math.nan if item is None else item.scores.get(source, {}).get(key, math.nan)


def from_records(records: Iterable[Diagnosis], origin: str) -> Predictions:
    """The predictions in records of a run."""
    return Predictions(tuple(_from_record(record, origin) for record in records), origin)


def read_predictions(path: Path) -> Predictions:
    """Read what ``diagnose`` wrote as CSV, JSON, NDJSON or, on a cluster, Parquet; its content says which.

    Of a CSV only ``path`` and any of the seven keys are needed; ``--detail`` adds both networks' own scores.

    Raises:
        DataError: it can't be read, a record or row is wrong, or a photo is there twice.
    """
    rows = _read_parquet(path) if is_results(path) else _read_text(path)
    first: dict[str, str] = {}
    for where, item in rows:
        name = identity_of(item.path)
        if name in first:
            raise DataError(f"{where}: {item.path!r} is predicted in {first[name]} already. Keep one prediction each.")
        first[name] = where.rpartition(", ")[2]
    if not rows:
        raise DataError(f"{path} holds no predictions.")
    return Predictions(tuple(item for _, item in rows), str(path), path.parent)


def _read_parquet(path: Path) -> list[tuple[str, Prediction]]:
    rows = enumerate(read_results(path), 1)
    return [(where := f"{path}, row {number}", _from_record(record, where)) for number, record in rows]


def _read_text(path: Path) -> list[tuple[str, Prediction]]:
    try:
        text = as_utf8(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: its UTF-16 text ends within a letter. Was it cut off?") from error
    return _read_json(path, text) if text.lstrip()[:1] in (b"{", b"[") else _read_csv(path)


def _read_json(path: Path, data: bytes) -> list[tuple[str, Prediction]]:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text.") from error
    records: list[tuple[str, Any]] = []
    if text.lstrip().startswith("["):
        try:
            records = [(f"{path}, record {number}", record) for number, record in enumerate(json.loads(text), 1)]
        except (json.JSONDecodeError, RecursionError) as error:
            raise DataError(f"{path} is not JSON: {error}.") from error
    else:
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                try:
                    records.append((f"{path}, line {number}", json.loads(line)))
                except (json.JSONDecodeError, RecursionError) as error:
                    raise DataError(f"{path}, line {number}: not JSON ({error}). Was it cut off?") from error
    result = []
    for where, record in records:
        if not isinstance(record, dict):
            raise DataError(f"{where}: not a record of diagnose.")
        try:
            result.append((where, _from_record(Diagnosis.from_dict(record), where)))
        except DataError as error:
            raise error if str(error).startswith(where) else DataError(f"{where}: {error}") from error
    return result


def _from_record(record: Diagnosis, where: str) -> Prediction:
    if not isinstance(record.path, str):
        raise DataError(f"{where}: the path is {record.path!r}, not text.")
    parts: dict[Source, Any] = {
        "combined": record.severity,
        "holistic": record.holistic,
        "patches": record.patches,
    }
    scores = {source: _checked(part, where) for source, part in parts.items() if part is not None}
    return Prediction(record.path, scores, None if record.error is None else record.error.message)


def _checked(scores: Any, where: str) -> dict[str, float]:  # noqa: ANN401 - anything may be in a file
    if not isinstance(scores, Mapping):
        raise DataError(f"{where}: {scores!r} where severities by defect should be.")
    result = {}
    for key, value in scores.items():
        defect = BY_KEY.get(key)
        if defect is None or isinstance(value, bool) or not isinstance(value, int | float):
            raise DataError(f"{where}: {key!r}: {value!r} is not the severity of a defect.")
        if not defect.lowest - ROUNDING <= value <= 1 + ROUNDING:
            raise DataError(f"{where}: {key} is {value}, outside {defect.lowest:g}..1.")
        result[key] = float(value)
    return result


def _read_csv(path: Path) -> list[tuple[str, Prediction]]:
    table = read_table(path)
    table.require(["path"], "Predictions name their photos in a column 'path'.")
    if not any(key in table.columns for key in KEYS):
        table.require([KEYS[0]], "Predictions have a column for each defect, named by its key.")
    return [(table.where(row), _from_cells(table, row, cells)) for row, cells in table.rows]


def _from_cells(table: CsvTable, row: int, cells: Mapping[str, str]) -> Prediction:
    prefixes: dict[Source, str] = {"combined": "", "holistic": "holistic_", "patches": "patches_"}
    scores: dict[Source, dict[str, float]] = {}
    for source, prefix in prefixes.items():
        for key in KEYS:
            value = read_severity(cells.get(prefix + key, ""), BY_KEY[key], table.where(row))
            if not math.isnan(value):
                scores.setdefault(source, {})[key] = value
    if not cells["path"]:
        raise DataError(f"{table.where(row)}: no path. Every row needs one.")
    return Prediction(cells["path"], scores, cells.get("error") or None)


def match(
    truths: Sequence[Path], predictions: Predictions, folder: Path, truth: Path, *, by_name: bool = False
) -> Matched:
    """Find the prediction for each photo of ground truth, by path and never by order.

    A relative path in a file of predictions may start at the file's own folder, at the folder of the images, or
    where the command runs. Of these the one under which most photos match holds, for the whole file.

    Args:
        truths: photos of ground truth.
        predictions: what to match.
        folder: the folder of the images.
        truth: file of ground truth, for the error.
        by_name: file names alone may do if no path matches (URLs say no more).

    Raises:
        DataError: no photo has a prediction, or two predictions are of one photo.
    """
    starts = dict.fromkeys([predictions.folder or Path(), folder, Path()])
    wanted = [_identity(path) for path in truths]
    best: dict[str, Prediction] = {}
    best_count = 0
    for start in starts:
        found = _by_identity(predictions, partial(_identity_from, start))
        count = sum(identity in found for identity in wanted)
        if count > best_count:
            best, best_count = found, count
    if not best_count and by_name:
        wanted = [path.name for path in truths]
        best = _by_identity(predictions, lambda item: Path(item.path).name)
        best_count = sum(name in best for name in wanted)
    if not best_count:
        raise DataError(
            f"No photo of {truth} is predicted in {predictions.origin}: the one has {str(truths[0])!r}, "
            f"the other {predictions.items[0].path!r}. Name the folder that the paths of {truth.name} start from."
        )
    used = set(wanted)
    extra = tuple(item.path for identity, item in best.items() if identity not in used)
    return Matched(tuple(best.get(identity) for identity in wanted), extra)


def _by_identity(predictions: Predictions, identify: Callable[[Prediction], str]) -> dict[str, Prediction]:
    found: dict[str, Prediction] = {}
    for item in predictions.items:
        identity = identify(item)
        if identity in found:
            raise DataError(
                f"{predictions.origin}: {found[identity].path!r} and {item.path!r} are the same photo. "
                "Keep one prediction each."
            )
        found[identity] = item
    return found


def _identity_from(start: Path, item: Prediction) -> str:
    return _identity(start / item.path)


def _identity(path: Path) -> str:
    """The absolute path, links among its folders resolved."""
    return f"{_real(str(path.parent.absolute()))}{os.sep}{path.name}"


@cache
def _real(folder: str) -> str:
    return os.path.realpath(folder)
