"""Photoshop documents of 16 bits, large ones, and those with saved selections."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from photo_files import profile
from PIL import Image

from photodefect.errors import TooLargeError, UnreadableError, UnsupportedError
from photodefect.photos.decode import decode_bytes

MODES = {"L": (1, 1), "RGB": (3, 3), "CMYK": (4, 4), "LAB": (9, 3)}


@pytest.fixture(scope="module")
def dog(samples: Path) -> Image.Image:
    """A real photograph, 144 x 96."""
    with Image.open(samples / "dog.jpg") as image:
        return image.convert("RGB").resize((144, 96))


def packed_row(row: bytes) -> bytes:
    """PackBits without runs of equal bytes, but for the first of them."""
    first = len(row) - len(row.lstrip(row[:1]))
    out = struct.pack("bB", 1 - min(first, 128), row[0]) if first > 1 else b""
    rest = row[min(first, 128) :] if first > 1 else row
    return out + b"".join(
        bytes([len(part) - 1]) + part for part in (rest[at : at + 128] for at in range(0, len(rest), 128))
    )


def psd(planes: NDArray[np.uint8], mode: str, *, bits: int = 16, packed: bool = False, large: bool = False) -> bytes:
    """A document by Adobe's specification, its planes (channels, height, width), with a layer that isn't looked at."""
    channels, height, width = planes.shape
    number, _ = MODES[mode]
    name = b"\0\0"
    icc = profile()
    resources = b"".join(
        struct.pack(">4sH2sI", b"8BIM", identity, name, len(body)) + body + bytes(len(body) % 2)
        for identity, body in ((1005, b"xyz"), (1039, icc if mode == "RGB" else b"?"))
    )
    layers = bytes(11)
    data = b"8BPS" + struct.pack(">H6xHIIHH", 2 if large else 1, channels, height, width, bits, number)
    data += struct.pack(">I", 0) + struct.pack(">I", len(resources)) + resources
    data += struct.pack(">Q" if large else ">I", len(layers)) + layers
    samples = planes if bits == 8 else (planes.astype(np.uint16) * 257).astype(">u2")
    if not packed:
        return data + struct.pack(">H", 0) + samples.tobytes()
    rows = [packed_row(row.tobytes()) for plane in samples for row in plane]
    return data + struct.pack(f">H{len(rows)}{'I' if large else 'H'}", 1, *map(len, rows)) + b"".join(rows)


def stored(image: Image.Image, mode: str) -> NDArray[np.uint8]:
    """The planes of an image as Photoshop stores them."""
    if mode == "LAB":
        from PIL import ImageCms  # noqa: PLC0415

        spaces = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        lab = np.array(ImageCms.profileToProfile(image, *spaces, outputMode="LAB"))
        lab[:, :, 1:] ^= 128
        return lab.transpose(2, 0, 1)
    samples = np.asarray(image.convert(mode))
    if mode == "CMYK":
        samples = 255 - samples
    return samples[None] if samples.ndim == 2 else samples.transpose(2, 0, 1)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("bits", "large"), [(16, False), (16, True), (8, True), (8, False)])
@pytest.mark.parametrize("mode", MODES)
def test_documents_of_sixteen_bits_and_large_ones_are_read(
    mode: str, bits: int, large: bool, packed: bool, dog: Image.Image
) -> None:
    photo = decode_bytes(psd(stored(dog, mode), mode, bits=bits, packed=packed, large=large))
    expected = np.asarray(dog.convert("L").convert("RGB") if mode == "L" else dog)
    assert np.abs(photo.pixels.astype(int) - expected).mean() < (1.5 if mode == "LAB" else 0.01)
    assert photo.provenance.format == "PSD"
    assert photo.provenance.mode == {"L": "I;16"}.get(mode, f"{mode};16") if bits == 16 else mode
    assert photo.provenance.icc == ("sRGB built-in" if mode == "RGB" else None)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("selections", [1, 2])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_saved_selections_leave_the_photo_as_it_is(
    mode: str, bits: int, selections: int, packed: bool, dog: Image.Image
) -> None:
    planes = np.concatenate([stored(dog, mode), np.zeros((selections, 96, 144), np.uint8)])
    expected = np.asarray(dog.convert("L").convert("RGB") if mode == "L" else dog)
    assert np.array_equal(decode_bytes(psd(planes, mode, bits=bits, packed=packed)).pixels, expected)


def test_documents_that_are_cut_short_or_too_large_are_reported(dog: Image.Image) -> None:
    for packed in (False, True):
        whole = psd(stored(dog, "RGB"), "RGB", packed=packed)
        for end in (10, 30, 60, len(whole) // 2, len(whole) - 1):
            with pytest.raises(UnreadableError):
                decode_bytes(whole[:end])
        with pytest.raises(TooLargeError, match="144 x 96"):
            decode_bytes(whole, max_pixels=144 * 96 - 1)


def test_what_isnt_read_of_photoshops_documents_is_named(dog: Image.Image) -> None:
    whole = bytearray(psd(stored(dog, "RGB"), "RGB"))
    struct.pack_into(">H", whole, 22, 32)
    with pytest.raises(UnsupportedError, match="32 bits"):
        decode_bytes(bytes(whole))
    struct.pack_into(">HH", whole, 22, 16, 7)
    with pytest.raises(UnsupportedError, match="colour mode 7"):
        decode_bytes(bytes(whole))
    palette = bytearray(psd(np.zeros((2, 2, 2), np.uint8), "L", bits=8))
    struct.pack_into(">H", palette, 24, 2)
    with pytest.raises(UnsupportedError, match="colour mode 2"):
        decode_bytes(bytes(palette))
    zipped = psd(np.zeros((3, 2, 2), np.uint8), "RGB")
    place = len(zipped) - 2 - 24
    with pytest.raises(UnsupportedError, match="zipped"):
        decode_bytes(zipped[:place] + b"\0\2" + zipped[place + 2 :])
