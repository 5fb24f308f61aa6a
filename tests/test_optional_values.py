"""Options whose value may be left out."""

from __future__ import annotations

import pytest

from photodefect.cli.optional_values import with_values


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (["--best", "3", "folder"], ["--best=3", "folder"]),
        (["--best", "folder"], ["--best=1", "folder"]),
        (["folder", "--best"], ["folder", "--best=1"]),
        (["--best=2", "7"], ["--best=2", "7"]),
        (["--best", "--best", "-4"], ["--best=1", "--best=-4"]),
        (["--other", "--", "--best", "2"], ["--other", "--", "--best", "2"]),
        ([], []),
    ],
)
def test_an_option_without_a_number_behind_it_gets_its_value(given: list[str], meant: list[str]) -> None:
    assert with_values(given, {"--best": "1"}) == meant
