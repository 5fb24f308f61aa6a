"""What the camera wrote about how a photo was taken."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Capture:
    """How a photo was taken, as far as its EXIF data says; what it doesn't say is None.

    Attributes:
        time: when, as ISO 8601 with sub-seconds and offset where known, e.g. ``2024-05-01T12:30:00.25+02:00``.
        camera: make and model, without repeating the make, e.g. ``NIKON Z 6``.
        lens: the lens's model.
        iso: ISO speed.
        shutter_s: exposure time in seconds.
        aperture: f-number.
        focal_mm: focal length in millimetres, not scaled to 35 mm film.
        exposure_bias: exposure compensation in EV.
        exposure_mode: ``auto``, ``manual`` or ``auto bracket``.
        sequence: what the photo is one of, where the camera says so: ``bracket``, ``burst`` or ``panorama``.
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
    exposure_bias: float | None = None
    exposure_mode: str | None = None
    sequence: str | None = None
    software: str | None = None
    orientation: int | None = None
