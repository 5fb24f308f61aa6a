"""Every shell example of the documents is run by a test, and those that hand names to other programs with thousands.

Programs that are called with as many names as a command line takes (``xargs``) do their work several times, and what
one call wrote the next one replaces: with 3,000 names that shows.
"""

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
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
from exiftool import needs_exiftool, tags
from PIL import Image
from test_documents import DOCUMENTS, ROOT, block, blocks

NUMBER = 3000
LENGTH = 90
"""Of a name: together they are longer than what ``xargs`` gives to one call, 128 KiB."""

NOT_RUN = {
    "python3 -m venv": "installs from the network; .ci/run installs a wheel",
    "pip install": "the same",
    "pipx install": "the same",
    "uv tool install": "the same",
    "python -m venv /tmp/rivals": "other programs, from the network",
    "git worktree add /tmp/before": "two builds measured beside each other, for an hour",
}
"""Examples that no test runs, by how they begin, and why."""

Shell: TypeAlias = Callable[[str], str]


def picture(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (48, 64, 3), dtype=np.uint8))


def names() -> list[str]:
    """Of photos, long ones, and some that a shell or a program could take for something else."""
    odd = [
        "two words",
        "it's",
        'a "quote"',
        "$HOME",
        "a;b",
        "-n",
        "#1",
        "gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n",
        "*",
    ]
    return [
        f"{odd[number]} {number}.jpg" if number < len(odd) else f"{number:0{LENGTH}}.jpg" for number in range(NUMBER)
    ]


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 3,000 photos in ``samples``, of two pictures."""
    folder = tmp_path_factory.mktemp("many")
    (folder / "samples").mkdir()
    for number, name in enumerate(names()):
        photo = folder / "samples" / name
        if number < 2:
            picture(number).save(photo)
        else:
            shutil.copyfile(folder / "samples" / names()[number % 2], photo)
    return folder


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """That of a shell with photodefect on its path, and a home and a cache that the examples share."""
    commands, home = tmp_path_factory.mktemp("bin"), tmp_path_factory.mktemp("home")
    program = commands / "photodefect"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m photodefect "$@"\n')
    program.chmod(0o755)
    places = {name: str(home) for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME")}
    return os.environ | places | {"PATH": f"{commands}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}


@pytest.fixture
def shell(many: Path, environment: dict[str, str]) -> Shell:
    return lambda example: in_bash(example, many, environment)


def in_bash(example: str, folder: Path, environment: dict[str, str]) -> str:
    """What an example prints, all of which must succeed."""
    call = ["bash", "-euo", "pipefail", "-c", example]
    done = subprocess.run(call, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def pipelines() -> list[str]:
    """All commands of the documents that hand what they find to another program."""
    examples = [example for document in DOCUMENTS for example in blocks(str(document), "sh")]
    commands = [line for example in examples for line in re.sub(r"([|\\])\n\s*", r"\1 ", example).splitlines()]
    return [command for command in commands if " | " in re.sub(r"'[^']*'", "''", command)]


def pipeline(text: str) -> str:
    (command,) = [command for command in pipelines() if text in command]
    return command


def records(text: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in text.splitlines()]


def test_jq_gets_every_severe_photo(shell: Shell) -> None:
    found = records(shell("photodefect diagnose samples --format ndjson"))
    assert len(found) == NUMBER
    severe = [f"{record['worst']}: {record['path']}" for record in found if record["verdict"] == "severe"]
    assert shell(pipeline("photodefect diagnose samples --format ndjson | jq")).splitlines() == severe


def test_a_list_of_find_is_diagnosed_whole(shell: Shell, many: Path) -> None:
    shell(pipeline("find samples"))
    found = json.loads((many / "records.json").read_text())
    assert {record["path"] for record in found} == {f"samples/{name}" for name in names()}


def test_jq_gets_every_photo_that_arrives(shell: Shell) -> None:
    command = pipeline("photodefect watch samples")
    assert "--existing" in command
    arrived = shell(re.sub(r"select\([^)]*\)", "select(true)", command))
    assert sorted(line.partition(": ")[2] for line in arrived.splitlines()) == sorted(f"samples/{it}" for it in names())


def test_jq_writes_a_row_for_every_photo(shell: Shell, many: Path) -> None:
    shell(pipeline("noise.tsv"))
    rows = [line.split("\t") for line in (many / "noise.tsv").read_text().splitlines()]
    assert sorted(row[2] for row in rows) == sorted(f"samples/{name}" for name in names())


def test_the_archive_holds_every_photo_that_was_chosen(shell: Shell, many: Path) -> None:
    shell(pipeline("tar "))
    with tarfile.open(many / "best.tar") as archive:
        members = archive.getnames()
    assert len(members) == len(set(members)) == NUMBER // 2
    assert set(members) < {f"samples/{name}" for name in names()}


def test_every_pipeline_is_tried_with_thousands_of_names() -> None:
    tried = re.findall(r"pipeline\(\"([^\"]+)\"\)", Path(__file__).read_text(encoding="utf-8"))
    assert sorted(pipeline(text) for text in tried) == sorted(pipelines())


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_every_shell_example_is_run(document: Path) -> None:
    """By a test that names it, of this file or of the documents."""
    sources = "".join(
        Path(__file__).with_name(f"test_{it}.py").read_text("utf-8") for it in ("documents", "shell_examples")
    )
    run = re.findall(rf"block\(\"{document}\", \"([^\"]+)\"\)", sources)
    whole = f'blocks("{document}", "sh")' in sources
    if str(document) == "docs/at-scale.md":
        run.append(
            'pip install "photodefect[ray]"\nphotodefect diagnose s3://'
        )  # test_cluster.py, with another storage
    for example in blocks(str(document), "sh"):
        assert whole or example.startswith((*NOT_RUN, *run)), example


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """Folders for the examples with exiftool: photos that are severe by the profile, one with marks of its own."""
    for name in ("developed", "shoot"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / ".photodefect.toml").write_text("[thresholds.noise]\nmild = 1e-6\nsevere = 1e-5\n")
        for number in range(3):
            picture(number).save(folder / f"{number}.jpg")
        own = ["-XMP-xmp:Label=mine", "-XMP-dc:Subject=mine", "-XMP-dc:Title=mine", "-EXIF:ImageDescription=mine"]
        subprocess.run(["exiftool", "-q", "-overwrite_original", *own, folder / "1.jpg"], check=True)
    return tmp_path


def table(file: Path) -> dict[str, dict[str, list[str]]]:
    """What ``marks.csv`` asks for, by file and by tag in lower case."""
    with file.open(newline="", encoding="utf-8") as stream:
        header, *rows = csv.reader(stream)
    wanted: dict[str, dict[str, list[str]]] = {}
    for row in rows:
        cells = wanted.setdefault(row[0], {})
        for tag, cell in zip(header[1:], row[1:], strict=True):
            if cell:
                cells.setdefault(tag.lower(), []).append(cell)
    return wanted


def check_marks(folder: Path) -> int:
    """Compare what exiftool wrote with what the table asks for.

    Returns:
        How many files that are.
    """
    wanted = table(folder / "marks.csv")
    for file, cells in wanted.items():
        found = {tag.lower(): value for tag, value in tags(folder / file).items()}
        for tag, values in cells.items():
            there = found[tag]
            # exiftool takes the columns of a list in any order.
            assert sorted(map(str, there if isinstance(there, list) else [there])) == sorted(values), (file, tag)
    return len(wanted)


@needs_exiftool
def test_exiftool_writes_what_the_table_says_into_photos(few: Path, environment: dict[str, str]) -> None:
    in_bash(block("docs/sidecars.md", "photodefect rank-folder developed"), few, environment)
    assert check_marks(few) == 3
    own = tags(few / "developed" / "1.jpg")
    assert own["XMP-xmp:Label"] == "mine", "a person's label stays"
    assert own["XMP-dc:Title"] == "mine"
    assert "mine" in own["XMP-dc:Subject"]


@needs_exiftool
def test_exiftool_copies_nothing_of_the_photos_own_over_the_marks_in_sidecars(
    few: Path, environment: dict[str, str]
) -> None:
    example = block("docs/sidecars.md", "photodefect rank-folder shoot")
    in_bash(example, few, environment)
    assert check_marks(few) == 3
    (few / "marks.csv").unlink()
    (few / "shoot" / "0.xmp").unlink()
    in_bash(example, few, environment)  # now that there are sidecars, which exiftool finds in the folder as well
    assert check_marks(few) == 1
    assert sorted(path.name for path in (few / "shoot").glob("*.xmp")) == ["0.xmp", "1.xmp", "2.xmp"]
    assert "XMP-dc:Title" not in tags(few / "shoot" / "1.xmp")
    photos = [tags(few / "shoot" / f"{number}.jpg") for number in range(3)]
    assert [photo.get("XMP-xmp:Label") for photo in photos] == [None, "mine", None], "photos are as they were"
