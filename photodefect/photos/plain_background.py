"""A subject on a plain background, as in product shots, in a studio or of the moon.

The background is black, white or of one colour because somebody wants it so. How light and how colourful the picture is
has to be told by the subject.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from photodefect.photos.quantiles import quantiles

_ALIKE: Final = 4
"""Levels by which the background differs from its own colour at most."""

_FILLED: Final = 0.97
"""Share of the frame's outermost pixels that is background at least: a subject's shadow may reach them, or a cable."""

_LARGEST: Final = 0.5
"""Share of the frame that the subject's box takes at most; what fills more of it tells enough as it is."""

_MIDDLE: Final = 0.8
"""Share of each side of the subject's box that is looked at: few subjects fill their box's corners."""


class Box(NamedTuple):
    """A part of a frame; each is a share of its height or width, from its top left corner on."""

    top: float
    bottom: float
    left: float
    right: float

    def of(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """This part of (H, W, 3), at least a pixel."""
        height, width, _ = pixels.shape
        rows = slice(int(self.top * height), max(int(self.bottom * height), int(self.top * height) + 1))
        columns = slice(int(self.left * width), max(int(self.right * width), int(self.left * width) + 1))
        return pixels[rows, columns]


def subject_on_plain_background(holistic: NDArray[np.uint8]) -> Box | None:
    """The middle of a small subject on a plain background; None if the picture shows no such thing.

    Args:
        holistic: the whole photo, (224, 224, 3), uint8, sRGB.
    """
    around = np.concatenate([holistic[0], holistic[-1], holistic[:, 0], holistic[:, -1]]).astype(np.int16)
    colour = np.array([quantiles(channel, 0.5)[0] for channel in around.T])
    if (np.abs(around - colour).max(1) <= _ALIKE).mean() < _FILLED:
        return None
    apart = np.abs(holistic - colour).max(2) > _ALIKE
    apart[[0, -1]] = apart[:, [0, -1]] = False
    rows, columns = np.flatnonzero(apart.any(1)), np.flatnonzero(apart.any(0))
    if not len(rows):
        return None
    height, width = (int(found[-1] + 1 - found[0]) for found in (rows, columns))
    if height * width > _LARGEST * apart.size:
        return None
    top, left = (float(found[0]) + size * (1 - _MIDDLE) / 2 for found, size in ((rows, height), (columns, width)))
    down, across = apart.shape
    return Box(top / down, (top + height * _MIDDLE) / down, left / across, (left + width * _MIDDLE) / across)
