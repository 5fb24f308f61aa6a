"""The XMP inside a photo's own file, which is read and never written."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from photodefect.errors import SidecarError, UnreadableError
from photodefect.photos.facts import DEFAULT_MAX_PIXELS
from photodefect.photos.files import open_regular
from photodefect.photos.raster import pillow_limits


def embedded_xmp(photo: Path) -> bytes | None:
    """The XMP packet of a JPEG, PNG, TIFF, WebP or the like; None if there is none, or the format isn't known.

    Raises:
        SidecarError: the file can't be read.
    """
    try:
        with open_regular(photo) as file, pillow_limits(DEFAULT_MAX_PIXELS), Image.open(file) as image:
            packet = image.info.get("xmp")
    except UnreadableError as error:
        raise SidecarError(str(error)) from error
    except Exception:  # noqa: BLE001  decoders raise anything; without an image there is no packet either
        return None
    if isinstance(packet, str):
        packet = packet.encode()
    return packet.strip(b"\0 \r\n\t") or None if isinstance(packet, bytes) else None
