"""Writing sidecars: whole or not at all, and back."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from photodefect.errors import TransferError
from photodefect.files.fingerprint import Fingerprint
from photodefect.files.journal import Journal, read_journal
from photodefect.files.operations import DryRunOperations, FileOperations
from photodefect.files.undo import undo
from photodefect.sidecars.marks import Marks
from photodefect.sidecars.write import SidecarOutcome, SidecarTask, write_sidecars
from photodefect.sidecars.xmp import XmpDocument

XMP = Path(__file__).parent / "xmp"
SEVERE = Marks(-1, "Purple", (("photodefect", "severe", "noise"),), {"noise": "0.612", "verdict": "severe"})
GOOD = Marks(values={"noise": "0.1", "verdict": "good"})


def write(
    *paths: Path, marks: Marks = SEVERE, journal: Path | None = None, files: FileOperations | None = None
) -> SidecarOutcome:
    with Journal(journal, "test") as opened:
        return write_sidecars([SidecarTask(path, marks) for path in paths], opened, files=files)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def rating(path: Path) -> int | float | None:
    return XmpDocument(path.read_bytes()).rating


@pytest.fixture
def sidecar(tmp_path: Path) -> Path:
    """What darktable wrote, in a folder of its own."""
    folder = tmp_path / "photos"
    folder.mkdir()
    return Path(shutil.copy(XMP / "darktable.xmp", folder / "IMG_0042.CR2.xmp"))


def test_new_and_changed_sidecars_are_told_apart_from_those_up_to_date(sidecar: Path) -> None:
    new = sidecar.with_name("b.xmp")
    outcome = write(sidecar, new)
    assert [(it.path, it.new) for it in outcome.written] == [(sidecar, False), (new, True)]
    assert str(outcome.written[1]) == (
        f"{new} (new): rating -1, label Purple, keyword photodefect|severe|noise, severities"
    )
    assert rating(sidecar) == rating(new) == -1
    before = {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in (sidecar, new)}
    again = write(sidecar, new)
    assert (again.written, again.unchanged, again.refused) == ((), 2, ())
    assert {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in (sidecar, new)} == before
    assert names(sidecar.parent) == {sidecar.name, new.name}


def test_a_photo_with_nothing_to_say_gets_no_sidecar_and_touches_none(sidecar: Path) -> None:
    before = sidecar.read_bytes()
    broken = sidecar.with_name("broken.xmp")
    broken.write_bytes(b"<x")
    outcome = write(sidecar, broken, sidecar.with_name("none.xmp"), marks=GOOD)
    assert (outcome.written, outcome.unchanged, outcome.refused) == ((), 0, ())
    assert sidecar.read_bytes() == before
    assert not sidecar.with_name("none.xmp").exists()


def test_what_we_said_is_taken_back_when_the_photo_is_good_by_now(sidecar: Path) -> None:
    write(sidecar)
    write(sidecar, marks=GOOD)
    document = XmpDocument(sidecar.read_bytes())
    assert (document.rating, document.hierarchical_keywords) == (0, ["places|alps"])


def test_a_plan_writes_nothing(sidecar: Path, tmp_path: Path) -> None:
    before = sidecar.read_bytes()
    outcome = write(sidecar, sidecar.with_name("b.xmp"), files=DryRunOperations())
    assert len(outcome.written) == 2
    assert sidecar.read_bytes() == before
    assert names(sidecar.parent) == {sidecar.name}
    assert names(tmp_path) == {"photos"}


def test_undo_restores_what_was_there_and_removes_what_wasnt(sidecar: Path, tmp_path: Path) -> None:
    before = sidecar.read_bytes()
    journal = tmp_path / "journal.jsonl"
    write(sidecar, sidecar.with_name("b.xmp"), journal=journal)
    record = read_journal(journal)
    with Journal.reopen(record) as reopened:
        assert undo(record, reopened).refused == ()
    assert sidecar.read_bytes() == before
    assert names(sidecar.parent) == {sidecar.name}


def test_unreadable_sidecars_are_refused_by_name_and_the_others_written(sidecar: Path) -> None:
    broken, folder, loop = (sidecar.with_name(name) for name in ("broken.xmp", "folder.xmp", "loop.xmp"))
    broken.write_bytes(b"<x:xmpmeta")
    folder.mkdir()
    loop.symlink_to(loop.name)
    outcome = write(broken, folder, loop, sidecar)
    assert [it.path for it in outcome.refused] == [broken, folder, loop]
    assert "isn't well-formed XML" in str(outcome.refused[0])
    assert "a folder" in outcome.refused[1].reason
    assert broken.read_bytes() == b"<x:xmpmeta"
    assert [it.path for it in outcome.written] == [sidecar]


def test_permissions_stay(sidecar: Path) -> None:
    sidecar.chmod(0o640)
    write(sidecar)
    assert sidecar.stat().st_mode & 0o777 == 0o640
    assert rating(sidecar) == -1


def test_a_write_protected_sidecar_is_refused_even_if_its_folder_isnt(sidecar: Path) -> None:
    before = sidecar.read_bytes()
    sidecar.chmod(0o444)
    (refused,) = write(sidecar).refused
    assert refused.reason == "it is write-protected"
    assert sidecar.read_bytes() == before


def test_a_sidecar_that_is_a_link_stays_one(sidecar: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.xmp"
    sidecar.rename(elsewhere)
    sidecar.symlink_to(elsewhere)
    write(sidecar, journal=tmp_path / "journal.jsonl")
    assert sidecar.is_symlink()
    assert rating(elsewhere) == -1
    record = read_journal(tmp_path / "journal.jsonl")
    with Journal.reopen(record) as reopened:
        undo(record, reopened)
    assert elsewhere.read_bytes() == (XMP / "darktable.xmp").read_bytes()


def test_a_link_to_a_photo_never_changes_the_photo(samples: Path, tmp_path: Path) -> None:
    photo = Path(shutil.copy(samples / "dog.jpg", tmp_path / "dog.jpg"))
    link = tmp_path / "dog.xmp"
    link.symlink_to(photo)
    (refused,) = write(link).refused
    assert "isn't well-formed XML" in refused.reason
    assert photo.read_bytes() == (samples / "dog.jpg").read_bytes()


class Busy(FileOperations):
    """Before it writes, another program does."""

    def __init__(self, meddle: Callable[[Path], None], times: int) -> None:
        self._meddle = meddle
        self._times = times

    def write(self, target: Path, data: bytes, part: Path, *, replaces: Fingerprint | None) -> None:
        if self._times:
            self._times -= 1
            self._meddle(target)
        super().write(target, data, part, replaces=replaces)


def test_what_another_program_writes_meanwhile_isnt_lost(sidecar: Path) -> None:
    def rate(path: Path) -> None:
        path.write_bytes((XMP / "darktable.xmp").read_bytes().replace(b'Rating="0"', b'Rating="5" '))

    write(sidecar, files=Busy(rate, 1))
    document = XmpDocument(sidecar.read_bytes())
    assert document.rating == 5
    assert document.hierarchical_keywords == ["places|alps", "photodefect|severe|noise"]


def test_a_sidecar_that_appears_meanwhile_is_merged_into(sidecar: Path) -> None:
    new = sidecar.with_name("new.xmp")
    write(new, files=Busy(lambda path: path.write_bytes((XMP / "lightroom.xmp").read_bytes()), 1))
    document = XmpDocument(new.read_bytes())
    assert (document.rating, document.keywords[0]) == (4, "Alps")
    assert "photodefect|severe|noise" in document.hierarchical_keywords


def test_a_sidecar_that_keeps_changing_is_left_alone(sidecar: Path, tmp_path: Path) -> None:
    count = iter(range(100))

    def change(path: Path) -> None:
        path.write_bytes((XMP / "darktable.xmp").read_bytes() + b"\n" * next(count))

    (refused,) = write(sidecar, files=Busy(change, 99), journal=tmp_path / "journal.jsonl").refused
    assert "keeps changing" in refused.reason
    assert rating(sidecar) == 0
    assert {entry.state for entry in read_journal(tmp_path / "journal.jsonl").entries} == {"failed"}
    assert names(sidecar.parent) == {sidecar.name}


class Failing(FileOperations):
    """The system refuses to write."""

    def __init__(self, number: int) -> None:
        self._number = number

    def write(self, target: Path, data: bytes, part: Path, *, replaces: Fingerprint | None) -> None:  # noqa: ARG002
        raise OSError(self._number, os.strerror(self._number), str(part))


def test_a_full_disk_ends_it_and_says_how_far_it_got(sidecar: Path) -> None:
    with pytest.raises(TransferError, match=r"the disk is full.*sidecars changed before that: 0"):
        write(sidecar, files=Failing(errno.ENOSPC))
    assert rating(sidecar) == 0


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.EIO])
def test_another_failure_is_of_one_sidecar(number: int, sidecar: Path) -> None:
    outcome = write(sidecar, sidecar.with_name("b.xmp"), files=Failing(number))
    assert [it.reason for it in outcome.refused] == [f"it can't be written: {os.strerror(number)}"] * 2


def test_a_read_only_folder_is_told_even_in_the_plan(sidecar: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root may write to a folder without permission: so it is the answer that is made up.
    monkeypatch.setattr(os, "access", lambda path, _mode: Path(path) != sidecar.parent)
    (refused,) = write(sidecar, files=DryRunOperations()).refused
    assert refused.reason == f"nothing may be written to {sidecar.parent}"
