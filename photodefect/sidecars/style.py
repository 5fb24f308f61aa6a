"""How sidecars are called: a module of its own, for help pages."""

from __future__ import annotations

from enum import Enum


class SidecarStyle(str, Enum):
    """``IMG.xmp`` (Lightroom, Capture One) or ``IMG.CR2.xmp`` (darktable, digiKam)."""

    STEM = "stem"
    FULL = "full"
