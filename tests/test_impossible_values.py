"""An empty argument, as an unset variable of a shell leaves it, is wrong usage and never the current folder.

Nor is a URL a path, but for a cluster.
"""

from __future__ import annotations

import csv
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


@pytest.mark.parametrize(
    "arguments",
    [
        ["diagnose", "s3://bucket/photos"],
        ["diagnose", "photos", "--output", "s3://bucket/severities.csv"],
        ["rank-folder", "s3://bucket/photos"],
        ["rank-folder", "photos", "--copy-to=s3://bucket/best", "--apply"],
        ["heatmap", "photos", "-o", "gs://bucket/maps"],
        ["watch", "file:///photos"],
        ["synthesize", "https://example.org/photos", "-o", "set"],
    ],
    ids=" ".join,
)
def test_a_url_is_wrong_usage_without_a_cluster_and_nothing_is_made(
    arguments: list[str], samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "photos").mkdir()
    shutil.copy(samples / "dog.jpg", tmp_path / "photos")
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert "only photodefect diagnose --ray" in " ".join(result.stderr.replace("│", " ").split())
    assert sorted(tmp_path.rglob("*")) == before


def test_a_url_in_a_list_is_one_failure_that_says_so(samples: Path, tmp_path: Path) -> None:
    (tmp_path / "list").write_text(f"s3://bucket/a.jpg\n{samples / 'dog.jpg'}\n")
    call = ["diagnose", "--files-from", str(tmp_path / "list"), "--format", "csv", "--no-cache"]
    result = CliRunner().invoke(app, call)
    assert result.exit_code == 1
    rows = list(csv.DictReader(result.stdout.splitlines()))
    assert {row["path"]: "this is a URL" in row["error"] for row in rows} == {
        "s3://bucket/a.jpg": True,
        str(samples / "dog.jpg"): False,
    }


def test_a_title_may_be_a_url(samples: Path, tmp_path: Path) -> None:
    call = ["report", str(samples / "dog.jpg"), "-o", str(tmp_path / "page"), "--no-maps", "--no-cache"]
    assert CliRunner().invoke(app, [*call, "--title", "https://example.org"]).exit_code == 0
