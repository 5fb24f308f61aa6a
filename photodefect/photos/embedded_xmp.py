"""What a photo's own file says in XMP, and the stars in its EXIF data: found by container, read and never written.

========================= ===========================================================================================
container                 where XMP lies in it
========================= ===========================================================================================
JPEG, MPO                 APP1 segments; what doesn't fit into one goes on in others (XMP part 3, section 1.1.3)
TIFF, DNG, most raws      tag 700 of the first folder
RAF                       the JPEG inside
CR3, JPEG 2000            a box of the type ``uuid``
PNG, WebP, HEIC, AVIF,    as Pillow and its plugins find it
PSD
========================= ===========================================================================================
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from PIL import Image

from photodefect.photos.facts import DEFAULT_MAX_PIXELS
from photodefect.photos.files import open_regular
from photodefect.photos.formats import HEAD_BYTES, Format, sniff
from photodefect.photos.raster import embedded_metadata, pillow_limits

MAX_PACKET_BYTES: Final = 32 * 1024**2
"""Larger packets are passed over."""

_XMP_SEGMENT: Final = b"http://ns.adobe.com/xap/1.0/\0"
_EXTENSION_SEGMENT: Final = b"http://ns.adobe.com/xmp/extension/\0"
_EXIF_SEGMENT: Final = b"Exif\0\0"
_XMP_BOX: Final = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_XMP_TAG, _RATING_TAG, _PERCENT_TAG = 700, 0x4746, 0x4749
_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 7: 1}
"""Bytes of a value by the TIFF's types that XMP and ratings have."""

_RAW_TIFF: Final = re.compile(rb"II(?:R[OS]|U\0)|MMOR")
"""Headers of ORF and RW2, TIFFs but for these four bytes."""

_GUID_BYTES: Final = 32
_MOST_BOXES: Final = 1000


@dataclass(frozen=True)
class EmbeddedXmp:
    """What a photo's file says.

    Attributes:
        packet: its XMP; None if it has none.
        extension: what of it lies in further segments of a JPEG, as XMP of its own.
        exif_rating: stars in the EXIF data, 1 to 5 (Rating, or RatingPercent as Windows has it); None without.
    """

    packet: bytes | None = None
    extension: bytes | None = None
    exif_rating: int | None = None


def embedded_xmp(photo: Path, most_bytes: int = MAX_PACKET_BYTES) -> EmbeddedXmp:
    """The XMP in a photo's file.

    A file that is damaged or of an unknown format has none.

    Args:
        photo: the file.
        most_bytes: that a packet may have.

    Raises:
        UnreadableError: it can't be opened.
    """
    with open_regular(photo) as file:
        try:
            return _cut(_read(file, most_bytes), most_bytes)
        except Exception:  # noqa: BLE001  decoders meet damaged files with exceptions of nearly every kind
            return EmbeddedXmp()


def stars_of_percent(percent: float) -> int:
    """Stars by Windows' percentages: 1, 25, 50, 75 and 99 for one to five; 0 for none."""
    return next((stars for stars, least in ((5, 87), (4, 63), (3, 38), (2, 13), (1, 1)) if percent >= least), 0)


def _read(file: BinaryIO, most_bytes: int) -> EmbeddedXmp:
    head = file.read(HEAD_BYTES)
    kind = sniff(head)
    if head.startswith(b"FUJIFILMCCD-RAW"):
        file.seek(84)  # where its header says which part is the JPEG
        start, length = struct.unpack(">II", file.read(8))
        file.seek(start)
        return _in_jpeg(io.BytesIO(file.read(min(length, most_bytes))))
    file.seek(0)
    if kind is Format.JPEG:
        return _in_jpeg(file)
    if kind is Format.TIFF or head[:2] in (b"II", b"MM"):
        return _in_tiff(file, most_bytes)
    if kind in (Format.RAW, Format.JPEG2000):
        return EmbeddedXmp(_in_boxes(file, most_bytes))
    if kind is None:
        return EmbeddedXmp()
    packet, exif = embedded_metadata(file.read(), kind)
    found = _in_tiff(io.BytesIO(exif), most_bytes) if exif else EmbeddedXmp()
    return EmbeddedXmp(packet, exif_rating=found.exif_rating)


def _cut(found: EmbeddedXmp, most_bytes: int) -> EmbeddedXmp:
    """Without what is empty or too large."""

    def kept(packet: bytes | None) -> bytes | None:
        packet = (packet or b"").strip(b"\0 \r\n\t")
        return packet if 0 < len(packet) <= most_bytes else None

    return EmbeddedXmp(kept(found.packet), kept(found.extension), found.exif_rating)


def _in_jpeg(file: BinaryIO) -> EmbeddedXmp:
    packet, rating = None, None
    extensions: dict[bytes, dict[int, bytes]] = {}
    with pillow_limits(DEFAULT_MAX_PIXELS), Image.open(file, formats=["JPEG", "MPO"]) as image:
        segments = [data for name, data in getattr(image, "applist", ()) if name == "APP1"]
    for data in segments:
        if data.startswith(_XMP_SEGMENT) and packet is None:
            packet = data[len(_XMP_SEGMENT) :]
        elif data.startswith(_EXIF_SEGMENT) and rating is None:
            rating = _in_tiff(io.BytesIO(data[len(_EXIF_SEGMENT) :]), 0).exif_rating
        elif data.startswith(_EXTENSION_SEGMENT):
            own = data[len(_EXTENSION_SEGMENT) :]
            (offset,) = struct.unpack_from(">I", own, _GUID_BYTES + 4)
            extensions.setdefault(own[:_GUID_BYTES], {})[offset] = own[_GUID_BYTES + 8 :]
    # The packet names the one that belongs to it; others are left of what it was before.
    named = next((parts for guid, parts in extensions.items() if packet is not None and guid in packet), {})
    return EmbeddedXmp(packet, b"".join(part for _, part in sorted(named.items())), rating)


def _in_tiff(file: BinaryIO, most_bytes: int) -> EmbeddedXmp:
    """XMP and stars in the first folder of a TIFF, of which nothing else is read."""
    values = dict(_tiff_values(file, most_bytes))
    stars = int.from_bytes(values.get(_RATING_TAG, b""), "big")
    percent = int.from_bytes(values.get(_PERCENT_TAG, b""), "big")
    rating = stars if 1 <= stars <= 5 else stars_of_percent(percent) if percent <= 100 else 0
    return EmbeddedXmp(values.get(_XMP_TAG), exif_rating=rating or None)


def _tiff_values(file: BinaryIO, most_bytes: int) -> Iterator[tuple[int, bytes]]:
    """Values of the wanted tags of the first folder; numbers with their highest byte first."""
    start = file.tell()
    head = file.read(16)
    order = "<" if head[:2] == b"II" else ">"
    big = struct.unpack_from(f"{order}H", head, 2)[0] == 43 and not _RAW_TIFF.match(head)
    entry_form, count_form, place = ("HHQQ", "Q", 8) if big else ("HHII", "H", 4)
    (offset,) = struct.unpack_from(f"{order}{'Q' if big else 'I'}", head, place)
    file.seek(start + offset)
    (count,) = struct.unpack(f"{order}{count_form}", file.read(struct.calcsize(f"={count_form}")))
    size = struct.calcsize(f"={entry_form}")
    folder = file.read(min(count, 65535) * size)
    for at in range(0, len(folder) - size + 1, size):
        tag, kind, length, _ = struct.unpack_from(f"{order}{entry_form}", folder, at)
        bytes_in_all = length * _SIZES.get(kind, 0)
        if tag not in (_XMP_TAG, _RATING_TAG, _PERCENT_TAG) or not 0 < bytes_in_all <= max(most_bytes, 4):
            continue
        field = folder[at + size - (8 if big else 4) : at + size]
        if bytes_in_all > len(field):
            file.seek(start + struct.unpack(f"{order}{'Q' if big else 'I'}", field)[0])
            value = file.read(bytes_in_all)
        else:
            value = field[:bytes_in_all]
        yield tag, value if tag == _XMP_TAG or order == ">" else value[::-1]


def _in_boxes(file: BinaryIO, most_bytes: int) -> bytes | None:
    """The packet in a file of boxes (ISO 14496-12, 4.2), on the top level."""
    for _ in range(_MOST_BOXES):
        head = file.read(8)
        if len(head) < 8:
            return None
        size, kind = int.from_bytes(head[:4], "big"), head[4:]
        rest = size - 8
        if size == 1:
            rest = int.from_bytes(file.read(8), "big") - 16
        if kind == b"uuid" and file.read(16) == _XMP_BOX:
            return file.read(min(rest - 16, most_bytes + 1) if size else most_bytes + 1)
        if size == 0 or rest < 0:
            return None
        file.seek(rest - (16 if kind == b"uuid" else 0), io.SEEK_CUR)
    return None
