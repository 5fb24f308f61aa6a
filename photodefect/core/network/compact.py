"""The compact default network: EfficientNet-Lite0 seen at several depths, with low-level statistics.

Built as the paper's: a shared trunk, then one column a defect. Noise, blur and exposure live in early and middle
layers, so the trunk gives every tap's mean and mean square in each cell of 32 pixels, and the statistics of
:mod:`photodefect.core.network.statistics`. The network of the whole photo has all blocks.

A column is a mixture of two experts (Jacobs et al. 1991): one that learnt from synthetic defects of known severity, and
one that learnt what people mind in ordinary photos. Their shares are fixed, but where what is severe is rare among
people's photos the latter yields to what the former finds (:data:`YIELDS`). Each averages what it sees of the trunk's
features (:data:`VIEWS`) over its window, turns mean squares into deviations, and classifies; composition is also told
by where in the frame the last blocks find something.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from types import MappingProxyType
from typing import Final, Literal, TypeAlias, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from photodefect.core.network.cells import WINDOW
from photodefect.core.network.direction_planes import GRID_POINTS, class_logits
from photodefect.core.network.lite0 import Lite0
from photodefect.core.network.multicolumn import Column
from photodefect.core.network.registry import Kind
from photodefect.core.network.stages import StageOutput, TrunkStage
from photodefect.core.network.statistics import CELL, Statistics
from photodefect.defects import DEFECTS, IN_PLANE, PATCH_DEFECTS, Defect

TAPS: Final[Mapping[Kind, tuple[int, ...]]] = MappingProxyType(
    {"holistic": (0, 2, 4, 7, 10, 11, 13, 15), "patches": (0, 2, 4, 7, 10)}
)
"""Blocks whose output the columns see, from fine to coarse. Those of patches are the first of the others."""

LAYOUT_TAPS: Final = (13, 15)
"""Taps whose means over each of nine regions of the frame tell where things are."""

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
        layout: the means of :data:`LAYOUT_TAPS` in each region as well.
    """

    deepest: int = 11
    statistics: bool = True
    layout: bool = False


Teacher: TypeAlias = Literal["synthesis", "votes"]
"""What an expert learnt from."""

TEACHERS: Final[tuple[Teacher, ...]] = get_args(Teacher)

VIEWS: Final[Mapping[tuple[Kind, Teacher], Mapping[str, View]]] = MappingProxyType(
    {
        ("holistic", "synthesis"): {
            "bad_exposure": View(deepest=4),
            "haze": View(deepest=4),
            "bad_saturation": View(deepest=10, statistics=False),
            "noise": View(deepest=10),
            "undesired_blur": View(deepest=10),
        },
        ("holistic", "votes"): {"bad_composition": View(deepest=15, layout=True)},
        ("patches", "synthesis"): {},
        ("patches", "votes"): {},
    }
)
"""What the experts see, by defect key; :class:`View`'s defaults where nothing is said. What is in a picture doesn't say
how it is exposed, nor how hazy the air is. Statistics say how much colour there is, not how much there was in what is
shown."""

YIELDS: Final[Mapping[Kind, Mapping[str, float]]] = MappingProxyType({"holistic": {"bad_exposure": 0.3}, "patches": {}})
"""By defect key, from which severity on the expert of votes yields: its share falls in proportion to what is left until
1, as the one that learnt from synthesis finds it. Frames that are by far too dark or too light are rare among rated
photos; the steps of a bracket stay in order so."""

HIDDEN: Final = 128
"""Neurons of a column's hidden layer, as in the paper."""

MEMBERS: Final[Mapping[tuple[Kind, Teacher], int]] = MappingProxyType(
    {("holistic", "synthesis"): 4, ("holistic", "votes"): 1, ("patches", "synthesis"): 1, ("patches", "votes"): 1}
)
"""Experts side by side that make one: the mean of their logits depends less on where training starts."""

FINE_MAP_WINDOW: Final = 3
"""Cells that the map of a fine defect averages: a few pixels tell, and its borders are sharp."""

COARSE_MAP_WINDOW: Final = 5
"""Cells that any other map averages: whether a cast or a pale subject is meant shows in its surroundings."""

LEAST_SHARE: Final = 1e-30
"""A class's probability at least, so that it has a logarithm."""

EXTREME: Final = 4.0
"""Standardized descriptors are clipped to this many deviations: odd photos must not run away."""

STAGES: Final = ((0, 5, 416), (5, 11, 1184), (11, 16, 2048))
"""Where the blocks are cut for large photos: first block, the one after the last, side of a tile in pixels."""


class CompactTrunk(nn.Module):
    """Lite0 and the statistics, in cells of 32 pixels.

    Gives (N, 2T + S, H/32, W/32): the T means of the taps' channels, their T mean squares, S statistics.

    Args:
        kind: "holistic" or "patches".

    Attributes:
        tapped: T.
        outputs: 2T + S.
        located: which of the T means are told by region as well, (L,).
    """

    takes_rgb = True

    def __init__(self, kind: Kind) -> None:
        super().__init__()
        self.lite0 = Lite0(TAPS[kind])
        self.statistics = Statistics()
        self.tapped = sum(self.lite0.channels[tap] for tap in self.lite0.taps)
        self.outputs = 2 * self.tapped + self.statistics.count
        starts = torch.tensor([0, *(self.lite0.channels[tap] for tap in self.lite0.taps)]).cumsum(0).tolist()
        located = [index for index, tap in enumerate(self.lite0.taps) if tap in LAYOUT_TAPS]
        self.located = torch.cat([torch.arange(starts[i], starts[i + 1]) for i in located] or [torch.arange(0)])

    def seen(self, view: View) -> Tensor:
        """Which of the descriptors (see :func:`describe`) a column of this view sees, (D,), ascending."""
        taps = torch.cat([torch.full((self.lite0.channels[tap],), tap) for tap in self.lite0.taps])
        statistics = torch.full((self.statistics.count,), view.statistics)
        layout = torch.full((REGIONS * len(self.located),), view.layout)
        return torch.cat([taps <= view.deepest, taps <= view.deepest, statistics, layout]).nonzero().flatten()

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


def region_means(features: Tensor) -> Tensor:
    """Features of a whole input (N, C, 7, 7) -> means over the nine regions, row by row, (N, 9, C)."""
    rows = [features[:, :, top:bottom].mean(2) for top, bottom in pairwise(REGION_EDGES)]
    return torch.stack([row[:, :, left:right].mean(2) for row in rows for left, right in pairwise(REGION_EDGES)], 1)


class Expert(nn.Module):
    """What it sees of the window, standardized; one hidden layer; classes, or points of a direction plane.

    Args:
        defect: what it predicts.
        trunk: whose descriptors it sees.
        view: which of them.
        members: of :data:`HIDDEN` neurons each, side by side.

    Attributes:
        seen: which of the trunk's descriptors, those of the layout after the others, (D,).
        layout: means by region are among them.
    """

    def __init__(self, defect: Defect, trunk: CompactTrunk, view: View, members: int = 1) -> None:
        super().__init__()
        self.defect = defect
        self.in_plane = defect.key in IN_PLANE
        self.layout = view.layout
        self.seen: Tensor
        self.centre: Tensor
        self.deviation: Tensor
        self.register_buffer("seen", trunk.seen(view), persistent=False)
        inputs = len(self.seen)
        self.register_buffer("centre", torch.zeros(1, inputs, 1, 1))
        self.register_buffer("deviation", torch.ones(1, inputs, 1, 1))
        self.hidden = nn.Conv2d(inputs, HIDDEN * members, 1)
        self.dropout = nn.Dropout(0.5)
        self.descriptor_dropout = nn.Dropout(0.5)
        self.classes = nn.Conv2d(HIDDEN * members, len(GRID_POINTS) if self.in_plane else defect.class_count, 1)
        self.with_members = partial(Expert, defect, trunk, view)

    def forward(self, descriptors: Tensor) -> Tensor:
        """All descriptors (N, F, h, w) -> class logits (N, K, h, w)."""
        outputs = self.outputs(descriptors[:, self.seen])
        return class_logits(self.defect, outputs) if self.in_plane else outputs

    def outputs(self, seen: Tensor) -> Tensor:
        """Descriptors that it sees (N, D, h, w) -> logits of the classes, or of a grid's points: (N, K or P, h, w)."""
        standardized = ((seen - self.centre) / self.deviation).clamp(-EXTREME, EXTREME)
        # Half of the descriptors are dropped while training: real defects show in fewer of them than synthetic ones.
        hidden = functional.relu(self.hidden(self.descriptor_dropout(standardized)))
        result: Tensor = self.classes(self.dropout(hidden))
        return result


class CompactColumn(Column):
    """Experts whose class probabilities are averaged by their shares.

    Args:
        defect: what the column predicts.
        trunk: whose descriptors it sees.
        kind: of the network.

    Attributes:
        shares: of each of :data:`TEACHERS`, (2,); they sum to 1.
        yields: see :data:`YIELDS`; None if shares are fixed.
    """

    def __init__(self, defect: Defect, trunk: CompactTrunk, kind: Kind) -> None:
        super().__init__()
        self.map_window = FINE_MAP_WINDOW if defect.fine else COARSE_MAP_WINDOW
        self.tapped = trunk.tapped
        self.yields = YIELDS[kind].get(defect.key)
        self.centres: Tensor
        self.register_buffer("centres", torch.tensor(defect.class_centres).reshape(1, -1, 1, 1), persistent=False)
        self.experts = nn.ModuleDict(
            {
                teacher: Expert(defect, trunk, view_of(kind, teacher, defect), MEMBERS[kind, teacher])
                for teacher in TEACHERS
            }
        )
        self.shares: Tensor
        self.register_buffer("shares", torch.full((len(TEACHERS),), 1 / len(TEACHERS)))
        layout = any(expert.layout for expert in self.taught())
        self.located: Tensor
        self.register_buffer("located", trunk.located if layout else torch.arange(0), persistent=False)

    def taught(self) -> tuple[Expert, ...]:
        """The experts, in the order of :data:`TEACHERS`."""
        return tuple(self.expert(teacher) for teacher in TEACHERS)

    def expert(self, teacher: Teacher) -> Expert:
        """The one that learnt from a teacher."""
        expert = self.experts[teacher]
        assert isinstance(expert, Expert)
        return expert

    def local(self, features: Tensor) -> Tensor:
        """The trunk's cells as they are."""
        return features

    def pool(self, local: Tensor) -> Tensor:
        """(N, 2T + S, 7, 7) -> (N, 2T + S, 1, 1), and behind these the means by region if it sees any."""
        whole = super().pool(local)
        if not len(self.located):
            return whole
        return torch.cat([whole, region_means(local[:, self.located]).flatten(1)[:, :, None, None]], 1)

    def pool_around(self, local: Tensor, window: int) -> Tensor:
        """As a network's own window of 7 x 7 cells around each; beyond the edge regions see the cells at it."""
        whole = super().pool_around(local, window)
        if not len(self.located):
            return whole
        height, width = local.shape[2:]
        padded = functional.pad(local[:, self.located], (WINDOW // 2,) * 4, mode="replicate")
        regions = [
            functional.avg_pool2d(padded, (bottom - top, right - left), stride=1)[
                :, :, top : top + height, left : left + width
            ]
            for top, bottom in pairwise(REGION_EDGES)
            for left, right in pairwise(REGION_EDGES)
        ]
        return torch.cat([whole, *regions], 1)

    def classify(self, pooled: Tensor) -> Tensor:
        """(N, 2T + S, h, w), means by region behind these if it sees any -> class logits (N, K, h, w)."""
        return self.classify_descriptors(describe(pooled, self.tapped))

    def classify_descriptors(self, descriptors: Tensor) -> Tensor:
        """(N, F, h, w), all of the trunk's -> class logits (N, K, h, w): the logarithms of mixed probabilities."""
        synthesis, votes = (expert(descriptors).softmax(1) for expert in self.taught())
        of_votes = self.shares[TEACHERS.index("votes")]
        if self.yields is not None:
            severity = (synthesis * self.centres).sum(1, keepdim=True)
            of_votes = of_votes * ((1 - severity) / (1 - self.yields)).clamp(max=1)
        mixed: Tensor = (1 - of_votes) * synthesis + of_votes * votes
        return mixed.clamp(min=LEAST_SHARE).log()


def view_of(kind: Kind, teacher: Teacher, defect: Defect) -> View:
    """What the expert of a defect sees."""
    return VIEWS[kind, teacher].get(defect.key, View())


def build(kind: Kind) -> tuple[CompactTrunk, dict[str, Column]]:
    """Trunk and columns, with random weights.

    Args:
        kind: "holistic" (all defects) or "patches" (without composition).
    """
    trunk = CompactTrunk(kind)
    defects = DEFECTS if kind == "holistic" else PATCH_DEFECTS
    return trunk, {defect.key: CompactColumn(defect, trunk, kind) for defect in defects}
