"""CSV: the flat form of a record, ``path`` first and ``error`` last."""

from __future__ import annotations

import csv
from dataclasses import fields
from typing import Any, TextIO

from photodefect.defects import KEYS, PATCH_DEFECTS
from photodefect.printable import printable
from photodefect.records import Capture, Diagnosis, ModelIdentity, Provenance


class CsvWriter:
    """Writes a header and one row a record.

    A severity's column has the name of its defect; the other groups carry theirs in front
    (``percentile_noise``, ``capture_iso``). Names are written byte by byte as they are, except to a terminal, where
    what it might act upon is escaped.

    Args:
        stream: where to; opened with ``newline=""``.
        detail: with both networks' own scores and the thresholds.
    """

    def __init__(self, stream: TextIO, detail: bool = False) -> None:
        self._stream = stream
        self._for_terminal = stream.isatty()
        self._detail = detail
        self._columns = columns(detail)
        self._rows = csv.DictWriter(Lines(stream), self._columns)
        self._rows.writeheader()

    def write(self, diagnosis: Diagnosis) -> None:
        """Write one row, and flush it."""
        row = flatten(diagnosis)
        if self._for_terminal:
            row = {column: printable(value) if isinstance(value, str) else value for column, value in row.items()}
        self._rows.writerow({column: row.get(column) for column in self._columns})
        self._stream.flush()

    def close(self) -> None:
        """Nothing is left to write."""


class Lines:
    """Ends rows in a line feed alone. Told so itself, the csv module would leave carriage returns unquoted."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, row: str) -> int:
        """Write one row, which ends as the csv module ends it."""
        return self._stream.write(row.removesuffix("\r\n") + "\n")


def columns(detail: bool) -> list[str]:
    """The header: the same for every photo, failed ones included."""
    names = ["path", "width", "height", "verdict", "worst", *KEYS, *_prefixed("percentile", KEYS)]
    if detail:
        names += _prefixed("holistic", KEYS) + _prefixed("patches", [defect.key for defect in PATCH_DEFECTS])
        names += _prefixed("mild_from", KEYS) + _prefixed("severe_from", KEYS)
    names += ["monochrome"]
    for group, kind in (("capture", Capture), ("file", Provenance), ("model", ModelIdentity)):
        names += _prefixed(group, [field.name for field in fields(kind)])
    return [*names, "error_type", "error"]


def flatten(diagnosis: Diagnosis) -> dict[str, Any]:
    """All values of a record by column."""
    record = diagnosis.to_dict()
    thresholds = record["thresholds"] or {}
    groups = {
        "percentile": record["percentile"],
        "holistic": record["holistic"],
        "patches": record["patches"],
        "mild_from": {key: threshold["mild"] for key, threshold in thresholds.items()},
        "severe_from": {key: threshold["severe"] for key, threshold in thresholds.items()},
        "capture": record["capture"],
        "file": record["provenance"],
        "model": record["model"],
    }
    row = {column: record[column] for column in ("path", "width", "height", "verdict", "worst")}
    row |= record["severity"] or {}
    for group, values in groups.items():
        row |= {f"{group}_{key}": value for key, value in (values or {}).items()}
    row["monochrome"] = None if diagnosis.monochrome is None else str(diagnosis.monochrome).lower()
    if diagnosis.error is not None:
        row |= {"error_type": diagnosis.error.type, "error": diagnosis.error.message}
    return row


def _prefixed(group: str, keys: tuple[str, ...] | list[str]) -> list[str]:
    return [f"{group}_{key}" for key in keys]
