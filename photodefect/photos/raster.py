"""Everything that Pillow decodes, and JPEG by a faster way with the same pixels."""

from __future__ import annotations

import contextlib
import io
import logging
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import (
    BmpImagePlugin,
    ExifTags,
    GifImagePlugin,
    Image,
    ImageFile,
    Jpeg2KImagePlugin,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    PsdImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from photodefect.errors import PhotoError, TooLargeError, UnreadableError, UnsupportedError
from photodefect.extras import require
from photodefect.photos import bmp, jpeg2000, png, tiff
from photodefect.photos.colour_codes import CodedColour, by_code_points, coded_to_srgb
from photodefect.photos.colour_profiles import adobe_rgb_profile, describe, is_srgb, to_srgb
from photodefect.photos.facts import DEFAULT_MAX_PIXELS, Provenance
from photodefect.photos.formats import Format
from photodefect.photos.iso_media import Properties, read_properties
from photodefect.photos.jpeg import check_scans, decode_jpeg, with_height
from photodefect.photos.limits import LIMITS, Limits
from photodefect.photos.orientation import EXIF_ERRORS, exif_alone, orientation
from photodefect.photos.photo import Memory, Photo, check_size
from photodefect.photos.psd import read_psd
from photodefect.photos.tiff import PhotoPage, photo_page, read_otherwise
from photodefect.printable import printable

# Without a handler, what Pillow logs about damaged files would be printed among our own messages.
logging.getLogger("PIL").addHandler(logging.NullHandler())

Opener = Callable[[io.BytesIO, str], ImageFile.ImageFile]

# The plugins are called themselves: Image.open() would try formats that are no photos, and import them all first.
_OPENERS: dict[Format, Opener] = {
    Format.JPEG: JpegImagePlugin.jpeg_factory,
    Format.PNG: PngImagePlugin.PngImageFile,
    Format.GIF: GifImagePlugin.GifImageFile,
    Format.BMP: BmpImagePlugin.BmpImageFile,
    Format.WEBP: WebPImagePlugin.WebPImageFile,
    Format.TIFF: TiffImagePlugin.TiffImageFile,
    Format.JPEG2000: Jpeg2KImagePlugin.Jpeg2KImageFile,
    Format.PNM: PpmImagePlugin.PpmImageFile,
    Format.PSD: PsdImagePlugin.PsdImageFile,
}

_NO_PROPERTIES = Properties()

_PSD_XMP = 1060
"""Number of the resource that holds XMP."""

_PNM_TOKEN = rb"(?:[ \t\r\n\v\f]|#[^\r\n]*[\r\n])+\d+"
_PNM_HEADER = re.compile(rb"P[14](?:%b){2}|P[2356](?:%b){3}" % (_PNM_TOKEN, _PNM_TOKEN))
_PNM_HEADER_BYTES = 64 * 1024
"""A longer header is no header: Pillow reads it byte by byte, a comment of a gigabyte too."""

_UNKNOWN_KIND = re.compile(
    "unknown (pixel mode|data organization|raw mode)|not available|unsupported|not supported|cannot handle", re.I
)
"""What decoders say of a file that may be whole, but is of a kind that they don't know."""


def decode_raster(
    data: bytes, kind: Format, max_pixels: int, memory: Memory | None = None, limits: Limits = LIMITS
) -> Photo:
    """Decode what Pillow or one of its plugins knows: every format but raw.

    Args:
        data: the file.
        kind: its format.
        max_pixels: that a photo may have.
        memory: where to put the pixels, if they fit.
        limits: of everything but the pixels.

    Raises:
        TooLargeError: more than ``max_pixels`` pixels by the header, or more than fit into memory.
        UnreadableError: damaged or truncated.
        UnsupportedError: a variant that can't be decoded, or one whose decoder is not installed.
    """
    if kind is Format.JPEG:
        data = with_height(data)
    if kind is Format.PNM and not _PNM_HEADER.match(data, 0, _PNM_HEADER_BYTES):
        raise UnreadableError("the PNM is damaged: its header doesn't say how large it is")
    with explained(kind.value), pillow_limits(max_pixels, limits):
        stored = photo_page(data) if kind is Format.TIFF else PhotoPage(data)
        return _decode_rare(stored, kind, max_pixels, limits) or _decode(stored, kind, max_pixels, memory, limits)


def _decode(stored: PhotoPage, kind: Format, max_pixels: int, memory: Memory | None, limits: Limits) -> Photo:
    data = stored.data
    with _opener(kind)(io.BytesIO(data), "") as image:
        check_size(image.width, image.height, max_pixels)
        mode = _stored_mode(image)
        frames = _count_frames(image, kind, limits.frames)
        properties = read_properties(data) if kind in (Format.AVIF, Format.HEIF) else Properties()
        icc = stored.icc or image.info.get("icc_profile") or _other_profile(data, image, kind)
        if icc is not None and len(icc) > limits.profile_bytes:
            icc = None
        colour, icc = _coded_colour(data, kind, image, properties, icc)
        oriented = None if kind is Format.PNG else orientation(data, image, kind, properties, stored.orientation)
        missing = None
        if kind is Format.JPEG:
            check_scans(data, limits.scans)
            pixels, missing = _jpeg_pixels(data, image, icc, memory)
        elif colour is not None:
            pixels = np.array(to_srgb(coded_to_srgb(_samples(data, kind, image, properties, colour), colour), None))
        else:
            pixels = np.array(to_srgb(_load(data, image, kind, properties), icc))
        # A TIFF's is gone by now, while a PNG's may have come last.
        said, to_undo = oriented or orientation(data, image, kind, properties, stored.orientation)
        colour_name = None if colour is None else colour.name
        told = Provenance(kind.value, "file", mode, said, describe(icc), frames, colour_name, missing)
        return Photo(pixels, told, to_undo)


def _decode_rare(stored: PhotoPage, kind: Format, max_pixels: int, limits: Limits) -> Photo | None:
    """What Pillow can't read or gets wrong; None if it is none of that."""
    if kind is Format.PSD:
        rare = read_psd(stored.data, max_pixels)
    elif kind is Format.TIFF:
        rare = read_otherwise(stored.data, max_pixels)
    else:
        rare = None
    if rare is None:
        return None
    icc = stored.icc or rare.icc
    if icc is not None and len(icc) > limits.profile_bytes:
        icc = None
    orientation = stored.orientation or rare.orientation
    if orientation not in range(1, 9):
        orientation = 1
    pixels = np.array(to_srgb(rare.image, icc))
    return Photo(
        pixels, Provenance(kind.value, "file", rare.mode, orientation, describe(icc), rare.frames), orientation
    )


def embedded_metadata(data: bytes, kind: Format) -> tuple[bytes | None, bytes]:
    """The XMP packet in a photo's file, and its EXIF data as a TIFF, without decoding pixels.

    A PNG's are found wherever they stand, for which its pixels are passed over; None and nothing if there are none.

    Raises:
        PhotoError: the file can't be opened.
    """
    opener = _opener(kind)
    with explained(kind.value), pillow_limits(DEFAULT_MAX_PIXELS), opener(io.BytesIO(data), "") as image:
        if kind is Format.PNG:
            check_size(image.width, image.height, DEFAULT_MAX_PIXELS)
            image.load()
        resources = getattr(image, "resources", ()) if kind is Format.PSD else ()
        packet = next((data for code, _, data in resources if code == _PSD_XMP), image.info.get("xmp"))
        packet = packet.encode() if isinstance(packet, str) else packet
        exif = bytes(image.info.get("exif") or b"")
        return packet if isinstance(packet, bytes) else None, exif.removeprefix(b"Exif\0\0")


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn whatever a decoder raises into the error that tells people what is wrong with their file.

    Decoders meet damaged data with nearly every exception there is, from KeyError to struct.error, so all are
    taken; none is dropped.
    """
    try:
        yield
    except PhotoError:
        raise
    except MemoryError as error:
        raise TooLargeError(f"the {what} needs more memory than there is") from error
    except Image.DecompressionBombError as error:  # of formats that take their memory while they are opened
        raise TooLargeError(f"the {what} has more pixels by its header than the limit allows") from error
    except Exception as error:
        detail = _in_words(error)
        if isinstance(error, NotImplementedError) or _UNKNOWN_KIND.search(detail):
            raise UnsupportedError(f"this kind of {what} can't be decoded: {detail}") from error
        raise UnreadableError(f"the {what} is damaged or cut short: {detail}") from error


_lock = threading.Lock()
_users = 0
_before = contextlib.ExitStack()


def _in_words(error: Exception) -> str:
    """What an error says, on one line; LibRaw says it in bytes, and others repeat bytes of the file."""
    said = error.args[0] if len(error.args) == 1 else str(error)
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(error)
    words = printable(" ".join(text.split()))
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in words) or type(error).__name__


@contextmanager
def pillow_limits(max_pixels: int, limits: Limits = LIMITS) -> Iterator[None]:
    """Put our limits in place of Pillow's, and keep its warnings about odd metadata to itself.

    The warnings are meant for programmers; what matters to people becomes an error of ours. Its pixel limit is
    lower than ours and checked too late for some formats; as a net under ours it counts for those that take their
    memory while they are opened. All are global to the process, so the first thread to come in sets them and the last
    to leave takes them back; the threads of others see them changed only meanwhile.
    """
    global _users, _before  # noqa: PLW0603
    with _lock:
        _users += 1
        if _users == 1:
            _before = contextlib.ExitStack()
            _before.enter_context(warnings.catch_warnings())
            warnings.filterwarnings("ignore", module=r"PIL\.|pillow_heif\.")
            for module, limit in ((Image, "MAX_IMAGE_PIXELS"), (PngImagePlugin, "MAX_TEXT_CHUNK")):
                _before.callback(setattr, module, limit, getattr(module, limit))
            Image.MAX_IMAGE_PIXELS = max_pixels
            PngImagePlugin.MAX_TEXT_CHUNK = limits.text_bytes
        elif Image.MAX_IMAGE_PIXELS is not None:
            Image.MAX_IMAGE_PIXELS = max(Image.MAX_IMAGE_PIXELS, max_pixels)
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                _before.close()


def _opener(kind: Format) -> Opener:
    if kind is Format.HEIF:
        require("heif", "pillow_heif.as_plugin", what="a HEIC photo", error=UnsupportedError)
        from pillow_heif.as_plugin import HeifImageFile  # noqa: PLC0415  an extra; libheif is slow to load

        return cast(Opener, HeifImageFile)
    if kind is Format.AVIF:
        try:
            from PIL import AvifImagePlugin  # noqa: PLC0415  only in newer versions
        except ImportError:
            supported = False
        else:
            supported = AvifImagePlugin.SUPPORTED
        if not supported:
            raise UnsupportedError("AVIF photos need Pillow 11.3 or newer: pip install --upgrade pillow")
        return AvifImagePlugin.AvifImageFile
    if kind not in _OPENERS:
        raise UnsupportedError(f"{kind.value} can't be decoded; convert the photo to JPEG, PNG or TIFF")
    return _OPENERS[kind]


def _other_profile(data: bytes, image: Image.Image, kind: Format) -> bytes | None:
    """A profile that Pillow doesn't find, or that isn't embedded.

    A camera set to Adobe RGB means that where it embeds none (DCF 2.0, optional colour space).
    """
    if kind is Format.JPEG2000:
        return jpeg2000.profile(data)
    if kind is Format.BMP:
        return bmp.profile(data)
    if kind is not Format.JPEG or image.mode != "RGB":
        return None
    try:
        exif = exif_alone(image)
        uncalibrated = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.ColorSpace) == 0xFFFF
        if uncalibrated and exif.get_ifd(ExifTags.IFD.Interop).get(ExifTags.Interop.InteropIndex) == "R03":
            return adobe_rgb_profile()
    except EXIF_ERRORS:
        pass  # damaged metadata means nothing
    return None


def _stored_mode(image: ImageFile.ImageFile) -> str:
    """Pillow's mode, with ``;16`` where it is about to drop the lower of two bytes; a BMP's are those of a pixel."""
    arguments = image.tile[0].args if image.tile else ()
    raw_mode = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    wide = ";16" in str(raw_mode) and ";" not in image.mode and not isinstance(image, BmpImagePlugin.BmpImageFile)
    return f"{image.mode};16" if wide else image.mode


def _count_frames(image: ImageFile.ImageFile, kind: Format, most: int) -> int:
    if kind is Format.PSD:  # its frames are layers; what is decoded is the picture they make together
        return 1
    try:
        return _count_folders(image, most) if kind is Format.TIFF else int(getattr(image, "n_frames", 1))
    except EXIF_ERRORS:
        return 1  # a damaged later frame doesn't matter


def _count_folders(image: ImageFile.ImageFile, most: int) -> int:
    """Pages of a TIFF, up to ``most``."""
    count = 1
    try:
        while count < most:
            image.seek(count)
            count += 1
    except EOFError:
        pass
    finally:
        image.seek(0)
    return count


def _coded_colour(
    data: bytes, kind: Format, image: ImageFile.ImageFile, properties: Properties, icc: bytes | None
) -> tuple[CodedColour | None, bytes | None]:
    """What the numbers of a photo mean where it isn't told by a profile; the profile, if it is."""
    if kind is Format.PNG:
        colour, is_first = png.coded_colour(data, image)
        if is_first:
            return colour, None
    elif properties.code_points is not None:
        colour = by_code_points(*properties.code_points, "nclx")
    else:
        colour = None
    return (None, icc) if icc else (colour, None)


def _samples(
    data: bytes, kind: Format, image: ImageFile.ImageFile, properties: Properties, colour: CodedColour
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """The pixels as stored, (height, width, 1 to 4); with both bytes of each sample where the decoder gives them."""
    if kind is Format.PNG:
        return png.samples(data, image)
    if kind is Format.HEIF and colour.is_hdr:
        from pillow_heif import open_heif  # noqa: PLC0415

        heif = open_heif(io.BytesIO(data), convert_hdr_to_8bit=False)
        samples = np.asarray(heif[heif.primary_index])
        if samples.ndim == 3 and image.mode in ("RGB", "RGBA"):
            return cast("NDArray[np.uint8] | NDArray[np.uint16]", samples)
    loaded = _load(data, image, kind, properties)
    return np.asarray(loaded if loaded.mode in ("RGB", "RGBA") else loaded.convert("RGB"))


def _jpeg_pixels(
    data: bytes, image: ImageFile.ImageFile, icc: bytes | None, memory: Memory | None
) -> tuple[NDArray[np.uint8], str | None]:
    """A JPEG's pixels in sRGB, and what the file lacks."""
    inks = image.mode == "CMYK"
    kept = None if memory is None or inks else memory.of(image.width * image.height * 3)
    found = decode_jpeg(data, "CMYK" if inks else "RGB", kept)
    if found.pixels is None or inks:
        if found.data is data:
            return np.array(to_srgb(_load(data, image, Format.JPEG), icc)), None
        with _opener(Format.JPEG)(io.BytesIO(found.data), "") as ended:
            return np.array(to_srgb(_load(found.data, ended, Format.JPEG), icc)), found.missing
    if icc is not None and not is_srgb(icc):
        return np.array(to_srgb(_as_image(found.pixels, image.mode), icc)), found.missing
    return found.pixels, found.missing


def _load(
    data: bytes, image: ImageFile.ImageFile, kind: Format, properties: Properties = _NO_PROPERTIES
) -> Image.Image:
    """The pixels as stored, as Pillow holds them, but right."""
    if kind is Format.PNG:
        return png.load(data, image)
    if kind is Format.JPEG2000:
        return jpeg2000.load(data, image)
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return tiff.load(image)
    image.load()
    if kind is Format.AVIF and properties.aperture is not None:  # libheif cuts it out itself, libavif doesn't
        return image.crop(properties.shown(image.width, image.height))
    return image


def _as_image(pixels: NDArray[np.uint8], mode: str) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(pixels[:, :, 0]) if mode == "L" else pixels)
