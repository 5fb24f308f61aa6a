"""Rankings as tables, CSV and bare paths."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest
from hypothesis import given
from ranked import failure, record
from record_strategies import DIAGNOSES, TEXTS

from photodefect.printable import UNPRINTABLE
from photodefect.ranking.hints.advice import Finding
from photodefect.ranking.overall import RankedPhoto, Ranking, SeriesPlace
from photodefect.records import Diagnosis, columns
from photodefect.reports.json import JsonWriter
from photodefect.reports.paths import PathsWriter
from photodefect.reports.rank_csv import RANK_COLUMNS, RankCsvWriter
from photodefect.reports.rank_table import RankTableWriter


class Terminal(io.StringIO):
    """A stream that says that it is one."""

    def isatty(self) -> bool:
        return True


BLUR = Finding("undesired_blur", 0.6, 97, "severe", "motion", "looks like motion at 1/15 s and 200 mm")
FADED = Finding("bad_saturation", -0.4, None, "mild")
RANKING = Ranking(
    3, 8, "overall", 0.52, 0.52, (BLUR, FADED), SeriesPlace(2, "burst", 5, 4), "a.jpg is the best of its burst"
)


def ranked(path: str = "d/b.jpg", ranking: Ranking = RANKING) -> RankedPhoto:
    return RankedPhoto.of(record(path, undesired_blur=0.6, bad_saturation=-0.4), ranking)


def table(*photos: RankedPhoto, by: str = "overall", stream: io.StringIO | None = None) -> str:
    stream = stream or io.StringIO()
    writer = RankTableWriter(stream, by)
    for photo in photos:
        writer.write(photo)
    writer.close()
    return stream.getvalue()


def test_the_table_says_where_a_photo_stands_what_is_wrong_and_what_to_do() -> None:
    assert table(ranked()).splitlines() == [
        " rank  overall  verdict  photo",
        "    3     0.52  severe   d/b.jpg  (burst 2, 4 of 5)",
        "       left out: a.jpg is the best of its burst",
        "       blur 0.60 (above 97 %): looks like motion at 1/15 s and 200 mm",
        "       saturation -0.40",
    ]


def test_the_table_and_the_row_name_the_kind_of_a_series() -> None:
    photo = ranked(ranking=replace(RANKING, burst=SeriesPlace(2, "focus stack", 5, 4), left_out=None))
    assert table(photo).splitlines()[1].endswith("d/b.jpg  (focus stack 2, 4 of 5)")
    stream = io.StringIO(newline="")
    RankCsvWriter(stream).write(photo)
    (row,) = csv.DictReader(io.StringIO(stream.getvalue()))
    assert (row["burst"], row["burst_kind"], row["burst_place"]) == ("2", "focus stack", "4")


def test_the_column_has_the_name_of_the_defect_and_its_direction() -> None:
    lines = table(
        ranked(ranking=Ranking(1, 2, "bad_saturation", 0.4, 0.5)),
        ranked(ranking=Ranking(2, 2, "bad_saturation", None, 0.5)),
        by="bad_saturation",
    ).splitlines()
    assert lines[0].split() == ["rank", "saturation", "verdict", "photo"]
    assert lines[1].split() == ["1", "+0.40", "severe", "d/b.jpg"]
    assert lines[2].split() == ["2", "n/a", "severe", "d/b.jpg"]


def test_failed_photos_are_in_the_table_with_the_reason() -> None:
    assert table(RankedPhoto.of(failure("x.jpg"))).splitlines()[1].split() == [
        *["-", "-", "failed", "x.jpg:", "the", "file", "is", "empty"]
    ]


def test_on_a_terminal_hints_are_wrapped_and_paths_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "dumb")
    long = Finding("noise", 0.6, 3, "severe", None, "reduce noise " * 20)
    path = "x/" * 80 + "a.jpg"
    text = table(ranked(path, Ranking(1, 1, "overall", 0.5, 0.5, (long,))), stream=Terminal())
    lines = text.splitlines()
    assert path in lines[1]
    assert len(lines) > 4
    assert all(len(line) <= 100 for line in lines[2:])
    assert " ".join(" ".join(lines[2:]).split()).count("reduce noise") == 20


@given(TEXTS)
def test_nothing_in_a_name_reaches_the_terminal_raw(path: str) -> None:
    text = table(ranked(path), RankedPhoto.of(failure(path)))
    assert not UNPRINTABLE.search(text.replace("\n", ""))
    assert len(text.splitlines()) == 6


def test_csv_has_the_place_after_the_path_and_all_columns_of_a_record() -> None:
    stream = io.StringIO()
    writer = RankCsvWriter(stream)
    for photo in (ranked(), RankedPhoto.of(failure("x"))):
        writer.write(photo)
    stream.seek(0)
    first, second = csv.DictReader(stream)
    assert list(first) == ["path", *RANK_COLUMNS, *columns(detail=False)[1:]]
    assert first | {"path": "d/b.jpg", "rank": "3", "overall": "0.52", "burst": "2", "burst_place": "4"} == first
    assert first["left_out"] == "a.jpg is the best of its burst"
    assert first["hints"] == "looks like motion at 1/15 s and 200 mm"
    assert (second["rank"], second["error"]) == ("", "the file is empty")


@given(DIAGNOSES)
def test_csv_and_json_hold_any_record(diagnosis: Diagnosis) -> None:
    photo = RankedPhoto.of(diagnosis, None if diagnosis.error else RANKING)
    stream = io.StringIO()
    RankCsvWriter(stream).write(photo)
    (row,) = csv.DictReader(io.StringIO(stream.getvalue()))
    assert row["path"] == diagnosis.path
    stream = io.StringIO()
    writer = JsonWriter(stream)
    writer.write(photo)
    writer.close()
    (value,) = json.loads(stream.getvalue())
    assert value["path"] == diagnosis.path
    assert (value["ranking"] is None) == (diagnosis.error is not None)
    if value["ranking"] is not None:
        assert value["ranking"]["findings"][0]["direction"] == "motion"
        assert value["ranking"]["burst"] == {"number": 2, "kind": "burst", "size": 5, "place": 4}


def test_paths_are_the_names_of_diagnosed_photos_byte_by_byte() -> None:
    for end in ("\n", "\0"):
        raw = io.BytesIO()
        stream = io.TextIOWrapper(raw, encoding="utf-8", errors="surrogateescape", newline="")
        writer = PathsWriter(stream, end)
        for photo in (ranked("a b\n.jpg"), RankedPhoto.of(failure("x")), ranked("caf\udce9.jpg")):
            writer.write(photo)
        writer.close()
        assert raw.getvalue() == b"a b\n.jpg" + end.encode() + b"caf\xe9.jpg" + end.encode()


def test_paths_on_a_terminal_are_escaped() -> None:
    stream = Terminal()
    PathsWriter(stream).write(ranked("\x1b[2J.jpg"))
    assert stream.getvalue() == "\\x1b[2J.jpg\n"
