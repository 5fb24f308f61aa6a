"""Undesired blur: missed focus, a soft lens, a shaken camera, a subject that moved; and wanted blur, which is none.

Blur happens to scene light, before the tone curve, so that blown lights spread into discs and streaks. Its strength is
the deviation of the point spread function relative to the long side D of the final picture,

    sigma(s) = (7.5 / 896 * D * s ** 1.5 + 0.3 * min(1, s / 0.3)) * max(1, softness / 0.7)
        at D = 896: 0.15: 0.6, 0.3: 1.5, 0.5: 3.0, 0.7: 4.7, 1.0: 7.8 pixels

where softness is the deviation in pixels of the sharpest edges before: pixels of a 24-megapixel file are soft
already, and what blurs them visibly is larger. A disc of radius r has the deviation r / 2; a motion of length l counts
as l / 4, because it spares one direction. Where only the subject is blurred, the label is lowered when it holds less
than 40 % of the frame's detail; where the frame has hardly any edges, it is lowered with the strength of these.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from photodefect.photos.colour_spaces import (
    Pixels,
    Plane,
    encode,
    lab,
    linear_from_pixels,
    luminance,
    pixels_from_encoded,
)
from photodefect.synthesis.fields import (
    convolve,
    follow_edges,
    gaussian,
    random_field,
    resize_plane,
    small_shape,
    subject_mask,
    thumbnail,
)

_REFERENCE = 896.0


@dataclass(frozen=True)
class Blur:
    """One draw of a kind of blur; the severity only scales it.

    Attributes:
        kind: "defocus", "soft", "shake", "jitter" (curved shake), "moving" (the subject moved), "missed" (the
            background is sharp, the subject is not).
        angle: direction of motion in radians.
        path: (n, 2) path of a curved shake, of unit length.
        blades: 0 for a round aperture, else its number of blades.
        mask: (h, w) where the blur acts, small, or None for everywhere.
        seen: share of the severity that holds for the frame, below 1 where little of its detail is blurred.
    """

    kind: str
    angle: float
    path: Plane
    blades: int
    mask: Plane | None
    seen: float = 1.0


def sigma_for(severity: float, long_side: float, soft: float) -> float:
    """Deviation in pixels of the point spread function at a severity in 0..1; strictly rising.

    Args:
        severity: 0..1.
        long_side: of the final picture, in pixels.
        soft: ``softness`` of the pixels before.
    """
    return float((7.5 / _REFERENCE * long_side * severity**1.5 + min(0.3, severity)) * max(1.0, soft / 0.7))


def softness(pixels: Pixels) -> float:
    """Deviation in pixels of the sharpest edges of (H, W, 3) pixels, about 0.4 to 3.

    Blurring an edge of deviation e by 1 pixel lowers its gradient by e / sqrt(e^2 + 1); the ratio of the strong
    gradients before and after tells e.
    """
    height, width = pixels.shape[:2]
    best = 3.0
    size = 384
    luma = pixels[..., 1].astype(np.float32)
    # The sharpest of a few windows counts: the rest of a photo may be out of focus on purpose.
    for y in {0, max(0, (height - size) // 2), max(0, height - size)}:
        for x in {0, max(0, (width - size) // 2), max(0, width - size)}:
            window = luma[y : y + size, x : x + size]
            before = _strong_gradient(window)
            if before < 6.0:
                continue
            ratio = before / max(_strong_gradient(gaussian(window, 1.0)), 1e-3)
            best = min(best, 1.0 / np.sqrt(max(ratio**2 - 1.0, 1e-2)))
    return float(np.clip(best, 0.3, 3.0))


def visible_share(pixels: Pixels) -> float:
    """Share of a blur's severity that shows in (H, W, 3) pixels, 0..1: without edges there is nothing to blur."""
    return float(np.clip(_strong_gradient(pixels[..., 1].astype(np.float32)) / 14.0, 0.0, 1.0))


def _strong_gradient(plane: Plane) -> float:
    gradient = np.abs(np.diff(plane, axis=1))
    if gradient.size == 0:
        return 0.0
    start = int(gradient.size * 0.995)
    strong = np.partition(gradient.ravel(), start)[start:]
    return float(strong.mean())


def _shake_path(rng: np.random.Generator) -> Plane:
    """A smooth random hand movement of unit length: velocity with inertia, mostly along one direction."""
    steps = 48
    velocity = np.zeros(2)
    bias = rng.normal(size=2) * 0.6
    points = np.zeros((steps, 2))
    for index in range(1, steps):
        velocity = 0.85 * velocity + 0.35 * rng.normal(size=2) + 0.12 * bias
        points[index] = points[index - 1] + velocity
    points -= points.mean(axis=0)
    extent = np.sqrt((points**2).sum(axis=1).mean()) * np.sqrt(12.0)
    return (points / max(float(extent), 1e-6)).astype(np.float32)


def draw_blur(pixels: Pixels, rng: np.random.Generator) -> Blur:
    """Draw a kind of blur for (H, W, 3) pixels."""
    kinds = ["defocus", "soft", "shake", "jitter", "moving", "missed"]
    kind = str(rng.choice(kinds, p=[0.3, 0.16, 0.18, 0.18, 0.07, 0.11]))
    small = thumbnail(pixels)
    mask: Plane | None = None
    seen = 1.0
    if kind in ("moving", "missed"):
        colours = lab(linear_from_pixels(small))
        mask = subject_mask(colours, rng, least=0.22)
        detail = np.abs(colours[0] - gaussian(colours[0], 1.5))
        seen = float(np.clip(2.5 * (detail * mask).sum() / max(float(detail.sum()), 1e-6), 0.3, 1.0))
        if kind == "missed":
            # The rest of the frame is not perfectly sharp either, but clearly sharper.
            mask = np.maximum(mask, np.float32(rng.uniform(0.0, 0.12)))
    return Blur(
        kind=kind,
        angle=float(rng.uniform(0, np.pi)),
        path=_shake_path(rng),
        blades=int(rng.choice([0, 0, 5, 6, 7, 8])),
        mask=mask,
        seen=seen,
    )


def disc_kernel(radius: float, blades: int, angle: float) -> Plane:
    """Kernel of a defocused point: a disc, or a polygon of the aperture's blades, with a soft rim."""
    reach = int(np.ceil(radius + 1))
    # Small discs are made of finer cells, so that any radius has its own kernel.
    fine = 7 if radius < 4 else 1
    axis = (np.arange((2 * reach + 1) * fine, dtype=np.float32) + 0.5) / fine - reach - 0.5
    y, x = axis[:, None], axis[None]
    distance = np.hypot(x, y)
    if blades:
        sector = 2 * np.pi / blades
        around = np.mod(np.arctan2(y, x) + angle, sector) - sector / 2
        distance = distance * np.cos(around) / np.cos(sector / 2) ** 0.5
    kernel = np.clip((radius - distance) * fine + 0.5, 0.0, 1.0)
    kernel = kernel.reshape(2 * reach + 1, fine, 2 * reach + 1, fine).sum(axis=(1, 3))
    result: Plane = (kernel / kernel.sum()).astype(np.float32)
    return result


def path_kernel(points: NDArray[np.float32]) -> Plane:
    """Kernel of a camera that moves along (n, 2) points (x, y), in pixels."""
    fine = np.linspace(0, len(points) - 1, max(64, int(8 * np.abs(np.diff(points, axis=0)).sum()) + 1))
    x = np.interp(fine, np.arange(len(points)), points[:, 0])
    y = np.interp(fine, np.arange(len(points)), points[:, 1])
    reach = int(np.ceil(max(np.abs(x).max(), np.abs(y).max()) + 1))
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    x, y = x + reach, y + reach
    x0, y0 = np.floor(x).astype(int), np.floor(y).astype(int)
    fx, fy = x - x0, y - y0
    for dx, wx in ((0, 1 - fx), (1, fx)):
        for dy, wy in ((0, 1 - fy), (1, fy)):
            np.add.at(kernel, (np.minimum(y0 + dy, 2 * reach), np.minimum(x0 + dx, 2 * reach)), wx * wy)
    result: Plane = (kernel / kernel.sum()).astype(np.float32)
    return result


def _spread(scene: Plane, sigma: float, kind: Blur) -> Plane:
    """Blur (C, H, W) with a point spread function whose strength is ``sigma`` pixels."""
    if kind.kind == "soft":
        return np.stack([gaussian(plane, sigma) for plane in scene])
    if kind.kind in ("shake", "moving"):
        half = 2.0 * sigma
        ends = np.array([[-half * np.cos(kind.angle), -half * np.sin(kind.angle)]], dtype=np.float32)
        return convolve(scene, path_kernel(np.concatenate([ends, -ends])))
    if kind.kind == "jitter":
        return convolve(scene, path_kernel(kind.path * np.float32(4.0 * sigma)))
    return convolve(scene, disc_kernel(2.0 * sigma, kind.blades, kind.angle))


def blur_scene(scene: Plane, severity: float, kind: Blur, *, final_long_side: float, soft: float) -> Plane:
    """Blur scene light (3, H, W).

    Args:
        scene: scene light.
        severity: 0..1.
        kind: what blurs it.
        final_long_side: long side in pixels of the picture after the camera's downscaling.
        soft: ``softness`` of the pixels before.
    """
    longest = float(max(scene.shape[1:]))
    sigma = sigma_for(severity, final_long_side, soft) * longest / final_long_side
    if kind.mask is None:
        return _spread(scene, sigma, kind)
    return _blend(scene, _follow(kind.mask, scene), sigma, kind)


def smear(pixels: Pixels, sigma: float, rng: np.random.Generator) -> Pixels:
    """Blur (H, W, 3) uint8 sRGB everywhere, by a disc, a Gaussian or a shake whose deviation is ``sigma`` pixels."""
    kind = replace(draw_blur(pixels, rng), kind=str(rng.choice(["defocus", "soft", "shake", "jitter"])), mask=None)
    return pixels_from_encoded(encode(np.clip(_spread(linear_from_pixels(pixels), sigma, kind), 0.0, 1.0)))


def _follow(mask: Plane, scene: Plane) -> Plane:
    guide = encode(luminance(np.clip(scene, 0.0, 1.0)))
    return np.clip(follow_edges(mask, guide), 0.0, 1.0)


def _blend(scene: Plane, mask: Plane, sigma: float, kind: Blur) -> Plane:
    """Blur where ``mask`` is 1 and leave the rest, without a halo of the sharp part in the blurred one."""
    spread = _spread(np.concatenate([scene * mask, mask[None]]), sigma, kind)
    weight = spread[3]
    inside = spread[:3] / np.maximum(weight, np.float32(1e-3))
    cover = np.clip(weight, 0.0, 1.0)
    result: Plane = scene * (1 - cover) + inside * cover
    return result


def wanted_blur(scene: Plane, pixels: Pixels, rng: np.random.Generator) -> Plane:
    """A sharp subject before a soft background, or a panned one: good photographs that contain blur.

    Args:
        scene: scene light (3, H, W).
        pixels: the photo (H, W, 3) it came from, of the same shape.
        rng: source of the subject and of the blur.
    """
    small = thumbnail(pixels)
    subject = subject_mask(lab(linear_from_pixels(small)), rng, least=0.24)
    shape = small_shape((scene.shape[1], scene.shape[2]))
    panned = rng.random() < 0.2
    kind = Blur(
        kind="shake" if panned else "defocus",
        angle=float(rng.normal(0, 0.1)),
        path=_shake_path(rng),
        blades=int(rng.choice([0, 0, 6, 7])),
        mask=None,
    )
    sigma = float(np.exp(rng.uniform(np.log(0.002), np.log(0.011)))) * max(scene.shape[1:])
    away = 1.0 - resize_plane(subject, shape)
    if rng.random() < 0.4:
        away = away * (0.6 + 0.4 * random_field(shape, 0.5, rng))
    return _blend(scene, _follow(away, scene), sigma, kind)
