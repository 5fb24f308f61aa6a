"""What colours are by the definitions of their spaces, without a colour engine."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def linear_from_srgb(values: NDArray[Any]) -> NDArray[Any]:
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def srgb_from_linear(values: NDArray[Any]) -> NDArray[Any]:
    return np.where(values <= 0.0031308, values * 12.92, 1.055 * np.maximum(values, 0) ** (1 / 2.4) - 0.055)


def to_xyz(primaries: list[tuple[float, float]]) -> NDArray[Any]:
    """Matrix from linear RGB of D65 white to XYZ."""
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
    white = np.array([0.3127 / 0.3290, 1, (1 - 0.3127 - 0.3290) / 0.3290])
    return columns * np.linalg.solve(columns, white)


SRGB = [(0.64, 0.33), (0.30, 0.60), (0.15, 0.06)]
ADOBE_RGB = [(0.64, 0.33), (0.21, 0.71), (0.15, 0.06)]
DISPLAY_P3 = [(0.680, 0.320), (0.265, 0.690), (0.150, 0.060)]
BT_2020 = [(0.708, 0.292), (0.170, 0.797), (0.131, 0.046)]


def pq_from_nits(nits: NDArray[Any]) -> NDArray[Any]:
    """SMPTE ST 2084, equation 5.2."""
    powered = (nits / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * powered) / (1 + 18.6875 * powered)) ** 78.84375


def hlg_from_nits(linear: NDArray[Any]) -> NDArray[Any]:
    """What a display of 1,000 candela per square metre shows as so much BT.2020 light (BT.2100, table 5)."""
    shown = linear / 1000
    luminance = np.maximum(shown @ [0.2627, 0.6780, 0.0593], 1e-9)
    scene = shown * (luminance ** (1 / 1.2 - 1))[..., None]
    upper = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), upper)
