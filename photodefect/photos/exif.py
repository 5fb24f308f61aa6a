"""What the camera wrote about how a photo was taken."""

from __future__ import annotations

import io
import logging
import re
import struct
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import exifread

from photodefect.photos.facts import Capture
from photodefect.photos.files import open_regular
from photodefect.photos.formats import Format, sniff
from photodefect.photos.limits import LIMITS, Limits
from photodefect.photos.raster import embedded_exif

_logger = logging.getLogger(__name__)

# It warns about every photo without EXIF data, and logs what it can't parse; neither concerns a person here.
logging.getLogger("exifread").setLevel(logging.CRITICAL)


_HEAD_BYTES = 128 * 1024
"""How far into a file XMP hints are looked for: past the EXIF data and its thumbnail."""

_READING_COSTS = 64
"""What a reading takes from the ration beside its bytes: thousands of small ones take long too."""

_LEGAL_FORM = re.compile(r"[\s,]+(imaging|optical|techwin|corporation|corp|company|co|ltd|inc|gmbh|ag)\b.*", re.I)

_OFFSET = re.compile(r"[+-]\d\d:\d\d")

_EXPOSURE_MODES = {0: "auto", 1: "manual", 2: "auto bracket"}

_APPLE_PANORAMA = 6
"""Value of CustomRendered that iPhones write; 2 and above are theirs, not the standard's."""

_CONTAINERS = frozenset((Format.WEBP, Format.HEIF, Format.AVIF))
"""Formats whose EXIF data is best taken out by their decoder: exifread finds it in some of them only."""


class _Rationed:
    """A file to read EXIF data from that runs out after some bytes.

    However its folders and tags refer to each other, reading them ends.
    """

    def __init__(self, file: BinaryIO, ration: int) -> None:
        self._file = file
        self._left = ration

    def read(self, size: int = -1) -> bytes:
        """As of any file.

        Raises:
            EOFError: the ration is used up.
        """
        data = self._file.read(min(size, self._left) if size >= 0 else self._left)
        self._left -= len(data) + _READING_COSTS
        if self._left <= 0:
            raise EOFError("there is more EXIF data than any camera writes")
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As of any file."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """As of any file."""
        return self._file.tell()


class _Tags(NamedTuple):
    """What exifread found, by its names, and how many letters of a text are looked at."""

    found: Mapping[str, Any]
    text_length: int


def read_capture(source: Path | bytes, limits: Limits = LIMITS) -> Capture:
    """Read how a photo was taken.

    Never raises: damaged or missing EXIF data, or an unreadable file, leave fields None.

    Args:
        source: a photo's file, or its bytes.
        limits: of what is read.
    """
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else open_regular(source) as file:
            head = file.read(_HEAD_BYTES)
            return _interpret(_read_tags(file, head, limits), head)
    except Exception:  # parsers meet damaged data with exceptions of nearly every kind, some of their own
        _logger.debug("no capture data", exc_info=True)
        return Capture()


def _read_tags(file: BinaryIO, head: bytes, limits: Limits) -> _Tags:
    kind = sniff(head)
    if kind in _CONTAINERS:
        file = io.BytesIO(embedded_exif(head + file.read(), kind))
    elif head.startswith(b"FUJIFILMCCD-RAW"):  # has the EXIF data of the JPEG inside, whose place the header tells
        offset, length = struct.unpack_from(">II", head, 84)
        file.seek(offset)
        file = io.BytesIO(file.read(min(length, _HEAD_BYTES)))
    file.seek(0)
    # Maker notes hold little that is wanted here and take most of the time.
    rationed = cast(BinaryIO, _Rationed(file, limits.exif_bytes))
    tags = exifread.process_file(rationed, details=False, extract_thumbnail=False, truncate_tags=False)
    return _Tags(tags, limits.exif_text)


def _interpret(tags: _Tags, head: bytes) -> Capture:
    exposure_mode = _EXPOSURE_MODES.get(_integer(tags, "EXIF ExposureMode") or 0)
    orientation = _integer(tags, "Image Orientation")
    return Capture(
        time=_time(tags),
        camera=_camera(tags),
        lens=_text(tags, "EXIF LensModel"),
        iso=_iso(tags),
        shutter_s=_positive(tags, "EXIF ExposureTime"),
        aperture=_positive(tags, "EXIF FNumber"),
        focal_mm=_positive(tags, "EXIF FocalLength"),
        exposure_bias=_number(tags, "EXIF ExposureBiasValue"),
        exposure_mode=exposure_mode if "EXIF ExposureMode" in tags.found else None,
        sequence=_sequence(tags, head),
        software=_text(tags, "Image Software"),
        orientation=orientation if orientation in range(1, 9) else None,
    )


def _text(tags: _Tags, key: str) -> str | None:
    """A tag's text without what a terminal would obey; None if nothing is left."""
    text = "".join(
        character for character in str(tags.found.get(key, ""))[: tags.text_length] if character.isprintable()
    )
    return " ".join(text.split()) or None


def _number(tags: _Tags, key: str) -> float | None:
    values = getattr(tags.found.get(key), "values", None)
    try:
        number = float(values[0]) if values else None
    except (ArithmeticError, TypeError, ValueError):  # a fraction by zero, a text instead of a number
        return None
    return number if number is not None and abs(number) < 1e9 else None


def _positive(tags: _Tags, key: str) -> float | None:
    number = _number(tags, key)
    return number if number is not None and number > 0 else None


def _integer(tags: _Tags, key: str) -> int | None:
    number = _number(tags, key)
    return None if number is None else int(number)


def _iso(tags: _Tags) -> int | None:
    speed = _integer(tags, "EXIF ISOSpeedRatings")
    if speed in (None, 0, 65535):  # two bytes don't hold more: higher speeds stand elsewhere
        speed = _integer(tags, "EXIF RecommendedExposureIndex") or _integer(tags, "EXIF ISOSpeed") or speed
    return speed or None


def _camera(tags: _Tags) -> str | None:
    make, model = _text(tags, "Image Make"), _text(tags, "Image Model")
    if make is None or model is None:
        return model or make
    if model.split()[0].lower() in make.lower().split():
        return model
    return f"{_LEGAL_FORM.sub('', make)} {model}"


def _time(tags: _Tags) -> str | None:
    for date, suffix in (
        ("EXIF DateTimeOriginal", "Original"),
        ("EXIF DateTimeDigitized", "Digitized"),
        ("Image DateTime", ""),
    ):
        try:
            moment = datetime.strptime(_text(tags, date) or "", "%Y:%m:%d %H:%M:%S")
        except ValueError:  # cameras whose clock was never set write zeros or blanks
            continue
        fraction = _text(tags, f"EXIF SubSecTime{suffix}") or ""
        offset = _text(tags, f"EXIF OffsetTime{suffix}") or ""
        time = moment.isoformat()
        if fraction.isdecimal() and fraction.isascii():
            time += f".{fraction:0<3}" if len(fraction) <= 3 else f".{fraction:0<6.6}"
        if offset == "Z":
            offset = "+00:00"  # which all parsers of ISO 8601 take
        return time + offset if _OFFSET.fullmatch(offset) else time
    return None


def _sequence(tags: _Tags, head: bytes) -> str | None:
    if _integer(tags, "EXIF ExposureMode") == 2:
        return "bracket"
    if _integer(tags, "EXIF CustomRendered") == _APPLE_PANORAMA or b"GPano:ProjectionType" in head:
        return "panorama"
    return "burst" if b"GCamera:BurstID" in head else None
