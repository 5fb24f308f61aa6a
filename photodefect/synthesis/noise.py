"""Noise: shot and read noise of a sensor, coloured by demosaicing and blotched by denoising.

Severity is the deviation of the noise that is visible in the final picture, in 8-bit sRGB steps, averaged over the
frame, with chroma noise counting less than luminance noise:

    sigma(s) = 30 * s ** 1.6        0.15: 1.4, 0.3: 4.4, 0.5: 9.9, 0.7: 17, 1.0: 30

Film-like grain disturbs less: it needs 1.3 times the deviation for the same severity.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from photodefect.photos.colour_spaces import Plane, encode
from photodefect.synthesis.camera import Camera, resize_gain
from photodefect.synthesis.fields import gaussian, resize_plane

_CHROMA_WEIGHT = 0.35


LEAST_TOTAL = 0.12
"""Lowest deviation, relative to that of unfiltered noise on medium grey, that noise is scaled up from."""


def visible_deviation(severity: float) -> float:
    """Deviation of visible noise, in 8-bit steps, at a severity in 0..1."""
    return float(30.0 * severity**1.6)


def severity_of_deviation(deviation: float) -> float:
    """Inverse of ``visible_deviation``, at most 1."""
    return float(min(1.0, (max(deviation, 0.0) / 30.0) ** (1 / 1.6)))


@dataclass(frozen=True)
class Noise:
    """One draw of a kind of noise; the severity only scales it.

    Attributes:
        kind: "sensor" (Bayer mosaic, demosaiced), "digital" (independent per channel), "grain" (monochrome,
            film-like).
        read: share of signal-independent noise in the variance at medium grey.
        red, blue: noise of these channels relative to green (white-balance gains).
        luma_smooth: sigma in pixels of the denoising of luminance noise, and its strength 0..1.
        chroma_smooth: sigma in pixels of the denoising of chroma noise.
        chroma: chroma noise relative to what the sensor gives.
        bands: deviation of row noise relative to the rest.
        seed: seed of the noise itself.
    """

    kind: str
    read: float
    red: float
    blue: float
    luma_smooth: tuple[float, float]
    chroma_smooth: float
    chroma: float
    bands: float
    seed: int


def draw_noise(rng: np.random.Generator) -> Noise:
    """Draw a kind of noise."""
    denoised = rng.random() < 0.5
    return Noise(
        kind=str(rng.choice(["sensor", "digital", "grain"], p=[0.74, 0.16, 0.1])),
        read=float(np.exp(rng.uniform(np.log(0.01), np.log(0.35)))),
        red=float(rng.uniform(1.0, 1.9)),
        blue=float(rng.uniform(1.0, 2.1)),
        luma_smooth=(float(rng.uniform(0.6, 1.6)), float(rng.uniform(0.3, 0.85)) if denoised else 0.0),
        chroma_smooth=float(np.exp(rng.uniform(np.log(0.8), np.log(6.0)))) if rng.random() < 0.5 else 0.0,
        chroma=float(rng.uniform(0.2, 1.5)),
        bands=float(rng.uniform(0.05, 0.3)) if rng.random() < 0.12 else 0.0,
        seed=int(rng.integers(2**63)),
    )


def _demosaiced(mosaic: Plane) -> Plane:
    """Bilinear demosaicing (RGGB) of a mosaic of pure noise (H, W) to (3, H, W)."""
    height, width = mosaic.shape
    out = np.zeros((3, height, width), dtype=np.float32)
    out[0, 0::2, 0::2] = mosaic[0::2, 0::2]
    out[2, 1::2, 1::2] = mosaic[1::2, 1::2]
    out[1, 0::2, 1::2] = mosaic[0::2, 1::2]
    out[1, 1::2, 0::2] = mosaic[1::2, 0::2]
    tent = np.array([0.5, 1.0, 0.5], dtype=np.float32)
    for channel in (0, 2):
        rows = ndimage.convolve1d(out[channel], tent, axis=0, mode="mirror")
        out[channel] = ndimage.convolve1d(rows, tent, axis=1, mode="mirror")
    green = out[1]
    neighbours = ndimage.convolve1d(green, np.array([0.25, 0.0, 0.25], dtype=np.float32), axis=0, mode="mirror")
    neighbours += ndimage.convolve1d(green, np.array([0.25, 0.0, 0.25], dtype=np.float32), axis=1, mode="mirror")
    out[1] = green + neighbours
    return out


def _unit_noise(shape: tuple[int, int], kind: Noise, rng: np.random.Generator) -> Plane:
    """Noise (3, H, W) of about unit deviation before it is scaled by the signal."""
    if kind.kind == "sensor":
        return _demosaiced(rng.standard_normal(shape, dtype=np.float32))
    if kind.kind == "digital":
        return rng.standard_normal((3, *shape), dtype=np.float32)
    grain = gaussian(rng.standard_normal(shape, dtype=np.float32), 0.5 + 0.5 * kind.chroma)
    result: Plane = np.broadcast_to(grain / max(float(grain.std()), 1e-6), (3, *shape)).copy()
    return result


def _smooth_chroma(plane: Plane, sigma: float) -> Plane:
    if sigma <= 1.5:
        return gaussian(plane, sigma)
    # Blotches are slow: a quarter of the size is enough for them.
    small = (max(2, plane.shape[0] // 3), max(2, plane.shape[1] // 3))
    return resize_plane(gaussian(resize_plane(plane, small), sigma / 3), (plane.shape[0], plane.shape[1]))


def add_noise(linear: Plane, deviation: float, kind: Noise, camera: Camera) -> Plane:
    """Encoded values (3, H, W) of display linear light with noise.

    Args:
        linear: display linear light in 0..1.
        deviation: visible deviation in 8-bit steps after the camera's downscaling.
        kind: what the noise is like.
        camera: gives the downscaling that will weaken the noise.
    """
    encoded = encode(linear)
    if deviation <= 0:
        return encoded
    rng = np.random.default_rng(kind.seed)
    shape = (linear.shape[1], linear.shape[2])
    noise = _unit_noise(shape, kind, rng)
    # Deviation in linear light over the slope of the sRGB curve gives the deviation of encoded values:
    # d(encoded) = sqrt(shot * y + read) / (2.2 * y ** (1.2 / 2.2)), with y from the encoded value by a plain power.
    # The toe of a camera's tone curve keeps the slope finite at black.
    grid = np.linspace(0.0, 1.0, 257)
    y = grid**2.2
    spread = np.sqrt((1 - kind.read) * y / 0.2 + kind.read) / (2.2 * (y + 0.012) ** (1.2 / 2.2))
    # What is blown shows no noise.
    spread *= 1 - grid**24
    table = (spread / np.interp(0.5, grid, spread)).astype(np.float32)
    index = (encoded * np.float32(256) + np.float32(0.5)).astype(np.uint16)
    noise *= table[index]
    if kind.kind != "grain":
        noise[0] *= np.float32(kind.red)
        noise[2] *= np.float32(kind.blue)
    luma = np.tensordot(np.array([0.299, 0.587, 0.114], dtype=np.float32), noise, axes=1).astype(np.float32)
    sigma, strength = kind.luma_smooth
    kept = luma
    if strength:
        kept = luma * np.float32(1 - strength) + np.float32(strength) * gaussian(luma, sigma)
    if kind.bands:
        kept = kept + np.float32(kind.bands * float(luma.std())) * rng.standard_normal((shape[0], 1), dtype=np.float32)
    luma_power = float((kept[::2, ::2] ** 2).mean()) * resize_gain(kept, camera) ** 2
    if kind.kind == "grain":
        result: Plane = encoded + kept * np.float32(1.3 * deviation / 255.0 / max(np.sqrt(luma_power), LEAST_TOTAL))
        return result
    chroma_power = 0.0
    for channel in range(3):
        noise[channel] -= luma
        if kind.chroma_smooth:
            before = float(noise[channel, ::3, ::3].std())
            smooth = _smooth_chroma(noise[channel], kind.chroma_smooth)
            # A denoiser leaves slow blotches of about half the strength that was there.
            noise[channel] = smooth * np.float32(0.5 * before / max(float(smooth[::3, ::3].std()), 1e-6))
        noise[channel] *= np.float32(kind.chroma)
        chroma_power += float((noise[channel, ::3, ::3] ** 2).mean()) / 3
    chroma_power *= resize_gain(noise[2], camera) ** 2
    total = np.sqrt(luma_power + _CHROMA_WEIGHT * chroma_power)
    noise += kept
    # A frame that is nearly all blown shows little noise; what is left of it must not be blown up in its place.
    noisy: Plane = encoded + noise * np.float32(deviation / 255.0 / max(total, LEAST_TOTAL))
    return noisy
