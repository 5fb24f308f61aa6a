"""The kind of blur: motion smears one direction, a missed focus all of them alike.

A point that moves by L pixels weakens the spatial frequency f along its way by sinc(f L) and leaves those across it.
Coarse detail, which hardly suffers, tells how much a scene prefers a direction by itself; fine detail that prefers
one much more was smeared. Measured on windows at the photo's own resolution, in green, which cameras see most finely.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from photodefect.photos.quantiles import quantiles


@dataclass(frozen=True)
class Softness:
    """How fine detail is spread over directions.

    Attributes:
        smear: doublings of fine detail's energy across the likeliest direction of motion over that along it, beyond
            what coarse detail has; None if there is too little detail to tell.
        angle: that direction in degrees, 0 (level) up to 180, counter-clockwise.
    """

    smear: float | None
    angle: float


class _Frequencies(NamedTuple):
    window: NDArray[np.float32]
    bands: tuple[NDArray[np.bool_], ...]
    sectors: NDArray[np.intp]
    corner: NDArray[np.bool_]


_WINDOW: Final = 256
"""Pixels of the photo along each side of a window."""

_SIDE: Final = _WINDOW // 2
"""The same of means of two by two pixels, which hold all frequencies that are asked about."""

_SECTORS: Final = 12

# Spatial frequencies in cycles a pixel of those means: coarse detail first, whose preference for a direction is the
# scene's own.
_BANDS: Final = ((0.06, 0.12), (0.12, 0.24), (0.24, 0.48))

_CORNER: Final = 0.68
"""From here on, in the corners of the spectrum, there is hardly anything but noise, and what JPEG left."""


@cache
def frequencies() -> _Frequencies:
    """What measuring takes of each frequency; it takes longer to make than to use, and is kept."""
    down, across = np.meshgrid(np.fft.fftfreq(_SIDE), np.fft.rfftfreq(_SIDE), indexing="ij")
    radius = np.hypot(down, across)
    # Rows count downwards, angles go counter-clockwise.
    angle = np.mod(np.arctan2(-down, across), np.pi)
    sectors = np.mod(np.rint(angle / np.pi * _SECTORS).astype(np.intp), _SECTORS)
    window = np.outer(np.hanning(_SIDE), np.hanning(_SIDE))
    bands = tuple((radius >= low) & (radius < high) for low, high in _BANDS)
    return _Frequencies(window.astype(np.float32), bands, sectors, radius > _CORNER)


def measure_softness(pixels: NDArray[np.uint8]) -> Softness:
    """The softness of (H, W, 3) uint8 sRGB pixels at the photo's own resolution."""
    height, width = pixels.shape[:2]
    if min(height, width) < _WINDOW:
        return Softness(None, 0.0)
    table = frequencies()
    corners = [(top, left) for top in _places(height) for left in _places(width)]
    windows = np.stack([_halved(pixels[top : top + _WINDOW, left : left + _WINDOW]) for top, left in corners])
    windows -= windows.mean(axis=(1, 2), keepdims=True)
    windows *= table.window
    spectrum = np.fft.rfft2(windows)
    power: NDArray[np.float64] = np.sum(np.square(spectrum.real) + np.square(spectrum.imag), axis=0, dtype=np.float64)
    (floor,) = quantiles(power[table.corner], 0.5)
    bands = np.array([_by_direction(power, band, table.sectors) for band in table.bands])
    if bands[0].mean() < 4 * max(floor, 1e-9):
        return Softness(None, 0.0)
    energy = np.log2(np.maximum(bands - floor, max(floor / 2, 1e-9)))
    # Three neighbouring sectors against the three at right angles to them.
    wide = (energy + np.roll(energy, 1, axis=1) + np.roll(energy, -1, axis=1)) / 3
    missing = np.roll(wide, _SECTORS // 2, axis=1) - wide
    smear = np.maximum(missing[1], missing[2]) - 0.8 * np.maximum(missing[0], 0.0)
    direction = int(np.argmax(smear))
    return Softness(float(smear[direction]), direction * 180.0 / _SECTORS)


def _halved(window: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Means of two by two pixels of green, (2 h, 2 w, 3) -> (h, w)."""
    if abs(window.strides[0]) < abs(window.strides[1]):  # turned: its rows are columns of the file
        upright: NDArray[np.float32] = _halved(window.transpose(1, 0, 2)).T
        return upright
    height, width, _ = window.shape
    # Whole rows, with all their colours, are read and added much faster than every third byte is.
    lines = np.ascontiguousarray(window).reshape(height, width * 3)
    rows = lines[::2].astype(np.uint16)
    rows += lines[1::2]
    means: NDArray[np.float32] = (rows[:, 1::6] + rows[:, 4::6]).astype(np.float32)
    means *= np.float32(0.25)
    return means


# Windows along each side of the frame, at most.
_WINDOWS: Final = 4


def _places(length: int) -> list[int]:
    count = min(_WINDOWS, max(1, 2 * (length // _WINDOW) - 1))
    return sorted({int(place) for place in np.linspace(0, length - _WINDOW, count)})


def _by_direction(
    power: NDArray[np.float64], band: NDArray[np.bool_], sectors: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Mean power by sector inside a band, (sectors,)."""
    inside = sectors[band]
    counts = np.bincount(inside, minlength=_SECTORS)
    return np.bincount(inside, weights=power[band], minlength=_SECTORS) / np.maximum(counts, 1)
