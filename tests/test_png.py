"""PNGs in which one colour is called transparent (PNG 3, section 11.3.1.1)."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from numpy.typing import NDArray
from photo_files import png, png_chunk

from photodefect.photos.decode import decode_bytes

LINEAR = png_chunk(b"gAMA", struct.pack(">I", 100_000))
GREY, RGB = 0, 2


def keyed(rows: list[list[int]] | list[list[tuple[int, ...]]], depth: int, key: int | tuple[int, ...]) -> bytes:
    """A PNG of grey or RGB samples in which those of the key are transparent."""
    pixels = np.array(rows)
    colour = GREY if pixels.ndim == 2 else RGB
    samples = pixels.reshape(len(rows), -1)
    if depth == 16:
        lines = [row.astype(">u2").tobytes() for row in samples]
    else:
        bits = np.unpackbits(samples.astype(np.uint8)[:, :, None], axis=2)[:, :, 8 - depth :]
        lines = [np.packbits(row).tobytes() for row in bits.reshape(len(rows), -1)]
    whole = png(pixels.shape[1], len(rows), b"".join(b"\0" + line for line in lines), depth=depth, colour=colour)
    numbers = (key,) if isinstance(key, int) else key
    return with_chunk(whole, png_chunk(b"tRNS", struct.pack(f">{len(numbers)}H", *numbers)))


def with_chunk(whole: bytes, chunk: bytes) -> bytes:
    """A PNG with another chunk after its header."""
    return whole[:33] + chunk + whole[33:]


def first_row(data: bytes) -> list[list[int]]:
    pixels: NDArray[np.uint8] = decode_bytes(data).pixels
    return pixels[0].tolist()


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_of_few_grey_levels_the_one_that_is_told_is_transparent(depth: int) -> None:
    most = 2**depth - 1
    for key in range(0, most + 1, max(1, most // 5)):
        levels = sorted({0, key, most // 2, most})
        expected = [[255 if level == key else level * 255 // most] * 3 for level in levels]
        assert first_row(keyed([levels], depth, key)) == expected


def test_of_grey_levels_in_two_bytes_the_one_that_is_told_is_transparent() -> None:
    levels = [0, 0x1234, 0x1235, 0x1334, 0x3412, 65535]
    assert [row[0] for row in first_row(keyed([levels], 16, 0x1234))] == [0, 255, 0x12, 0x13, 0x34, 255]


def test_of_colours_in_two_bytes_the_one_that_is_told_is_transparent() -> None:
    key = (0x1020, 0x3040, 0x5060)
    others = [(0x1021, 0x3040, 0x5060), (0x2020, 0x4040, 0x6060), (0x1020, 0x3040, 0x5061), (0x1010, 0x3030, 0x5050)]
    expected = [[255] * 3, *([value >> 8 for value in colour] for colour in others)]
    assert first_row(keyed([[key, *others]], 16, key)) == expected


@pytest.mark.parametrize("depth", [2, 16])
def test_a_transparent_colour_is_told_before_the_gamma_is_applied(depth: int) -> None:
    most = 2**depth - 1
    levels = [0, most // 3, most]
    linear = with_chunk(keyed([levels], depth, most // 3), LINEAR)
    assert [row[0] for row in first_row(linear)] == [0, 255, 255]
    dark = with_chunk(keyed([levels], depth, 0), LINEAR)
    # A third of the light is 156 of 255 in sRGB (IEC 61966-2-1).
    assert [row[0] for row in first_row(dark)] == [255, pytest.approx(156, abs=1), 255]


def test_a_transparent_colour_in_two_bytes_is_told_before_the_gamma_is_applied() -> None:
    key, other = (0x1020, 0x3040, 0x5060), (0x1021, 0x3040, 0x5060)
    found = first_row(with_chunk(keyed([[key, other]], 16, key), LINEAR))
    assert found[0] == [255] * 3
    assert max(found[1]) < 160
