"""Pixels from isolated processes: those of decoding right here, whatever else a photo does to its process."""

from __future__ import annotations

import time
from concurrent.futures import CancelledError, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hostile_decoder import HANG, KILL
from test_workers import alive, linux

from photodefect.diagnosis.workers import isolated, pool, starting
from photodefect.diagnosis.workers.isolated import IsolatedDecoder
from photodefect.diagnosis.workers.tasks import Outcome, Task
from photodefect.errors import (
    DecoderDiedError,
    PhotodefectError,
    PhotoError,
    TimedOutError,
    UnreadableError,
    UnsupportedError,
)
from photodefect.photos.decode import decode_pixels
from photodefect.records import PhotoFailure


@pytest.fixture
def hostile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes whose decoders do what a photo says, within three seconds."""
    monkeypatch.setattr(
        starting,
        "_BOOTSTRAP",
        starting._BOOTSTRAP.replace("from photodefect.", "import hostile_decoder; from photodefect.", 1),
    )
    monkeypatch.setattr(isolated, "time_limit", lambda _path, _patches: 3.0)


def evil(samples: Path, folder: Path, what: bytes) -> Path:
    path = folder / "evil.jpg"
    path.write_bytes((samples / "bulb.jpg").read_bytes() + what)
    return path


def test_pixels_are_those_of_decoding_here_for_all_threads(samples: Path) -> None:
    paths = sorted(samples.glob("*.jpg"))[:6]
    with IsolatedDecoder(2) as decoder, ThreadPoolExecutor(3) as threads:
        # All are looked at only when the last was decoded: none lies in memory that another was put in.
        decoded = list(threads.map(decoder, paths))
    for path, pixels in zip(paths, decoded, strict=True):
        assert np.array_equal(pixels, decode_pixels(path))
        assert pixels.dtype == np.uint8
        assert pixels.flags.writeable


def test_what_decoding_raises_is_raised(samples: Path, tmp_path: Path) -> None:
    (tmp_path / "damaged.jpg").write_bytes((samples / "bulb.jpg").read_bytes()[:900])
    (tmp_path / "text.jpg").write_text("no photo")
    with IsolatedDecoder(1) as decoder:
        for name, kind in (
            ("damaged.jpg", UnreadableError),
            ("text.jpg", UnsupportedError),
            ("missing.jpg", UnreadableError),
        ):
            with pytest.raises(kind) as here:
                decode_pixels(tmp_path / name)
            with pytest.raises(kind) as there:
                decoder(tmp_path / name)
            assert str(there.value) == str(here.value)


@pytest.mark.usefixtures("hostile")
@pytest.mark.parametrize(
    ("what", "kind", "message"),
    [
        (HANG, TimedOutError, r"it was not done after 3 seconds$"),
        (KILL, DecoderDiedError, "the process that read it was ended by signal 11"),
    ],
    ids=["hangs", "kills"],
)
def test_a_photo_that_hangs_or_kills_its_process_is_an_error_and_is_not_tried_again(
    what: bytes, kind: type[PhotoError], message: str, samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = evil(samples, tmp_path, what)
    with IsolatedDecoder(1) as decoder:
        with pytest.raises(kind, match=message):
            decoder(bad)
        assert decoder(samples / "bulb.jpg").shape[2] == 3
        with monkeypatch.context() as patched:
            patched.setattr(decoder._workers, "submit", None)
            with pytest.raises(kind, match=message):
                decoder(bad)


@pytest.mark.parametrize(
    ("outcome", "kind", "message"),
    [
        (Outcome(failure=PhotoFailure("InternalError", "KeyError: 3")), PhotoError, "KeyError: 3"),
        (Outcome(failure=PhotoFailure("NewError", "odd")), PhotoError, "odd"),
        (Outcome(fatal=PhotodefectError("no process")), PhotodefectError, "no process"),
    ],
)
def test_what_nobody_foresaw_is_an_error_of_the_photo_and_what_is_fatal_is_not(
    outcome: Outcome, kind: type[Exception], message: str, samples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool.WorkerProcess, "do", lambda _self, _task: outcome)
    with IsolatedDecoder(1) as decoder, pytest.raises(kind, match=message) as raised:
        decoder(samples / "bulb.jpg")
    assert raised.type is kind


@linux
@pytest.mark.usefixtures("hostile")
def test_closing_ends_all_processes_and_whoever_waits(
    samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolated, "time_limit", lambda _path, _patches: 600.0)
    started: list[int] = []
    start = pool.start

    def watched(*arguments: object) -> object:
        process = start(*arguments)  # type: ignore[arg-type]
        started.append(process.pid)
        return process

    monkeypatch.setattr(pool, "start", watched)
    bad = evil(samples, tmp_path, HANG)
    with ThreadPoolExecutor(3) as threads:
        with IsolatedDecoder(2) as decoder:
            decoder(samples / "bulb.jpg")
            waiting = [threads.submit(decoder, bad) for _ in range(3)]
            while len(started) < 2:
                time.sleep(0.01)
        for future in waiting:
            with pytest.raises(CancelledError):
                future.result(timeout=60)
    assert not any(alive(pid) for pid in started)
    with pytest.raises(CancelledError):
        decoder(samples / "bulb.jpg")


def test_no_process_is_started_before_there_is_a_photo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "start", None)
    with IsolatedDecoder(4):
        pass


def test_workers_without_a_model_find_nothing_and_say_so(samples: Path) -> None:
    from photodefect.diagnosis.settings import Decoding  # noqa: PLC0415
    from photodefect.diagnosis.workers.examiner import Examiner  # noqa: PLC0415

    outcome = Examiner(Decoding()).examine(Task(str(samples / "bulb.jpg"), kind="anything"))
    assert outcome.failure is not None
    assert "a worker that has no model" in outcome.failure.message
