"""The compact default network: columns of experts on EfficientNet-Lite0 and low-level statistics.

Built as the paper's: a shared trunk (:mod:`photodefect.core.network.compact_trunk`), then one column a defect. A column
is a mixture of experts (Jacobs et al. 1991): one that learnt from synthetic defects of known severity, one that learnt
what people mind in ordinary photos, and of the whole photo one that learnt the same with the trunk's tuned blocks.
Their shares are fixed, but where what is severe is rare among people's photos the others yield to what the first one
finds (:data:`YIELDS`). Each averages what it sees of the trunk's features (:data:`VIEWS`) over its window, turns mean
squares into deviations, and classifies; composition is also told by where in the frame tuned blocks find something.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from itertools import pairwise
from types import MappingProxyType
from typing import Final, Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from photodefect.core.network.cells import WINDOW
from photodefect.core.network.compact_trunk import REGION_EDGES, CompactTrunk, Part, View
from photodefect.core.network.direction_planes import GRID_POINTS, class_logits
from photodefect.core.network.multicolumn import Column
from photodefect.core.network.registry import Kind
from photodefect.defects import DEFECTS, IN_PLANE, PATCH_DEFECTS, Defect

Teacher: TypeAlias = Literal["synthesis", "votes", "tuning"]
"""What an expert learnt from: synthetic defects, votes, or votes to which the last blocks were tuned with it."""

TEACHERS: Final[Mapping[Kind, tuple[Teacher, ...]]] = MappingProxyType(
    {"holistic": ("synthesis", "votes", "tuning"), "patches": ("synthesis", "votes")}
)
"""Those of each network's experts. The first one's is synthesis."""

LAYOUT: Final = View(deepest=15, tuned=True, layout=True)
"""What is in a picture, and where."""

VIEWS: Final[Mapping[tuple[Kind, Teacher], Mapping[str, View]]] = MappingProxyType(
    {
        ("holistic", "synthesis"): {
            "bad_exposure": View(deepest=4),
            "haze": View(deepest=4),
            "bad_saturation": View(deepest=10, statistics=False),
            "noise": View(deepest=10),
            "undesired_blur": View(deepest=10),
            "bad_composition": LAYOUT,
        },
        ("holistic", "votes"): {},
        ("holistic", "tuning"): {**{defect.key: View(tuned=True) for defect in DEFECTS}, "bad_composition": LAYOUT},
        ("patches", "synthesis"): {},
        ("patches", "votes"): {},
    }
)
"""What the experts see, by defect key; :class:`View`'s defaults where nothing is said. What is in a picture doesn't say
how it is exposed, nor how hazy the air is. Statistics say how much colour there is, not how much there was in what is
shown."""

WITHOUT_PLANE: Final[frozenset[tuple[Kind, Teacher]]] = frozenset({("holistic", "votes"), ("holistic", "tuning")})
"""Experts that were told severities alone, and so give classes of defects that others see in a direction plane."""


class Yielding(NamedTuple):
    """How experts of votes yield to the one that learnt from synthesis.

    Attributes:
        start: severity, as that one finds it, from which on their shares fall in proportion to what is left until 1.
        share: how much of them falls so.
    """

    start: float
    share: float = 1.0

    def line(self) -> tuple[float, float]:
        """Slope and intercept of the part of their shares that is left, by one minus the severity; 1 at most."""
        return self.share / (1 - self.start), 1 - self.share


YIELDS: Final[Mapping[Kind, Mapping[str, Yielding]]] = MappingProxyType(
    {"holistic": {"bad_exposure": Yielding(0.45), "bad_composition": Yielding(0.3, share=0.3)}, "patches": {}}
)
"""By defect key. Frames that are by far too dark or too light are rare among rated photos; the steps of a bracket stay
in order so. So are frames aslant, but a thing may lie aslant as well, and people don't mind that."""

HIDDEN: Final = 128
"""Neurons of a column's hidden layer, as in the paper."""

MEMBERS: Final[Mapping[tuple[Kind, Teacher], int]] = MappingProxyType(
    {
        ("holistic", "synthesis"): 4,
        ("holistic", "votes"): 1,
        ("holistic", "tuning"): 1,
        ("patches", "synthesis"): 1,
        ("patches", "votes"): 1,
    }
)
"""Experts side by side that make one: the mean of their logits depends less on where training starts. Those that see
thousands of tuned blocks' descriptors are one; see :func:`members_of`."""

FINE_MAP_WINDOW: Final = 3
"""Cells that the map of a fine defect averages: a few pixels tell, and its borders are sharp."""

COARSE_MAP_WINDOW: Final = 5
"""Cells that any other map averages: whether a cast or a pale subject is meant shows in its surroundings."""

LEAST_SHARE: Final = 1e-30
"""A class's probability at least, so that it has a logarithm."""

EXTREME: Final = 4.0
"""Standardized descriptors are clipped to this many deviations: odd photos must not run away."""


def pool_part(cells: Tensor, part: Part) -> Tensor:
    """A part of the features of a whole input (N, 2T + S, 7, 7) -> means, those by region behind, (N, F, 1, 1)."""
    whole = cells.mean((2, 3), keepdim=True)
    if not len(part.located):
        return whole
    return torch.cat([whole, region_means(cells[:, part.located]).flatten(1)[:, :, None, None]], 1)


def describe(pooled: Tensor, tapped: int) -> Tensor:
    """Window averages -> descriptors: means, deviations, and what else there is.

    Args:
        pooled: (N, 2T + S, h, w), averages over a window of the cells of one part of the trunk's features.
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


def regions_around(cells: Tensor) -> list[Tensor]:
    """Cells (N, C, h, w) -> means over the nine regions of the window of 7 x 7 around each, nine of the same shape."""
    if not cells.shape[1]:
        return []
    height, width = cells.shape[2:]
    padded = functional.pad(cells, (WINDOW // 2,) * 4, mode="replicate")
    return [
        functional.avg_pool2d(padded, (bottom - top, right - left), stride=1)[
            :, :, top : top + height, left : left + width
        ]
        for top, bottom in pairwise(REGION_EDGES)
        for left, right in pairwise(REGION_EDGES)
    ]


class Expert(nn.Module):
    """What it sees of the window, standardized; one hidden layer; classes, or points of a direction plane.

    Args:
        defect: what it predicts.
        trunk: whose descriptors it sees.
        view: which of them.
        members: of :data:`HIDDEN` neurons each, side by side.
        in_plane: it gives points of a direction plane.

    Attributes:
        seen: which of the trunk's descriptors, those of the layout after the others, (D,).
    """

    def __init__(
        self, defect: Defect, trunk: CompactTrunk, view: View, members: int = 1, *, in_plane: bool = False
    ) -> None:
        super().__init__()
        self.defect = defect
        self.in_plane = in_plane
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
        self.with_members = partial(Expert, defect, trunk, view, in_plane=in_plane)

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
        parts: of the trunk's features.
        teachers: what its experts learnt from, that of synthesis first.
        shares: of each of these, (E,); they sum to 1.
        yields: see :data:`YIELDS`; None if shares are fixed.
    """

    def __init__(self, defect: Defect, trunk: CompactTrunk, kind: Kind) -> None:
        super().__init__()
        self.map_window = FINE_MAP_WINDOW if defect.fine else COARSE_MAP_WINDOW
        self.parts = tuple(trunk.parts)
        self.yields = YIELDS[kind].get(defect.key)
        self.centres: Tensor
        self.register_buffer("centres", torch.tensor(defect.class_centres).reshape(1, -1, 1, 1), persistent=False)
        self.teachers = TEACHERS[kind]
        self.experts = nn.ModuleDict(
            {
                teacher: new_expert(defect, trunk, kind, teacher, members_of(kind, teacher, defect))
                for teacher in self.teachers
            }
        )
        self.shares: Tensor
        self.register_buffer("shares", torch.full((len(self.teachers),), 1 / len(self.teachers)))

    def taught(self) -> tuple[Expert, ...]:
        """The experts, in the order of :attr:`teachers`."""
        return tuple(self.expert(teacher) for teacher in self.teachers)

    def expert(self, teacher: Teacher) -> Expert:
        """The one that learnt from a teacher."""
        expert = self.experts[teacher]
        assert isinstance(expert, Expert)
        return expert

    def local(self, features: Tensor) -> Tensor:
        """The trunk's cells as they are."""
        return features

    def pool(self, local: Tensor) -> Tensor:
        """The trunk's output (N, C, 7, 7) -> (N, F, 1, 1): of each part the means, those by region behind them."""
        return torch.cat([pool_part(local[:, part.start : part.stop], part) for part in self.parts], 1)

    def pool_around(self, local: Tensor, window: int) -> Tensor:
        """As a network's own window of 7 x 7 cells around each; beyond the edge regions see the cells at it."""
        pooled = []
        for part in self.parts:
            cells = local[:, part.start : part.stop]
            pooled += [super().pool_around(cells, window), *regions_around(cells[:, part.located])]
        return torch.cat(pooled, 1)

    def describe(self, pooled: Tensor) -> Tensor:
        """Window averages (N, F, h, w), those by region among them -> descriptors of all parts, the same shape."""
        parts = torch.split(pooled, [part.described for part in self.parts], 1)
        return torch.cat([describe(own, part.tapped) for own, part in zip(parts, self.parts, strict=True)], 1)

    def classify(self, pooled: Tensor) -> Tensor:
        """Window averages (N, F, h, w), those by region among them -> class logits (N, K, h, w)."""
        return self.classify_descriptors(self.describe(pooled))

    def classify_descriptors(self, descriptors: Tensor) -> Tensor:
        """(N, F, h, w), all of the trunk's -> class logits (N, K, h, w): the logarithms of mixed probabilities."""
        synthesis, *others = (expert(descriptors).softmax(1) for expert in self.taught())
        left = self.shares.new_ones(())
        if self.yields is not None:
            severity = (synthesis * self.centres).sum(1, keepdim=True)
            slope, intercept = self.yields.line()
            left = (slope * (1 - severity) + intercept).clamp(max=1)
        mixed: Tensor = (1 - left * self.shares[1:].sum()) * synthesis
        for share, found in zip(self.shares[1:], others, strict=True):
            mixed = mixed + left * share * found
        return mixed.clamp(min=LEAST_SHARE).log()


def view_of(kind: Kind, teacher: Teacher, defect: Defect) -> View:
    """What the expert of a defect sees."""
    return VIEWS[kind, teacher].get(defect.key, View())


def members_of(kind: Kind, teacher: Teacher, defect: Defect) -> int:
    """How many members the expert of a defect has."""
    return 1 if view_of(kind, teacher, defect).tuned else MEMBERS[kind, teacher]


def new_expert(defect: Defect, trunk: CompactTrunk, kind: Kind, teacher: Teacher, members: int = 1) -> Expert:
    """An expert with random weights, as a network of a kind has it; see :class:`Expert`."""
    in_plane = defect.key in IN_PLANE and (kind, teacher) not in WITHOUT_PLANE
    return Expert(defect, trunk, view_of(kind, teacher, defect), members, in_plane=in_plane)


def build(kind: Kind) -> tuple[CompactTrunk, dict[str, Column]]:
    """Trunk and columns, with random weights.

    Args:
        kind: "holistic" (all defects) or "patches" (without composition).
    """
    trunk = CompactTrunk(kind)
    defects = DEFECTS if kind == "holistic" else PATCH_DEFECTS
    return trunk, {defect.key: CompactColumn(defect, trunk, kind) for defect in defects}
