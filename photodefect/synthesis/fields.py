"""Smooth fields, resampling and edge-following masks shared by the defects that vary over the frame."""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import fft, ndimage

from photodefect.photos.colour_spaces import Pixels, Plane

GUIDE_SIZE = 160
"""Long side in pixels at which depth, subjects and other slow fields are computed."""


def resize_plane(plane: Plane, shape: tuple[int, int], resample: Image.Resampling = Image.Resampling.BILINEAR) -> Plane:
    """Resize one (H, W) float32 plane to ``shape`` (H', W'), with antialiasing when it shrinks."""
    image = Image.fromarray(np.ascontiguousarray(plane, dtype=np.float32))
    return np.asarray(image.resize((shape[1], shape[0]), resample), dtype=np.float32)


def small_shape(shape: tuple[int, int], long_side: int = GUIDE_SIZE) -> tuple[int, int]:
    """``shape`` (H, W) reduced so that its long side is at most ``long_side``."""
    scale = min(1.0, long_side / max(shape))
    return max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale))


def thumbnail(pixels: Pixels, long_side: int = GUIDE_SIZE) -> Pixels:
    """(H, W, 3) uint8 reduced by box filtering to a long side of at most ``long_side``."""
    height, width = small_shape((pixels.shape[0], pixels.shape[1]), long_side)
    if (height, width) == pixels.shape[:2]:
        return pixels
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BOX))


def gaussian(plane: Plane, sigma: float) -> Plane:
    """Gaussian blur of one (H, W) plane, mirrored at the borders; ``sigma`` in pixels."""
    if sigma < 0.05:
        return plane
    result: Plane = ndimage.gaussian_filter(plane, sigma, mode="reflect", truncate=3.0)
    return result


def wide_gaussian(plane: Plane, sigma: float) -> Plane:
    """Gaussian blur with a large ``sigma`` (pixels), computed on a reduced plane."""
    factor = max(1.0, sigma / 2.5)
    height, width = plane.shape
    small = (max(2, round(height / factor)), max(2, round(width / factor)))
    reduced = resize_plane(plane, small, Image.Resampling.BOX)
    return resize_plane(gaussian(reduced, sigma / factor), (height, width), Image.Resampling.BICUBIC)


def random_field(shape: tuple[int, int], scale: float, rng: np.random.Generator) -> Plane:
    """A smooth random (H, W) field in 0..1; ``scale`` is its grain as a share of the long side."""
    cells = max(2, round(1 / scale))
    longest = max(shape)
    grid = (max(2, round(cells * shape[0] / longest)) + 1, max(2, round(cells * shape[1] / longest)) + 1)
    field = resize_plane(rng.standard_normal(grid, dtype=np.float32), shape, Image.Resampling.BICUBIC)
    return normalised(field)


def normalised(plane: Plane) -> Plane:
    """Stretch a plane to 0..1 between its 1st and 99th percentile."""
    low, high = np.percentile(plane, (1, 99))
    result: Plane = np.clip((plane - low) / max(high - low, 1e-6), 0.0, 1.0).astype(np.float32)
    return result


def smoothstep(values: Plane, low: float, high: float) -> Plane:
    """Hermite step from 0 at ``low`` to 1 at ``high``."""
    x = np.clip((values - low) / (high - low), 0.0, 1.0)
    result: Plane = (x * x * (3 - 2 * x)).astype(np.float32)
    return result


def follow_edges(small: Plane, guide: Plane, *, radius: float = 0.05, smoothness: float = 0.003) -> Plane:
    """Enlarge a small field so that its steps follow the edges of a full-size guide.

    The fast guided filter (He and Sun, 2015): local linear models of the field on the guide are fitted at the
    small size and evaluated at full size.

    Args:
        small: (h, w) field.
        guide: (H, W) encoded luminance in 0..1.
        radius: window radius as a share of the long side.
        smoothness: variance of the guide below which it counts as flat.
    """
    shape = (guide.shape[0], guide.shape[1])
    low = resize_plane(guide, (small.shape[0], small.shape[1]), Image.Resampling.BOX)
    size = 2 * max(1, round(radius * max(small.shape))) + 1

    def box(plane: Plane) -> Plane:
        result: Plane = ndimage.uniform_filter(plane, size, mode="reflect")
        return result

    mean_guide, mean_field = box(low), box(small)
    slope = (box(low * small) - mean_guide * mean_field) / (box(low * low) - mean_guide**2 + smoothness)
    offset = mean_field - slope * mean_guide
    return resize_plane(box(slope), shape) * guide + resize_plane(box(offset), shape)


def saliency(small_lab: Plane) -> Plane:
    """Where a viewer looks, (h, w) in 0..1, from a small Lab image (3, h, w).

    Colour and lightness contrast to the frame's mean and its border, local detail, and a preference for the centre.
    """
    height, width = small_lab.shape[1:]
    border = np.concatenate([small_lab[:, 0], small_lab[:, -1], small_lab[:, :, 0], small_lab[:, :, -1]], axis=1)
    from_border = np.sqrt(((small_lab - np.median(border, axis=1)[:, None, None]) ** 2).sum(axis=0))
    from_mean = np.sqrt(((small_lab - small_lab.mean(axis=(1, 2), keepdims=True)) ** 2).sum(axis=0))
    detail = np.hypot(ndimage.sobel(small_lab[0], 0), ndimage.sobel(small_lab[0], 1))
    reach = max(height, width)
    contrast = normalised(gaussian((from_border + from_mean).astype(np.float32), 0.02 * reach))
    busy = normalised(gaussian(detail.astype(np.float32), 0.03 * reach))
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None]
    centre = np.exp(-(x * x + y * y) / (2 * 0.55**2))
    return normalised(((contrast + 0.8 * busy + 0.2) * centre).astype(np.float32))


def blob(shape: tuple[int, int], centre: tuple[float, float], radii: tuple[float, float], angle: float) -> Plane:
    """A soft ellipse (H, W) in 0..1: centre and radii in shares of width and height (x, y), ``angle`` in radians."""
    y = (np.arange(shape[0], dtype=np.float32)[:, None] + 0.5) / shape[0] - centre[1]
    x = (np.arange(shape[1], dtype=np.float32)[None] + 0.5) / shape[1] - centre[0]
    along = (x * np.cos(angle) + y * np.sin(angle)) / radii[0]
    across = (-x * np.sin(angle) + y * np.cos(angle)) / radii[1]
    return 1.0 - smoothstep(np.sqrt(along * along + across * across).astype(np.float32), 0.75, 1.25)


def subject_mask(small_lab: Plane, rng: np.random.Generator, *, least: float = 0.16) -> Plane:
    """A plausible subject, (h, w) in 0..1: a blob around a salient point, grown over what looks alike.

    Args:
        small_lab: (3, h, w) Lab of the reduced photo.
        rng: source of the choice among salient points and of the blob's shape.
        least: least radius of the blob as a share of the frame's sides; the largest is twice that.
    """
    shape = (small_lab.shape[1], small_lab.shape[2])
    interest = saliency(small_lab)
    weight = interest.ravel().astype(np.float64) ** 8 + 1e-9
    index = int(rng.choice(weight.size, p=weight / weight.sum()))
    cy, cx = divmod(index, shape[1])
    centre = ((cx + 0.5) / shape[1], (cy + 0.5) / shape[0])
    size = rng.uniform(least, 2 * least)
    ellipse = blob(shape, centre, (size * rng.uniform(0.7, 1.3), size * rng.uniform(0.9, 1.7)), rng.uniform(-0.6, 0.6))
    inner = blob(shape, centre, (size * 0.5, size * 0.5), 0.0)
    own = (small_lab * inner).sum(axis=(1, 2)) / max(float(inner.sum()), 1e-6)
    unlike = np.sqrt(((small_lab - own[:, None, None]) ** 2 * np.array([0.3, 1, 1])[:, None, None]).sum(axis=0))
    alike = np.exp(-((unlike / 28.0) ** 2)).astype(np.float32)
    mask = ellipse * (0.35 + 0.65 * normalised(alike)) + 0.4 * ellipse * interest
    return smoothstep(gaussian(mask.astype(np.float32), 1.5), 0.2, 0.6)


def convolve(image: Plane, kernel: Plane) -> Plane:
    """Convolve every plane of (C, H, W) with one small kernel, mirrored at the borders, by FFT."""
    ry, rx = kernel.shape[0] // 2, kernel.shape[1] // 2
    height, width = image.shape[1:]
    padded = np.pad(image, ((0, 0), (ry, ry), (rx, rx)), mode="symmetric")
    size = (fft.next_fast_len(height + 2 * ry, real=True), fft.next_fast_len(width + 2 * rx, real=True))
    response = fft.rfft2(kernel, size)
    out = np.empty_like(image)
    for channel in range(image.shape[0]):
        full = fft.irfft2(fft.rfft2(padded[channel], size) * response, size)
        out[channel] = full[2 * ry : 2 * ry + height, 2 * rx : 2 * rx + width]
    return out
