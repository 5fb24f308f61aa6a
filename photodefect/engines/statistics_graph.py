"""The statistics of :mod:`photodefect.core.network.statistics` as a graph, as means over the whole input.

A column averages the statistics over all cells of an input, so that here each is averaged over all pixels at once; the
graphs of heat maps want the means of each cell instead.
Soft histograms are linear in ramps: a 1x1 convolution with one output a level, clipped, makes all ramps of a value
in one pass over the pixels, and what is linear is done after the averaging.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from photodefect.core.network import statistics as named
from photodefect.engines.graph import Graph, Value

_BLOCK = 16
_LUMA = np.array([0.299, 0.587, 0.114])


def statistics(graph: Graph, pixels: Value, rgb: Value, *, by_cell: bool = False) -> Value:
    """Statistics of an input.

    Args:
        graph: that the nodes are added to.
        pixels: (N, H, W, 3), uint8.
        rgb: the same as float, (N, 3, H, W).
        by_cell: means of cells of 32 pixels instead of the whole input.

    Returns:
        (N, S, 1, 1), or (N, S, H / 32, W / 32) by cell, in the order of
        :class:`photodefect.core.network.statistics.Statistics`.
    """
    work = _Statistics(graph, pixels, rgb, by_cell=by_cell)
    return graph("Concat", *work.tones(), *work.colours(), axis=1)


def _lanes(count: int) -> int:
    """Channels that vector units take at once, at least ``count``: others would be sorted out pixel by pixel."""
    return -count % _BLOCK + count


class _Statistics:
    def __init__(self, graph: Graph, pixels: Value, rgb: Value, *, by_cell: bool) -> None:
        self.graph = graph
        self.pixels = pixels
        self.rgb = rgb
        self.by_cell = by_cell
        self.stride = 1  # of what is averaged

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

    def mix(self, x: Value, weights: NDArray[np.float64]) -> Value:
        """Linear combinations of channels, one a row of ``weights``."""
        return self.graph("Conv", x, self.graph.constant(weights[:, :, np.newaxis, np.newaxis]))

    def average(self, x: Value, side: int) -> Value:
        return self.graph("AveragePool", x, kernel_shape=[side, side], strides=[side, side])

    def mean(self, *parts: Value) -> list[Value]:
        """(N, C, h, w) each -> (N, C, 1, 1) each, or the means of its cells."""
        if self.by_cell:
            return [self.average(part, named.CELL // self.stride) for part in parts]
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

    def tones(self) -> list[Value]:
        self.stride = 2
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
        self.stride = 4
        rgb = self.average(self.rgb, 4)
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
