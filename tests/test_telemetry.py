"""No package that photodefect uses reports home: seen by the system calls, outside continuous integration."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "photodefect"
INTERNET = re.compile(r"sa_family=AF_INET6?\b.*")
SECONDS = 20


@pytest.fixture
def strace() -> str:
    program = shutil.which("strace")
    if program is None:
        message = "strace is needed (Debian: strace)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return program


RUNS = {
    "watch": (["--existing", "--stop-after", str(SECONDS)], ["results.sqlite"]),
    "review": (["--no-browser", "--stop-after", "5"], ["pictures.sqlite", "results.sqlite"]),
    "report": (["--maps", "--output", "report"], ["pictures.sqlite", "results.sqlite"]),
}
"""What is run on a folder of photos, and what it leaves in the cache. Twenty seconds show what reports now and then."""


@pytest.mark.parametrize("command", RUNS)
@pytest.mark.skipif(sys.platform != "linux", reason="strace is Linux's")
def test_work_asks_for_no_name_and_leaves_nothing_but_the_cache(
    command: str, strace: str, samples: Path, tmp_path: Path
) -> None:
    options, expected = RUNS[command]
    home, photos, trace = (tmp_path / name for name in ("home", "photos", "trace"))
    home.mkdir()
    photos.mkdir()
    for name in ("dog.jpg", "city.jpg", "haze.jpg"):
        shutil.copy(samples / name, photos)
    # What continuous integration sets is left out: some packages keep quiet where they see it.
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"}
    if "PYTHONPATH" in os.environ:
        environment["PYTHONPATH"] = os.environ["PYTHONPATH"]
    calls = "trace=connect,sendto,sendmsg,sendmmsg"
    done = subprocess.run(
        [
            strace,
            "-f",
            "-qq",
            "-e",
            calls,
            "-o",
            str(trace),
            sys.executable,
            "-m",
            "photodefect",
            command,
            str(photos),
            *options,
        ],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert INTERNET.findall(trace.read_text(encoding="utf-8", errors="replace")) == []
    left = sorted(str(file.relative_to(home)) for file in home.rglob("*") if file.is_file())
    assert left == [f".cache/photodefect/{name}" for name in expected]
    info = [sys.executable, "-m", "photodefect", "cache", "info", "--json"]
    told = subprocess.run(info, env=environment, capture_output=True, text=True, check=True)
    assert json.loads(told.stdout)["photos"] == 3


def test_onnx_runtime_is_imported_in_the_one_module_that_forbids_its_telemetry() -> None:
    importing = []
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            importing += [file.name for name in names if name.split(".")[0] == "onnxruntime"]
    assert importing == ["onnx_runtime.py"]
