"""Raw photos: which way is up, what is missing, and previews in place of data that LibRaw doesn't know."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from numpy.typing import NDArray
from photo_files import saved
from PIL import Image
from tiff_bytes import bayer_dng

from photodefect.errors import UnreadableError, UnsupportedError
from photodefect.photos.decode import decode_bytes
from photodefect.photos.tiff_folders import folders

pytest.importorskip("rawpy")

# The picture 1 2 3 / 4 5 6 as the sensor has it under each EXIF orientation: see test_decode.
SENSOR = {
    1: [[1, 2, 3], [4, 5, 6]],
    2: [[3, 2, 1], [6, 5, 4]],
    3: [[6, 5, 4], [3, 2, 1]],
    4: [[4, 5, 6], [1, 2, 3]],
    5: [[1, 4], [2, 5], [3, 6]],
    6: [[3, 6], [2, 5], [1, 4]],
    7: [[6, 3], [5, 2], [4, 1]],
    8: [[4, 1], [5, 2], [6, 3]],
}


def mosaic(orientation: int) -> NDArray[np.uint16]:
    """A sensor's data, 100 x 100 a number."""
    return np.kron(np.array(SENSOR[orientation], np.uint16) * 6000, np.ones((100, 100), np.uint16))


def preview(pattern: list[list[int]], side: int = 100, exif: int | None = None) -> bytes:
    pixels = np.kron(np.array(pattern, np.uint8) * 40, np.ones((side, side), np.uint8))
    told = Image.Exif()
    if exif is not None:
        told[274] = exif
    return saved(Image.fromarray(pixels).convert("RGB"), "JPEG", quality=95, **({"exif": told} if exif else {}))


def numbers(pixels: NDArray[np.uint8], side: int = 100) -> list[list[int]]:
    return np.rint(pixels[side // 2 :: side, side // 2 :: side, 1] / 40).astype(int).tolist()


def size(jpeg: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(jpeg)) as image:
        return image.size


@pytest.mark.parametrize("orientation", SENSOR)
def test_a_developed_raw_photo_is_upright_mirrored_ones_too(orientation: int) -> None:
    photo = decode_bytes(bayer_dng(mosaic(orientation), orientation=orientation))
    assert photo.provenance.source == "raw decode"
    assert photo.provenance.orientation == orientation
    linear = (photo.pixels[50::100, 50::100, 1] / 255 + 0.055) / 1.055
    assert np.rint(linear**2.4 * 65535 / 6000).astype(int).tolist() == SENSOR[1]


@pytest.mark.parametrize("orientation", SENSOR)
@pytest.mark.parametrize("exif", [False, True])
def test_a_preview_that_lies_as_the_sensor_is_turned(exif: bool, orientation: int) -> None:
    jpeg = preview(SENSOR[orientation], exif=orientation if exif else None)
    photo = decode_bytes(bayer_dng(mosaic(orientation), orientation=orientation, preview=jpeg, size=size(jpeg)))
    assert photo.provenance.source == "embedded preview"
    assert photo.provenance.orientation == orientation
    assert numbers(photo.pixels) == SENSOR[1]


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
@pytest.mark.parametrize("exif", [None, 1, "as the raw photo"])
def test_an_upright_preview_of_an_upright_raw_photo_is_not_turned_again(
    exif: int | str | None, orientation: int
) -> None:
    jpeg = preview(SENSOR[1], exif=orientation if isinstance(exif, str) else exif)
    data = bayer_dng(mosaic(orientation), orientation=orientation, preview=jpeg, size=size(jpeg))
    photo = decode_bytes(data)
    assert photo.provenance.source == "embedded preview"
    assert numbers(photo.pixels) == SENSOR[1]
    assert (photo.width, photo.height) == (300, 200)
    assert photo.provenance.orientation == orientation


def cut_before_the_sensors_data(data: bytes, kept: int) -> bytes:
    """A DNG whose sensor's data begins or ends behind the file's end: what tags say, as if its end were cut off."""
    sensor = next(folder for folder in folders(data) if folder.number(262) == 32803)
    start = int(sensor.parts()[0][0])
    entry = struct.pack("<HHII", 273, 4, 1, start)
    assert data.count(entry) == 1
    return data.replace(entry, struct.pack("<HHII", 273, 4, 1, len(data) - kept))


@pytest.mark.parametrize("kept", [-10, 0, 5000])
def test_a_dng_that_ends_before_or_within_its_sensors_data_is_cut_short(kept: int) -> None:
    whole = bayer_dng(mosaic(1))
    with pytest.raises(UnreadableError, match="cut short"):
        decode_bytes(cut_before_the_sensors_data(whole, kept))
    jpeg = preview(SENSOR[1])
    judged = decode_bytes(cut_before_the_sensors_data(bayer_dng(mosaic(1), preview=jpeg, size=size(jpeg)), kept))
    assert judged.provenance.source == "embedded preview"
    assert judged.provenance.missing == "sensor data"
    assert numbers(judged.pixels) == SENSOR[1]


def test_a_dng_whose_tiles_hold_something_else_is_cut_short() -> None:
    with pytest.raises(UnreadableError, match="cut short"):
        decode_bytes(bayer_dng(np.zeros((200, 300), np.uint16), compression=7))


JPEG_XL, VC_5, UNKNOWN = 52546, 9, 12345


@pytest.mark.parametrize("compression", [JPEG_XL, VC_5, UNKNOWN])
def test_a_preview_stands_for_sensor_data_that_libraw_doesnt_know(compression: int) -> None:
    large = np.tile(mosaic(6), (8, 8))
    for side in (800, 400):
        jpeg = preview(SENSOR[6], side)
        data = bayer_dng(large, orientation=6, preview=jpeg, size=size(jpeg), compression=compression)
        photo = decode_bytes(data, ".dng")
        assert photo.provenance.source == "embedded preview"
        assert photo.provenance.orientation == 6
        assert numbers(photo.pixels, side) == SENSOR[1]
        if side == 400 or compression == UNKNOWN:
            assert photo.provenance.missing == "sensor data"


@pytest.mark.parametrize("compression", [JPEG_XL, VC_5, UNKNOWN])
def test_a_raw_photo_of_unknown_data_whose_preview_is_small_is_named_as_that(compression: int) -> None:
    jpeg = preview(SENSOR[1], 30)
    data = bayer_dng(mosaic(1), preview=jpeg, size=size(jpeg), compression=compression)
    with pytest.raises(UnsupportedError, match="LibRaw"):
        decode_bytes(data, ".dng")
    with pytest.raises(UnsupportedError, match="LibRaw"):
        decode_bytes(bayer_dng(mosaic(1), compression=compression), ".dng")
