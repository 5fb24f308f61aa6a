"""The record of one photo: the same in Python, JSON and NDJSON, and flat as a row of CSV."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, TypeVar

from photodefect.defects import KEYS, PATCH_DEFECTS
from photodefect.errors import DataError
from photodefect.photos.facts import Capture, Provenance
from photodefect.verdicts import Threshold, Verdict

__all__ = [
    "SCHEMA_VERSION",
    "Capture",
    "Diagnosis",
    "ModelIdentity",
    "PhotoFailure",
    "Provenance",
    "columns",
    "flatten",
]

SCHEMA_VERSION: Final = 1
"""Version of the record; it grows when a field changes its meaning or goes away."""

_T = TypeVar("_T")


@dataclass(frozen=True)
class ModelIdentity:
    """Which model made a diagnosis.

    Attributes:
        name: the model's name, e.g. ``compact``.
        sha256: checksum over its weights, in hexadecimal.
    """

    name: str
    sha256: str


@dataclass(frozen=True)
class PhotoFailure:
    """Why a photo could not be diagnosed.

    Attributes:
        type: name of the error's class, e.g. ``UnreadableError``.
        message: what is wrong, for people.
    """

    type: str
    message: str


@dataclass(frozen=True)
class Diagnosis:
    """What photodefect says about one photo. Of a failed photo only ``path`` and ``error`` are sure to be there.

    Attributes:
        path: as it was given.
        width: pixels, after the EXIF orientation was applied.
        height: pixels, likewise.
        severity: by defect key, 0 (none) to 1 (severe); of a signed defect -1 (too little) to 1 (too much).
        percentile: by defect key, the percentage of reference photos that are less severe; None if the model ships
            no reference.
        holistic: what the network that sees the whole frame says, by defect key.
        patches: what the network that sees crops at original resolution says, by defect key.
        worst: key of the defect with the largest absolute severity; None where it is but a trace.
        verdict: ``good``, ``mild`` or ``severe``.
        thresholds: by defect key, the thresholds that made the verdict.
        monochrome: the photo has no colour, but for a small part.
        photograph: false of a screenshot, drawing, chart or document.
        not_photograph: why it is none, for people; None of a photograph.
        capture: how it was taken.
        provenance: what kind of file the pixels came from, and how.
        model: which model made the diagnosis.
        error: why there is none, or None.
    """

    path: str
    width: int | None = None
    height: int | None = None
    severity: Mapping[str, float] | None = None
    percentile: Mapping[str, int] | None = None
    holistic: Mapping[str, float] | None = None
    patches: Mapping[str, float] | None = None
    worst: str | None = None
    verdict: Verdict | None = None
    thresholds: Mapping[str, Threshold] | None = None
    monochrome: bool | None = None
    photograph: bool | None = None
    not_photograph: str | None = None
    capture: Capture | None = None
    provenance: Provenance | None = None
    model: ModelIdentity | None = None
    error: PhotoFailure | None = None

    def to_dict(self, *, detail: bool = True) -> dict[str, Any]:
        """The record as JSON has it.

        Args:
            detail: with both networks' own scores.

        Returns:
            Plain dictionaries, strings, numbers, booleans and None.
        """
        record: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "path": self.path,
            "width": self.width,
            "height": self.height,
            "severity": _plain(self.severity),
            "percentile": _plain(self.percentile),
        }
        if detail:
            record |= {"holistic": _plain(self.holistic), "patches": _plain(self.patches)}
        return record | {
            "worst": self.worst,
            "verdict": self.verdict,
            "thresholds": None if self.thresholds is None else {k: _fields(t) for k, t in self.thresholds.items()},
            "monochrome": self.monochrome,
            "photograph": self.photograph,
            "not_photograph": self.not_photograph,
            "capture": _fields(self.capture),
            "provenance": _fields(self.provenance),
            "model": _fields(self.model),
            "error": _fields(self.error),
        }

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Diagnosis:
        """The inverse of :meth:`to_dict`.

        Raises:
            DataError: it is no such record, or one of another version.
        """
        version = record.get("schema_version")
        if version != SCHEMA_VERSION:
            raise DataError(f"a record of version {version!r} can't be read, only of version {SCHEMA_VERSION}")
        try:
            return cls(
                path=record["path"],
                width=record["width"],
                height=record["height"],
                severity=record["severity"],
                percentile=record["percentile"],
                holistic=record.get("holistic"),
                patches=record.get("patches"),
                worst=record["worst"],
                verdict=record["verdict"],
                thresholds=_part(record, "thresholds", lambda t: {key: Threshold(**pair) for key, pair in t.items()}),
                monochrome=record["monochrome"],
                photograph=record.get("photograph"),  # records of before say nothing of it
                not_photograph=record.get("not_photograph"),
                capture=_part(record, "capture", lambda capture: Capture(**capture)),
                provenance=_part(record, "provenance", lambda provenance: Provenance(**provenance)),
                model=_part(record, "model", lambda model: ModelIdentity(**model)),
                error=_part(record, "error", lambda error: PhotoFailure(**error)),
            )
        except KeyError as error:
            raise DataError(f"the record lacks {error.args[0]!r}") from error


def _plain(scores: Mapping[str, _T] | None) -> dict[str, _T] | None:
    return None if scores is None else dict(scores)


def _fields(part: object | None) -> dict[str, Any] | None:
    """The fields of a flat dataclass by name; ``asdict`` copies deeply and takes twenty times as long."""
    return None if part is None else dict(vars(part))


def _part(record: Mapping[str, Any], key: str, build: Callable[[Any], _T]) -> _T | None:
    """Build the nested part ``key`` of a record unless it is null."""
    value = record[key]
    if value is None:
        return None
    try:
        return build(value)
    except (AttributeError, TypeError, ValueError) as error:
        raise DataError(f"the record's {key!r} is not what it should be: {error}") from error


def columns(detail: bool) -> list[str]:
    """The header: the same for every photo, failed ones included."""
    names = ["path", "width", "height", "verdict", "worst", *KEYS, *_prefixed("percentile", KEYS)]
    if detail:
        names += _prefixed("holistic", KEYS) + _prefixed("patches", [defect.key for defect in PATCH_DEFECTS])
        names += _prefixed("mild_from", KEYS) + _prefixed("severe_from", KEYS)
    names += ["monochrome", "photograph", "not_photograph"]
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
    for column in ("monochrome", "photograph"):
        row[column] = None if record[column] is None else str(record[column]).lower()
    row["not_photograph"] = diagnosis.not_photograph
    if diagnosis.error is not None:
        row |= {"error_type": diagnosis.error.type, "error": diagnosis.error.message}
    return row


def _prefixed(group: str, keys: tuple[str, ...] | list[str]) -> list[str]:
    return [f"{group}_{key}" for key in keys]
