"""The statistics of :mod:`photodefect.network.statistics` as a graph, as means over the whole input.

A column averages the statistics over all cells of an input, so that here each is averaged over all pixels at once.
Soft histograms are linear in ramps: a 1x1 convolution with one output a level, clipped, makes all ramps of a value
in one pass over the pixels, and what is linear is done after the averaging.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from photodefect.engines.graph import Attribute, Graph, Value
from photodefect.network import statistics as named

_BLOCK = 16
_LUMA = np.array([0.299, 0.587, 0.114])
_RESIDUAL = np.array([[1.0, -2, 1], [-2, 4, -2], [1, -2, 1]]) / 6
_ACROSS = np.array([[0.0, 0, 0], [-0.5, 0, 0.5], [0, 0, 0]])
_HERE = np.array([[0.0, 0, 0], [0, 1, 0], [0, 0, 0]])
_PLANES = np.stack([_LUMA, [1, -1, 0], [0, -1, 1]])
"""Luma, red - green, blue - green."""


def statistics(graph: Graph, groups: Sequence[named.Group], pixels: Value, rgb: Value) -> Value:
    """Statistics of an input.

    Args:
        graph: that the nodes are added to.
        groups: which.
        pixels: (N, side, side, 3), uint8.
        rgb: the same as float, (N, 3, side, side).

    Returns:
        (N, S, 1, 1), in the order of :class:`photodefect.network.statistics.Statistics`.
    """
    return graph("Concat", *_Statistics(graph, pixels, rgb).of(groups), axis=1)


def _lanes(count: int) -> int:
    """Channels that vector units take at once, at least ``count``: others would be sorted out pixel by pixel."""
    return -count % _BLOCK + count


class _Statistics:
    def __init__(self, graph: Graph, pixels: Value, rgb: Value) -> None:
        self.graph = graph
        self.pixels = pixels
        self.rgb = rgb
        self.half = self.average(rgb, 2)
        self.quarter = self.average(self.half, 2)

    def of(self, groups: Sequence[named.Group]) -> list[Value]:
        work: dict[named.Group, Callable[[], list[Value]]] = {
            "gradients": self.gradients,
            "tones": self.tones,
            "colours": self.colours,
            "residuals": self.residuals,
            "veil_and_contrast": self.veil_and_contrast,
        }
        return [value for group in groups for value in work[group]()]

    @cached_property
    def filtered(self) -> dict[int, Value]:
        """By scale: see :meth:`filters`."""
        return {scale: self.filters(image) for scale, image in ((1, self.rgb), (2, self.half), (4, self.quarter))}

    @cached_property
    def luma(self) -> Value:
        return self.channels(self.filtered[1], 5, 6)

    # -- arithmetic --

    def number(self, value: float) -> Value:
        return self.graph.constant(np.float32(value))

    def add(self, x: Value, y: Value | float) -> Value:
        return self.graph("Add", x, self.number(y) if isinstance(y, float | int) else y)

    def times(self, x: Value, y: Value | float) -> Value:
        return self.graph("Mul", x, self.number(y) if isinstance(y, float | int) else y)

    def less(self, x: Value, y: Value) -> Value:
        return self.graph("Sub", x, y)

    def from_one(self, x: Value) -> Value:
        return self.graph("Sub", self.number(1.0), x)

    def over(self, x: Value, y: Value) -> Value:
        return self.graph("Div", x, y)

    def square(self, x: Value) -> Value:
        return self.graph("Mul", x, x)

    def not_negative(self, x: Value) -> Value:
        return self.graph("Relu", x)

    def channels(self, x: Value, first: int, last: int) -> Value:
        start, stop, axis = (self.graph.constant([value], np.int64) for value in (first, last, 1))
        return self.graph("Slice", x, start, stop, axis)

    def mix(self, x: Value, weights: NDArray[np.float64]) -> Value:
        """Linear combinations of channels, one a row of ``weights``."""
        return self.graph("Conv", x, self.graph.constant(weights[:, :, np.newaxis, np.newaxis]))

    def average(self, x: Value, side: int) -> Value:
        return self.graph("AveragePool", x, kernel_shape=[side, side], strides=[side, side])

    def mean(self, *parts: Value) -> list[Value]:
        """(N, C, h, w) each -> (N, C, 1, 1) each."""
        return [self.graph("GlobalAveragePool", part) for part in parts]

    def above(self, x: Value, levels: Sequence[float], weight: Value | None = None) -> list[Value]:
        """Mean share above each level, softly, and the same times a weight: (N, 1, h, w) -> (N, L, 1, 1) each."""
        at = np.asarray(levels, np.float64)
        gaps = np.diff(at)
        slopes = 1 / np.minimum(np.r_[gaps[:1], gaps], np.r_[gaps, gaps[-1:]])
        lanes = _lanes(len(at))
        weights, biases = np.zeros((lanes, 1, 1, 1)), np.zeros(lanes)
        weights[: len(at), 0, 0, 0], biases[: len(at)] = slopes, 0.5 - at * slopes
        conv = self.graph("Conv", x, self.graph.constant(weights), self.graph.constant(biases))
        ramps = self.graph("Clip", conv, self.number(0.0), self.number(1.0))
        wanted = np.eye(len(at), lanes)
        parts = [ramps] if weight is None else [ramps, self.times(ramps, weight)]
        return [self.mix(mean, wanted) for mean in self.mean(*parts)]

    def bins(self, x: Value, centres: Sequence[float], weight: Value | None = None) -> Value:
        """Mean of triangular bins, each pixel by its weight: (N, 1, h, w) -> (N, B, 1, 1)."""
        at = np.asarray(centres, np.float64)
        count, lanes = len(at), _lanes(len(at))
        inside = self.graph("Clip", x, self.number(at[0]), self.number(at[-1]))
        # Hinges, weight x max(0, x - centre), one more than there are ramps from one centre to the next.
        weights = np.zeros((lanes, 2, 1, 1))
        weights[:count, 0, 0, 0], weights[:count, 1, 0, 0] = 1, -at
        one = self.graph("Add", self.times(inside, 0.0), self.number(1.0)) if weight is None else weight
        pair = self.graph("Concat", inside if weight is None else self.times(inside, weight), one, axis=1)
        hinges = self.graph("Relu", self.graph("Conv", pair, self.graph.constant(weights)))
        hinge_means, total = self.mean(hinges, one)
        ramps = np.zeros((count + 1, lanes))  # between no centre and the first, the first and the second ...
        for ramp, gap in enumerate(np.diff(at)):
            ramps[ramp + 1, ramp], ramps[ramp + 1, ramp + 1] = 1 / gap, -1 / gap
        # A bin is what the ramp before it has and the one after it has not; before the first there is all.
        bins = self.mix(hinge_means, ramps[:-1] - ramps[1:])
        return self.add(bins, self.mix(total, np.eye(count)[:, :1]))

    # -- what is measured --

    def filters(self, rgb: Value) -> Value:
        """(N, 3, h, w) -> (N, 6, h, w): the residuals of the three planes, luma's gradient across and down, luma."""
        kernels = [np.multiply.outer(plane, _RESIDUAL) for plane in _PLANES]
        kernels += [np.multiply.outer(_LUMA, kernel) for kernel in (_ACROSS, _ACROSS.T, _HERE)]
        padded = self.graph("Pad", rgb, self.graph.constant([0, 0, 1, 1, 0, 0, 1, 1], np.int64), mode="edge")
        return self.graph("Conv", padded, self.graph.constant(np.stack(kernels)))

    def gradients(self) -> list[Value]:
        directions: list[Value] = []
        parts: list[Value] = []
        for scale in (1, 2, 4):
            across, down = (self.channels(self.filtered[scale], at, at + 1) for at in (3, 4))
            size = self.graph("Sqrt", self.add(self.add(self.square(across), self.square(down)), 1e-6))
            levels = named.GRADIENT_LEVELS if scale == 1 else named.COARSE_GRADIENT_LEVELS
            parts += [*self.above(size, levels), *self.mean(self.graph("Log", self.add(size, 1.0)))]
            if scale == 2:
                directions = self.directions(across, down, size)
        return directions + parts

    def directions(self, across: Value, down: Value, size: Value) -> list[Value]:
        weight = self.graph("Clip", self.add(size, -3.0), self.number(0.0), self.number(25.0))
        tangents = np.tan(np.deg2rad(named.TILT_DEGREES))
        parts = self.mean(weight)
        for along, over in ((across, down), (down, across)):
            magnitude = self.graph("Abs", over)
            tiny = self.graph("Less", magnitude, self.number(1e-3))
            slope = self.over(along, self.graph("Where", tiny, self.number(1e-3), over))
            steep = self.graph("Greater", magnitude, self.times(self.graph("Abs", along), 2.0))
            weighted = self.times(self.graph("Cast", steep, to=1), weight)
            parts.append(self.bins(slope, tuple(tangents), weighted))
        return parts

    def tones(self) -> list[Value]:
        every_second = [self.graph.constant(it, np.int64) for it in ([0, 0], [2**31 - 1] * 2, [1, 2], [2, 2])]
        pixels = self.graph("Cast", self.graph("Slice", self.pixels, *every_second), to=1)
        rgb = self.graph("Transpose", pixels, perm=[0, 3, 1, 2])
        luma = self.mix(rgb, _LUMA[np.newaxis])
        tone = self.times(luma, 1 / 255)
        colours = self.graph.many("Split", [rgb], 3, axis=1)
        top, bottom = self.graph("Max", *colours), self.graph("Min", *colours)
        levels = ((luma, named.LUMA_LEVELS), (top, named.CLIP_LEVELS), (bottom, named.CLIP_LEVELS))
        histograms = [share for x, at in levels for share in self.above(x, at)]
        return [*histograms, *self.mean(tone, self.square(tone))]

    def colours(self) -> list[Value]:
        rgb = self.quarter
        split = self.graph.many("Split", [rgb], 3, axis=1)
        top = self.graph("Max", *split)
        chroma = self.less(top, self.graph("Min", *split))
        saturation = self.over(chroma, self.add(top, named._EPS))
        tone = self.times(self.mix(rgb, _LUMA[np.newaxis]), 1 / 255)
        parts = [*self.above(chroma, named.CHROMA_LEVELS), *self.above(saturation, named.SATURATION_LEVELS, tone)]
        logs = self.graph("Log", self.add(rgb, named._EPS))
        red, green, blue = self.graph.many("Split", [logs], 3, axis=1)
        bright, dark = self.square(tone), self.square(self.from_one(tone))
        for ratio in (self.less(red, green), self.less(blue, green)):
            parts += [self.bins(ratio, named.LOG_RATIO_BINS), self.bins(ratio, named.LOG_RATIO_BINS, bright)]
            parts += self.mean(ratio, self.times(ratio, bright), self.times(ratio, dark))
        warm, tint = self.less(red, blue), self.less(green, self.times(self.add(red, blue), 0.5))
        grey = self.not_negative(self.from_one(self.times(saturation, 3.0)))
        parts.append(self.bins(tint, named.LOG_RATIO_BINS))
        parts += self.mean(self.square(warm), self.square(tint), self.times(warm, tint))
        warm_grey, tint_grey = self.times(warm, grey), self.times(tint, grey)
        parts += self.mean(grey, warm_grey, tint_grey, *(self.times(it, bright) for it in (grey, warm_grey, tint_grey)))
        return parts

    def residuals(self) -> list[Value]:
        residuals = {scale: self.graph("Abs", self.channels(self.filtered[scale], 0, 3)) for scale in (1, 2)}
        blocks = {scale: self.average(residual, 8 // scale) for scale, residual in residuals.items()}
        parts = []
        for plane in range(3):
            for scale in (1, 2):
                block = self.channels(blocks[scale], plane, plane + 1)
                parts += self.above(block, named.RESIDUAL_LEVELS)
                parts += self.mean(self.graph("Log", self.add(block, 0.3)))
        # A variance as a difference of means needs both to be rounded alike: luma is averaged, not made from averages.
        coarse = self.average(self.luma, 4)
        tone = self.average(coarse, 2)
        spread = self.not_negative(self.less(self.average(self.square(coarse), 2), self.square(tone)))
        flat = self.over(self.number(1.0), self.add(self.times(spread, 0.25), 1.0))
        squares = self.average(self.square(self.luma), 4)
        fine = self.not_negative(self.less(squares, self.square(coarse)))
        grain = self.graph("Log", self.add(self.average(fine, 2), 0.1))
        dark = self.not_negative(self.from_one(self.times(tone, 1 / 90)))
        flat_dark, dark_grain = self.times(flat, dark), self.times(dark, grain)
        parts += self.mean(flat, self.times(flat, grain), flat_dark, self.times(flat_dark, grain), dark_grain)
        return parts

    def veil_and_contrast(self) -> list[Value]:
        split = self.graph.many("Split", [self.rgb], 3, axis=1)
        window: dict[str, Attribute] = {"kernel_shape": [7, 7], "strides": [4, 4], "pads": [3, 3, 3, 3]}
        bottom = self.graph("Neg", self.average(self.graph("Min", *split), 2))
        dark = self.graph("Neg", self.graph("MaxPool", bottom, **window))
        bright = self.graph("MaxPool", self.average(self.graph("Max", *split), 2), **window)
        parts = self.above(dark, named.DARK_LEVELS) + self.above(self.less(bright, dark), named.DARK_LEVELS)
        for side in (8, 32):
            mean = self.average(self.luma, side)
            spread = self.not_negative(self.less(self.average(self.square(self.luma), side), self.square(mean)))
            contrast = self.graph("Sqrt", self.add(spread, 1e-4))
            parts += self.above(contrast, named.CONTRAST_LEVELS)
        return parts
