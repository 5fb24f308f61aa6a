"""Plans of what goes where: nothing is changed, and what can't be is refused."""

from __future__ import annotations

import os
import shutil
import tempfile
import unicodedata
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path

import pytest
from file_trees import NOBODY, as_nobody, grow, photos_in, tree, trees
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from photodefect.errors import DataError, TransferError
from photodefect.files.companions import companions
from photodefect.files.journal import Journal
from photodefect.files.operations import DryRunOperations
from photodefect.files.plan import Mode, TransferPlan, plan_transfer
from photodefect.files.transfer import apply


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that anybody can reach, other than pytest's."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def ways(plan: TransferPlan) -> dict[str, str]:
    """Targets by source, both by name."""
    return {action.source.name: action.target.name for action in plan.actions}


def test_all_goes_into_one_folder_under_its_own_name(source: Path, tmp_path: Path) -> None:
    grow(source, {"a.jpg": b"1", "sub/b.jpg": b"2", "sub/b.xmp": b"3", "c.jpg": b"4"})
    plan = plan_transfer([source / "a.jpg", source / "sub/b.jpg"], tmp_path / "out", roots=[source])
    assert [(action.source, action.target) for action in plan.actions] == [
        (source / "a.jpg", tmp_path / "out/a.jpg"),
        (source / "sub/b.jpg", tmp_path / "out/b.jpg"),
        (source / "sub/b.xmp", tmp_path / "out/b.xmp"),
    ]
    assert next(plan.lines()) == f"copy {source}/a.jpg -> {tmp_path}/out/a.jpg"


def test_sub_folders_can_be_kept(source: Path, tmp_path: Path) -> None:
    grow(source, {"a.jpg": b"1", "sub/deep/a.jpg": b"2"})
    plan = plan_transfer([source / "a.jpg", source / "sub/deep/a.jpg"], tmp_path / "out", roots=[source], base=source)
    assert [action.target for action in plan.actions] == [tmp_path / "out/a.jpg", tmp_path / "out/sub/deep/a.jpg"]


def test_same_names_are_numbered_with_all_that_belongs_to_them(source: Path, tmp_path: Path) -> None:
    grow(source, {"x/a.CR2": b"1", "x/a.xmp": b"2", "y/a.CR2": b"3", "y/a.CR2.xmp": b"4", "y/a.JPG": b"5"})
    grow(tmp_path / "out", {"A.txt": b"6"})
    plan = plan_transfer([source / "x/a.CR2", source / "y/a.JPG"], tmp_path / "out", roots=[source])
    assert [action.target.name for action in plan.actions] == [
        "a (2).CR2",
        "a (2).xmp",
        "a (3).JPG",
        "a (3).CR2",
        "a (3).CR2.xmp",
    ]


def test_a_stranger_of_the_same_stem_in_the_target_gets_no_new_companion(source: Path, tmp_path: Path) -> None:
    grow(source, {"a.jpg": b"1"})
    grow(tmp_path / "out", {"a.xmp": b"of another photo"})
    assert ways(plan_transfer([source / "a.jpg"], tmp_path / "out")) == {"a.jpg": "a (2).jpg"}


@pytest.mark.parametrize(
    "group",
    [
        {
            "PXL_1.RAW-01.COVER.jpg": "PXL_1 (2).RAW-01.COVER.jpg",
            "PXL_1.RAW-02.ORIGINAL.dng": "PXL_1 (2).RAW-02.ORIGINAL.dng",
            "PXL_1.RAW-01.COVER.jpg.xmp": "PXL_1 (2).RAW-01.COVER.jpg.xmp",
        },
        {"PXL_1.MP.jpg": "PXL_1 (2).MP.jpg", "PXL_1.dng": "PXL_1 (2).dng", "PXL_1.MP": "PXL_1 (2).MP"},
        {
            "IMG_E1234.HEIC": "IMG_E1234 (2).HEIC",
            "IMG_1234.HEIC": "IMG_1234 (2).HEIC",
            "IMG_1234.AAE": "IMG_1234 (2).AAE",
            "IMG_O1234.AAE": "IMG_O1234 (2).AAE",
        },
        {
            "IMG_1(1).JPG": "IMG_1(1) (2).JPG",
            "IMG_1(1).DNG": "IMG_1(1) (2).DNG",
            "IMG_1.JPG.suppl(1).json": "IMG_1(1) (2).JPG.supplemental-metadata.json",
            "IMG_1.DNG(1).json": "IMG_1(1) (2).DNG.supplemental-metadata.json",
        },
        {
            f"{'a' * 47}.jpg": f"{'a' * 47} (2).jpg",
            f"{'a' * 46}.json": f"{'a' * 47} (2).jpg.supplemental-metadata.json",
        },
    ],
    ids=lambda group: next(iter(group)),
)
def test_a_number_keeps_what_phones_and_takeout_name_together(
    source: Path, tmp_path: Path, group: dict[str, str]
) -> None:
    photo = next(iter(group))
    for name in group:
        (source / name).write_bytes(name.encode())
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / photo).write_bytes(b"a stranger")
    plan = plan_transfer([source / photo], tmp_path / "out", "move")
    assert ways(plan) == group
    apply(plan, Journal(None))
    moved = tmp_path / "out" / group[photo]
    assert {moved, *companions(moved)} == {tmp_path / "out" / name for name in group.values()}


def test_takeouts_numbers_take_no_name_from_the_photo_without_one(source: Path, tmp_path: Path) -> None:
    files = ["IMG_1(1).JPG", "IMG_1.JPG", "IMG_1.JPG.supplemental-metadata(1).json", "IMG_1.JPG.suppl.json"]
    for name in files:
        (source / name).write_bytes(b"")
    plan = plan_transfer([source / name for name in files[:2]], tmp_path / "out", "move")
    assert ways(plan) == {name: name for name in files}


def test_what_was_copied_or_linked_before_is_not_made_again(source: Path, tmp_path: Path) -> None:
    grow(source, {"a.jpg": b"1", "a.xmp": b"2"})
    for mode in ("copy", "link"):
        target = tmp_path / mode
        apply(plan_transfer([source / "a.jpg"], target, mode), Journal(None))
        again = plan_transfer([source / "a.jpg"], target, mode)
        assert again.actions == ()
        assert [(skipped.path, skipped.needless) for skipped in again.skipped] == [(source / "a.jpg", True)]
    (source / "a.xmp").write_bytes(b"3")
    assert len(plan_transfer([source / "a.jpg"], tmp_path / "copy", "copy").actions) == 2


def test_a_photo_given_twice_goes_once(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grow(source, {"a.jpg": b"1"})
    monkeypatch.chdir(source)
    assert len(plan_transfer(["a.jpg", source / "a.jpg", "./a.jpg"], tmp_path / "out").actions) == 1


def test_a_photo_that_is_a_link_is_copied_and_linked_but_never_moved(source: Path, tmp_path: Path) -> None:
    grow(tmp_path, {"real.jpg": b"1"})
    (source / "a.jpg").symlink_to("../real.jpg")
    assert len(plan_transfer([source / "a.jpg"], tmp_path / "out", "copy").actions) == 1
    assert plan_transfer([source / "a.jpg"], tmp_path / "out", "link").actions[0].text == f"{source}/a.jpg"
    moved = plan_transfer([source / "a.jpg"], tmp_path / "out", "move")
    assert moved.actions == ()
    assert "a.jpg is a symbolic link" in moved.skipped[0].reason
    assert not moved.skipped[0].needless


def test_what_is_gone_or_no_file_is_skipped_and_the_rest_goes(source: Path, tmp_path: Path) -> None:
    grow(source, {"a.jpg": b"1", "folder.jpg/inside.txt": b"2"})
    os.mkfifo(source / "pipe.jpg")
    photos = [source / name for name in ("gone.jpg", "folder.jpg", "pipe.jpg", "nowhere/b.jpg", "a.jpg")]
    plan = plan_transfer(photos, tmp_path / "out", roots=[source])
    assert ways(plan) == {"a.jpg": "a.jpg"}
    assert [skipped.path for skipped in plan.skipped] == photos[:4]


@pytest.mark.parametrize("name", ["source", "source/sub", "source/new/deep", "through-a-link", "through-a-link/new"])
def test_a_target_among_the_photos_is_refused(source: Path, tmp_path: Path, name: str) -> None:
    grow(source, {"sub/a.jpg": b"1"})
    (tmp_path / "through-a-link").symlink_to(source)
    with pytest.raises(DataError, match=r"the photos' folder .*outside"):
        plan_transfer([], tmp_path / name, roots=[source])


def test_photos_in_the_target_are_refused(source: Path, tmp_path: Path) -> None:
    grow(source, {"a.jpg": b"1"})
    with pytest.raises(DataError, match="lies in the target"):
        plan_transfer([], tmp_path, roots=[source])
    (tmp_path / "searched").mkdir()
    (tmp_path / "searched/link").symlink_to(source)
    with pytest.raises(DataError, match="is the photos' folder"):
        plan_transfer([tmp_path / "searched/link/a.jpg"], source, roots=[tmp_path / "searched"])


def test_a_neighbour_whose_name_begins_alike_is_no_target_among_the_photos(source: Path, tmp_path: Path) -> None:
    grow(source, {"a.jpg": b"1"})
    assert plan_transfer([source / "a.jpg"], tmp_path / "source-2", roots=[source]).actions


def test_a_target_that_is_a_file_or_in_one_is_refused(source: Path, tmp_path: Path) -> None:
    grow(source, {"a.jpg": b"1"})
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing")
    for name in ("file", "file/below", "nowhere", "nowhere/below"):
        with pytest.raises(DataError, match="is not a folder"):
            plan_transfer([source / "a.jpg"], tmp_path / name)


def test_a_read_only_target_is_refused_before_any_work(open_folder: Path) -> None:
    target = open_folder / "locked"
    target.mkdir()
    target.chmod(0o555)
    for name in (target, target / "new"):
        with as_nobody(), pytest.raises(TransferError, match=f"{target}: no permission to write there"):
            plan_transfer([], name)


def test_photos_are_not_moved_out_of_a_read_only_folder(open_folder: Path) -> None:
    grow(open_folder, {"source/a.jpg": b"1"})
    out = open_folder / "out"
    out.mkdir()
    if os.geteuid() == 0:
        os.chown(out, NOBODY, NOBODY)
    (open_folder / "source").chmod(0o555)
    with as_nobody():
        with pytest.raises(TransferError, match="can't be moved away from there"):
            plan_transfer([open_folder / "source/a.jpg"], out, "move")
        assert plan_transfer([open_folder / "source/a.jpg"], out, "copy").actions


def test_a_disk_too_small_is_refused_unless_nothing_is_written_to_it(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grow(source, {"a.jpg": bytes(2_000_000)})
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage(3_000_000, 2_000_000, 1_000_000))
    with pytest.raises(TransferError, match=r"2\.0 MB are needed and 1\.0 MB free"):
        plan_transfer([source / "a.jpg"], tmp_path / "out", "copy")
    for mode in ("link", "move"):
        assert plan_transfer([source / "a.jpg"], tmp_path / "out", mode).actions


def test_names_that_are_not_utf8_or_would_write_to_the_terminal_are_shown_harmlessly(
    source: Path, tmp_path: Path
) -> None:
    name = os.fsdecode(b"\xff\x1b[2J.jpg")
    grow(source, {name: b"1"})
    plan = plan_transfer([source / name], tmp_path / "out")
    assert plan.actions[0].target == tmp_path / "out" / name
    assert list(plan.lines()) == [rf"copy {source}/\xff\x1b[2J.jpg -> {tmp_path}/out/\xff\x1b[2J.jpg"]


@given(trees, trees, st.sampled_from(["copy", "link", "move"]), st.booleans())
@example({"a.jpg": b"", "a.cr2": b""}, {"a.jpg": b"", "a.cr2": b""}, "copy", False)
@example({"a.jpg": b"", "a.JPG": b"", "A.jpg": b""}, {"a.jpg": b""}, "copy", False)
@example({"a.jpg": b"", "a.JPG": b"", "a.cr2": b""}, {"a.jpg": b""}, "copy", False)
@example({"a.cr2": b"", "a.jpg": b"", "a.JPG": b""}, {}, "move", False)
@example({"a.jpg": b"", "a.jpg.xmp": b"", "a.JPG.xmp": b""}, {}, "move", True)
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_two_files_ever_meet_and_planning_changes_nothing(
    files: dict[str, bytes], there: dict[str, bytes], mode: Mode, keep: bool
) -> None:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        source, out = root / "source", root / "out"
        grow(source, files)
        grow(out, there)
        before = tree(root)
        photos = [source / name for name in photos_in(files)]
        plan = plan_transfer(photos, out, mode, roots=[source], base=source if keep else None)
        targets = [action.target for action in plan.actions]
        folded = [unicodedata.normalize("NFC", str(target)).casefold() for target in targets]
        assert len(set(folded)) == len(folded)
        assert not any(os.path.lexists(target) for target in targets)
        sources = [action.source for action in plan.actions]
        assert len(set(sources)) == len(sources)
        assert {*photos} <= {*sources, *(skipped.path for skipped in plan.skipped)}
        outcome = apply(plan, Journal(None), files=DryRunOperations())
        assert outcome.done == plan.actions
        assert tree(root) == before
