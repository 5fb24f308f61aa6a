"""Telling what kind of photo a file is from its first bytes; its name only breaks ties between TIFF-alikes."""

from __future__ import annotations

import re
from enum import Enum

HEAD_BYTES = 64
"""How many of a file's first bytes :func:`sniff` looks at."""


class Format(Enum):
    """A kind of photo; the value is its name for people."""

    JPEG = "JPEG"
    PNG = "PNG"
    GIF = "GIF"
    BMP = "BMP"
    WEBP = "WebP"
    TIFF = "TIFF"
    JPEG2000 = "JPEG 2000"
    PNM = "PNM"
    PSD = "PSD"
    AVIF = "AVIF"
    HEIF = "HEIF"
    JPEGXL = "JPEG XL"
    RAW = "RAW"


def _endings(names: str) -> frozenset[str]:
    return frozenset(f".{name}" for name in names.split())


RAW_SUFFIXES = _endings(
    "3fr arw cr2 cr3 crw dcr dng erf fff gpr iiq k25 kdc mef mos mrw nef nrw orf ori pef raf raw rw2 rwl sr2 srf srw "
    "x3f"
)

DEVELOPED_SUFFIXES = _endings("jpg jpeg jpe heic heif hif insp")
"""What cameras write beside a raw file."""

PHOTO_SUFFIXES = RAW_SUFFIXES | _endings(
    "jpg jpeg jpe jfif mpo png apng gif bmp dib webp tif tiff jp2 j2k jpf jpx pnm ppm pgm pbm psd psb "
    "avif heic heif hif insp jxl"
)
"""Endings, lower case with the dot, of files that claim to be photos."""

_HEIF_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"))
_AVIF_BRANDS = frozenset((b"avif", b"avis"))

_MAGIC: tuple[tuple[re.Pattern[bytes], Format], ...] = tuple(
    (re.compile(pattern, re.DOTALL), kind)
    for pattern, kind in (
        (rb"\xff\xd8\xff", Format.JPEG),
        (rb"\x89PNG\r\n\x1a\n", Format.PNG),
        (rb"GIF8[79]a", Format.GIF),
        # Two letters alone would take in any text that starts with BM: the size of the second header must fit too.
        (rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\x00\x00\x00", Format.BMP),
        (rb"RIFF.{4}WEBP", Format.WEBP),
        (rb"8BPS\x00[\x01\x02]", Format.PSD),
        (rb"\x00\x00\x00\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51", Format.JPEG2000),
        (rb"P[1-6][ \t\r\n][ \t\r\n]*[0-9#]", Format.PNM),
        (rb"\xff\x0a|\x00\x00\x00\x0cJXL \r\n\x87\n", Format.JPEGXL),
        # Raw formats with a signature of their own: CR2, RAF, ORF, RW2, MRW, X3F, CRW.
        (rb"(?:II\x2a\x00|MM\x00\x2a).{4}CR|FUJIFILMCCD-RAW|IIR[OS]|MMOR|IIU\x00|\x00MRM|FOVb", Format.RAW),
        (rb"II\x1a\x00\x00\x00HEAPCCDR", Format.RAW),
        (rb"II\x2a\x00|MM\x00\x2a|II\x2b\x00\x08\x00|MM\x00\x2b\x00\x08", Format.TIFF),
    )
)


def sniff(head: bytes) -> Format | None:
    """The kind of photo that starts with ``head`` (its first :data:`HEAD_BYTES` bytes or more), or None.

    TIFF stands for all TIFF-alikes here, most raw formats among them.
    """
    if head[4:8] == b"ftyp":
        return _sniff_iso_media(head)
    for pattern, kind in _MAGIC:
        if pattern.match(head):
            return kind
    return None


def _sniff_iso_media(head: bytes) -> Format | None:
    size = min(int.from_bytes(head[:4], "big"), len(head))
    major = head[8:12]
    brands = {major, *(head[start : start + 4] for start in range(16, size - 3, 4))}
    if major == b"crx ":
        return Format.RAW
    if brands & _AVIF_BRANDS:
        return Format.AVIF
    return Format.HEIF if brands & _HEIF_BRANDS else None
