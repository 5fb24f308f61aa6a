"""Heat maps by torch: for GPUs, and for networks whose maps have no graphs.

The result is that of the whole photo at once: a tile is computed with as much of its surroundings as it sees, so
that padding happens at the photo's own borders only. Memory is bounded by the tiles and by what lies between the
stages of the trunk (:mod:`photodefect.core.network.stages`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from photodefect.core.network.cells import STRIDE
from photodefect.core.network.model import Model
from photodefect.core.network.multicolumn import MultiColumnNetwork, expected_severity
from photodefect.core.network.stages import TrunkStage, network_stages
from photodefect.defects import BY_KEY, Defect
from photodefect.heatmap.tiles import Tile, padded_size, tiles
from photodefect.heatmap.workers import Workers

COLUMN_SIDE: Final = 48
"""Side of the tiles, in cells, in which the columns are computed."""

BATCH: Final = 4
"""Patches that go through the network together."""


class TorchMapper:
    """A :class:`~photodefect.heatmap.mapper.Mapper` on torch.

    Args:
        model: loaded; its patch network is used.
    """

    def __init__(self, model: Model) -> None:
        self._network = model.patches
        self._device = self._network.normalization.mean.device
        self.manifest = model.manifest

    def workers(self, threads: int | None = None) -> Workers:
        """As :meth:`Mapper.workers`; one tile fills a GPU."""
        count = 1 if self._device.type != "cpu" else torch.get_num_threads() if threads is None else threads
        # The number of cores that torch uses is a thread's own.
        return Workers(count, partial(torch.set_num_threads, 1))

    def window(self, key: str) -> int:
        """As :meth:`Mapper.window`."""
        return self._network.column(key).map_window

    def cells(
        self, pixels: NDArray[np.uint8], keys: Sequence[str], window: int | None, workers: Workers
    ) -> dict[str, NDArray[np.float32]]:
        """As :meth:`Mapper.cells`."""
        with torch.inference_mode():
            features = trunk_features(self._network, pixels, workers=workers)
            return severity_cells(self._network, features, keys, window, workers=workers)

    def scores(
        self, patches: NDArray[np.uint8], keys: Sequence[str], workers: Workers
    ) -> dict[str, NDArray[np.float32]]:
        """As :meth:`Mapper.scores`."""
        found = {key: np.empty(len(patches), np.float32) for key in keys}
        workers.each(partial(self._score, patches, found), range(0, len(patches), BATCH))
        return found

    @torch.inference_mode()
    def _score(self, patches: NDArray[np.uint8], found: Mapping[str, NDArray[np.float32]], first: int) -> None:
        """Put the severities of some patches where they belong, by defect key."""
        chosen = slice(first, first + BATCH)
        batch = torch.from_numpy(patches[chosen]).to(self._device)
        features = self._network.features(batch.permute(0, 3, 1, 2))
        for key, severities in found.items():
            logits = self._network.column_logits(features, key)
            severities[chosen] = expected_severity(BY_KEY[key], logits).cpu().numpy()


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


@torch.inference_mode()
def _run(stage: TrunkStage, cut: Callable[[Tile], Tensor], features: Tensor, carried: Tensor, tile: Tile) -> None:
    """Compute a tile of a stage, and put it where it belongs."""
    result = stage.run(cut(tile))
    for first, part in result.features.items():
        place = features[:, first : first + part.shape[1]]
        place[tile.own(STRIDE)] = part[tile.inner(STRIDE)]
    if result.carried is not None:
        stride = stage.receptive_field.stride
        carried[tile.own(stride)] = result.carried[tile.inner(stride)]


@torch.inference_mode()
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
