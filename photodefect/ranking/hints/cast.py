"""The colour cast of a photo: which way a bad white balance went.

Two estimates that fail on different pictures: the colour of the brightest pixels that aren't clipped (a Minkowski mean
of light, "shades of grey", Finlayson and Trezzi 2004), which a coloured lamp or sky misleads, and the colour of the
least colourful pixels, which a strong cast leaves none of. Only where they agree is there an answer.

Colours are split as editors' sliders have it: temperature is red against blue, tint is green against both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from photodefect.photos.colour_spaces import lab, linear_from_pixels
from photodefect.photos.quantiles import quantiles

Tint = Literal["too warm", "too cool", "too green", "too magenta"]

# Share of the larger component from which on the smaller one is named too.
_SECOND: Final = 0.6


@dataclass(frozen=True)
class Cast:
    """How far neutral things are from neutral, roughly in units of CIE Lab.

    Attributes:
        warmth: from blue (negative) to yellow (positive).
        magenta: from green (negative) to magenta (positive).
        certain: both estimates point the same way.
    """

    warmth: float
    magenta: float
    certain: bool

    def tints(self) -> tuple[Tint, ...]:
        """Which way a photo that is known to have a cast leans, the stronger first; empty if it can't be told."""
        if not self.certain:
            return ()
        warmth: Tint = "too warm" if self.warmth > 0 else "too cool"
        tint: Tint = "too magenta" if self.magenta > 0 else "too green"
        first, second = (warmth, tint) if abs(self.warmth) >= abs(self.magenta) else (tint, warmth)
        weaker, stronger = sorted((abs(self.warmth), abs(self.magenta)))
        return (first, second) if weaker >= _SECOND * stronger else (first,)

    def kelvin(self) -> float:
        """How far to move the colour temperature, in kelvin: negative if the photo is too warm.

        Neutral things look as lit by light of another temperature than the 6504 K of sRGB's white; the difference is to
        be taken off. Rough where it is large.
        """
        doublings, tint = self.warmth / _TEMPERATURE, self.magenta / _TINT
        x, y, z = _XYZ @ np.array([2 ** (tint + doublings / 2), 1.0, 2 ** (tint - doublings / 2)])
        # McCamy 1992: correlated colour temperature from chromaticity, good to a few kelvin along daylight.
        slope = (x / (x + y + z) - 0.3320) / (0.1858 - y / (x + y + z))
        temperature = ((449.0 * slope + 3525.0) * slope + 6823.3) * slope + 5520.33
        return float(np.clip(temperature, *_TEMPERATURES)) - _WHITE_K

    def green_stops(self) -> float:
        """How far to move green against red and blue, in stops: negative if the photo is too green."""
        return self.magenta / _TINT


_XYZ: Final = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
"""Linear sRGB to CIE XYZ (IEC 61966-2-1)."""

_WHITE_K: Final = 6504.0
_TEMPERATURES: Final = (2000.0, 20_000.0)
"""What editors' sliders reach, about."""

# About how far a neutral grey moves in CIE Lab when red over blue, or both over green, double.
_TEMPERATURE: Final = 15.0
_TINT: Final = 28.0

_NORM: Final = 6

# Share of the pixels that are taken for the least colourful ones.
_NEUTRAL: Final = 0.2


def measure_cast(pixels: NDArray[np.uint8]) -> Cast:
    """The cast of (H, W, 3) uint8 sRGB pixels; a sample of them does."""
    linear = linear_from_pixels(pixels).reshape(3, -1)
    brightest = pixels.reshape(-1, 3).max(axis=1)
    usable = linear[:, (brightest < 250) & (brightest > 25)]
    if usable.shape[1] < 100:
        return Cast(0.0, 0.0, certain=False)
    light = np.mean(usable.astype(np.float64) ** _NORM, axis=1) ** (1 / _NORM)
    colours = lab(usable)
    saturation = np.hypot(colours[1], colours[2]) / np.maximum(colours[0], 10.0)
    least = usable[:, saturation <= quantiles(saturation, _NEUTRAL)[0]]
    return _agree(_components(light), np.array([quantiles(values, 0.5)[0] for values in _components(least)]))


def _components(light: NDArray[np.floating]) -> NDArray[np.float64]:
    """Warmth and magenta, (2, ...), of linear light (3, ...)."""
    red, green, blue = np.log2(np.maximum(light, 1e-4))
    return np.stack([_TEMPERATURE * (red - blue), _TINT * ((red + blue) / 2 - green)]).astype(np.float64)


# Distance from neutral, in units of CIE Lab, from which on a cast can be named.
_VISIBLE: Final = 4.0


def _agree(bright: NDArray[np.float64], least: NDArray[np.float64]) -> Cast:
    warmth, magenta = (float(value) for value in (bright + least) / 2)
    sizes = float(np.hypot(*bright)), float(np.hypot(*least))
    alike = float(bright @ least) > 0.5 * sizes[0] * sizes[1]  # less than 60 degrees apart
    certain = alike and min(sizes) >= _VISIBLE / 2 and float(np.hypot(warmth, magenta)) >= _VISIBLE
    return Cast(warmth, magenta, certain)
