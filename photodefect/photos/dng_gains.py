"""Light that a DNG's lens or sensor lost on the way, given back to its sensor's data.

Phones write maps of gain for each colour of the mosaic, drones and cameras a formula for what falls off towards the
corners. LibRaw passes over both, and leaves such photos dark and tinted at their edges.

Source: Adobe Digital Negative Specification 1.7, chapter 7, the opcodes GainMap and FixVignetteRadial.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

_VIGNETTE: Final = 3
_GAIN_MAP: Final = 9

_MOST_OPCODES: Final = 16
"""In a list; phones write four."""

_MOST_POINTS: Final = 512
"""Of a map, in each direction; phones write about 17."""

_ROWS: Final = 64
"""Of a photo, that are worked on at a time."""


class Place(NamedTuple):
    """Which pixels are asked for, and of how large a picture.

    Attributes:
        rows: their numbers.
        columns: likewise.
        height: of the picture, in pixels.
        width: likewise.
    """

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    height: int
    width: int


class Gain(Protocol):
    """What pixels are multiplied by."""

    def area(self, height: int, width: int) -> tuple[slice, slice]:
        """Which rows and columns of a picture it is about."""

    def gains(self, place: Place, channel: int) -> NDArray[np.float32] | None:
        """Gain of each row and column there; None if it isn't about that channel."""


@dataclass(frozen=True)
class Vignette:
    """Gain that grows with the distance from a centre.

    Attributes:
        terms: the factors of the 2nd, 4th, 6th, 8th and 10th power of the distance, the farthest corner's being 1.
        centre: column and row, in shares of width and height.
    """

    terms: tuple[float, ...]
    centre: tuple[float, float]

    def area(self, height: int, width: int) -> tuple[slice, slice]:
        """All of it."""
        return slice(0, height), slice(0, width)

    def gains(self, place: Place, channel: int) -> NDArray[np.float32]:  # noqa: ARG002  the same for all
        """Gain of each row and column."""
        x, y = self.centre[0] * place.width, self.centre[1] * place.height
        farthest = max(x, place.width - x) ** 2 + max(y, place.height - y) ** 2
        squared = (((place.rows + 0.5 - y) ** 2)[:, None] + (place.columns + 0.5 - x) ** 2) / farthest
        gain = np.polynomial.polynomial.polyval(squared, (1.0, *self.terms))
        return np.clip(gain, 0, None).astype(np.float32)


@dataclass(frozen=True)
class GainMap:
    """Gain at points of a grid, and between them.

    Attributes:
        top: first row.
        left: first column.
        bottom: the row behind the last.
        right: the column behind the last.
        pitch: how far rows and columns that it is about are from each other.
        channel: the first that it is about.
        channels: how many.
        origin: the first point's row and column, in shares of the picture's height and width.
        spacing: from point to point, likewise.
        points: (rows, columns, channels) gains; the last channel is that of all further ones.
    """

    top: int
    left: int
    bottom: int
    right: int
    pitch: tuple[int, int]
    channel: int
    channels: int
    origin: tuple[float, float]
    spacing: tuple[float, float]
    points: NDArray[np.float32]

    def area(self, height: int, width: int) -> tuple[slice, slice]:
        """Which rows and columns of a picture it is about."""
        bottom, right = min(self.bottom, height), min(self.right, width)
        return slice(self.top, bottom, self.pitch[0]), slice(self.left, right, self.pitch[1])

    def gains(self, place: Place, channel: int) -> NDArray[np.float32] | None:
        """Gain of each row and column; None if it isn't about that channel."""
        number = channel - self.channel
        if not 0 <= number < self.channels:
            return None
        points = self.points[:, :, min(number, self.points.shape[2] - 1)]
        above, below, down = _between(place.rows, place.height, self.origin[0], self.spacing[0], points.shape[0])
        before, behind, along = _between(place.columns, place.width, self.origin[1], self.spacing[1], points.shape[1])
        first = int(above.min())
        rows = points[first : int(below.max()) + 1]
        wide = rows[:, before] * (1 - along) + rows[:, behind] * along
        found = wide[above - first] * (1 - down)[:, None] + wide[below - first] * down[:, None]
        return found.astype(np.float32, copy=False)


def _between(
    numbers: NDArray[np.intp], size: int, origin: float, spacing: float, count: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """For each row or column the points before and behind it, and how far it is from one to the other."""
    at = ((numbers + 0.5) / size - origin) / spacing if spacing > 0 else np.zeros(len(numbers))
    at = np.clip(at, 0, count - 1)
    before = np.floor(at).astype(np.intp)
    return before, np.minimum(before + 1, count - 1), (at - before).astype(np.float32)


def read_gains(opcodes: bytes | None, *, of_mosaic: bool) -> Iterator[Gain]:
    """The gains in a list of opcodes; whatever else is in it is passed over.

    Args:
        opcodes: the list, whose numbers are big-endian in every file.
        of_mosaic: it is about the sensor's data before colours are made of it, which has one channel.
    """
    if opcodes is None or len(opcodes) < 4:
        return
    at = 4
    for _ in range(min(int.from_bytes(opcodes[:4], "big"), _MOST_OPCODES)):
        if at + 16 > len(opcodes):
            return
        code, _, _, size = struct.unpack_from(">4I", opcodes, at)
        told = opcodes[at + 16 : at + 16 + size]
        at += 16 + size
        try:
            if code == _VIGNETTE:
                numbers = struct.unpack_from(">7d", told)
                if np.isfinite(numbers).all():
                    yield Vignette(numbers[:5], (numbers[5], numbers[6]))
            elif code == _GAIN_MAP and (found := _gain_map(told, of_mosaic)) is not None:
                yield found
        except struct.error:
            continue


def _gain_map(told: bytes, of_mosaic: bool) -> GainMap | None:
    """A map of gain; None if it makes no sense.

    Raises:
        struct.error: it is cut short.
    """
    top, left, bottom, right, channel, channels, *rest = struct.unpack_from(">10I4dI", told)
    down, across, high, wide, *grid, depth = rest
    if not (0 < high <= _MOST_POINTS and 0 < wide <= _MOST_POINTS and 0 < depth <= 4 and down and across):
        return None
    count = high * wide * depth
    values = np.array(struct.unpack_from(f">{count}f", told, struct.calcsize(">10I4dI")), np.float32)
    if not (np.isfinite(values).all() and np.isfinite(grid).all() and (values >= 0).all()):
        return None
    if of_mosaic:
        channels = 1 if channel == 0 else 0
    points = values.reshape(high, wide, depth)
    return GainMap(
        top, left, bottom, right, (down, across), channel, channels, (grid[2], grid[3]), (grid[0], grid[1]), points
    )


def apply_gains(
    samples: NDArray[np.uint16],
    gains: Iterable[tuple[Gain, bool]],
    colours: NDArray[np.uint8] | None,
    black: tuple[float, ...],
    white: float,
) -> None:
    """Multiply a sensor's light by gains, in place; what would be brighter than white becomes white.

    Args:
        samples: (height, width) of a mosaic or (height, width, channels) without one, as the sensor gave them.
        gains: each with whether it is about the mosaic's one channel, rather than about its colours.
        colours: (height, width) number of each sample's colour, 3 for a second green; None without a mosaic.
        black: the sample that is no light, for each of these numbers or channels.
        white: the brightest sample.
    """
    height, width = samples.shape[:2]
    for gain, of_mosaic in gains:
        rows, columns = gain.area(height, width)
        numbers, across = np.arange(height)[rows], np.arange(width)[columns]
        if not (len(numbers) and len(across)):
            continue
        for start in range(0, len(numbers), _ROWS):
            some = numbers[start : start + _ROWS]
            part = slice(int(some[0]), int(some[-1]) + 1, rows.step), columns
            place = Place(some, across, height, width)
            if colours is None:
                for channel in range(samples.shape[2]):
                    factor = gain.gains(place, channel)
                    if factor is not None:
                        here = (*part, channel)
                        samples[here] = _multiplied(samples[here], factor, black[channel], white)
                continue
            factor = gain.gains(place, 0) if of_mosaic else _by_colour(gain, place, colours[part])
            if factor is not None:
                none = np.asarray(black, np.float32)[colours[part]]
                samples[part] = _multiplied(samples[part], factor, none, white)


def _by_colour(gain: Gain, place: Place, colours: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The gain of each sample by its colour."""
    factor = np.ones(colours.shape, np.float32)
    for channel, numbers in ((0, (0,)), (1, (1, 3)), (2, (2,))):
        told = gain.gains(place, channel)
        if told is not None:
            np.copyto(factor, told, where=np.isin(colours, numbers))
    return factor


def _multiplied(
    samples: NDArray[np.uint16], factor: NDArray[np.float32], black: NDArray[np.float32] | float, white: float
) -> NDArray[np.uint16]:
    light = (samples - np.float32(black)) * factor + black
    # What is white already may lie above it, and stays as it is.
    found: NDArray[np.uint16] = np.rint(np.clip(light, 0, np.maximum(samples, np.float32(white)))).astype(np.uint16)
    return found
