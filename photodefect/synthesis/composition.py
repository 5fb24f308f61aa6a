"""Bad composition: subjects cut by the frame, tilted horizons, crowded or empty frames.

Made from well-framed photographs by turning and cropping. What the severity s means:

    tilt    the frame is turned by 1 + 13 s^1.2 degrees and cropped inside: 2 at 0.15, 4 at 0.3, 7 at 0.5, 14 at 1
    cut     a window of 62 to 85 % of the frame's sides moves from where it holds the subject best (s = 0) to where
            its border cuts what is salient most (s = 1), and shrinks by up to a quarter
    empty   such a window moves from the most to the least salient part
    crowded the window narrows around the subject, from 88 % (s = 0.15) to 34 % (s = 1), and cuts it on all sides

A tilt needs upright or level lines to be seen; photographs without them are cropped instead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

from photodefect.photos.colour_spaces import Pixels, Plane, lab, linear_from_pixels
from photodefect.synthesis.fields import saliency, thumbnail

LINED = 0.24
"""Least :func:`uprightness` of photos in which a tilt can be seen."""

Window = tuple[float, float, float, float]
"""left, top, right, bottom in shares of the frame."""


@dataclass(frozen=True)
class Framing:
    """One draw of how composition goes wrong.

    Attributes:
        kind: "tilt", "cut", "empty" or "crowded".
        clockwise: sense of the tilt.
        window: side of the window as a share of the frame's.
        seed: seed of choices among windows of the same rank.
    """

    kind: str
    clockwise: bool
    window: float
    seed: int


def tilt_degrees(severity: float) -> float:
    """Degrees of tilt at a severity in 0..1."""
    return float(1.0 + 13.0 * severity**1.2)


def severity_of_tilt(degrees: float) -> float:
    """Severity (0..1) of a tilt by so many degrees, 0 or more; the inverse of :func:`tilt_degrees`."""
    return float(min(1.0, max(0.0, (degrees - 1.0) / 13.0) ** (1 / 1.2)))


def uprightness(small: Pixels) -> float:
    """Share of gradient energy (0..1) within 8 degrees of level or upright; about 0.18 for random directions."""
    plane = small.astype(np.float32).mean(axis=2)
    gy, gx = ndimage.sobel(plane, 0), ndimage.sobel(plane, 1)
    energy = np.hypot(gx, gy)
    angle = np.degrees(np.arctan2(gy, gx)) % 90.0
    level = (angle < 8.0) | (angle > 82.0)
    return float(energy[level].sum() / max(float(energy.sum()), 1e-6))


def is_lined(pixels: Pixels) -> bool:
    """Whether (H, W, 3) pixels have upright or level lines enough for a tilt to be seen."""
    return uprightness(thumbnail(pixels, 256)) >= LINED


def draw_framing(pixels: Pixels, rng: np.random.Generator, *, tilts: bool = True) -> Framing:
    """Draw a kind of bad composition for (H, W, 3) pixels; none that is turned unless ``tilts``."""
    kind = str(rng.choice(["tilt", "cut", "empty", "crowded"], p=[0.4, 0.32, 0.12, 0.16]))
    other = "cut" if rng.random() < 0.7 else "crowded"
    if kind == "tilt" and not (tilts and is_lined(pixels)):
        kind = other
    return Framing(kind, bool(rng.random() < 0.5), float(rng.uniform(0.62, 0.85)), int(rng.integers(2**63)))


def turned(pixels: Pixels, degrees: float, cropped: float | None = None) -> Pixels:
    """Turn (H, W, 3) by ``degrees`` and crop the largest inner rectangle of the same shape of frame.

    Args:
        pixels: to turn.
        degrees: counter-clockwise.
        cropped: crop as if it were turned by so many degrees, at least as many; by ``degrees`` where None.
    """
    height, width = pixels.shape[:2]
    radians = np.radians(abs(degrees) if cropped is None else cropped)
    sine, cosine = np.sin(radians), np.cos(radians)
    scale = min(
        width / (width * cosine + height * sine),
        height / (width * sine + height * cosine),
    )
    image = Image.fromarray(pixels).rotate(degrees, resample=Image.Resampling.BICUBIC)
    w, h = max(8, int(width * scale) - 2), max(8, int(height * scale) - 2)
    left, top = (width - w) // 2, (height - h) // 2
    return np.ascontiguousarray(np.asarray(image.crop((left, top, left + w, top + h))))


def crop(pixels: Pixels, window: Window) -> Pixels:
    """Cut ``window`` out of (H, W, 3)."""
    height, width = pixels.shape[:2]
    left, top = int(window[0] * width), int(window[1] * height)
    right, bottom = max(left + 8, round(window[2] * width)), max(top + 8, round(window[3] * height))
    return np.ascontiguousarray(pixels[top:bottom, left:right])


def window_for(interest: Plane, severity: float, framing: Framing) -> Window:
    """The window that a severity asks for, given where the photo is salient, (h, w) in 0..1."""
    side = framing.window
    if framing.kind == "crowded":
        side = 1.0 - 0.12 * min(1.0, severity / 0.15) - 0.54 * max(0.0, severity - 0.15) / 0.85
    steps = 13
    offsets = np.linspace(0.0, 1.0 - side, steps)
    total = np.pad(interest, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    height, width = interest.shape
    held = np.empty((steps, steps))
    cut = np.empty((steps, steps))

    def mass(left: float, top: float, right: float, bottom: float) -> float:
        x0, x1 = int(np.clip(left, 0, 1) * width), int(np.clip(right, 0, 1) * width)
        y0, y1 = int(np.clip(top, 0, 1) * height), int(np.clip(bottom, 0, 1) * height)
        return float(total[y1, x1] - total[y0, x1] - total[y1, x0] + total[y0, x0])

    rim = 0.06
    for i, top in enumerate(offsets):
        for j, left in enumerate(offsets):
            right, bottom = left + side, top + side
            inside = mass(left, top, right, bottom)
            held[i, j] = inside
            cut[i, j] = mass(left - rim, top - rim, right + rim, bottom + rim) - mass(
                left + rim, top + rim, right - rim, bottom - rim
            )
    share = held / max(float(total[-1, -1]), 1e-6)
    badness = (cut / max(float(cut.max()), 1e-6) if framing.kind == "cut" else 0.0) - share
    best = np.unravel_index(int(np.argmin(badness)), badness.shape)
    place = np.array(best, dtype=np.float64)
    if framing.kind != "crowded":
        # Among the worst windows one is taken by lot; the frame slides to it on a straight line.
        rank = badness + 0.1 * float(np.ptp(badness)) * np.random.default_rng(framing.seed).random(badness.shape)
        worst = np.array(np.unravel_index(int(np.argmax(rank)), rank.shape), dtype=np.float64)
        way = np.linspace(0.0, 1.0, 33)
        path = place[None] + way[:, None] * (worst - place)[None]
        along = ndimage.map_coordinates(badness, path.T, order=1)
        grade = np.maximum.accumulate(along) - along[0]
        grade = grade / max(float(grade[-1]), 1e-6) + 0.02 * way
        place = place + float(np.interp(severity, grade / grade[-1], way)) * (worst - place)
    top, left = place / (steps - 1) * (1.0 - side)
    # The worse, the tighter: what the border cuts, it cuts more of.
    trim = 0.0 if framing.kind == "crowded" else 0.12 * severity * side
    return float(left + trim), float(top + trim), float(left + side - trim), float(top + side - trim)


def reframe(pixels: Pixels, severity: float, framing: Framing) -> Pixels:
    """Frame (H, W, 3) pixels badly; the result is smaller."""
    if framing.kind == "tilt":
        degrees = tilt_degrees(severity)
        return turned(pixels, degrees if framing.clockwise else -degrees)
    interest = saliency(lab(linear_from_pixels(thumbnail(pixels, 128))))
    return crop(pixels, window_for(interest, severity, framing))
