"""TIFFs with channels beside their colours: selections that editors save, the infrared of scanners, alpha."""

from __future__ import annotations

import io
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from photo_files import saved
from PIL import Image
from tiff_bytes import write_tiff

from photodefect.errors import TooLargeError, UnreadableError, UnsupportedError
from photodefect.photos.decode import decode_bytes
from photodefect.photos.tiff_folders import folders

PHOTOMETRIC = {"L": "minisblack", "RGB": "rgb", "CMYK": "separated"}


@pytest.fixture(scope="module")
def dog(samples: Path) -> Image.Image:
    """A real photograph, 144 x 96."""
    with Image.open(samples / "dog.jpg") as image:
        return image.convert("RGB").resize((144, 96))


def channels_of(image: Image.Image, mode: str) -> NDArray[np.uint8]:
    return np.asarray(image.convert(mode)).reshape(96, 144, -1)


def selection(seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (96, 144, 1), np.uint8)


def tiff_of(channels: NDArray[np.uint8], mode: str, extra: list[str], bits: int, **options: Any) -> bytes:
    """Written by tifffile."""
    samples = channels if bits == 8 else channels.astype(np.uint16) * 257
    if options.get("planarconfig") == "separate":
        samples = samples.transpose(2, 0, 1)
    file = io.BytesIO()
    tifffile.imwrite(file, samples, photometric=PHOTOMETRIC[mode], extrasamples=extra, **options)
    return file.getvalue()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("planes", ["contig", "separate"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("mode", PHOTOMETRIC)
def test_selections_leave_a_photo_as_it_is(
    mode: str, count: int, bits: int, planes: str, order: str, dog: Image.Image
) -> None:
    colours = channels_of(dog, mode)
    channels = np.concatenate([colours, *map(selection, range(count))], axis=2)
    data = tiff_of(channels, mode, ["unspecified"] * count, bits, planarconfig=planes, byteorder=order)
    shown = np.asarray(dog.convert(mode).convert("RGB"))
    np.testing.assert_array_equal(decode_bytes(data).pixels, shown)


@pytest.mark.parametrize(
    "stored",
    [
        {"rowsperstrip": 7},
        {"tile": (16, 32)},
        {"tile": (48, 16), "compression": "zlib", "predictor": True},
        {"rowsperstrip": 10, "compression": "zlib", "predictor": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("planes", ["contig", "separate"])
def test_strips_tiles_and_differences_are_undone(planes: str, stored: dict[str, Any], dog: Image.Image) -> None:
    channels = np.concatenate([channels_of(dog, "RGB"), selection(0), selection(1)], axis=2)
    for bits, order in ((8, "<"), (16, ">"), (16, "<")):
        data = tiff_of(channels, "RGB", ["unspecified"] * 2, bits, planarconfig=planes, byteorder=order, **stored)
        photo = decode_bytes(data)
        np.testing.assert_array_equal(photo.pixels, np.asarray(dog))
        assert photo.provenance.mode == ("RGB" if bits == 8 else "RGB;16")


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("planes", ["contig", "separate"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("kind", ["unassalpha", "assocalpha"])
def test_alpha_is_found_among_selections(kind: str, mode: str, planes: str, bits: int, dog: Image.Image) -> None:
    half = np.full((96, 144, 1), 255, np.uint8)
    half[:48] = 0
    colours = channels_of(dog, mode) if kind == "unassalpha" else channels_of(dog, mode) * (half > 0)
    channels = np.concatenate([colours, selection(0), half], axis=2)
    pixels = decode_bytes(tiff_of(channels, mode, ["unspecified", kind], bits, planarconfig=planes)).pixels
    assert (pixels[:48] == 255).all()
    np.testing.assert_array_equal(pixels[48:], np.asarray(dog.convert(mode).convert("RGB"))[48:])


def lzw(rows: NDArray[np.uint8]) -> bytes:
    """As Pillow's libtiff packs it."""
    data = saved(Image.fromarray(rows), "TIFF", compression="tiff_lzw", tiffinfo={278: len(rows)})
    page = next(folders(data))
    ((start,), (size,)) = page.parts()
    return data[int(start) : int(start) + int(size)]


def test_what_editors_pack_by_lzw_is_unpacked(dog: Image.Image) -> None:
    channels = np.concatenate([channels_of(dog, "RGB"), selection(0), selection(1)], axis=2).astype(">u2") * 257
    differences = np.diff(channels, axis=1, prepend=np.zeros((96, 1, 5), ">u2")).astype(">u2")
    tags = {256: (4, 144), 257: (4, 96), 258: (3, [16] * 5), 259: (3, 5), 262: (3, 2), 277: (3, 5), 278: (4, 96),
            338: (3, [0, 0])}  # fmt: skip
    for samples, predictor in ((channels, 1), (differences, 2)):
        strip = lzw(np.frombuffer(samples.tobytes(), np.uint8).reshape(96, -1))
        data = write_tiff([(tags | {317: (3, predictor)}, strip)], ">")
        np.testing.assert_array_equal(decode_bytes(data).pixels, np.asarray(dog))


def test_a_file_that_is_damaged_or_too_large_is_reported(dog: Image.Image) -> None:
    channels = np.concatenate([channels_of(dog, "RGB"), selection(0), selection(1)], axis=2)
    whole = tiff_of(channels, "RGB", ["unspecified"] * 2, 16)
    with pytest.raises(TooLargeError, match="144 x 96"):
        decode_bytes(whole, max_pixels=144 * 96 - 1)
    tags = {256: (4, 144), 257: (4, 96), 258: (3, [8] * 5), 259: (3, 8), 262: (3, 2), 277: (3, 5), 278: (4, 96),
            338: (3, [0, 0])}  # fmt: skip
    packed = zlib.compress(channels.tobytes())
    np.testing.assert_array_equal(decode_bytes(write_tiff([(tags, packed)])).pixels, np.asarray(dog))
    for damaged in (packed[: len(packed) // 2], b""):
        with pytest.raises((UnreadableError, UnsupportedError)):
            decode_bytes(write_tiff([(tags, damaged)]))
