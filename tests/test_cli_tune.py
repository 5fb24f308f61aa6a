"""``photodefect tune``: from ratings to a profile that rank-folder takes."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from photodefect.cli import app
from photodefect.ranking.profiles.settings import read_settings, to_profile

pytestmark = pytest.mark.usefixtures("config")


@pytest.fixture(scope="module")
def photos(samples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty small photos of all kinds."""
    folder = tmp_path_factory.mktemp("rated")
    files = sorted(samples.glob("*.jpg"))
    for number in range(30):
        image = Image.open(files[number % len(files)]).convert("RGB").resize((240, 230))
        shade = 255 if number < len(files) else 90
        image.point(lambda value, shade=shade: value * shade // 255).save(folder / f"{number}.jpg")  # type: ignore[misc]
    return folder


@pytest.fixture
def folder(photos: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(photos, tmp_path / "photos"))


def tune(model: Path, *arguments: str | Path) -> Result:
    options = ["--model", str(model), "--patches", "1", "--device", "cpu"]
    return CliRunner().invoke(app, ["tune", *map(str, arguments), *options])


def rated(folder: Path, count: int, header: str = "path,noise,stars") -> Path:
    file = folder / "ratings.csv"
    rows = [f"{number}.jpg,1,{number % 6}" for number in range(count)]
    file.write_text("\n".join([header, *rows, ""]))
    return file


def test_ratings_become_a_profile(random_model: Path, folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "mine.toml"
    result = tune(random_model, rated(folder, 30), "--output", target)
    assert result.exit_code == 0, result.stderr
    assert "noise: mean error" in result.stderr
    assert "weights: pairs in the wrong order" in result.stderr
    assert re.search(r"^haze: severe on \d+ of \d+ photos", result.stderr, re.MULTILINE)
    # Somebody who calls everything noisy is believed, most of all where photos are.
    profile = to_profile(read_settings(target))
    assert profile.calibration["noise"](0.5) > 0.7
    assert target.read_text().startswith("# Fitted by photodefect tune to 30 ratings of ratings.csv.")
    ranked = ["rank-folder", str(folder), "--profile", str(target), "--model", str(random_model), "--patches", "1"]
    assert CliRunner().invoke(app, ranked).exit_code == 0


def test_a_profile_can_be_saved_by_name_and_is_not_overwritten(random_model: Path, folder: Path, config: Path) -> None:
    result = tune(random_model, rated(folder, 30), "--save-as", "mine")
    assert result.exit_code == 0, result.stderr
    assert (config / "profiles" / "mine.toml").is_file()
    again = tune(random_model, rated(folder, 30), "--save-as", "mine")
    assert again.exit_code == 2
    assert "is there already; --force replaces it" in again.stderr
    assert tune(random_model, rated(folder, 30), "--save-as", "../mine").exit_code == 2


def test_fewer_than_thirty_ratings_are_refused_unless_wanted_anyway(random_model: Path, folder: Path) -> None:
    refused = tune(random_model, rated(folder, 12))
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "12 ratings; what is fitted to fewer than 30 can't be trusted" in refused.stderr
    anyway = tune(random_model, rated(folder, 12), "--anyway")
    assert anyway.exit_code == 0
    assert "can't be trusted" in anyway.stderr
    assert anyway.stdout.startswith("# Fitted")


def test_photos_that_are_missing_are_named_and_left_out(random_model: Path, folder: Path) -> None:
    (folder / "3.jpg").unlink()
    result = tune(random_model, rated(folder, 30))
    assert result.exit_code == 1
    assert "3.jpg: there is no such file" in result.stderr
    assert "29 ratings" in result.stdout
    elsewhere = tune(random_model, rated(folder, 30), "--images", folder.parent)
    assert elsewhere.exit_code == 3
    assert "none of the photos" in elsewhere.stderr


def test_wrong_ratings_are_refused_with_their_row(random_model: Path, folder: Path) -> None:
    result = tune(random_model, rated(folder, 30, "path,noise,sharpness"))
    assert result.exit_code == 0, result.stderr
    bad = folder / "bad.csv"
    bad.write_text("path,stars\n1.jpg,7\n")
    result = tune(random_model, bad)
    assert result.exit_code == 2
    assert "bad.csv, row 2: '7' is not a number of stars" in result.stderr
    assert tune(random_model, folder / "none.csv").exit_code == 2
