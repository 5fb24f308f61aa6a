"""Workers: a photo that breaks its worker costs its own record alone, and no worker outlives its parent."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import photodefect
from photodefect import Diagnoser
from photodefect.diagnosis.workers.process import PARENT_CHECK_S
from photodefect.diagnosis.workers.tasks import PixelJob
from photodefect.errors import PhotodefectError

ROOT = Path(photodefect.__file__).parents[1]
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
WIDE, SQUARE = "canyon-wren.jpg", "bulb.jpg"

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")


@dataclass(frozen=True)
class OnPhotosOf:
    """A job that does something bad to its process at photos of one width."""

    width: int
    what: str

    def __call__(self, pixels: np.ndarray) -> int:
        if pixels.shape[1] == self.width:
            BAD[self.what]()
        return os.getpid()


def crash() -> None:
    ctypes.string_at(0)


def loop_in_native_code() -> None:
    ctypes.PyDLL(None).pause()  # never returns, nor lets any other thread of Python run


MEMORY_LIMIT = 768 * 1024**2
"""Enough for a photo, and so little that what is beyond it hurts no machine."""


def take_memory() -> None:
    np.ones(MEMORY_LIMIT, np.uint8)


BAD: dict[str, Callable[[], object]] = {
    "crash": crash,
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "leave": lambda: os._exit(3),
    "loop": loop_in_native_code,
    "memory": take_memory,
}


@pytest.fixture
def photos(samples: Path) -> list[Path]:
    return [samples / name for name in (SQUARE, WIDE, SQUARE, SQUARE)]


def width(photo: Path) -> int:
    from PIL import Image  # noqa: PLC0415

    with Image.open(photo) as image:
        return image.width


@pytest.fixture
def diagnoser(random_model: Path) -> Iterator[Diagnoser]:
    with Diagnoser(random_model, patches=1, workers=2, time_limit=3, memory_limit=MEMORY_LIMIT) as it:
        yield it


@pytest.mark.parametrize(
    ("what", "kind", "message"),
    [
        ("crash", "DecoderDiedError", "SIGSEGV"),
        ("kill", "DecoderDiedError", "SIGKILL"),
        ("leave", "DecoderDiedError", "code 3"),
        ("loop", "TimedOutError", "after 3 seconds; --time-limit"),
        pytest.param("memory", "TooLargeError", "memory", marks=linux),
    ],
)
def test_a_photo_that_ends_its_worker_is_one_record_and_the_others_are_diagnosed(
    diagnoser: Diagnoser, photos: list[Path], what: str, kind: str, message: str
) -> None:
    done = list(diagnoser.diagnose_with(photos, PixelJob(OnPhotosOf(width(photos[1]), what))))
    errors = [record.error for record, _ in done]
    assert [error and error.type for error in errors] == [None, kind, None, None]
    assert message in errors[1].message  # type: ignore[union-attr]
    assert [record.path for record, _ in done] == [str(photo) for photo in photos]


def test_a_worker_that_died_while_it_had_nothing_to_do_is_replaced(diagnoser: Diagnoser, photos: list[Path]) -> None:
    job = PixelJob(OnPhotosOf(0, ""))
    ((_, pid),) = diagnoser.diagnose_with(photos[:1], job)
    os.kill(pid or 0, signal.SIGKILL)
    ((record, other),) = diagnoser.diagnose_with(photos[:1], job)
    assert record.error is None
    assert other != pid


@linux
def test_workers_are_forked_by_one_program_that_ends_with_them(diagnoser: Diagnoser, photos: list[Path]) -> None:
    parents = {parent for _, parent in diagnoser.diagnose_with(photos * 3, PixelJob(parent_of))}
    (server,) = parents
    assert server != os.getpid()
    assert alive(server)
    diagnoser.close()
    assert not alive(server)


def parent_of(_: np.ndarray) -> int:
    return os.getppid()


@linux
def test_workers_start_without_a_server_when_it_is_gone(diagnoser: Diagnoser, photos: list[Path]) -> None:
    ((_, server),) = diagnoser.diagnose_with(photos[:1], PixelJob(parent_of))
    os.kill(server or 0, signal.SIGKILL)
    while alive(server):
        time.sleep(0.01)
    job = PixelJob(OnPhotosOf(width(photos[1]), "kill"))
    errors = [record.error for record, _ in diagnoser.diagnose_with([photos[1], *photos], job)]
    assert [error and error.type for error in errors[-2:]] == [None, None]
    assert [error and error.type for error in errors][2] == "DecoderDiedError"
    ((_, parent),) = diagnoser.diagnose_with(photos[:1], PixelJob(parent_of))
    assert parent == os.getpid()


def test_workers_that_compute_in_threads_of_their_own_are_not_forked(random_model: Path, photos: list[Path]) -> None:
    with Diagnoser(random_model, patches=1, workers=2, threads=2) as diagnoser:
        parents = {parent for _, parent in diagnoser.diagnose_with(photos, PixelJob(parent_of))}
    assert parents == {os.getpid()}


def test_one_photo_takes_one_worker(diagnoser: Diagnoser, photos: list[Path]) -> None:
    job = PixelJob(OnPhotosOf(0, ""))
    pids = {pid for _ in range(4) for _, pid in diagnoser.diagnose_with(photos[:1], job)}
    assert len(pids) == 1


def test_a_worker_that_never_starts_ends_the_run_with_one_clear_error(
    random_model: Path, photos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", shutil.which("false"))
    with (
        Diagnoser(random_model, patches=1) as diagnoser,
        pytest.raises(PhotodefectError, match="a worker process ended with code 1 before it looked at a photo"),
    ):
        list(diagnoser.diagnose(photos))


def test_a_closed_diagnoser_leaves_no_process_and_can_be_used_again(diagnoser: Diagnoser, photos: list[Path]) -> None:
    job = PixelJob(OnPhotosOf(0, ""))
    pids = {pid for _, pid in diagnoser.diagnose_with(photos, job)}
    diagnoser.close()
    assert not any(map(alive, pids))
    ((record, _),) = diagnoser.diagnose_with(photos[:1], job)
    assert record.error is None


SCRIPT = """
import os, sys
from photodefect import Diagnoser
print("begun")
records = list(Diagnoser(sys.argv[1], patches=1).diagnose(sys.argv[2:]))
assert all(record.error is None for record in records), records
print(len(records))
"""


@pytest.mark.parametrize("how", ["file", "command", "stdin", "thread"])
def test_scripts_need_no_main_guard(how: str, random_model: Path, photos: list[Path], tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    text = SCRIPT
    if how == "thread":
        body = "".join(f"    {line}\n" for line in SCRIPT.strip().splitlines())
        text = f"import threading\ndef main():\n{body}\nthread = threading.Thread(target=main)\nthread.start()\n"
    script.write_text(text)
    arguments = {"command": ["-c", text], "stdin": ["-"]}.get(how, [str(script)])
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    if how in ("file", "thread"):  # what lies where a person stands is nothing that a worker imports
        (elsewhere / "pickle.py").write_text("raise SystemExit('not this one')")
    done = subprocess.run(
        [sys.executable, *arguments, str(random_model), *map(str, photos)],
        input=text if how == "stdin" else None,
        capture_output=True,
        text=True,
        check=False,
        cwd=elsewhere,
        env=ENVIRONMENT,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "begun\n4\n", "")


HANGING = """
import sys
from photodefect import Diagnoser
from photodefect.diagnosis.workers.tasks import PixelJob
sys.path.insert(0, sys.argv[1])
from test_workers import OnPhotosOf, PixelJob, width
for _, pid in Diagnoser(sys.argv[2], patches=1, workers=1).diagnose_with(
    [sys.argv[3], sys.argv[4]], PixelJob(OnPhotosOf(width(sys.argv[4]), sys.argv[5]))
):
    print(pid, flush=True)
"""


@linux
@pytest.mark.parametrize("what", ["sleep", ""])
def test_workers_do_not_outlive_a_parent_that_is_killed(what: str, random_model: Path, photos: list[Path]) -> None:
    arguments = [str(Path(__file__).parent), str(random_model), str(photos[0]), str(photos[1]), what or "nothing"]
    with subprocess.Popen(
        [sys.executable, "-c", HANGING, *arguments], stdout=subprocess.PIPE, env=ENVIRONMENT, text=True
    ) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        assert alive(worker)
        parent.kill()
    deadline = time.monotonic() + 20 * PARENT_CHECK_S
    while alive(worker) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(worker)


BAD["sleep"] = lambda: time.sleep(600)
BAD["nothing"] = lambda: None


def test_a_worker_limits_itself_when_native_code_hangs_and_nobody_is_there_to_end_it() -> None:
    script = (
        "import ctypes; from photodefect.diagnosis.workers import process; process.GRACE_S = 0; process._alarm(1); "
        "ctypes.PyDLL(None).pause(); print('went on')"
    )
    done = subprocess.run([sys.executable, "-c", script], env=ENVIRONMENT, capture_output=True, check=False)
    assert done.returncode == -signal.SIGALRM
    assert done.stdout == b""


def alive(pid: int | None) -> bool:
    """Whether a process runs; one that only waits to be asked for its exit code doesn't."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
