"""TIFFs that Pillow gets wrong or refuses, thumbnails that come first, and compressions that nothing here knows."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from photo_files import profile, saved
from PIL import Image
from tiff_bytes import Tags, big_tiff, rgb16_planes, write_tiff

from photodefect.errors import PhotoError, TooLargeError, UnreadableError, UnsupportedError
from photodefect.photos.decode import decode_bytes
from photodefect.photos.tiff_folders import folders


@pytest.fixture(scope="module")
def dog(samples: Path) -> NDArray[np.uint8]:
    """A real photograph, 144 x 96."""
    with Image.open(samples / "dog.jpg") as image:
        return np.array(image.convert("RGB").resize((144, 96)))


def wide(pixels: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """The same in 16 bits."""
    return pixels.astype(np.uint16) * 257


def tags_of(pixels: NDArray[np.uint8]) -> dict[int, tuple[int, object]]:
    height, width = pixels.shape[:2]
    return {
        256: (4, width), 257: (4, height), 258: (3, [8] * 3), 259: (3, 1), 262: (3, 2), 277: (3, 3), 278: (4, height),
    }  # fmt: skip


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("rows", [None, 7])
def test_sixteen_bits_stored_by_channel_are_put_together(rows: int | None, order: str, dog: NDArray[np.uint8]) -> None:
    photo = decode_bytes(rgb16_planes(wide(dog), order, rows))
    assert np.array_equal(photo.pixels, dog)
    assert photo.provenance.mode == "RGB;16"
    half = np.full((*dog.shape[:2], 1), 255, np.uint8)
    half[:48] = 0
    clear = decode_bytes(rgb16_planes(wide(np.concatenate([dog, half], axis=2)), order, rows))
    assert (clear.pixels[:48] == 255).all()
    assert np.array_equal(clear.pixels[48:], dog[48:])
    assert clear.provenance.mode == "RGBA;16"


def test_sixteen_bits_stored_by_channel_that_are_cut_short_are_reported(dog: NDArray[np.uint8]) -> None:
    whole = rgb16_planes(wide(dog))
    folder = next(folders(whole)).start
    # The folder comes last: what is missing is taken out before it, and the pointer to it corrected.
    missing = 40_000
    cut = bytearray(whole[: folder - missing] + whole[folder:])
    struct.pack_into("<I", cut, 4, folder - missing)
    with pytest.raises((UnreadableError, UnsupportedError)):
        decode_bytes(bytes(cut))
    with pytest.raises(TooLargeError, match="144 x 96"):
        decode_bytes(whole, max_pixels=144 * 96 - 1)


def test_a_big_tiff_of_either_order_of_bytes_is_read(dog: NDArray[np.uint8]) -> None:
    for order in ("<", ">"):
        for pixels, mode in ((dog, "RGB"), (wide(dog), "RGB;16")):
            photo = decode_bytes(big_tiff(pixels, order))
            assert np.array_equal(photo.pixels, dog)
            assert (photo.provenance.format, photo.provenance.mode) == ("TIFF", mode)
    with pytest.raises(TooLargeError, match="144 x 96"):
        decode_bytes(big_tiff(dog, ">"), max_pixels=144 * 96 - 1)


def test_white_of_twelve_bits_is_white() -> None:
    ramp = np.arange(0, 4096, 16).reshape(16, 16)
    packed = (ramp[:, 0::2] << 12 | ramp[:, 1::2]).astype(">u4").view(np.uint8).reshape(16, 8, 4)[:, :, 1:].tobytes()
    tags: Tags = {
        256: (4, 16), 257: (4, 16), 258: (3, 12), 259: (3, 1), 262: (3, 1), 277: (3, 1), 278: (4, 16),
    }  # fmt: skip
    pixels = decode_bytes(write_tiff([(tags, packed)])).pixels[:, :, 0]
    expected = ramp / 4095 * 255
    assert np.abs(pixels - expected).max() <= 1


# Thumbnails


def with_thumbnail(dog: NDArray[np.uint8], **more: tuple[int, object]) -> bytes:
    """As Nikon's cameras write: the first folder is the thumbnail's, and the photo a sub-folder of it."""
    small = np.ascontiguousarray(dog[::8, ::8])
    extra = {int(name.removeprefix("tag")): value for name, value in more.items()}
    first = tags_of(small) | {254: (4, 1)} | extra
    return write_tiff([(first, small.tobytes()), (tags_of(dog) | {254: (4, 0)}, dog.tobytes())])


def test_of_a_tiff_that_begins_with_its_thumbnail_the_photo_is_taken(dog: NDArray[np.uint8]) -> None:
    photo = decode_bytes(with_thumbnail(dog))
    assert np.array_equal(photo.pixels, dog)
    pages = io.BytesIO()
    small = Image.fromarray(dog[::8, ::8].copy())
    small.save(pages, "TIFF", save_all=True, append_images=[Image.fromarray(dog)], tiffinfo={254: 1})
    data = bytearray(pages.getvalue())
    first, second = folders(bytes(data))
    assert first.is_reduced
    if second.is_reduced:  # Pillow gives both the same tags
        place = data.index(struct.pack("<HHI", 254, 4, 1), second.start)
        struct.pack_into("<I", data, place + 8, 0)
    assert np.array_equal(decode_bytes(bytes(data)).pixels, dog)


def test_what_the_thumbnails_page_says_holds_for_the_photo(dog: NDArray[np.uint8]) -> None:
    photo = decode_bytes(with_thumbnail(dog, tag274=(3, 6), tag34675=(7, list(profile()))))
    assert np.array_equal(photo.pixels, np.rot90(dog, -1))
    assert photo.provenance.orientation == 6
    assert photo.provenance.icc == "sRGB built-in"


def test_pages_that_are_no_larger_than_the_first_dont_replace_it(dog: NDArray[np.uint8]) -> None:
    other = 255 - dog[:48, :72]
    data = write_tiff([(tags_of(dog) | {254: (4, 1)}, dog.tobytes()), (tags_of(other), other.tobytes())])
    assert np.array_equal(decode_bytes(data).pixels, dog)
    later = saved(Image.fromarray(dog[::8, ::8].copy()), "TIFF", save_all=True, append_images=[Image.fromarray(dog)])
    assert decode_bytes(later).pixels.shape == (12, 18, 3), "nothing says that the first page is a thumbnail"


# What isn't read


@pytest.mark.parametrize(
    ("code", "name"),
    [(34712, "JPEG 2000"), (33005, "JPEG 2000"), (50001, "WebP"), (50002, "JPEG XL"), (52546, "JPEG XL")],
)
def test_a_compression_that_isnt_known_is_named(code: int, name: str, dog: NDArray[np.uint8]) -> None:
    data = write_tiff([(tags_of(dog) | {259: (3, code)}, b"some bytes")])
    with pytest.raises(UnsupportedError, match=f"compressed as {name}"):
        decode_bytes(data)


def test_folders_that_refer_to_each_other_are_gone_through_once(dog: NDArray[np.uint8]) -> None:
    data = bytearray(with_thumbnail(dog))
    first, second = folders(bytes(data))
    assert (first.nested, second.nested) == (False, True)
    assert second.number(256) == 144
    end = second.start + 2 + 12 * struct.unpack_from("<H", data, second.start)[0]
    struct.pack_into("<I", data, end, first.start)
    assert [folder.start for folder in folders(bytes(data))] == [first.start, second.start]
    for end in range(0, len(data), 997):
        assert len(list(folders(bytes(data[:end])))) <= 2
    far = bytearray(big_tiff(dog))
    struct.pack_into(">Q", far, 8, 2**64 - 4)
    assert list(folders(bytes(far))) == []
    with pytest.raises(PhotoError):
        decode_bytes(bytes(far))


def grey_tags(pixels: NDArray[np.uint8], bits: int, sample_format: int, **others: int) -> Tags:
    height, width = pixels.shape[:2]
    return {
        256: (4, width), 257: (4, height), 258: (3, bits), 259: (3, others.get("compression", 8)),
        262: (3, others.get("photometric", 1)), 277: (3, 1), 278: (4, height), 339: (3, sample_format),
    }  # fmt: skip


SIGNED, FLOAT, DEFLATE = 2, 3, 8


@pytest.mark.parametrize("compression", [1, DEFLATE])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("form", "sample_format", "white"), [("f4", FLOAT, 1.0), ("i2", SIGNED, 32767.0), ("i4", SIGNED, 65535.0)]
)
def test_grey_numbers_of_either_order_of_bytes_are_read_compressed_or_not(
    form: str, sample_format: int, white: float, order: str, compression: int, dog: NDArray[np.uint8]
) -> None:
    grey = dog[:, :, 1].astype(np.float64) / 255
    samples = (grey * white).astype(order + form)
    strip = samples.tobytes() if compression == 1 else zlib.compress(samples.tobytes())
    tags = grey_tags(dog, samples.itemsize * 8, sample_format, compression=compression)
    photo = decode_bytes(write_tiff([(tags, strip)], order))
    expected = grey * (255 / 2 if form == "i2" else 255)  # of 16 bits 65535 counts as white
    assert np.abs(photo.pixels[:, :, 0] - expected).max() <= 1


def test_floating_point_numbers_that_count_down_to_white_are_named(dog: NDArray[np.uint8]) -> None:
    samples = (1 - dog[:, :, 1] / 255).astype("<f4")
    tags = grey_tags(dog, 32, FLOAT, compression=1, photometric=0)
    with pytest.raises(UnsupportedError, match="count from white to black"):
        decode_bytes(write_tiff([(tags, samples.tobytes())]))


def ycbcr(pixels: NDArray[np.uint8], across: int, down: int, low: int = 0, high: int = 255) -> bytes:
    """Units of several lightnesses and one colour (TIFF 6.0, section 21), by the coefficients of BT.601.

    Args:
        pixels: (height, width, 3), of whole units.
        across: columns of a unit.
        down: its rows.
        low: what black is.
        high: what white is.
    """
    red, green, blue = np.moveaxis(pixels.astype(np.float64), 2, 0)
    light = 0.299 * red + 0.587 * green + 0.114 * blue
    colours = np.stack([(blue - light) / 1.772, (red - light) / 1.402])
    scale = 224 / 255 if low else 1
    height, width = light.shape
    blocks = (low + light * (high - low) / 255).reshape(height // down, down, width // across, across)
    means = (128 + colours * scale).reshape(2, height // down, down, width // across, across).mean(axis=(2, 4))
    units = np.concatenate(
        [blocks.transpose(0, 2, 1, 3).reshape(*means.shape[1:], across * down), np.moveaxis(means, 0, 2)], axis=2
    )
    return np.rint(np.clip(units, 0, 255)).astype(np.uint8).tobytes()


@pytest.mark.parametrize("compression", [1, DEFLATE])
@pytest.mark.parametrize(("across", "down"), [(1, 1), (2, 1), (2, 2), (4, 1), (4, 4)])
def test_lightness_and_colours_of_fewer_places_are_put_together(
    across: int, down: int, compression: int, dog: NDArray[np.uint8]
) -> None:
    coarse = dog.reshape(24, 4, 36, 4, 3).mean(axis=(1, 3)).repeat(4, 0).repeat(4, 1).astype(np.uint8)
    units = ycbcr(coarse, across, down)
    told = {259: (3, compression), 262: (3, 6), 530: (3, [across, down]), 531: (3, 1)}
    # What comes after the picture isn't taken for a part of it.
    strip = (units if compression == 1 else zlib.compress(units)) + bytes(200_000)
    photo = decode_bytes(write_tiff([(tags_of(dog) | told, strip)]))
    assert np.abs(photo.pixels.astype(int) - coarse).max() <= 4


def test_what_lightness_means_black_and_white_is_followed(dog: NDArray[np.uint8]) -> None:
    told = {262: (3, 6), 530: (3, [1, 1]), 532: (5, [16, 1, 235, 1, 128, 1, 240, 1, 128, 1, 240, 1])}
    photo = decode_bytes(write_tiff([(tags_of(dog) | told, ycbcr(dog, 1, 1, 16, 235))]))
    assert np.abs(photo.pixels.astype(int) - dog).max() <= 4
