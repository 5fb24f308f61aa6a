"""The trunk of the compact network: EfficientNet-Lite0 seen at several depths, with low-level statistics.

Noise, blur and exposure live in early and middle layers, so the trunk gives every tap's mean and mean square in each
cell of 32 pixels, and the statistics of :mod:`photodefect.core.network.statistics`. In the network of the whole photo
blocks follow that are tuned to what people mind in photos: a second block 11, and all behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from photodefect.core.network.cells import WINDOW
from photodefect.core.network.lite0 import Lite0
from photodefect.core.network.registry import Kind
from photodefect.core.network.stages import StageOutput, TrunkStage
from photodefect.core.network.statistics import CELL, Statistics

TAPS: Final[Mapping[Kind, tuple[int, ...]]] = MappingProxyType(
    {"holistic": (0, 2, 4, 7, 10, 11), "patches": (0, 2, 4, 7, 10)}
)
"""Blocks whose output the columns see, from fine to coarse. Those of patches are the first of the others."""

TUNED_TAPS: Final[Mapping[Kind, tuple[int, ...]]] = MappingProxyType({"holistic": (11, 13, 15), "patches": ()})
"""Blocks tuned to votes whose output the columns see; they begin at the first of these."""

LAYOUT_TAPS: Final = (13, 15)
"""Tuned blocks whose means over each of nine regions of the frame tell where things are."""

REGION_EDGES: Final = (0, 2, 5, WINDOW)
"""Cells at which the window is cut into three rows, and into three columns."""

REGIONS: Final = (len(REGION_EDGES) - 1) ** 2
"""Nine of them."""


@dataclass(frozen=True)
class View:
    """What of the descriptors a column sees.

    Attributes:
        deepest: the last tap.
        statistics: those of tones and colours as well.
        tuned: the tuned blocks, in place of block 11 as ImageNet made it.
        layout: the means of :data:`LAYOUT_TAPS` in each region as well.
    """

    deepest: int = 11
    statistics: bool = True
    tuned: bool = False
    layout: bool = False


STAGES: Final = ((0, 5, 416), (5, 11, 1184), (11, 16, 2048))
"""Where the blocks are cut for large photos: first block, the one after the last, side of a tile in pixels."""


class Part(NamedTuple):
    """Features that belong together: what the trunk's own blocks give, or the tuned ones.

    Attributes:
        start: the first of their channels in the trunk's output.
        tapped: T, the number of means; as many mean squares follow.
        others: S, channels behind these.
        located: which of the means are told by region as well, (L,).
    """

    start: int
    tapped: int
    others: int
    located: Tensor

    @property
    def stop(self) -> int:
        """The channel after the last one."""
        return self.start + 2 * self.tapped + self.others

    @property
    def described(self) -> int:
        """D, the number of descriptors, those by region among them."""
        return 2 * self.tapped + self.others + REGIONS * len(self.located)


class CompactTrunk(nn.Module):
    """Lite0 and the statistics, in cells of 32 pixels.

    Gives (N, 2T + S + 2U, H/32, W/32): the T means of the taps' channels, their T mean squares, S statistics; then U
    means and U mean squares of the tuned blocks' taps.

    Args:
        kind: "holistic" or "patches".

    Attributes:
        tuned: the tuned blocks; None if there are none.
        tapped: T.
        parts: of what it gives.
        outputs: 2T + S + 2U.
    """

    takes_rgb = True

    def __init__(self, kind: Kind) -> None:
        super().__init__()
        self.lite0 = Lite0(TAPS[kind])
        tuned = TUNED_TAPS[kind]
        self.tuned = Lite0(tuned, first=tuned[0]) if tuned else None
        self.statistics = Statistics()
        self.tapped = _tapped(self.lite0)
        self.parts = [Part(0, self.tapped, self.statistics.count, _located(self.lite0))]
        if self.tuned is not None:
            self.parts.append(Part(self.parts[0].stop, _tapped(self.tuned), 0, _located(self.tuned)))
        self.outputs = self.parts[-1].stop

    @property
    def own(self) -> Part:
        """What its own blocks and the statistics give."""
        return self.parts[0]

    @property
    def shared_blocks(self) -> int:
        """How many of its own blocks come before the tuned ones; all, if there are none of those."""
        return self.lite0.stop if self.tuned is None else self.tuned.first

    def seen(self, view: View) -> Tensor:
        """Which of the descriptors (see :meth:`CompactColumn.describe`) a column of this view sees, (D,), ascending."""
        seen = [_by_tap(self.lite0) <= (min(view.deepest, self.shared_blocks - 1) if view.tuned else view.deepest)] * 2
        seen.append(torch.full((self.own.others,), view.statistics))
        if self.tuned is not None:
            seen += [_by_tap(self.tuned) <= (view.deepest if view.tuned else -1)] * 2
            seen.append(torch.full((REGIONS * len(self.parts[1].located),), view.layout))
        return torch.cat(seen).nonzero().flatten()

    def forward(self, normalized: Tensor, rgb: Tensor) -> Tensor:
        """(N, 3, H, W) normalized and as RGB in 0..255 -> (N, 2T + S + 2U, H/32, W/32)."""
        own, carried = self.own_features(normalized, rgb)
        return own if self.tuned is None else torch.cat([own, self.tuned_features(carried)], 1)

    def own_features(self, normalized: Tensor, rgb: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 3, H, W) normalized and as RGB in 0..255 -> (N, 2T + S, H/32, W/32), and what the tuned blocks take."""
        carried, early = self.lite0.part(normalized, 0, self.shared_blocks)
        _, late = self.lite0.part(carried, self.shared_blocks, self.lite0.stop)
        return torch.cat([*_features(self.lite0, early | late), self.statistics(rgb)], 1), carried

    def tuned_features(self, carried: Tensor) -> Tensor:
        """What the block before the first tuned one gives -> (N, 2U, H/32, W/32).

        Raises:
            TypeError: there are no tuned blocks.
        """
        if self.tuned is None:
            raise TypeError("this network has no tuned blocks")
        return torch.cat(_features(self.tuned, self.tuned.part(carried, self.tuned.first, self.tuned.stop)[1]), 1)

    def stages(self) -> tuple[TrunkStage, ...]:
        """The statistics and the blocks down to stride 8, those to stride 16, the rest."""
        stages = []
        blocks = self.lite0.stop
        for start, stop, side in STAGES:
            if start >= blocks:
                break
            run = partial(self._stage, start, stop)
            carries = self.lite0.channels[stop - 1] if stop < blocks else 0
            source_stride = self.lite0.strides[start - 1] if start else 1
            last = self.tuned if self.tuned is not None and start == self.tuned.first else self.lite0
            stages.append(TrunkStage(run, carries, source_stride, last.receptive_field(start, stop), side))
        return tuple(stages)

    def _stage(self, start: int, stop: int, x: Tensor, rgb: Tensor | None = None) -> StageOutput:
        features = {}
        if self.tuned is not None and start == self.tuned.first:
            features[self.parts[1].start] = self.tuned_features(x)
        x, maps = self.lite0.part(x, start, min(stop, self.lite0.stop))
        for tap, tap_map in maps.items():
            first = sum(self.lite0.channels[before] for before in self.lite0.taps if before < tap)
            features[first] = _cells(self.lite0, tap, tap_map)
            features[self.tapped + first] = _cells(self.lite0, tap, tap_map.square())
        if rgb is not None:
            features[2 * self.tapped] = self.statistics(rgb)
        return StageOutput(x if stop < self.lite0.stop else None, features)


def _tapped(blocks: Lite0) -> int:
    """Channels of all taps together."""
    return sum(blocks.channels[tap] for tap in blocks.taps)


def _by_tap(blocks: Lite0) -> Tensor:
    """The tap of each of its channels, (T,)."""
    return torch.cat([torch.full((blocks.channels[tap],), tap) for tap in blocks.taps])


def _located(blocks: Lite0) -> Tensor:
    return torch.isin(_by_tap(blocks), torch.tensor(LAYOUT_TAPS)).nonzero().flatten()


def _features(blocks: Lite0, maps: Mapping[int, Tensor]) -> list[Tensor]:
    """Means and mean squares of the taps' maps in each cell."""
    means = [_cells(blocks, tap, tap_map) for tap, tap_map in maps.items()]
    return means + [_cells(blocks, tap, tap_map.square()) for tap, tap_map in maps.items()]


def _cells(blocks: Lite0, tap: int, tap_map: Tensor) -> Tensor:
    side = CELL // blocks.strides[tap]
    return functional.avg_pool2d(tap_map, side) if side > 1 else tap_map
