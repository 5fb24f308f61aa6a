"""The shell examples of docs/training.md run as they stand there, one after the other."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from photodefect.training.settings import RECIPES

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")


def test_the_examples_lead_from_photographs_to_an_evaluated_model(tmp_path: Path, samples: Path) -> None:
    (tmp_path / "samples").mkdir()
    for name in ("city", "dog", "flowers", "guitar"):
        shutil.copy(samples / f"{name}.jpg", tmp_path / "samples")
    (tmp_path / "photodefect").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m photodefect "$@"\n')
    (tmp_path / "photodefect").chmod(0o755)
    paths = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"}
    examples = "\n".join(re.findall(r"^```sh\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", examples],
        cwd=tmp_path,
        env=os.environ | paths,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "model" / "manifest.json").read_text())["name"] == "model"
    assert "samples/dog.jpg" in done.stdout
    assert "<svg" in (tmp_path / "evaluation.html").read_text()
    assert json.loads((tmp_path / "evaluation.json").read_text())["labels"]
    with (tmp_path / "truth.csv").open() as stream:
        truth = {row["path"]: row["haze"] for row in csv.DictReader(stream)}
    # Cy is wrong about the fog and left out; Ann and Bob are right and weigh the same.
    assert {path: float(haze) for path, haze in truth.items()} == {"fog.jpg": 1.0, "hill.jpg": 0.25}


def test_the_paper_recipe_is_described_as_it_is() -> None:
    recipe = RECIPES["paper"]
    (row,) = re.findall(r"^\| `paper` .*$", PAGE, re.MULTILINE)
    for number in (recipe.momentum, recipe.weight_decay, recipe.decay, recipe.batch):
        assert re.search(rf"\b{re.escape(str(number))}\b", row), number
    assert f"rate {recipe.learning_rate:.4f}" in row
    assert f"{recipe.decay_every:,} steps" in row
    assert recipe.column_factor == 10


@pytest.mark.parametrize("word", re.findall(r"`(--[a-z-]+)", PAGE))
def test_every_option_that_is_named_exists(word: str) -> None:
    assert f"{word} " in (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") or word in ("--nproc-per-node",)
