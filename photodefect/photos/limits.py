"""How much of a photo's file is read and unpacked at most, beside its pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Limits:
    """What no ordinary photo reaches. Within it a small file can't keep a decoder busy for long, or fill the memory.

    Attributes:
        file_bytes: of a file. No photo within the pixel limit is larger (four channels of 16 bits); a disk image that
            starts like one may be.
        compressed_bytes: likewise of formats that are there to be small.
        scans: how often a JPEG may go over its pixels. Photos do it a dozen times.
        frames: of a TIFF that are counted: Pillow looks each up among all before it.
        text_bytes: of a text or a colour profile in a PNG when it is unpacked.
        profile_bytes: of a colour profile; larger ones are passed over. The largest of printing presses have a few
            megabytes.
        exif_bytes: that may be read for a photo's EXIF data; a camera's takes a fiftieth of it.
        exif_text: letters of a text in EXIF data that are looked at; the names of cameras, lenses and programs have
            fewer than a hundred.
    """

    file_bytes: int = 2 * 1024**3
    compressed_bytes: int = 1024**3
    scans: int = 100
    frames: int = 1000
    text_bytes: int = 16 * 1024**2
    profile_bytes: int = 8 * 1024**2
    exif_bytes: int = 2 * 1024**2
    exif_text: int = 1000


LIMITS: Final = Limits()
"""The limits that hold unless a caller says otherwise."""
