"""The kind of blur: motion smears one direction, a missed focus all of them alike.

A point that moves by L pixels weakens the spatial frequency f along its way by sinc(f L) and leaves those across it.
Coarse detail, which hardly suffers, tells how much a scene prefers a direction by itself; fine detail that prefers
one much more was smeared. Measured on windows at the photo's own resolution.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray


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
    window: NDArray[np.float64]
    bands: tuple[NDArray[np.bool_], ...]
    sectors: NDArray[np.intp]
    corner: NDArray[np.bool_]


_SIDE: Final = 256
_SECTORS: Final = 12

# Spatial frequencies in cycles a pixel: coarse detail first, whose preference for a direction is the scene's own.
_BANDS: Final = ((0.03, 0.06), (0.06, 0.12), (0.12, 0.24))


@cache
def _frequencies() -> _Frequencies:
    down, across = np.meshgrid(np.fft.fftfreq(_SIDE), np.fft.rfftfreq(_SIDE), indexing="ij")
    radius = np.hypot(down, across)
    # Rows count downwards, angles go counter-clockwise.
    angle = np.mod(np.arctan2(-down, across), np.pi)
    sectors = np.mod(np.rint(angle / np.pi * _SECTORS).astype(np.intp), _SECTORS)
    window = np.outer(np.hanning(_SIDE), np.hanning(_SIDE))
    bands = tuple((radius >= low) & (radius < high) for low, high in _BANDS)
    return _Frequencies(window, bands, sectors, radius > 0.48)


def measure_softness(pixels: NDArray[np.uint8]) -> Softness:
    """The softness of (H, W, 3) uint8 sRGB pixels at the photo's own resolution."""
    height, width = pixels.shape[:2]
    if min(height, width) < _SIDE:
        return Softness(None, 0.0)
    table = _frequencies()
    power = np.zeros((_SIDE, _SIDE // 2 + 1))
    for top in _places(height):
        for left in _places(width):
            part = pixels[top : top + _SIDE, left : left + _SIDE].astype(np.float32) @ np.array([0.3, 0.59, 0.11])
            power += np.abs(np.fft.rfft2((part - part.mean()) * table.window)) ** 2
    floor = float(np.median(power[table.corner]))  # noise, and what JPEG left
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


# Windows along each side of the frame, at most.
_WINDOWS: Final = 5


def _places(length: int) -> list[int]:
    count = min(_WINDOWS, max(1, 2 * (length // _SIDE) - 1))
    return sorted({int(place) for place in np.linspace(0, length - _SIDE, count)})


def _by_direction(
    power: NDArray[np.float64], band: NDArray[np.bool_], sectors: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Mean power by sector inside a band, (sectors,)."""
    inside = sectors[band]
    counts = np.bincount(inside, minlength=_SECTORS)
    return np.bincount(inside, weights=power[band], minlength=_SECTORS) / np.maximum(counts, 1)
