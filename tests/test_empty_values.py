"""An empty argument, as an unset variable of a shell leaves it, is wrong usage and never the current folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from photodefect.cli import app

CALLS = {
    "diagnose ''": ["diagnose", ""],
    "diagnose photos ''": ["diagnose", "photos", ""],
    "diagnose --output ''": ["diagnose", "photos", "--output", ""],
    "rank-folder ''": ["rank-folder", "", "--move-to", "away", "--apply"],
    "rank-folder -- ''": ["rank-folder", "--move-to", "away", "--apply", "--", ""],
    "rank-folder --move-to ''": ["rank-folder", "photos", "--move-to", "", "--apply"],
    "rank-folder --move-to=": ["rank-folder", "photos", "--move-to=", "--apply"],
    "report -o ''": ["report", "photos", "-o", ""],
    "heatmap ''": ["heatmap", "", "-o", "maps"],
    "watch ''": ["watch", "", "--existing", "--stop-after", "0.1"],
    "undo ''": ["undo", "", "--apply"],
    "synthesize ''": ["synthesize", "", "-o", "set"],
}


@pytest.mark.parametrize("arguments", CALLS.values(), ids=CALLS)
def test_an_empty_argument_is_wrong_usage_and_nothing_is_done(
    arguments: list[str], samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "photos").mkdir()
    shutil.copy(samples / "dog.jpg", tmp_path)
    shutil.copy(samples / "dog.jpg", tmp_path / "photos")
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "is a variable unset?" in " ".join(result.stderr.replace("│", " ").split())
    assert result.stdout == ""
    assert sorted(tmp_path.rglob("*")) == before


def test_a_title_may_be_empty(samples: Path, tmp_path: Path) -> None:
    call = ["report", str(samples / "dog.jpg"), "-o", str(tmp_path / "page"), "--title", "", "--no-maps", "--no-cache"]
    assert CliRunner().invoke(app, call).exit_code == 0
