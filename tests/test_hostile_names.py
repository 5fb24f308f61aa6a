"""Names from outside: whatever they hold, records are whole, other programs get the bytes, terminals get no orders."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from PIL import Image
from typer.testing import CliRunner, Result

import photodefect
from photodefect.cli import app

ROOT = Path(photodefect.__file__).parents[1]

NAMES: Final = (
    b"plain.jpg",
    b"not utf-8 \xff\xfe\x80.jpg",
    b"line\nfeed.jpg",
    b"carriage\rreturn.jpg",
    b"quote\" and 'apostrophe', comma; tab\t.jpg",
    b"\x1b]0;title\x07\x1b[2J\x1b[31mred.jpg",
    b"\xc2\x9b31mone byte.jpg",
    "\u202egpj.exe".encode(),
    b"<img src=x onerror=alert(1)>&amp;.jpg",
    b"[red]markup[bold] :boom: %s {0} \\n.jpg",
    b"=SUM(A1).jpg",
    b"-rf.jpg",
    b" spaces .jpg",
    b"a" * 251 + b".jpg",
)
BROKEN: Final = tuple(b"broken " + name for name in NAMES[:7])
ORDERS: Final = (
    b"\x1b]0;",
    b"\x1b[2J\x1b",
    b"\x1b[31mred",
    b"\x07",
    b"\xc2\x9b",
    "\u202e".encode(),
    b"\xff",
    b"\x80.jpg",
)
"""What a terminal would act upon, or can't show, if it were let through."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="names are any bytes here only")


@pytest.fixture
def folder(samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A photo of each name, some damaged ones, and what is no file, in a folder with such a name itself."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))  # journals
    photos = tmp_path / "\x1b[31mred" / "photos"
    photos.mkdir(parents=True)
    with Image.open(samples / "dog.jpg") as image:
        whole = io.BytesIO()
        image.resize((32, 24)).save(whole, "JPEG")
    for name in NAMES:
        Path(os.fsdecode(os.fsencode(photos) + b"/" + name)).write_bytes(whole.getvalue())
    for name in BROKEN:
        Path(os.fsdecode(os.fsencode(photos) + b"/" + name)).write_bytes(whole.getvalue()[:200])
    os.mkfifo(photos / "pipe.jpg")
    os.mkfifo(photos / "plain.xmp")  # where a sidecar would be
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(photos)  # the name of a socket may have a hundred letters at most
        listener.bind("socket.jpg")
        os.chdir(here)
    (photos / "null.jpg").symlink_to("/dev/null")
    (photos / "again").symlink_to(photos)
    return photos


def expected(folder: Path) -> list[str]:
    """The paths of the photos in it, in order."""
    names = sorted(os.fsdecode(name) for name in [*NAMES, *BROKEN])
    return [f"{folder}/{name}" for name in names]


def run(command: str, *arguments: str | Path, model: Path) -> Result:
    return CliRunner().invoke(app, [command, *map(str, arguments), "--model", str(model), "--patches", "1"])


@pytest.mark.parametrize("form", ["json", "ndjson", "csv"])
def test_records_give_back_every_name_byte_by_byte(form: str, folder: Path, random_model: Path) -> None:
    result = run("diagnose", folder, "--format", form, model=random_model)
    assert result.exit_code == 1, "some are damaged"
    text = result.stdout_bytes.decode("utf-8", "surrogateescape")
    if form == "json":
        paths = [record["path"] for record in json.loads(text)]
    elif form == "ndjson":
        assert not set("\x07\x1b\x9b\u202e") & set(text)
        paths = [json.loads(line)["path"] for line in text.removesuffix("\n").split("\n")]
    else:
        paths = [row["path"] for row in csv.DictReader(io.StringIO(text, newline=""))]
    assert paths == expected(folder)


def test_paths_for_xargs_are_the_names_themselves(folder: Path, random_model: Path) -> None:
    result = run("rank-folder", folder, "--print0", "--quiet", model=random_model)
    assert result.exit_code == 1
    paths = result.stdout_bytes.removesuffix(b"\0").split(b"\0")
    assert sorted(paths) == sorted(os.fsencode(folder) + b"/" + name for name in NAMES)


def test_lists_of_any_names_are_read_and_what_is_no_file_gets_a_record(folder: Path, random_model: Path) -> None:
    extra = ["pipe.jpg", "socket.jpg", "null.jpg", "again", "gone\x1b.jpg"]
    listed = b"".join(os.fsencode(f"{folder}/{name}") + b"\0" for name in extra[:3] + extra[4:])
    result = CliRunner().invoke(
        app,
        ["diagnose", "--files-from", "-", "-0", "--format", "ndjson", "--model", str(random_model)],
        input=listed,
    )
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [record["error"]["message"] for record in records] == [
        "this is a named pipe, not a file",
        "this is a socket, not a file",
        "this is a device, not a file",
        "there is no such file",
    ]


def test_a_pipe_where_a_sidecar_would_be_is_not_waited_for(folder: Path, random_model: Path, tmp_path: Path) -> None:
    result = run("rank-folder", folder, "--copy-to", tmp_path / "copies", "--apply", "--quiet", model=random_model)
    assert result.exit_code == 1
    copied = {os.fsencode(path.name) for path in (tmp_path / "copies").iterdir()}
    assert copied == {*NAMES}


def test_sidecars_are_written_beside_any_names_and_not_into_a_pipe(folder: Path, random_model: Path) -> None:
    result = run("rank-folder", folder, "--xmp", "--apply", "--quiet", model=random_model)
    assert result.exit_code == 1
    assert stat.S_ISFIFO((folder / "plain.xmp").stat().st_mode)
    for name in NAMES[1:-1]:  # the last leaves no room for another ending
        sidecar = Path(os.fsdecode(os.fsencode(folder) + b"/" + name.removesuffix(b".jpg") + b".xmp"))
        if name.endswith(b".jpg"):
            assert "photodefect" in sidecar.read_text("utf-8")


def test_a_page_of_such_names_holds_no_markup_of_theirs(folder: Path, random_model: Path, tmp_path: Path) -> None:
    result = run("report", folder, "--output", tmp_path / "page", "--no-maps", model=random_model)
    assert result.exit_code == 1
    for page in (tmp_path / "page").rglob("*.html"):
        text = page.read_text("utf-8")
        assert "<img src=x" not in text
        assert not set("\x07\x1b\x9b\u202e") & set(text)


IN_ONE_PROCESS = """
import json, sys
from photodefect.cli import app
for number, arguments in enumerate(json.loads(sys.argv[1])):
    print("command", number, flush=True)
    try:
        app(arguments, prog_name="photodefect")
    except SystemExit as end:
        print("exit", end.code, flush=True)
"""
"""Runs one command after another; torch is imported once."""


def on_a_terminal(commands: list[list[str]], folder: Path) -> bytes:
    """What a person sees."""
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "120", "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", IN_ONE_PROCESS, json.dumps(commands)],
        stdin=theirs, stdout=theirs, stderr=theirs, env=environment, cwd=folder,
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 65536):
            shown += piece
    except OSError:  # Linux says so when the other end is closed
        pass
    finally:
        os.close(ours)
    process.wait()
    return shown


def test_a_terminal_gets_no_orders_from_names(folder: Path, random_model: Path, tmp_path: Path) -> None:
    for name in NAMES[8:]:  # what is not for terminals
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).unlink()
    evil = "\x1b]0;title\x07\x1b[2J\x1b[31mred\u202e\udcff"
    judged = ["--model", str(random_model), "--patches", "1"]
    commands = [
        ["diagnose", str(folder), "--verbose", *judged],
        ["diagnose", str(folder), "--quiet", "--format", "csv", *judged],
        ["rank-folder", str(folder), "--verbose", "--show-excluded", "--max", "noise=0.01", *judged],
        ["rank-folder", str(folder), "--summary", "--quiet", *judged],
        ["rank-folder", str(folder), "--copy-to", str(tmp_path / evil), "--apply", "--journal",
         str(tmp_path / f"{evil}.jsonl"), *judged],
        ["undo", str(tmp_path / f"{evil}.jsonl"), "--apply"],
        ["heatmap", str(folder / "plain.jpg"), str(folder / "broken plain.jpg"), str(folder / f"gone{evil}"), "-o",
         str(tmp_path / f"maps{evil}"), "--defect", "noise", "--model", str(random_model)],
        ["report", str(folder), "-o", str(tmp_path / f"page{evil}"), "--title", evil, "--no-maps", *judged],
        ["profile", "show", str(folder)],
        ["profile", "show", str(folder / evil)],
        ["profile", "show", str(folder), "--profile", evil],
        [evil],
        [f"--{evil}"],
        ["diagnose", f"--{evil}"],
        ["diagnose", "--format", evil, "x"],
        ["diagnose", "--threshold", f"{evil}=0.5", "x"],
        ["diagnose", "--fail-on", evil, "x"],
        ["diagnose", "--patches", evil, "x"],
        ["diagnose", evil],
        ["diagnose", "--files-from", evil],
        ["diagnose", "--model", evil, str(folder)],
        ["diagnose", "-o", str(folder / evil / "x"), str(folder)],
        ["diagnose", "-o", str(folder / os.fsdecode(NAMES[5])), str(folder)],
        ["evaluate", evil, "--labels", evil],
        ["aggregate-votes", evil],
        ["tune", evil, "-o", evil],
        ["train", evil, "-o", evil],
        ["train", evil, "-o", "x", "--loss", evil],
        ["synthesize", evil, "-o", evil],
        ["import-caffe", evil, evil, "-o", evil],
        ["undo", evil],
        ["watch", evil, "--stop-after", "0"],
    ]  # fmt: skip
    shown = on_a_terminal(commands, tmp_path)
    ends = re.findall(rb"exit (\S+)\r\n(?=command|$)", shown)
    assert len(ends) == len(commands), shown[-3000:].decode(errors="replace")
    assert set(ends) <= {b"0", b"1", b"2", b"3", b"4"}
    assert b"Traceback" not in shown
    assert rb"\x1b]0;title\x07" in shown, "escaped names are shown"
    for order in ORDERS:
        place = shown.find(order)
        assert place < 0, shown[max(0, place - 300) : place + 100]
    assert b"line\r\nfeed" not in shown
    assert b"\rreturn" not in shown
