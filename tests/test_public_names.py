"""What `from photodefect import ...` promises: an explicit list, a page about it, and examples that run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import photodefect

PAGE = Path(__file__).parent.parent / "docs" / "python.md"
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def test_every_public_name_can_be_imported_and_no_other_is_there() -> None:
    for name in photodefect.__all__:
        assert getattr(photodefect, name) is not None
    assert dir(photodefect) == sorted(photodefect.__all__)
    with pytest.raises(AttributeError, match="no attribute 'train'"):
        _ = photodefect.train


def test_the_page_lists_the_public_names_and_no_others() -> None:
    table = PAGE.read_text(encoding="utf-8").partition("## All public names")[2]
    listed = re.findall(r"`(\w+)`", table)
    assert sorted(set(listed)) == sorted(photodefect.__all__)


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, photodefect; sys.exit(any(name in sys.modules for name in ('numpy', 'torch', 'PIL')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_examples_of_the_page_run(example: str, samples: Path, tmp_path: Path) -> None:
    (tmp_path / "samples").symlink_to(samples)
    (tmp_path / "example.py").write_text(example, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", "example.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 8
