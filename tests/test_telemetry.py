"""No package that photodefect uses reports home: seen by the system calls, outside continuous integration."""

from __future__ import annotations

import ast
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


@pytest.mark.skipif(sys.platform != "linux", reason="strace is Linux's")
def test_twenty_seconds_of_work_ask_for_no_name_and_leave_nothing_but_the_cache(
    strace: str, samples: Path, tmp_path: Path
) -> None:
    home, photos, trace = (tmp_path / name for name in ("home", "photos", "trace"))
    home.mkdir()
    photos.mkdir()
    for name in ("dog.jpg", "city.jpg", "haze.jpg"):
        shutil.copy(samples / name, photos)
    # What continuous integration sets is left out: some packages keep quiet where they see it.
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8"}
    if "PYTHONPATH" in os.environ:
        environment["PYTHONPATH"] = os.environ["PYTHONPATH"]
    watch = [sys.executable, "-m", "photodefect", "watch", str(photos), "--existing", "--stop-after", str(SECONDS)]
    calls = "trace=connect,sendto,sendmsg,sendmmsg"
    done = subprocess.run(
        [strace, "-f", "-qq", "-e", calls, "-o", str(trace), *watch],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 3), done.stderr
    assert INTERNET.findall(trace.read_text(encoding="utf-8", errors="replace")) == []
    left = sorted(str(file.relative_to(home)) for file in home.rglob("*") if file.is_file())
    assert left == [".cache/photodefect/results.sqlite"]


def test_onnx_runtime_is_imported_in_the_one_module_that_forbids_its_telemetry() -> None:
    importing = []
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            importing += [file.name for name in names if name.split(".")[0] == "onnxruntime"]
    assert importing == ["onnx_runtime.py"]
