"""Light that a DNG says its lens or sensor lost, and colour filters that LibRaw doesn't know."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from photo_files import saved
from PIL import Image
from tiff_bytes import Tags, bayer_dng

from photodefect.errors import UnsupportedError
from photodefect.photos.decode import decode_bytes
from photodefect.photos.dng_gains import read_gains

pytest.importorskip("rawpy")

HEIGHT, WIDTH = 240, 320
WHITE = 65535

# Gains at nine points: corners, edges, centre. darktable 4.2.1 develops the red and green of such a DNG with the same
# gains as are expected below, to 1 %.
RED, GREEN = ([[corner, edge, corner], [edge, 1, edge], [corner, edge, corner]] for corner, edge in ((3, 2), (2, 1.5)))
BLUE = [[1.0]]
ROUND_THE_FRAME = {"corner": (0, 0), "top": (0, 160), "centre": (116, 156), "between": (56, 76)}


def opcode(number: int, told: bytes) -> bytes:
    return struct.pack(">4I", number, 0x01030000, 1, len(told)) + told


def gain_map(points: Any, *, at: tuple[int, int] = (0, 0), pitch: int = 2, planes: int = 1) -> bytes:
    """A map of gain that spans the frame, (rows, columns) or (rows, columns, planes)."""
    gains = np.asarray(points, ">f4")
    gains = gains if gains.ndim == 3 else gains[:, :, None]
    high, wide, depth = gains.shape
    spacing = [1 / (count - 1) if count > 1 else 1.0 for count in (high, wide)]
    area = (*at, HEIGHT, WIDTH, 0, planes, pitch, pitch, high, wide)
    return opcode(9, struct.pack(">10I4dI", *area, *spacing, 0, 0, depth) + gains.tobytes())


def opcodes(*codes: bytes) -> tuple[int, bytes]:
    return 7, struct.pack(">I", len(codes)) + b"".join(codes)


def even(light: float = 0.1, black: int = 0, shape: tuple[int, ...] = (HEIGHT, WIDTH)) -> NDArray[np.uint16]:
    return np.full(shape, round(black + light * (WHITE - black)), np.uint16)


def linear(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Linear light (IEC 61966-2-1)."""
    encoded = pixels / 255
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def light_at(data: bytes, place: tuple[int, int]) -> list[float]:
    """Mean light of 8 x 8 pixels, in shares of white."""
    top, left = place
    return linear(decode_bytes(data, ".dng").pixels[top : top + 8, left : left + 8]).mean((0, 1)).tolist()


def developed(gains: tuple[int, bytes], **options: Any) -> bytes:
    tags: Tags = {51009: gains} | options.pop("tags", {})
    return bayer_dng(options.pop("mosaic", even()), tags=tags, **options)


FOUR_MAPS = opcodes(
    *(gain_map(points, at=at) for points, at in ((RED, (0, 0)), (GREEN, (0, 1)), (GREEN, (1, 0)), (BLUE, (1, 1))))
)


@pytest.mark.parametrize("black", [0, 4096])
@pytest.mark.parametrize(
    ("place", "red", "green"), [("corner", 3, 2), ("top", 2, 1.5), ("centre", 1, 1), ("between", 2, 1.5)]
)
def test_what_a_phones_lens_took_from_each_colour_is_given_back(
    place: str, red: float, green: float, black: int
) -> None:
    data = developed(FOUR_MAPS, mosaic=even(0.1, black), tags={50714: (4, black)})
    found = light_at(data, ROUND_THE_FRAME[place])
    assert found == pytest.approx([0.1 * red, 0.1 * green, 0.1], rel=0.05)


@pytest.mark.parametrize(("top", "left"), [(32, 64), (33, 64), (32, 65), (33, 65)])
def test_a_map_lies_over_the_part_of_the_sensor_that_is_the_picture(top: int, left: int) -> None:
    larger = even(0.1, shape=(HEIGHT + 34, WIDTH + 66))
    data = developed(FOUR_MAPS, mosaic=larger, area=(top, left, HEIGHT + top, WIDTH + left))
    assert light_at(data, (0, 0)) == pytest.approx([0.3, 0.2, 0.1], rel=0.05)
    assert light_at(data, ROUND_THE_FRAME["centre"]) == pytest.approx([0.1] * 3, rel=0.05)


def test_what_is_blown_stays_white() -> None:
    assert light_at(developed(FOUR_MAPS, mosaic=even(1.0)), (0, 0)) == [1, 1, 1]
    red, green, _ = light_at(developed(FOUR_MAPS, mosaic=even(0.6)), (0, 0))
    assert (red, green) == (1, 1)


@pytest.mark.parametrize("list_tag", [51009, 51022], ids=["mosaic", "colours"])
def test_what_falls_off_towards_the_corners_is_given_back(list_tag: int) -> None:
    vignette = opcodes(opcode(3, struct.pack(">7d", 0.5, 0.25, 0, 0, 0, 0.5, 0.5)))
    data = bayer_dng(even(), tags={list_tag: vignette})
    assert light_at(data, (0, 0)) == pytest.approx([0.1 * 1.75] * 3, rel=0.05)
    assert light_at(data, (116, 156)) == pytest.approx([0.1] * 3, rel=0.03)
    # Half of the way to the corner: a quarter of the squared distance, a sixteenth of its square.
    assert light_at(data, (56, 76)) == pytest.approx([0.1 * (1 + 0.5 / 4 + 0.25 / 16)] * 3, rel=0.03)


def test_a_map_of_colours_is_about_their_samples() -> None:
    points = [[[3, 2, 1], [1, 1, 1]]]
    data = bayer_dng(even(), tags={51022: opcodes(gain_map(points, pitch=1, planes=3))})
    assert light_at(data, (100, 0)) == pytest.approx([0.3, 0.2, 0.1], rel=0.05)
    assert light_at(data, (100, WIDTH - 8)) == pytest.approx([0.1] * 3, rel=0.05)


def test_a_dng_whose_colours_are_made_already_is_given_its_light_back() -> None:
    without_mosaic = {262: (3, 34892), 277: (3, 3), 258: (3, [16] * 3), 33421: None, 33422: None}
    points = [[[3, 2, 1], [1, 1, 1]]]
    gains = opcodes(gain_map(points, pitch=1, planes=3))
    data = bayer_dng(even().repeat(3, axis=1), tags=without_mosaic | {256: (4, WIDTH), 51009: gains})
    assert light_at(data, (100, 0)) == pytest.approx([0.3, 0.2, 0.1], rel=0.05)
    assert light_at(data, (100, WIDTH - 8)) == pytest.approx([0.1] * 3, rel=0.05)


def test_a_sensor_without_filters_is_given_its_light_back() -> None:
    monochrome = {262: (3, 34892), 33421: None, 33422: None, 50721: None, 50728: None, 50778: None}
    data = bayer_dng(even(), tags=monochrome | {51009: opcodes(gain_map([[2, 1]], pitch=1))})
    assert light_at(data, (100, 0)) == pytest.approx([0.2] * 3, rel=0.05)


@pytest.mark.parametrize(
    "told",
    [
        b"",
        b"\0\0\0\1",
        opcodes(opcode(9, b"\0" * 40))[1],
        opcodes(gain_map([[np.nan]]))[1],
        opcodes(gain_map([[-1.0]]))[1],
        opcodes(gain_map([[2.0]], pitch=0))[1],
        opcodes(gain_map([[2.0]], at=(HEIGHT, WIDTH)))[1],
        opcodes(gain_map([[2.0]]))[1][:-1],
        opcodes(opcode(3, struct.pack(">7d", *[np.inf] * 7)), opcode(1, b""), opcode(99, b"?"))[1],
    ],
)
def test_gains_that_make_no_sense_are_passed_over(told: bytes) -> None:
    plain, odd = (decode_bytes(bayer_dng(even(), tags=tags), ".dng").pixels for tags in ({}, {51009: (7, told)}))
    np.testing.assert_array_equal(plain, odd)


def test_lists_and_maps_have_limits() -> None:
    many = opcodes(*[gain_map([[2.0]])] * 200)[1]
    assert len(list(read_gains(many, of_mosaic=True))) == 16
    assert not list(read_gains(opcodes(gain_map(np.ones((1, 600))))[1], of_mosaic=True))


X_TRANS = ["GRGGBG", "BGBRGR", "GRGGBG", "GBGGRG", "RGRBGB", "GBGGRG"]
UNKNOWN = {
    "quad": ["RRGG", "RRGG", "GGBB", "GGBB"],
    "nine": ["RRRGGG"] * 3 + ["GGGBBB"] * 3,
    "written twice": ["RGRG", "GBGB", "RGRG", "GBGB"],
    "wide": ["RRGG", "GGBB"],
    "stripes": ["RGB"],
}


def mosaic_of(pattern: list[str], side: int = 720, **options: Any) -> bytes:
    """A DNG of an orange surface below such filters."""
    numbers = np.array([["RGB".index(colour) for colour in row] for row in pattern])
    light = (np.array([0.4, 0.2, 0.1]) * WHITE).astype(np.uint16)[numbers]
    rows, columns = numbers.shape
    tags = {33421: (3, [rows, columns]), 33422: (1, numbers.ravel().tolist())}
    return bayer_dng(np.tile(light, (side // rows, side // columns)), tags=tags, **options)


@pytest.mark.parametrize("pattern", UNKNOWN)
def test_filters_that_libraw_would_take_for_others_are_named(pattern: str) -> None:
    with pytest.raises(UnsupportedError, match="arranges its sensor's colours"):
        decode_bytes(mosaic_of(UNKNOWN[pattern]), ".dng")


def test_a_preview_stands_for_a_photo_of_unknown_filters() -> None:
    jpeg = saved(Image.new("RGB", (1000, 1000), (200, 100, 50)), "JPEG", quality=95)
    photo = decode_bytes(mosaic_of(UNKNOWN["quad"], 1200, preview=jpeg, size=(1000, 1000)), ".dng")
    assert (photo.provenance.source, photo.provenance.missing) == ("embedded preview", "sensor data")


@pytest.mark.parametrize("pattern", [["RG", "GB"], ["BG", "GR"], X_TRANS], ids=["RGGB", "BGGR", "X-Trans"])
def test_filters_that_libraw_knows_give_the_colour(pattern: list[str]) -> None:
    data = mosaic_of(pattern)
    assert light_at(data, (360, 360)) == pytest.approx([0.4, 0.2, 0.1], abs=0.02)
