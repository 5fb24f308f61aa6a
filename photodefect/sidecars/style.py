"""The two ways of naming sidecars, in a module of its own so that help pages import nothing else."""

from __future__ import annotations

from enum import Enum


class SidecarStyle(str, Enum):
    """``IMG.xmp`` (Lightroom, Capture One) or ``IMG.CR2.xmp`` (darktable, digiKam)."""

    STEM = "stem"
    FULL = "full"
