"""What the camera wrote: read where it is, None where it isn't, never an exception."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exif_files import (
    EXPOSURE,
    MAIN,
    apple_note,
    big_exif,
    box,
    canon_note,
    cr3,
    exif,
    fujifilm_note,
    heif,
    jpeg,
    made_by,
    nikon_note,
    olympus_note,
    one_folder,
    panasonic_note,
    png,
    png_profile,
    segment,
    sony_note,
    webp,
)
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.TiffImagePlugin import IFDRational
from tiff_bytes import Tags, bayer_dng

from photodefect.photos.exif import read_capture
from photodefect.photos.facts import Capture
from photodefect.photos.limits import LIMITS

EXIF_FOLDER = 0x8769


def photo(main: dict[int, Any], exposure: dict[int, Any] | None = None, **options: Any) -> bytes:
    """A photo, a JPEG by default, with these tags in its first EXIF folder and in the one about the exposure."""
    exif = Image.Exif()
    exif.update(main)
    if exposure:
        exif.get_ifd(EXIF_FOLDER).update(exposure)
    if options.get("format") == "TIFF":  # Pillow would leave the second folder out
        return exif.tobytes().removeprefix(b"Exif\0\0")
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, options.pop("format", "JPEG"), exif=exif, **options)
    return buffer.getvalue()


FULL = (
    {271: "NIKON CORPORATION", 272: "NIKON Z 6", 274: 8, 305: "Ver.1.0"},
    {
        0x829A: IFDRational(1, 250),
        0x829D: IFDRational(28, 10),
        0x8827: 800,
        0x9003: "2024:05:01 12:30:45",
        0x9291: "25",
        0x9011: "+02:00",
        0x9204: IFDRational(-2, 3),
        0x920A: IFDRational(500, 10),
        0xA402: 2,
        0xA434: "NIKKOR Z 50mm f/1.8 S",
    },
)

FULL_CAPTURE = Capture(
    time="2024-05-01T12:30:45.250+02:00",
    camera="NIKON Z 6",
    lens="NIKKOR Z 50mm f/1.8 S",
    iso=800,
    shutter_s=0.004,
    aperture=2.8,
    focal_mm=50.0,
    exposure_bias=pytest.approx(-2 / 3),
    exposure_mode="auto bracket",
    sequence="bracket",
    software="Ver.1.0",
    orientation=8,
)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_everything_is_read_from_every_format(form: str) -> None:
    if form == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    capture = read_capture(photo(*FULL, format=form))
    # In AVIF the orientation stands outside the EXIF data.
    assert replace(capture, orientation=8) == FULL_CAPTURE
    if form != "AVIF":
        assert capture.orientation == 8


def test_a_path_and_its_bytes_read_alike(tmp_path: Path) -> None:
    (tmp_path / "photo").write_bytes(photo(*FULL))
    assert read_capture(tmp_path / "photo") == FULL_CAPTURE


def test_a_real_cameras_data_is_read(samples: Path) -> None:
    # Checked against the values that Pillow's own parser gives.
    assert read_capture(samples / "lake-sherburne.jpg") == Capture(
        time="2015-05-07T11:02:22.420",
        camera="Canon EOS 5D Mark III",
        lens="EF50mm f/1.4 USM",
        iso=200,
        shutter_s=1 / 1250,
        aperture=7.1,
        focal_mm=50.0,
        exposure_bias=0.0,
        exposure_mode="auto",
        software="Adobe Photoshop CS6 (Macintosh)",
        orientation=1,
    )


def test_raw_photos_are_read() -> None:
    dng = bayer_dng(np.zeros((4, 4), np.uint16), orientation=6)
    assert read_capture(dng) == Capture(camera="Nobody Nothing 1", orientation=6)
    inside = photo({271: "FUJIFILM", 272: "X-T5"})
    raf = b"FUJIFILMCCD-RAW 0201".ljust(84, b"\0") + struct.pack(">II", 160, len(inside)) + bytes(68) + inside
    assert read_capture(raf) == Capture(camera="FUJIFILM X-T5")


@pytest.mark.parametrize(
    ("make", "model", "camera"),
    [
        ("Canon", "Canon EOS R5", "Canon EOS R5"),
        ("NIKON CORPORATION", "NIKON D810", "NIKON D810"),
        ("SONY", "ILCE-7M4", "SONY ILCE-7M4"),
        ("OLYMPUS IMAGING CORP.", "E-PL3", "OLYMPUS E-PL3"),
        ("Eastman Kodak Company", "DC210", "Eastman Kodak DC210"),
        ("SAMSUNG TECHWIN CO., LTD.", "Pro 815", "SAMSUNG Pro 815"),
        ("Apple", None, "Apple"),
        (None, "Pixel 8", "Pixel 8"),
        ("  Canon\n", "Canon \x1b[31mEOS", "Canon [31mEOS"),
        ("", "  ", None),
    ],
)
def test_cameras_are_called_as_people_call_them(make: str | None, model: str | None, camera: str | None) -> None:
    tags = {tag: value for tag, value in ((271, make), (272, model)) if value is not None}
    assert read_capture(photo(tags)).camera == camera


@pytest.mark.parametrize(
    ("tags", "time"),
    [
        ({0x9003: "2024:05:01 12:30:45", 0x9291: "123456789"}, "2024-05-01T12:30:45.123456"),
        ({0x9003: "2024:05:01 12:30:45", 0x9291: "7 "}, "2024-05-01T12:30:45.700"),
        ({0x9003: "2024:05:01 12:30:45", 0x9291: "x"}, "2024-05-01T12:30:45"),
        ({0x9003: "2024:05:01 12:30:45", 0x9011: "Z"}, "2024-05-01T12:30:45+00:00"),
        ({0x9003: "2024:05:01 12:30:45", 0x9011: "   :  "}, "2024-05-01T12:30:45"),
        ({0x9003: "0000:00:00 00:00:00", 0x9004: "2023:01:02 03:04:05"}, "2023-01-02T03:04:05"),
        ({0x9003: "    :  :     :  :  "}, None),
        ({0x9003: "2024:02:30 12:30:45"}, None),
    ],
)
def test_times_are_iso_8601_or_none(tags: dict[int, str], time: str | None) -> None:
    assert read_capture(photo({}, tags)).time == time


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2024-05-01 12:00:00", "2024-05-01T12:00:00"),
        ("2024-05-01T12:00:00+02:00", "2024-05-01T12:00:00+02:00"),
        ("2007/06/30 18:45:17", "2007-06-30T18:45:17"),
        ("2024:05:01 12:00:00.25", "2024-05-01T12:00:00.250"),
        ("2024:05:01 12:00:00Z", "2024-05-01T12:00:00+00:00"),
        ("2024:05:01 12:00:00-0330", "2024-05-01T12:00:00-03:30"),
        ("2024:05:01 12:00", "2024-05-01T12:00:00"),
        ("2024-04-22T14:38:09GMT+2", "2024-04-22T14:38:09+02:00"),
        ("20111006 17:47:14.264", "2011-10-06T17:47:14.264"),
        ("2024:5:1 9:07:05", "2024-05-01T09:07:05"),
        # Written by phones whose programmers took the hours 1..24 for 0..23: the first hour of that day.
        ("2019:01:01 24:04:20", "2019-01-01T00:04:20"),
        ("2024:05:01", None),
        ("2024:05:01 12:60:00", None),
        ("2024:05:01 25:00:00", None),
        ("2024:05:01 12:00:00 in the afternoon", None),
    ],
)
def test_times_that_dont_keep_to_the_standard_are_read(text: str, time: str | None) -> None:
    assert read_capture(photo({}, {0x9003: text})).time == time


def test_a_fraction_and_an_offset_come_from_where_they_are() -> None:
    tags = {0x9003: "2024:05:01 12:00:00.5+09:00", 0x9291: "25", 0x9011: "+02:00"}
    assert read_capture(photo({}, tags)).time == "2024-05-01T12:00:00.250+09:00"
    assert read_capture(photo({}, {**tags, 0x9291: "  "})).time == "2024-05-01T12:00:00.500+09:00"


def test_high_iso_is_found_where_two_bytes_dont_hold_it() -> None:
    for tag in (0x8832, 0x8833, 0x8831):  # recommended exposure index, ISO speed, standard output sensitivity
        assert read_capture(photo({}, {0x8827: 65535, tag: 102400})).iso == 102400
    assert read_capture(jpeg(exif(exposure={0x8827: (4, 204800)}))).iso == 204800
    assert read_capture(jpeg(exif(exposure={0x8827: (3, [0, 250])}))).iso == 250
    assert read_capture(photo({}, {0x8827: 65535})).iso == 65535
    assert read_capture(photo({}, {0x8827: 0})).iso is None


def test_a_panasonic_raw_photo_without_a_jpeg_has_its_iso_in_a_tag_of_its_own() -> None:
    assert read_capture(b"IIU\0" + one_folder({0x17: (3, 80)})[4:]).iso == 80


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (2, b"Caf\xc3\xa9\0", "Café"),
        (2, b"Caf\xe9\0", "Café"),
        (2, b"Pictures\x992\0", "Pictures™2"),
        (1, b"Caf\xe9\0rest", "Café"),
        (7, b"Program 1\0", "Program 1"),
        (129, "Öffnung\0".encode(), "Öffnung"),
        (129, b"F/2\0", "F/2"),
        (2, b"\0", None),
        (3, [65, 66], "AB"),
    ],
)
def test_text_is_read_in_whatever_encoding_and_type(kind: int, value: bytes | list[int], text: str | None) -> None:
    values = value if kind in (2, 3) else list(value)
    assert read_capture(jpeg(exif({305: (kind, values)}))).software == text


def test_exposure_is_taken_from_doublings_where_that_is_all_there_is() -> None:
    # 2^-8 s and 2^(4/2), by the definition of APEX in EXIF 2.32, annex C.
    capture = read_capture(photo({}, {0x9201: IFDRational(8, 1), 0x9202: IFDRational(4, 1)}))
    assert (capture.shutter_s, capture.aperture) == (1 / 256, 4.0)


def test_the_view_of_a_lens_is_what_the_camera_says_and_otherwise_unknown() -> None:
    assert read_capture(photo({}, {0x920A: IFDRational(26, 1), 0xA405: 42})).focal_35mm == 42
    # The density of pixels of the focal plane isn't changed by programs that make a photo smaller.
    plane = {0xA002: 4000, 0xA003: 3000, 0xA210: 4, 0xA20E: IFDRational(4444, 10), 0xA20F: IFDRational(4444, 10)}
    assert read_capture(photo({}, {0x920A: IFDRational(26, 1), 0xA405: 0, **plane})).focal_35mm is None


def test_a_lens_is_told_by_its_numbers_where_it_has_no_name() -> None:
    numbers = {0xA432: (5, [18, 1, 55, 1, 35, 10, 56, 10])}
    assert read_capture(jpeg(exif(exposure=numbers))).lens == "18-55mm f/3.5-5.6"
    assert read_capture(jpeg(exif(exposure={**numbers, 0xA434: (2, b"----\0")}))).lens == "18-55mm f/3.5-5.6"
    assert read_capture(jpeg(exif(exposure={0xA432: (5, [50, 1, 50, 1, 0, 0, 0, 0])}))).lens == "50mm"
    assert read_capture(jpeg(exif(exposure={0xA432: (5, [0, 0, 0, 0, 0, 0, 0, 0])}))).lens is None


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("theirs", "<>")
@pytest.mark.parametrize(
    ("make", "note", "lens", "drive"),
    [
        (b"Canon", lambda order: canon_note(8, order), "EF50mm f/1.8 STM", "continuous"),
        (b"NIKON CORPORATION", nikon_note, "18-70mm f/3.5-4.5", "continuous"),
        (b"OLYMPUS", olympus_note, "OLYMPUS M.12-40mm F2.8", "single"),
        (b"Panasonic", lambda order: panasonic_note(8, order), "LUMIX G VARIO 12-35", "continuous"),
        (b"SONY", lambda order: sony_note(8, order), None, "continuous"),
        (b"FUJIFILM", lambda _: fujifilm_note(), None, "continuous"),
    ],
)
def test_makers_notes_are_read_in_either_byte_order(
    order: str, theirs: str, make: bytes, note: Callable[[str], bytes], lens: str | None, drive: str
) -> None:
    capture = read_capture(jpeg(exif(made_by(make), {0x9003: (2, b"x\0")}, note(theirs), order)))
    assert (capture.lens, capture.drive) == (lens, drive)


def test_a_makers_iso_counts_where_the_standards_is_missing() -> None:
    assert read_capture(jpeg(exif(made_by(b"Canon"), {}, canon_note(8)))).iso == 1600
    assert read_capture(jpeg(exif(made_by(b"Canon"), {0x8827: (3, 100)}, canon_note(8)))).iso == 100
    assert read_capture(jpeg(exif(made_by(b"Canon"), {}, bytes(200)))).iso is None


def test_an_iphones_burst_is_told_by_its_note() -> None:
    assert read_capture(jpeg(exif(made_by(b"Apple"), {}, apple_note(), ">"))).sequence == "burst"


XMP = b"http://ns.adobe.com/xap/1.0/\0"


def test_exif_data_and_xmp_are_found_wherever_they_are_in_a_jpeg() -> None:
    block, packet = exif(), segment(0xE1, XMP + b'<x GCamera:BurstID="4"/>')
    extension = segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + bytes(60_000))
    for before in (b"", b"\xff" * 3, segment(0xE6, bytes(65_000)) * 40, extension * 3, segment(0xFE, b"words")):
        capture = read_capture(jpeg(block, before + packet))
        assert (capture.iso, capture.sequence) == (800, "burst")
    assert read_capture(jpeg(block, segment(0xE1, b"Exif\0\0"))).iso == 800  # an empty one before


def test_the_single_photos_of_a_camera_that_sees_all_around_are_no_panorama() -> None:
    for quotes in (b'="equirectangular"', b">equirectangular<"):
        assert read_capture(jpeg(exif(), segment(0xE1, XMP + b"GPano:ProjectionType" + quotes))).sequence is None


@pytest.mark.parametrize(
    "data",
    [
        png_profile(exif()),
        png_profile(exif(), b"tEXt"),
        png_profile(exif(), b"iTXt"),
        png_profile(exif(), b"zTXt", b"APP1"),
        png(b"Exif\0\0" + exif()),
        webp(exif()),
        webp(exif(), b"Exif\0\0"),
        heif(exif(order=">"), inside=True),
        heif(exif(), b"mif1"),
        b"\0\0\0\x0cJXL \r\n\x87\n" + box(b"Exif", bytes(4), exif()),
    ],
)
def test_the_forms_in_which_programs_write_exif_data_are_all_read(data: bytes) -> None:
    assert (read_capture(data).iso, read_capture(data).time) == (800, "2024-05-01T12:30:45.250+02:00")


def test_damaged_exif_data_takes_nothing_from_what_was_read_before() -> None:
    whole = cr3(
        one_folder(made_by(b"Canon")), one_folder({0x8827: (3, 800), 0x9003: (2, b"2024:05:01 12:30:45\0")}), b""
    )
    cut = read_capture(whole[: whole.index(b"CMT2") + 20])
    assert (cut.camera, cut.iso) == ("Canon Cam 1", None)
    assert (read_capture(whole).camera, read_capture(whole).iso) == ("Canon Cam 1", 800)


def test_reading_ends_however_long_the_way_is() -> None:
    few = replace(LIMITS, exif_bytes=20_000)
    assert read_capture(jpeg(exif(), segment(0xFE, b"") * 1000), few) == Capture()
    assert read_capture(jpeg(exif(), segment(0xFE, b"") * 10), few).iso == 800


def test_numbers_that_make_no_sense_are_none() -> None:
    capture = read_capture(
        photo({274: 77}, {0x829A: IFDRational(1, 0), 0x829D: IFDRational(0, 0), 0x920A: IFDRational(0, 1), 0x8827: 100})
    )
    assert capture == Capture(iso=100)


def test_sequences_are_told_by_what_cameras_write() -> None:
    assert read_capture(photo({}, {0xA402: 0, 0xA401: 6})).sequence == "panorama"
    assert read_capture(photo({}, {0xA402: 1})).exposure_mode == "manual"
    for marker, sequence in (
        (b'<x GCamera:BurstID="42"/>', "burst"),
        (b'<x GPano:ProjectionType="cylindrical"/>', "panorama"),
    ):
        assert read_capture(photo({272: "Phone"}, xmp=marker)).sequence == sequence


@pytest.mark.parametrize(
    "data", [b"", b"words", b"\xff\xd8\xff\xe1", b"FUJIFILMCCD-RAW ", b"II*\0\x08\0\0\0", b"\0\0\0\x18ftypheic"]
)
def test_without_exif_data_all_is_none(data: bytes) -> None:
    assert read_capture(data) == Capture()


def test_what_cannot_be_opened_gives_none(tmp_path: Path) -> None:
    assert read_capture(tmp_path / "gone.jpg") == Capture()
    assert read_capture(tmp_path) == Capture()
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        assert read_capture(tmp_path / "pipe") == Capture()


@pytest.mark.parametrize("order", "<>")
def test_a_big_tiff_says_what_a_tiff_says_whatever_of_it_is_left_out(order: str) -> None:
    long = {**EXPOSURE, 0x927C: (7, b"Canon note" * 200), 0x9286: (7, bytes(1001))}
    found = read_capture(big_exif(order, exposure=long))
    assert found == read_capture(exif(order=order))
    assert (found.time, found.iso) == ("2024-05-01T12:30:45.250+02:00", 800)


@pytest.mark.parametrize("order", "<>")
def test_texts_of_the_type_that_exif_3_brought_are_read_and_take_nothing_from_the_others(order: str) -> None:
    def retyped(tags: Tags) -> Tags:
        return {tag: (129, list(value)) if kind == 2 else (kind, value) for tag, (kind, value) in tags.items()}

    usual = read_capture(jpeg(exif(order=order)))
    assert (usual.camera, usual.lens, usual.time) == ("Own Cam 1", "Own 50mm F2.8", "2024-05-01T12:30:45.250+02:00")
    for main, exposure in ((MAIN, retyped(EXPOSURE)), (retyped(MAIN), EXPOSURE), (retyped(MAIN), retyped(EXPOSURE))):
        assert read_capture(jpeg(exif(main, exposure, order=order))) == usual
        assert read_capture(big_exif(order, main, exposure)) == usual
    whole = exif(retyped(MAIN), retyped(EXPOSURE), order=order)
    for size in range(8, len(whole), 7):
        read_capture(jpeg(whole[:size]))  # raises nothing


def test_nothing_is_logged_or_printed(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    for data in (b"words", b"\xff\xd8\xff\xe1\0\x10Exif\0\0II*\0\x08\0\0\0", photo(*FULL)[:90]):
        read_capture(data)
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


WHOLE = {form: photo(*FULL, format=form) for form in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")}


@pytest.mark.parametrize("form", WHOLE)
@given(data=st.data())
def test_damage_anywhere_raises_nothing(form: str, data: st.DataObject) -> None:
    damaged = bytearray(WHOLE[form])
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, min(len(damaged), 500) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(damaged)))
    assert isinstance(read_capture(bytes(damaged[:cut] if cut % 3 == 0 else damaged)), Capture)
