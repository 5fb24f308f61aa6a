"""Choose clean photographs: what already has a defect can't be given a known one.

Low-level measures with generous limits. They are no judges of photographs: they only keep hazy, noisy, blown, black,
blurred, strongly cast or over-coloured pictures and graphics out of the sources of synthesis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from photodefect.photos.colour_spaces import Pixels, Plane, lab, linear_from_pixels
from photodefect.photos.monochrome import is_monochrome
from photodefect.synthesis.blur import softness
from photodefect.synthesis.fields import gaussian, thumbnail

LONG_SIDE = 384


@dataclass(frozen=True)
class SourceQuality:
    """Low-level measures of one photograph.

    Attributes:
        lightness: mean CIE L*.
        clipped: share of pixels with all channels at 250 or more.
        crushed: share of pixels darker than L* 3.
        veil: 2nd percentile of the dark channel (the least of the channels, eroded), 0..255; high in haze.
        contrast: deviation of L*.
        noise: deviation of noise or fine texture in 8-bit steps, where the picture is smoothest.
        chroma_noise: the same of colour differences, at the scale of a few pixels.
        softness: deviation in pixels of the sharpest edges.
        cast: Lab chroma of the mean of the least coloured third of mid-light pixels.
        chroma: mean Lab chroma.
        flatness: share of pixels that equal their right and lower neighbours exactly, as in drawings.
        colours: number of distinct colours (of 4096) that 98 % of the pixels need; few in graphics.
        monochrome: black and white or toned.
    """

    lightness: float
    clipped: float
    crushed: float
    veil: float
    contrast: float
    noise: float
    chroma_noise: float
    softness: float
    cast: float
    chroma: float
    flatness: float
    colours: int
    monochrome: bool


def source_quality(pixels: Pixels) -> SourceQuality:
    """Measure (H, W, 3) uint8 sRGB pixels."""
    small = thumbnail(pixels, LONG_SIDE)
    values = lab(linear_from_pixels(small))
    lightness, chroma = values[0], np.hypot(values[1], values[2])
    dark = ndimage.minimum_filter(small.min(axis=2), size=7)
    middle = (lightness > 25) & (lightness < 92)
    cast = 0.0
    if middle.mean() > 0.05:
        limit = np.percentile(chroma[middle], 33)
        grey = middle & (chroma <= limit)
        cast = float(np.hypot(values[1][grey].mean(), values[2][grey].mean()))
    codes = (small.astype(np.uint16) >> 4) @ np.array([256, 16, 1], dtype=np.uint16)
    counts = np.sort(np.bincount(codes.ravel(), minlength=4096))[::-1]
    needed = int(np.searchsorted(np.cumsum(counts), 0.98 * codes.size)) + 1
    same = (pixels[:-1, :-1] == pixels[1:, :-1]).all(axis=2) & (pixels[:-1, :-1] == pixels[:-1, 1:]).all(axis=2)
    inside = (pixels[:-1, :-1].max(axis=2) < 250) & (pixels[:-1, :-1].max(axis=2) > 5)
    return SourceQuality(
        lightness=float(lightness.mean()),
        clipped=float((small.min(axis=2) >= 250).mean()),
        crushed=float((lightness < 3).mean()),
        veil=float(np.percentile(dark, 2)),
        contrast=float(lightness.std()),
        noise=noise_deviation(pixels),
        chroma_noise=chroma_noise_deviation(pixels),
        softness=softness(pixels),
        cast=cast,
        chroma=float(chroma.mean()),
        flatness=float((same & inside).mean()),
        colours=needed,
        monochrome=is_monochrome(pixels),
    )


def noise_deviation(pixels: Pixels) -> float:
    """Deviation of noise in 8-bit steps: the 10th percentile over 16x16 blocks of the residual of a plane fit.

    The mask of Immerkaer (1996) cancels planes and straight edges; texture is left out by taking quiet blocks.
    """
    luma: Plane = (pixels.astype(np.float32) @ np.array([0.299, 0.587, 0.114], dtype=np.float32)).astype(np.float32)
    mask = np.array([1.0, -2.0, 1.0], dtype=np.float32)
    residual = ndimage.convolve1d(ndimage.convolve1d(luma, mask, axis=0), mask, axis=1) / 6.0
    means = _blocks(luma).mean(axis=(1, 3))
    usable = _blocks(residual).std(axis=(1, 3))[(means > 20) & (means < 240)]
    return float(np.percentile(usable, 10)) if usable.size else 0.0


def chroma_noise_deviation(pixels: Pixels) -> float:
    """Deviation of colour noise in 8-bit steps: of R - G and B - G in a band of a few pixels, in quiet blocks."""
    values = pixels.astype(np.float32)
    power = 0.0
    for channel in (0, 2):
        difference = values[..., channel] - values[..., 1]
        band = gaussian(difference, 0.7) - gaussian(difference, 4.0)
        power = power + _blocks(band).std(axis=(1, 3)) ** 2
    return float(np.sqrt(np.percentile(power, 10))) if np.size(power) else 0.0


def _blocks(plane: Plane) -> Plane:
    """(H, W) in blocks (h, 16, w, 16), without what is left at the right and below."""
    height, width = plane.shape[0] // 16, plane.shape[1] // 16
    return plane[: height * 16, : width * 16].reshape(height, 16, width, 16)


def why_not_clean(quality: SourceQuality) -> str | None:
    """The first reason why a photograph can't be a source, or None when it is clean.

    Monochrome photographs are clean: they serve as such.
    """
    limits = (
        (quality.lightness < 15 or quality.crushed > 0.5, "too dark"),
        (quality.lightness > 84 or quality.clipped > 0.2, "too bright or blown"),
        (quality.veil > 56 or quality.contrast < 9, "hazy or without contrast"),
        (quality.flatness > 0.3 or (quality.colours < 40 and not quality.monochrome), "a graphic or abstract"),
        # Texture (forests, sand, fur) is as strong as noise in lightness, but not in colour.
        (quality.noise > 11 or quality.chroma_noise > 5 or (quality.noise > 4 and quality.chroma_noise > 3.5), "noisy"),
        (quality.softness > 2.3, "blurred"),
        (quality.cast > 28 and not quality.monochrome, "a strong colour cast"),
        (quality.chroma > 58, "over-coloured"),
    )
    return next((reason for holds, reason in limits if holds), None)


def is_clean(quality: SourceQuality) -> bool:
    """Whether a photograph of this quality can be a source of synthesis."""
    return why_not_clean(quality) is None
