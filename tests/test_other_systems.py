"""What only POSIX has is done otherwise on Windows, which is played here by taking it away."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil  # before the system is another one: it looks once
import pytest

from photodefect.diagnosis.workers import limits, process
from photodefect.errors import TransferError
from photodefect.files.journal import Journal
from photodefect.files.plan import plan_transfer
from photodefect.files.transfer import apply
from photodefect.files.unfinished import clear_leftovers, is_running


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system without what only POSIX has."""
    monkeypatch.setattr(sys, "platform", "win32")
    for module in ("fcntl", "resource"):
        monkeypatch.setitem(sys.modules, module, None)
    for name in ("sysconf", "sched_getaffinity", "posix_fadvise"):
        monkeypatch.delattr(os, name, raising=False)


def ended_process() -> int:
    """The number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as done:
        done.wait()
    return done.pid


def test_a_process_is_told_to_run_or_not_without_a_signal_to_it() -> None:
    gone = ended_process()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        assert is_running(other.pid)
        other.communicate(b"\n")
    assert is_running(os.getpid())
    assert not is_running(gone)
    assert not is_running(10**30)


@pytest.mark.usefixtures("windows")
def test_unfinished_files_of_killed_runs_are_removed_without_file_locks(tmp_path: Path) -> None:
    gone = ended_process()
    for number in (gone, os.getpid()):
        (tmp_path / f".found.csv.{number}.part").touch()
    clear_leftovers([tmp_path / "found.csv"])
    assert [path.name for path in tmp_path.iterdir()] == [f".found.csv.{os.getpid()}.part"]


@pytest.mark.usefixtures("windows")
def test_an_unfinished_file_that_somebody_has_open_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = tmp_path / f".found.csv.{ended_process()}.part"
    part.touch()

    def in_use(_path: Path, **_options: Any) -> None:
        raise PermissionError(errno.EACCES, "The process cannot access the file because it is being used")

    monkeypatch.setattr(Path, "unlink", in_use)
    clear_leftovers([tmp_path / "found.csv"])
    assert part.exists()


def test_memory_and_cores_are_known_without_posix(request: pytest.FixtureRequest) -> None:
    there = psutil.virtual_memory().total
    assert limits._physical_memory() == there
    request.getfixturevalue("windows")
    assert limits._physical_memory() == there
    assert limits.available_cores() >= 1


@pytest.mark.usefixtures("windows")
def test_a_worker_notices_that_its_parent_is_gone_where_its_number_stays() -> None:
    assert process._is_there(os.getpid())
    assert not process._is_there(ended_process())


@pytest.mark.usefixtures("windows")
def test_a_worker_sets_no_limits_where_there_are_none() -> None:
    process._limit(1)
    process._alarm(1.0)


@pytest.mark.parametrize("code", [errno.EPERM, errno.EINVAL, errno.ENOTSUP])
def test_where_links_are_not_allowed_it_is_said_once_and_copies_are_offered(
    code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "photos").mkdir()
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / "photos" / name).write_bytes(b"photo")

    def refuse(*_arguments: Any, **_options: Any) -> None:
        raise OSError(code, "A required privilege is not held by the client")

    photos = sorted((tmp_path / "photos").iterdir())
    monkeypatch.setattr(os, "symlink", refuse)
    monkeypatch.setattr(Path, "symlink_to", refuse)
    plan = plan_transfer(photos, tmp_path / "chosen", "link", roots=[tmp_path / "photos"])
    said = r"no symbolic links there .* by --copy-to instead of --link-to"
    with Journal(tmp_path / "journal") as journal, pytest.raises(TransferError, match=said):
        apply(plan, journal)
    assert not (tmp_path / "chosen").exists()
    assert len(list((tmp_path / "photos").iterdir())) == 2
