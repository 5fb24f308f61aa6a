"""Haze: light scattered on the way, more of it the farther away things are.

Koschmieder's law in linear light, I = J t + A (1 - t) with transmission t = exp(-beta d), airlight A and a map d
that resembles depth: position in the frame, cues of the picture (bright, smooth, bluish regions at the top are far),
drifting banks of fog, refined so that its steps follow the edges of the picture. Severity is the mean share of
scattered light over the frame:

    mean(1 - t) = 0.88 * s ** 1.5        0.15: 0.05, 0.3: 0.14, 0.5: 0.31, 0.7: 0.52, 1.0: 0.88

beta is found by inverting this for the frame's depth map; haze only far away therefore becomes thick where it is.
Where the photo already is as bright and grey as the airlight, haze changes nothing; the label is lowered by the
share of the contrast that could be lost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from photodefect.photos.colour_spaces import Plane, encode, lab, luminance
from photodefect.synthesis.fields import (
    blob,
    follow_edges,
    gaussian,
    normalised,
    random_field,
    resize_plane,
    small_shape,
    smoothstep,
)


@dataclass(frozen=True)
class Haze:
    """One draw of haze; the severity only sets its density.

    Attributes:
        depth: (h, w) in 0..1, small.
        airlight: (3,) display linear light.
        soften: blur of what is farthest, sigma in shares of the long side at full severity.
        settle: 0..1, how far the camera's meter brings the mean luminance back.
        sun: (h, w) brightening of the airlight towards the sun, the sky or a lamp.
    """

    depth: Plane
    airlight: Plane
    soften: float
    settle: float
    sun: Plane


def scattered_share(severity: float) -> float:
    """Mean share of scattered light at a severity in 0..1."""
    return float(0.88 * severity**1.5)


def _picture_depth(small: Plane, rng: np.random.Generator) -> Plane:
    """Depth (h, w) in 0..1 from position and cues of a small display-linear image (3, h, w)."""
    height, width = small.shape[1:]
    colours = lab(np.clip(small, 0.0, 1.0))
    y = np.linspace(1, 0, height, dtype=np.float32)[:, None] + np.zeros((height, width), np.float32)
    tilt = np.linspace(-1, 1, width, dtype=np.float32)[None] * np.float32(rng.normal(0, 0.15))
    horizon = float(rng.uniform(0.35, 0.75))
    # A ground plane recedes hyperbolically towards the horizon; above it everything is far.
    ground = np.clip((y + tilt) / horizon, 0.0, 1.0)
    plane = ground / (ground + np.float32(rng.uniform(0.3, 2.0)) * (1 - ground) + 1e-3)
    detail = np.abs(colours[0] - gaussian(colours[0], 2.0))
    smooth = 1.0 - normalised(gaussian(detail.astype(np.float32), 3.0))
    bright = normalised(gaussian(colours[0], 1.0))
    cool = normalised(gaussian(-colours[2], 1.0))
    sky = smoothstep(bright * smooth * (0.5 + 0.5 * y) + 0.25 * cool * y, 0.35, 0.75)
    cues = normalised((0.5 * bright + 0.3 * cool + 0.2 * smooth).astype(np.float32))
    share = float(rng.uniform(0.15, 0.45))
    depth = (1 - share) * plane + share * cues
    result: Plane = np.maximum(depth, sky * (0.35 + 0.65 * y)).astype(np.float32)
    return result


def draw_haze(linear: Plane, rng: np.random.Generator) -> Haze:
    """Draw haze for display linear light (3, H, W)."""
    shape = small_shape((linear.shape[1], linear.shape[2]))
    small = np.stack([resize_plane(plane, shape) for plane in linear])
    mode = str(rng.choice(["distance", "far", "banks", "near", "veil"], p=[0.4, 0.2, 0.14, 0.14, 0.12]))
    sun: Plane | None = None
    picture = _picture_depth(small, rng)
    if mode == "distance":
        depth = picture ** np.float32(rng.uniform(0.6, 1.4)) * np.float32(0.92) + np.float32(0.08)
    elif mode == "far":
        depth = smoothstep(picture, float(rng.uniform(0.2, 0.45)), 1.0) + np.float32(0.015)
    elif mode == "banks":
        bank = random_field(shape, float(rng.uniform(0.2, 0.6)), rng)
        depth = (0.15 + 0.85 * bank) * (0.35 + 0.65 * picture)
    elif mode == "near":
        depth = 0.45 + 0.55 * picture
    else:
        # Stray light in the lens: a veil that is strongest around a light in or near the frame.
        centre = (float(rng.uniform(-0.1, 1.1)), float(rng.uniform(-0.2, 0.5)))
        reach = float(rng.uniform(0.5, 1.2))
        sun = gaussian(blob(shape, centre, (reach, reach), 0.0), 0.12 * max(shape))
        depth = 0.35 + 0.65 * sun
    if mode != "veil":
        depth = depth * (0.8 + 0.4 * random_field(shape, float(rng.uniform(0.1, 0.4)), rng))
    # Daylight fog is nearly as bright as the sky above it.
    brightness = float(np.clip(rng.normal(0.6, 0.16), 0.22, 0.95))
    tone = str(rng.choice(["white", "blue", "warm", "grey"], p=[0.36, 0.28, 0.18, 0.18]))
    tint = {
        "white": np.array([1.0, 1.0, 1.0]),
        "blue": np.array([0.82, 0.96, 1.14]),
        "warm": np.array([1.15, 1.0, 0.78]),
        "grey": np.array([0.97, 1.0, 1.03]),
    }[tone]
    if tone == "grey":
        brightness *= 0.75
    # The air scatters the light that lights the scene: it is hardly darker than the scene's bright parts.
    light = luminance(small)
    brightness = max(brightness, float(rng.uniform(0.5, 0.9)) * float(np.percentile(light, 85)))
    # At night it is lit by little, too.
    dusk = float(np.clip(np.mean(light) / 0.06, 0.1, 1.0))
    if rng.random() < 0.7:
        brightness *= dusk
    strength = float(rng.uniform(0.3, 1.0))
    airlight = brightness * (1 + strength * (tint - 1)) * np.exp(rng.normal(0, 0.015, 3))
    if sun is None:
        drift = np.linspace(rng.normal(0, 0.08), rng.normal(0, 0.08), shape[0], dtype=np.float32)[:, None]
        sun = drift + np.float32(rng.uniform(0.02, 0.25)) * random_field(shape, float(rng.uniform(0.25, 0.8)), rng)
    else:
        sun = np.float32(rng.uniform(0.1, 0.5)) * sun
    return Haze(
        depth=np.maximum(depth, 0.004).astype(np.float32),
        airlight=np.clip(airlight, 0.0, 1.0).astype(np.float32),
        soften=float(rng.uniform(0.0, 0.003)),
        settle=float(rng.uniform(0.0, 0.5)),
        sun=sun,
    )


def density_for(depth: Plane, severity: float) -> float:
    """Beta at which the mean of 1 - exp(-beta d) over the frame is that of ``severity``; strictly rising."""
    wanted = scattered_share(severity)
    low, high = 0.0, 400.0
    for _ in range(30):
        middle = (low + high) / 2
        if float((1 - np.exp(-middle * depth)).mean()) < wanted:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def hide(linear: Plane, severity: float, kind: Haze) -> Plane:
    """Put haze over display linear light (3, H, W)."""
    # Dense haze reaches the foreground too: no wall of fog stands behind clear air.
    even = np.float32(0.45 * severity**2)
    small = kind.depth * (1 - even) + even * np.float32(kind.depth.mean())
    beta = density_for(small, severity)
    guide = encode(luminance(linear))
    shape = (guide.shape[0], guide.shape[1])
    depth = np.clip(follow_edges(small, guide, radius=0.08, smoothness=0.012), 0.3 * float(small.min()), 1.3)
    t = np.exp(depth * np.float32(-beta))
    out = np.empty_like(linear)
    sigma = kind.soften * severity * max(shape)
    far = smoothstep(1 - t, 0.4, 0.95) if sigma > 0.4 else None
    bright = 1 + resize_plane(kind.sun, shape)
    for channel in range(3):
        plane = linear[channel]
        if far is not None:
            plane = plane + far * (gaussian(plane, sigma) - plane)
        light = kind.airlight[channel] * bright
        out[channel] = plane * t + light * (1 - t)
    before = float(guide[::4, ::4].mean())
    after = float(encode(luminance(out[:, ::4, ::4])).mean())
    if after > 0:
        # Meters see the bright veil and expose for it, in part.
        out *= np.float32((before / after) ** (2.2 * kind.settle) if after > before else 1.0)
    return out


def visible_severity(linear: Plane, severity: float, kind: Haze) -> float:
    """The label that holds: lowered where the frame has hardly any contrast or colour that haze could take.

    A frame whose lightness deviates by 10 or more counts fully.
    """
    shape = small_shape((linear.shape[1], linear.shape[2]), 64)
    small = np.stack([resize_plane(plane, shape) for plane in linear])
    colours = lab(np.clip(small, 0.0, 1.0))
    air = lab(kind.airlight[:, None])
    distance = np.sqrt(((colours - air[:, :, None]) ** 2).sum(axis=0))
    return severity * min(1.0, float(distance.mean()) / 15.0)
