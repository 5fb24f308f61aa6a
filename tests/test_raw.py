"""Raw photos: which way is up, what is missing, and previews in place of data that LibRaw doesn't know."""

from __future__ import annotations

import io
import struct
from typing import Any

import numpy as np
import pytest
from colour_maths import SRGB, to_xyz
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


def flat_dng(levels: tuple[float, float, float] = (0.2, 0.2, 0.2), **options: Any) -> bytes:
    """A DNG of 200 x 120 of an even colour, given in shares of white."""
    red, green, blue = (round(level * 65535) for level in levels)
    return bayer_dng(np.tile(np.array([[red, green], [green, blue]], np.uint16), (60, 100)), **options)


def linear(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Mean linear light of each channel (IEC 61966-2-1)."""
    encoded = pixels.reshape(-1, 3).mean(0) / 255
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("brightest", [0.5, 0.74, 0.8, 0.95])
def test_the_brightest_part_of_a_dng_isnt_taken_for_white(brightest: float) -> None:
    assert linear(decode_bytes(flat_dng((brightest,) * 3)).pixels) == pytest.approx([brightest] * 3, abs=0.01)


@pytest.mark.parametrize(("stops", "light"), [(1, 0.4), (2, 0.8), (0.5, 0.2828), (3, 1), (-1, 0.2)])
def test_a_dng_is_as_bright_as_its_baseline_exposure_says(stops: float, light: float) -> None:
    told = {50730: (10, [round(stops * 100), 100])}
    assert linear(decode_bytes(flat_dng(tags=told)).pixels) == pytest.approx([light] * 3, abs=0.01)


def test_a_dng_without_white_balance_keeps_its_cast() -> None:
    levels = (0.4, 0.2, 0.1)
    photo = decode_bytes(flat_dng(levels, tags={50728: None}))
    assert linear(photo.pixels) == pytest.approx(levels, abs=0.01)


def test_a_white_balance_that_is_told_by_its_chromaticity_makes_that_neutral() -> None:
    # Incandescent light (CIE 15, illuminant A) as the primaries of sRGB see it.
    x, y = 0.4476, 0.4074
    to_srgb = np.linalg.inv(to_xyz(SRGB))
    light = to_srgb @ [x / y, 1, (1 - x - y) / y]
    told = {50728: None, 50729: (5, [round(x * 10000), 10000, round(y * 10000), 10000])}
    red, green, blue = linear(decode_bytes(flat_dng(tuple(light * 0.2), tags=told)).pixels)
    assert [red, blue] == pytest.approx([green] * 2, rel=0.03)


def quarters() -> NDArray[np.uint16]:
    """A sensor whose quarters have the numbers 1 to 4, 200 x 120."""
    return np.kron(np.array([[1, 2], [3, 4]], np.uint16) * 9000, np.ones((60, 100), np.uint16))


# The third quarter: origin right and down, size in columns and rows; shares of the height, then of the width.
THIRD = {50719: (4, [0, 60]), 50720: (4, [100, 60])}, {51125: (5, [1, 2, 0, 1, 1, 1, 1, 2])}


@pytest.mark.parametrize("tags", THIRD, ids=["crop", "user crop"])
@pytest.mark.parametrize("orientation", [1, 6, 7])
def test_the_part_of_the_sensor_that_a_dng_calls_its_picture_is_taken(
    orientation: int, tags: dict[int, tuple[int, list[int]]]
) -> None:
    photo = decode_bytes(bayer_dng(quarters(), orientation=orientation, tags=tags))
    assert (photo.width, photo.height) == ((100, 60) if orientation == 1 else (60, 100))
    inside = photo.pixels[10:-10, 10:-10]
    assert linear(inside) == pytest.approx([3 * 9000 / 65535] * 3, abs=0.01)


def test_a_crop_that_is_no_part_of_the_sensor_is_passed_over() -> None:
    for tags in ({50719: (4, [150, 0]), 50720: (4, [100, 60])}, {51125: (5, [1, 0] * 4)}, {51125: (5, [1, 1] * 4)}):
        assert decode_bytes(bayer_dng(quarters(), tags=tags)).pixels.shape == (120, 200, 3)


def test_a_preview_of_the_cropped_size_stands_for_a_cropped_dng() -> None:
    jpeg = preview([[1, 2, 3], [4, 5, 6]], side=20)
    cropped = {50719: (4, [0, 0]), 50720: (4, [60, 40])}
    photo = decode_bytes(bayer_dng(quarters(), preview=jpeg, size=size(jpeg), tags=cropped))
    assert photo.provenance.source == "embedded preview"
    assert (photo.width, photo.height) == (60, 40)


def test_a_sensor_without_colour_filters_gives_grey() -> None:
    grey = np.full((120, 200), 0.2 * 65535, np.uint16)
    # Linear samples, one a pixel; without what belongs to colours.
    monochrome = {262: (3, 34892), 33421: None, 33422: None, 50721: None, 50728: None, 50778: None}
    photo = decode_bytes(bayer_dng(grey, tags=monochrome))
    assert photo.pixels.shape == (120, 200, 3)
    assert photo.provenance.mode == "L"
    assert linear(photo.pixels) == pytest.approx([0.2] * 3, abs=0.01)
