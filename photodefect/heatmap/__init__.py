"""Heat maps: where in the frame each defect sits, and pictures that show it."""

from __future__ import annotations

from photodefect.heatmap.heat_map import HeatMap, HeatMaps
from photodefect.heatmap.mapper import Mapper, mapper_of, open_mapper
from photodefect.heatmap.maps import DENSE_PIXELS, SAMPLES, WORKING_SIDE, heatmaps, mapped_defects

__all__ = [
    "DENSE_PIXELS",
    "SAMPLES",
    "WORKING_SIDE",
    "HeatMap",
    "HeatMaps",
    "Mapper",
    "heatmaps",
    "mapped_defects",
    "mapper_of",
    "open_mapper",
]
