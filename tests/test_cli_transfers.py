"""``photodefect rank-folder`` with ``--copy-to``, ``--link-to`` and ``--move-to``, and ``photodefect undo``."""

from __future__ import annotations

import errno
import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from file_trees import as_nobody, grow, tree
from PIL import Image
from typer.testing import CliRunner, Result

from photodefect.cli import app, transfers
from photodefect.files import operations

pytestmark = pytest.mark.usefixtures("config", "state")

NAMES = ("dog", "bulb", "city")


@pytest.fixture
def folder(samples: Path, tmp_path: Path) -> Path:
    """Three photos, one of them in a sub-folder, with a sidecar."""
    photos = tmp_path / "photos"
    (photos / "sub").mkdir(parents=True)
    for name in NAMES:
        image = Image.open(samples / f"{name}.jpg").convert("RGB").resize((300, 280))
        image.save(photos / ("sub" if name == "city" else "") / f"{name}.jpg")
    grow(photos, {"dog.xmp": b"<x/>", "sub/city.jpg.xmp": b"<y/>", "notes.txt": b"mine"})
    return photos


class Shell:
    """Calls commands in this process, with a model of random weights."""

    def __init__(self, model: Path) -> None:
        self.model = model

    def rank(self, *arguments: str | Path) -> Result:
        options = ["--model", str(self.model), "--patches", "1", "--device", "cpu", "--format", "paths"]
        return CliRunner().invoke(app, ["rank-folder", *options, *map(str, arguments)])

    def undo(self, *arguments: str | Path) -> Result:
        return CliRunner().invoke(app, ["undo", *map(str, arguments)])

    def told(self, result: Result) -> Result:
        """Types what a result says to type."""
        (line,) = re.findall(r"^to take that back: (photodefect .*)$", result.stderr, re.MULTILINE)
        return CliRunner().invoke(app, shlex.split(line)[1:])


@pytest.fixture
def shell(random_model: Path) -> Shell:
    return Shell(random_model)


def words(result: Result) -> str:
    return " ".join(re.sub("[│╭╮╰╯─]", " ", result.stderr).split())


@pytest.mark.parametrize("mode", ["copy", "link", "move"])
def test_the_plan_is_shown_and_nothing_done_without_apply(
    shell: Shell, folder: Path, tmp_path: Path, mode: str
) -> None:
    before = tree(tmp_path)
    result = shell.rank(folder, f"--{mode}-to", tmp_path / "out")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 3
    lines = re.findall(rf"^{mode} (\S+) -> (\S+)$", result.stderr, re.MULTILINE)
    assert dict(lines) == {
        str(folder / name): str(tmp_path / "out" / Path(name).name)
        for name in ("dog.jpg", "dog.xmp", "bulb.jpg", "sub/city.jpg", "sub/city.jpg.xmp")
    }
    assert "nothing was done; that was the plan for 5 files, and --apply follows it" in result.stderr
    assert tree(tmp_path) == before


@pytest.mark.parametrize("mode", ["copy", "link", "move"])
def test_apply_does_it_and_undo_takes_it_back(shell: Shell, folder: Path, tmp_path: Path, mode: str) -> None:
    before = tree(folder)
    result = shell.rank(folder, f"--{mode}-to", tmp_path / "out", "--keep-folders", "--apply")
    assert result.exit_code == 0, result.stderr
    made = {name for name in before if name != "notes.txt"}
    assert set(tree(tmp_path / "out")) == made
    assert set(tree(folder)) == (set(before) if mode != "move" else {"sub", "notes.txt"})
    assert f"5 files {'copied' if mode == 'copy' else 'linked' if mode == 'link' else 'moved'} to" in result.stderr
    assert shell.told(result).exit_code == 0
    assert tree(folder) == before
    assert not (tmp_path / "out").exists()


def test_those_that_were_left_out_can_go_instead(shell: Shell, folder: Path, tmp_path: Path) -> None:
    best, *others = shell.rank(folder).stdout.splitlines()
    result = shell.rank(folder, "--top", "1", "--excluded", "--move-to", tmp_path / "rejects", "--apply")
    assert result.exit_code == 0
    moved = {name for name in tree(tmp_path / "rejects") if name.endswith(".jpg")}
    assert moved == {Path(path).name for path in others}
    assert [str(path) for path in folder.rglob("*.jpg")] == [best]


def test_libraries_thumbnails_and_recycle_bins_stay_whole_and_are_counted(
    shell: Shell, folder: Path, tmp_path: Path
) -> None:
    passed_over = [
        "Photos Library.photoslibrary/originals/3/3A2C.jpeg",
        "Photos Library.photoslibrary/resources/derivatives/3/3A2C_1_105_c.jpeg",
        "@eaDir/dog.jpg/SYNOPHOTO_THUMB_M.jpg",
        "#recycle/gone.jpg",
        "$RECYCLE.BIN/$R1.jpg",
        "Cat Previews.lrdata/x.jpg",
        "dog.jpg_original",
    ]
    for name in passed_over:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / "bulb.jpg", folder / name)
    result = shell.rank(folder, "--move-to", tmp_path / "out", "--apply")
    assert result.exit_code == 0, result.stderr
    told = "1 photo library, 2 folders of previews, 2 recycle bins, 1 backup of a photo"
    assert result.stderr.count(f"passed over: {told}; --include-passed-over takes") == 1
    left = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert left == {*passed_over, "notes.txt"}
    assert "passed over" not in shell.rank(folder, "--include-passed-over").stderr
    assert len(shell.rank(folder, "--include-passed-over", "--exclude", "@eaDir").stdout.splitlines()) == 6


def test_no_half_of_a_phones_shot_is_ever_taken_away(shell: Shell, folder: Path, tmp_path: Path) -> None:
    """The better of the two is kept, and so is the other, with the moving half and what Takeout says of it."""
    halves = ["PXL_1.PORTRAIT-01.COVER.jpg", "PXL_1.PORTRAIT-02.ORIGINAL.jpg", "IMG_1234.jpg", "IMG_E1234.jpg"]
    for name, source in zip(halves, ["dog", "bulb", "bulb", "dog"], strict=True):
        shutil.copy(folder / f"{source}.jpg", folder / name)
    grow(folder, {"PXL_1.MP": b"v", "IMG_1234.AAE": b"a", "IMG_1234.jpg.supplemental-met.json": b"{}"})
    for choice in (["--top", "3"], ["--best-per-burst"], ["--best", "50%"]):
        kept = set(shell.rank(folder, *choice).stdout.splitlines())
        for pair in (halves[:2], halves[2:]):
            assert len({str(folder / name) for name in pair} & kept) in (0, 2), choice
    before = tree(folder)
    result = shell.rank(folder, "--top", "1", "--excluded", "--move-to", tmp_path / "out", "--apply")
    away = {path.name for path in (tmp_path / "out").iterdir()}
    for together in ({*halves[:2], "PXL_1.MP"}, {*halves[2:], "IMG_1234.AAE", "IMG_1234.jpg.supplemental-met.json"}):
        assert together <= away or not together & away
    assert shell.told(result).exit_code == 0
    assert tree(folder) == before


def test_same_names_are_numbered_and_nothing_is_overwritten(shell: Shell, folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "bulb.jpg", folder / "sub/dog.jpg")
    grow(tmp_path / "out", {"bulb.jpg": b"somebody's"})
    result = shell.rank(folder, "--copy-to", tmp_path / "out", "--apply")
    assert result.exit_code == 0
    out = tree(tmp_path / "out")
    assert out["bulb.jpg"] == b"somebody's"
    assert out["bulb (2).jpg"] == (folder / "bulb.jpg").read_bytes()
    assert {out["dog.jpg"], out["dog (2).jpg"]} == {(folder / name).read_bytes() for name in ("dog.jpg", "sub/dog.jpg")}


def test_the_same_copy_again_has_nothing_to_do(shell: Shell, folder: Path, tmp_path: Path) -> None:
    shell.rank(folder, "--copy-to", tmp_path / "out", "--apply")
    before = tree(tmp_path)
    again = shell.rank(folder, "--copy-to", tmp_path / "out", "--apply")
    assert again.exit_code == 0
    assert "0 files copied" in again.stderr
    assert again.stderr.count("is it already") == 3
    assert tree(tmp_path) == before


def test_the_journal_lies_where_the_person_wants_it(shell: Shell, folder: Path, tmp_path: Path) -> None:
    journal = tmp_path / "my journals" / "one.jsonl"
    copy = ("--copy-to", tmp_path / "out", "--journal", journal)
    shell.rank(folder, *copy)
    assert not journal.exists()
    result = shell.rank(folder, *copy, "--apply")
    assert f"photodefect undo '{journal}' --apply" in result.stderr
    refused = shell.rank(folder, *copy, "--apply")
    assert refused.exit_code == 2
    assert "is there already; a journal is never written over" in refused.stderr
    assert shell.undo(journal, "--apply").exit_code == 0


def test_a_photo_that_failed_never_goes(shell: Shell, folder: Path, tmp_path: Path) -> None:
    grow(folder, {"broken.jpg": b"\xff\xd8\xff\xe0 no photo"})
    for more in ((), ("--top", "1", "--excluded")):
        result = shell.rank(folder, *more, "--move-to", tmp_path / "out", "--apply")
        assert result.exit_code == 1
    assert (folder / "broken.jpg").exists()
    assert "broken.jpg" not in tree(tmp_path / "out")


def test_a_raw_photo_goes_with_its_jpeg_even_if_it_cannot_be_read(shell: Shell, folder: Path, tmp_path: Path) -> None:
    grow(folder, {"dog.CR2": b"II*\0\x10\0\0\0CR\2\0 damaged"})
    before = tree(folder)
    result = shell.rank(folder, "--move-to", tmp_path / "out", "--apply")
    assert result.exit_code == 1
    assert {"dog.jpg", "dog.CR2", "dog.xmp"} <= set(tree(tmp_path / "out"))
    assert shell.told(result).exit_code == 0
    assert tree(folder) == before


def test_a_photo_that_is_a_link_stays_and_is_told(shell: Shell, folder: Path, tmp_path: Path) -> None:
    (folder / "dog.jpg").rename(tmp_path / "real.jpg")
    (folder / "dog.jpg").symlink_to("../real.jpg")
    result = shell.rank(folder, "--move-to", tmp_path / "out", "--apply")
    assert result.exit_code == 1
    assert "dog.jpg is a symbolic link, which may point nowhere from there; copy or link it" in result.stderr
    assert (folder / "dog.jpg").read_bytes() == (tmp_path / "real.jpg").read_bytes()
    assert {"bulb.jpg", "city.jpg"} <= set(tree(tmp_path / "out"))


def test_names_that_are_not_utf8_go_and_come_back(shell: Shell, folder: Path, tmp_path: Path) -> None:
    (folder / "dog.jpg").rename(folder / os.fsdecode(b"\xffdog.jpg"))
    before = tree(folder)
    result = shell.rank(folder, "--move-to", tmp_path / "out", "--apply")
    assert result.exit_code == 0
    assert os.fsdecode(b"\xffdog.jpg") in tree(tmp_path / "out")
    assert r"\xffdog.jpg" in shell.rank(tmp_path / "out", "--copy-to", tmp_path / "other").stderr
    assert shell.told(result).exit_code == 0
    assert tree(folder) == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--apply"], "--apply is about --copy-to, --link-to, --move-to or --xmp"),
        (["--keep-folders"], "--keep-folders is about --copy-to, --link-to or --move-to"),
        (["--journal", "j"], "--journal is about --copy-to, --link-to, --move-to or --xmp"),
        (["--copy-to", "{out}", "--move-to", "{out}"], "--copy-to and --move-to both say where to"),
        (["--move-to", "{folder}"], "is the photos' folder"),
        (["--link-to", "{folder}/chosen", "--apply"], "lies in the photos' folder"),
        (["--copy-to", "{folder}/.."], "lies in the target"),
        (["--copy-to", "{folder}/notes.txt"], "is not a folder, so no photos can be put there"),
    ],
)
def test_wrong_usage_is_refused_before_any_work(
    shell: Shell, folder: Path, tmp_path: Path, arguments: list[str], said: str
) -> None:
    before = tree(tmp_path)
    filled = [text.format(folder=folder, out=tmp_path / "out") for text in arguments]
    result = shell.rank(folder, *filled)
    assert result.exit_code == 2
    assert said in words(result)
    assert result.stdout == ""
    assert tree(tmp_path) == before


def test_sub_folders_of_no_folder_cannot_be_kept(shell: Shell, folder: Path, tmp_path: Path) -> None:
    listed = tmp_path / "list"
    listed.write_text(f"{folder}/dog.jpg\n/nowhere/gone.jpg\n")
    result = shell.rank("--files-from", listed, "--copy-to", tmp_path / "out", "--keep-folders")
    assert result.exit_code == 2
    assert "--keep-folders keeps those below FOLDER" in words(result)
    copied = shell.rank("--files-from", listed, "--copy-to", tmp_path / "out", "--apply")
    assert copied.exit_code == 1
    assert set(tree(tmp_path / "out")) == {"dog.jpg", "dog.xmp"}


def test_a_read_only_target_is_refused_before_any_work(shell: Shell) -> None:
    place = Path(tempfile.mkdtemp())
    try:
        grow(place, {"photos/a.jpg": b"", "locked/there.txt": b""})
        place.chmod(0o755)
        (place / "locked").chmod(0o555)
        with as_nobody():
            result = shell.rank(place / "photos", "--copy-to", place / "locked", "--apply")
        assert result.exit_code == 1
        assert f"{place}/locked: no permission to write there; give another target" in result.stderr
        assert result.stdout == ""
    finally:
        shutil.rmtree(place)


def test_a_disk_that_fills_up_is_told_with_the_way_back(
    shell: Shell, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, room = tree(folder), 1
    pour = operations._pour

    def full(source: object, target: object) -> str:
        nonlocal room
        room -= 1
        if room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return pour(source, target)  # type: ignore[arg-type]

    monkeypatch.setattr(operations, "_pour", full)
    (folder / "dog.xmp").unlink()
    (folder / "sub/city.jpg.xmp").unlink()
    result = shell.rank(folder, "--copy-to", tmp_path / "out", "--apply")
    assert result.exit_code == 1
    assert f"{tmp_path}/out: the disk is full; make room or give another target. 1 of 3 files went" in result.stderr
    assert len(tree(tmp_path / "out")) == 1
    (command,) = re.findall(r"to take them back: photodefect (.*)$", result.stderr, re.MULTILINE)
    assert CliRunner().invoke(app, shlex.split(command)).exit_code == 0
    assert not (tmp_path / "out").exists()
    assert {name: content for name, content in before.items() if not name.endswith("xmp")} == tree(folder)


def test_an_interrupt_tells_how_far_it_went_and_the_way_back(
    shell: Shell, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(folder)

    @contextmanager
    def interrupted() -> Iterator[None]:
        yield
        raise KeyboardInterrupt

    monkeypatch.setattr(transfers, "held_interrupts", interrupted)
    result = shell.rank(folder, "--move-to", tmp_path / "out", "--apply", "--by", "noise")
    assert result.exit_code == 130
    assert re.search(r"interrupted: [12] of 5 files? moved to", result.stderr)
    assert "Traceback" not in result.stderr
    assert shell.told(result).exit_code == 0
    assert tree(folder) == before


def test_quiet_says_nothing_but_the_plan(shell: Shell, folder: Path, tmp_path: Path) -> None:
    plan = shell.rank(folder, "--copy-to", tmp_path / "out", "--quiet")
    assert plan.stderr.count(" -> ") == 5
    assert shell.rank(folder, "--copy-to", tmp_path / "out", "--quiet", "--apply").stderr == ""
    (journal,) = (tmp_path / "state").rglob("*.jsonl")
    assert shell.undo(journal, "--apply", "--quiet").output == ""


def test_undo_shows_what_it_would_do_until_it_is_told_to(shell: Shell, folder: Path, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    shell.rank(folder, "--move-to", tmp_path / "out", "--journal", journal, "--apply")
    after = tree(tmp_path)
    shown = shell.undo(journal)
    assert shown.exit_code == 0
    assert f"move back {tmp_path}/out/dog.jpg -> {folder}/dog.jpg" in shown.stderr
    assert f"remove folder {tmp_path}/out" in shown.stderr
    assert "nothing was done; that was the plan, and --apply follows it" in shown.stderr
    assert tree(tmp_path) == after
    done = shell.undo(journal, "--apply")
    assert shown.stderr.startswith(done.stderr)
    again = shell.undo(journal, "--apply")
    assert (again.exit_code, again.stderr) == (0, "there is nothing to take back\n")


def test_undo_says_what_it_cannot_take_back(shell: Shell, folder: Path, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    shell.rank(folder, "--copy-to", tmp_path / "out", "--journal", journal, "--apply")
    (tmp_path / "out/dog.jpg").write_bytes(b"edited")
    result = shell.undo(journal, "--apply")
    assert result.exit_code == 1
    assert "out/dog.jpg stays: it was changed since it was copied" in result.stderr
    assert tree(tmp_path / "out") == {"dog.jpg": b"edited"}


def test_undo_alone_lists_the_journals(shell: Shell, folder: Path, tmp_path: Path) -> None:
    none = shell.undo()
    assert none.exit_code == 3
    assert "there are no journals in" in none.stderr
    shell.rank(folder, "--copy-to", tmp_path / "out", "--apply")
    (fields,) = [line.split("\t") for line in shell.undo().stdout.splitlines()]
    assert Path(fields[0]).is_file()
    assert fields[2:] == [f"copy to {tmp_path}/out", "5 files"]
    assert shell.undo("--apply").exit_code == 2


def test_what_is_no_journal_is_refused(shell: Shell, folder: Path, tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere", folder / "dog.jpg", folder):
        result = shell.undo(path, "--apply")
        assert result.exit_code == 2
        assert str(path) in result.stderr
        assert "Traceback" not in result.stderr
