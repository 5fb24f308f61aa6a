"""The examples of the README and of docs/ run as they stand there, and what they name and link exists."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeAlias
from urllib.parse import unquote

import pytest
from PIL import Image

from photodefect import Diagnoser
from photodefect.cli import available_commands
from photodefect.cli.exit_codes import ExitCode
from photodefect.defects import KEYS
from photodefect.training.settings import RECIPES

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    file.relative_to(ROOT)
    for pattern in ("*.md", "docs/**/*.md", "samples/*.md", "weights/**/*.md")
    for file in ROOT.glob(pattern)
)
FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)

Run: TypeAlias = Callable[[str], "subprocess.CompletedProcess[str]"]


@cache
def text_of(document: str | Path) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def blocks(document: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text_of(document), re.DOTALL | re.MULTILINE)


def block(document: str, beginning: str) -> str:
    """The one shell example that begins so."""
    (example,) = [example for example in blocks(document, "sh") if example.startswith(beginning)]
    return example


@pytest.fixture
def folder(tmp_path: Path, samples: Path) -> Path:
    """A folder that looks like the repository to the examples, with a few of its samples."""
    (tmp_path / "samples").mkdir()
    for name in ("bulb.jpg", "city.jpg", "dog.jpg"):
        shutil.copy(samples / name, tmp_path / "samples" / name)
    return tmp_path


@pytest.fixture
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a shell that has photodefect on its path."""
    commands, home = tmp_path_factory.mktemp("bin"), tmp_path_factory.mktemp("home")
    photodefect = commands / "photodefect"
    photodefect.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m photodefect "$@"\n')
    photodefect.chmod(0o755)
    return os.environ | {
        "PATH": os.pathsep.join([str(commands), os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_STATE_HOME": str(home / "state"),
    }


@pytest.fixture
def run(folder: Path, environment: dict[str, str]) -> Run:
    """Runs a shell example in the folder, and makes sure that all of it succeeds."""

    def in_bash(example: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", example],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done

    return in_bash


def test_the_readmes_examples_run(folder: Path, run: Run) -> None:
    own_tests = ("python3 -m venv", "pip install")
    examples = [example for example in blocks("README.md", "sh") if not example.startswith(own_tests)]
    assert len(examples) == 6
    done = run("".join(examples))
    assert "dog.jpg" in done.stdout
    assert {link.resolve().parent for link in (folder / "chosen").iterdir()} == {folder / "samples"}
    for file in ("severities.csv", "maps/bulb-panel.jpg", "report/index.html"):
        assert (folder / file).is_file()
    assert not list((folder / "samples").glob("*.xmp"))


def test_the_cache_and_watch_examples_run(folder: Path, run: Run) -> None:
    run(block("docs/diagnose.md", "photodefect cache") + block("docs/diagnose.md", "photodefect watch"))
    assert (folder / "archive.sqlite").is_file()


def test_the_shell_examples_run(folder: Path, run: Run) -> None:
    done = run(block("docs/diagnose.md", "photodefect diagnose"))
    names = {"samples/bulb.jpg", "samples/city.jpg", "samples/dog.jpg"}
    assert {record["path"] for record in json.loads((folder / "records.json").read_text())} == names
    lines = (folder / "records.ndjson").read_text().splitlines()
    assert {json.loads(line)["path"] for line in lines} == names
    assert len((folder / "severities.csv").read_text().splitlines()) == 4
    assert "samples/city.jpg" in done.stdout


def test_the_ranking_examples_run(folder: Path, run: Run) -> None:
    photos = folder / "samples"
    original = Image.open(photos / "dog.jpg")
    for second in range(3):  # a burst: each moved by a few pixels
        exif = original.getexif()
        exif.get_ifd(0x8769)[0x9003] = f"2024:05:01 10:00:0{second}"
        width, height = original.size
        original.crop((second, 0, width - 2 + second, height)).save(photos / f"burst{second}.jpg", exif=exif)
    (photos / "dog.jpg").unlink()
    names = sorted(path.name for path in photos.iterdir())
    done = run(block("docs/rank-folder.md", "photodefect rank-folder"))
    shown = [name for name in names if f"samples/{name}" in done.stdout + done.stderr]
    assert shown == names
    links = list((folder / "chosen").iterdir())
    assert len(links) == len({link.name[:4] for link in links}), "one of the burst"
    assert {link.resolve().parent for link in links} == {photos}
    rows = [line.split("\t") for line in (folder / "noise.tsv").read_text().splitlines()]
    assert sorted(row[2] for row in rows) == [f"samples/{name}" for name in names]
    noise = [float(row[0]) for row in rows]
    assert noise == sorted(noise)
    with tarfile.open(folder / "best.tar") as archive:
        assert len(archive.getnames()) == 3
        assert set(archive.getnames()) < {f"samples/{name}" for name in names}
    moves = [json.loads(line) for line in (folder / "rejects.jsonl").read_text().splitlines()]
    assert [move["kind"] for move in moves if move.get("event") == "begin"] == ["folder", "move", "move"]
    assert sorted(path.name for path in photos.iterdir()) == names
    assert not (folder / "rejects").exists()


def test_the_keepers_examples_run(folder: Path, run: Run) -> None:
    done = run(block("docs/review.md", "photodefect rank-folder"))
    assert "that was the plan for 2 files" in done.stderr
    assert not (folder / "keepers").exists()
    assert "3 photos" in done.stdout


def test_the_examples_that_make_pictures_run(folder: Path, run: Run) -> None:
    run(block("docs/heatmap.md", "photodefect heatmap") + block("docs/report.md", "photodefect report"))
    assert (folder / "maps" / "bulb-panel.jpg").is_file()
    assert {path.suffix for path in (folder / "blur").iterdir()} == {".jpg", ".npy", ".json"}
    assert "A day out" in (folder / "report" / "index.html").read_text(encoding="utf-8")


def test_the_record_shown_is_that_of_the_photo_but_for_what_depends_on_the_weights(samples: Path) -> None:
    (example,) = blocks("docs/diagnose.md", "json")
    shown = json.loads(example)
    (diagnosis,) = Diagnoser(patches=1).diagnose([samples / Path(shown["path"]).name])
    real = diagnosis.to_dict(detail=False)
    assert list(shown) == list(real)
    assert list(shown["severity"]) == list(shown["percentile"]) == list(KEYS)
    same = ("schema_version", "width", "height", "thresholds", "monochrome", "photograph", "capture", "provenance")
    for field in (*same, "error"):
        assert shown[field] == real[field]


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")
def test_the_sidecar_examples_run(folder: Path, run: Run) -> None:
    from exiftool import tags  # noqa: PLC0415

    # Whatever the weights say of them, photos as dark as these are severe.
    for photo in (folder / "samples").glob("*.jpg"):
        with Image.open(photo) as image:
            image.point(lambda level: level // 12).save(photo, exif=image.getexif())
    (folder / "samples" / ".photodefect.toml").write_text(
        "\n".join(f"[thresholds.{key}]\nmild = 1e-6\nsevere = 1e-5" for key in KEYS)
    )
    before = {path: path.read_bytes() for path in (folder / "samples").glob("*.jpg")}
    done = run(block("docs/sidecars.md", "# What would be written"))
    assert "that was the plan for 3 sidecars (3 new, 0 changed)" in done.stderr
    with (folder / "sidecars.csv").open(newline="") as file:
        read = {row["SourceFile"]: row for row in csv.DictReader(file)}
    assert set(read) == {f"samples/{name}.xmp" for name in ("bulb", "city", "dog")}
    assert {row["Rating"] for row in read.values()} == {"1"}
    assert all("photodefect|" in row["HierarchicalSubject"] for row in read.values())
    assert tags(folder / "samples" / "bulb.xmp")["XMP-xmp:Rating"] == 5
    assert tags(folder / "tagged" / "bulb.jpg")["XMP-xmp:Rating"] == 1
    assert {path: path.read_bytes() for path in (folder / "samples").glob("*.jpg")} == before


def test_the_training_examples_lead_from_photographs_to_an_evaluated_model(
    folder: Path, run: Run, samples: Path
) -> None:
    (folder / "samples" / "bulb.jpg").unlink()
    for name in ("flowers.jpg", "guitar.jpg"):
        shutil.copy(samples / name, folder / "samples" / name)
    done = run("\n".join(blocks("docs/training.md", "sh")))
    assert json.loads((folder / "model" / "manifest.json").read_text())["name"] == "model"
    assert "samples/dog.jpg" in done.stdout
    assert "<svg" in (folder / "evaluation.html").read_text()
    assert json.loads((folder / "evaluation.json").read_text())["labels"]
    with (folder / "truth.csv").open() as stream:
        truth = {row["path"]: row["haze"] for row in csv.DictReader(stream)}
    # Cy is wrong about the fog and left out; Ann and Bob are right and weigh the same.
    assert {path: float(haze) for path, haze in truth.items()} == {"fog.jpg": 1.0, "hill.jpg": 0.25}


def test_the_paper_recipe_is_described_as_it_is() -> None:
    recipe = RECIPES["paper"]
    (row,) = re.findall(r"^\| `paper` .*$", text_of("docs/training.md"), re.MULTILINE)
    for number in (recipe.momentum, recipe.weight_decay, recipe.decay, recipe.batch):
        assert re.search(rf"\b{re.escape(str(number))}\b", row), number
    assert f"rate {recipe.learning_rate:.4f}" in row
    assert f"{recipe.decay_every:,} steps" in row
    assert recipe.column_factor == 10


def test_the_exit_codes_are_those_of_the_program() -> None:
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", text_of("docs/diagnose.md"), re.MULTILINE)}
    assert listed == set(ExitCode) - {ExitCode.BROKEN_PIPE}


@pytest.mark.parametrize(
    "document",
    [
        "README.md",
        "docs/at-scale.md",
        "docs/diagnose.md",
        "docs/heatmap.md",
        "docs/rank-folder.md",
        "docs/report.md",
        "docs/review.md",
        "docs/sidecars.md",
        "docs/synthesis.md",
        "docs/training.md",
    ],
)
def test_every_option_and_command_that_is_named_exists(document: str) -> None:
    # Other programs have their own options.
    others = r"^pip .*$|\bjq -[^|\n]*|\btar .*$|\btorchrun (?:.*\\\n)*.*$|`python benchmarks/[^`]*`"
    prose = re.sub(others, "", text_of(document), flags=re.MULTILINE)
    page = text_of("docs/cli.md")
    for option in set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", prose)):
        assert re.search(rf"{option}\b(?!-)", page), option
    for command in set(re.findall(r"(?:^|`|\$ |\| )photodefect ([a-z]+(?:-[a-z]+)*)", prose, re.MULTILINE)):
        assert command in available_commands(), command


def anchors(document: Path) -> set[str]:
    """What a link may name in a Markdown file, as its headings are turned into anchors."""
    headings = re.findall(r"^#+ (.*)$", FENCE.sub("", text_of(document)), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_every_link_leads_somewhere(document: Path) -> None:
    prose = FENCE.sub("", text_of(document))
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = unquote(target).partition("#")
        file = (ROOT / document).parent / name if name else ROOT / document
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file.resolve().relative_to(ROOT)), target


def test_the_readme_can_be_read_in_a_minute() -> None:
    assert len(text_of("README.md").splitlines()) < 150


def test_the_changelog_and_the_readme_are_in_the_source_distribution() -> None:
    listed = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for name in ("README.md", "CHANGELOG.md", "constraints.txt"):
        assert f'"{name}"' in listed
        assert (ROOT / name).is_file()
