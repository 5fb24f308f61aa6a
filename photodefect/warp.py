"""A photo warped to a square: separable triangle filter, as Pillow's ``BILINEAR`` and torch's antialiased one.

Importing torch takes as long as warping a hundred photos, and Pillow wants its pixels copied first. So the work is left
to nodes of ONNX Runtime that take bytes as they are: large photos first shrink to means of a few rows, which is bound
by memory, then products of integer matrices do both directions, rounding in between as Pillow does. All sums are whole
numbers, so that a photo has the same result on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import onnxruntime

AVERAGE: Final = bytes.fromhex(
    "08083abe010a5b0a01780a036f6e650a047a65726f0a036f6e650a047a65726f1201792218514c696e656172476c6f62616c"
    "41766572616765506f6f6c2a140a0d6368616e6e656c735f6c6173741801a001023a0d636f6d2e6d6963726f736f66741204"
    "776172702a0d100122040000803f42036f6e652a0b10022a010042047a65726f5a1e0a017812190a17080212130a0312016d"
    "0a0312016b0a0208010a0312016e621d0a017912180a16080212120a0312016d0a0208010a0208010a0312016e42040a0010"
    "1142110a0d636f6d2e6d6963726f736f66741001"
)
"""An ONNX graph of one node: y (m, 1, 1, n) are the rounded means of x (m, k, 1, n) over k; both uint8."""

PRODUCT: Final = bytes.fromhex(
    "08083ab5010a3b0a01610a057363616c650a047a65726f0a01620a036f6e650a047a65726f0a036f6e650a047a65726f1201"
    "79220d514c696e6561724d61744d756c1204776172702a0d100122040000803f42036f6e652a0b10022a010042047a65726f"
    "5a150a016112100a0e0802120a0a0312016d0a0312016b5a0f0a057363616c6512060a04080112005a150a016212100a0e08"
    "02120a0a0312016b0a0312016e62150a017912100a0e0802120a0a0312016d0a0312016e42040a001011"
)
"""An ONNX graph of one node: y (m, n) is the product of a (m, k) and b (k, n) times scale, rounded; all uint8."""

_COARSE: Final = 8
"""From so many input rows or columns to one of output, weights get 8 bits: with fewer of them, roundings would show."""

_BOXES: Final = 2.5
"""Means of rows that go to a row of output, at least; to either side of its middle, that is."""

_AT_ONCE: Final = 7
"""Rows that ONNX Runtime adds in one pass; it takes longer for means of one more."""

_FINE_TOTAL: Final = 65536
"""Sum of the weights of a row or column where there are few: times 255 it is a whole number that float32 can hold."""

_WIDEST: Final = 16
"""Wider photos, by their height, are warped lying on their side, where the intermediate result is small."""

_ROWS: Final = 4
"""Rows of output computed at once; the fastest by trial."""

_COLUMNS: Final = 5
"""Columns of output computed at once; with three channels each they fill the lanes of vector units."""

_KEPT: Final = 16
"""Sizes whose weights are kept; a folder has a handful."""


class _Block(NamedTuple):
    """Some positions of the output along an axis.

    Attributes:
        outputs: which.
        inputs: positions that they look at.
        weights: their shares in them, (outputs, inputs), whole numbers as uint8 or float32.
    """

    outputs: slice
    inputs: slice
    weights: NDArray[Any]


class _Axis(NamedTuple):
    """How the positions along an axis come from those before.

    Attributes:
        blocks: all of them.
        total: sum of the weights of each.
    """

    blocks: tuple[_Block, ...]
    total: int


def warp(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Warp to a square, whatever the aspect ratio.

    Args:
        pixels: (height, width, 3).
        side: of the square.

    Returns:
        (side, side, 3). Up to eight pixels to one of output, within one level of Pillow's ``BILINEAR``; of larger
        photographs, within a third of a level on average.
    """
    height, width, _ = pixels.shape
    if width > _WIDEST * height:
        return np.ascontiguousarray(warp(pixels.transpose(1, 0, 2), side).transpose(1, 0, 2))
    rows = np.ascontiguousarray(pixels).reshape(height, width * 3)
    box = _box(height, side)
    down, across = _rows(height, side, box), _columns(width, side)
    low = np.empty((side, width * 3), np.uint8)
    for block, inputs in _with_inputs(down, rows, box):
        low[block.outputs] = _product(block.weights, inputs, down.total)
    warped = np.empty((side, side * 3), np.uint8)
    for block in across.blocks:
        part = np.ascontiguousarray(low[:, block.inputs])
        warped[:, block.outputs] = _product(part, block.weights, across.total)
    return warped.reshape(side, side, 3)


def _box(height: int, side: int) -> int:
    """Rows that a mean is of."""
    if height < _COARSE * side:
        return 1
    most = int(height / side / _BOXES)
    return most if most < _AT_ONCE else most - most % _AT_ONCE


def _with_inputs(axis: _Axis, rows: NDArray[np.uint8], box: int) -> Iterator[tuple[_Block, NDArray[np.uint8]]]:
    """Blocks of rows of output, and what they look at: rows, or means of ``box`` rows each."""
    whole = len(rows) // box
    means = rows if box == 1 else _averages(rows[: whole * box], box)
    for block in axis.blocks:
        inputs = means[block.inputs]
        if block.inputs.stop > whole:  # the last mean is of fewer rows
            rest = rows[whole * box :]
            inputs = np.concatenate([inputs, _averages(rest, len(rest))])
        yield block, inputs


def _averages(rows: NDArray[np.uint8], box: int) -> NDArray[np.uint8]:
    """(m * box, n) -> (m, n)."""
    (means,) = _session(AVERAGE).run(None, {"x": rows.reshape(-1, box, 1, rows.shape[1])})
    result: NDArray[np.uint8] = means.reshape(-1, rows.shape[1])
    return result


def _product(a: NDArray[Any], b: NDArray[Any], total: int) -> NDArray[np.uint8]:
    """(m, k) by (k, n) -> (m, n), by ``total``, rounded; one of them is pixels, the other weights."""
    if a.dtype == b.dtype:
        (product,) = _session(PRODUCT).run(None, {"a": a, "scale": np.array(1 / total, np.float32), "b": b})
        result: NDArray[np.uint8] = product
        return result
    exact: NDArray[np.float32] = a.astype(np.float32) @ b.astype(np.float32)
    rounded: NDArray[np.uint8] = np.rint(exact / np.float32(total)).astype(np.uint8)
    return rounded


@lru_cache(maxsize=_KEPT)
def _rows(height: int, side: int, box: int) -> _Axis:
    """How rows of output come from means of ``box`` rows."""
    return _axis(height, side, box, _ROWS)


@lru_cache(maxsize=_KEPT)
def _columns(width: int, side: int) -> _Axis:
    """How columns of output come from columns; their weights are (inputs x 3, outputs x 3)."""
    axis = _axis(width, side, 1, _COLUMNS)
    blocks = []
    for outputs, inputs, weights in axis.blocks:
        # Channels lie side by side, and each has to stay by itself.
        apart = np.ascontiguousarray(np.kron(weights.T, np.eye(3, dtype=weights.dtype)))
        blocks.append(_Block(_by_three(outputs), _by_three(inputs), apart))
    return _Axis(tuple(blocks), axis.total)


def _by_three(places: slice) -> slice:
    return slice(places.start * 3, places.stop * 3)


def _axis(length: int, side: int, box: int, together: int) -> _Axis:
    """Triangles as wide as twice the distance of two outputs, but at least two pixels, in whole numbers."""
    shares = [_triangle(length, side, box, output) for output in range(side)]
    coarse = length >= _COARSE * side
    # The largest share, rounded up, still fits into a byte.
    total = int(254 / max(float(share.max()) for _, share in shares)) if coarse else _FINE_TOTAL
    blocks = []
    for start in range(0, side, together):
        some = [(first, _apportion(share, total)) for first, share in shares[start : start + together]]
        least = some[0][0]
        weights = np.zeros((len(some), some[-1][0] + len(some[-1][1]) - least), np.uint8 if coarse else np.float32)
        for row, (first, numbers) in zip(weights, some, strict=True):
            row[first - least : first - least + len(numbers)] = numbers
        blocks.append(_Block(slice(start, start + len(some)), slice(least, least + weights.shape[1]), weights))
    return _Axis(tuple(blocks), total)


def _triangle(length: int, side: int, box: int, output: int) -> tuple[int, NDArray[np.float64]]:
    """The first box that an output looks at, and the shares of that one and of those that follow it."""
    scale = length / side
    radius = max(scale, 1.0)
    centre = (output + 0.5) * scale
    first, last = max(0, int(centre - radius + 0.5)), min(length, int(centre + radius + 0.5))
    at = np.arange(first, last)
    heights = (1 - np.abs(at + 0.5 - centre) / radius).clip(min=0)
    shares = np.bincount(at // box - first // box, heights)
    return first // box, shares / shares.sum()


def _apportion(shares: NDArray[np.float64], total: int) -> NDArray[np.int64]:
    """Whole numbers in proportion to shares that make ``total``, by largest remainders."""
    numbers = np.floor(shares * total).astype(np.int64)
    most = np.argsort(numbers - shares * total, kind="stable")[: total - int(numbers.sum())]
    numbers[most] += 1
    return numbers


@cache
def _session(graph: bytes) -> onnxruntime.InferenceSession:
    import onnxruntime  # noqa: PLC0415  takes a tenth of a second

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
