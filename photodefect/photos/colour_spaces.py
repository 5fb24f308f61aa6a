"""Colour spaces of the synthesis: sRGB, linear light, CIE Lab and OKLab, on planar float32 arrays.

Images here are planar, shape (3, H, W), because filters and 3x3 matrices are fastest on that layout. The public
entry points of the package take and give the usual (H, W, 3) uint8.

Sources: IEC 61966-2-1 (sRGB), CIE 15 (Lab, D65), Ottosson 2020 (OKLab).
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]
"""A float32 array: (H, W) for one plane or (3, H, W) for an image."""
Pixels = NDArray[np.uint8]
"""(H, W, 3) uint8 sRGB pixels."""

_STEPS: Final = 65535


def _decode_curve(encoded: NDArray[np.float64]) -> NDArray[np.float64]:
    low = encoded <= 0.04045
    return np.where(low, encoded / 12.92, ((np.maximum(encoded, 0.04045) + 0.055) / 1.055) ** 2.4)


def _encode_curve(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    low = linear <= 0.0031308
    return np.where(low, linear * 12.92, 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055)


_DECODE_8BIT: Final[Plane] = _decode_curve(np.arange(256) / 255.0).astype(np.float32)
_ENCODE: Final[Plane] = _encode_curve(np.arange(_STEPS + 1) / _STEPS).astype(np.float32)
_DECODE: Final[Plane] = _decode_curve(np.arange(_STEPS + 1) / _STEPS).astype(np.float32)
_LUMA: Final = np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)
_XYZ: Final = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]],
    dtype=np.float32,
)
_WHITE: Final = np.array([0.95047, 1.0, 1.08883], dtype=np.float32)
_OK_LMS: Final = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    dtype=np.float32,
)
_OK_LAB: Final = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ],
    dtype=np.float32,
)
_OK_LAB_INVERSE: Final = np.linalg.inv(_OK_LAB.astype(np.float64)).astype(np.float32)
_OK_LMS_INVERSE: Final = np.linalg.inv(_OK_LMS.astype(np.float64)).astype(np.float32)


def planar(pixels: Pixels) -> Pixels:
    """(H, W, 3) to a contiguous (3, H, W) of the same type."""
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def interleaved(image: Pixels) -> Pixels:
    """(3, H, W) to a contiguous (H, W, 3) of the same type."""
    return np.ascontiguousarray(image.transpose(1, 2, 0))


def linear_from_pixels(pixels: Pixels) -> Plane:
    """(H, W, 3) uint8 sRGB to (3, H, W) linear light in 0..1."""
    return _DECODE_8BIT[planar(pixels)]


def _index(values: Plane) -> NDArray[np.uint16]:
    scaled = np.clip(values, 0.0, 1.0)
    scaled *= _STEPS
    scaled += 0.5
    return scaled.astype(np.uint16)


def encode(linear: Plane) -> Plane:
    """Linear light (any shape, clipped to 0..1) to sRGB-encoded values in 0..1."""
    return _ENCODE[_index(linear)]


def decode(encoded: Plane) -> Plane:
    """SRGB-encoded values (any shape, clipped to 0..1) to linear light in 0..1."""
    return _DECODE[_index(encoded)]


def pixels_from_encoded(encoded: Plane) -> Pixels:
    """(3, H, W) sRGB-encoded values to (H, W, 3) uint8, clipped and rounded."""
    scaled = np.clip(encoded, 0.0, 1.0)
    scaled *= 255.0
    scaled += 0.5
    return interleaved(scaled.astype(np.uint8))


def luminance(linear: Plane) -> Plane:
    """Relative luminance Y (H, W) of linear sRGB (3, H, W)."""
    return np.tensordot(_LUMA, linear, axes=1).astype(np.float32, copy=False)


def transform(matrix: Plane, image: Plane) -> Plane:
    """Apply a 3x3 matrix to the channels of (3, ...)."""
    return (matrix @ image.reshape(3, -1)).reshape(image.shape)


def lightness(luminance_y: Plane) -> Plane:
    """CIE L* (0..100) of relative luminance in 0..1."""
    y = np.clip(luminance_y, 0.0, 1.0)
    return np.where(y > 216 / 24389, 116 * np.cbrt(y) - 16, y * (24389 / 27)).astype(np.float32)


def lab(linear: Plane) -> Plane:
    """CIE Lab (D65) of linear sRGB (3, ...): L* 0..100, a*, b*."""
    xyz = transform(_XYZ, linear) / _WHITE.reshape(3, *([1] * (linear.ndim - 1)))
    f = np.where(xyz > 216 / 24389, np.cbrt(np.maximum(xyz, 1e-9)), (xyz * (24389 / 27) + 16) / 116)
    return np.stack([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])]).astype(np.float32)


def _cube_root(values: Plane) -> Plane:
    """Cube root of non-negative float32 within 1e-4 relative: an exponent estimate and two Newton-like steps."""
    bits = np.maximum(values, np.float32(1e-9)).view(np.int32)
    root = (bits // 3 + np.int32(709921077)).view(np.float32)
    for _ in range(2):
        root = root * np.float32(2 / 3) + values / (root * root) * np.float32(1 / 3)
    result: Plane = root
    return result


def oklab(linear: Plane) -> Plane:
    """OKLab of linear sRGB (3, ...): L 0..1, a, b about -0.3..0.3."""
    return transform(_OK_LAB, _cube_root(transform(_OK_LMS, np.maximum(linear, 0.0))))


def linear_from_oklab(image: Plane) -> Plane:
    """Linear sRGB of OKLab (3, ...); out-of-gamut colours come out below 0 or above 1."""
    root = transform(_OK_LAB_INVERSE, image)
    return transform(_OK_LMS_INVERSE, root * root * root)
