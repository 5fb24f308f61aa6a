"""Records: one object a photo, the same in Python and JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from record_strategies import DIAGNOSES, SUCCESSES

from photodefect.errors import DataError
from photodefect.records import Diagnosis, PhotoFailure

FIELDS = [
    "schema_version",
    "path",
    "width",
    "height",
    "severity",
    "percentile",
    "holistic",
    "patches",
    "worst",
    "verdict",
    "thresholds",
    "monochrome",
    "photograph",
    "not_photograph",
    "capture",
    "provenance",
    "model",
    "error",
]


@given(DIAGNOSES)
def test_a_record_survives_json(diagnosis: Diagnosis) -> None:
    assert Diagnosis.from_dict(json.loads(json.dumps(diagnosis.to_dict()))) == diagnosis


@given(DIAGNOSES)
def test_a_record_has_the_same_fields_whether_the_photo_failed_or_not(diagnosis: Diagnosis) -> None:
    assert list(diagnosis.to_dict()) == FIELDS


@given(SUCCESSES)
def test_the_networks_own_scores_come_only_with_detail(diagnosis: Diagnosis) -> None:
    record = diagnosis.to_dict(detail=False)
    assert [name for name in FIELDS if name not in record] == ["holistic", "patches"]
    restored = Diagnosis.from_dict(record)
    assert restored.holistic is None
    assert restored.severity == diagnosis.severity


def test_a_failed_photo_has_nulls_and_an_error_of_type_and_message() -> None:
    record = Diagnosis("a.jpg", error=PhotoFailure("UnreadableError", "the file is empty")).to_dict()
    assert record.pop("error") == {"type": "UnreadableError", "message": "the file is empty"}
    assert record.pop("path") == "a.jpg"
    assert record.pop("schema_version") == 1
    assert set(record.values()) == {None}


def test_a_record_of_another_version_is_refused() -> None:
    with pytest.raises(DataError, match="version 2 can't be read"):
        Diagnosis.from_dict({"schema_version": 2, "path": "a.jpg"})


def test_a_record_that_lacks_a_field_says_which() -> None:
    record = Diagnosis("a.jpg").to_dict()
    del record["verdict"]
    with pytest.raises(DataError, match="lacks 'verdict'"):
        Diagnosis.from_dict(record)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("capture", {"colour": "red"}),
        ("model", {"name": "compact"}),
        ("thresholds", {"noise": {"mild": 0.9, "severe": 0.5}}),
        ("thresholds", [1, 2]),
        ("error", {"message": "no type"}),
    ],
)
def test_a_record_with_a_wrong_part_says_which(field: str, value: object) -> None:
    with pytest.raises(DataError, match=f"'{field}' is not what it should be"):
        Diagnosis.from_dict(Diagnosis("a.jpg").to_dict() | {field: value})
