"""Journals: what they hold, and what is made of damaged ones."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from photodefect.errors import DataError, TransferError
from photodefect.files.journal import Journal, default_journal_path, read_journal


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal.jsonl"


def test_what_is_written_is_read(path: Path, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"\xff \n\xc3\xa4.jpg")
    with Journal(path, "copy to /out") as log:
        folder = log.done(log.begin("folder", tmp_path / "out"))
        copy = log.begin("copy", odd, source=odd, size=3, mtime_ns=5, part=tmp_path / ".part")
        copy = log.done(log.verified(copy, "ab" * 32))
        failed = log.failed(log.begin("write", odd, before=b"\x00\xff", sha256="cd" * 32), "no reason")
    record = read_journal(path)
    assert record.title == "copy to /out"
    assert record.entries == (folder, copy, failed)
    assert record.open_entries == (folder, copy)
    assert all(line.isascii() for line in path.read_text().splitlines())


def test_doing_nothing_leaves_no_journal(path: Path) -> None:
    with Journal(path) as log:
        assert not log.begun
    assert not path.parent.exists()


def test_a_full_disk_leaves_no_empty_journal(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as disk, Journal(path) as log:
        disk.setattr("photodefect.files.journal.os.fsync", full)
        disk.setattr("photodefect.files.journal.sync_folder", lambda _: None)
        with pytest.raises(TransferError, match="No space left on device"):
            log.begin("folder", tmp_path)
        assert not log.begun
    assert not path.exists()


def test_a_journal_is_never_overwritten(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    path.write_text("my diary")
    with Journal(path) as log, pytest.raises(TransferError, match="never overwritten"):
        log.begin("folder", tmp_path)
    assert path.read_text() == "my diary"


def test_a_line_that_a_crash_cut_off_counts_as_never_written(path: Path, tmp_path: Path) -> None:
    with Journal(path) as log:
        first = log.done(log.begin("folder", tmp_path / "a"))
    with path.open("ab") as stream:
        stream.write(b'{"id": 2, "event": "begin", "ki')
    record = read_journal(path)
    assert record.entries == (first,)
    with Journal.reopen(record) as log:
        second = log.begin("folder", tmp_path / "b")
    assert read_journal(path).entries == (first, second)
    assert second.id == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a journal"),
        (b"\xff\xd8\xff\xe0\n\n", "line 1: this is not a journal"),
        (b"[]\n", "line 1"),
        (b'{"format": "something"}\n', "not a journal of photodefect"),
        (b'{"format": "photodefect journal", "version": 2}\n', "version 2 can't be read"),
        (b'{"format": "photodefect journal", "version": 1}\nnonsense\n', "line 2"),
        (b'{"format": "photodefect journal", "version": 1}\n{"id": 1, "event": "done"}\n', "line 2"),
        (
            b'{"format": "photodefect journal", "version": 1}\n'
            b'{"id": 1, "event": "begin", "kind": "delete", "target": "/etc"}\n',
            "line 2",
        ),
        (
            b'{"format": "photodefect journal", "version": 1}\n'
            b'{"id": 1, "event": "begin", "kind": "copy", "target": "relative"}\n',
            "line 2",
        ),
    ],
)
def test_what_is_no_journal_is_refused_by_line(path: Path, content: bytes, words: str) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(DataError, match=words):
        read_journal(path)


def test_a_missing_journal_is_refused(path: Path) -> None:
    with pytest.raises(DataError, match="can't be read"):
        read_journal(path)


def test_journals_lie_in_the_persons_own_state_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    paths = {default_journal_path("move") for _ in range(5)}
    assert len(paths) == 5
    assert {path.parent for path in paths} == {tmp_path / "photodefect" / "journals"}


def test_lines_are_json_that_other_programs_read(path: Path, tmp_path: Path) -> None:
    with Journal(path) as log:
        log.done(log.begin("link", tmp_path / "a", text="/somewhere"))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[0]["format"] == "photodefect journal"
    assert [line["event"] for line in lines[1:]] == ["begin", "done"]
    assert lines[1]["text"] == "/somewhere"
