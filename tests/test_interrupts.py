"""However a run ends, nothing is lost, nothing is left behind, and the next one completes what it began."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import photodefect

ROOT = Path(photodefect.__file__).parents[1]
PHOTOS = 60
MARK = "PHOTODEFECT_TEST_RUN"

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")


class Run:
    """Starts ``photodefect diagnose`` over a folder, in a process of its own."""

    def __init__(self, model: Path, root: Path, samples: Path) -> None:
        self.folder = root / "photos"
        self.folder.mkdir()
        self.caches = root / "caches"
        self.caches.mkdir()
        self.report = self.folder / "report.ndjson"
        self.model = model
        self.mark = uuid.uuid4().hex
        for number in range(PHOTOS):
            photo = (samples / "bulb.jpg").read_bytes() + bytes([number])  # what follows a JPEG's end is no part of it
            (self.folder / f"{number:02}.jpg").write_bytes(photo)

    def start(self, *arguments: str | Path, stdout: Any = subprocess.PIPE) -> subprocess.Popen[bytes]:
        options = ["--model", self.model, "--patches", "1", "--cache", self.caches / "cache.sqlite"]
        python_path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        return subprocess.Popen(
            [sys.executable, "-m", "photodefect", "diagnose", *map(str, [*options, *arguments, self.folder])],
            stdout=stdout,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=os.environ | {"PYTHONPATH": python_path, MARK: self.mark},
        )

    def photos(self) -> dict[str, str]:
        return {it.name: hashlib.sha256(it.read_bytes()).hexdigest() for it in self.folder.glob("*.jpg")}

    def processes(self) -> list[int]:
        """All processes of all runs that are there still."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if f"{MARK}={self.mark}".encode() in (process / "environ").read_bytes():
                    found.append(int(process.name))
            except OSError:
                continue
        return found

    def begun(self) -> bool:
        """Whether a record is in the report, or in what will become it."""
        try:
            return any(it.stat().st_size for it in self.folder.glob(".report*"))
        except FileNotFoundError:  # it became the report, or was cleared away, just now
            return False


@pytest.fixture
def run(random_model: Path, tmp_path: Path, samples: Path) -> Run:
    return Run(random_model, tmp_path, samples)


def wait_until(done: Callable[[], bool], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@linux
def test_runs_that_are_killed_at_any_moment_leave_nothing_but_what_the_next_one_needs(run: Run) -> None:
    before = run.photos()
    moments = random.Random(6)
    for number in range(6):
        process = run.start("--format", "ndjson", "--output", run.report, "--force")
        if number % 2:
            wait_until(lambda p=process: run.begun() or p.poll() is not None)
            time.sleep(moments.uniform(0, 0.1))
        else:
            time.sleep(moments.uniform(0, 1.5))
        process.kill()
        process.communicate()
    assert wait_until(lambda: not run.processes(), 15), "workers outlived their parents"
    with run.start("--format", "ndjson", "--output", run.report, "--force") as process:
        output, errors = process.communicate()
    assert (process.returncode, output) == (0, b""), errors
    records = [json.loads(line) for line in run.report.read_text().splitlines()]
    assert [record["path"] for record in records] == [str(run.folder / f"{number:02}.jpg") for number in range(PHOTOS)]
    assert all(record["error"] is None for record in records)
    assert run.photos() == before
    assert sorted(it.name for it in run.folder.iterdir()) == [*sorted(before), "report.ndjson"]
    assert [it.name for it in run.caches.iterdir()] == ["cache.sqlite"]


@linux
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_is_ended_says_how_to_go_on_and_the_next_one_does(run: Run, number: signal.Signals) -> None:
    with run.start("--format", "ndjson", "--workers", "1") as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(number)
        rest, errors = process.communicate(timeout=60)
    assert process.returncode == 130, (len(rest.splitlines()), errors)
    lines = (first + rest).splitlines(keepends=True)
    assert all(line.endswith(b"\n") for line in lines)
    records = [json.loads(line) for line in lines]
    told = errors.decode().splitlines()
    assert told[0] == (f"interrupted after {len(records)} of {PHOTOS} photos; what was written is complete up to there")
    assert told[1:] == ["the same command goes on from there: results so far are in the cache"]
    assert wait_until(lambda: not run.processes(), 15)
    with run.start("--format", "ndjson") as process:
        again, _ = process.communicate()
    assert process.returncode == 0
    assert [json.loads(line) for line in again.splitlines()][: len(records)] == records


@pytest.mark.parametrize("pause", [0.0, 0.02, 0.2])
def test_a_second_interrupt_leaves_at_once_and_without_a_traceback(run: Run, pause: float) -> None:
    with run.start("--format", "ndjson", "--workers", "1") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        time.sleep(pause)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode in (130, -signal.SIGINT)
    assert b"Traceback" not in errors


@linux
def test_an_interrupt_at_any_moment_of_the_start_leaves_no_traceback(run: Run) -> None:
    moments = random.Random(7)
    for _ in range(4):
        with run.start("--format", "csv") as process:
            assert wait_until(lambda p=process: b"libc" in Path(f"/proc/{p.pid}/maps").read_bytes())
            time.sleep(0.1 + moments.uniform(0, 0.5))
            process.send_signal(signal.SIGINT)
            rest, errors = process.communicate(timeout=60)
        assert process.returncode in (130, -signal.SIGINT)
        assert rest == b"" or rest.endswith(b"\n")
        # Python's own start can't be helped, nor can the package's, which `python -m` imports before its __main__.
        assert b"Traceback" not in errors or b"in _run_module_as_main" in errors, errors
        assert b"__main__.py" not in errors, errors
        assert b"Exception ignored" not in errors, errors


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="has no /dev/full")
@pytest.mark.parametrize("to", ["stdout", "file"])
def test_a_full_disk_is_one_clear_error(run: Run, to: str) -> None:
    arguments = ["--format", "ndjson"] + (["--output", "/dev/full"] if to == "file" else [])
    with Path("/dev/full").open("wb") as full, run.start(*arguments, stdout=full) as process:
        _, errors = process.communicate()
    assert process.returncode == 1
    (line,) = errors.decode().splitlines()
    assert line.startswith("photodefect: ")
    assert line.endswith(": No space left on device")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_can_not_be_written_is_one_clear_error_before_any_work(run: Run, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(0o500)
    with run.start("--output", locked / "report.json") as process:
        _, errors = process.communicate()
    assert process.returncode == 1
    (line,) = errors.decode().splitlines()
    assert "Permission denied" in line


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="the system sends signals to processes alone")
def test_an_interrupt_that_another_thread_receives_ends_the_wait_of_the_main_thread() -> None:
    script = """
import signal, threading, time
from photodefect.cli.interrupts import endings_as_interrupts

def interrupt():
    time.sleep(0.2)  # the main thread waits by then
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)

threading.Thread(target=interrupt, daemon=True).start()
try:
    with endings_as_interrupts():
        threading.Event().wait()
except KeyboardInterrupt:
    print("noticed")
"""
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True, timeout=30)

    assert (done.stdout, done.stderr) == ("noticed\n", "")


def test_a_run_that_is_to_ignore_interrupts_goes_on_but_for_other_endings() -> None:
    script = """
import signal
from photodefect.cli.interrupts import endings_as_interrupts, held_interrupts

signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a shell does in the background of a script
with endings_as_interrupts(), held_interrupts():
    signal.raise_signal(signal.SIGINT)
print("done")
try:
    with endings_as_interrupts(), held_interrupts():
        signal.raise_signal(signal.SIGTERM)
        print("written")
except KeyboardInterrupt:
    print("ended")
"""
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True, timeout=30)

    assert (done.returncode, done.stdout, done.stderr) == (0, "done\nwritten\nended\n", "")
