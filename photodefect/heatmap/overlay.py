"""A heat map laid over its photo: the photo in grey, the defect in a colour that is more opaque where it is severer."""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photodefect.heatmap.heat_map import HeatMap

Colour = tuple[int, int, int]

OVER: Final[Colour] = (226, 28, 36)
"""Red: severe; of a signed defect, too much."""

UNDER: Final[Colour] = (30, 110, 240)
"""Blue: of a signed defect, too little."""

UNCLEAR: Final[Colour] = (124, 140, 132)
"""Where it can't be told."""

OPACITY: Final = 0.86
"""Of the colour where severity is 1: the photo shows through even there."""

UNCLEAR_OPACITY: Final = 0.62

STRIP: Final = 512
"""Rows that are laid over at a time, so that a large photo needs little more memory than the result."""


def overlay(pixels: NDArray[np.uint8], heatmap: HeatMap) -> NDArray[np.uint8]:
    """Lay a map over a photo.

    Args:
        pixels: (H, W, 3) uint8 sRGB: the photo, or the same at another size.
        heatmap: of the photo; it is enlarged bilinearly.

    Returns:
        (H, W, 3) uint8 sRGB. The colours are as opaque as :func:`opacity` says.
    """
    height, width, _ = pixels.shape
    result = np.empty_like(pixels, order="C")
    for top in range(0, height, STRIP):
        bottom = min(height, top + STRIP)
        strip = Image.fromarray(pixels[top:bottom]).convert("L")
        result[top:bottom] = np.asarray(lay_over(strip, heatmap, (width, height), (top, bottom)).convert("RGB"))
    return result


def lay_over(
    grey: Image.Image, heatmap: HeatMap, size: tuple[int, int] | None = None, rows: tuple[int, int] | None = None
) -> Image.Image:
    """Lay a map over a grey photo, or over some rows of it.

    Args:
        grey: of mode ``L``.
        heatmap: of the photo.
        size: width and height of the whole photo there; None for the size of ``grey``.
        rows: which rows ``grey`` has: the first one, and the one after the last; None for all.

    Returns:
        Of mode ``YCbCr``, as JPEGs have it, as large as ``grey``.
    """
    signed, shown = heatmap.defect.signed, heatmap.shown
    arguments = heatmap.resize_arguments(*(size or grey.size), rows)
    levels = _levels(heatmap, shown).resize(*arguments)
    layers: list[tuple[Colour, Image.Image]] = []
    if shown.max() > 0:
        layers.append((OVER, levels.point(opacity_table(signed))))
    if shown.min() < 0:
        layers.append((UNDER, levels.point(opacity_table(signed)[::-1])))
    if heatmap.unclear is not None:
        veil = Image.fromarray((heatmap.unclear * round(255 * UNCLEAR_OPACITY)).astype(np.uint8))
        layers.append((UNCLEAR, veil.resize(*arguments)))
    # Plane by plane, as Pillow takes as long for one pixel of RGB as for two of the three planes.
    planes = [grey.copy(), *(Image.new("L", grey.size, 128) for _ in range(2))]
    for colour, mask in layers:
        for plane, value in zip(planes, _luma_and_chroma(colour), strict=True):
            plane.paste(value, mask=mask)
    return Image.merge("YCbCr", planes)


def opacity(severity: float) -> float:
    """Opacity of the colour for a severity's size, both 0..1: a smooth step up to :data:`OPACITY`.

    What nobody would call a defect (up to about 0.2) leaves next to no veil over the photo, and what is severe
    stands out from what is mild.
    """
    return OPACITY * severity**2 * (3 - 2 * severity)


@cache
def opacity_table(signed: bool) -> tuple[int, ...]:
    """Opacity 0..255 of the colour :data:`OVER` for the 256 levels of a map's range."""
    severity = np.linspace(-1 if signed else 0, 1, 256)
    return tuple(round(255 * opacity(value)) for value in severity.clip(0).tolist())


def colour_of(severity: float) -> Colour:
    """The full colour for the direction of a severity."""
    return UNDER if severity < 0 else OVER


@cache
def _luma_and_chroma(colour: Colour) -> tuple[int, ...]:
    """A colour as ``YCbCr``."""
    return tuple(Image.new("RGB", (1, 1), colour).convert("YCbCr").tobytes())


def _levels(heatmap: HeatMap, shown: NDArray[np.float32]) -> Image.Image:
    """The values shown of a map in 256 levels over the defect's range."""
    lowest = heatmap.defect.lowest
    levels = (shown - lowest) / (1 - lowest) * 255
    return Image.fromarray(np.rint(levels.clip(0, 255)).astype(np.uint8))
