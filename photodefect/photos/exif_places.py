"""Where photos of each kind keep their EXIF data.

A reader of EXIF data knows TIFF. Everything around it is undone here: segments of JPEG, chunks of PNG and WebP,
resources of PSD, boxes of HEIF, JPEG 2000 and Canon's CR3, and the JPEG inside a raw photo.
"""

from __future__ import annotations

import contextlib
import io
import re
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

from photodefect.photos.formats import Format
from photodefect.photos.limits import Limits
from photodefect.photos.media_boxes import canon_folders, heif_exif, outer_exif
from photodefect.photos.rationed import rationed
from photodefect.photos.tiff_folders import Folders, plain_tiff


class Block(NamedTuple):
    """EXIF data as a TIFF.

    Attributes:
        file: it, or the file that it is all of.
        maker: the folder that it starts with is not the photo's own but a maker note's.
    """

    file: BinaryIO
    maker: bool = False


_EXIF: Final = b"Exif\0"
_ORDERS: Final = (b"II", b"MM")
_XMP: Final = b"http://ns.adobe.com/xap/1.0/\0"

_FUJIFILM, _MINOLTA, _PANASONIC, _SIGMA = b"FUJIFILMCCD-RAW", b"\0MRM", b"IIU\0", b"FOVb"
_MOST_SECTIONS: Final = 64
_EMBEDDED_JPEG: Final = 0x2E
"""Tag of a Panasonic raw photo's first folder: a whole JPEG, with EXIF data that the folder lacks."""


def find_blocks(file: BinaryIO, head: bytes, kind: Format | None, limits: Limits) -> Iterator[Block]:
    """The EXIF data in a photo, the most trusted first. May raise anything if the file is damaged.

    Args:
        file: to be read from anywhere.
        head: its first bytes.
        kind: of photo.
        limits: of what is read.
    """
    walked = rationed(file, limits.exif_bytes)
    if head.startswith(_FUJIFILM):
        yield from _jpeg(walked, struct.unpack_from(">I", head, 84)[0], limits)
    elif head.startswith(_MINOLTA):
        yield from _minolta(walked, limits)
    elif head.startswith(_SIGMA):
        yield from _sigma(walked, limits)
    elif kind is Format.RAW and head[4:8] == b"ftyp":
        for data, maker in canon_folders(walked, limits):
            yield from _block(data, maker=maker)
    elif kind is Format.RAW or kind is Format.TIFF:
        if head[:2] in _ORDERS:
            folders = Folders(walked)
            yield Block(io.BytesIO(plain_tiff(folders)) if folders.is_big else file)
        if head.startswith(_PANASONIC):
            folders = Folders(walked)
            inside = folders.first().get(_EMBEDDED_JPEG)
            if inside is not None:
                yield from _jpeg(walked, inside.at, limits)
    elif kind in _FINDERS:
        yield from _FINDERS[kind](walked, limits)


def find_xmp(file: BinaryIO, head: bytes, kind: Format | None, limits: Limits) -> bytes:
    """A JPEG's XMP packet, or of other photos the first bytes: whatever might be in them."""
    if kind is Format.JPEG:
        with contextlib.suppress(EOFError, OSError):
            return next(_app1(rationed(file, limits.exif_bytes), 0, _XMP), b"")
    return head


def _block(data: bytes, *, maker: bool = False) -> Iterator[Block]:
    """A TIFF, with or without the name of EXIF data before it: writers of every format do both."""
    if data.startswith(_EXIF):
        data = data[6:]
    if data[:2] in _ORDERS:
        yield Block(io.BytesIO(data), maker)


# JPEG: marks, each after at least one 0xff, and the length of what follows.

_APP1: Final = 0xE1
_NO_LENGTH: Final = frozenset((0x01, *range(0xD0, 0xD9)))
_SCAN, _END = 0xDA, 0xD9
_START: Final = 16
"""Bytes that a mark and what fills up before it are looked for in."""


def _jpeg(file: BinaryIO, at: int, _limits: Limits) -> Iterator[Block]:
    for data in _app1(file, at, _EXIF):
        yield from _block(data)


def _app1(file: BinaryIO, at: int, beginning: bytes) -> Iterator[bytes]:
    """What segments of an APP1 mark hold that begin so, before the pixels of a JPEG that starts at a place."""
    file.seek(at)
    if file.read(2) != b"\xff\xd8":
        return
    at += 2
    while True:
        file.seek(at)
        start = file.read(_START)
        mark = start.lstrip(b"\xff")[:1]  # fill bytes may stand before it
        if not start.startswith(b"\xff") or not mark or mark[0] in (_SCAN, _END):
            return
        at += start.index(mark) + 1
        if mark[0] in _NO_LENGTH:
            continue
        file.seek(at)
        length = int.from_bytes(file.read(2), "big")
        if length < 2:
            return
        if mark[0] == _APP1 and file.read(len(beginning)) == beginning:
            file.seek(at + 2)
            yield file.read(length - 2)
        at += length


# PNG: length, name, data, checksum.

_PNG_START: Final = 8
_PROFILE: Final = re.compile(rb"Raw profile type (?:exif|APP1)\0", re.I)
_HEX_PROFILE: Final = re.compile(rb"\s*\w+\s+\d+\s+([0-9a-fA-F\s]*)")


def _png(file: BinaryIO, limits: Limits) -> Iterator[Block]:
    at = _PNG_START
    while True:
        file.seek(at)
        header = file.read(8)
        length, name = int.from_bytes(header[:4], "big"), header[4:]
        if len(header) < 8 or name == b"IEND":
            return
        if name == b"eXIf":
            yield from _block(file.read(min(length, limits.exif_bytes)))
        elif name in (b"tEXt", b"zTXt", b"iTXt"):
            yield from _block(_raw_profile(name, file.read(min(length, limits.exif_bytes)), limits))
        at += 12 + length


def _raw_profile(name: bytes, data: bytes, limits: Limits) -> bytes:
    """EXIF data in hexadecimal, as ImageMagick puts it into a PNG's texts; empty if it is another text."""
    keyword = _PROFILE.match(data)
    if keyword is None:
        return b""
    text, packed = data[keyword.end() :], name == b"zTXt"
    if name == b"iTXt":
        packed, text = text[:1] == b"\1", text[2:].split(b"\0", 2)[-1]
    elif packed:
        text = text[1:]
    if packed:
        text = zlib.decompressobj().decompress(text, 3 * limits.exif_bytes)
    digits = _HEX_PROFILE.match(text)
    return bytes.fromhex(digits[1].decode("ascii")) if digits else b""


# WebP: name, length, data, filled up to an even length.


def _webp(file: BinaryIO, limits: Limits) -> Iterator[Block]:
    at = 12
    while True:
        file.seek(at)
        header = file.read(8)
        if len(header) < 8:
            return
        length = int.from_bytes(header[4:], "little")
        if header[:4] == b"EXIF":
            yield from _block(file.read(min(length, limits.exif_bytes)))
        at += 8 + length + length % 2


# PSD: a header, a table of colours, resources.

_PSD_HEADER: Final = 26
_PSD_EXIF: Final = frozenset((1058, 1059))


def _psd(file: BinaryIO, limits: Limits) -> Iterator[Block]:
    file.seek(_PSD_HEADER)
    at = _PSD_HEADER + 4 + int.from_bytes(file.read(4), "big")
    file.seek(at)
    end = at + 4 + int.from_bytes(file.read(4), "big")
    at += 4
    while at < end:
        file.seek(at)
        header = file.read(7)  # signature, number, length of a name that is filled up to an even length
        if len(header) < 7 or not header.startswith((b"8BIM", b"MeSa", b"AgHg", b"PHUT", b"DCSR")):
            return
        at += 7 + (header[6] | 1)
        file.seek(at)
        length = int.from_bytes(file.read(4), "big")
        if int.from_bytes(header[4:6], "big") in _PSD_EXIF:
            yield from _block(file.read(min(length, limits.exif_bytes)))
        at += 4 + length + length % 2


# Minolta: blocks in a block.


def _minolta(file: BinaryIO, limits: Limits) -> Iterator[Block]:
    file.seek(4)
    at, end = 8, 8 + int.from_bytes(file.read(4), "big")
    while at < end:
        file.seek(at)
        header = file.read(8)
        if len(header) < 8:
            return
        length = int.from_bytes(header[4:], "big")
        if header[:4] == b"\0TTW":
            yield from _block(file.read(min(length, limits.exif_bytes)))
        at += 8 + length


# Sigma: the last four bytes tell where a list of sections is, and one of them is a JPEG.

_SIGMA_PICTURE, _SIGMA_JPEG = (b"IMAG", b"IMA2"), 18


def _sigma(file: BinaryIO, limits: Limits) -> Iterator[Block]:
    file.seek(-4, io.SEEK_END)
    file.seek(int.from_bytes(file.read(4), "little") + 8)
    count = min(int.from_bytes(file.read(4), "little"), _MOST_SECTIONS)
    for at, _, name in struct.iter_unpack("<II4s", file.read(12 * count)):
        file.seek(at)
        header = file.read(28)
        if name in _SIGMA_PICTURE and header[12:16] == _SIGMA_JPEG.to_bytes(4, "little"):
            yield from _jpeg(file, at + 28, limits)


def _heif(file: BinaryIO, limits: Limits) -> Iterator[Block]:
    for data in heif_exif(file, limits):
        yield from _block(data)


def _boxed(file: BinaryIO, limits: Limits) -> Iterator[Block]:
    for data in outer_exif(file, limits):
        yield from _block(data)


_FINDERS: Final = {
    Format.JPEG: lambda file, limits: _jpeg(file, 0, limits),
    Format.PNG: _png,
    Format.WEBP: _webp,
    Format.PSD: _psd,
    Format.HEIF: _heif,
    Format.AVIF: _heif,
    Format.JPEG2000: _boxed,
    Format.JPEGXL: _boxed,
}
