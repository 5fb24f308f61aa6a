"""``photodefect evaluate`` as a person or a program calls it."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner, Result

from photodefect.cli import app
from photodefect.defects import KEYS

PHOTOS = 12
TRUTH = np.random.default_rng(1).random((PHOTOS, 7)).round(2)
PREDICTED = np.clip(TRUTH + np.random.default_rng(2).normal(0, 0.2, TRUTH.shape), 0, 1).round(3)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments)])


def write(path: Path, header: list[str], rows: list[list[Any]]) -> Path:
    path.parent.mkdir(exist_ok=True)
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])
    return path


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    rows = [[f"{n}.jpg", *severities] for n, severities in enumerate(TRUTH.tolist())]
    return write(tmp_path / "photos" / "labels.csv", ["path", *KEYS], rows)


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    """In another order than the labels, with paths from another folder."""
    rows = [[f"photos/{n}.jpg", *severities] for n, severities in enumerate(PREDICTED.tolist())]
    return write(tmp_path / "predictions.csv", ["path", *KEYS], rows[::-1])


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    rows = [[f"{n}.jpg", "steps", f"s{n % 3}", "noise", n, "ladder", "dev"] for n in range(PHOTOS)]
    header = ["path", "set", "scene", "defect", "level", "kind", "split"]
    return write(tmp_path / "photos" / "manifest.csv", header, rows)


def test_predictions_are_compared_with_labels_photo_by_photo(labels: Path, predictions: Path) -> None:
    result = run(predictions, "--labels", labels, "--format", "json", "--bootstrap", "20")
    assert result.exit_code == 0, result.stderr
    table = json.loads(result.stdout)["labels"]["table"]["combined"]["defects"]
    for column, key in enumerate(KEYS):
        expected = stats.spearmanr(TRUTH[:, column], PREDICTED[:, column]).statistic
        assert table[key]["spearman"]["value"] == pytest.approx(expected)
        assert table[key]["photos"] == PHOTOS
    assert result.stderr == ""


def test_what_aggregate_votes_wrote_of_one_defect_alone_is_evaluated(predictions: Path, tmp_path: Path) -> None:
    given = np.random.default_rng(3).choice([0, 0.5, 1], (PHOTOS, 3))
    rows = [
        [f"{n}.jpg", worker, *given[n, place : place + 1]] for n in range(PHOTOS) for place, worker in enumerate("abc")
    ]
    votes, truth = write(tmp_path / "votes.csv", ["path", "worker", "haze"], rows), tmp_path / "photos" / "truth.csv"
    truth.parent.mkdir()
    aggregated = CliRunner().invoke(app, ["aggregate-votes", str(votes), "-o", str(truth)])
    assert aggregated.exit_code == 0, aggregated.stderr
    result = run(predictions, "--labels", truth, "-f", "json", "--bootstrap", "0")
    assert result.exit_code == 0, result.stderr
    evaluation = json.loads(result.stdout)["labels"]
    haze = PREDICTED[:, KEYS.index("haze")]
    assert list(evaluation["table"]["combined"]["defects"]) == list(evaluation["annotators"]) == ["haze"]
    for one in evaluation["annotators"]["haze"]["annotators"]:
        others = np.delete(given, "abc".index(one["name"]), axis=1).mean(1)
        assert one["predicted"] == pytest.approx(stats.spearmanr(haze, others).statistic)


def test_the_table_shows_every_defect_and_goes_to_a_file_beside_the_page(
    labels: Path, predictions: Path, tmp_path: Path
) -> None:
    table, page = tmp_path / "table.txt", tmp_path / "page.html"
    result = run(predictions, "--labels", labels, "-o", table, "--html", page, "--bootstrap", "0")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == ""
    text = table.read_text()
    for words in ("Exposure", "Composition", "rho", "cross-class", "expected error"):
        assert words in text
    assert page.read_text().startswith("<!DOCTYPE html>")


def test_a_benchmark_and_labels_are_judged_in_one_go(labels: Path, predictions: Path, manifest: Path) -> None:
    arguments = [predictions, "--labels", labels, "--benchmark", manifest, "--group", "digital=st", "-f", "json"]
    result = run(*arguments, "--bootstrap", "10", "--split", "dev")
    assert result.exit_code == 0, result.stderr
    document = json.loads(result.stdout)
    noise = PREDICTED[:, KEYS.index("noise")]
    expected = np.mean([stats.spearmanr(np.arange(4), noise[scene::3]).statistic for scene in range(3)])
    (one,) = document["benchmark"]["sets"]
    assert one["score"]["value"] == pytest.approx(expected)
    assert one["group"] == "digital"
    assert "labels" in document


def test_the_benchmark_has_a_table_too(predictions: Path, manifest: Path) -> None:
    result = run(predictions, "--benchmark", manifest, "--bootstrap", "10")
    assert result.exit_code == 0, result.stderr
    for words in ("steps", "Mean over sets", "cross-talk"):
        assert words in result.stdout


def test_photos_without_a_prediction_are_told_and_the_others_evaluated(labels: Path, predictions: Path) -> None:
    lines = predictions.read_text().splitlines()
    predictions.write_text("\n".join([*lines[:-1], "photos/unknown.jpg" + ",0" * 7]) + "\n")
    result = run(predictions, "--labels", labels, "-f", "json", "--bootstrap", "0")
    assert result.exit_code == 1
    evaluation = json.loads(result.stdout)["labels"]
    assert evaluation["photos"] == PHOTOS - 1
    assert evaluation["unpredicted"] == {"0.jpg": "not predicted"}
    assert evaluation["unlabelled"] == ["photos/unknown.jpg"]
    assert "0.jpg (not predicted)" in result.stderr
    assert "predicted, but not labelled: photos/unknown.jpg" in result.stderr


def test_a_model_is_evaluated_straight_from_the_photos(samples: Path, random_model: Path, tmp_path: Path) -> None:
    names = sorted(path.name for path in samples.glob("*.jpg"))[:4]
    rows = [[name, *np.linspace(0, 1, 7)] for name in [*names, "gone.jpg"]]
    rows[1][1:] = [0.5] * 7
    labels = write(tmp_path / "labels.csv", ["path", *KEYS], rows)
    options = ["--images", samples, "--patches", "1", "--device", "cpu", "--bootstrap", "0", "-f", "json"]
    result = run(random_model, "--labels", labels, *options)
    assert result.exit_code == 1, result.stderr
    evaluation = json.loads(result.stdout)["labels"]
    assert list(evaluation["table"]) == ["holistic", "patches", "combined"]
    assert evaluation["photos"] == 4
    assert "images missing: " in result.stderr
    assert "gone.jpg" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["p.csv"], "--labels"),
        (["nowhere.csv", "--labels", "l.csv"], "nowhere.csv: there is no such file of predictions"),
        (["p.csv", "--labels", "nowhere.csv"], "nowhere.csv can't be read"),
        (["p.csv", "--labels", "l.csv", "--html", "-"], "same place"),
        (["p.csv", "--labels", "l.csv", "--group", "digital"], "is not GROUP=START"),
        (
            ["p.csv", "--labels", "l.csv", "-o", "p.csv", "--force"],
            "p.csv holds the predictions and is never written to",
        ),
        (["p.csv", "--labels", "l.csv", "-o", "l.csv"], "l.csv holds the ground truth and is never written to"),
    ],
)
def test_wrong_usage_is_told_and_exits_with_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    for name in ("p.csv", "l.csv"):
        write(tmp_path / name, ["path", *KEYS], [["a.jpg", *[0] * 7], ["b.jpg", *[1] * 7], ["c.jpg", *[0.5] * 7]])
    result = run(*arguments)
    assert result.exit_code == 2, result.stderr
    assert message in result.stderr
    assert result.stdout == ""
    assert sorted(path.name for path in tmp_path.iterdir()) == ["l.csv", "p.csv"]


def test_a_model_that_is_not_there_exits_with_4(labels: Path) -> None:
    for n in range(PHOTOS):
        (labels.parent / f"{n}.jpg").touch()
    result = run("no-such-model", "--labels", labels)
    assert result.exit_code == 4, result.stderr
