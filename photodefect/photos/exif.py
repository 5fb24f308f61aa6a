"""What the camera wrote about how a photo was taken."""

from __future__ import annotations

import io
import logging
import re
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import exifread

from photodefect.photos.capture_time import iso_8601
from photodefect.photos.exif_places import Block, find_blocks, find_xmp
from photodefect.photos.facts import Capture
from photodefect.photos.files import open_regular
from photodefect.photos.formats import sniff
from photodefect.photos.limits import LIMITS, Limits
from photodefect.photos.maker_notes import MakerNotes, lens_by_numbers, read_canon_note, read_maker_notes
from photodefect.photos.rationed import rationed
from photodefect.photos.tiff_folders import Folders, has_utf8, plain_tiff

_logger = logging.getLogger(__name__)

# It warns about every photo without EXIF data, and logs what it can't parse; neither concerns a person here.
logging.getLogger("exifread").setLevel(logging.CRITICAL)


_HEAD_BYTES = 128 * 1024
"""How far into a file XMP hints are looked for where it isn't known where they are."""

_LEGAL_FORM = re.compile(r"[\s,]+(imaging|optical|techwin|corporation|corp|company|co|ltd|inc|gmbh|ag)\b.*", re.I)

_EXPOSURE_MODES = {0: "auto", 1: "manual", 2: "auto bracket"}

_APPLE_PANORAMA = 6
"""Value of CustomRendered that iPhones write; 2 and above are theirs, not the standard's."""

_PANORAMA = re.compile(rb"GPano:ProjectionType\s*(?:=\s*[\"']|>)\s*(?!equirectangular)\w")
"""A panorama that was stitched; equirectangular is each single photo of a camera that sees all around."""

_PANASONIC_ISO = "Tag 0x0017"
_OUTPUT_SENSITIVITY = "Tag 0x8831"
_DNG_LENS = "Tag 0xC630"
"""Tags that exifread has no name for."""

_MOST_ISO = 65535
"""What two bytes hold: the speed or more."""


def read_capture(source: Path | bytes, limits: Limits = LIMITS) -> Capture:
    """Read how a photo was taken.

    Never raises: damaged or missing EXIF data, or an unreadable file, leave fields None.

    Args:
        source: a photo's file, or its bytes.
        limits: of what is read.
    """
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else open_regular(source) as file:
            return _Reading(file, limits).capture()
    except Exception:  # parsers meet damaged data with exceptions of nearly every kind, some of their own
        _logger.debug("no capture data", exc_info=True)
        return Capture()


class _Reading:
    """Tags of all EXIF data in a photo, by exifread's names without that of the folder; the first wins."""

    def __init__(self, file: BinaryIO, limits: Limits) -> None:
        self._limits = limits
        self._tags: dict[str, Any] = {}
        self._notes = MakerNotes()
        head = file.read(_HEAD_BYTES)
        kind = sniff(head)
        self._xmp = find_xmp(file, head, kind, limits)
        try:
            for block in find_blocks(file, head, kind, limits):
                self._add(block)
        except Exception:  # what was found before counts
            _logger.debug("capture data is damaged", exc_info=True)

    def _add(self, block: Block) -> None:
        ration = self._limits.exif_bytes
        if block.maker:
            self._note(read_canon_note(block.file, ration))
            return
        block.file.seek(0)
        # Its reading of maker notes takes most of the time, and what is wanted of them is little.
        tags: Mapping[str, Any] = exifread.process_file(
            rationed(_known_types(block.file, ration), ration),
            details=False,
            extract_thumbnail=False,
            truncate_tags=False,
        )
        # Raw photos have tags of the exposure in the first folder, Canon's in a TIFF of their own.
        for folder in ("EXIF ", "Image "):
            for name, tag in tags.items():
                if name.startswith(folder):
                    self._tags.setdefault(name.removeprefix(folder), tag)
        self._note(read_maker_notes(block.file, ration))

    def _note(self, found: MakerNotes) -> None:
        notes = self._notes
        notes.lens, notes.iso, notes.drive = (
            notes.lens or found.lens,
            notes.iso or found.iso,
            notes.drive or found.drive,
        )
        notes.burst |= found.burst

    def capture(self) -> Capture:
        """What the tags say."""
        orientation = self._integer("Orientation")
        return Capture(
            time=self._time(),
            camera=self._camera(),
            lens=self._lens(),
            iso=self._iso(),
            shutter_s=self._positive("ExposureTime") or self._power("ShutterSpeedValue", -1.0),
            aperture=self._positive("FNumber") or self._power("ApertureValue", 0.5),
            focal_mm=self._positive("FocalLength"),
            focal_35mm=self._positive("FocalLengthIn35mmFilm"),
            exposure_bias=self._number("ExposureBiasValue"),
            exposure_mode=_EXPOSURE_MODES.get(self._integer("ExposureMode") or 0)
            if "ExposureMode" in self._tags
            else None,
            sequence=self._sequence(),
            drive=self._notes.drive,
            software=self._text("Software"),
            orientation=orientation if orientation in range(1, 9) else None,
        )

    def _values(self, key: str) -> Sequence[Any]:
        values = getattr(self._tags.get(key), "values", None)
        return values if isinstance(values, list | tuple) else ()

    def _text(self, key: str) -> str | None:
        """A tag's text without what a terminal would obey; None if nothing is left."""
        text = getattr(self._tags.get(key), "values", None)
        if isinstance(text, list) and all(isinstance(value, int) for value in text):
            text = bytes(value & 0xFF for value in text).split(b"\0", 1)[0]  # of a type that holds bytes
        if isinstance(text, bytes):
            text = _decoded(text)
        if not isinstance(text, str):
            return None
        text = "".join(letter for letter in text[: self._limits.exif_text] if letter.isprintable())
        return " ".join(text.split()) or None

    def _number(self, key: str) -> float | None:
        return next(iter(self._numbers(key)), None)

    def _numbers(self, key: str) -> list[float]:
        """A tag's numbers; none if one of them is none, as a fraction by zero."""
        numbers = []
        for value in self._values(key)[:8]:
            try:
                number = float(value[0] if isinstance(value, tuple) else value)
            except (ArithmeticError, TypeError, ValueError):
                return []
            if not abs(number) < 1e9:
                return []
            numbers.append(number)
        return numbers

    def _positive(self, key: str) -> float | None:
        number = self._number(key)
        return number if number is not None and number > 0 else None

    def _power(self, key: str, factor: float) -> float | None:
        """A value that is given as doublings (APEX)."""
        number = self._number(key)
        return 2.0 ** (factor * number) if number is not None and abs(number) < 64 else None

    def _integer(self, key: str) -> int | None:
        number = self._number(key)
        return None if number is None else int(number)

    def _iso(self) -> int | None:
        speeds = [int(speed) for speed in self._numbers("ISOSpeedRatings") if speed >= 1]
        if speeds and speeds[0] != _MOST_ISO:
            return speeds[0]
        elsewhere = ("RecommendedExposureIndex", "ISOSpeed", _OUTPUT_SENSITIVITY, _PANASONIC_ISO)
        found = next((speed for key in elsewhere if (speed := self._integer(key)) and speed > 0), None)
        return found or self._notes.iso or (speeds[0] if speeds else None)

    def _camera(self) -> str | None:
        make, model = self._text("Make"), self._text("Model")
        if make is None or model is None:
            return model or make
        if model.split()[0].lower() in make.lower().split():
            return model
        return f"{_LEGAL_FORM.sub('', make)} {model}"

    def _lens(self) -> str | None:
        name = self._text("LensModel")
        if name is not None and any(map(str.isalnum, name)):  # dashes stand for an unknown one
            return name
        by_numbers = (lens_by_numbers(self._lens_numbers(key)) for key in ("LensSpecification", _DNG_LENS))
        return self._notes.lens or next(filter(None, by_numbers), None)

    def _lens_numbers(self, key: str) -> list[float]:
        values = self._values(key)
        return [float(v) if getattr(v, "denominator", 1) else 0.0 for v in values] if len(values) == 4 else []

    def _time(self) -> str | None:
        for date, suffix in (("DateTimeOriginal", "Original"), ("DateTimeDigitized", "Digitized"), ("DateTime", "")):
            fraction = self._text(f"SubSecTime{suffix}") or ""
            time = iso_8601(self._text(date) or "", fraction, self._text(f"OffsetTime{suffix}") or "")
            if time is not None:
                return time
        return None

    def _sequence(self) -> str | None:
        if self._integer("ExposureMode") == 2:
            return "bracket"
        if self._integer("CustomRendered") == _APPLE_PANORAMA or _PANORAMA.search(self._xmp):
            return "panorama"
        return "burst" if self._notes.burst or b"GCamera:BurstID" in self._xmp else None


def _known_types(file: BinaryIO, ration: int) -> BinaryIO:
    """EXIF data with the types that exifread knows: it passes over the texts of EXIF 3.0."""
    folders = Folders(rationed(file, ration))
    try:
        return io.BytesIO(plain_tiff(folders)) if has_utf8(folders) else file
    except (EOFError, LookupError, ValueError, struct.error):
        return file  # damaged: exifread finds what can be found


def _decoded(text: bytes) -> str:
    """Text as UTF-8, or as what older cameras and programs write."""
    for encoding in ("utf-8", "cp1252"):
        try:
            return text.decode(encoding)
        except UnicodeDecodeError:
            continue
    return text.decode("latin-1")
