"""The CSV for exiftool, as exiftool itself applies it."""

from __future__ import annotations

import csv
import io
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from exiftool import exiftool, keywords, needs_exiftool, tags
from photo_files import plain_photo
from PIL import Image
from ranked import failure, record

from photodefect.ranking.profiles.profile import DEFAULT_PROFILE, DEFAULT_RATINGS, RejectPolicy
from photodefect.records import Diagnosis
from photodefect.reports.exiftool_csv import MOST_KEYWORDS, ExiftoolCsvWriter, spellings
from photodefect.sidecars.marks import marks_of
from photodefect.sidecars.sources import Sources, document_of
from photodefect.sidecars.write import read_sidecar
from photodefect.sidecars.xmp import XmpDocument

PROFILE = replace(DEFAULT_PROFILE, reject=RejectPolicy(mark="rating"), ratings={**DEFAULT_RATINGS, "good": 0})
LIGHTROOM = Path(__file__).parent / "xmp" / "lightroom.xmp"


def written(
    *photos: Diagnosis, sidecars: bool = False, overwrite: bool = False, refused: list[str] | None = None
) -> str:
    stream = io.StringIO(newline="")

    def target(photo: str) -> tuple[str, XmpDocument | None, Sources]:
        if not sidecars:
            return photo, document_of(Path(photo)), Sources()
        sidecar = Path(photo).with_suffix(".xmp")
        return str(sidecar), read_sidecar(sidecar), Sources((Path(photo),))

    writer = ExiftoolCsvWriter(
        stream,
        lambda photo: marks_of(photo, PROFILE),
        target,
        lambda file, reason: (refused if refused is not None else []).append(f"{file}: {reason}"),
        overwrite=overwrite,
    )
    for photo in photos:
        writer.write(photo)
    writer.close()
    return stream.getvalue()


@pytest.fixture
def photos(samples: Path, tmp_path: Path) -> Path:
    """Two JPEGs of one's own."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("dog.jpg", "city.jpg"):
        shutil.copy(samples / name, folder / name)
    return folder


def apply(text: str, *files: Path) -> None:
    table = files[0].parent.parent / "marks.csv"
    table.write_bytes(text.encode("utf-8", "surrogateescape"))
    exiftool("-q", "-overwrite_original", f"-csv={table}", *files)


@needs_exiftool
def test_exiftool_applies_it_to_jpegs_whose_own_metadata_stay(photos: Path) -> None:
    dog, city = photos / "dog.jpg", photos / "city.jpg"
    exiftool("-q", "-overwrite_original", "-XMP-dc:Subject=dog", "-XMP-dc:Subject=best, friend", "-Artist=me", dog)
    pixels = Image.open(dog).tobytes()
    apply(written(record(str(dog), noise=0.8, haze=0.4), record(str(city), haze=0.3)), dog, city)
    found = tags(dog)
    assert (found["XMP-xmp:Rating"], found["XMP-xmp:Label"]) == (-1, "Purple")
    assert set(keywords(dog)) == {"dog", "best, friend", "photodefect", "severe", "noise", "haze", "mild"}
    assert len(keywords(dog)) == 7
    assert set(keywords(dog, "XMP-lr:HierarchicalSubject")) == {"photodefect|severe|noise", "photodefect|mild|haze"}
    assert exiftool("-s3", "-Artist", dog).strip() == "me"
    assert Image.open(dog).tobytes() == pixels
    assert (tags(city)["XMP-xmp:Rating"], tags(city)["XMP-xmp:Label"]) == (2, "Yellow")
    assert set(keywords(city)) == {"photodefect", "mild", "haze"}


@needs_exiftool
def test_applied_twice_it_says_nothing_new(photos: Path) -> None:
    dog = photos / "dog.jpg"
    diagnosis = record(str(dog), noise=0.8)
    apply(written(diagnosis), dog)
    assert written(diagnosis).count("\n") == 1


@needs_exiftool
def test_keywords_change_with_the_verdict(photos: Path) -> None:
    dog = photos / "dog.jpg"
    exiftool("-q", "-overwrite_original", "-XMP-dc:Subject=dog", dog)
    apply(written(record(str(dog), noise=0.8)), dog)
    apply(written(record(str(dog), haze=0.4)), dog)
    assert set(keywords(dog)) == {"dog", "photodefect", "mild", "haze"}
    assert keywords(dog, "XMP-lr:HierarchicalSubject") == ["photodefect|mild|haze"]


@needs_exiftool
def test_a_persons_rating_stays_unless_told_otherwise(photos: Path) -> None:
    dog = photos / "dog.jpg"
    exiftool("-q", "-overwrite_original", "-XMP-xmp:Rating=4", "-XMP-xmp:Label=Green", dog)
    apply(written(record(str(dog), noise=0.8)), dog)
    assert (tags(dog)["XMP-xmp:Rating"], tags(dog)["XMP-xmp:Label"]) == (4, "Green")
    apply(written(record(str(dog), noise=0.8), overwrite=True), dog)
    assert (tags(dog)["XMP-xmp:Rating"], tags(dog)["XMP-xmp:Label"]) == (-1, "Purple")


@needs_exiftool
@pytest.mark.parametrize("name", ["a.jpg", "a.heic", "a.dng"])
def test_a_rating_in_any_photo_or_its_exif_data_stays(name: str, tmp_path: Path) -> None:
    path = plain_photo(tmp_path / name)
    for tag, label in (("-XMP-xmp:Rating=5", "-XMP-xmp:Label=Green"), ("-IFD0:Rating=5", "-XMP-dc:Title=Peak")):
        exiftool("-q", "-overwrite_original", "-all=" if name != "a.dng" else "-XMP:all=", path)
        exiftool("-q", "-overwrite_original", tag, label, path)
        (row,) = csv.DictReader(io.StringIO(written(record(str(path), noise=0.8))))
        assert row["XMP-xmp:Rating"] == ""
        assert row["XMP-xmp:Label"] == ("" if "Label" in label else "Purple")


@needs_exiftool
def test_a_new_sidecar_is_given_what_the_photo_says(photos: Path) -> None:
    dog, sidecar = photos / "dog.jpg", photos / "dog.xmp"
    exiftool("-q", "-overwrite_original", "-IFD0:Rating=5", "-XMP-dc:Subject=dog", dog)
    (row,) = csv.DictReader(io.StringIO(written(record(str(dog), noise=0.8), sidecars=True)))
    assert (row["SourceFile"], row["XMP-xmp:Rating"], row["XMP-xmp:Label"]) == (str(sidecar), "5", "Purple")
    assert row["XMP-dc:Subject"] == "dog"


@needs_exiftool
def test_exiftool_applies_it_to_sidecars(photos: Path) -> None:
    sidecar = photos / "dog.xmp"
    shutil.copy(LIGHTROOM, sidecar)
    apply(written(record(str(photos / "dog.jpg"), noise=0.8), sidecars=True), sidecar)
    assert set(keywords(sidecar)) == {"Alps", "noise", "photodefect", "severe"}
    assert set(keywords(sidecar, "XMP-lr:HierarchicalSubject")) == {"Places|Alps", "noise", "photodefect|severe|noise"}
    found = tags(sidecar)
    assert (found["XMP-xmp:Rating"], found["XMP-crs:ProcessVersion"]) == (4, 15.4)


@needs_exiftool
def test_paths_with_commas_quotes_and_foreign_letters_are_found(photos: Path) -> None:
    odd = photos / 'Zürich, "1".jpg'
    (photos / "dog.jpg").rename(odd)
    apply(written(record(str(odd), noise=0.8)), odd)
    assert tags(odd)["XMP-xmp:Rating"] == -1


def test_only_photos_with_something_to_say_have_a_row(photos: Path) -> None:
    dog, city = str(photos / "dog.jpg"), str(photos / "city.jpg")
    rows = list(csv.DictReader(io.StringIO(written(record(dog), record(city, haze=0.4), failure("x.jpg")))))
    assert [row["SourceFile"] for row in rows] == [city]
    assert list(rows[0]) == [
        "SourceFile",
        "XMP-xmp:Rating",
        "XMP-xmp:Label",
        "XMP-dc:Subject",
        "XMP-dc:subject",
        "XMP-dc:SUbject",
        "XMP-lr:HierarchicalSubject",
    ]
    assert written(record(dog)) == "SourceFile,XMP-xmp:Rating,XMP-xmp:Label\n"


def test_a_photo_whose_xmp_cant_be_read_is_left_out_and_reported(photos: Path) -> None:
    dog, city = photos / "dog.jpg", photos / "city.jpg"
    Image.open(dog).save(dog, xmp=b"<x:xmpmeta")
    refused: list[str] = []
    text = written(record(str(dog), noise=0.8), record(str(city), noise=0.8), refused=refused)
    assert [row["SourceFile"] for row in csv.DictReader(io.StringIO(text))] == [str(city)]
    assert len(refused) == 1
    assert refused[0].startswith(f"{dog}: the XMP inside the photo can't be read: it isn't well-formed XML")


def test_a_tag_is_spelled_in_as_many_ways_as_it_has_letters_for() -> None:
    found = spellings("XMP-dc:Subject", MOST_KEYWORDS)
    assert found[:3] == ["XMP-dc:Subject", "XMP-dc:subject", "XMP-dc:SUbject"]
    assert len(set(found)) == MOST_KEYWORDS
    assert {spelling.lower() for spelling in found} == {"xmp-dc:subject"}
    with pytest.raises(ValueError, match="4097"):
        spellings("XMP-dc:Subject", 4097)


@needs_exiftool
def test_hundreds_of_keywords_are_kept_and_too_many_refused(photos: Path) -> None:
    dog = photos / "dog.jpg"
    exiftool("-q", "-overwrite_original", *(f"-XMP-dc:Subject={number:03d}" for number in range(300)), dog)
    apply(written(record(str(dog), noise=0.8)), dog)
    assert set(keywords(dog)) == {f"{number:03d}" for number in range(300)} | {"photodefect", "severe", "noise"}
    exiftool("-q", "-overwrite_original", *(f"-XMP-dc:Subject+=x{number}" for number in range(800)), dog)
    refused: list[str] = []
    assert written(record(str(dog), haze=0.4), refused=refused).count("\n") == 1
    assert refused == [f"{dog}: it has more than {MOST_KEYWORDS} keywords"]
