"""What lies among photos and isn't the photographer's is passed over and counted, and can be had all the same."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from photodefect.errors import DataError
from photodefect.heatmap.outputs import ImageFormat, write_picture
from photodefect.photos.find import find_photos
from photodefect.photos.places import Kind, PassedOver, Rules, as_numbers, some_passed_over

JPEG = b"\xff\xd8\xff\xe0 and so on"


def plant(folder: Path, *names: str, content: bytes = JPEG) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def walk(folder: Path, *exclude: str, everything: bool = False) -> tuple[list[str], PassedOver]:
    """Names of what is found, and what was passed over."""
    passed_over = PassedOver()
    found = find_photos([folder], exclude=exclude, include_passed_over=everything, on_passed_over=passed_over.note)
    return [path.relative_to(folder).as_posix() for path in found], passed_over


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        # As the programs name them.
        ("Photos Library.photoslibrary/originals/3/3A2C.jpeg", Kind.PHOTO_LIBRARY),
        ("Photos Library.photoslibrary/resources/derivatives/3/3A2C_1_105_c.jpeg", Kind.PHOTO_LIBRARY),
        ("iPhoto Library.photolibrary/Masters/a.jpg", Kind.PHOTO_LIBRARY),
        ("Aperture Library.aplibrary/Masters/a.jpg", Kind.PHOTO_LIBRARY),
        ("Lightroom Library.lrlibrary/a/originals/a.jpg", Kind.PHOTO_LIBRARY),
        ("Catalog.cocatalog/Originals/a.jpg", Kind.PHOTO_LIBRARY),
        ("Cat Previews.lrdata/x.jpg", Kind.PREVIEWS),
        ("Cat Smart Previews.lrdata/0/x.dng", Kind.PREVIEWS),
        ("day/@eaDir/a.jpg/SYNOPHOTO_THUMB_M.jpg", Kind.PREVIEWS),
        (".@__thumb/default_a.jpg", Kind.PREVIEWS),
        ("DCIM/.thumbnails/1.jpg", Kind.PREVIEWS),
        ("#recycle/gone.jpg", Kind.RECYCLE_BIN),
        ("@Recycle/gone.jpg", Kind.RECYCLE_BIN),
        ("$RECYCLE.BIN/S-1-5-21/$R1.jpg", Kind.RECYCLE_BIN),
        (".Trashes/501/gone.jpg", Kind.RECYCLE_BIN),
        (".Trash-1000/files/gone.jpg", Kind.RECYCLE_BIN),
        ("report/photodefect-files-0123456789ab/thumbnails/00001.jpg", Kind.OWN_PICTURES),
        (".picasaoriginals/a.jpg", Kind.BACKUP),
        ("a.jpg_original", Kind.BACKUP),
        ("a.jpg.bak", Kind.BACKUP),
        ("a.jpg~", Kind.BACKUP),
        ("MVI_1.THM", Kind.THUMBNAIL),
        ("a.jpg.part", Kind.UNFINISHED),
        ("Unconfirmed 123456.crdownload", Kind.UNFINISHED),
        ("a.jpg.download/a.jpg", Kind.UNFINISHED),
        ("~syncthing~a.jpg.tmp", Kind.UNFINISHED),
    ],
)
def test_what_is_not_the_photographers_is_passed_over_unless_it_is_asked_for(
    tmp_path: Path, place: str, kind: Kind
) -> None:
    plant(tmp_path, place, "shown.jpg")
    assert walk(tmp_path) == (["shown.jpg"], {kind: 1})
    found, passed_over = walk(tmp_path, everything=True)
    assert sorted(found) == sorted([place, "shown.jpg"])
    assert not passed_over


@pytest.mark.parametrize(
    "place",
    [
        "photoslibrary/a.jpg",
        "sunset_original.jpg",
        "solar-panel.jpg",
        "snow-noise.jpg",
        "recycle/a.jpg",
        "Trash/a.jpg",
        "back.jpg",
        "originals/a.jpg",
        "thumbnails/00001.jpg",
    ],
)
def test_what_is_only_called_alike_is_found(tmp_path: Path, place: str) -> None:
    plant(tmp_path, place)
    assert walk(tmp_path) == ([place], {})


def test_what_is_no_photo_anyway_is_not_counted(tmp_path: Path) -> None:
    plant(tmp_path, "letter.txt.bak", "notes.tmp", "notes~", content=b"words")
    plant(tmp_path, "Thumbs.db", content=bytes.fromhex("d0cf11e0a1b11ae1"))
    assert walk(tmp_path) == ([], {})


def test_what_is_named_is_taken(tmp_path: Path) -> None:
    plant(tmp_path, "L.photoslibrary/originals/a.jpg", "a.jpg_original")
    assert walk(tmp_path / "L.photoslibrary") == (["originals/a.jpg"], {})
    assert list(find_photos([tmp_path / "a.jpg_original"])) == [tmp_path / "a.jpg_original"]


@pytest.mark.parametrize("image_format", ["jpeg", "png"])
def test_pictures_of_heat_maps_are_no_photos_and_others_of_such_names_are(
    tmp_path: Path, image_format: ImageFormat
) -> None:
    suffix = {"jpeg": "jpg", "png": "png"}[image_format]
    picture = Image.fromarray(np.zeros((9, 9, 3), np.uint8))
    for what in ("panel", "noise", "undesired_blur"):
        write_picture(tmp_path / f"a-{what}.{suffix}", picture, image_format)
    picture.save(tmp_path / f"b-noise.{suffix}")
    assert walk(tmp_path) == ([f"b-noise.{suffix}"], {Kind.OWN_PICTURES: 3})


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        # As git itself has them.
        ("*.png", ["a.jpg", "raw/b.jpg", "raw/deep/c.jpg", "x/raw/d.jpg"]),
        ("raw/", ["a.jpg", "e.png"]),
        ("/raw", ["a.jpg", "e.png", "x/raw/d.jpg"]),
        ("raw/deep", ["a.jpg", "e.png", "raw/b.jpg", "x/raw/d.jpg"]),
        ("**/deep/**", ["a.jpg", "e.png", "raw/b.jpg", "x/raw/d.jpg"]),
        ("[a-b].jpg", ["e.png", "raw/deep/c.jpg", "x/raw/d.jpg"]),
    ],
)
def test_patterns_leave_out_what_git_would_ignore(tmp_path: Path, pattern: str, left: list[str]) -> None:
    plant(tmp_path, "a.jpg", "e.png", "raw/b.jpg", "raw/deep/c.jpg", "x/raw/d.jpg")
    found, passed_over = walk(tmp_path, pattern)
    assert found == left
    assert passed_over.keys() == {Kind.EXCLUDED}


def test_a_later_pattern_can_take_back_an_earlier_one(tmp_path: Path) -> None:
    plant(tmp_path, "a.jpg", "b.jpg", "c.png")
    assert walk(tmp_path, "*.jpg", "!b.jpg")[0] == ["b.jpg", "c.png"]


def test_patterns_narrow_what_is_asked_for(tmp_path: Path) -> None:
    plant(tmp_path, "#recycle/a.jpg", "@eaDir/b.jpg", "c.jpg")
    assert walk(tmp_path, "#recycle", everything=True) == (["@eaDir/b.jpg", "c.jpg"], {Kind.EXCLUDED: 1})


def test_patterns_hold_for_files_that_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(tmp_path, "a.jpg", "sub/b.jpg")
    monkeypatch.chdir(tmp_path)
    assert list(find_photos(["a.jpg", "sub/b.jpg", tmp_path / "sub/b.jpg"], exclude=["b.*"])) == [Path("a.jpg")]
    assert list(find_photos(["a.jpg", "sub/b.jpg"], exclude=["sub/*"])) == [Path("a.jpg")]


@pytest.mark.parametrize("pattern", ["!", "/", " ", "["])
def test_what_is_no_pattern_is_refused_at_once(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(DataError, match="no pattern"):
        find_photos([tmp_path], exclude=[pattern])


def test_classes_of_characters_are_those_of_git(tmp_path: Path) -> None:
    names = ["1.jpg", "A.jpg", "a.jpg", "d.jpg"]
    plant(tmp_path, *names)
    for pattern in ("[[:digit:]].jpg", "[[:upper:][:digit:]].jpg", "[![:lower:]].jpg", "[[:alnum:]]*"):
        (tmp_path / ".gitignore").write_text(pattern + "\n")
        asked = ["git", "check-ignore", "--no-index", *names]
        subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
        ignored = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.split()
        assert ignored == [name for name in names if name not in walk(tmp_path, pattern)[0]], pattern
    with pytest.raises(DataError, match=r"write \[\[:punct:\]\] as a range"):
        walk(tmp_path, "[[:punct:]].jpg")


def test_counts_are_told_to_people_and_programs() -> None:
    counts = {Kind.EXCLUDED: 2, Kind.PHOTO_LIBRARY: 1, Kind.BACKUP: 3}
    assert some_passed_over(counts) == "1 photo library, 3 backups of photos, 2 files and folders by --exclude"
    assert as_numbers(counts) == {"photo_library": 1, "backup": 3, "excluded": 2}
    assert some_passed_over({}) == ""


def test_a_single_file_is_judged_as_a_walk_would(tmp_path: Path) -> None:
    names = ["a.jpg", "b/c.jpg", "@eaDir/d.jpg", ".hidden/e.jpg", "b/.f.jpg", "g.jpg_original", "draft/h.jpg", "i.png"]
    plant(tmp_path, *names)
    rules = Rules(("draft", "*.png"))
    allowed = [name for name in names if rules.allow(tmp_path / name, tmp_path)]
    assert allowed == walk(tmp_path, *rules.exclude)[0] == ["a.jpg", "b/c.jpg"]
