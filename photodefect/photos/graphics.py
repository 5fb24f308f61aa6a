"""Telling screenshots, drawings, charts and documents from photographs.

A sensor leaves a little noise wherever light fell on it, and a lens soft transitions; what a program drew has neither.
It has flat areas of few colours, neighbours that are exactly equal also beside strong edges, and edges from one ground
straight to another. JPEG and scaling blur this but don't undo it. A photograph may have each of these for itself: sky
without noise, a product cut out on white, night. So measurements of 8x8 blocks are weighed together. Flat areas count
in middle tones alone, where a sensor is never without noise; an edge on black ground counts against a graphic, for
silhouettes and hard black-and-white have such.

The weights were fitted by logistic regression on ordinary and on clean photographs, some of the latter made into
silhouettes, high key, hard black-and-white and cut-outs on plain ground, and on screenshots, charts, documents, scans,
renders and clip art, some of them scaled and recompressed. ``benchmarks/graphics.py`` measures how often it holds.
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
_EDGE: Final = 64
"""Differences between the lightest and the darkest pixel of a block, in 8-bit steps."""

_DARK: Final = 40
_LIGHT: Final = 225
"""Between these, tones are middle ones."""

_SHADE: Final = 48
_GLARE: Final = 232
"""A block without any lighter, or any darker, pixel has no middle tone."""

_GROUND: Final = 16
"""An edge is beside black where the darkest pixel of its block is darker."""

_EQUAL: Final = 0.3
"""Share of equal neighbours in a block with an edge that a lens and a sensor seldom leave."""

_TWO_GROUNDS: Final = 0.75
"""Share of pixels near the darkest or the lightest one of a block, from which on its edge has no width."""

_WEIGHTS: Final = (10.25, -15.35, 16.57, 13.7, 5.56, -8.93)
_BIAS: Final = -3.73
"""Of what :func:`measure` gives; above 0 it is a graphic. The bias is 0.5 lower than fitted: a photograph that is left
out does more harm than a graphic that isn't."""

_MOSTLY_FLAT: Final = 0.5
"""Share of flat blocks from which on flat areas are named as the reason."""


def why_no_photograph(pixels: NDArray[np.uint8]) -> str | None:
    """Why pixels are a screenshot, drawing, chart or document, in plain words; None if they seem to be a photograph.

    Rendered scenes and paintings mostly pass for photographs.

    Args:
        pixels: (H, W, 3) uint8 sRGB, at the size they have in the file.
    """
    blocks = _blocks(pixels)
    if blocks is None or float(_measure(blocks) @ np.array(_WEIGHTS)) + _BIAS <= 0.0:
        return None
    if _flat(blocks).mean() >= _MOSTLY_FLAT:
        return "a screenshot, drawing or document: flat areas without noise"
    return "a drawing or document: hard edges and hardly any texture"


def _measure(blocks: NDArray[np.uint8]) -> NDArray[np.float64]:
    """What tells a graphic, in the order of the weights.

    Args:
        blocks: (8, 8, 3, N).

    Returns:
        (6,): the roots of the shares of blocks with an edge beside which neighbours are equal, on other ground and on
        black, and of blocks with an edge between two grounds; the share of flat blocks of middle tones; among pixels
        of middle tones, the share of those that equal their neighbour in all colours; and how many pixels these are.
    """
    low, high = blocks.min((0, 1)), blocks.max((0, 1))
    # Green alone stands for lightness.
    green = np.ascontiguousarray(blocks[:, :, 1])
    contrast = high[1] - low[1]
    edge = contrast > _EDGE
    equal = np.count_nonzero(green[1:] == green[:-1], axis=(0, 1))
    equal += np.count_nonzero(green[:, 1:] == green[:, :-1], axis=(0, 1))
    beside_equal = edge & (equal > _EQUAL * 2 * _BLOCK * (_BLOCK - 1))
    margin = (contrast.astype(np.uint16) * 3 // 20).astype(np.uint8)
    grounds = np.count_nonzero((green - low[1] <= margin) | (high[1] - green <= margin), axis=(0, 1))
    on_black = low[1] <= _GROUND
    middle = (green > _DARK) & (green < _LIGHT)
    alike = (blocks[1:] == blocks[:-1]).all(2) & middle[1:]
    no_middle = (high.max(0) <= _SHADE) | (low.min(0) >= _GLARE)
    return np.array(
        [
            np.sqrt((beside_equal & ~on_black).mean()),
            np.sqrt((beside_equal & on_black).mean()),
            np.sqrt((edge & (grounds > _TWO_GROUNDS * _BLOCK**2)).mean()),
            (_flat(blocks) & ~no_middle).mean(),
            np.count_nonzero(alike) / max(int(np.count_nonzero(middle[1:])), 1),
            middle.mean(),
        ],
        np.float64,
    )


def _flat(blocks: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which blocks have no more than the traces of compression, (N,)."""
    flat: NDArray[np.bool_] = (blocks.max((0, 1)) - blocks.min((0, 1))).max(0) <= _FLAT
    return flat


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
