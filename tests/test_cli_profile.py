"""``photodefect profile``: what holds, and where it comes from."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from photodefect.cli import app
from photodefect.ranking.profiles.profile import DEFAULT_PROFILE
from photodefect.ranking.profiles.settings import parse_settings, to_profile

pytestmark = pytest.mark.usefixtures("config")


def profile(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["profile", *map(str, arguments)])


def test_what_is_shown_is_a_profile(tmp_path: Path) -> None:
    result = profile("show", tmp_path)
    assert result.exit_code == 0
    assert to_profile(parse_settings(result.stdout, "stdout")) == DEFAULT_PROFILE
    assert "these are the defaults" in result.stderr


def test_each_setting_says_where_it_comes_from(tmp_path: Path, config: Path) -> None:
    (config / "profile.toml").write_text("hints = false\n")
    (tmp_path / ".photodefect.toml").write_text("[thresholds.noise]\nsevere = 0.7\n")
    result = profile("show", tmp_path, "--profile", "black-and-white")
    assert f"hints = false # {config}/profile.toml" in result.stdout
    assert f"severe = 0.7 # {tmp_path}/.photodefect.toml" in result.stdout
    assert "bad_saturation = 0.0 # " in result.stdout
    assert result.stderr.count(".toml") == 3


def test_profiles_are_listed_by_name(config: Path) -> None:
    (config / "profiles").mkdir()
    (config / "profiles" / "weddings.toml").write_text("")
    result = profile("list")
    assert [line.split("\t")[0] for line in result.stdout.splitlines()] == ["black-and-white", "weddings"]


def test_a_wrong_profile_and_a_wrong_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / ".photodefect.toml").write_text("[weights]\nblur = 1\n")
    result = profile("show", tmp_path)
    assert result.exit_code == 2
    assert "weights.blur'; did you mean weights.undesired_blur?" in result.stderr
    assert profile("show", tmp_path / "nowhere").exit_code == 2
    assert profile("change").exit_code == 2
