"""Telling black-and-white and toned photographs from colour photographs with little colour.

A black-and-white photograph has no chroma, a sepia or otherwise toned one has one colour for each lightness: in CIE Lab
its pixels lie on one thin curve over L*. A photograph is monochrome when hardly any chroma is left after the mean
colour of each lightness is taken away. JPEG stores colour at half the resolution, which moves the pixels of busy
regions off the curve; smooth regions are therefore held to stricter limits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photodefect.photos.colour_spaces import Plane, lab, linear_from_pixels, luminance
from photodefect.photos.quantiles import quantiles


@dataclass(frozen=True)
class Spread:
    """How far colours are from the mean colour of their lightness, in CIE Lab units.

    Attributes:
        along: deviation in the direction in which they differ most.
        across: deviation at a right angle to it.
        tail: 99th percentile of the distance along.
    """

    along: float
    across: float
    tail: float


# Steps of L* that have a mean colour of their own.
_BINS: Final = 24


def colour_spread(values: Plane) -> Spread:
    """Spread of the colours of Lab values (3, N) around a curve over L*; all zero for greys."""
    bins = np.clip((values[0] * (_BINS / 100.0)).astype(np.intp), 0, _BINS - 1)
    counts = np.bincount(bins, minlength=_BINS)
    filled = counts > 0
    centres = np.bincount(bins, weights=values[0], minlength=_BINS)[filled] / counts[filled]
    residual = np.empty((2, values.shape[1]))
    for index, plane in enumerate((values[1], values[2])):
        means = np.bincount(bins, weights=plane, minlength=_BINS)[filled] / counts[filled]
        residual[index] = plane - np.interp(values[0], centres, means)
    power, directions = np.linalg.eigh(residual @ residual.T / residual.shape[1])
    deviations = np.sqrt(np.maximum(power, 0.0))
    return Spread(
        along=float(deviations[1]),
        across=float(deviations[0]),
        tail=quantiles(np.abs(directions[:, 1] @ residual), 0.99)[0],
    )


_LONG_SIDE: Final = 256

# Mean chroma above which one colour is a subject (wood, water), no toning.
_STRONGEST_TONE: Final = 30.0

# Distance from the usual colour of a lightness that no compression of a grey makes, and the largest part of a
# monochrome photo that may have colours. Compression spreads a colour over neighbours.
_CLEAR_COLOUR: Final = 6.5
_LARGEST_PART: Final = 0.2
_BLEEDING: Final = 2

# How far the colours of a lightness may spread where they differ most, and how far across that, everywhere and in
# smooth places. What is left beside a coloured part must have lost its colours to a program: grey things of colour
# photos spread across by .5 and more.
_ALONG: Final = 2.3
_NATURAL: Final = (1.2, 0.85)
_PURE: Final = (0.4, 0.4)

# Whole steps of a* and of b* that a median is looked for in.
_LEVELS: Final = 256

# How far beyond the limits every fifth pixel of every fifth row has to be to settle it without the others.
_STEP: Final = 5
_CLEARLY: Final = 1.5


def is_monochrome(pixels: NDArray[np.uint8]) -> bool:
    """Whether (H, W, 3) uint8 sRGB pixels are black and white or toned (sepia, cyanotype ...).

    A small part may have colours: the strip of a trail camera, a frame, a spot that was left coloured. A frame of a
    single colour, all black or all white included, counts as monochrome: there is no second colour in it.
    """
    small = pixels
    if max(pixels.shape) > _LONG_SIDE:
        image = Image.fromarray(pixels)
        image.thumbnail((_LONG_SIDE, _LONG_SIDE), Image.Resampling.BOX)
        small = np.asarray(image)
    if _clearly_has_colours(_lab_values(small[::_STEP, ::_STEP])):
        return False
    values = _lab_values(small)
    steepness = _extreme(values[0], np.maximum) - _extreme(values[0], np.minimum)
    if _is_one_tone(values.reshape(3, -1), steepness.flatten(), _NATURAL):
        return True
    coloured = _coloured(values)
    for _ in range(_BLEEDING):
        coloured = _extreme(coloured, np.maximum)
    if not 0 < coloured.mean() <= _LARGEST_PART:
        return False
    return _is_one_tone(values[:, ~coloured], steepness[~coloured], _PURE)


def _clearly_has_colours(values: Plane) -> bool:
    """Whether a few of a photo's pixels, Lab values (3, H, W), settle that it has colours, and not in a part alone."""
    everywhere = colour_spread(values.reshape(3, -1))
    if max(everywhere.along / _ALONG, everywhere.across / _NATURAL[0], everywhere.tail / _CLEAR_COLOUR) <= _CLEARLY:
        return False
    coloured = _coloured(values)
    return (
        coloured.mean() > _CLEARLY * _LARGEST_PART or colour_spread(values[:, ~coloured]).across > _CLEARLY * _PURE[0]
    )


def _is_one_tone(values: Plane, steepness: Plane, across: tuple[float, float]) -> bool:
    """Whether Lab values (3, N) have one colour for each lightness.

    Args:
        values: of pixels.
        steepness: how much lightness differs around each, (N,).
        across: how far they spread at most at a right angle to where they spread most, everywhere and in smooth places.
    """
    if float(np.hypot(values[1], values[2]).mean()) > _STRONGEST_TONE:
        return False
    everywhere = colour_spread(values)
    if everywhere.along > _ALONG or everywhere.across > across[0] or everywhere.tail > _CLEAR_COLOUR:
        return False
    smooth = colour_spread(values[:, steepness <= quantiles(steepness, 0.5)[0]])
    return smooth.along < 1.2 and smooth.across < across[1]


def _coloured(values: Plane) -> NDArray[np.bool_]:
    """Where Lab values (3, H, W) are clearly off the usual colour of their lightness, their median, (H, W)."""
    bins = np.clip((values[0] * (_BINS / 100.0)).astype(np.intp), 0, _BINS - 1)
    away = np.zeros(bins.shape, np.float32)
    for plane in values[1:]:
        levels = np.clip(np.rint(plane) + _LEVELS // 2, 0, _LEVELS - 1).astype(np.intp)
        counts = np.bincount((bins * _LEVELS + levels).ravel(), minlength=_BINS * _LEVELS).reshape(_BINS, _LEVELS)
        below = counts.cumsum(1)
        usual = (below * 2 >= below[:, -1:]).argmax(1) - _LEVELS // 2
        away += np.square(plane - usual[bins])
    return away > _CLEAR_COLOUR**2


_LIGHT: Final = 0.4
_MOST_GAIN: Final = 8.0


def _lab_values(pixels: NDArray[np.uint8]) -> Plane:
    """CIE Lab of pixels, (3, H, W)."""
    linear = linear_from_pixels(pixels)
    # The colours of a dark photo are judged as if it were lighter, or every black frame would be monochrome.
    (light,) = quantiles(luminance(linear), 0.99)
    return lab(linear * np.float32(min(max(_LIGHT / max(light, 1e-6), 1.0), _MOST_GAIN)))


def _extreme(plane: NDArray[Any], most: np.ufunc) -> NDArray[Any]:
    """The most of each pixel and its eight neighbours; SciPy, which has this too, takes long to import."""
    padded = np.pad(plane, 1, mode="edge")
    down = most(most(padded[:-2], padded[1:-1]), padded[2:])
    result: NDArray[Any] = most(most(down[:, :-2], down[:, 1:-1]), down[:, 2:])
    return result
