"""Which way up a photo lies in its file: what its EXIF data or its boxes say, and nothing else."""

from __future__ import annotations

import io
import struct

from PIL import ExifTags, Image

from photodefect.photos.exif_places import find_blocks
from photodefect.photos.formats import Format
from photodefect.photos.iso_media import Properties
from photodefect.photos.limits import LIMITS

EXIF_ERRORS = (OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, struct.error)
"""What Pillow has been seen to raise on damaged metadata."""

_XMP = ("xmp", "XML:com.adobe.xmp")
"""Where Pillow keeps a packet of XMP."""


def orientation(
    data: bytes, image: Image.Image, kind: Format, properties: Properties, page: int | None
) -> tuple[int, int]:
    """The stored orientation, and the one that is still to be undone after loading.

    Args:
        data: the file.
        image: the same, opened.
        kind: its format.
        properties: of a HEIF or AVIF.
        page: the orientation of the page of a TIFF that is the photo, where that isn't its first.
    """
    if kind is Format.HEIF and properties.orientation is not None:  # libheif has turned it, whatever EXIF says as well
        return properties.orientation, 1
    try:
        exif = _heif_exif(data) if kind is Format.HEIF else exif_alone(image)
        found = exif.get(ExifTags.Base.Orientation, 1)
    except EXIF_ERRORS:
        found = 1
    if kind is Format.TIFF and not page:  # Pillow turns it upright while loading
        return (found if found in range(1, 9) else 1), 1
    found = page or found
    return (found, found) if found in range(1, 9) else (1, 1)


def exif_alone(image: Image.Image) -> Image.Exif:
    """An image's EXIF data, without the orientation that Pillow takes from XMP where EXIF has none.

    Viewers don't: there it is what was forgotten when somebody turned the photo upright and its EXIF data went. What
    Pillow does itself when it loads a TIFF follows.
    """
    for name in _XMP:
        image.info.pop(name, None)
    return image.getexif()


def _heif_exif(data: bytes) -> Image.Exif:
    """A HEIF's EXIF data as stored: pillow-heif resets its orientation, and prefers that of XMP to a 1."""
    exif = Image.Exif()
    for block in find_blocks(io.BytesIO(data), b"", Format.HEIF, LIMITS):
        exif.load(block.file.read())
        break
    return exif
