"""A photo warped to a square: separable triangle filter, as Pillow's ``BILINEAR`` and torch's antialiased one.

Importing torch takes as long as warping a hundred photos, and Pillow wants its pixels copied first. So the work is left
to products of matrices of bytes by ONNX Runtime, which do both directions, rounding in between as Pillow does. Large
photos first shrink to means of two rows of each few, which is bound by memory. All sums are whole numbers, so that a
photo has the same result on every machine.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from photodefect.photos.photo import contiguous

if TYPE_CHECKING:
    from photodefect.core.onnx_runtime import onnxruntime

DOWN: Final = bytes.fromhex(
    "08083acf010a3d0a01610a057363616c650a047a65726f0a01620a036f6e650a066d6964646c650a036f6e650a047a65726f"
    "120179220d514c696e6561724d61744d756c1204776172702a0d100122040000803f42036f6e652a0b10022a010042047a65"
    "726f2a1610032a0a80ffffffffffffffff0142066d6964646c655a150a016112100a0e0802120a0a0312016d0a0312016b5a"
    "0f0a057363616c6512060a04080112005a150a016212100a0e0803120a0a0312016b0a0312016e62150a017912100a0e0802"
    "120a0a0312016d0a0312016e42040a001011"
)
"""An ONNX graph of one node: y (m, n) is the product of a (m, k) and b + 128 (k, n) times scale, rounded.

Bytes of a and y are unsigned, those of b signed, as processors have instructions for."""

ACROSS: Final = bytes.fromhex(
    "08083ac6010a3d0a01610a057363616c650a047a65726f0a01620a036f6e650a066d6964646c650a036f6e650a047a65726f"
    "120179220d514c696e6561724d61744d756c1204776172702a0d100122040000803f42036f6e652a0b10022a010042047a65"
    "726f2a0d10032a010042066d6964646c655a150a016112100a0e0802120a0a0312016d0a0312016b5a0f0a057363616c6512"
    "060a04080112005a150a016212100a0e0803120a0a0312016b0a0312016e62150a017912100a0e0802120a0a0312016d0a03"
    "12016e42040a001011"
)
"""The same of a and b as they are."""

_COARSE: Final = 8
"""From so many input rows or columns to one of output, weights are bytes: with fewer of them, roundings would show."""

_LARGEST_DOWN: Final = 127
_LARGEST_ACROSS: Final = 64
"""Weights are at most that. Processors of before 2019 add products in pairs, to 32,767 at most: twice these weights
times pixels, signed ones (-128) and unsigned ones (255)."""

_BOXES: Final = 2.5
"""Means of rows that go to a row of output, at least; to either side of its middle, that is."""

_FEW: Final = 5
"""Smaller boxes have two rows instead, of which the mean leaves none out."""

_FINE_TOTAL: Final = 65536
"""Sum of the weights of a row or column where there are few: times 255 it is a whole number that float32 can hold."""

_WIDEST: Final = 16
"""Wider photos, by their height, are warped lying on their side, where the intermediate result is small."""

_ROWS: Final = 8
"""Rows of output computed at once; the fastest by trial, as what they look at stays in the processor's cache."""

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
        photographs, within half a level on average. A view of a photo that is turned or mirrored has the photo's own
        result, turned likewise: no pixel of it has to be moved.
    """
    turned = pixels.strides[2] == 1 and abs(pixels.strides[0]) < abs(pixels.strides[1])
    stored = pixels.transpose(1, 0, 2) if turned else pixels
    down, across = (-1 if stride < 0 else 1 for stride in stored.strides[:2])
    warped = _warp(stored[::down, ::across], side)[::down, ::across]
    return np.ascontiguousarray(warped.transpose(1, 0, 2) if turned else warped)


def _warp(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """:func:`warp` of pixels that lie in order."""
    height, width, _ = pixels.shape
    if width > _WIDEST * height:
        lying: NDArray[np.uint8] = _warp(pixels.transpose(1, 0, 2), side).transpose(1, 0, 2)
        return lying
    box = _box(height, side) if min(height, width) >= _COARSE * side else 1
    down, across = _rows(height, side, box), _columns(width, side)
    low = np.empty((side, width * 3), np.uint8)
    means = _Means(pixels, box)
    for block in down.blocks:
        inputs = _lines(pixels[block.inputs]) if box == 1 else means.of(block.inputs)
        low[block.outputs] = _down(block.weights, inputs, down.total)
    warped = np.empty((side, side * 3), np.uint8)
    for block in across.blocks:
        part = np.ascontiguousarray(low[:, block.inputs])
        warped[:, block.outputs] = _across(part, block.weights, across.total)
    return warped.reshape(side, side, 3)


def _box(height: int, side: int) -> int:
    """Rows in a box of a large photo."""
    most = int(height / side / _BOXES)
    # An odd number, or stripes as fine as rows would be black or white in every box.
    return most - 1 + most % 2 if most >= _FEW else 2


class _Means:
    """Means of two rows of each box, of one block after the other: neighbouring blocks share a few.

    The two rows are about half a box apart, around its middle. Halves are rounded down in one box and up in the next.

    Args:
        pixels: (height, width, 3).
        box: rows in each; the last may have fewer.
    """

    def __init__(self, pixels: NDArray[np.uint8], box: int) -> None:
        self._pixels = pixels
        self._box = box
        self._last = slice(0, 0)
        self._means = np.empty((0, pixels.shape[1] * 3), np.int8)

    def of(self, which: slice) -> NDArray[np.int8]:
        """Of some boxes, (boxes, width * 3), less 128; none before those asked for last."""
        means = np.empty((which.stop - which.start, self._means.shape[1]), np.int8)
        known = max(0, self._last.stop - which.start)
        means[:known] = self._means[len(self._means) - known :]
        if known < len(means):
            new = means[known:].view(np.uint8)
            _put_means(self._pixels, self._box, slice(which.start + known, which.stop), new)
            np.bitwise_xor(new, 128, out=new)
        self._last, self._means = which, means
        return means


def _put_means(pixels: NDArray[np.uint8], box: int, which: slice, means: NDArray[np.uint8]) -> None:
    """Fill in what :class:`_Means` gives, but as they are."""
    height = len(pixels)
    first, whole = which.start, min(which.stop, height // box)
    apart = max(1, 2 * round(box / 4))
    for start in (0, 1):
        odd = (first + start) % 2
        place = (first + start) * box + (box - 1 - apart) // 2
        one, other = (_lines(pixels[row : whole * box : 2 * box]) for row in (place, place + apart))
        mean = means[start : whole - first : 2]
        half = np.bitwise_xor(one, other)
        np.right_shift(half, 1, out=half)
        if odd:
            np.subtract(np.bitwise_or(one, other, out=mean), half, out=mean)
        else:
            np.add(np.bitwise_and(one, other, out=mean), half, out=mean)
    if which.stop > whole:
        means[-1] = np.rint(_lines(pixels[whole * box :]).mean(0))


def _lines(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(height, width, 3) -> (height, width * 3); rows that lie in memory as they are stay there."""
    height, width, _ = pixels.shape
    whole = pixels if pixels.strides[1:] == (3, 1) else contiguous(pixels)
    return whole.reshape(height, width * 3)


def _down(weights: NDArray[Any], pixels: NDArray[np.uint8] | NDArray[np.int8], total: int) -> NDArray[np.uint8]:
    """(m, k) by (k, n) -> (m, n), by ``total``, rounded; signed pixels are those less 128."""
    if weights.dtype != np.uint8:
        return _exactly(weights, pixels, total)
    signed = pixels if pixels.dtype == np.int8 else np.bitwise_xor(pixels, 128)
    return product(DOWN, weights, signed.view(np.int8), total)


def _across(pixels: NDArray[np.uint8], weights: NDArray[Any], total: int) -> NDArray[np.uint8]:
    """(m, k) by (k, n) -> (m, n), by ``total``, rounded."""
    if weights.dtype != np.uint8:
        return _exactly(pixels, weights, total)
    return product(ACROSS, pixels, weights.view(np.int8), total)


def product(graph: bytes, a: NDArray[np.uint8], b: NDArray[np.int8], total: int) -> NDArray[np.uint8]:
    """(m, k) by (k, n) -> (m, n), by ``total``, rounded; the graph is :data:`DOWN` or :data:`ACROSS`."""
    (product,) = _session(graph).run(None, {"a": a, "scale": np.array(1 / total, np.float32), "b": b})
    result: NDArray[np.uint8] = product
    return result


def _exactly(a: NDArray[Any], b: NDArray[Any], total: int) -> NDArray[np.uint8]:
    exact: NDArray[np.float32] = a.astype(np.float32) @ b.astype(np.float32)
    rounded: NDArray[np.uint8] = np.rint(exact / np.float32(total)).astype(np.uint8)
    return rounded


@lru_cache(maxsize=_KEPT)
def _rows(height: int, side: int, box: int) -> _Axis:
    """How rows of output come from means of ``box`` rows."""
    return _axis(height, side, box, _ROWS, _LARGEST_DOWN)


@lru_cache(maxsize=_KEPT)
def _columns(width: int, side: int) -> _Axis:
    """How columns of output come from columns; their weights are (inputs x 3, outputs x 3)."""
    axis = _axis(width, side, 1, _COLUMNS, _LARGEST_ACROSS)
    blocks = []
    for outputs, inputs, weights in axis.blocks:
        # Channels lie side by side, and each has to stay by itself.
        apart = np.ascontiguousarray(np.kron(weights.T, np.eye(3, dtype=weights.dtype)))
        blocks.append(_Block(_by_three(outputs), _by_three(inputs), apart))
    return _Axis(tuple(blocks), axis.total)


def _by_three(places: slice) -> slice:
    return slice(places.start * 3, places.stop * 3)


def _axis(length: int, side: int, box: int, together: int, largest: int) -> _Axis:
    """Triangles as wide as twice the distance of two outputs, but at least two pixels, in whole numbers."""
    first, counts, shares = _triangles(length, side, box)
    coarse = length >= _COARSE * side
    # The largest share, rounded up, is still small enough.
    total = int((largest - 1) / float(shares.max())) if coarse else _FINE_TOTAL
    numbers = _apportion(shares, total)
    blocks = []
    for start in range(0, side, together):
        outputs = range(start, min(start + together, side))
        least = int(first[start])
        end = int(first[outputs[-1]] + counts[outputs[-1]])
        weights = np.zeros((len(outputs), end - least), np.uint8 if coarse else np.float32)
        for row, output in zip(weights, outputs, strict=True):
            at = int(first[output]) - least
            row[at : at + counts[output]] = numbers[output, : counts[output]]
        blocks.append(_Block(slice(start, start + len(outputs)), slice(least, end), weights))
    return _Axis(tuple(blocks), total)


def _triangles(length: int, side: int, box: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """The first box that each output looks at, how many it does, and their shares, (side, most of these)."""
    scale = length / side
    radius = max(scale, 1.0)
    centres = (np.arange(side) + 0.5) * scale
    start = np.maximum(0, (centres - radius + 0.5).astype(np.int64))
    stop = np.minimum(length, (centres + radius + 0.5).astype(np.int64))
    at = start[:, None] + np.arange((stop - start).max())
    heights = (1 - np.abs(at + 0.5 - centres[:, None]) / radius).clip(min=0) * (at < stop[:, None])
    first = start // box
    places = at // box - first[:, None]
    most = int(places.max()) + 1
    bins = (places + np.arange(side)[:, None] * most).ravel()
    shares = np.bincount(bins, heights.ravel(), side * most).reshape(side, most)
    return first, (stop - 1) // box - first + 1, shares / shares.sum(1, keepdims=True)


def _apportion(shares: NDArray[np.float64], total: int) -> NDArray[np.int64]:
    """Whole numbers in proportion to shares, (N, K), that make ``total`` in each row, by largest remainders."""
    numbers = np.floor(shares * total).astype(np.int64)
    order = np.argsort(numbers - shares * total, axis=1, kind="stable")
    missing = total - numbers.sum(1, keepdims=True)
    np.put_along_axis(numbers, order, np.take_along_axis(numbers, order, 1) + (np.arange(shares.shape[1]) < missing), 1)
    return numbers


def prepare() -> None:
    """Open what warping a large photo takes."""
    for graph in (DOWN, ACROSS):
        _session(graph)


@cache
def _session(graph: bytes) -> onnxruntime.InferenceSession:
    from photodefect.core.onnx_runtime import onnxruntime, session_options  # noqa: PLC0415  takes a tenth of a second

    return onnxruntime.InferenceSession(graph, session_options(1), providers=["CPUExecutionProvider"])
