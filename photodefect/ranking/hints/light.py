"""The distribution of light in a photo: which way a bad exposure went."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from photodefect.photos.colour_spaces import linear_from_pixels, luminance
from photodefect.photos.quantiles import quantiles

ExposureFault = Literal["under-exposed", "over-exposed", "too contrasty"]

MIDDLE_GREY: Final = 0.18
"""Relative luminance of what a light meter aims at."""

_CLIPPED: Final = 252
"""From this channel value on, light is lost; JPEG keeps it from being exactly 255."""
_CRUSHED: Final = 3
_LOST: Final = 0.04
"""Share of lost pixels that a viewer notices."""
_LEAST: Final = 2.0**-10


@dataclass(frozen=True)
class Light:
    """Luminance in linear light, 0..1, and what is lost at both ends.

    Attributes:
        middle: median luminance.
        bright: luminance that one pixel in a hundred exceeds.
        dark: luminance that one pixel in a hundred falls short of.
        clipped: share of pixels with a channel at its upper end.
        crushed: share of pixels with all channels at the lower end.
    """

    middle: float
    bright: float
    dark: float
    clipped: float
    crushed: float

    @property
    def stops(self) -> float:
        """Exposure values that bring the median to middle grey; positive if the photo is darker than that."""
        return float(np.log2(MIDDLE_GREY / max(self.middle, _LEAST)))

    def fault(self) -> ExposureFault | None:
        """Which way a photo that is known to be badly exposed went, or None if its light doesn't say."""
        if self.clipped >= _LOST and self.crushed >= _LOST and abs(self.stops) < 2.5:
            return "too contrasty"
        # Half a stop from middle grey is a matter of the subject. Lost lights shift the balance: a dark photo with
        # large clipped areas was not simply given too little light, nor a bright one with large black areas too much.
        balance = self.stops - min(self.clipped, 0.3) * 12 + min(self.crushed, 0.3) * 12
        if balance >= 1.0 and self.stops >= 0.5:
            return "under-exposed"
        if balance <= -0.75 and (self.stops <= -0.5 or self.clipped >= 2 * _LOST):
            return "over-exposed"
        return None


def measure_light(pixels: NDArray[np.uint8]) -> Light:
    """The light of (H, W, 3) uint8 sRGB pixels; a sample of them does."""
    values = luminance(linear_from_pixels(pixels))
    dark, middle, bright = quantiles(values, 0.01, 0.5, 0.99)
    return Light(
        middle=middle,
        bright=bright,
        dark=dark,
        clipped=float((pixels.max(axis=2) >= _CLIPPED).mean()),
        crushed=float((pixels.max(axis=2) <= _CRUSHED).mean()),
    )
