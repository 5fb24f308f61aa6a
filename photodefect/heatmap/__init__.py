"""Heat maps: where in the frame each defect sits, and pictures that show it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
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


def __getattr__(name: str) -> object:
    # Maps need torch, which takes a second to import; what only has them made elsewhere goes without.
    if name in __all__:
        from photodefect.heatmap import maps  # noqa: PLC0415

        return getattr(maps, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
