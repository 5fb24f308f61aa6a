"""``photodefect cache``, and the cache as commands use it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import photodefect
from photodefect.cli import app

ROOT = Path(photodefect.__file__).parents[1]


@pytest.fixture
def folder(samples: Path, tmp_path: Path) -> Path:
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("dog.jpg", "bulb.jpg"):
        shutil.copy2(samples / name, photos)
    return photos


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cache.sqlite"


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def diagnose(model: Path, file: Path, *arguments: str | Path) -> list[dict[str, object]]:
    options = ["--model", model, "--patches", "1", "--cache", file, "--format", "json"]
    result = call("diagnose", *options, *arguments)
    assert result.exit_code in (0, 1), result.output
    records: list[dict[str, object]] = json.loads(result.stdout)
    return records


def test_a_second_run_says_the_same_by_other_thresholds_and_formats(
    random_model: Path, file: Path, folder: Path
) -> None:
    first = diagnose(random_model, file, folder, "--detail")
    assert diagnose(random_model, file, folder, "--detail") == first
    strict = diagnose(random_model, file, folder, "--threshold", "0.0001")
    assert {record["verdict"] for record in strict} == {"severe"}
    assert strict[0]["severity"] == first[0]["severity"]
    shutil.move(folder / "dog.jpg", folder / "moved.jpg")
    moved = diagnose(random_model, file, folder / "moved.jpg", "--detail")
    wanted = next(record for record in first if str(record["path"]).endswith("dog.jpg"))
    assert moved == [wanted | {"path": str(folder / "moved.jpg")}]
    shutil.copy(folder / "bulb.jpg", folder / "moved.jpg")
    (other,) = diagnose(random_model, file, folder / "moved.jpg")
    assert other["severity"] == first[0]["severity"]
    info = json.loads(call("cache", "info", "--cache", file, "--json").stdout)
    assert info["photos"] == 2
    assert [kind["results"] for kind in info["kinds"]] == [2, 2]  # severities, and what rank-folder measures
    assert [it["kind"]["model"] for it in info["kinds"] if isinstance(it["kind"], dict)] == ["random"]


def test_other_patches_seeds_and_models_are_not_mixed_up(random_model: Path, file: Path, folder: Path) -> None:
    photo = folder / "dog.jpg"
    one = diagnose(random_model, file, photo, "--detail")
    anywhere = ("--detail", "--patch-placement", "random")
    drawn = diagnose(random_model, file, photo, *anywhere)
    assert drawn != one
    assert diagnose(random_model, file, photo, *anywhere, "--seed", "3") != drawn
    assert diagnose(random_model, file, photo, "--detail", "--patch-placement", "grid") != one
    assert diagnose(random_model, file, photo, "--detail") == one


def test_what_failed_is_looked_at_again(random_model: Path, file: Path, folder: Path) -> None:
    broken = folder / "broken.jpg"
    broken.write_bytes((folder / "dog.jpg").read_bytes()[:5000])
    (record,) = diagnose(random_model, file, broken)
    assert record["error"] is not None
    shutil.copy(folder / "dog.jpg", broken)
    (record,) = diagnose(random_model, file, broken)
    assert record["error"] is None


def test_with_everything_known_nothing_heavy_is_imported(random_model: Path, file: Path, folder: Path) -> None:
    script = f"""
import sys
from photodefect.cli import main
sys.argv = ["photodefect", "diagnose", "-q", "--model", {str(random_model)!r}, "--patches", "1", "--cache",
            {str(file)!r}, "--format", "ndjson", {str(folder)!r}]
try:
    main()
except SystemExit as exit:
    assert not exit.code, exit.code
for name in ("torch", "onnxruntime", "PIL", "simplejpeg", "scipy", "exifread"):
    assert name not in sys.modules, name
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    # The first run read the photos too soon after they were copied to know them by their times; a second one did so.
    while True:
        diagnose(random_model, file, folder)
        info = json.loads(call("cache", "info", "--cache", file, "--json").stdout)
        if info["files"] == 2:
            break
    done = subprocess.run([sys.executable, "-c", script], env=environment, check=True, capture_output=True)
    assert len(done.stdout.splitlines()) == 2


def test_no_cache_leaves_no_trace(random_model: Path, file: Path, folder: Path) -> None:
    options = ["--model", random_model, "--patches", "1", "--no-cache", "-q"]
    assert call("diagnose", *options, folder / "dog.jpg").exit_code == 0
    assert not file.exists()
    assert call("diagnose", *options, "--cache", file, folder).exit_code == 2


def test_ranking_keeps_its_measurements_too(random_model: Path, file: Path, folder: Path) -> None:
    options = ["--model", random_model, "--patches", "1", "--cache", file, "--format", "json"]
    first = call("rank-folder", *options, folder)
    second = call("rank-folder", *options, folder)
    assert first.exit_code == 0, first.output
    assert second.stdout == first.stdout
    info = json.loads(call("cache", "info", "--cache", file, "--json").stdout)
    assert sorted(kind["results"] for kind in info["kinds"]) == [2, 2]


def test_info_clear_and_verify_do_what_they_say(random_model: Path, file: Path, folder: Path) -> None:
    diagnose(random_model, file, folder)
    info = call("cache", "info", "--cache", file)
    assert str(file) in info.stdout
    assert "2 photos" in info.stdout
    verified = call("cache", "verify", "--cache", file)
    assert verified.exit_code == 0
    assert "4 results, 0 of them unreadable" in verified.stdout
    assert "0 results forgotten" in call("cache", "clear", "--cache", file, "--older-than", "30").stderr
    assert "4 results forgotten" in call("cache", "clear", "--cache", file).stderr
    assert "0 photos" in call("cache", "info", "--cache", file).stdout


def test_a_cache_that_is_not_there_is_wrong_usage_if_it_was_named(tmp_path: Path) -> None:
    result = call("cache", "info", "--cache", tmp_path / "nowhere")
    assert result.exit_code == 2
    assert "there is no cache" in result.stderr


def test_a_photo_or_another_file_is_never_taken_for_a_cache(random_model: Path, folder: Path) -> None:
    photo = folder / "dog.jpg"
    before = photo.read_bytes()
    assert call("diagnose", "--model", random_model, "--cache", photo, folder).exit_code == 2
    assert call("cache", "clear", "--cache", photo).exit_code == 2
    assert photo.read_bytes() == before
    empty = folder / "empty.jpg"
    empty.touch()
    refused = call("diagnose", "--model", random_model, "--cache", empty, folder)
    assert (refused.exit_code, "is one of the photos" in refused.stderr) == (2, True)
    assert empty.stat().st_size == 0
    os.mkfifo(folder / "pipe")
    assert call("diagnose", "--model", random_model, "--cache", folder / "pipe", photo).exit_code == 2
