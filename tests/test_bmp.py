"""BMPs with a colour profile, and of fewer than eight bits a channel."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from numpy.typing import NDArray
from photo_files import saved
from PIL import Image

from photodefect.photos.colour_profiles import adobe_rgb_profile
from photodefect.photos.decode import decode_bytes

PIXELS: NDArray[np.uint8] = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)


def bmp(rows: bytes, *, bits: int = 24, kind: bytes = b"", profile: bytes = b"") -> bytes:
    """A BMP of 16 x 12, its first row the lowest; with a header of version 5 if the kind of its colours is told."""
    info = struct.pack("<IiiHHIIiiII", 124 if kind else 40, 16, 12, 1, bits, 0, len(rows), 2835, 2835, 0, 0)
    if kind:
        place = 124 + len(rows)
        info += struct.pack("<IIII4s48xIIII", 0, 0, 0, 0, kind, 4, place, len(profile), 0)
    start = 14 + len(info)
    return b"BM" + struct.pack("<IHHI", start + len(rows) + len(profile), 0, 0, start) + info + rows + profile


def stored() -> bytes:
    return PIXELS[::-1, :, ::-1].tobytes()


def test_an_embedded_profile_is_applied() -> None:
    photo = decode_bytes(bmp(stored(), kind=b"DEBM", profile=adobe_rgb_profile()))
    as_png = decode_bytes(saved(Image.fromarray(PIXELS), "PNG", icc_profile=adobe_rgb_profile()))
    assert np.array_equal(photo.pixels, as_png.pixels)
    assert not np.array_equal(photo.pixels, PIXELS)
    assert photo.provenance.icc == as_png.provenance.icc


@pytest.mark.parametrize("kind", [b"BGRs", b" niW", b"KNIL"])
def test_colours_of_another_kind_are_srgb(kind: bytes) -> None:
    assert np.array_equal(decode_bytes(bmp(stored(), kind=kind)).pixels, PIXELS)


def test_a_profile_that_isnt_there_is_passed_over() -> None:
    whole = bmp(stored(), kind=b"DEBM", profile=adobe_rgb_profile())
    assert np.array_equal(decode_bytes(whole[: -len(adobe_rgb_profile())]).pixels, PIXELS)


def test_sixteen_bits_of_a_pixel_arent_those_of_a_channel() -> None:
    red, green, blue = (PIXELS[::-1, :, channel].astype(np.uint16) >> 3 for channel in range(3))
    photo = decode_bytes(bmp((red << 10 | green << 5 | blue).astype("<u2").tobytes(), bits=16))
    assert np.array_equal(photo.pixels, (PIXELS >> 3).astype(np.uint16) * 255 // 31)
    assert photo.provenance.mode == "RGB"
