"""What is known of a photo beside its pixels. Whoever only reads records needs no decoder for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

DEFAULT_MAX_PIXELS = 250_000_000
"""More pixels than any camera's single shot has, and few enough to fit into memory (750 MB)."""

Source = Literal["file", "embedded preview", "raw decode"]


@dataclass(frozen=True)
class Provenance:
    """Where a photo's pixels came from.

    Attributes:
        format: name of the file's format, e.g. ``JPEG``; told from its content.
        source: ``file``; for a raw photo ``embedded preview`` or ``raw decode``.
        mode: the stored pixels' mode in Pillow's words, e.g. ``CMYK`` or ``I;16``.
        orientation: the EXIF orientation, 1..8, that was stored and has been undone.
        icc: description of the embedded colour profile, or None.
        frames: number of frames or pages in the file; the pixels are those of the first, of a TIFF that begins with its
            thumbnail those of the photo, from which pages are counted.
        colour: what the pixels were converted from where no profile tells it, e.g. ``BT.2020 PQ (nclx)``; None where
            they are sRGB or a profile was used.
        missing: what the pixels do without: the ``end mark`` of a JPEG, which changes none of them, or its ``last
            passes``, which have the lowest bit of its detail; ``sensor data`` of a raw photo, which is cut off or of an
            unknown kind, so that its preview stands for it.
    """

    format: str
    source: Source = "file"
    mode: str = "RGB"
    orientation: int = 1
    icc: str | None = None
    frames: int = 1
    colour: str | None = None
    missing: str | None = None


@dataclass(frozen=True)
class Capture:
    """How a photo was taken, as far as its EXIF data says; what it doesn't say is None.

    Attributes:
        time: when, as ISO 8601 with sub-seconds and offset where known, e.g. ``2024-05-01T12:30:00.250+02:00``.
        camera: make and model, without repeating the make or naming its legal form, e.g. ``NIKON Z 6``.
        lens: the lens's model.
        iso: ISO speed.
        shutter_s: exposure time in seconds.
        aperture: f-number.
        focal_mm: focal length in millimetres, not scaled to 35 mm film.
        focal_35mm: the focal length that gives the same view on 35 mm film, in millimetres.
        exposure_bias: exposure compensation in EV.
        exposure_mode: ``auto``, ``manual`` or ``auto bracket``.
        sequence: what the photo is one of, where the camera says so: ``bracket``, ``burst`` or ``panorama``.
        drive: what the camera does while the shutter is held down, where its maker's notes say so: ``single`` or
            ``continuous``.
        software: what wrote the file last.
        orientation: the stored EXIF orientation, 1..8.
    """

    time: str | None = None
    camera: str | None = None
    lens: str | None = None
    iso: int | None = None
    shutter_s: float | None = None
    aperture: float | None = None
    focal_mm: float | None = None
    focal_35mm: float | None = None
    exposure_bias: float | None = None
    exposure_mode: str | None = None
    sequence: str | None = None
    drive: str | None = None
    software: str | None = None
    orientation: int | None = None


def with_one_orientation(capture: Capture, provenance: Provenance) -> Capture:
    """What is known of how a photo was taken, with the orientation that was undone.

    EXIF data of containers that tell it themselves, and of raw photos, may say another one.
    """
    if capture.orientation is None and provenance.orientation == 1:
        return capture
    return replace(capture, orientation=provenance.orientation)
