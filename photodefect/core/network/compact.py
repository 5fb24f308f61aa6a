"""The compact default network: EfficientNet-Lite0 seen at several depths, with low-level statistics.

Built as the paper's: a shared trunk, then one column a defect. Noise, blur and exposure live in early and middle
layers, so the trunk gives every tap's mean and mean square in each cell of 32 pixels, and the statistics of
:mod:`photodefect.core.network.statistics`. A column averages them over its window, turns mean squares into deviations,
and classifies. The network of the whole photo goes one block deeper; which columns make nothing of some of what there
is to see, is said where they are trained (:mod:`photodefect.training.compact_recipe`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from photodefect.core.network.direction_planes import GRID_POINTS, class_logits
from photodefect.core.network.lite0 import Lite0
from photodefect.core.network.multicolumn import Column
from photodefect.core.network.registry import Kind
from photodefect.core.network.stages import StageOutput, TrunkStage
from photodefect.core.network.statistics import CELL, Statistics
from photodefect.defects import DEFECTS, IN_PLANE, PATCH_DEFECTS, Defect

TAPS: Final[Mapping[Kind, tuple[int, ...]]] = MappingProxyType(
    {"holistic": (0, 2, 4, 7, 10, 11), "patches": (0, 2, 4, 7, 10)}
)
"""Blocks whose output the columns see, from fine to coarse. Those of patches are the first of the others. Blocks after
these take time and tell real photographs apart no better: docs/speed.md has the table."""

HIDDEN: Final = 128
"""Neurons of a column's hidden layer, as in the paper."""

MEMBERS: Final[Mapping[Kind, int]] = MappingProxyType({"holistic": 4, "patches": 1})
"""Columns side by side that make one: the mean of their logits depends less on where training starts."""

FINE_MAP_WINDOW: Final = 3
"""Cells that the map of a fine defect averages: a few pixels tell, and its borders are sharp."""

COARSE_MAP_WINDOW: Final = 5
"""Cells that any other map averages: whether a cast or a pale subject is meant shows in its surroundings."""

EXTREME: Final = 4.0
"""Standardized descriptors are clipped to this many deviations: odd photos must not run away."""

STAGES: Final = ((0, 5, 416), (5, 11, 1184), (11, 12, 2048))
"""Where the blocks are cut for large photos: first block, the one after the last, side of a tile in pixels."""


class CompactTrunk(nn.Module):
    """Lite0 and the statistics, in cells of 32 pixels.

    Gives (N, 2T + S, H/32, W/32): the T means of the taps' channels, their T mean squares, S statistics.

    Args:
        kind: "holistic" or "patches".
    """

    takes_rgb = True

    def __init__(self, kind: Kind) -> None:
        super().__init__()
        self.lite0 = Lite0(TAPS[kind])
        self.statistics = Statistics()
        self.tapped = sum(self.lite0.channels[tap] for tap in self.lite0.taps)
        self.outputs = 2 * self.tapped + self.statistics.count

    def forward(self, normalized: Tensor, rgb: Tensor) -> Tensor:
        """(N, 3, H, W) normalized and as RGB in 0..255 -> (N, 2T + S, H/32, W/32)."""
        maps = self.lite0(normalized)
        taps = self.lite0.taps
        parts = [self._cells(tap, tap_map) for tap, tap_map in zip(taps, maps, strict=True)]
        parts += [self._cells(tap, tap_map.square()) for tap, tap_map in zip(taps, maps, strict=True)]
        return torch.cat([*parts, self.statistics(rgb)], 1)

    def stages(self) -> tuple[TrunkStage, ...]:
        """The statistics and the blocks down to stride 8, those to stride 16, the rest."""
        stages = []
        blocks = len(self.lite0.blocks)
        for start, stop, side in STAGES:
            if start >= blocks:
                break
            run = partial(self._stage, start, stop)
            carries = self.lite0.channels[stop - 1] if stop < blocks else 0
            source_stride = self.lite0.strides[start - 1] if start else 1
            stages.append(TrunkStage(run, carries, source_stride, self.lite0.receptive_field(start, stop), side))
        return tuple(stages)

    def _stage(self, start: int, stop: int, x: Tensor, rgb: Tensor | None = None) -> StageOutput:
        x, maps = self.lite0.part(x, start, stop)
        features = {}
        for tap, tap_map in maps.items():
            first = sum(self.lite0.channels[before] for before in self.lite0.taps if before < tap)
            features[first] = self._cells(tap, tap_map)
            features[self.tapped + first] = self._cells(tap, tap_map.square())
        if rgb is not None:
            features[2 * self.tapped] = self.statistics(rgb)
        return StageOutput(x if stop < len(self.lite0.blocks) else None, features)

    def _cells(self, tap: int, tap_map: Tensor) -> Tensor:
        side = CELL // self.lite0.strides[tap]
        return functional.avg_pool2d(tap_map, side) if side > 1 else tap_map


def describe(pooled: Tensor, tapped: int) -> Tensor:
    """Window averages -> descriptors: means, deviations, statistics.

    Args:
        pooled: (N, 2T + S, h, w), averages over a window of the trunk's cells.
        tapped: T, the number of means, and of mean squares after them.

    Returns:
        The same shape.
    """
    means, squares, statistics = pooled[:, :tapped], pooled[:, tapped : 2 * tapped], pooled[:, 2 * tapped :]
    deviations = ((squares - means.square()).clamp(min=0) + 1e-6).sqrt()
    return torch.cat([means, deviations, statistics], 1)


class CompactColumn(Column):
    """Descriptors of the window, standardized; one hidden layer; classes, or points of a direction plane.

    Args:
        defect: what the column predicts.
        tapped: T of the trunk's features.
        inputs: number of descriptors, 2T + S.
        members: of :data:`HIDDEN` neurons each, side by side.
    """

    def __init__(self, defect: Defect, tapped: int, inputs: int, members: int = 1) -> None:
        super().__init__()
        self.map_window = FINE_MAP_WINDOW if defect.fine else COARSE_MAP_WINDOW
        self.defect = defect
        self.in_plane = defect.key in IN_PLANE
        self.tapped = tapped
        self.centre: Tensor
        self.deviation: Tensor
        self.register_buffer("centre", torch.zeros(1, inputs, 1, 1))
        self.register_buffer("deviation", torch.ones(1, inputs, 1, 1))
        self.hidden = nn.Conv2d(inputs, HIDDEN * members, 1)
        self.dropout = nn.Dropout(0.5)
        self.descriptor_dropout = nn.Dropout(0.5)
        self.classes = nn.Conv2d(HIDDEN * members, len(GRID_POINTS) if self.in_plane else defect.class_count, 1)

    def local(self, features: Tensor) -> Tensor:
        """The trunk's cells as they are."""
        return features

    def classify(self, pooled: Tensor) -> Tensor:
        """(N, 2T + S, h, w) -> class logits (N, K, h, w)."""
        return self.classify_descriptors(describe(pooled, self.tapped))

    def classify_descriptors(self, descriptors: Tensor) -> Tensor:
        """(N, 2T + S, h, w), from :func:`describe` -> class logits (N, K, h, w)."""
        outputs = self.outputs(descriptors)
        return class_logits(self.defect, outputs) if self.in_plane else outputs

    def outputs(self, descriptors: Tensor) -> Tensor:
        """Descriptors (N, 2T + S, h, w) -> logits of the classes, or of a grid's points: (N, K or P, h, w)."""
        standardized = ((descriptors - self.centre) / self.deviation).clamp(-EXTREME, EXTREME)
        hidden = functional.relu(self.hidden(self.dropout_inputs(standardized)))
        result: Tensor = self.classes(self.dropout(hidden))
        return result

    def dropout_inputs(self, x: Tensor) -> Tensor:
        """Drop half of the descriptors while training: real defects show in fewer of them than synthetic ones."""
        result: Tensor = self.descriptor_dropout(x)
        return result


def build(kind: Kind) -> tuple[CompactTrunk, dict[str, Column]]:
    """Trunk and columns, with random weights.

    Args:
        kind: "holistic" (all defects) or "patches" (without composition).
    """
    trunk = CompactTrunk(kind)
    defects = DEFECTS if kind == "holistic" else PATCH_DEFECTS
    columns: dict[str, Column] = {
        defect.key: CompactColumn(defect, trunk.tapped, trunk.outputs, MEMBERS[kind]) for defect in defects
    }
    return trunk, columns
