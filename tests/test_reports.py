"""Reports: every format holds every record, and no text from outside reaches a terminal raw."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from typing import TextIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from record_strategies import DIAGNOSES, SUCCESSES, TEXTS

from photodefect.defects import DEFECTS, KEYS
from photodefect.printable import printable
from photodefect.records import Capture, Diagnosis, PhotoFailure, columns
from photodefect.reports import FORMATS
from photodefect.verdicts import DEFAULT_THRESHOLDS

DANGEROUS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What may act upon a terminal; a line feed ends our own lines."""


class Terminal(io.StringIO):
    """A stream that a person looks at."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def report(name: str, diagnoses: list[Diagnosis], *, detail: bool = False) -> bytes:
    """What a format writes to a file, as bytes."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="utf-8", errors=FORMATS[name].encoding_errors, newline="")
    write(name, diagnoses, stream, detail=detail)
    return raw.getvalue()


def write(name: str, diagnoses: list[Diagnosis], stream: TextIO, *, detail: bool = False) -> None:
    writer = FORMATS[name].writer(stream, detail)
    for diagnosis in diagnoses:
        writer.write(diagnosis)
    writer.close()
    stream.flush()


def diagnosed(path: str = "a.jpg", **changes: object) -> Diagnosis:
    severity = dict.fromkeys(KEYS, 0.1) | {"bad_saturation": -0.314, "undesired_blur": 0.71}
    patches = {defect.key: 0.25 for defect in DEFECTS if defect.in_patches}
    fields = {
        "width": 6000,
        "height": 4000,
        "severity": severity,
        "percentile": dict.fromkeys(KEYS, 61),
        "holistic": dict.fromkeys(KEYS, 0.75),
        "patches": patches,
        "worst": "undesired_blur",
        "verdict": "severe",
        "thresholds": DEFAULT_THRESHOLDS,
        "monochrome": False,
        "photograph": True,
        "capture": Capture(time="2024-05-01T12:30:00", camera="X", iso=800),
    }
    return Diagnosis(path, **(fields | changes))  # type: ignore[arg-type]


FAILED = Diagnosis("b.jpg", error=PhotoFailure("UnreadableError", "the file is empty"))


@given(st.lists(DIAGNOSES, max_size=3), st.booleans())
def test_json_is_one_array_of_all_records(diagnoses: list[Diagnosis], detail: bool) -> None:
    assert json.loads(report("json", diagnoses, detail=detail)) == [each.to_dict(detail=detail) for each in diagnoses]


@given(st.lists(DIAGNOSES, max_size=3), st.booleans())
def test_ndjson_is_one_line_a_record(diagnoses: list[Diagnosis], detail: bool) -> None:
    lines = report("ndjson", diagnoses, detail=detail).decode("utf-8").split("\n")
    assert lines.pop() == ""
    assert [json.loads(line) for line in lines] == [each.to_dict(detail=detail) for each in diagnoses]


@given(st.lists(DIAGNOSES, max_size=2))
def test_json_holds_nothing_that_acts_upon_a_terminal(diagnoses: list[Diagnosis]) -> None:
    for name in ("json", "ndjson"):
        assert not DANGEROUS.search(report(name, diagnoses).decode("utf-8"))


def test_json_keeps_letters_of_any_script_readable() -> None:
    assert "犬の写真 é.jpg" in report("json", [Diagnosis("犬の写真 é.jpg")]).decode("utf-8")


def test_json_closed_after_any_record_is_valid() -> None:
    stream = io.StringIO()
    writer = FORMATS["json"].writer(stream, False)
    writer.write(FAILED)
    writer.close()
    assert [record["path"] for record in json.loads(stream.getvalue())] == ["b.jpg"]


@given(st.lists(DIAGNOSES, min_size=1, max_size=3), st.booleans())
def test_csv_gives_back_every_path_and_severity(diagnoses: list[Diagnosis], detail: bool) -> None:
    text = report("csv", diagnoses, detail=detail).decode("utf-8", "surrogateescape")
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    assert header == columns(detail)
    assert len(rows) == len(diagnoses)
    for row, diagnosis in zip(rows, diagnoses, strict=True):
        values = dict(zip(header, row, strict=True))
        assert values["path"] == diagnosis.path
        for key in KEYS:
            assert values[key] == ("" if diagnosis.severity is None else str(diagnosis.severity[key]))
        assert values["error"] == ("" if diagnosis.error is None else diagnosis.error.message)


def test_csv_has_the_path_first_and_the_error_last() -> None:
    for detail in (False, True):
        assert columns(detail)[0] == "path"
        assert columns(detail)[-1] == "error"
        assert len(set(columns(detail))) == len(columns(detail))


def test_csv_flattens_every_group_under_its_name() -> None:
    text = report("csv", [diagnosed(), FAILED], detail=True).decode()
    good, failed = csv.DictReader(io.StringIO(text, newline=""))
    assert good["undesired_blur"] == "0.71"
    assert good["percentile_noise"] == "61"
    assert good["holistic_bad_composition"] == "0.75"
    assert good["patches_haze"] == "0.25"
    assert "patches_bad_composition" not in good
    assert good["severe_from_haze"] == "0.5"
    assert good["monochrome"] == "false"
    assert good["capture_iso"] == "800"
    assert (failed["error_type"], failed["error"]) == ("UnreadableError", "the file is empty")
    assert failed["noise"] == failed["verdict"] == ""


def test_csv_writes_a_name_that_is_not_utf8_byte_by_byte() -> None:
    assert report("csv", [Diagnosis(os.fsdecode(b"caf\xe9.jpg"))]).split(b"\n")[1].startswith(b"caf\xe9.jpg,")


@given(st.lists(DIAGNOSES, min_size=1, max_size=3))
def test_csv_on_a_terminal_holds_nothing_that_acts_upon_it(diagnoses: list[Diagnosis]) -> None:
    stream = Terminal(newline="")
    write("csv", diagnoses, stream)
    assert not DANGEROUS.search(stream.getvalue())
    assert stream.getvalue().count("\n") == len(diagnoses) + 1


@given(TEXTS)
def test_printable_text_holds_nothing_that_acts_upon_a_terminal(text: str) -> None:
    shown = printable(text)
    assert not DANGEROUS.search(shown)
    assert "\n" not in shown
    shown.encode("utf-8")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("dog.jpg", "dog.jpg"),
        ("\x1b[31mred.jpg", r"\x1b[31mred.jpg"),
        ("two\nlines", r"two\x0alines"),
        ("gpj.\u202eexe", r"gpj.\u202eexe"),
        (os.fsdecode(b"caf\xe9"), r"caf\xe9"),
        ("é 犬 👩‍🚀", "é 犬 👩‍🚀"),
    ],
)
def test_unprintable_characters_become_visible_escapes(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.lists(DIAGNOSES, min_size=1, max_size=3), st.booleans())
def test_a_table_that_goes_elsewhere_is_plain(diagnoses: list[Diagnosis], detail: bool) -> None:
    text = report("table", diagnoses, detail=detail).decode("utf-8")
    assert not DANGEROUS.search(text)
    assert all(printable(each.path) in text for each in diagnoses)


def test_the_table_says_verdict_worst_defect_and_all_severities_with_saturations_sign() -> None:
    header_top, header, headline, scores = report("table", [diagnosed("samples/a.jpg")]).decode().splitlines()
    assert header.split() == ["Exposure", "balance", "Saturation", "Noise", "Haze", "Blur", "Composition"]
    assert header_top.split() == ["White"]
    assert headline.split() == ["severe", "blur", "samples/a.jpg"]
    assert re.findall(r"[+-]?\d\.\d\d", scores) == ["0.10", "0.10", "-0.31", "0.10", "0.10", "0.71", "0.10"]
    over = report("table", [diagnosed(severity=dict.fromkeys(KEYS, 0.42))]).decode()
    assert over.count("+0.42") == 1


def test_the_tables_columns_stand_under_their_titles() -> None:
    _, header, _, scores = report("table", [diagnosed()]).decode().splitlines()
    ends = [match.end() for match in re.finditer(r"\S+", header)]
    # The bar is the last character of a cell, and a space where there is next to nothing to show.
    assert [match.end() + 2 for match in re.finditer(r"\d\.\d\d", scores)] == ends


def test_with_detail_the_table_has_both_networks_and_the_percentiles() -> None:
    lines = report("table", [diagnosed()], detail=True).decode().splitlines()[4:]
    assert [line.split()[0] for line in lines] == ["holistic", "patches", "percentile"]
    assert lines[0].count("0.75") == 7
    assert lines[1].count("0.25") == 6
    assert lines[2].count("61 %") == 7


def test_a_good_photo_is_not_followed_by_a_defect() -> None:
    text = report("table", [diagnosed(verdict="good")]).decode()
    assert "good" in text
    assert "blur" not in text


def test_a_failed_photo_has_its_reason_in_the_table() -> None:
    assert report("table", [FAILED]).decode().splitlines()[-1].split(maxsplit=1) == [
        "failed",
        "b.jpg: the file is empty",
    ]


@pytest.mark.parametrize("width", [80, 100])
def test_the_table_fits_a_terminal_and_never_cuts_a_path(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "dumb")
    stream = Terminal()
    long = "folder/" * 40 + "photo.jpg"
    write("table", [diagnosed(long)], stream, detail=True)
    lines = stream.getvalue().splitlines()
    assert [line for line in lines if long in line]
    assert max(len(line) for line in lines if long not in line) <= width


def colours(monkeypatch: pytest.MonkeyPatch, no_color: str | None, diagnosis: Diagnosis) -> str:
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    if no_color is not None:
        monkeypatch.setenv("NO_COLOR", no_color)
    stream = Terminal()
    write("table", [diagnosis], stream)
    return stream.getvalue()


def test_a_terminal_gets_colours_unless_a_person_wants_none(monkeypatch: pytest.MonkeyPatch) -> None:
    red = re.compile("\x1b\\[[0-9;]*31m[^\x1b]*0\\.71")
    assert red.search(colours(monkeypatch, None, diagnosed()))
    assert not re.search("\x1b\\[[0-9;]*3[0-9]m", colours(monkeypatch, "1", diagnosed()))


def test_a_monochrome_photos_lack_of_colour_is_not_painted_red(monkeypatch: pytest.MonkeyPatch) -> None:
    severity = dict.fromkeys(KEYS, 0.0) | {"bad_saturation": -0.9}
    red = re.compile("\x1b\\[[0-9;]*31m[^\x1b]*-0\\.90")
    assert red.search(colours(monkeypatch, None, diagnosed(severity=severity)))
    shown = colours(monkeypatch, None, diagnosed(severity=severity, monochrome=True, verdict="good"))
    assert not red.search(shown)
    assert "(monochrome)" in shown


def test_a_long_table_on_a_terminal_repeats_its_header() -> None:
    stream = Terminal()
    write("table", [diagnosed(f"{number}.jpg") for number in range(41)], stream)
    assert stream.getvalue().count("Exposure") == 3
    assert report("table", [diagnosed()] * 41).decode().count("Exposure") == 1


@given(SUCCESSES)
def test_a_stream_that_cannot_show_bars_gets_numbers_alone(diagnosis: Diagnosis) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", errors=FORMATS["table"].encoding_errors, newline="")
    write("table", [diagnosis], stream)
    scores = raw.getvalue().decode("ascii").splitlines()[-1]
    assert re.fullmatch(r"[-+0-9. ]+", scores)
