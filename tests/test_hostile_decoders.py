"""A photo that hangs or kills the decoder costs itself alone, whichever command meets it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hostile_decoder import HANG, KILL
from PIL import Image
from typer.testing import CliRunner, Result

from photodefect.cli import app
from photodefect.workers import pool

COMMANDS: dict[str, Callable[[Path], list[str | Path]]] = {
    "heatmap": lambda out: ["--output", out, "--defect", "noise", "--json"],
    "report": lambda out: ["--output", out, "--patches", "1", "--workers", "1", "--no-cache"],
    "rank-folder": lambda _: ["--patches", "1", "--workers", "1", "--no-cache", "--format", "csv", "--show-excluded"],
    "watch": lambda _: ["--existing", "--stop-after", "0.2", "--settle", "0.1", "--patches", "1", "--workers", "1",
                        "--no-cache"],
}  # fmt: skip
ERRORS = {HANG: ("TimedOutError", "it was not done after 5 seconds"), KILL: ("DecoderDiedError", "SIGSEGV")}


@pytest.fixture
def folder(samples: Path, tmp_path: Path) -> Path:
    """Three small photos."""
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("a", "b", "c"):
        with Image.open(samples / "dog.jpg") as image:
            image.resize((300, 200)).save(photos / f"{name}.jpg")
    return photos


@pytest.fixture(autouse=True)
def hostile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers whose decoders do what a photo says."""
    monkeypatch.setattr(
        pool, "_BOOTSTRAP", pool._BOOTSTRAP.replace("from photodefect.", "import hostile_decoder; from photodefect.", 1)
    )


def run(command: str, folder: Path, model: Path, out: Path) -> Result:
    arguments = [command, folder, "--model", model, "--time-limit", "5", *COMMANDS[command](out)]
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.parametrize("evil", [HANG, KILL], ids=["hangs", "kills"])
@pytest.mark.parametrize("command", COMMANDS)
def test_the_run_goes_on_without_the_photo(
    command: str, evil: bytes, folder: Path, random_model: Path, tmp_path: Path
) -> None:
    with (folder / "b.jpg").open("ab") as photo:
        photo.write(evil)
    out = tmp_path / "out"
    kind, message = ERRORS[evil]

    result = run(command, folder, random_model, out)

    assert result.exit_code == 1, result.output
    assert "Traceback" not in result.output
    if command == "heatmap":
        records = [json.loads(line) for line in result.stdout.splitlines()]
        assert [record["error"] and record["error"]["type"] for record in records] == [None, kind, None]
        assert message in records[1]["error"]["message"]
        pictures = sorted(path.name for path in out.iterdir())
        assert pictures == [f"{name}-{what}.jpg" for name in ("a", "c") for what in ("noise", "panel")]
    elif command == "report":
        page = (out / "index.html").read_text(encoding="utf-8")
        assert message in page
        assert len(list(out.glob("photodefect-files-*/thumbnails/*.jpg"))) == 2
        assert len(list(out.glob("photodefect-files-*/maps/*-noise.png"))) == 2
    else:
        assert message in result.output
        assert len(re.findall(r"[abc]\.jpg", result.stdout)) == 3
    assert sorted(path.name for path in folder.iterdir()) == ["a.jpg", "b.jpg", "c.jpg"]
