"""``photodefect diagnose`` as a person or a program calls it: data, streams, exit codes."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import photodefect
from photodefect import __version__
from photodefect.cli import COMMANDS, app
from photodefect.defects import KEYS

ROOT = Path(photodefect.__file__).parents[1]
COMMAND = [sys.executable, "-m", "photodefect"]
ENVIRONMENT = {
    name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")
} | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}


@pytest.fixture
def folder(samples: Path, tmp_path: Path) -> Path:
    """A folder with two photos, one of them in a sub-folder."""
    photos = tmp_path / "photos"
    (photos / "more").mkdir(parents=True)
    shutil.copy(samples / "dog.jpg", photos / "dog.jpg")
    shutil.copy(samples / "bulb.jpg", photos / "more" / "bulb.jpg")
    return photos


class Diagnose:
    """Calls the command in this process."""

    def __init__(self, model: Path) -> None:
        self.model = model

    def __call__(self, *arguments: str | Path, stdin: bytes | None = None) -> Result:
        options = ["--model", str(self.model), "--patches", "1"]
        return CliRunner().invoke(app, ["diagnose", *options, *map(str, arguments)], input=stdin)

    def records(self, *arguments: str | Path, stdin: bytes | None = None) -> list[dict[str, Any]]:
        result = self("--format", "json", *arguments, stdin=stdin)
        records: list[dict[str, Any]] = json.loads(result.stdout)
        return records


@pytest.fixture
def diagnose(random_model: Path) -> Diagnose:
    return Diagnose(random_model)


def test_a_folder_is_walked_and_every_photo_is_a_record(diagnose: Diagnose, folder: Path) -> None:
    result = diagnose(folder, "--format", "json")
    assert result.exit_code == 0
    records = json.loads(result.stdout)
    assert [record["path"] for record in records] == [f"{folder}/dog.jpg", f"{folder}/more/bulb.jpg"]
    for record in records:
        assert list(record["severity"]) == list(KEYS)
        assert record["verdict"] in ("good", "mild", "severe")
        assert record["error"] is None
        assert "holistic" not in record
    assert result.stderr.startswith("2 photos: ")


def test_detail_adds_both_networks_scores(diagnose: Diagnose, folder: Path) -> None:
    (record,) = diagnose.records(folder / "dog.jpg", "--detail")
    assert list(record["holistic"]) == list(KEYS)
    assert set(KEYS) - set(record["patches"]) == {"bad_composition"}


@pytest.mark.parametrize("name", ["table", "ndjson", "csv"])
def test_every_format_names_every_photo_and_leaves_the_rest_to_stderr(
    diagnose: Diagnose, folder: Path, name: str
) -> None:
    result = diagnose(folder, "--format", name)
    assert result.exit_code == 0
    assert f"{folder}/dog.jpg" in result.stdout
    assert f"{folder}/more/bulb.jpg" in result.stdout
    assert "\x1b" not in result.output
    assert "2 photos" not in result.stdout
    if name == "ndjson":
        assert all(json.loads(line)["error"] is None for line in result.stdout.splitlines())
    if name == "csv":
        assert [row["error"] for row in csv.DictReader(io.StringIO(result.stdout))] == ["", ""]


def test_the_table_is_the_default(diagnose: Diagnose, folder: Path) -> None:
    assert diagnose(folder).stdout == diagnose(folder, "--format", "table").stdout


def test_quiet_says_nothing_but_the_data(diagnose: Diagnose, folder: Path) -> None:
    assert diagnose(folder, "-q").stderr == ""


def test_verbose_says_which_model_works_where(diagnose: Diagnose, folder: Path) -> None:
    result = diagnose(folder, "-v", "--device", "cpu")
    assert "model random 0 (lite0, " in result.stderr
    assert " on cpu, " in result.stderr


def test_a_folder_of_odd_files_gives_one_record_each_and_the_photos_are_diagnosed(
    diagnose: Diagnose, folder: Path
) -> None:
    photo = (folder / "dog.jpg").read_bytes()
    (folder / "text.jpg").write_text("this is no photo\n")
    (folder / "empty.jpg").touch()
    (folder / "truncated.jpg").write_bytes(photo[: len(photo) // 3])
    (folder / "nowhere.jpg").symlink_to(folder / "gone")
    (folder / "notes.txt").write_text("a file that doesn't claim to be a photo is none of our business\n")
    result = diagnose(folder, "--format", "json")
    assert result.exit_code == 1
    errors = {Path(record["path"]).name: record["error"] for record in json.loads(result.stdout)}
    assert {name: error and error["type"] for name, error in errors.items()} == {
        "dog.jpg": None,
        "bulb.jpg": None,
        "text.jpg": "UnsupportedError",
        "empty.jpg": "UnreadableError",
        "truncated.jpg": "UnreadableError",
        "nowhere.jpg": "UnreadableError",
    }
    assert all(error is None or error["message"] for error in errors.values())
    assert "4 photos failed:" in result.stderr
    assert "1 x the file is empty" in result.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_permission_is_a_record_and_the_rest_is_diagnosed(diagnose: Diagnose, folder: Path) -> None:
    (folder / "more").chmod(0)
    try:
        result = diagnose(folder, "--format", "json")
    finally:
        (folder / "more").chmod(0o700)
    assert result.exit_code == 1
    assert [record["error"] is None for record in json.loads(result.stdout)] == [False, True]


def test_a_missing_path_is_a_record_if_others_are_there(diagnose: Diagnose, folder: Path) -> None:
    result = diagnose(folder / "dog.jpg", folder / "missing.jpg", "--format", "json")
    assert result.exit_code == 1
    assert [record["error"] and record["error"]["type"] for record in json.loads(result.stdout)] == [
        None,
        "UnreadableError",
    ]


def test_nothing_but_missing_paths_is_wrong_usage(diagnose: Diagnose, folder: Path) -> None:
    result = diagnose(folder / "missing.jpg")
    assert result.exit_code == 2
    assert "no such file or folder" in result.stderr
    assert result.stdout == ""


def test_a_folder_without_photos_is_nothing_to_do(diagnose: Diagnose, tmp_path: Path) -> None:
    result = diagnose(tmp_path)
    assert result.exit_code == 3
    assert result.stderr.startswith("photodefect: no photo in ")


def test_no_paths_at_all_is_wrong_usage(diagnose: Diagnose) -> None:
    assert diagnose().exit_code == 2


def test_a_model_that_is_not_there_ends_with_code_4(diagnose: Diagnose, folder: Path, tmp_path: Path) -> None:
    diagnose.model = tmp_path / "nowhere"
    result = diagnose(folder)
    assert result.exit_code == 4
    assert "nowhere" in result.stderr
    assert "Traceback" not in result.output


def test_a_damaged_model_ends_with_code_4(diagnose: Diagnose, folder: Path, tmp_path: Path) -> None:
    diagnose.model = Path(shutil.copytree(diagnose.model, tmp_path / "damaged"))
    weights = diagnose.model / "patches.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    result = diagnose(folder, "--no-cache")
    assert result.exit_code == 4
    assert "patches.safetensors" in result.stderr


def test_paths_are_printed_as_they_were_given(
    diagnose: Diagnose, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    assert [record["path"] for record in diagnose.records("./dog.jpg", "more//bulb.jpg", "more")] == [
        "./dog.jpg",
        "more//bulb.jpg",
        "more/bulb.jpg",
    ]
    listed = b"./dog.jpg\0./more/bulb.jpg\0"
    assert [record["path"] for record in diagnose.records("--files-from", "-", "-0", stdin=listed)] == [
        "./dog.jpg",
        "./more/bulb.jpg",
    ]


def test_paths_come_from_a_list_in_a_file_or_on_stdin(diagnose: Diagnose, folder: Path, tmp_path: Path) -> None:
    paths = [str(folder / "more" / "bulb.jpg"), str(folder / "dog.jpg")]
    lines = "".join(f"{path}\n" for path in paths).encode()
    (tmp_path / "list").write_bytes(lines)
    assert [record["path"] for record in diagnose.records("--files-from", tmp_path / "list")] == paths
    assert [record["path"] for record in diagnose.records("--files-from", "-", stdin=lines)] == paths
    nulls = lines.replace(b"\n", b"\0")
    assert [record["path"] for record in diagnose.records("--files-from", "-", "-0", stdin=nulls)] == paths


def test_a_missing_file_in_a_list_is_a_record(diagnose: Diagnose, folder: Path) -> None:
    listed = f"{folder}/dog.jpg\n{folder}/gone.jpg\n".encode()
    result = diagnose("--files-from", "-", "--format", "json", stdin=listed)
    assert result.exit_code == 1
    assert [record["error"] is None for record in json.loads(result.stdout)] == [True, False]


def test_a_list_that_is_not_there_is_wrong_usage(diagnose: Diagnose, tmp_path: Path) -> None:
    result = diagnose("--files-from", tmp_path / "list")
    assert result.exit_code == 2
    assert "--files-from can't be read" in result.stderr


def test_output_goes_to_a_file_that_is_never_replaced_unasked(diagnose: Diagnose, folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "report.csv"
    first = diagnose(folder, "--format", "csv", "--output", target)
    assert (first.exit_code, first.stdout) == (0, "")
    written = target.read_bytes()
    assert len(written.splitlines()) == 3
    second = diagnose(folder / "dog.jpg", "--format", "csv", "--output", target)
    assert second.exit_code == 2
    assert "--force" in second.stderr
    assert target.read_bytes() == written
    assert diagnose(folder / "dog.jpg", "--format", "csv", "--output", target, "--force").exit_code == 0
    assert len(target.read_bytes().splitlines()) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos", "report.csv"]


def test_a_photo_is_never_the_output(diagnose: Diagnose, folder: Path) -> None:
    photo = folder / "dog.jpg"
    before = photo.read_bytes()
    result = diagnose(folder, "--output", photo, "--force")
    assert result.exit_code == 2
    assert "originals are never written to" in result.stderr
    assert photo.read_bytes() == before


def test_output_into_a_folder_that_is_not_there_is_wrong_usage(diagnose: Diagnose, folder: Path) -> None:
    assert diagnose(folder, "--output", folder / "nowhere" / "report.json").exit_code == 2


def test_a_failed_model_leaves_no_output_behind(diagnose: Diagnose, folder: Path, tmp_path: Path) -> None:
    diagnose.model = tmp_path / "nowhere"
    assert diagnose(folder, "--output", tmp_path / "report.json").exit_code == 4
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_thresholds_change_the_verdict_and_are_in_the_record(diagnose: Diagnose, folder: Path) -> None:
    (record,) = diagnose.records(folder / "dog.jpg", "--threshold", "0.9", "--threshold", "blur=0.001:0.002")
    assert record["thresholds"]["noise"] == {"mild": 0.3, "severe": 0.9}
    assert record["thresholds"]["undesired_blur"] == {"mild": 0.001, "severe": 0.002}
    assert record["verdict"] == "severe"
    (record,) = diagnose.records(folder / "dog.jpg", "--threshold", "noise=0.2")
    assert record["thresholds"]["noise"] == {"mild": 0.2, "severe": 0.2}


@pytest.mark.parametrize("value", ["1.5", "0", "noise=", "noise=much", "grain=0.5", "noise=0.6:0.5", "nan"])
def test_a_wrong_threshold_is_wrong_usage(diagnose: Diagnose, folder: Path, value: str) -> None:
    result = diagnose(folder, "--threshold", value)
    assert result.exit_code == 2
    assert "Traceback" not in result.output


def test_fail_on_ends_with_code_10_only_if_a_photo_has_the_defect(diagnose: Diagnose, folder: Path) -> None:
    (record,) = diagnose.records(folder / "dog.jpg")
    blur = record["severity"]["undesired_blur"]
    photo = folder / "dog.jpg"
    assert diagnose(photo, "--fail-on", f"blur={blur * 0.99:.6f}").exit_code == 10
    assert diagnose(photo, "--fail-on", f"undesired-blur={min(1, blur * 1.01):.6f}").exit_code == 0
    assert diagnose(photo, "--fail-on", "severe", "--threshold", "0.001").exit_code == 10
    assert diagnose(photo, "--fail-on", "severe", "--threshold", "1").exit_code == 0
    assert diagnose(photo, "--fail-on", "mild", "--threshold", "0.001:1").exit_code == 10
    assert diagnose(photo, "--fail-on", "noise", "--threshold", "noise=0.001").exit_code == 10
    assert diagnose(photo, "--fail-on", "graininess").exit_code == 2


def test_found_defects_go_before_failed_files_in_the_exit_code(diagnose: Diagnose, folder: Path) -> None:
    (folder / "empty.jpg").touch()
    assert diagnose(folder, "--fail-on", "noise=0.001").exit_code == 10
    assert diagnose(folder, "--fail-on", "severe", "--threshold", "1").exit_code == 1


def test_the_summary_counts_severe_defects_and_says_why_photos_failed(diagnose: Diagnose, folder: Path) -> None:
    (folder / "empty.jpg").touch()
    result = diagnose(folder, "--threshold", "1", "--threshold", "noise=0.001")
    assert result.stderr.splitlines() == [
        "2 photos: 0 good, 0 mild, 2 severe",
        "severe: noise 2",
        "1 photo failed; the table says why",
    ]
    assert diagnose(folder, "--format", "csv").stderr.splitlines()[-2:] == [
        "1 photo failed:",
        "  1 x the file is empty",
    ]


def test_names_with_escape_sequences_never_reach_a_terminal_raw(diagnose: Diagnose, folder: Path) -> None:
    evil = folder / "\x1b]0;owned\x07\x1b[2J\u202egpj.jpg"
    evil.write_bytes(b"no photo")
    for name in ("table", "json", "ndjson"):
        result = diagnose(folder, "--format", name)
        assert not {"\x1b", "\x07", "\u202e"} & set(result.output)
    missing = diagnose(str(evil) + "2")
    assert missing.exit_code == 2
    assert not {"\x1b", "\x07"} & set(missing.output)


def test_a_name_that_is_not_utf8_survives_in_data(diagnose: Diagnose, folder: Path) -> None:
    name = os.fsencode(folder) + b"/caf\xe9.jpg"
    shutil.copy(folder / "dog.jpg", name)
    records = diagnose.records(folder)
    assert name in [os.fsencode(record["path"]) for record in records]
    rows = diagnose(folder, "--format", "csv").stdout_bytes.splitlines()
    assert any(row.startswith(name + b",") for row in rows)
    assert r"caf\xe9.jpg" in diagnose(folder).stdout


def start(*arguments: str | Path, **settings: Any) -> subprocess.Popen[bytes]:
    """The real command, in a process of its own."""
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,  # nothing must hide in a buffer between readline() and communicate()
        **({"env": ENVIRONMENT} | settings),
    )


def many(photo: Path) -> bytes:
    """A list that takes long enough to be interrupted."""
    return f"{photo}\n".encode() * 3000


def test_a_reader_that_has_seen_enough_ends_the_run_quietly(random_model: Path, samples: Path, tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(many(samples / "bulb.jpg"))
    options = ["--model", random_model, "--patches", "1", "--format", "ndjson"]
    with start("diagnose", *options, "--files-from", tmp_path / "list") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        json.loads(process.stdout.readline())
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 141


@pytest.mark.parametrize("name", ["json", "ndjson", "csv"])
def test_an_interrupted_run_leaves_whole_records_and_says_how_far_it_came(
    random_model: Path, samples: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / "list").write_bytes(many(samples / "bulb.jpg"))
    options = ["--model", random_model, "--patches", "1", "--format", name]
    with start("diagnose", *options, "--files-from", tmp_path / "list") as process:
        assert process.stdout is not None
        first = process.stdout.readline() + process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    text = (first + rest).decode()
    if name == "json":
        records = json.loads(text)
    elif name == "ndjson":
        assert text.endswith("\n")
        records = [json.loads(line) for line in text.splitlines()]
    else:
        assert text.endswith("\n")
        records = list(csv.DictReader(io.StringIO(text)))
        assert all(None not in row.values() for row in records)
    assert 1 <= len(records) < 3000
    assert f"interrupted after {len(records)} of 3000 photos" in errors.decode()
    assert "Traceback" not in errors.decode()


def test_an_interrupted_run_leaves_a_whole_file(random_model: Path, samples: Path, tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(many(samples / "bulb.jpg"))
    target = tmp_path / "report.json"
    options = ["--model", random_model, "--patches", "1", "--format", "json", "-o", target]
    with start("diagnose", *options, "--files-from", tmp_path / "list") as process:
        deadline = time.monotonic() + 60
        while not any(part.stat().st_size for part in tmp_path.glob(".report*")) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
    assert 1 <= len(json.loads(target.read_text())) < 3000
    assert sorted(path.name for path in tmp_path.iterdir()) == ["list", "report.json"]


def on_terminal(*arguments: str | Path, **environment: str) -> str:
    """What the real command shows on a terminal of 100 columns (stdout and stderr alike)."""
    ours, theirs = pty.openpty()
    settings = ENVIRONMENT | {"COLUMNS": "100", "TERM": "xterm-256color"} | environment
    process = subprocess.Popen(
        [*COMMAND, *map(str, arguments)], stdout=theirs, stderr=theirs, stdin=theirs, env=settings, close_fds=True
    )
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 65536):
            shown += piece
    except OSError:  # how Linux says that the other end is closed
        pass
    finally:
        os.close(ours)
    assert process.wait(60) == 0
    return shown.decode()


def test_a_terminal_gets_colour_and_no_color_takes_it_away(random_model: Path, samples: Path) -> None:
    arguments = ["--model", random_model, "--patches", "1", "--threshold", "0.001", samples / "bulb.jpg"]
    assert "\x1b[1;31m" in on_terminal("diagnose", *arguments)
    assert "\x1b[1;31m" not in on_terminal("diagnose", *arguments, NO_COLOR="1")


def test_help_and_version_do_not_wait_for_torch() -> None:
    script = """
import sys
from photodefect.cli import main
for arguments in (["--help"], ["--version"], ["diagnose", "--help"]):
    sys.argv = ["photodefect", *arguments]
    try:
        main()
    except SystemExit as exit:
        assert not exit.code, exit.code
for name in ("torch", "numpy", "PIL", "scipy"):
    assert name not in sys.modules, name
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=ENVIRONMENT, check=True)
    assert f"photodefect {__version__}" in done.stdout


def test_help_lists_every_command_that_is_there_and_each_has_a_page() -> None:
    runner = CliRunner()
    overview = runner.invoke(app, ["--help"])
    assert overview.exit_code == 0
    for command in COMMANDS:
        file = Path(photodefect.__file__).parent / "cli" / f"{command.replace('-', '_')}.py"
        assert (command in overview.stdout) == file.is_file()
        if file.is_file():
            page = runner.invoke(app, [command, "--help"])
            assert page.exit_code == 0
            assert COMMANDS[command] in " ".join(page.stdout.split())


def test_an_unknown_command_names_the_nearest() -> None:
    result = CliRunner().invoke(app, ["diagnos"])
    assert result.exit_code == 2
    assert "diagnose" in result.stderr
