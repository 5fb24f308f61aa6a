"""Exiftool as an independent reader and writer of XMP."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

needs_exiftool = pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")


def exiftool(*arguments: str | Path, cwd: Path | None = None) -> str:
    """Run exiftool, and have no warning."""
    done = subprocess.run(["exiftool", *map(str, arguments)], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "warning" not in (done.stdout + done.stderr).lower(), done.stderr
    return done.stdout


def tags(path: Path) -> dict[str, Any]:
    """All XMP of a file by group and name; lists stay lists."""
    (record,) = json.loads(exiftool("-j", "-G1", "-struct", "-XMP:all", path))
    return {name: value for name, value in record.items() if name != "SourceFile"}


def keywords(path: Path, tag: str = "XMP-dc:Subject") -> list[str]:
    """A list, which exiftool shows as a bare value if it has one item."""
    value = tags(path).get(tag, [])
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]
