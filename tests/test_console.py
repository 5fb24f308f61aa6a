"""What every command says to a person whose arguments don't fit, and what reaches a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from photodefect.cli import app, available_commands
from photodefect.cli.limits import since
from photodefect.verdicts import VERDICTS

pytestmark = pytest.mark.usefixtures("config")

NOW = datetime(2024, 5, 10, 15, 30)


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, list(map(str, arguments)))


def words(result: Result) -> str:
    return " ".join(result.stderr.replace("│", " ").split())


def on_terminal(*arguments: str, **environment: str) -> bytes:
    """What the command writes to a terminal."""
    leader, follower = pty.openpty()
    clean = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR")}
    running = subprocess.Popen(
        [sys.executable, "-m", "photodefect", *arguments],
        stdout=follower,
        stderr=follower,
        env=clean | {"TERM": "xterm-256color"} | environment,
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            more = os.read(leader, 65536)
        except OSError:  # all is read, and nobody writes any more
            break
        if not more:
            break
        shown += more
    running.wait()
    os.close(leader)
    return shown


@pytest.mark.parametrize("command", available_commands())
@pytest.mark.parametrize("arguments", [["--no-such-option"], ["a-file-that-is-not-there", "b", "c"]])
def test_wrong_usage_shows_no_escapes_to_whoever_typed_none(
    command: str, arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = call(command, *arguments)
    assert result.exit_code != 0
    assert "\\x" not in result.stderr
    assert "\x1b" not in result.stderr


@pytest.mark.parametrize(("command", "choices"), [("profile", "show, list"), ("cache", "info, clear, verify")])
def test_a_command_without_its_action_names_the_actions(command: str, choices: str) -> None:
    result = call(command)
    assert result.exit_code == 2
    assert f"Choose from: {choices}" in words(result)
    assert "\\x" not in result.stderr


def test_what_was_typed_is_still_escaped() -> None:
    assert "\\x1b[2J" in words(call("cache", "\x1b[2J"))


@pytest.mark.parametrize("arguments", [["cache"], ["rank-folder", "--help"], ["rank-folder", "/dev/null"]])
def test_with_no_color_a_terminal_gets_neither_colours_nor_bold(arguments: list[str]) -> None:
    assert b"\x1b[" in on_terminal(*arguments)
    assert b"\x1b[" not in on_terminal(*arguments, NO_COLOR="1")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["diagnose", ".", "-0"], "--null/-0 is about --files-from"),
        (["report", ".", "-o", "r", "-0"], "--null/-0 is about --files-from"),
        (["heatmap", ".", "-o", "r", "-0"], "--null/-0 is about --files-from"),
        (["review", ".", "-0"], "--null/-0 is about --files-from"),
        (["rank-folder", ".", "--null"], "--null is about --files-from"),
        (["rank-folder", "--thin-sequences"], "--thin-sequences is about --best-per-burst, --exclude-severe, --xmp or"),
        (["rank-folder", "--force"], "--force is about --output"),
        (["rank-folder", "--for", "darktable"], "--for is about --xmp or --format exiftool-csv"),
        (["rank-folder", "--reject-as", "label", "--format", "csv"], "--reject-as is about --xmp or --format"),
        (["rank-folder", "--detail"], "--detail is about --format json, ndjson or csv"),
        (["rank-folder", "--summary", "--format", "json", "--detail"], "and not about --summary"),
        (["diagnose", ".", "--part-size", "9"], "--part-size is about --ray"),
        (["diagnose", ".", "--force"], "--force is about --output"),
        (["review", ".", "--ratings", "r.csv"], "--ratings is about --blind"),
        (["cache", "clear", "--json"], "--json goes with info and verify"),
        (["cache", "info", "--older-than", "3"], "--older-than goes with clear"),
        (["profile", "list", "--profile", "black-and-white"], "FOLDER and --profile go with show"),
    ],
)
def test_an_option_that_says_nothing_without_another_is_refused(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = call(*arguments)
    assert result.exit_code == 2
    assert said in words(result)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--by", "colour"], "did you mean bad_white_balance or bad_saturation?"),
        (["--by", "colr"], "did you mean bad_white_balance or bad_saturation?"),
        (["--by", "sharpness"], "did you mean undesired_blur?"),
        (["--min", "grain=0.3"], "did you mean noise?"),
        (["--by", "expsure"], "did you mean bad_exposure?"),
        (["--by", "mood"], "there are bad_exposure,"),
        (["--threshold", "blur"], "'blur' says no severity; write undesired_blur=0.5 or undesired_blur=0.3:0.5"),
        (["--threshold", "colour"], "did you mean bad_white_balance or bad_saturation?"),
        (["--threshold", "blur=x"], "'x' is not a number"),
        (["--best", "many"], "is not a percentage, as in 10%"),
        (["--since", "soon"], "'soon' is no time; write 2024-05-01,"),
        (["--only", "awful"], "'awful'"),
    ],
)
def test_a_value_that_is_not_understood_is_told_before_photos_are_looked_for(
    arguments: list[str], said: str, tmp_path: Path
) -> None:
    result = call("rank-folder", tmp_path, *arguments)  # it holds none, which would be said otherwise
    assert result.exit_code == 2
    assert said in words(result)
    assert all(verdict in words(result) for verdict in VERDICTS) or "--only" not in arguments


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-05-01", datetime(2024, 5, 1)),
        ("2024-05-01T18:30", datetime(2024, 5, 1, 18, 30)),
        ("2024-05-01 18:30:05", datetime(2024, 5, 1, 18, 30, 5)),
        ("today", datetime(2024, 5, 10)),
        ("Yesterday", datetime(2024, 5, 9)),
        ("12h", datetime(2024, 5, 10, 3, 30)),
        ("3d", datetime(2024, 5, 7, 15, 30)),
        ("2 weeks", datetime(2024, 4, 26, 15, 30)),
        ("1.5 days", datetime(2024, 5, 9, 3, 30)),
    ],
)
def test_since_is_a_date_a_time_or_a_while_ago(text: str, moment: datetime) -> None:
    assert since(text, NOW) == moment


@pytest.mark.parametrize("text", ["", "3", "3m", "-3d", "2024-13-01", "99999999999d", "tomorrow"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is no time"):
        since(text, NOW)


def test_an_own_profile_that_hides_a_shipped_one_is_told_wherever_it_counts(config: Path, tmp_path: Path) -> None:
    own = config / "profiles" / "black-and-white.toml"
    own.parent.mkdir()
    own.write_text("hints = false\n")
    told = f"{own} is used instead of photodefect's own profile black-and-white"
    for arguments in (["profile", "list"], ["profile", "show", tmp_path, "--profile", "black-and-white"]):
        assert told in call(*arguments).stderr
    (tmp_path / "empty.jpg").touch()
    assert told in call("rank-folder", tmp_path, "--profile", "black-and-white", "--no-cache").stderr
    own.rename(own.with_name("mine.toml"))
    assert "instead of" not in call("profile", "list").stderr
