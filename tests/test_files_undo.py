"""Taking back: never at the cost of anything."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest
from file_trees import grow, tree

from photodefect.files.fingerprint import COARSEST_NS
from photodefect.files.journal import Journal, read_journal
from photodefect.files.operations import DryRunOperations
from photodefect.files.plan import Mode, plan_transfer
from photodefect.files.transfer import apply
from photodefect.files.undo import UndoOutcome, undo


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    grow(folder, {"source/a.jpg": b"a", "source/sub/b.jpg": b"b"})
    return folder


def transfer(root: Path, mode: Mode) -> None:
    source = root / "source"
    plan = plan_transfer([source / "a.jpg", source / "sub/b.jpg"], root / "out/deep", mode, roots=[source], base=source)
    with Journal(root.parent / "journal") as log:
        apply(plan, log)


def take_back(root: Path) -> UndoOutcome:
    record = read_journal(root.parent / "journal")
    with Journal.reopen(record) as log:
        return undo(record, log)


def test_moved_files_go_back_even_into_folders_that_were_removed(root: Path) -> None:
    before = tree(root)
    transfer(root, "move")
    (root / "source/sub").rmdir()
    assert take_back(root).refused == ()
    assert tree(root) == before


def test_a_moved_file_that_was_edited_goes_back_as_it_is(root: Path) -> None:
    transfer(root, "move")
    (root / "out/deep/a.jpg").write_bytes(b"edited")
    outcome = take_back(root)
    assert (root / "source/a.jpg").read_bytes() == b"edited"
    assert any(str(step).endswith("a.jpg (changed since)") for step in outcome.steps)


@pytest.fixture
def memory_card(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if every other folder were on exFAT: another disk, no hard links, and times in steps of two seconds."""
    really_copy = shutil.copystat

    def link(source: Path, target: Path) -> None:
        code = errno.EPERM if Path(source).parent == Path(target).parent else errno.EXDEV
        raise OSError(code, os.strerror(code), str(source), None, str(target))

    def copystat(source: Path, target: Path) -> None:
        really_copy(source, target)
        status = target.stat()
        os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns // COARSEST_NS * COARSEST_NS))

    monkeypatch.setattr(os, "link", link)
    monkeypatch.setattr(shutil, "copystat", copystat)


def steps(outcome: UndoOutcome) -> str:
    return "\n".join(map(str, outcome.steps))


@pytest.mark.usefixtures("memory_card")
def test_times_that_a_memory_card_keeps_coarsely_are_no_change_and_come_back(root: Path) -> None:
    photo, taken = root / "source/a.jpg", 1_700_000_001_234_567_891
    os.utime(photo, ns=(taken, taken))
    transfer(root, "move")
    assert (root / "out/deep/a.jpg").stat().st_mtime_ns == 1_700_000_000_000_000_000
    outcome = take_back(root)
    assert "changed since" not in steps(outcome)
    assert photo.read_bytes() == b"a"
    assert photo.stat().st_mtime_ns // 1000 == taken // 1000


@pytest.mark.usefixtures("memory_card")
def test_what_was_changed_on_a_memory_card_is_told_by_its_content(root: Path) -> None:
    transfer(root, "move")
    moved = root / "out/deep/a.jpg"
    time = moved.stat().st_mtime_ns + 1
    moved.write_bytes(b"z")
    os.utime(moved, ns=(time, time))
    outcome = take_back(root)
    assert any(str(step).endswith("a.jpg (changed since)") for step in outcome.steps)
    assert (root / "source/a.jpg").read_bytes() == b"z"


@pytest.mark.usefixtures("memory_card")
def test_copies_on_a_memory_card_are_known_by_their_content(root: Path) -> None:
    before = tree(root)
    transfer(root, "copy")
    assert take_back(root).refused == ()
    assert tree(root) == before


def test_a_share_that_rounds_the_time_of_a_renamed_file_does_not_make_it_a_changed_one(root: Path) -> None:
    os.utime(root / "source/a.jpg", ns=(1_700_000_001_999_999_999,) * 2)
    transfer(root, "move")
    moved = root / "out/deep/a.jpg"
    os.utime(moved, ns=(1_700_000_000_000_000_000,) * 2)
    assert "changed since" not in steps(take_back(root))
    (root.parent / "journal").unlink()
    transfer(root, "move")
    os.utime(moved, ns=(1_700_000_004_000_000_000,) * 2)
    assert "a.jpg (changed since)" in steps(take_back(root))


def test_nothing_new_at_the_old_place_is_overwritten(root: Path) -> None:
    transfer(root, "move")
    grow(root, {"source/a.jpg": b"new"})
    outcome = take_back(root)
    assert len(outcome.refused) == 1
    assert "another file is at" in outcome.refused[0]
    assert tree(root)["source/a.jpg"] == b"new"
    assert tree(root)["out/deep/a.jpg"] == b"a"
    assert tree(root)["source/sub/b.jpg"] == b"b"
    (root / "source/a.jpg").rename(root / "new.jpg")
    assert take_back(root).refused == ()
    assert tree(root)["source/a.jpg"] == b"a"
    assert not (root / "out").exists()


@pytest.mark.parametrize("what", ["gone", "changed"])
def test_a_copy_that_may_be_the_last_one_stays(root: Path, what: str) -> None:
    transfer(root, "copy")
    if what == "gone":
        (root / "source/a.jpg").unlink()
    else:
        (root / "source/a.jpg").write_bytes(b"z")
    (refused,) = take_back(root).refused
    assert "this may be the last copy" in refused
    assert tree(root / "out") == {"deep": None, "deep/a.jpg": b"a"}


def test_a_copy_that_was_edited_stays_and_so_does_its_folder(root: Path) -> None:
    transfer(root, "copy")
    (root / "out/deep/a.jpg").write_bytes(b"edited")
    outcome = take_back(root)
    assert "it was changed since it was copied" in outcome.refused[0]
    assert [note.split(" stays: ")[0] for note in outcome.notes] == [f"{root}/out/deep", f"{root}/out"]
    assert tree(root / "out") == {"deep": None, "deep/a.jpg": b"edited"}


def test_what_took_the_place_of_a_link_stays(root: Path) -> None:
    transfer(root, "link")
    (root / "out/deep/a.jpg").unlink()
    grow(root, {"out/deep/a.jpg": b"a photo now"})
    assert "no longer the link that was made" in take_back(root).refused[0]
    assert tree(root / "out") == {"deep": None, "deep/a.jpg": b"a photo now"}


def test_files_that_came_later_keep_their_folder(root: Path) -> None:
    transfer(root, "copy")
    grow(root, {"out/deep/mine.txt": b"mine"})
    outcome = take_back(root)
    assert outcome.refused == ()
    assert tree(root / "out") == {"deep": None, "deep/mine.txt": b"mine"}


def test_what_is_gone_from_both_places_is_told(root: Path) -> None:
    transfer(root, "move")
    (root / "out/deep/a.jpg").unlink()
    (refused,) = take_back(root).refused
    assert "it is gone from there and from" in refused


@pytest.mark.parametrize("mode", ["copy", "link", "move"])
def test_a_dry_undo_says_the_same_and_does_nothing(root: Path, mode: Mode) -> None:
    before = tree(root)
    transfer(root, mode)
    after = tree(root.parent)
    record = read_journal(root.parent / "journal")
    dry = undo(record, Journal(None), files=DryRunOperations())
    assert tree(root.parent) == after
    real = take_back(root)
    assert [str(step) for step in dry.steps] == [str(step) for step in real.steps]
    assert (dry.refused, dry.notes) == (real.refused, real.notes) == ((), ())
    assert tree(root) == before
    assert take_back(root).steps == ()


def test_a_written_sidecar_gets_its_former_content_back(tmp_path: Path) -> None:
    import hashlib  # noqa: PLC0415

    from photodefect.files.fingerprint import fingerprint  # noqa: PLC0415
    from photodefect.files.operations import FileOperations  # noqa: PLC0415

    grow(tmp_path, {"photos/a.xmp": b"before"})
    new, changed = tmp_path / "photos/b.xmp", tmp_path / "photos/a.xmp"
    with Journal(tmp_path / "journal") as log:
        for path, former in ((new, None), (changed, b"before")):
            entry = log.begin("write", path, before=former, sha256=hashlib.sha256(b"after").hexdigest())
            FileOperations().write(path, b"after", path.with_name(".part"), replaces=fingerprint(path))
            log.done(entry)
    assert tree(tmp_path / "photos") == {"a.xmp": b"after", "b.xmp": b"after"}
    assert take_back(tmp_path / "photos").refused == ()
    assert tree(tmp_path / "photos") == {"a.xmp": b"before"}
