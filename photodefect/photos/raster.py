"""Everything that Pillow decodes, and JPEG by a faster way with the same pixels."""

from __future__ import annotations

import contextlib
import io
import logging
import re
import struct
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import numpy as np
import simplejpeg
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
from photodefect.photos.colour_profiles import adobe_rgb_profile, describe, is_srgb, to_srgb
from photodefect.photos.facts import DEFAULT_MAX_PIXELS, Provenance
from photodefect.photos.formats import Format
from photodefect.photos.limits import LIMITS, Limits
from photodefect.photos.photo import Memory, Photo, check_size
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

_EXIF_ERRORS = (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, struct.error)
"""What Pillow has been seen to raise on damaged metadata."""

_START_OF_SCAN, _END_OF_IMAGE = b"\xff\xda", b"\xff\xd9"
_MARK = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
"""The mark of a JPEG's segment, or of its end; not the zeros after 0xff and the restarts within a scan."""

_SEQUENTIAL = frozenset((0xC0, 0xC1))
"""Marks of the header of a JPEG whose scans are whole ones of some components, unlike a progressive one's."""
_TABLES = frozenset((0xC4, 0xDB, 0xDD, *range(0xE0, 0xF0), 0xFE))
"""Marks of what may come before a JPEG's first scan: tables, restart interval, other programs' data, comments."""

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
    opener = _opener(kind)
    if kind is Format.PNM and not _PNM_HEADER.match(data, 0, _PNM_HEADER_BYTES):
        raise UnreadableError("the PNM is damaged: its header doesn't say how large it is")
    with explained(kind.value), pillow_limits(max_pixels, limits), opener(io.BytesIO(data), "") as image:
        check_size(image.width, image.height, max_pixels)
        mode = _stored_mode(image)
        frames = _count_frames(image, kind, limits.frames)
        if kind is Format.JPEG:
            _check_scans(data, limits.scans)
        if kind is Format.PNG:  # its EXIF data may come after its pixels
            image.load()
        orientation = _orientation(image)
        icc = image.info.get("icc_profile") or _implied_profile(image, kind)
        if icc is not None and len(icc) > limits.profile_bytes:
            icc = None
        pixels = None
        if kind is Format.JPEG and image.mode in ("RGB", "L"):
            pixels = _decode_jpeg(data, None if memory is None else memory.of(image.width * image.height * 3))
        if pixels is None:
            pixels = np.array(to_srgb(_load(image), icc))
        elif icc is not None and not is_srgb(icc):
            pixels = np.array(to_srgb(_as_image(pixels, image.mode), icc))
        # Pillow turns TIFF, and the HEIF decoder HEIF, upright while loading.
        to_undo = 1 if kind in (Format.TIFF, Format.HEIF) else orientation
        return Photo(pixels, Provenance(kind.value, "file", mode, orientation, describe(icc), frames), to_undo)


def embedded_exif(data: bytes, kind: Format) -> bytes:
    """The EXIF data in a photo's file, as a TIFF; empty if there is none.

    Raises:
        PhotoError: the file can't be opened.
    """
    return embedded_metadata(data, kind)[1]


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
    """What an error says, on one line; LibRaw says it in bytes."""
    said = error.args[0] if len(error.args) == 1 else str(error)
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(error)
    return printable(" ".join(text.split())) or type(error).__name__


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
        try:
            from pillow_heif.as_plugin import HeifImageFile  # noqa: PLC0415  an extra; libheif is slow to load
        except ImportError as error:
            raise UnsupportedError('HEIC photos need one more package: pip install "photodefect[heif]"') from error
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


def _orientation(image: Image.Image) -> int:
    """The stored EXIF orientation; 1 where there is none or it makes no sense."""
    original = image.info.get("original_orientation")  # kept by the HEIF decoder, which takes it out of the EXIF data
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1) if original is None else original
    except _EXIF_ERRORS:
        return 1
    return orientation if orientation in range(1, 9) else 1


def _implied_profile(image: Image.Image, kind: Format) -> bytes | None:
    """The profile that a camera set to Adobe RGB means where it embeds none (DCF 2.0, optional colour space)."""
    if kind is not Format.JPEG or image.mode != "RGB":
        return None
    try:
        exif = image.getexif()
        uncalibrated = exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.ColorSpace) == 0xFFFF
        if uncalibrated and exif.get_ifd(ExifTags.IFD.Interop).get(ExifTags.Interop.InteropIndex) == "R03":
            return adobe_rgb_profile()
    except _EXIF_ERRORS:
        pass  # damaged metadata means nothing
    return None


def _stored_mode(image: ImageFile.ImageFile) -> str:
    """Pillow's mode, with ``;16`` where it is about to drop the lower of two bytes."""
    arguments = image.tile[0].args if image.tile else ()
    raw_mode = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return f"{image.mode};16" if ";16" in str(raw_mode) and ";" not in image.mode else image.mode


def _count_frames(image: ImageFile.ImageFile, kind: Format, most: int) -> int:
    if kind is Format.PSD:  # its frames are layers; what is decoded is the picture they make together
        return 1
    try:
        return _count_folders(image, most) if kind is Format.TIFF else int(getattr(image, "n_frames", 1))
    except _EXIF_ERRORS:
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


def _decode_jpeg(data: bytes, memory: NDArray[np.uint8] | None) -> NDArray[np.uint8] | None:
    """(height, width, 3) pixels as stored, or None if only the more lenient way may succeed.

    Args:
        data: the file.
        memory: holds the pixels afterwards; None to take some.

    Raises:
        UnreadableError: the data ends too early; libjpeg would fill up with grey.
    """
    try:
        return cast(NDArray[np.uint8], simplejpeg.decode_jpeg(data, "RGB", buffer=memory))
    except ValueError as error:
        if "premature end" in str(error).lower():
            raise UnreadableError("the JPEG is cut short: its lower part is missing") from error
        return None


def _check_scans(data: bytes, most: int) -> None:
    """Refuse a JPEG that goes over its pixels more than ``most`` times.

    Raises:
        UnreadableError: it does.
    """
    if _has_one_scan(data) or data.count(_START_OF_SCAN) <= most:
        return
    # There are that many, or bytes after the picture (a film, another picture) look like it: go from mark to mark.
    scans, at = 0, 2
    while (mark := _MARK.search(data, at)) and mark[0] != _END_OF_IMAGE:
        at = mark.end() + int.from_bytes(data[mark.end() : mark.end() + 2], "big")
        scans += mark[0] == _START_OF_SCAN
        if scans > most:
            raise UnreadableError(
                f"the JPEG is damaged: it goes over its pixels more than {most} times, where photos do a dozen"
            )


def _has_one_scan(data: bytes) -> bool:
    """Whether a JPEG's header says that its first scan has all components, and whole: nearly every photo's does.

    libjpeg then refuses a second one. The header is read as libjpeg does; anything unusual is left to others to judge.
    """
    at, components = 2, -1
    while data[at : at + 1] == b"\xff" and len(data) >= at + 10:
        mark, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if mark in _SEQUENTIAL:
            components = data[at + 9]
        elif mark == _START_OF_SCAN[1]:
            return data[at + 4] == components
        elif mark not in _TABLES:
            return False
        at += 2 + length
    return False


def _load(image: ImageFile.ImageFile) -> Image.Image:
    inverted = image.mode.startswith("I;16") and image.format == "TIFF" and _white_is_zero(image)
    image.load()
    return Image.fromarray(65535 - np.asarray(image)) if inverted else image


def _white_is_zero(image: Image.Image) -> bool:
    """Whether a grey TIFF counts from white to black, which Pillow only undoes with up to eight bits."""
    tags = getattr(image, "tag_v2", {})
    return bool(tags.get(ExifTags.Base.PhotometricInterpretation, 1) == 0)


def _as_image(pixels: NDArray[np.uint8], mode: str) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(pixels[:, :, 0]) if mode == "L" else pixels)
