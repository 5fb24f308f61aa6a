"""A network's features and severity maps of photos of any size, computed tile by tile.

The result is that of the whole photo at once: a tile is computed with as much of its surroundings as it sees, so
that padding happens at the photo's own borders only. Memory is bounded by the tiles and by what lies between the
stages of the trunk (:mod:`photodefect.core.network.stages`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from types import EllipsisType
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from photodefect.core.network.multicolumn import STRIDE, MultiColumnNetwork, expected_severity
from photodefect.core.network.stages import TrunkStage, network_stages
from photodefect.defects import BY_KEY, Defect
from photodefect.heatmap.workers import Workers

COLUMN_SIDE: Final = 48
"""Side of the tiles, in cells, in which the columns are computed."""


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
    lead, trail = (-(-margin // unit) * unit for margin in (lead, trail))
    return [Span(start, stop, max(0, start - lead), min(length, stop + trail)) for start, stop in pairwise(bounds)]


Place: TypeAlias = tuple[EllipsisType, slice, slice]
"""An index of the last two dimensions of a tensor: rows and columns."""


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
    """The tiles of a photo or a map of that height and width, cut as by :func:`spans`."""
    height, width = size
    columns = spans(width, side, lead, trail, unit)
    return [Tile(row, column) for row in spans(height, side, lead, trail, unit) for column in columns]


def padded_size(height: int, width: int) -> tuple[int, int]:
    """Height and width rounded up to multiples of 32."""
    return -(-height // STRIDE) * STRIDE, -(-width // STRIDE) * STRIDE


def trunk_features(
    network: MultiColumnNetwork,
    pixels: NDArray[np.uint8],
    *,
    side: int | None = None,
    workers: Workers | None = None,
) -> Tensor:
    """What a network's trunk gives for a photo.

    A photo whose sides aren't multiples of 32 is continued on the right and at the bottom by its mirror image, up to
    the next ones: unlike a repeated last pixel, that has the grain and detail of the photo.

    Args:
        network: in evaluation mode.
        pixels: (H, W, 3) uint8 sRGB.
        side: of the tiles, in pixels; None for what suits each stage.
        workers: who the tiles are shared out to; None for the calling thread.

    Returns:
        (1, C, ceil(H / 32), ceil(W / 32)), on the network's device.
    """
    workers = workers or Workers()
    height, width = padded_size(*pixels.shape[:2])
    device = network.normalization.mean.device
    stages = network_stages(network)
    features = torch.empty((1, stages.outputs, height // STRIDE, width // STRIDE), device=device)
    source: Tensor | None = None
    for stage in stages.chain:
        stride = stage.receptive_field.stride
        carried = torch.empty(
            (1, stage.carries, height // stride, width // stride), device=device, memory_format=torch.channels_last
        )
        cut = partial(_photo_tile, pixels, device) if source is None else partial(_map_tile, source, stage)
        cuts = tiles(
            (height, width), side or stage.side, stage.receptive_field.lead, stage.receptive_field.trail, STRIDE
        )
        workers.each(partial(_run, stage, cut, features, carried), cuts)
        source = carried
    return features


def severity_cells(
    network: MultiColumnNetwork,
    features: Tensor,
    keys: Sequence[str],
    window: int | None = None,
    *,
    workers: Workers | None = None,
) -> dict[str, NDArray[np.float32]]:
    """Severity of defects in every cell.

    Args:
        network: in evaluation mode.
        features: from :func:`trunk_features`.
        keys: the defects.
        window: cells averaged around each one, odd; None for what suits the network.
        workers: who the work is shared out to; None for the calling thread.

    Returns:
        (ceil(H / 32), ceil(W / 32)) by defect key, within the defect's range.
    """
    workers = workers or Workers()
    height, width = features.shape[2:]
    maps = {}
    for key in keys:
        column = network.column(key)
        cells = column.map_window if window is None else window
        margin = column.margin + cells // 2
        severity = torch.empty((height, width), device=features.device)
        cuts = tiles((height, width), COLUMN_SIDE, margin, margin)
        map_logits = partial(network.map_logits, key=key, window=cells)
        workers.each(partial(_classify, map_logits, BY_KEY[key], features, severity), cuts)
        maps[key] = severity.cpu().numpy()
    return maps


def _run(stage: TrunkStage, cut: Callable[[Tile], Tensor], features: Tensor, carried: Tensor, tile: Tile) -> None:
    """Compute a tile of a stage, and put it where it belongs."""
    result = stage.run(cut(tile))
    for first, part in result.features.items():
        place = features[:, first : first + part.shape[1]]
        place[tile.own(STRIDE)] = part[tile.inner(STRIDE)]
    if result.carried is not None:
        stride = stage.receptive_field.stride
        carried[tile.own(stride)] = result.carried[tile.inner(stride)]


def _classify(
    map_logits: Callable[[Tensor], Tensor], defect: Defect, features: Tensor, severity: Tensor, tile: Tile
) -> None:
    """Compute a tile of a defect's map, and put it where it belongs."""
    logits = map_logits(features[tile.outer()])
    severity[tile.own()] = expected_severity(defect, logits)[0][tile.inner()]


def _map_tile(source: Tensor, stage: TrunkStage, tile: Tile) -> Tensor:
    return source[tile.outer(stage.source_stride)]


def _photo_tile(pixels: NDArray[np.uint8], device: torch.device, tile: Tile) -> Tensor:
    """(1, 3, h, w) of a photo that goes on as its mirror image, at most 31 pixels beyond its right and bottom."""
    _, rows, columns = tile.outer()
    part = pixels[rows, columns]
    below = rows.stop - rows.start - part.shape[0]
    right = columns.stop - columns.start - part.shape[1]
    # Padding copies; torch wants to own what it is given, and a read-only photo would make it warn.
    part = np.pad(part, ((0, below), (0, right), (0, 0)), mode="symmetric")
    return torch.from_numpy(part).to(device).permute(2, 0, 1).unsqueeze(0)
