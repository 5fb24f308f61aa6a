"""The statistics of :mod:`photodefect.core.network.statistics` as a graph, as means over the whole input.

A column averages the statistics over all cells of an input, so that here each is averaged over all pixels at once; the
graphs of heat maps want the means of each cell instead.
Soft histograms are linear in ramps and hinges: a 1x1 convolution with one output a level, clipped, makes those of all
values in one pass over the pixels. What is linear is done after the averaging, for all statistics at once. A graph of
few nodes is also opened faster.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from photodefect.core.network import statistics as named
from photodefect.engines.graph import Graph, Value

_BLOCK = 16
_LUMA = np.array([0.299, 0.587, 0.114])

Matrix = NDArray[np.float64]


def statistics(graph: Graph, rgb: Value, *, by_cell: bool = False) -> Value:
    """Statistics of an input.

    Args:
        graph: that the nodes are added to.
        rgb: (N, 3, H, W), float, 0..255.
        by_cell: means of cells of 32 pixels instead of the whole input.

    Returns:
        (N, S, 1, 1), or (N, S, H / 32, W / 32) by cell, in the order of
        :class:`photodefect.core.network.statistics.Statistics`.
    """
    work = _Statistics(graph, rgb, by_cell=by_cell)
    work.tones()
    work.colours()
    return work.result()


def _lanes(count: int) -> int:
    """Channels that vector units take at once, at least ``count``: others would be sorted out pixel by pixel."""
    return -count % _BLOCK + count


def _ramps(levels: Sequence[float]) -> tuple[Matrix, Matrix]:
    """Slopes and offsets, (L,) each: a value is above a level by slope x value + offset, within 0..1."""
    at = np.asarray(levels, np.float64)
    gaps = np.diff(at)
    slopes = 1 / np.minimum(np.r_[gaps[:1], gaps], np.r_[gaps, gaps[-1:]])
    return slopes, 0.5 - at * slopes


class _Statistics:
    def __init__(self, graph: Graph, rgb: Value, *, by_cell: bool) -> None:
        self.graph = graph
        self.rgb = rgb
        self.by_cell = by_cell
        self.means: list[Value] = []
        self.channels = 0  # of these means
        # Some statistics after the others: their weights (count, C) of the means from a first one on, and offsets.
        self.linear: list[tuple[list[tuple[int, Matrix]], Matrix]] = []

    # -- arithmetic --

    def number(self, value: float) -> Value:
        return self.graph.constant(np.float32(value))

    def times(self, x: Value, y: Value) -> Value:
        return self.graph("Mul", x, y)

    def mix(self, x: Value, weights: Matrix, biases: Matrix | None = None, *, every: int = 1, side: int = 1) -> Value:
        """Linear combinations of channels, one a row of ``weights``.

        Args:
            x: (N, C, h, w).
            weights: (M, C).
            biases: (M,).
            every: so many pixels down and across there is one of output.
            side: of the square whose mean it is of.
        """
        kernel = np.tile(weights[:, :, np.newaxis, np.newaxis] / side**2, (1, 1, side, side))
        constants = [kernel] if biases is None else [kernel, biases]
        given = [self.graph.constant(it) for it in constants]
        return self.graph("Conv", x, *given, kernel_shape=[side, side], strides=[every, every])

    def mean(self, x: Value, channels: int, stride: int) -> int:
        """Have (N, C, h, w), one of so many pixels, averaged; returns the first of its means among all of them."""
        first, self.channels = self.channels, self.channels + channels
        if self.by_cell:
            side = named.CELL // stride
            x = self.graph("AveragePool", x, kernel_shape=[side, side], strides=[side, side])
        else:
            x = self.graph("GlobalAveragePool", x)
        self.means.append(x)
        return first

    def lanes(self, op: str, x: Value, weights: Matrix, biases: Matrix, stride: int, *limits: float) -> int:
        """Means of ``op`` of linear combinations, (M,); returns the first of them."""
        count = _lanes(len(biases))
        full = np.zeros((count, weights.shape[1]))
        full[: len(weights)] = weights
        combined = self.mix(x, full, np.r_[biases, np.zeros(count - len(biases))])
        return self.mean(self.graph(op, combined, *map(self.number, limits)), count, stride)

    def tell(self, *parts: tuple[int, Matrix], offsets: Matrix | None = None) -> None:
        """Statistics that are linear in means."""
        self.linear.append((list(parts), np.zeros(len(parts[0][1])) if offsets is None else offsets))

    def tell_means(self, first: int, scale: float = 1.0) -> None:
        """A statistic that is a mean."""
        self.tell((first, np.full((1, 1), scale)))

    def above(self, x: Value, levels: Sequence[Sequence[float]], stride: int) -> None:
        """Mean share above each level, softly, of each channel of (N, C, h, w)."""
        ramps = [_ramps(some) for some in levels]
        weights = np.zeros((sum(map(len, levels)), len(levels)))
        ends = np.cumsum([len(some) for some in levels])
        for channel, ((slopes, _), end) in enumerate(zip(ramps, ends, strict=True)):
            weights[end - len(slopes) : end, channel] = slopes
        first = self.lanes("Clip", x, weights, np.concatenate([offsets for _, offsets in ramps]), stride, 0.0, 1.0)
        self.tell((first, np.eye(len(weights))))

    def result(self) -> Value:
        """All statistics."""
        rows = np.zeros((sum(len(offsets) for _, offsets in self.linear), self.channels))
        start = 0
        for parts, offsets in self.linear:
            for first, weights in parts:
                rows[start : start + len(offsets), first : first + weights.shape[1]] += weights
            start += len(offsets)
        return self.mix(
            self.graph("Concat", *self.means, axis=1), rows, np.concatenate([offsets for _, offsets in self.linear])
        )

    # -- what is measured --

    def tones(self) -> None:
        seen = self.mix(self.rgb, np.vstack([np.eye(3), _LUMA]), every=2)
        *colours, luma = self.graph.many("Split", [seen], 4, axis=1)
        ends = [self.graph(op, *colours) for op in ("Max", "Min")]
        self.above(
            self.graph("Concat", luma, *ends, axis=1), (named.LUMA_LEVELS, named.CLIP_LEVELS, named.CLIP_LEVELS), 2
        )
        self.tell_means(self.mean(luma, 1, 2), 1 / 255)
        self.tell_means(self.mean(self.times(luma, luma), 1, 2), 1 / 255**2)

    def colours(self) -> None:
        seen = self.mix(self.rgb, np.vstack([np.eye(3), _LUMA / 255]), every=4, side=4)
        *colours, tone = self.graph.many("Split", [seen], 4, axis=1)
        top, bottom = (self.graph(op, *colours) for op in ("Max", "Min"))
        chroma = self.graph("Sub", top, bottom)
        eps = self.number(named._EPS)
        saturation = self.graph("Div", chroma, self.graph("Add", top, eps))
        self.above(self.graph("Concat", chroma, saturation, axis=1), (named.CHROMA_LEVELS, named.SATURATION_LEVELS), 4)
        logs = self.graph("Log", self.graph("Add", self.graph("Concat", *colours, axis=1), eps))
        warm, tint = np.array([1.0, 0.0, -1.0]), np.array([-0.5, 1.0, -0.5])
        casts = self.mix(logs, np.array([[1.0, -1.0, 0.0], [0.0, -1.0, 1.0], tint, warm, tint, warm, warm, tint, tint]))
        ratios, ones, others = self.graph.many("Split", [casts], 3, axis=1)
        bright = self.times(tone, tone)
        not_tone = self.graph("Sub", self.number(1.0), tone)
        inside = self.graph("Clip", ratios, self.number(named.LOG_RATIO_BINS[0]), self.number(named.LOG_RATIO_BINS[-1]))
        weighted = self.times(saturation, tone)
        hinges = self.graph("Concat", inside, self.times(inside, bright), bright, weighted, tone, axis=1)
        first, saturated = self._hinges(hinges)
        grey = self.graph("Relu", self.mix(saturation, np.full((1, 1), -3.0), np.ones(1)))
        greys = self.graph("Concat", grey, self.times(ones, grey), axis=1)
        # Red against green, and blue against green, come first among these means; the third is the tint.
        total = self.mean(bright, 1, 4)
        plain = self.mean(ratios, 3, 4)
        by_bright = self.mean(self.times(ratios, bright), 3, 4)
        by_dark = self.mean(self.times(ratios, self.times(not_tone, not_tone)), 3, 4)

        bins, levels = len(named.LOG_RATIO_BINS), len(named.SATURATION_LEVELS)
        self.tell((saturated, np.repeat(np.eye(levels), 2, axis=1) * np.tile([1.0, -1.0], levels)))
        for ratio in (0, 1):
            self._bins(first + ratio * bins, None)
            self._bins(first + (3 + ratio) * bins, total)
            for means in (plain, by_bright, by_dark):
                self.tell_means(means + ratio)
        self._bins(first + 2 * bins, None)
        self.tell((self.mean(self.times(ones, others), 3, 4), np.eye(3)))
        self.tell((self.mean(greys, 4, 4), np.eye(3, 4)))
        self.tell((self.mean(self.times(greys, bright), 4, 4), np.eye(3, 4)))

    def _hinges(self, x: Value) -> tuple[int, int]:
        """Means of how far values are above others, weighted; returns the first of ratios, and of saturation.

        Args:
            x: three ratios, the same by a weight, and the weight; saturation by another weight, and that weight.
        """
        centres, (slopes, offsets) = np.array(named.LOG_RATIO_BINS), _ramps(named.SATURATION_LEVELS)
        ratios, levels = len(centres), len(slopes)
        weights, biases = np.zeros((5 * ratios + 2 * levels, 9)), np.zeros(5 * ratios + 2 * levels)
        for place, channel in enumerate((0, 1, 2, 3, 4)):
            some = slice(place * ratios, (place + 1) * ratios)
            weights[some, channel] = 1
            if channel < 3:
                biases[some] = -centres
            else:
                weights[some, 6] = -centres
        # A ramp is the difference of two hinges, at its foot and at its top.
        weights[5 * ratios :, 7] = np.repeat(slopes, 2)
        weights[5 * ratios :, 8] = (offsets[:, np.newaxis] - (0, 1)).flatten()
        first = self.lanes("Relu", x, weights, biases, 4)
        return first, first + 5 * ratios

    def _bins(self, hinges: int, total: int | None) -> None:
        """Means of triangular bins, from those of hinges, weight x max(0, x - centre), and of the weight if not 1."""
        at = np.array(named.LOG_RATIO_BINS)
        count = len(at)
        ramps = np.zeros((count + 1, count))  # between no centre and the first, the first and the second ...
        for ramp, gap in enumerate(np.diff(at)):
            ramps[ramp + 1, ramp], ramps[ramp + 1, ramp + 1] = 1 / gap, -1 / gap
        # A bin is what the ramp before it has and the one after it has not; before the first there is all.
        bins = (hinges, ramps[:-1] - ramps[1:])
        all_of_it = np.eye(count)[:, :1]
        if total is None:
            self.tell(bins, offsets=all_of_it[:, 0])
        else:
            self.tell(bins, (total, all_of_it))
