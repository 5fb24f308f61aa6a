"""The variants of a clean photo that are learnt from: their severities, zoomed parts, strong blur, exposure as seen."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from photodefect.defects import BY_KEY
from photodefect.synthesis.blur import smear, visible_share
from photodefect.synthesis.degrade import Degraded, degrade
from photodefect.synthesis.severities import draw_severities
from photodefect.synthesis.sources import is_clean, source_quality


def zoomed(pixels: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8] | None:
    """The part, of a few at random, that is the most coloured, the lightest or the darkest.

    Args:
        pixels: (H, W, 3) uint8 sRGB of a clean photo.
        rng: source of randomness.

    Returns:
        (h, w, 3), 40 to 75 % of each side; None if none of the parts is clean itself.
    """
    measure = str(rng.choice(["colour", "colour", "light", "dark"]))
    height, width = pixels.shape[:2]
    parts: list[tuple[float, int, NDArray[np.uint8]]] = []
    for _ in range(6):
        rows, columns = (max(64, int(side * rng.uniform(0.4, 0.75))) for side in (height, width))
        top, left = int(rng.integers(height - rows + 1)), int(rng.integers(width - columns + 1))
        part = pixels[top : top + rows, left : left + columns]
        means = part[::4, ::4].reshape(-1, 3).mean(0)
        sizes = {"colour": float(np.ptp(means)), "light": float(means.mean()), "dark": -float(means.mean())}
        parts.append((sizes[measure], len(parts), part))
    for _, _, part in sorted(parts, reverse=True)[:2]:
        quality = source_quality(part)
        # A coloured thing is allowed to fill a part of the frame that would make a doubtful photo.
        if is_clean(replace(quality, cast=0.0, chroma=min(quality.chroma, 50.0))):
            return np.ascontiguousarray(part)
    return None


MISLED: Final = ("bad_white_balance", "bad_exposure", "bad_white_balance", "bad_saturation")
"""Defects that a frame full of one colour, of light or of shade is taken for."""


def zoomed_severities(rng: np.random.Generator, variant: int) -> dict[str, float]:
    """Severities for a part of a photo: mostly of what the colours and the light of the frame mislead about."""
    if variant % 3 == 2:
        return draw_severities(rng, rebalanced=True)
    wanted = draw_severities(rng, rebalanced=False)
    defect = BY_KEY[MISLED[variant % len(MISLED)]]
    wanted[defect.key] = float(rng.uniform(defect.lowest, 1.0)) if rng.random() < 0.6 else 0.0
    return wanted


FRAMED: Final = (
    *("bad_saturation", "bad_white_balance", "bad_exposure", "bad_saturation", "bad_composition", "bad_saturation"),
    *("bad_white_balance", "bad_saturation", "haze", "bad_saturation", "bad_exposure", "bad_white_balance"),
    *("bad_saturation", "bad_composition", "bad_saturation", "bad_white_balance", "haze", "bad_exposure"),
)
"""Defects that the frame as a whole tells best, in the proportion in which more of them is learnt from. What a photo's
own colours were is hardest to tell, and what its light's was comes next."""


def framed_severities(rng: np.random.Generator, frame: int) -> dict[str, float]:
    """Severities for a frame: as people's photos have them, but for one of :data:`FRAMED`."""
    wanted = draw_severities(rng, rebalanced=False)
    defect = BY_KEY[FRAMED[frame % len(FRAMED)]]
    wanted[defect.key] = float(rng.uniform(defect.lowest, 1.0)) if rng.random() < 0.8 else 0.0
    return wanted


SMEARED: Final = (6.0, 30.0)
"""Deviations in pixels of a point spread function that leaves nothing sharp at original resolution."""


def smeared(pixels: NDArray[np.uint8], rng: np.random.Generator) -> Degraded:
    """A clean photo, (H, W, 3) uint8 sRGB, blurred by many pixels; its severity of blur is what can be seen of it."""
    wanted = draw_severities(rng, rebalanced=False) | {"undesired_blur": 0.0, "bad_composition": 0.0}
    degraded = degrade(smear(pixels, float(np.exp(rng.uniform(*np.log(SMEARED)))), rng), wanted, rng)
    degraded.severities["undesired_blur"] = visible_share(pixels)
    return degraded


ORDINARY: Final = 45.0
"""Mean CIE L* of ordinary good photographs."""


def seen_exposure(point: tuple[float, float], holistic: NDArray[np.uint8]) -> tuple[float, float]:
    """The point in exposure's direction plane as people see it: they judge the picture, not the stops that it is off.

    A frame that is dark or bright as a whole looks somewhat badly exposed even where its scene is, so up to 0.4 is
    added, in proportion to how far the mean lightness lies from that of ordinary good photographs: in the direction
    in which its exposure is wrong, or in that of the frame's lightness if it isn't.

    Args:
        point: as far from the centre as stops and clipping tell, 0..1.
        holistic: the whole photo, uint8.
    """
    encoded = holistic.astype(np.float32) @ np.array([0.2126, 0.7152, 0.0722], np.float32) / 255
    lightness = float(np.maximum(116 * np.cbrt(encoded**2.2) - 16, 0).mean())
    away = (ORDINARY - lightness) / ORDINARY if lightness < ORDINARY else (lightness - ORDINARY) / (100 - ORDINARY)
    severity = math.hypot(*point)
    seen = severity + 0.4 * (1 - severity) * float(away) ** 1.2
    if severity == 0:
        return (-seen if lightness < ORDINARY else seen), 0.0
    return point[0] * seen / severity, point[1] * seen / severity
