"""Raw photos: the full-size picture that the camera embedded, or else a decode that leaves the exposure alone."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np

from photodefect.errors import PhotoError, UnsupportedError
from photodefect.photos.facts import Provenance
from photodefect.photos.formats import Format
from photodefect.photos.limits import LIMITS, Limits
from photodefect.photos.photo import Photo, check_size, contiguous, upright
from photodefect.photos.raster import decode_raster, explained

if TYPE_CHECKING:
    import rawpy

FULL_SIZE = 0.9
"""A preview stands for the photo if its longer side has this share of the sensor's; cameras trim a few rows."""

_SUB_IFDS, _PHOTOMETRIC, _DNG_VERSION = 330, 262, 50706
_CFA, _LINEAR_RAW = 32803, 34892

_MOST_FOLDERS = 32
"""How many folders of a TIFF are looked into for what tells a raw photo; cameras write a handful."""


def has_raw_tags(data: bytes) -> bool:
    """Whether a TIFF-alike says of itself that it holds a sensor's data."""
    return any(
        tag == _DNG_VERSION or (tag == _PHOTOMETRIC and value in (_CFA, _LINEAR_RAW)) for tag, value in _tiff_tags(data)
    )


def decode_raw(data: bytes, max_pixels: int, limits: Limits = LIMITS) -> Photo | None:
    """Decode a raw photo; None if LibRaw finds none that it knows in the file.

    The embedded preview is taken if it is (nearly) as large as the photo: it is what the photographer saw, in
    the camera's own colours. Otherwise the sensor's data is developed with the camera's white balance and without
    LibRaw's automatic brightness, which would hide a wrong exposure.

    Raises:
        UnsupportedError: rawpy is not installed.
        UnreadableError: damaged or truncated.
        TooLargeError: more than ``max_pixels`` pixels.
    """
    try:
        import rawpy  # noqa: PLC0415  an extra; LibRaw is slow to load
    except ImportError as error:
        raise UnsupportedError('raw photos need one more package: pip install "photodefect[raw]"') from error
    with explained("raw photo"):
        try:
            raw = rawpy.imread(io.BytesIO(data))
        except rawpy.LibRawFileUnsupportedError:
            return None
        with raw:
            # The sensor's own size is what takes the memory; it may be far from what is said of the picture.
            for width, height in (
                (raw.sizes.width, raw.sizes.height),
                (raw.sizes.raw_width, raw.sizes.raw_height),
            ):
                check_size(width, height, max_pixels)
            return _preview(raw, max_pixels, limits) or _develop(raw)


def _develop(raw: rawpy.RawPy) -> Photo:
    import rawpy  # noqa: PLC0415

    pixels = raw.postprocess(
        use_camera_wb=True,
        no_auto_bright=True,
        output_color=rawpy.ColorSpace.sRGB,
        output_bps=8,
        gamma=(2.4, 12.92),  # that of sRGB; LibRaw's own default is that of television
    )
    mode = raw.color_desc.decode("ascii", "replace")
    return Photo(np.array(pixels, order="C"), Provenance("RAW", "raw decode", mode, _orientation(raw)))


def _preview(raw: rawpy.RawPy, max_pixels: int, limits: Limits) -> Photo | None:
    """The embedded picture, upright; None if there is none, it is damaged, or much smaller than the photo."""
    import rawpy  # noqa: PLC0415

    try:
        thumbnail = raw.extract_thumb()
        if thumbnail.format is rawpy.ThumbFormat.JPEG:
            preview = decode_raster(cast(bytes, thumbnail.data), Format.JPEG, max_pixels, limits=limits)
        else:
            pixels = np.array(thumbnail.data, order="C")
            if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
                return None
            preview = Photo(pixels, Provenance("RAW"))
    except (rawpy.LibRawError, rawpy.NotSupportedError, PhotoError):
        return None
    if max(preview.width, preview.height) < FULL_SIZE * max(raw.sizes.width, raw.sizes.height):
        return None
    orientation = preview.provenance.orientation
    pixels = preview.pixels
    if orientation == 1:  # the preview doesn't say how it lies: as the sensor does, unless its shape tells otherwise
        orientation = _orientation(raw)
        lies_as_sensor = (preview.width >= preview.height) == (raw.sizes.width >= raw.sizes.height)
        if orientation < 5 or lies_as_sensor:
            pixels = contiguous(upright(pixels, orientation))
    return Photo(
        pixels,
        replace(preview.provenance, format="RAW", source="embedded preview", orientation=orientation, frames=1),
    )


def _orientation(raw: rawpy.RawPy) -> int:
    return {3: 3, 5: 8, 6: 6}.get(raw.sizes.flip, 1)  # LibRaw's codes to those of EXIF


def _tiff_tags(data: bytes) -> Iterator[tuple[int, int]]:
    """Tags and first values of a classic TIFF's first folder and its sub-folders, as far as they can be read."""
    order = "<" if data[:2] == b"II" else ">"
    if len(data) < 8 or struct.unpack_from(f"{order}H", data, 2)[0] != 42:
        return
    pending = [int(struct.unpack_from(f"{order}I", data, 4)[0])]
    known = set(pending)  # a folder that holds itself, or thousands of others, is looked into once
    while pending:
        offset = pending.pop()
        try:
            count = struct.unpack_from(f"{order}H", data, offset)[0]
            for entry in range(offset + 2, offset + 2 + 12 * count, 12):
                tag, kind, length = struct.unpack_from(f"{order}HHI", data, entry)
                value = int(struct.unpack_from(f"{order}{'H' if kind == 3 else 'I'}", data, entry + 8)[0])
                if tag == _SUB_IFDS and len(known) < _MOST_FOLDERS:
                    at = entry + 8 if length == 1 else value
                    found = set(struct.unpack_from(f"{order}{min(length, _MOST_FOLDERS)}I", data, at)) - known
                    pending += found
                    known |= found
                yield tag, value
        except struct.error:
            continue
