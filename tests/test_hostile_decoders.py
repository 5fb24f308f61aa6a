"""A photo that hangs or kills the decoder costs itself alone, whichever command meets it."""

from __future__ import annotations

import csv
import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hostile_decoder import HANG, KILL
from PIL import Image
from test_workers import ENVIRONMENT, alive, linux
from tiny_training import tiny_builder
from typer.testing import CliRunner, Result

from photodefect.cli import app
from photodefect.core.network.registry import NETWORKS
from photodefect.defects import KEYS
from photodefect.diagnosis.workers import isolated, starting

COMMANDS: dict[str, Callable[[Path], list[str | Path]]] = {
    "heatmap": lambda out: ["--output", out, "--defect", "noise", "--overlays", "--json"],
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
        starting,
        "_BOOTSTRAP",
        starting._BOOTSTRAP.replace("from photodefect.", "import hostile_decoder; from photodefect.", 1),
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


@pytest.fixture
def both(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with one photo more, and two of them that hang, for three seconds, and kill."""
    with (folder / "b.jpg").open("ab") as photo:
        photo.write(HANG)
    (folder / "d.jpg").write_bytes((folder / "c.jpg").read_bytes() + KILL)
    monkeypatch.setattr(isolated, "time_limit", lambda _path, _patches: 3.0)
    return folder


def unwrapped(result: Result) -> str:
    """What the command said, in one line: Rich breaks lines anywhere."""
    assert "Traceback" not in result.output
    return re.sub(r"\s+", " ", result.stderr)


HUNG = "(it was not done after 3 seconds)"
DIED = (
    "(the process that read it was ended by signal 11 (SIGSEGV); the file is damaged, or there was too little memory)"
)


@pytest.mark.parametrize("photos", ["labelled", "degraded"])
def test_training_names_the_photos_and_learns_from_the_others(
    photos: str, both: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(NETWORKS, "lite0", tiny_builder())
    arguments: list[str | Path] = ["--synthesize", both, "--variants", "2", "--any-source"]
    if photos == "labelled":
        rows = [f"{name}.jpg" + f",{level}" * len(KEYS) for name, level in zip("abcd", (0, 0.3, 0.6, 1), strict=True)]
        (both / "labels.csv").write_text("\n".join([",".join(["path", *KEYS]), *rows]) + "\n")
        arguments = [both / "labels.csv"]
    quick = ["--init", "random", "--steps", "2", "--batch", "8", "--validation", "0", "--workers", "2"]
    model = tmp_path / "model"

    result = CliRunner().invoke(app, ["train", *map(str, arguments), "-o", str(model), "--device", "cpu", *quick])

    assert result.exit_code == 1, result.output
    said = unwrapped(result)
    assert f"{both}/b.jpg {HUNG}" in said
    assert f"{both}/d.jpg {DIED}" in said
    assert not re.search(r"left out, can't be read:.*[ac]\.jpg", said)
    assert (model / "manifest.json").exists()


def test_synthesis_names_the_photos_and_degrades_the_others(both: Path, tmp_path: Path) -> None:
    out = tmp_path / "set"

    arguments = ["synthesize", str(both), "-o", str(out), "--count", "3", "--any-source", "--size", "200"]
    result = CliRunner().invoke(app, [*arguments, "--contact-sheet"])

    assert result.exit_code == 1, result.output
    said = unwrapped(result)
    assert f"{both}/b.jpg: {HUNG[1:-1]}" in said
    assert f"{both}/d.jpg: {DIED[1:-1]}" in said
    with (out / "labels.csv").open(newline="", encoding="utf-8") as stream:
        assert len(list(csv.DictReader(stream))) == 3
    assert len(list((out / "contact-sheets").iterdir())) == len(KEYS)


SCRIPT = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from tiny_training import tiny_builder
from photodefect.__main__ import run
from photodefect.core.network.registry import NETWORKS
from photodefect.diagnosis.workers import pool, starting
NETWORKS["lite0"] = tiny_builder()
starting._BOOTSTRAP = starting._BOOTSTRAP.replace("from photodefect.", "import hostile_decoder; from photodefect.", 1)
start = pool.start
def told(*arguments):
    process = start(*arguments)
    print(process.pid, flush=True)
    return process
pool.start = told
run()
"""


@linux
@pytest.mark.parametrize("command", ["train", "synthesize"])
def test_ctrl_c_ends_a_run_that_waits_for_a_photo_and_leaves_no_process(
    command: str, folder: Path, tmp_path: Path
) -> None:
    for photo in folder.iterdir():
        with photo.open("ab") as stream:
            stream.write(HANG)
    arguments = {
        "train": ["--synthesize", folder, "--any-source", "--init", "random", "--validation", "0", "--workers", "1"],
        "synthesize": [folder],
    }[command]
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(Path(__file__).parent), command, "-o", tmp_path / "out", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    ) as process:
        assert process.stdout is not None
        worker = int(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        if command == "train":  # the first Ctrl-C waits for the step to be done
            time.sleep(2)  # two that come together count as one
            process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=50)  # decoding may take a minute
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    assert "Exception ignored" not in errors
    assert "interrupted" in errors
    assert not any(alive(pid) for pid in [worker, *map(int, rest.split())])
