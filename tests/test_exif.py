"""What the camera wrote: read where it is, None where it isn't, never an exception."""

from __future__ import annotations

import io
import os
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.TiffImagePlugin import IFDRational
from tiff_bytes import bayer_dng

from photodefect.photos.exif import read_capture
from photodefect.photos.facts import Capture

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
    # In AVIF and HEIF the orientation stands outside the EXIF data.
    assert replace(capture, orientation=8) == FULL_CAPTURE
    if form not in ("AVIF", "HEIF"):
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


def test_high_iso_is_found_where_two_bytes_dont_hold_it() -> None:
    assert read_capture(photo({}, {0x8827: 65535, 0x8832: 102400})).iso == 102400
    assert read_capture(photo({}, {0x8827: 0})).iso is None


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


def test_nothing_is_logged_or_printed(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    for data in (b"words", b"\xff\xd8\xff\xe1\0\x10Exif\0\0II*\0\x08\0\0\0", photo(*FULL)[:90]):
        read_capture(data)
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


WHOLE = {form: photo(*FULL, format=form) for form in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF")}


@pytest.mark.parametrize("form", WHOLE)
@settings(deadline=None)
@given(data=st.data())
def test_damage_anywhere_raises_nothing(form: str, data: st.DataObject) -> None:
    damaged = bytearray(WHOLE[form])
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, min(len(damaged), 500) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(damaged)))
    assert isinstance(read_capture(bytes(damaged[:cut] if cut % 3 == 0 else damaged)), Capture)
