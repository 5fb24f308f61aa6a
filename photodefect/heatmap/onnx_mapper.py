"""Heat maps by ONNX Runtime, on a processor: the trunk's stages tile by tile, then the columns over all cells.

The result is that of the whole photo at once: a tile is computed with as much of its surroundings as it sees, so
that padding happens at the photo's own borders only. Memory is bounded by the tiles and by what lies between the
stages of the trunk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from photodefect.core.network.cells import STRIDE
from photodefect.core.network.manifest import Manifest
from photodefect.engines.graph_files import (
    CARRIED,
    DESCRIPTORS,
    INPUT,
    MapColumns,
    MapStage,
    read_file,
    read_map_graphs,
)
from photodefect.engines.onnx_engine import open_session, read_tensors
from photodefect.heatmap.tiles import Tile, padded_size, tiles
from photodefect.heatmap.window_means import window_means
from photodefect.heatmap.workers import Workers

if TYPE_CHECKING:
    from photodefect.core.onnx_runtime import onnxruntime

COLUMN_SIDE: Final = 48
"""Side of the tiles, in cells, in which the columns are computed."""

BATCH: Final = 4
"""Patches that go through the trunk together; as fast as one by one, which have more to be put together here."""


class OnnxMapper:
    """A :class:`~photodefect.heatmap.mapper.Mapper` on ONNX Runtime.

    Args:
        folder: of the model.
        manifest: of the model; its network has graphs of its maps.

    Raises:
        ModelError: a file of the model is missing or damaged.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.manifest = manifest
        self._plan = read_map_graphs(manifest.network)
        tensors = read_tensors(folder, manifest, "patches")
        self._stages = [(stage, _session(stage, tensors)) for stage in self._plan.stages]
        self._columns = [(columns, _session(columns, tensors)) for columns in self._plan.columns]

    def workers(self, threads: int | None = None) -> Workers:
        """As :meth:`Mapper.workers`."""
        return Workers(threads or 1)

    def window(self, key: str) -> int:
        """As :meth:`Mapper.window`."""
        return next(columns.windows[columns.keys.index(key)] for columns in self._plan.columns if key in columns.keys)

    def cells(
        self, pixels: NDArray[np.uint8], keys: Sequence[str], window: int | None, workers: Workers
    ) -> dict[str, NDArray[np.float32]]:
        """As :meth:`Mapper.cells`."""
        features = self.trunk_features(pixels, workers)
        found: dict[str, NDArray[np.float32]] = {}
        for columns, session in self._columns:
            for cells in sorted({window or self.window(key) for key in columns.keys if key in keys}):
                severities = np.empty((len(columns.keys), *features.shape[1:]), np.float32)
                margin = cells // 2
                cuts = tiles((features.shape[1], features.shape[2]), COLUMN_SIDE, margin, margin)
                workers.each(partial(_classify, session, features, severities, cells), cuts)
                found |= {
                    key: severity
                    for key, severity in zip(columns.keys, severities, strict=True)
                    if key in keys and cells == (window or self.window(key))
                }
        return {key: found[key] for key in keys}

    def scores(
        self, patches: NDArray[np.uint8], keys: Sequence[str], workers: Workers
    ) -> dict[str, NDArray[np.float32]]:
        """As :meth:`Mapper.scores`."""
        means = np.empty((self._plan.outputs, len(patches)), np.float32)
        workers.each(partial(self._average, patches, means), range(0, len(patches), BATCH))
        found: dict[str, NDArray[np.float32]] = {}
        for columns, session in self._columns:
            if set(keys) & set(columns.keys):
                (severities,) = session.run(None, {DESCRIPTORS: means[np.newaxis, :, np.newaxis]})
                found |= dict(zip(columns.keys, severities.T, strict=True))
        return {key: found[key] for key in keys}

    def _average(self, patches: NDArray[np.uint8], means: NDArray[np.float32], first: int) -> None:
        """Put the means of what the trunk gives for some patches, (N, side, side, 3), into (C, N)."""
        chosen = slice(first, first + BATCH)
        given: dict[str, NDArray[Any]] = {INPUT: patches[chosen]}
        for stage, session in self._stages:
            features, *carry = session.run(None, given)
            cells = features.reshape(*features.shape[:2], -1)
            _put(stage, cells.mean(2).T, means[:, chosen])
            given = {CARRIED: carry[0]} if carry else {}

    def trunk_features(
        self, pixels: NDArray[np.uint8], workers: Workers, *, side: int | None = None
    ) -> NDArray[np.float32]:
        """What the trunk gives for a photo.

        Args:
            pixels: (H, W, 3) uint8 sRGB, continued as :meth:`Mapper.cells` says.
            workers: who the tiles are shared out to.
            side: of the tiles, in pixels; None for what suits each stage.

        Returns:
            (C, ceil(H / 32), ceil(W / 32)).
        """
        height, width = padded_size(*pixels.shape[:2])
        features = np.empty((self._plan.outputs, height // STRIDE, width // STRIDE), np.float32)
        source: NDArray[np.float32] | None = None
        for stage, session in self._stages:
            size = (stage.carries, height // stage.stride, width // stage.stride)
            carried: NDArray[np.float32] = np.empty(size, np.float32)
            cut = partial(_photo_tile, pixels) if source is None else partial(_map_tile, source, stage)
            work = _StageWork(stage, session, cut, features, carried)
            workers.each(work, tiles((height, width), side or stage.side, stage.lead, stage.trail, STRIDE))
            source = carried
        return features


@dataclass(frozen=True, eq=False)
class _StageWork:
    """Computes a tile of a stage, and puts it where it belongs.

    Attributes:
        stage: which.
        session: its graph.
        cut: gives what it takes for a tile.
        features: the trunk's output.
        carried: what the next stage takes.
    """

    stage: MapStage
    session: onnxruntime.InferenceSession
    cut: Callable[[Tile], dict[str, NDArray[Any]]]
    features: NDArray[np.float32]
    carried: NDArray[np.float32]

    def __call__(self, tile: Tile) -> None:
        given, *carry = self.session.run(None, self.cut(tile))
        _put(self.stage, given[0][tile.inner(STRIDE)], self.features[tile.own(STRIDE)])
        if carry:
            stride = self.stage.stride
            self.carried[tile.own(stride)] = carry[0][0][tile.inner(stride)]


def _session(part: MapStage | MapColumns, tensors: Mapping[str, NDArray[Any]]) -> onnxruntime.InferenceSession:
    return open_session(read_file(part.file), {name: tensors[name] for name in part.weights}, threads=1)


def _put(stage: MapStage, given: NDArray[np.float32], features: NDArray[np.float32]) -> None:
    """Put what a stage gives among the trunk's outputs; channels come first in both."""
    begin = 0
    for first, count in stage.parts:
        features[first : first + count] = given[begin : begin + count]
        begin += count


def _classify(
    session: onnxruntime.InferenceSession,
    features: NDArray[np.float32],
    severities: NDArray[np.float32],
    window: int,
    tile: Tile,
) -> None:
    """Compute a tile of some defects' maps, and put it where it belongs."""
    averages = window_means(features[tile.outer()], window)[tile.inner()]
    channels, height, width = averages.shape
    (found,) = session.run(None, {DESCRIPTORS: averages.reshape(1, channels, 1, -1)})
    severities[tile.own()] = found.T.reshape(-1, height, width)


def _map_tile(source: NDArray[np.float32], stage: MapStage, tile: Tile) -> dict[str, NDArray[Any]]:
    return {CARRIED: np.ascontiguousarray(source[tile.outer(stage.source_stride)])[np.newaxis]}


def _photo_tile(pixels: NDArray[np.uint8], tile: Tile) -> dict[str, NDArray[Any]]:
    """(1, h, w, 3) of a photo that goes on as its mirror image, at most 31 pixels beyond its right and bottom."""
    _, rows, columns = tile.outer()
    return {INPUT: mirrored(pixels[rows, columns], rows.stop - rows.start, columns.stop - columns.start)[np.newaxis]}


def mirrored(part: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """(h, w, 3) continued to a height and a width by its mirror image, on the right and at the bottom."""
    return np.pad(part, ((0, height - part.shape[0]), (0, width - part.shape[1]), (0, 0)), mode="symmetric")
