"""Heat maps: where in the frame each defect sits, and pictures that show it."""

from __future__ import annotations

from photodefect.heatmap.maps import (
    DENSE_PIXELS,
    SAMPLES,
    WORKING_SIDE,
    HeatMap,
    HeatMaps,
    heatmaps,
    mapped_defects,
)

__all__ = [
    "DENSE_PIXELS",
    "SAMPLES",
    "WORKING_SIDE",
    "HeatMap",
    "HeatMaps",
    "heatmaps",
    "mapped_defects",
]
