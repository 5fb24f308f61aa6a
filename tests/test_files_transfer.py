"""Copying, linking and moving, and taking it back: no byte is lost, whatever comes between."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cut_off import FILES
from file_trees import contents, grow, photos_in, tree, trees
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import photodefect
from photodefect.errors import TransferError
from photodefect.files import journal as journal_module
from photodefect.files import operations
from photodefect.files.journal import Journal, read_journal
from photodefect.files.plan import Mode, plan_transfer
from photodefect.files.transfer import TransferOutcome, apply
from photodefect.files.undo import UndoOutcome, undo

ROOT = Path(photodefect.__file__).parents[1]
MEMORY = Path("/dev/shm")
MODES: tuple[Mode, ...] = ("copy", "link", "move")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    grow(folder, {"a.cr2": b"raw", "a.jpg": b"developed", "a.xmp": b"sidecar", "b.jpg": b"another"})
    return folder


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder on another file system."""
    if not MEMORY.is_dir() or MEMORY.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system here")
    folder = Path(tempfile.mkdtemp(dir=MEMORY))
    yield folder
    shutil.rmtree(folder)


def transfer(source: Path, target: Path, mode: Mode = "copy", journal: Path | None = None) -> TransferOutcome:
    """Let both shots go."""
    plan = plan_transfer([source / "a.cr2", source / "b.jpg"], target, mode, roots=[source])
    with Journal(journal or source.parent / "journal") as log:
        return apply(plan, log)


def take_back(journal: Path) -> UndoOutcome:
    record = read_journal(journal)
    with Journal.reopen(record) as log:
        return undo(record, log)


def test_copies_are_alike_in_content_times_and_permissions(source: Path, tmp_path: Path) -> None:
    os.utime(source / "a.cr2", ns=(1_000_000_001, 2_000_000_002))
    (source / "a.cr2").chmod(0o440)
    before = tree(source)
    outcome = transfer(source, tmp_path / "out")
    assert tree(tmp_path / "out") == before == tree(source)
    status = (tmp_path / "out/a.cr2").stat()
    assert (status.st_mtime_ns, status.st_mode & 0o777) == (2_000_000_002, 0o440)
    assert len(outcome.done) == 4
    assert outcome.journal == tmp_path / "journal"


def test_links_lead_to_the_photos(source: Path, tmp_path: Path) -> None:
    transfer(source, tmp_path / "out", "link")
    assert tree(tmp_path / "out") == {name: f"-> {source / name}" for name in tree(source)}
    assert (tmp_path / "out/a.cr2").read_bytes() == b"raw"


def test_a_moved_file_is_the_same_file(source: Path, tmp_path: Path) -> None:
    before, inode = tree(source), (source / "a.cr2").stat().st_ino
    transfer(source, tmp_path / "out", "move")
    assert tree(source) == {}
    assert tree(tmp_path / "out") == before
    assert (tmp_path / "out/a.cr2").stat().st_ino == inode


def test_a_move_to_another_file_system_keeps_content_and_times(source: Path, elsewhere: Path) -> None:
    os.utime(source / "a.cr2", ns=(1_000_000_001, 2_000_000_002))
    before = tree(source)
    transfer(source, elsewhere / "out", "move")
    assert tree(source) == {}
    assert tree(elsewhere / "out") == before
    assert (elsewhere / "out/a.cr2").stat().st_mtime_ns == 2_000_000_002
    assert take_back(source.parent / "journal").refused == ()
    assert tree(source) == before
    assert (source / "a.cr2").stat().st_mtime_ns == 2_000_000_002
    assert tree(elsewhere) == {}


def test_a_copy_that_reads_back_differently_never_replaces_its_source(
    source: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(source)
    monkeypatch.setattr(operations, "hash_stream", lambda _file: "0" * 64)
    with pytest.raises(TransferError, match="reads back differently"):
        transfer(source, elsewhere / "out", "move")
    assert tree(source) == before
    assert contents(elsewhere) == []


def test_where_there_are_no_hard_links_files_go_all_the_same(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: Any, **_options: Any) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    before = tree(source)
    monkeypatch.setattr(os, "link", refuse)
    transfer(source, tmp_path / "copied", "copy", tmp_path / "1")
    transfer(source, tmp_path / "moved", "move", tmp_path / "2")
    assert tree(tmp_path / "copied") == tree(tmp_path / "moved") == before
    assert tree(source) == {}
    grow(source, {"b.jpg": b"new"})
    assert len(take_back(tmp_path / "2").refused) == 1
    assert (source / "b.jpg").read_bytes() == b"new"
    assert (tmp_path / "moved/b.jpg").read_bytes() == b"another"


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("what", ["changed", "gone", "taken"])
def test_a_group_in_which_something_changed_since_the_plan_stays_whole(
    source: Path, tmp_path: Path, mode: Mode, what: str
) -> None:
    plan = plan_transfer([source / "a.cr2", source / "b.jpg"], tmp_path / "out", mode, roots=[source])
    match what:
        case "changed":
            (source / "a.xmp").write_bytes(b"changed")
        case "gone":
            (source / "a.xmp").unlink()
        case "taken":
            grow(tmp_path / "out", {"a.xmp": b"a stranger's"})
    before = tree(source)
    with Journal(tmp_path / "journal") as log:
        outcome = apply(plan, log)
    assert [action.source.name for action in outcome.done] == ["b.jpg"]
    (skipped,) = outcome.skipped
    assert skipped.path == source / "a.cr2"
    assert "a.xmp" in skipped.reason
    assert set(tree(tmp_path / "out")) == {"b.jpg"} | ({"a.xmp"} if what == "taken" else set())
    assert tree(source) == {name: content for name, content in before.items() if mode != "move" or name != "b.jpg"}


def test_a_source_that_cannot_be_read_does_not_stop_the_others(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces = operations.chunks

    def failing(file: Any) -> Iterator[bytes]:
        if str(file.name).endswith("a.cr2"):
            raise OSError(errno.EIO, "a bad sector")
        yield from pieces(file)

    monkeypatch.setattr(operations, "chunks", failing)
    outcome = transfer(source, tmp_path / "out")
    assert [action.source.name for action in outcome.done] == ["b.jpg"]
    assert "it can't be read: a bad sector" in outcome.skipped[0].reason
    assert set(tree(tmp_path / "out")) == {"b.jpg"}


@pytest.mark.parametrize("mode", ["copy", "move"])
def test_a_disk_that_fills_up_stops_with_whole_groups_only_and_can_be_undone(
    source: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, mode: Mode
) -> None:
    before = tree(source)

    def full(self: operations.FileOperations, origin: Path, part: Path, on_verified: Any) -> None:
        if origin.name == "a.jpg":
            part.write_bytes(b"deve")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(part))
        whole(self, origin, part, on_verified)

    whole = operations.FileOperations._copy_to_part
    monkeypatch.setattr(operations.FileOperations, "_copy_to_part", full)
    plan = plan_transfer([source / "b.jpg", source / "a.cr2"], elsewhere / "out", mode, roots=[source])
    journal = source.parent / "a journal"
    with Journal(journal) as log, pytest.raises(TransferError, match="the disk is full; make room") as raised:
        apply(plan, log)
    assert f"1 of 4 files went; to take them back: photodefect undo '{journal}' --apply" in str(raised.value)
    assert tree(elsewhere / "out") == {"b.jpg": b"another"}
    assert sorted(contents(source) + (contents(elsewhere) if mode == "move" else [])) == sorted(before.values())
    monkeypatch.undo()
    assert take_back(journal).refused == ()
    assert tree(source) == before
    assert tree(elsewhere) == {}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("line", range(1, 12))
def test_a_journal_that_cannot_be_written_stops_with_whole_groups_only(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: Mode, line: int
) -> None:
    before, written = tree(tmp_path), 0

    class FullDisk(journal_module.FileIO):  # type: ignore[misc, name-defined]
        def write(self, data: Any) -> int:
            nonlocal written
            written += 1
            if written >= line:
                if written == line:
                    super().write(bytes(data)[:5])
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return int(super().write(data))

    monkeypatch.setattr(journal_module, "FileIO", FullDisk)
    with pytest.raises(TransferError, match="journal can't be written, so nothing more is done: No space"):
        transfer(source, tmp_path / "out", mode)
    monkeypatch.undo()
    gone = set(tree(tmp_path / "out") if (tmp_path / "out").exists() else {})
    assert gone in (set(), {"a.cr2", "a.jpg", "a.xmp"})
    if line > 1:
        assert take_back(tmp_path / "journal").refused == ()
        (tmp_path / "journal").unlink()
    # Without a whole line in it no journal is left behind.
    assert tree(tmp_path) == before


def test_an_interrupt_is_held_until_a_group_is_whole(source: Path, tmp_path: Path) -> None:
    from contextlib import contextmanager  # noqa: PLC0415

    @contextmanager
    def interrupted() -> Iterator[None]:
        yield
        raise KeyboardInterrupt

    plan = plan_transfer([source / "a.cr2", source / "b.jpg"], tmp_path / "out", roots=[source])
    went = []
    with Journal(tmp_path / "journal") as log, pytest.raises(KeyboardInterrupt):
        apply(plan, log, on_action=went.append, whole=interrupted)
    assert [action.source.name for action in went] == ["a.cr2", "a.jpg", "a.xmp"]
    assert set(tree(tmp_path / "out")) == {"a.cr2", "a.jpg", "a.xmp"}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("undoing", ["apply", "undo"])
def test_what_is_killed_at_any_moment_loses_nothing_and_can_be_undone(
    tmp_path: Path, elsewhere: Path, mode: Mode, undoing: str
) -> None:
    for number, target in enumerate((tmp_path / "near", elsewhere)):
        folder = tmp_path / str(number)
        subprocess.run(
            [sys.executable, str(Path(__file__).with_name("cut_off.py")), mode, undoing, str(folder), str(target)],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            check=True,
        )
        points = sorted(folder.iterdir(), key=lambda path: int(path.name))
        assert len(points) > 15
        for point in points:
            out = target / point.name
            survived = {*contents(point / "source"), *(contents(out) if mode == "move" and out.exists() else [])}
            assert survived >= set(FILES.values())
            journal = point / "journal"
            if journal.exists() and journal.read_bytes().count(b"\n"):
                assert take_back(journal).refused == ()
                assert take_back(journal).steps == ()
            assert contents(point / "source") == sorted(FILES.values())
            assert not out.exists(), list(out.iterdir())


@given(trees, trees, st.sampled_from(MODES), st.booleans())
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_tree_is_as_it_was_when_all_is_taken_back(
    files: dict[str, bytes], there: dict[str, bytes], mode: Mode, keep: bool
) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        source, out, journal = root / "photos/source", root / "photos/out", root / "journal"
        grow(source, files)
        grow(out, there)
        before, bytes_before = tree(root / "photos"), contents(root / "photos")
        photos = [source / name for name in photos_in(files)]
        plan = plan_transfer(photos, out, mode, roots=[source], base=source if keep else None)
        with Journal(journal) as log:
            outcome = apply(plan, log)
        after = tree(root / "photos")
        assert {name: content for name, content in after.items() if name in before} == (
            {name: content for name, content in before.items() if name in after}
        )
        if mode == "move":
            assert contents(root / "photos") == bytes_before
        else:
            assert before.items() <= after.items()
        for action in outcome.done:
            assert action.target.read_bytes() == before[str(action.source.relative_to(root / "photos"))]
        if journal.exists():
            assert take_back(journal).refused == ()
        assert tree(root / "photos") == before
