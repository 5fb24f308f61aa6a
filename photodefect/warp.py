"""A photo warped to a square: separable triangle filter, as Pillow's ``BILINEAR`` and torch's antialiased one.

Torch would be three times as fast here, but importing it takes as long as warping a hundred photos. So most of the
work, weighted sums of rows of bytes, is left to ONNX Runtime's product of integer matrices, which takes a photo's
bytes as they are.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnxruntime

PRODUCT: Final = bytes.fromhex(
    "08083a680a180a01610a0162120179220d4d61744d756c496e7465676572120770726f647563745a150a016112100a0e0802"
    "120a0a0312016d0a0312016b5a150a016212100a0e0802120a0a0312016b0a0312016e62150a017912100a0e0806120a0a03"
    "12016d0a0312016e42040a001011"
)
"""An ONNX graph of one node: y (m, n), int32, is MatMulInteger of a (m, k) and b (k, n), both uint8."""

_SLAB_OUTPUTS: Final = 2
"""Output rows whose input rows are summed at once."""

_SLAB_ROWS: Final = 16384
"""Input rows summed at once, at most: 32 bits hold the sum of so many products of bytes."""

_FINE_SCALE: Final = 8
"""Up to so many input rows a row of output, weights get 16 bits instead of 8: with few of them, roundings show."""

_WIDEST: Final = 16
"""Wider photos, by their height, are warped lying on their side, where the intermediate result is small."""

_COLUMNS: Final = 4
"""Output columns computed at once."""


class _Taps(NamedTuple):
    """Which input positions each output position looks at, along one axis.

    Attributes:
        first: (side,).
        last: one past the last, (side,).
        centre: in input positions, (side,).
        radius: of the triangle, in input positions, at least 1.
    """

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    centre: NDArray[np.float64]
    radius: float

    def weights(self, outputs: slice, inputs: slice) -> NDArray[np.float64]:
        """Heights of the triangles of some outputs at some inputs, 0 to 1, not normalized: (outputs, inputs)."""
        at = np.arange(inputs.start, inputs.stop)
        heights = 1 - np.abs(at + 0.5 - self.centre[outputs, np.newaxis]) / self.radius
        seen = (at >= self.first[outputs, np.newaxis]) & (at < self.last[outputs, np.newaxis])
        return np.where(seen, heights.clip(min=0), 0)


def warp(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Warp to a square, whatever the aspect ratio.

    Args:
        pixels: (height, width, 3).
        side: of the square.

    Returns:
        (side, side, 3), within one level of Pillow's ``BILINEAR``.
    """
    height, width, _ = pixels.shape
    if width > _WIDEST * height:
        return np.ascontiguousarray(warp(pixels.transpose(1, 0, 2), side).transpose(1, 0, 2))
    sums, totals = _rows(np.ascontiguousarray(pixels).reshape(height, width * 3), side)
    taps = _taps(width, side)
    warped = np.empty((side, side, 3), np.float32)
    for start in range(0, side, _COLUMNS):
        outputs = slice(start, min(start + _COLUMNS, side))
        inputs = slice(int(taps.first[start]), int(taps.last[outputs.stop - 1]))
        weights = taps.weights(outputs, inputs)
        weights /= weights.sum(1, keepdims=True)
        # Channels lie side by side, and each has to stay by itself.
        matrix = np.einsum("oi,cd->icod", weights, np.eye(3)).reshape(-1, weights.shape[0] * 3).astype(np.float32)
        part = sums[:, inputs.start * 3 : inputs.stop * 3].astype(np.float32)
        warped[:, outputs] = (part @ matrix).reshape(side, -1, 3)
    warped /= totals.astype(np.float32)[:, np.newaxis, np.newaxis]
    return np.rint(warped).clip(0, 255).astype(np.uint8)


def _rows(rows: NDArray[np.uint8], side: int) -> tuple[NDArray[np.signedinteger], NDArray[np.int64]]:
    """Weighted sums of rows, (side, n), and the sums of their weights, (side,)."""
    height, length = rows.shape
    taps = _taps(height, side)
    fine = height <= _FINE_SCALE * side
    steps = 255 * 256 if fine else 255
    sums = np.zeros((side, length), np.int32 if height < 2**20 else np.int64)
    totals = np.zeros(side, np.int64)
    edges = np.unique(np.r_[0:height:_SLAB_ROWS, np.rint(taps.centre[::_SLAB_OUTPUTS]).astype(np.int64), height])
    for start, stop in pairwise(edges.tolist()):
        outputs = slice(
            int(np.searchsorted(taps.last, start, side="right")), int(np.searchsorted(taps.first, stop, side="left"))
        )
        weights = np.rint(taps.weights(outputs, slice(start, stop)) * steps).astype(np.int64)
        totals[outputs] += weights.sum(1)
        slab = rows[start:stop]
        if fine:
            sums[outputs] += _product(weights >> 8, slab) << 8
        sums[outputs] += _product(weights & 255, slab)
    return sums, totals


def _taps(length: int, side: int) -> _Taps:
    scale = length / side
    radius = max(scale, 1.0)
    centre: NDArray[np.float64] = (np.arange(side, dtype=np.float64) + 0.5) * scale
    first = np.floor(centre - radius + 0.5).astype(np.int64).clip(min=0)
    last = np.floor(centre + radius + 0.5).astype(np.int64).clip(max=length)
    return _Taps(first, last, centre, radius)


def _product(weights: NDArray[np.int64], rows: NDArray[np.uint8]) -> NDArray[np.int32]:
    """(m, k), each 0..255, by (k, n) -> (m, n)."""
    (product,) = _session().run(None, {"a": weights.astype(np.uint8), "b": rows})
    result: NDArray[np.int32] = product
    return result


@cache
def _session() -> onnxruntime.InferenceSession:
    import onnxruntime  # noqa: PLC0415  takes a tenth of a second

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(PRODUCT, options, providers=["CPUExecutionProvider"])
