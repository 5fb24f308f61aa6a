"""A trunk as a chain of stages that can each be computed tile by tile, with the result of the whole image.

A photo of any size goes through a fully convolutional trunk, but the early layers of a large one would fill the
memory. Cut into stages, only what lies between two of them is held whole: small, since every stage strides. How much
of its surroundings a tile needs, so that what is computed for it is what the whole image would give there, follows
from the layers' kernels, strides and paddings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol, runtime_checkable

from torch import Tensor

from photodefect.core.network.multicolumn import MultiColumnNetwork
from photodefect.core.network.receptive_field import ReceptiveField


class StageOutput(NamedTuple):
    """What a stage gives for a tile.

    Attributes:
        carried: what the next stage takes; None from the last one.
        features: channels of the trunk's output that are done, (N, c, h, w) at stride 32, by the first one's index.
    """

    carried: Tensor | None
    features: Mapping[int, Tensor]


@dataclass(frozen=True)
class TrunkStage:
    """A part of a trunk.

    Attributes:
        run: takes what the stage before carried; the first stage takes what the trunk takes.
        carries: channels of what it carries on; 0 for the last stage.
        source_stride: pixels between two positions of what it takes.
        receptive_field: of a position of what it gives, from the pixels of the positions of what it takes.
        side: of a tile, in pixels. Buffers of more than about 32 MB cost more time to get from the system and to give
            back than larger tiles save.
    """

    run: Callable[..., StageOutput]
    carries: int
    source_stride: int
    receptive_field: ReceptiveField
    side: int


@runtime_checkable
class StagedTrunk(Protocol):
    """A trunk that can be computed in stages.

    Attributes:
        outputs: channels C of its output.
    """

    outputs: int

    def stages(self) -> tuple[TrunkStage, ...]:
        """The stages, first to last; together they do what the trunk does."""
        ...


class Stages(NamedTuple):
    """The stages of a network, from RGB to the trunk's features.

    Attributes:
        chain: first to last; the first one takes RGB (N, 3, H, W), uint8 or float in 0..255.
        outputs: channels of the features.
    """

    chain: tuple[TrunkStage, ...]
    outputs: int


def network_stages(network: MultiColumnNetwork) -> Stages:
    """The stages of a network's trunk, with what comes before it.

    Raises:
        TypeError: the trunk can't be computed in stages.
    """
    trunk = network.trunk
    if not isinstance(trunk, StagedTrunk):
        raise TypeError(f"{type(trunk).__name__} can't be computed in stages")
    first, *others = trunk.stages()
    takes_rgb = getattr(trunk, "takes_rgb", False)

    def start(rgb: Tensor) -> StageOutput:
        rgb = rgb.float()
        normalized = network.normalization(rgb)
        return first.run(normalized, rgb) if takes_rgb else first.run(normalized)

    return Stages((replace(first, run=start), *others), trunk.outputs)
