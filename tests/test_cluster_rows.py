"""Rows have typed columns and hold all of a record."""

from __future__ import annotations

import pytest
from hypothesis import given
from record_strategies import DIAGNOSES

from photodefect.defects import KEYS
from photodefect.records import Diagnosis, PhotoFailure

pa = pytest.importorskip("pyarrow")

from photodefect.distributed.rows import SCHEMA, from_table, to_table  # noqa: E402


def test_columns_are_typed_and_the_same_for_every_photo() -> None:
    failed = Diagnosis("a.jpg", error=PhotoFailure("UnreadableError", "there is no such file"))
    table = to_table([failed])
    assert table.schema == SCHEMA
    types = {name: str(SCHEMA.field(name).type) for name in SCHEMA.names}
    assert {types[key] for key in KEYS} == {"double"}
    assert types["path"] == types["capture_time"] == types["file_source"] == types["error"] == "string"
    assert types["width"] == types["percentile_noise"] == types["capture_iso"] == "int32"
    assert types["monochrome"] == "bool"
    assert table.column("width").null_count == 1


def test_names_that_are_not_utf8_are_readable_and_come_back() -> None:
    named = Diagnosis("caf\udce9 \u00e9.jpg", error=PhotoFailure("UnreadableError", "gone"))
    plain = Diagnosis("caf\u00e9.jpg", error=PhotoFailure("UnreadableError", "gone"))
    table = to_table([named, plain])
    assert table.column("path").to_pylist() == ["caf\\xe9 \u00e9.jpg", "caf\u00e9.jpg"]
    assert table.column("path_bytes").to_pylist() == [b"caf\xe9 \xc3\xa9.jpg", None]
    assert [diagnosis.path for diagnosis in from_table(table)] == [named.path, plain.path]


@given(diagnosis=DIAGNOSES)
def test_all_of_a_record_is_in_its_row(diagnosis: Diagnosis) -> None:
    table = to_table([diagnosis])
    (again,) = from_table(table)
    assert to_table([again]) == table
    for name in ("path", "width", "height", "severity", "percentile", "holistic", "patches", "worst", "verdict"):
        assert getattr(again, name) == getattr(diagnosis, name)
    assert again.thresholds == diagnosis.thresholds
    assert again.monochrome == diagnosis.monochrome
    assert (again.error is None) == (diagnosis.error is None)
