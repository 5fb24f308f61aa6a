"""A record as a row with typed columns, the same columns that CSV has with ``--detail``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, Final

import pyarrow as pa

from photodefect.defects import KEYS
from photodefect.records import (
    SCHEMA_VERSION,
    Capture,
    Diagnosis,
    ModelIdentity,
    PhotoFailure,
    Provenance,
    columns,
    flatten,
)
from photodefect.verdicts import Threshold

_GROUPS: Final = {"capture": Capture, "file": Provenance, "model": ModelIdentity}
_BY_ANNOTATION: Final = {"str": pa.string(), "int": pa.int32(), "float": pa.float64()}


def _types() -> dict[str, pa.DataType]:
    types = {name: pa.int32() for name in ("width", "height")} | dict.fromkeys(("monochrome", "photograph"), pa.bool_())
    types |= {f"percentile_{key}": pa.int32() for key in KEYS}
    for group, kind in _GROUPS.items():
        for field in fields(kind):
            kind_of_field = str(field.type).split(" ")[0]
            types[f"{group}_{field.name}"] = _BY_ANNOTATION.get(kind_of_field, pa.string())
    texts = ("path", "verdict", "worst", "not_photograph", "error_type", "error")
    return types | dict.fromkeys(texts, pa.string())


_TYPES: Final = _types()

SCHEMA: Final = pa.schema(
    [
        *(pa.field(name, _TYPES.get(name, pa.float64()), nullable=name != "path") for name in columns(detail=True)),
        pa.field("path_bytes", pa.binary()),
    ],
    metadata={"photodefect_schema_version": str(SCHEMA_VERSION)},
)
"""Columns of the results. All that isn't known of a photo is null.

``path`` is text, in which bytes that aren't UTF-8 are escapes such as ``\\xe9``; only then ``path_bytes`` is not null,
and has them as they are.
"""


def to_table(diagnoses: Iterable[Diagnosis]) -> pa.Table:
    """One row a record."""
    return pa.Table.from_pylist([_row(diagnosis) for diagnosis in diagnoses], schema=SCHEMA)


def from_table(table: pa.Table) -> Iterator[Diagnosis]:
    """The records in rows."""
    for row in table.to_pylist():
        yield _diagnosis(row)


def _row(diagnosis: Diagnosis) -> dict[str, Any]:
    row = {name: _text(value) if isinstance(value, str) else value for name, value in flatten(diagnosis).items()}
    row |= {"monochrome": diagnosis.monochrome, "photograph": diagnosis.photograph}
    if row["path"] != diagnosis.path:
        row["path_bytes"] = os.fsencode(diagnosis.path)
    return row


def _text(value: str) -> str:
    escaped = (f"\\x{ord(letter) - 0xDC00:02x}" if 0xDC80 <= ord(letter) <= 0xDCFF else letter for letter in value)
    return value if value.isascii() else "".join(escaped).encode("utf-8", "backslashreplace").decode("utf-8")


def _diagnosis(row: Mapping[str, Any]) -> Diagnosis:
    severity = _group(row, "", KEYS)
    mild, severe = _group(row, "mild_from_", KEYS), _group(row, "severe_from_", KEYS)
    parts = {
        name: kind(**{field.name: row[f"{name}_{field.name}"] for field in fields(kind)})
        for name, kind in _GROUPS.items()
        if any(row[f"{name}_{field.name}"] is not None for field in fields(kind))
    }
    return Diagnosis(
        path=row["path"] if row["path_bytes"] is None else os.fsdecode(row["path_bytes"]),
        width=row["width"],
        height=row["height"],
        severity=severity,
        percentile=_group(row, "percentile_", KEYS),
        holistic=_group(row, "holistic_", KEYS),
        patches=_group(row, "patches_", KEYS),
        worst=row["worst"],
        verdict=row["verdict"],
        thresholds=None if mild is None or severe is None else {k: Threshold(mild[k], severe[k]) for k in mild},
        monochrome=row["monochrome"],
        photograph=row["photograph"],
        not_photograph=row["not_photograph"],
        capture=parts.get("capture", None if severity is None else Capture()),
        provenance=parts.get("file"),
        model=parts.get("model"),
        error=None if row["error_type"] is None else PhotoFailure(row["error_type"], row["error"]),
    )


def _group(row: Mapping[str, Any], prefix: str, keys: Sequence[str]) -> dict[str, Any] | None:
    values = {key: value for key in keys if (value := row.get(prefix + key)) is not None}
    return values or None
