"""The README's examples run as they stand there."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from photodefect import Diagnoser
from photodefect.cli import available_commands
from photodefect.cli.exit_codes import ExitCode
from photodefect.defects import KEYS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


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


def test_the_python_example_runs(folder: Path, environment: dict[str, str]) -> None:
    (example,) = blocks("python")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", example],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for line in done.stdout.splitlines():
        path, worst, severity = re.fullmatch(r"(\S+): (\w+) (-?\d\.\d\d)", line).groups()  # type: ignore[union-attr]
        assert (folder / path).is_file()
        assert worst in KEYS
        assert abs(float(severity)) >= 0.495


def test_the_shell_examples_run(folder: Path, environment: dict[str, str]) -> None:
    (example,) = [block for block in blocks("sh") if block.startswith("photodefect diagnose")]
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", example],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    names = {"samples/bulb.jpg", "samples/city.jpg", "samples/dog.jpg"}
    assert {record["path"] for record in json.loads((folder / "records.json").read_text())} == names
    lines = (folder / "records.ndjson").read_text().splitlines()
    assert {json.loads(line)["path"] for line in lines} == names
    assert len((folder / "severities.csv").read_text().splitlines()) == 4
    assert "samples/city.jpg" in done.stdout


def test_the_ranking_examples_run(folder: Path, environment: dict[str, str]) -> None:
    (example,) = [block for block in blocks("sh") if block.startswith("photodefect rank-folder")]
    photos = folder / "samples"
    original = Image.open(photos / "dog.jpg")
    for second in range(3):  # a burst: each moved by a few pixels
        exif = original.getexif()
        exif.get_ifd(0x8769)[0x9003] = f"2024:05:01 10:00:0{second}"
        width, height = original.size
        original.crop((second, 0, width - 2 + second, height)).save(photos / f"burst{second}.jpg", exif=exif)
    (photos / "dog.jpg").unlink()
    names = sorted(path.name for path in photos.iterdir())
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", example],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
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


def test_the_examples_that_make_pictures_run(folder: Path, environment: dict[str, str]) -> None:
    examples = [block for block in blocks("sh") if block.startswith(("photodefect heatmap", "photodefect report"))]
    assert len(examples) == 2
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "".join(examples)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (folder / "maps" / "bulb-panel.jpg").is_file()
    assert {path.suffix for path in (folder / "blur").iterdir()} == {".jpg", ".npy", ".json"}
    assert "A day out" in (folder / "report" / "index.html").read_text(encoding="utf-8")


def test_the_record_shown_is_that_of_the_photo_but_for_what_depends_on_the_weights(samples: Path) -> None:
    (example,) = blocks("json")
    shown = json.loads(example)
    (diagnosis,) = Diagnoser(patches=1).diagnose([samples / Path(shown["path"]).name])
    real = diagnosis.to_dict(detail=False)
    assert list(shown) == list(real)
    assert list(shown["severity"]) == list(shown["percentile"]) == list(KEYS)
    for field in ("schema_version", "width", "height", "thresholds", "monochrome", "capture", "provenance", "error"):
        assert shown[field] == real[field]


@pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")
def test_the_sidecar_examples_run(folder: Path, environment: dict[str, str]) -> None:
    from exiftool import tags  # noqa: PLC0415

    (example,) = [block for block in blocks("sh") if "rank-folder samples --xmp" in block]
    # Whatever the weights say of them, photos as dark as these are severe.
    for photo in (folder / "samples").glob("*.jpg"):
        with Image.open(photo) as image:
            image.point(lambda level: level // 12).save(photo, exif=image.getexif())
    (folder / "samples" / ".photodefect.toml").write_text(
        "\n".join(f"[thresholds.{key}]\nmild = 1e-6\nsevere = 1e-5" for key in KEYS)
    )
    before = {path: path.read_bytes() for path in (folder / "samples").glob("*.jpg")}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", example],
        cwd=folder,
        env=environment | {"XDG_STATE_HOME": str(folder / "state")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "that was the plan for 3 sidecars (3 new, 0 changed)" in done.stderr
    with (folder / "sidecars.csv").open(newline="") as file:
        read = {row["SourceFile"]: row for row in csv.DictReader(file)}
    assert set(read) == {f"samples/{name}.xmp" for name in ("bulb", "city", "dog")}
    assert {row["Rating"] for row in read.values()} == {"-1"}
    assert all("photodefect|" in row["HierarchicalSubject"] for row in read.values())
    assert tags(folder / "samples" / "bulb.xmp")["XMP-xmp:Rating"] == 5
    assert tags(folder / "tagged" / "bulb.jpg")["XMP-xmp:Rating"] == -1
    assert {path: path.read_bytes() for path in (folder / "samples").glob("*.jpg")} == before


def test_the_exit_codes_are_those_of_the_program() -> None:
    listed = {int(code) for code in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)}
    assert listed == set(ExitCode) - {ExitCode.BROKEN_PIPE}


def test_every_option_and_command_that_is_named_exists() -> None:
    page = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    prose = re.sub(r"^pip .*$|\bjq -[^|\n]*", "", README, flags=re.MULTILINE)  # other programs have their own options
    for option in set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", prose)):
        assert re.search(rf"{option}\b(?!-)", page), option
    for command in set(re.findall(r"(?:^|`|\$ |\| )photodefect ([a-z]+(?:-[a-z]+)*)", README, re.MULTILINE)):
        assert command in available_commands(), command


def test_every_file_that_is_linked_exists() -> None:
    for text in (README, (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")):
        for target in re.findall(r"\]\(([^)#:]+)\)", text):
            assert (ROOT / target).exists(), target


def test_the_changelog_and_the_readme_are_in_the_source_distribution() -> None:
    listed = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for name in ("README.md", "CHANGELOG.md", "constraints.txt"):
        assert f'"{name}"' in listed
        assert (ROOT / name).is_file()
