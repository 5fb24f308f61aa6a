"""The help page in the documentation is what ``--help`` says."""

from __future__ import annotations

from pathlib import Path

import pytest

from photodefect.cli import available_commands
from photodefect.cli.help_page import help_page, main

PAGE = Path(__file__).parents[1] / "docs" / "cli.md"


@pytest.fixture(scope="module")
def current() -> str:
    return help_page()


def test_the_help_page_is_current(current: str) -> None:
    assert PAGE.read_text(encoding="utf-8") == current, "python -m photodefect.cli.help_page > docs/cli.md"


def test_the_help_page_has_a_section_for_every_command(current: str) -> None:
    headings = [line.removeprefix("## ") for line in current.splitlines() if line.startswith("## ")]
    assert headings == ["photodefect", *(f"photodefect {command}" for command in available_commands())]


def test_a_page_that_is_out_of_date_is_told(
    current: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("photodefect.cli.help_page.help_page", lambda: current)
    page = tmp_path / "cli.md"
    page.write_text(current, encoding="utf-8")
    assert main(["--check", str(page)]) == 0
    old = tmp_path / "old.md"
    old.write_text("# The command line\n")
    assert main(["--check", str(old)]) == 1
    assert "is out of date" in capsys.readouterr().err
