"""Raw photos: the full-size picture that the camera embedded, or else a decode that leaves the exposure alone."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np

from photodefect.errors import PhotoError, UnreadableError, UnsupportedError
from photodefect.extras import require
from photodefect.photos import tiff_folders as tags
from photodefect.photos.dng import Development, has_known_filters, read_development
from photodefect.photos.dng_gains import apply_gains
from photodefect.photos.facts import Provenance
from photodefect.photos.formats import Format
from photodefect.photos.limits import LIMITS, Limits
from photodefect.photos.photo import Photo, check_size, contiguous, upright
from photodefect.photos.raster import decode_raster, explained
from photodefect.photos.tiff_folders import Folder, folders

if TYPE_CHECKING:
    import rawpy

FULL_SIZE = 0.9
"""A preview stands for the photo if its longer side has this share of the sensor's; cameras trim a few rows."""

USABLE_SIZE = 1000
"""Pixels of the longer side of a smaller preview that may stand for a photo whose sensor data can't be decoded."""

_OLD_JPEG, _JPEG, _LOSSY_JPEG = 6, 7, 34892
"""Compressions of a TIFF."""

_NEAR_WHITE = 0.75
"""LibRaw's own share of white that counts as near it; its tables know the white of some cameras only roughly."""

_SENSOR_DATA = "sensor data"
"""What a file may lack when its preview is there."""

# LibRaw counts turns and flips as bits: 1 mirrors columns, 2 rows, 4 both across the diagonal.
_EXIF_BY_FLIP = {0: 1, 1: 2, 2: 4, 3: 3, 4: 5, 5: 8, 6: 6, 7: 7}


def has_raw_tags(data: bytes) -> bool:
    """Whether a TIFF-alike says of itself that it holds a sensor's data."""
    return any(tags.DNG_VERSION in folder or folder.is_sensor for folder in folders(data))


def decode_raw(data: bytes, max_pixels: int, limits: Limits = LIMITS) -> Photo | None:
    """Decode a raw photo; None if LibRaw finds none that it knows in the file.

    The embedded preview is taken if it is (nearly) as large as the photo: it is what the photographer saw, in
    the camera's own colours. Otherwise the sensor's data is developed with the camera's white balance and without
    LibRaw's automatic brightness, which would hide a wrong exposure. If LibRaw can't, a smaller preview is better than
    none; the photo's provenance says so.

    Raises:
        UnsupportedError: rawpy is not installed, or the sensor's data is stored in a way that LibRaw doesn't know.
        UnreadableError: damaged or truncated.
        TooLargeError: more than ``max_pixels`` pixels.
    """
    require("raw", "rawpy", what="a raw photo", error=UnsupportedError)
    import rawpy  # noqa: PLC0415  an extra; LibRaw is slow to load

    with explained("raw photo"):
        try:
            raw = rawpy.imread(io.BytesIO(data))
        except rawpy.LibRawFileUnsupportedError:
            return _found_preview(data, max_pixels, limits)
        with raw:
            # The sensor's own size is what takes the memory; it may be far from what is said of the picture.
            for width, height in (
                (raw.sizes.width, raw.sizes.height),
                (raw.sizes.raw_width, raw.sizes.raw_height),
            ):
                check_size(width, height, max_pixels)
            cut_short = _is_cut_short(data)
            told = read_development(data, raw.sizes.width, raw.sizes.height)
            box = (0, 0, raw.sizes.width, raw.sizes.height) if told is None else told.box
            size = box[2] - box[0], box[3] - box[1]
            preview = _preview(raw, data, size, max_pixels, limits)
            if preview is not None and max(preview.width, preview.height) >= FULL_SIZE * max(size):
                return _without_sensor_data(preview) if cut_short else preview
            if cut_short:
                raise UnreadableError("the raw photo is cut short: part of its sensor's data is missing")
            unknown = "stores its sensor's data (it knows neither JPEG XL nor VC-5)"
            if told is not None and not has_known_filters(data):
                unknown = "arranges its sensor's colours (it knows mosaics of 2 x 2 and Fujifilm's)"
            else:
                try:
                    return _develop(raw, told)
                except rawpy.LibRawFileUnsupportedError:
                    pass
            if preview is None or max(preview.width, preview.height) < USABLE_SIZE:
                raise UnsupportedError(
                    f"LibRaw doesn't know how this raw photo {unknown}, and its preview is too small to judge; convert "
                    "it to JPEG or to an older kind of DNG"
                )
            return _without_sensor_data(preview)


def _without_sensor_data(preview: Photo) -> Photo:
    return replace(preview, provenance=replace(preview.provenance, missing=_SENSOR_DATA))


def _develop(raw: rawpy.RawPy, told: Development | None) -> Photo:
    import rawpy  # noqa: PLC0415

    recorded, daylight = (
        [*gains[:3], gains[3] or gains[1]] for gains in (raw.camera_whitebalance, raw.daylight_whitebalance)
    )
    if told is not None and told.gains:
        _give_back_light(raw, told)
    # LibRaw changes both meanwhile: the size where pixels aren't square.
    shape, orientation = (raw.sizes.height, raw.sizes.width), _orientation(raw)
    # Without a white balance by the camera, LibRaw would make the average grey, which hides a cast.
    assumed = raw.num_colors >= 3 and min(recorded) <= 0 < min(daylight)
    pixels = raw.postprocess(
        use_camera_wb=not assumed,
        user_wb=daylight if assumed else None,
        no_auto_bright=True,
        # LibRaw takes the brightest sample for white where that is near; a DNG's white is told, and right.
        adjust_maximum_thr=_NEAR_WHITE if told is None else 0.0,
        bright=1.0 if told is None else told.gain,
        output_color=rawpy.ColorSpace.sRGB,
        output_bps=8,
        gamma=(2.4, 12.92),  # that of sRGB; LibRaw's own default is that of television
        user_flip=0,
    )
    if pixels.shape[2] == 1:  # of a sensor without colour filters
        pixels = pixels.repeat(3, axis=2)
    if told is not None and pixels.shape[:2] == shape:
        left, top, right, bottom = told.box
        pixels = pixels[top:bottom, left:right]
    mode = raw.color_desc.decode("ascii", "replace") if raw.num_colors > 1 else "L"
    return Photo(np.array(upright(pixels, orientation), order="C"), Provenance("RAW", "raw decode", mode, orientation))


def _give_back_light(raw: rawpy.RawPy, told: Development) -> None:
    """Apply the gains of a DNG to the sensor's data that LibRaw holds."""
    samples = raw.raw_image
    colours = raw.raw_colors if samples.ndim == 2 and raw.num_colors > 1 else None
    if samples.ndim == 2 and colours is None:
        samples = samples[:, :, None]
    if told.area is not None and len(told.area) == 4:  # LibRaw's own starts at even numbers
        top, left, bottom, right = told.area
        samples = samples[top:bottom, left:right]
        colours = None if colours is None else colours[top:bottom, left:right]
    apply_gains(samples, told.gains, colours, tuple(map(float, raw.black_level_per_channel)), float(raw.white_level))


def _preview(raw: rawpy.RawPy, data: bytes, size: tuple[int, int], max_pixels: int, limits: Limits) -> Photo | None:
    """The largest embedded preview of a picture of so many columns and rows; None if none can be decoded."""
    import rawpy  # noqa: PLC0415

    try:
        thumbnail = raw.extract_thumb()
        if thumbnail.format is rawpy.ThumbFormat.JPEG:
            jpeg = _as_embedded(cast(bytes, thumbnail.data), data)
            preview = decode_raster(jpeg, Format.JPEG, max_pixels, limits=limits)
        else:
            pixels = np.array(thumbnail.data, order="C")
            if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
                return None
            preview = Photo(pixels, Provenance("RAW"))
    except (rawpy.LibRawError, rawpy.NotSupportedError, PhotoError):
        return None
    return _turned(preview, _orientation(raw), sensor_is_wide=size[0] >= size[1])


def _as_embedded(thumbnail: bytes, data: bytes) -> bytes:
    """A preview as it lies in the file: without the EXIF data that LibRaw puts in front of it.

    That has the raw photo's orientation, and cameras store some previews upright.
    """
    length = 2 + int.from_bytes(thumbnail[4:6], "big")
    if thumbnail[2:4] != b"\xff\xe1" or data.find(thumbnail[: 2 + length]) >= 0:
        return thumbnail
    return thumbnail[:2] + thumbnail[2 + length :]


def _turned(preview: Photo, orientation: int, *, sensor_is_wide: bool) -> Photo:
    """A preview upright.

    Args:
        preview: turned as its own EXIF data says.
        orientation: the raw photo's.
        sensor_is_wide: the sensor's width is its longer side.
    """
    stored_is_wide = preview.stored.shape[1] >= preview.stored.shape[0]
    own = preview.provenance.orientation
    # It may not say how it lies: as the sensor does then. Whatever says that it is to be laid on its side, a preview
    # that doesn't lie as the sensor stands already.
    to_undo = orientation if own == 1 else own
    if to_undo >= 5 and stored_is_wide != sensor_is_wide:
        to_undo = 1
    told = replace(preview.provenance, format="RAW", source="embedded preview", orientation=orientation, frames=1)
    return Photo(contiguous(upright(preview.stored, to_undo)), told)


def _found_preview(data: bytes, max_pixels: int, limits: Limits) -> Photo | None:
    """The largest JPEG of a raw photo that LibRaw doesn't know at all; None if there is none that can stand for it."""
    found: Photo | None = None
    all_folders = list(folders(data))
    orientation = next(
        (value for folder in all_folders if (value := folder.number(tags.ORIENTATION)) in range(1, 9)), 1
    )
    sensor = next((folder for folder in all_folders if folder.is_sensor), None)
    if sensor is None:
        return None
    for start, size in _jpegs(all_folders):
        try:
            preview = decode_raster(data[start : start + size], Format.JPEG, max_pixels, limits=limits)
        except PhotoError:
            continue
        if found is None or preview.stored.size > found.stored.size:
            found = preview
    if found is None or max(found.width, found.height) < USABLE_SIZE:
        return None
    is_wide = sensor.number(tags.WIDTH) >= sensor.number(tags.HEIGHT)
    return _without_sensor_data(_turned(found, orientation, sensor_is_wide=is_wide))


def _jpegs(all_folders: list[Folder]) -> Iterator[tuple[int, int]]:
    """Places and sizes of whole JPEGs."""
    for folder in all_folders:
        if folder.number(tags.JPEG_SIZE):
            yield folder.number(tags.JPEG_OFFSET), folder.number(tags.JPEG_SIZE)
        starts, sizes = folder.parts()
        if len(starts) == 1 and folder.number(tags.COMPRESSION) in (_OLD_JPEG, _JPEG) and not folder.is_sensor:
            yield int(starts[0]), int(sizes[0])


def _is_cut_short(data: bytes) -> bool:
    """Whether strips or tiles of the sensor's data are missing, which LibRaw takes for black.

    Only a DNG's sizes can be relied on; of others, those that start behind the file's end are missing.
    """
    is_dng = False
    for folder in folders(data):
        is_dng = is_dng or tags.DNG_VERSION in folder
        starts, sizes = folder.parts()
        if not (folder.is_sensor and len(starts)):
            continue
        if int((starts + sizes if is_dng else starts).max()) > len(data):
            return True
        as_jpeg = is_dng and folder.number(tags.COMPRESSION) in (_JPEG, _LOSSY_JPEG)
        if as_jpeg and not all(data.startswith(b"\xff\xd8", int(start)) for start in starts):
            return True
    return False


def _orientation(raw: rawpy.RawPy) -> int:
    return _EXIF_BY_FLIP.get(raw.sizes.flip, 1)
