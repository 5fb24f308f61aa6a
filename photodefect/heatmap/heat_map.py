"""The heat map of one defect, and those of one photo: values, where they lie, and what pictures show of them.

A part of a photo tells less than the whole: the values say where a defect sits rather than how severe it is. So
pictures of a map end at the photo's own severity (:attr:`HeatMap.shown`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photodefect.defects import BY_KEY, Defect
from photodefect.photos.quantiles import quantiles
from photodefect.records import ModelIdentity
from photodefect.verdicts import COLOUR_DEFECTS

STRONGEST: Final = 0.95
"""Quantile of a map's values that pictures show as the photo's own severity: no single odd cell sets the scale."""

WITHOUT_COLOUR: Final = "the photo is black and white or toned, so that its colour isn't judged"
"""Why a defect has no map."""


@dataclass(frozen=True, eq=False)
class HeatMap:
    """The severity of one defect over a photo.

    The value in row r and column c holds for the neighbourhood of the photo's pixel
    (``origin[0] + c * stride[0]``, ``origin[1] + r * stride[1]``); x counts to the right and y downwards from the
    photo's top left corner, where the first pixel's middle is (0.5, 0.5).

    Attributes:
        key: of the defect.
        severity: (rows, columns) float32, within the defect's range.
        width: of the photo, in pixels.
        height: likewise.
        stride: photo's pixels between two values, along x and y.
        origin: of the first value, x and y.
        window: side of the square that a value averages, in photo's pixels; the network sees beyond it.
        scale: at which size the photo was mapped: 1.0 is its original resolution.
        sampled: True if only windows at some distance from each other were scored.
        clear: (rows, columns), where there is the detail that it takes to tell; None if that is everywhere.
        photo: severity of the whole photo; None if it isn't known.
    """

    key: str
    severity: NDArray[np.float32]
    width: int
    height: int
    stride: tuple[float, float]
    origin: tuple[float, float]
    window: float
    scale: float
    sampled: bool
    clear: NDArray[np.bool_] | None = None
    photo: float | None = None

    @property
    def shown(self) -> NDArray[np.float32]:
        """The values that pictures show, (rows, columns): on a scale that ends at the photo's own severity.

        The strongest twentieth of what can be told, in the direction of the photo's severity, is shown as that; the
        rest in proportion, and nothing in the other direction, nor where it can't be told. Without the photo's
        severity, the bare values.
        """
        if self.photo is None:
            return self.severity
        along = self.severity.clip(0) if self.photo >= 0 else (-self.severity).clip(0)
        telling = along if self.clear is None else along[self.clear]
        (strongest,) = quantiles(telling, STRONGEST) if telling.size else (0.0,)
        if strongest <= 0:
            return np.zeros_like(along)
        shown = self.photo * (along / strongest).clip(0, 1)
        return (shown if self.clear is None else shown * self.clear).astype(np.float32)

    @property
    def unclear(self) -> NDArray[np.bool_] | None:
        """(rows, columns), where it can't be told; None if that is nowhere."""
        return None if self.clear is None or self.clear.all() else ~self.clear

    @property
    def defect(self) -> Defect:
        """The defect."""
        return BY_KEY[self.key]

    def of_photo(self, severity: float) -> HeatMap:
        """The same, of a photo that is so severe as a whole."""
        return replace(self, photo=severity)

    def enlarged(
        self, width: int | None = None, height: int | None = None, rows: tuple[int, int] | None = None
    ) -> NDArray[np.float32]:
        """The map at the photo's size, bilinear between the values, the same beyond the outermost ones.

        Args:
            width: other than the photo's.
            height: likewise.
            rows: first row wanted and the one after the last; None for all.

        Returns:
            (height, width) float32, or (rows, width).
        """
        resized = Image.fromarray(self.severity).resize(
            *self.resize_arguments(width or self.width, height or self.height, rows)
        )
        return np.asarray(resized)

    def resize_arguments(
        self, width: int, height: int, rows: tuple[int, int] | None = None
    ) -> tuple[tuple[int, int], Image.Resampling, tuple[float, float, float, float]]:
        """What Pillow's ``resize`` of an image of the map takes so that it lies over the photo at that size."""
        top, bottom = rows or (0, height)
        across, down = self.width / width, self.height / height
        left, upper = self.origin[0] - self.stride[0] / 2, self.origin[1] - self.stride[1] / 2
        lines, places = self.severity.shape
        # A last bit of rounding must not put the box outside the image.
        box = (
            max(0.0, -left / self.stride[0]),
            max(0.0, (top * down - upper) / self.stride[1]),
            min(float(places), (width * across - left) / self.stride[0]),
            min(float(lines), (bottom * down - upper) / self.stride[1]),
        )
        return (width, bottom - top), Image.Resampling.BILINEAR, box

    def describe(self) -> str:
        """How the map was made, for people."""
        if self.sampled:
            count = self.severity.size
            return f"original resolution, {count} sampled {'place' if count == 1 else 'places'}"
        if self.scale == 1:
            return "original resolution"
        return f"at {self.scale:.0%} of the original size"

    def facts(self) -> dict[str, object]:
        """What somebody needs to use the bare values, ready for JSON."""
        return {
            "defect": self.key,
            "shape": list(self.severity.shape),
            "range": [self.defect.lowest, 1.0],
            "photo_size": [self.width, self.height],
            "stride": list(self.stride),
            "origin": list(self.origin),
            "window": self.window,
            "scale": self.scale,
            "sampled": self.sampled,
        }


@dataclass(frozen=True, eq=False)
class HeatMaps:
    """The heat maps of one photo.

    Attributes:
        width: of the photo, in pixels.
        height: likewise.
        maps: by defect key, in the order of the defects.
        model: whose patch network made them.
        without: why a defect has no map, by its key.
    """

    width: int
    height: int
    maps: Mapping[str, HeatMap]
    model: ModelIdentity
    without: Mapping[str, str] = field(default_factory=dict)

    def of_photo(self, severity: Mapping[str, float], *, monochrome: bool) -> HeatMaps:
        """The same with what is known of the whole photo.

        Args:
            severity: by defect key.
            monochrome: the photo has no colour, but for a small part; then maps of colour are left out.
        """
        without = {key: WITHOUT_COLOUR for key in COLOUR_DEFECTS if monochrome and key in self.maps}
        maps = {key: it.of_photo(severity[key]) for key, it in self.maps.items() if key not in without}
        return replace(self, maps=maps, without=without)
