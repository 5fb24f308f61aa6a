"""Tell black-and-white and toned photographs from colour photographs with little colour.

A black-and-white photograph has no chroma, a sepia or otherwise toned one has one colour for each lightness: in CIE Lab
its pixels lie on one thin curve over L*. A photograph is monochrome when hardly any chroma is left after the mean
colour of each lightness is taken away.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photodefect.synthesis.colour import lab, linear_from_pixels

_LONG_SIDE = 192
_BINS = 24
_GREY = 4.0
"""Mean chroma up to which a photo counts as untoned."""
_STRONGEST_TONE = 35.0
"""Mean chroma above which one colour is a subject (wood, water), no toning."""


def chroma_spread(pixels: NDArray[np.uint8]) -> tuple[float, float, float]:
    """Mean chroma, and how far colours are from the mean colour of their lightness, in CIE Lab units.

    Args:
        pixels: (H, W, 3) uint8 sRGB.

    Returns:
        Over the pixels of a reduced copy: mean chroma, and the root mean square and the 99th percentile of the
        distance to the mean colour of pixels of the same lightness. All are 0 for pure grey.
    """
    image = Image.fromarray(pixels)
    image.thumbnail((_LONG_SIDE, _LONG_SIDE), Image.Resampling.BOX)
    values = lab(linear_from_pixels(np.asarray(image))).reshape(3, -1)
    bins = np.clip((values[0] * (_BINS / 100.0)).astype(np.intp), 0, _BINS - 1)
    counts = np.maximum(np.bincount(bins, minlength=_BINS), 1)
    residual = [
        plane - (np.bincount(bins, weights=plane, minlength=_BINS) / counts)[bins] for plane in (values[1], values[2])
    ]
    distance = np.hypot(residual[0], residual[1])
    chroma = float(np.hypot(values[1], values[2]).mean())
    return chroma, float(np.sqrt((distance**2).mean())), float(np.percentile(distance, 99))


def is_monochrome(pixels: NDArray[np.uint8]) -> bool:
    """Whether (H, W, 3) uint8 sRGB pixels are black and white or toned (sepia, cyanotype ...).

    A frame of a single colour, all black or all white included, counts as monochrome: there is no second colour in it.
    """
    chroma, spread, tail = chroma_spread(pixels)
    if chroma <= _GREY:
        return spread < 1.5 and tail < 4.5
    # Toning follows lightness exactly, up to compression; a grey street under a blue sky does not.
    return chroma < _STRONGEST_TONE and spread < 1.2 and tail < 3.5
