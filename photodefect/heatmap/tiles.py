"""Cutting a photo, or a map of it, into tiles that have as much of their surroundings as a network sees."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from types import EllipsisType
from typing import NamedTuple, TypeAlias

from photodefect.core.network.cells import STRIDE


@dataclass(frozen=True)
class Span:
    """Where a tile lies along one side: its own positions, and with the surroundings that it needs.

    Attributes:
        start: its first position.
        stop: the position after its last one.
        outer_start: the first position that is needed.
        outer_stop: the position after the last one that is needed.
    """

    start: int
    stop: int
    outer_start: int
    outer_stop: int

    def own(self, stride: int = 1) -> slice:
        """The tile's own positions in a map at ``stride``."""
        return slice(self.start // stride, self.stop // stride)

    def outer(self, stride: int = 1) -> slice:
        """The needed positions in a map at ``stride``."""
        return slice(self.outer_start // stride, self.outer_stop // stride)

    def inner(self, stride: int = 1) -> slice:
        """The tile's own positions in a map at ``stride`` that was computed from the needed ones."""
        return slice((self.start - self.outer_start) // stride, (self.stop - self.outer_start) // stride)


def spans(length: int, side: int, lead: int, trail: int, unit: int = 1) -> list[Span]:
    """Cut a side into tiles of about equal length.

    Args:
        length: positions, a multiple of ``unit``.
        side: the longest a tile may be; one ``unit`` at least is taken.
        lead: positions that a tile needs before its own.
        trail: positions that it needs after its own.
        unit: tiles and what they need start and stop at multiples of it.
    """
    units, most = length // unit, max(1, side // unit)
    count = -(-units // most)
    bounds = [units * index // count * unit for index in range(count + 1)]
    lead, trail = _rounded_up(lead, unit), _rounded_up(trail, unit)
    return [Span(start, stop, max(0, start - lead), min(length, stop + trail)) for start, stop in pairwise(bounds)]


Place: TypeAlias = tuple[EllipsisType, slice, slice]
"""An index of the last two dimensions of an array: rows and columns."""


class Tile(NamedTuple):
    """Where a tile lies in a photo or in a map of it."""

    rows: Span
    columns: Span

    def own(self, stride: int = 1) -> Place:
        """As :meth:`Span.own`, of rows and columns."""
        return ..., self.rows.own(stride), self.columns.own(stride)

    def outer(self, stride: int = 1) -> Place:
        """As :meth:`Span.outer`, of rows and columns."""
        return ..., self.rows.outer(stride), self.columns.outer(stride)

    def inner(self, stride: int = 1) -> Place:
        """As :meth:`Span.inner`, of rows and columns."""
        return ..., self.rows.inner(stride), self.columns.inner(stride)


def tiles(size: tuple[int, int], side: int, lead: int, trail: int, unit: int = 1) -> list[Tile]:
    """The tiles of a photo or a map, cut so that the fewest positions are computed more than once.

    Args:
        size: height and width, multiples of ``unit``.
        side: no tile has, with what it needs, more positions than a square of this side with what that would need.
        lead: as of :func:`spans`, like the following.
        trail: see there.
        unit: see there.
    """
    height, width = size
    side = max(side, unit)
    around = _rounded_up(lead, unit) + _rounded_up(trail, unit)
    found: list[tuple[int, list[Span], list[Span]]] = []
    for count in range(1, 2 * -(-height // side) + 1):
        rows = spans(height, _rounded_up(-(-height // count), unit), lead, trail, unit)
        room = (side + around) ** 2 // max(_outer_lengths(rows))
        if width <= room or room - around >= unit:
            columns = spans(width, width if width <= room else room - around, lead, trail, unit)
            found.append((sum(_outer_lengths(rows)) * sum(_outer_lengths(columns)), rows, columns))
    _, rows, columns = min(found, key=lambda cut: cut[0])
    return [Tile(row, column) for row in rows for column in columns]


def _rounded_up(length: int, unit: int) -> int:
    return -(-length // unit) * unit


def _outer_lengths(cut: list[Span]) -> list[int]:
    return [span.outer_stop - span.outer_start for span in cut]


def padded_size(height: int, width: int) -> tuple[int, int]:
    """Height and width rounded up to multiples of 32."""
    return -(-height // STRIDE) * STRIDE, -(-width // STRIDE) * STRIDE
