"""Telling screenshots, drawings, charts and documents from photographs.

A sensor leaves a little noise wherever light fell on it, and a lens soft transitions; what a program drew has neither.
It has flat areas of few colours, neighbours that are exactly equal also beside strong edges, and edges from one ground
straight to another. JPEG and scaling blur this but don't undo it. A photograph may have each of these for itself: sky
without noise, a product cut out on white, night. So measurements of 8x8 blocks are weighed together, and what
is clipped to white or black counts against a graphic.

The weights were fitted by logistic regression, each held to the sign that its meaning has, on photographs of many kinds
and on screenshots, charts, documents, clip art and wallpapers, some of them scaled and recompressed;
``benchmarks/graphics.py`` measures how often it holds.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_BLOCK: Final = 8
"""Side of JPEG's blocks, in which it keeps flat what is flat."""

_WINDOWS: Final = 10
_WINDOW: Final = 3 * _BLOCK
"""Windows of the frame a side, and their side in pixels: few enough to be read in half a millisecond."""

_FLAT: Final = 2
_SOFT: Final = 48
_EDGE: Final = 64
"""Differences between the lightest and the darkest pixel of a block, in 8-bit steps."""

_WHITE: Final = 240
_BLACK: Final = 10
"""From where on ground is taken for that of a product shot or of a night, which has no noise either."""

_EQUAL: Final = 0.3
"""Share of equal neighbours in a block with an edge that a lens and a sensor seldom leave."""

_TWO_GROUNDS: Final = 0.75
"""Share of pixels near the darkest or the lightest one of a block, from which on its edge has no width."""

_WEIGHTS: Final = (17.5, 7.9, 11.1, -3.1, -3.2)
_BIAS: Final = -5.2
"""Of what :func:`measure` gives; above 0 it is a graphic."""

_MOSTLY_FLAT: Final = 0.5
"""Share of equal neighbours from which on flat areas are named as the reason."""


def why_no_photograph(pixels: NDArray[np.uint8]) -> str | None:
    """Why pixels are a screenshot, drawing, chart or document, in plain words; None if they seem to be a photograph.

    Rendered scenes and paintings mostly pass for photographs.

    Args:
        pixels: (H, W, 3) uint8 sRGB, at the size they have in the file.
    """
    found = measure(pixels)
    if found is None or float(found @ np.array(_WEIGHTS)) + _BIAS <= 0.0:
        return None
    if found[1] >= _MOSTLY_FLAT:
        return "a screenshot, drawing or document: flat areas without noise"
    return "a drawing or document: hard edges and hardly any texture"


def measure(pixels: NDArray[np.uint8]) -> NDArray[np.float64] | None:
    """What tells a graphic, in the order of the weights; None for less than a block.

    Args:
        pixels: (H, W, 3) uint8 sRGB.

    Returns:
        (5,): the root of the share of blocks with an edge beside which neighbours are equal; shares of equal
        neighbours, of blocks with an edge between two grounds, of soft blocks among those that aren't flat, and of
        white and black blocks.
    """
    blocks = _blocks(pixels)
    if blocks is None:
        return None
    low, high = blocks.min((0, 1)), blocks.max((0, 1))
    flat = (high - low).max(0) <= _FLAT
    clipped = (low.min(0) >= _WHITE) | (high.max(0) <= _BLACK)
    # Green alone stands for lightness.
    green = np.ascontiguousarray(blocks[:, :, 1])
    contrast = high[1] - low[1]
    soft, edge = (contrast > _FLAT) & (contrast <= _SOFT), contrast > _EDGE
    equal = np.count_nonzero(green[1:] == green[:-1], axis=(0, 1))
    equal += np.count_nonzero(green[:, 1:] == green[:, :-1], axis=(0, 1))
    alike = equal / (2.0 * _BLOCK * (_BLOCK - 1))
    margin = (contrast.astype(np.uint16) * 3 // 20).astype(np.uint8)
    grounds = np.count_nonzero((green - low[1] <= margin) | (high[1] - green <= margin), axis=(0, 1))
    return np.array(
        [
            np.sqrt((edge & (alike > _EQUAL)).mean()),
            alike.mean(),
            (edge & (grounds > _TWO_GROUNDS * _BLOCK**2)).mean(),
            np.count_nonzero(soft) / max(np.count_nonzero(~flat), 1),
            clipped.mean(),
        ]
    )


def _blocks(pixels: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Blocks of windows all over the frame, (8, 8, 3, N): so laid out, operations run over all of them at once."""
    places = []
    for length in pixels.shape[:2]:
        windows = min(_WINDOWS, max(length // _WINDOW, 1))
        middles = (np.arange(windows) + 0.5) * length / windows
        places.append([int(middle - _WINDOW / 2) // _BLOCK * _BLOCK for middle in middles])
    side = [min(_WINDOW, length // _BLOCK * _BLOCK) for length in pixels.shape[:2]]
    if not all(side):
        return None
    rows, columns = ([max(0, start) for start in starts] for starts in places)
    seen = np.stack([pixels[y : y + side[0], x : x + side[1]] for y in rows for x in columns])
    apart = seen.reshape(len(seen), side[0] // _BLOCK, _BLOCK, side[1] // _BLOCK, _BLOCK, 3)
    return np.ascontiguousarray(apart.transpose(2, 4, 5, 0, 1, 3)).reshape(_BLOCK, _BLOCK, 3, -1)
