"""JPEG 2000 of more or fewer than eight bits, and with a profile."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from photo_files import saved
from PIL import Image

from photodefect.errors import UnreadableError, UnsupportedError
from photodefect.photos.colour_profiles import adobe_rgb_profile
from photodefect.photos.decode import decode_bytes

SIXTEEN_BITS = bytes.fromhex(
    "ff4fff5100320000000000080000000400000000000000000000000800000004000000000000000000040f01010f01010f01"
    "010f0101ff52000c00000001000004040001ff5c00044080ff90000a0000000000b30001ff93dff891e030cae7b5b21ff7a1"
    "1e22778466cfbd0594cbbe0536ef814dbbe0536ed11f5b569fb11cd87e6c3f361f9b0fcd87e6c3f361f9b0fcd87e6c3f361f"
    "9b0fcffc3020140049f7875bf93fdff891e82688d966118003fe1bc2266470605a1492ea8dab4fd88e6c3f361f9b0fcd8189"
    "d0a5ddf029b77c0a6ddf029c18168fb11cd87e6c3f361f9b0fcd87e6c3dff890a038fd3f55eec003ae51ebc47e71d3a74e9d"
    "3a74dfffd9"
)
"""8 x 4, lossless, by OpenJPEG 2.5: white, (65280, 32768, 0) and (0, 65535, 20000); opaque but for the last."""


@pytest.fixture(scope="module")
def dog(samples: Path) -> Image.Image:
    """A real photograph, 144 x 96."""
    with Image.open(samples / "dog.jpg") as image:
        return image.convert("RGB").resize((144, 96))


def colour_box(method: int, body: bytes) -> bytes:
    return struct.pack(">I4sBBB", 11 + len(body), b"colr", method, 0, 0) + body


def with_colours(data: bytes, box: bytes) -> bytes:
    """A JP2 with another box about its colours."""
    at = data.index(b"jp2h") - 4
    size = int.from_bytes(data[at : at + 4], "big")
    header = data[at + 8 : at + size]
    start = header.index(b"colr") - 4
    header = header[:start] + box + header[start + int.from_bytes(header[start : start + 4], "big") :]
    return data[:at] + struct.pack(">I4s", 8 + len(header), b"jp2h") + header + data[at + size :]


def with_bits(data: bytes, bits: int, *, halvings: int = 0) -> bytes:
    """A lossy code stream of eight bits whose header says another depth, which scales all samples about the middle.

    Steps are told in shares of the range (ITU-T T.800, equation E-3), so that the file is as valid as before.

    Args:
        data: the file, its transform irreversible.
        bits: of each sample.
        halvings: how often steps are halved as well; the number of bit planes stays.
    """
    changed = bytearray(data)
    size = data.index(b"\xff\x51") + 2
    for component in range(data[size + 37]):
        changed[size + 38 + 3 * component] = bits - 1
    steps = data.index(b"\xff\x5c") + 4
    changed[steps] -= halvings << 5
    for place in range(steps + 1, steps - 2 + data[steps - 1], 2):
        changed[place] += halvings << 3
    return bytes(changed)


def lossy(image: Image.Image, **options: object) -> bytes:
    return saved(image, "JPEG2000", irreversible=True, quality_mode="dB", quality_layers=[60], **options)


def dull(image: Image.Image) -> Image.Image:
    """A photo that has a little white and black at twice its contrast."""
    return image.point(lambda level: round((level - 128) * 0.6 + 128))


def scaled(image: Image.Image, factor: float) -> NDArray[np.float64]:
    """Samples with another contrast about the middle."""
    return np.clip((np.asarray(image, np.float64) - 128) * factor + 128, 0, 255)


def test_white_of_sixteen_bits_is_white_and_what_is_opaque_isnt_transparent() -> None:
    pixels = decode_bytes(SIXTEEN_BITS).pixels
    expected = np.zeros((4, 8, 3))
    expected[:, :4], expected[:, 4:6], expected[:, 6:] = 255, (255, 128, 0), (0, 255, 78)
    expected[3, 7] = 255  # transparent
    assert np.abs(pixels - expected).max() <= 0.5


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
@pytest.mark.parametrize("bits", [10, 12, 16])
@pytest.mark.parametrize("form", ["jp2", "j2k"])
def test_white_of_lossy_photos_of_more_than_eight_bits_is_white(
    form: str, bits: int, mode: str, dog: Image.Image
) -> None:
    image = dull(dog).convert("L").convert("LA") if mode == "LA" else dull(dog).convert(mode)
    photo = decode_bytes(with_bits(lossy(image, no_jp2=form == "j2k"), bits, halvings=-1))
    expected = scaled(image.convert("RGB"), 2)
    assert (expected == 255).mean() > 0.001 < (expected == 0).mean()
    assert np.abs(photo.pixels - expected).max() <= 6
    assert np.abs(photo.pixels - expected).mean() <= 1


@pytest.mark.parametrize("tile", [None, (64, 64)])
def test_a_photo_in_tiles_is_put_right_in_each(tile: tuple[int, int] | None, dog: Image.Image) -> None:
    data = with_bits(lossy(dull(dog), **({"tile_size": tile} if tile else {})), 16, halvings=-1)
    assert np.abs(decode_bytes(data).pixels - scaled(dull(dog), 2)).max() <= 6


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("bits", [1, 4, 7])
def test_white_of_fewer_than_eight_bits_is_white(bits: int, mode: str, dog: Image.Image) -> None:
    most = 2**bits - 1
    image = dog.convert(mode).point(lambda level: 255 if level > 127 else 0)
    photo = decode_bytes(with_bits(lossy(image), bits))
    assert set(np.unique(photo.pixels * most // 255)) <= {0, 1, most - 1, most}
    assert np.mean(np.abs(photo.pixels - np.asarray(image.convert("RGB"), float)) <= 255 / most) > 0.98


@pytest.mark.parametrize("method", [2, 3])
def test_an_embedded_profile_is_applied(method: int, dog: Image.Image) -> None:
    as_png = decode_bytes(saved(dog, "PNG", icc_profile=adobe_rgb_profile()))
    photo = decode_bytes(with_colours(saved(dog, "JPEG2000"), colour_box(method, adobe_rgb_profile())))
    assert np.array_equal(photo.pixels, as_png.pixels)
    assert photo.provenance.icc == as_png.provenance.icc
    assert np.abs(photo.pixels.astype(int) - np.asarray(dog)).max() > 5


def test_what_cant_be_put_right_is_named(dog: Image.Image) -> None:
    ycc = with_colours(lossy(dog), colour_box(1, struct.pack(">I", 18)))
    decode_bytes(ycc)
    with pytest.raises(UnsupportedError, match="YCC of more than eight bits"):
        decode_bytes(with_bits(ycc, 16))


def test_a_header_that_ends_early_is_reported() -> None:
    with pytest.raises(UnreadableError):
        decode_bytes(SIXTEEN_BITS[:70])
