"""Bad saturation: too little or too much colour.

Chroma in OKLab is multiplied by a factor f(s): below zero f = 1 + s, so that -0.3 leaves 70 % of the chroma and -1
none; above zero f = 1 + k * (1.3 s + 0.9 s^2), which is 1.5, 1.9 and 3.2 at 0.3, 0.5 and 1.0 for a photo of medium
colourfulness (k = 1; from 1.35 for a dull photo, in which more is needed to be seen, to 0.8 for a colourful one).
What leaves the gamut clips per channel, as in a camera: colours shift and details in them are lost.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from photodefect.photos.colour_spaces import Plane, decode, encode, linear_from_oklab, oklab

GREY_CHROMA = 0.03
"""Mean OKLab chroma below which a photo has too little colour for a fault of saturation to show fully."""


@dataclass(frozen=True)
class Saturation:
    """One draw of how saturation goes wrong.

    Attributes:
        space: "oklab" (perceptual), "luma" (mixing with the encoded luma, as simple editors do).
        vibrance: 0..1, how much strong colours are spared when colour is added.
    """

    space: str
    vibrance: float


def draw_saturation(rng: np.random.Generator) -> Saturation:
    """Draw a kind of bad saturation."""
    vibrance = float(rng.uniform(0.2, 0.8))
    return Saturation(
        space="oklab" if rng.random() < 0.75 else "luma", vibrance=vibrance if rng.random() < 0.3 else 0.0
    )


def mean_chroma(linear: Plane) -> float:
    """Mean OKLab chroma of display linear light (3, ...)."""
    image = oklab(linear)
    return float(np.hypot(image[1], image[2]).mean())


def chroma_factor(severity: float, chroma: float) -> float:
    """Factor on chroma for a severity in -1..1, in a photo of this mean OKLab chroma; strictly rising."""
    if severity <= 0:
        return max(0.0, 1.0 + severity)
    need = float(np.clip((0.08 / (chroma + 0.02)) ** 0.4, 0.8, 1.35))
    return 1.0 + need * (1.3 * severity + 0.9 * severity**2)


def visible_severity(severity: float, chroma: float) -> float:
    """The label that holds: a fault of saturation shows the less, the less colour the photo has."""
    return severity * min(1.0, chroma / GREY_CHROMA)


def saturate(linear: Plane, severity: float, kind: Saturation) -> Plane:
    """Change the saturation of display linear light (3, H, W); clipped to 0..1."""
    factor = np.float32(chroma_factor(severity, mean_chroma(linear[:, ::5, ::5])))
    if kind.space == "luma":
        encoded = encode(linear)
        luma = np.tensordot(np.array([0.299, 0.587, 0.114], dtype=np.float32), encoded, axes=1).astype(np.float32)
        # The encoded axis exaggerates: the square root keeps the step comparable with OKLab.
        strength = factor if factor < 1 else np.float32(1 + (factor - 1) * 0.8)
        return decode(luma + strength * (encoded - luma))
    image = oklab(linear)
    if kind.vibrance and factor > 1:
        chroma = np.hypot(image[1], image[2])
        gain = 1 + (factor - 1) * (1 - np.float32(kind.vibrance) * np.minimum(chroma * np.float32(1 / 0.25), 1))
        image[1:] *= gain
    else:
        image[1:] *= factor
    return np.clip(linear_from_oklab(image), 0.0, 1.0)
