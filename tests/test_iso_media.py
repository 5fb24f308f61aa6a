"""What the boxes of AVIF and HEIF files say: turns, clean apertures, code points."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from photo_files import saved
from PIL import Image

from photodefect.photos.decode import decode_bytes
from photodefect.photos.facts import Capture, with_one_orientation
from photodefect.photos.iso_media import Properties, read_properties


@pytest.fixture(scope="module")
def dog(samples: Path) -> Image.Image:
    """A real photograph, 144 x 96."""
    with Image.open(samples / "dog.jpg") as image:
        return image.convert("RGB").resize((144, 96))


def heic(image: Image.Image, orientation: int, *, by_exif_alone: bool = False) -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif")
    exif = Image.Exif()
    exif[274] = 1 if by_exif_alone else orientation
    buffer = io.BytesIO()
    pillow_heif.from_pillow(image).save(buffer, quality=90, exif=exif.tobytes())
    data = buffer.getvalue()
    if by_exif_alone:
        entry = struct.pack(">HHIH", 274, 3, 1, 1)
        assert data.count(entry) == 1
        data = data.replace(entry, struct.pack(">HHIH", 274, 3, 1, orientation))
    return data


def with_aperture(data: bytes, values: tuple[int, ...]) -> bytes:
    """An AVIF whose first picture has a clean aperture: the box goes to the end of its properties."""
    box = struct.pack(">I4s8i", 40, b"clap", *values)
    parts = bytearray(data)
    ipco = data.index(b"ipco") - 4
    held, at = 0, ipco + 8
    while at < ipco + struct.unpack_from(">I", data, ipco)[0]:
        held, at = held + 1, at + struct.unpack_from(">I", data, at)[0]
    ipma = data.index(b"ipma") - 4
    count = ipma + 8 + 4 + 4 + 2  # after size, kind, version, number of pictures and the first one's number
    end = count + 1 + data[count]
    for kind, added in ((b"meta", 41), (b"iprp", 41), (b"ipco", 40), (b"ipma", 1)):
        size = data.index(kind) - 4
        struct.pack_into(">I", parts, size, struct.unpack_from(">I", data, size)[0] + added)
    parts[count] += 1
    iloc = data.index(b"iloc") + 4
    for item in range(struct.unpack_from(">H", data, iloc + 6)[0]):  # of 14 bytes each: one extent of 4 + 4
        place = iloc + 8 + 14 * item + 6
        struct.pack_into(">I", parts, place, struct.unpack_from(">I", data, place)[0] + 41)
    essential = 0x80
    return bytes(parts[:at] + box + parts[at:end] + bytes([essential | held + 1]) + parts[end:])


def test_an_avif_shows_its_clean_aperture_only(dog: Image.Image) -> None:
    whole = saved(dog, "AVIF", quality=95)
    # 100 x 60 around a point 10 to the right of the middle and 6 above it: 32..132 and 12..72.
    data = with_aperture(whole, (100, 1, 60, 1, 10, 1, -6, 1))
    photo = decode_bytes(data)
    assert (photo.width, photo.height) == (100, 60)
    assert np.array_equal(photo.pixels, decode_bytes(whole).pixels[12:72, 32:132])
    turned = Image.Exif()
    turned[274] = 6
    on_its_side = decode_bytes(
        with_aperture(saved(dog, "AVIF", quality=95, exif=turned), (100, 1, 60, 1, 10, 1, -6, 1))
    )
    assert np.array_equal(on_its_side.pixels, np.rot90(photo.pixels, -1))


def test_a_clean_aperture_that_is_no_part_of_the_picture_is_passed_over(dog: Image.Image) -> None:
    whole = saved(dog, "AVIF", quality=95)
    for values in ((100, 1, 60, 1, 30, 1, 0, 1), (200, 1, 60, 1, 0, 1, 0, 1), (0, 1, 60, 1, 0, 1, 0, 1), (9, 0) * 4):
        photo = decode_bytes(with_aperture(whole, values))
        assert (photo.width, photo.height) == (144, 96)


def test_edges_of_a_clean_aperture_are_the_standards() -> None:
    # 1920 x 1080 in 1920 x 1088: the example of ISO 14496-12 for video that is coded in blocks of 16.
    aperture = Fraction(1920), Fraction(1080), Fraction(0), Fraction(-4)
    assert Properties(aperture=aperture).shown(1920, 1088) == (0, 0, 1920, 1080)
    assert Properties().shown(30, 20) == (0, 0, 30, 20)


def quarters(pixels: NDArray[np.uint8]) -> list[list[int]]:
    """Which quarters of a picture are bright."""
    middle_row, middle_column = pixels.shape[0] // 2, pixels.shape[1] // 2
    rows, columns = (
        (slice(0, middle_row), slice(middle_row, None)),
        (slice(0, middle_column), slice(middle_column, None)),
    )
    return [[int(pixels[row, column].mean() > 100) for column in columns] for row in rows]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("by_exif_alone", [False, True])
def test_a_heic_is_turned_once_by_its_boxes_or_else_by_exif(by_exif_alone: bool, orientation: int) -> None:
    upright = Image.fromarray(np.kron(np.array([[1, 0], [0, 0]], np.uint8) * 200, np.ones((32, 48), np.uint8))).convert(
        "RGB"
    )
    undone = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # what has to be done to store it so: Pillow's operations
    stored = upright if orientation == 1 else upright.transpose(Image.Transpose(undone[orientation]))
    data = heic(stored, orientation, by_exif_alone=by_exif_alone)
    told_by_boxes = read_properties(data).orientation
    assert told_by_boxes == (None if by_exif_alone or orientation == 1 else orientation)
    photo = decode_bytes(data)
    assert (photo.width, photo.height) == (96, 64)
    assert quarters(photo.pixels) == [[1, 0], [0, 0]]
    assert photo.provenance.orientation == orientation


def test_capture_data_says_the_orientation_that_was_undone(dog: Image.Image) -> None:
    photo = decode_bytes(heic(dog, 6, by_exif_alone=True))
    assert with_one_orientation(Capture(camera="x", orientation=1), photo.provenance) == Capture(
        camera="x", orientation=6
    )
    plain = decode_bytes(saved(dog, "PNG"))
    assert with_one_orientation(Capture(orientation=6), plain.provenance) == Capture(orientation=1)
    assert with_one_orientation(Capture(), plain.provenance) == Capture()


def test_boxes_that_cant_be_read_say_nothing(dog: Image.Image) -> None:
    whole = saved(dog, "AVIF", quality=50)
    assert read_properties(whole).code_points == (1, 13)
    for end in range(0, whole.index(b"mdat"), 7):
        assert read_properties(whole[:end]) in (Properties(), read_properties(whole))
    for kind in (b"pitm", b"ipma", b"ipco", b"iprp"):
        assert read_properties(whole.replace(kind, b"free")) == Properties()


def test_the_command_tells_one_orientation(dog: Image.Image, tmp_path: Path) -> None:
    (tmp_path / "a.heic").write_bytes(heic(dog, 6, by_exif_alone=True))
    command = [sys.executable, "-m", "photodefect", "diagnose", tmp_path, "--format", "json", "--no-cache", "--quiet"]
    (record,) = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert (record["width"], record["height"]) == (96, 144)
    assert record["provenance"]["orientation"] == record["capture"]["orientation"] == 6
