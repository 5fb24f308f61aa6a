"""TIFFs: which of the pictures in one is the photo, and those that Pillow can't read or gets wrong."""

from __future__ import annotations

import io
import logging
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, TiffImagePlugin

from photodefect.errors import UnsupportedError
from photodefect.photos import tiff_folders as tags
from photodefect.photos.photo import RareImage, check_size
from photodefect.photos.tiff_folders import Folder, folders, starting_at
from photodefect.photos.tiff_samples import can_read_samples, read_samples

# Without a handler, what it logs about damaged files would be printed among our own messages.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

_UNREAD = {
    33003: "JPEG 2000",
    33004: "JPEG 2000",
    33005: "JPEG 2000",
    34712: "JPEG 2000",
    50001: "WebP",
    50002: "JPEG XL",
    52546: "JPEG XL",
}
"""Compressions that no decoder here knows within a TIFF."""

_BIG_ENDIAN_BIG = b"MM\0\x2b"
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _CMYK, _YCBCR = 0, 1, 2, 5, 6
_OWN_ORDER = {"F;32BF": "F;32NF", "I;16BS": "I;16NS", "I;32BS": "I;32NS"}
"""Pillow's words for numbers of the other order of bytes, and for the same in this machine's."""
_COLOURS = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _CMYK: 4}
"""Channels that each kind of colour has."""
_SEPARATE_PLANES = 2
_ASSOCIATED, _UNASSOCIATED = 1, 2
"""Kinds of alpha: whether colours are multiplied by it."""


class PhotoPage(NamedTuple):
    """A file with its photo first.

    Attributes:
        data: the file.
        orientation: what only the page before the photo says of it.
        icc: likewise, its colour profile.
    """

    data: bytes
    orientation: int | None = None
    icc: bytes | None = None


def photo_page(data: bytes) -> PhotoPage:
    """The TIFF with its photo first, where its first page is a smaller version of it.

    Args:
        data: the file.

    Raises:
        UnsupportedError: the photo is compressed in a way that isn't known here.
    """
    pages = folders(data)
    page = first = next(pages, None)
    if first is None or page is None:
        return PhotoPage(data)
    if first.is_reduced:
        page = max((other for other in pages if not other.is_reduced), key=_pixels, default=first)
        if _pixels(page) <= _pixels(first):
            page = first
    compression = _UNREAD.get(page.number(tags.COMPRESSION))
    if compression is not None:
        raise UnsupportedError(
            f"a TIFF that is compressed as {compression} can't be decoded; save it uncompressed, or as PNG or JPEG"
        )
    if page is first:
        return PhotoPage(data)
    orientation = first.number(tags.ORIENTATION) or None
    return PhotoPage(
        starting_at(data, page),
        None if tags.ORIENTATION in page else orientation,
        None if tags.PROFILE in page else first.raw(tags.PROFILE),
    )


def read_otherwise(data: bytes, max_pixels: int) -> RareImage | None:
    """A TIFF that Pillow doesn't read rightly; None if Pillow may read it.

    Those are 16-bit colours stored one channel after the other and uncompressed, most that have channels beside
    colours, and, by tifffile, big TIFFs of big-endian numbers.

    Args:
        data: the file, its photo first.
        max_pixels: that it may have.

    Raises:
        TooLargeError: it has more than ``max_pixels`` pixels.
        UnsupportedError: its pixels are of an unusual kind.
    """
    page = next(folders(data), None)
    if page is None:
        return None
    # Pillow 13 takes what is stored of one channel for the first third of the picture.
    planes = page.number(tags.PLANAR) == _SEPARATE_PLANES and page.number(tags.SAMPLES) > 1
    misread = planes and page.number(tags.BITS) == 16 and page.number(tags.COMPRESSION, 1) == 1
    unpacked_here = (misread or _has_more_channels(page)) and can_read_samples(page)
    if not (unpacked_here or misread or data.startswith(_BIG_ENDIAN_BIG)):
        return None
    check_size(page.number(tags.WIDTH), page.number(tags.HEIGHT), max_pixels)
    if unpacked_here:
        samples, photometric = read_samples(data, page), page.number(tags.PHOTOMETRIC)
    else:
        samples, photometric = _by_tifffile(data, max_pixels)
    image, mode = _image(samples, photometric, page.numbers(tags.EXTRA_SAMPLES).tolist())
    frames = sum(not folder.nested for folder in folders(data))
    return RareImage(image, mode, page.raw(tags.PROFILE), page.number(tags.ORIENTATION, 1), frames)


def _by_tifffile(data: bytes, max_pixels: int) -> tuple[NDArray[Any], int]:
    """The samples of a file's first page, (height, width) or (height, width, channels), and its kind of colours."""
    import tifffile  # noqa: PLC0415  few photos need it

    with tifffile.TiffFile(io.BytesIO(data)) as file:
        first = file.pages.first
        check_size(first.imagewidth, first.imagelength, max_pixels)
        if first.samplesperpixel > 8 or first.imagedepth != 1:
            raise UnsupportedError("this kind of TIFF can't be decoded: it has more channels or layers than a photo")
        samples = first.asarray(maxworkers=1)
        if first.axes.startswith("S"):
            samples = np.moveaxis(samples, 0, -1)
        return samples, int(first.photometric)


def _has_more_channels(page: Folder) -> bool:
    """Whether a page has channels beside its colours, in a way that Pillow doesn't know in all its variants."""
    photometric = page.number(tags.PHOTOMETRIC)
    colours = _COLOURS.get(photometric)
    if colours is None or page.number(tags.SAMPLES, 1) <= colours:
        return False
    is_usual = photometric == _RGB or (colours == 1 and page.number(tags.BITS) == 8)
    one = page.number(tags.SAMPLES) == colours + 1 and page.number(tags.PLANAR, 1) != _SEPARATE_PLANES
    return not (is_usual and one)


def load(image: TiffImagePlugin.TiffImageFile) -> Image.Image:
    """The pixels that Pillow reads, but right.

    Args:
        image: opened and not loaded.

    Raises:
        UnsupportedError: its pixels are of an unusual kind.
    """
    photometric = image.tag_v2.get(tags.PHOTOMETRIC, _BLACK_IS_ZERO)
    tile = image.tile[0] if image.tile else ImageFile._Tile("", None)
    arguments = tile.args if isinstance(tile.args, tuple) else (tile.args,)
    raw_mode = str(arguments[0])
    grey16 = image.mode.startswith("I;16")
    # Pillow only undoes this of eight bits and fewer.
    inverted = photometric == _WHITE_IS_ZERO and (grey16 or image.mode == "F")
    if inverted and not grey16:
        raise UnsupportedError(
            "this kind of TIFF can't be decoded: floating-point numbers that count from white to black"
        )
    if (
        photometric == _YCBCR and tile.codec_name == "raw"
    ):  # Pillow takes it for colours of full size, on a scale of its own
        image._mode = "RGB"
        image.use_load_libtiff = True
        image.tile = [ImageFile._Tile("libtiff", (0, 0, *image.size), 0, ("RGBX", False, image.tag_v2.offset))]
    elif tile.codec_name == "libtiff" and raw_mode in _OWN_ORDER:  # libtiff has brought bytes in order already
        image.tile = [tile._replace(args=(_OWN_ORDER[raw_mode], *arguments[1:]))]
    image.load()
    if inverted:
        return Image.fromarray(65535 - np.asarray(image))
    if grey16 and ";12" in raw_mode:  # white is 4095, which Pillow keeps as it is
        return Image.fromarray((np.asarray(image).astype(np.uint32) * 65535 // 4095).astype(np.uint16))
    return image


def _image(samples: NDArray[Any], photometric: int, extra: list[int]) -> tuple[Image.Image, str]:
    """Samples as Pillow's image of eight bits, or sixteen where grey; what they are in Pillow's words.

    Args:
        samples: (height, width) or (height, width, channels), whole numbers of 8 or 16 bits.
        photometric: what TIFF calls their colours.
        extra: what it says of channels beside these.
    """
    if samples.dtype not in (np.uint8, np.uint16) or samples.ndim not in (2, 3):
        raise UnsupportedError(f"this kind of TIFF can't be decoded: {samples.dtype} samples")
    if samples.dtype.byteorder == ">":
        samples = samples.astype(samples.dtype.newbyteorder("="))
    samples = samples if samples.ndim == 3 else samples[:, :, None]
    wide = samples.dtype == np.uint16
    count, colours = samples.shape[2], _COLOURS.get(photometric)
    if colours is None or count < colours:
        raise UnsupportedError(f"this kind of TIFF can't be decoded: colours of kind {photometric}")
    alphas = [number for number, kind in enumerate(extra[: count - colours]) if kind in (_ASSOCIATED, _UNASSOCIATED)]
    if photometric == _WHITE_IS_ZERO:
        samples = samples.copy()
        samples[:, :, 0] = np.iinfo(samples.dtype).max - samples[:, :, 0]
    if colours == 1 and not alphas:
        return Image.fromarray(np.ascontiguousarray(samples[:, :, 0])), "I;16" if wide else "L"
    mode, channels = {1: "L", 3: "RGB", 4: "CMYK"}[colours], list(range(colours))
    if alphas and mode != "CMYK":
        mode += "a" if extra[alphas[0]] == _ASSOCIATED else "A"
        channels.append(colours + alphas[0])
    bytes_ = (samples[:, :, channels] >> (8 if wide else 0)).astype(np.uint8)  # as Pillow does with others
    image = Image.frombytes(mode, (bytes_.shape[1], bytes_.shape[0]), bytes_.tobytes())
    return image, f"{mode.upper()};16" if wide else mode.upper()


def _pixels(page: Folder) -> int:
    return page.number(tags.WIDTH) * page.number(tags.HEIGHT)
