"""The paper's network: a GoogLeNet with batch normalisation whose last blocks are doubled for every defect.

Section 4.1 and figure 4: blocks 3a to 4e are shared; 5a, 5b and two fully connected layers belong to one defect
each. Fully connected layers are written as 1x1 convolutions, so that the same weights give maps (section 5.3).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn

from photodefect.core.network.layers import ConvNorm
from photodefect.core.network.multicolumn import Column
from photodefect.core.network.receptive_field import ReceptiveField
from photodefect.core.network.stages import StageOutput, TrunkStage
from photodefect.defects import DEFECTS, PATCH_DEFECTS, Defect

HIDDEN: Final = 128
"""Neurons of a column's first fully connected layer."""


class Shape(NamedTuple):
    """One row of the table of blocks: channels of its convolutions (0 where there is none) and its pooling.

    The four branches are a 1x1; a 3x3 and a double 3x3, each behind a 1x1 that reduces channels; and a pooling,
    with a 1x1 projection where it is not 0. With ``stride`` 2 the last 3x3s and the pooling stride.
    """

    inputs: int
    one: int
    three_reduce: int
    three: int
    double_reduce: int
    double_a: int
    double_b: int
    pooling: str
    projection: int
    stride: int = 1

    @property
    def outputs(self) -> int:
        """Channels of the branches together."""
        return self.one + self.three + self.double_b + (self.projection or self.inputs)


TRUNK_BLOCKS: Final = {
    "3a": Shape(192, 64, 64, 64, 64, 96, 96, "average", 32),
    "3b": Shape(256, 64, 64, 96, 64, 96, 96, "average", 64),
    "3c": Shape(320, 0, 128, 160, 64, 96, 96, "max", 0, stride=2),
    "4a": Shape(576, 224, 64, 96, 96, 128, 128, "average", 128),
    "4b": Shape(576, 192, 96, 128, 96, 128, 128, "average", 128),
    "4c": Shape(576, 160, 128, 160, 128, 160, 160, "average", 96),
    "4d": Shape(576, 96, 128, 192, 160, 192, 192, "average", 96),
    "4e": Shape(576, 0, 128, 192, 192, 256, 256, "max", 0, stride=2),
}
COLUMN_BLOCKS: Final = {
    "5a": Shape(1024, 352, 192, 320, 160, 224, 224, "average", 128),
    "5b": Shape(1024, 88, 0, 0, 192, 224, 56, "max", 32),
}


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> ConvNorm:
    """Convolution padded so that it keeps the size (halves it with stride 2), batch norm, ReLU."""
    return ConvNorm(
        inputs, outputs, kernel, stride=stride, padding=kernel // 2, activation=nn.ReLU(inplace=True), eps=1e-5
    )


def _shrinking_pool() -> nn.MaxPool2d:
    # Caffe rounds sizes up: 112 -> 56, where rounding down would give 55.
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)


def _branch(**layers: nn.Module) -> nn.Sequential:
    return nn.Sequential(OrderedDict(layers))


class Block(nn.Module):
    """An inception block: parallel branches whose channels are concatenated."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        inputs, stride = shape.inputs, shape.stride
        self.branches = nn.ModuleDict()
        if shape.one:
            self.branches["one"] = _branch(conv=_convolution(inputs, shape.one, 1))
        if shape.three:
            self.branches["three"] = _branch(
                reduce=_convolution(inputs, shape.three_reduce, 1),
                conv=_convolution(shape.three_reduce, shape.three, 3, stride),
            )
        self.branches["double_three"] = _branch(
            reduce=_convolution(inputs, shape.double_reduce, 1),
            conv_a=_convolution(shape.double_reduce, shape.double_a, 3),
            conv_b=_convolution(shape.double_a, shape.double_b, 3, stride),
        )
        if stride == 2:
            self.branches["pool"] = _branch(pool=_shrinking_pool())
        else:
            pool = nn.MaxPool2d(3, 1, 1) if shape.pooling == "max" else nn.AvgPool2d(3, 1, 1, count_include_pad=True)
            self.branches["pool"] = _branch(pool=pool, projection=_convolution(inputs, shape.projection, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, h, w) -> (N, outputs, h / stride, w / stride)."""
        return torch.cat([branch(x) for branch in self.branches.values()], 1)

    def receptive_field(self, receptive_field: ReceptiveField) -> ReceptiveField:
        """What a position of the output sees, if a position of the input sees ``receptive_field``."""
        ends = [_chain_receptive_field(branch.children(), receptive_field) for branch in self.branches.values()]
        return ReceptiveField(ends[0].stride, max(end.before for end in ends), max(end.after for end in ends))


def _chain_receptive_field(layers: Iterable[nn.Module], receptive_field: ReceptiveField) -> ReceptiveField:
    """What a position behind a chain of layers sees."""
    for layer in layers:
        if isinstance(layer, (ConvNorm, Block)):
            receptive_field = layer.receptive_field(receptive_field)
        elif isinstance(layer, (nn.MaxPool2d, nn.AvgPool2d)):
            kernel, stride, padding = layer.kernel_size, layer.stride, layer.padding
            receptive_field = receptive_field.through(_side(kernel), _side(stride), _side(padding))
        else:
            raise TypeError(f"how far a {type(layer).__name__} sees is not known")
    return receptive_field


def _side(value: int | tuple[int, ...]) -> int:
    return value if isinstance(value, int) else value[0]


class GoogLeNetTrunk(nn.Module):
    """What all defects share: the stem and blocks 3a to 4e."""

    outputs = TRUNK_BLOCKS["4e"].outputs

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            OrderedDict(
                conv1=_convolution(3, 64, 7, 2),
                pool1=_shrinking_pool(),
                conv2_reduce=_convolution(64, 64, 1),
                conv2=_convolution(64, 192, 3),
                pool2=_shrinking_pool(),
            )
        )
        self.blocks = nn.Sequential(OrderedDict((name, Block(shape)) for name, shape in TRUNK_BLOCKS.items()))

    def forward(self, normalized: Tensor) -> Tensor:
        """(N, 3, H, W), normalized, H and W multiples of 32 -> (N, 1024, H/32, W/32)."""
        result: Tensor = self.blocks(self.stem(normalized))
        return result

    def stages(self) -> tuple[TrunkStage, ...]:
        """The stem and blocks 3a to 3c, then 4a to 4e."""
        early, late = self.blocks[:3], self.blocks[3:]
        near = _chain_receptive_field([*self.stem.children(), *early.children()], ReceptiveField())
        outputs = TRUNK_BLOCKS["3c"].outputs
        far = _chain_receptive_field(late.children(), ReceptiveField(near.stride).from_here())
        return (
            TrunkStage(lambda x: StageOutput(early(self.stem(x)), {}), outputs, 1, near, side=512),
            TrunkStage(lambda x: StageOutput(None, {0: late(x)}), 0, near.stride, far, side=1600),
        )


class GoogLeNetColumn(Column):
    """One defect's blocks 5a and 5b and its two fully connected layers, dropout of a half before each."""

    map_window = 1  # the paper's maps are made without pooling (section 5.3)

    def __init__(self, defect: Defect) -> None:
        super().__init__()
        self.blocks = nn.Sequential(OrderedDict((name, Block(shape)) for name, shape in COLUMN_BLOCKS.items()))
        self.margin = _chain_receptive_field(self.blocks.children(), ReceptiveField()).before
        self.dropout = nn.Dropout(0.5)
        self.hidden = nn.Conv2d(COLUMN_BLOCKS["5b"].outputs, HIDDEN, 1)
        self.classes = nn.Conv2d(HIDDEN, defect.class_count, 1)

    def local(self, features: Tensor) -> Tensor:
        """(N, 1024, h, w) -> (N, 176, h, w)."""
        result: Tensor = self.blocks(features)
        return result

    def classify(self, pooled: Tensor) -> Tensor:
        """(N, 176, h, w) -> class logits (N, K, h, w)."""
        hidden = torch.relu(self.hidden(self.dropout(pooled)))
        result: Tensor = self.classes(self.dropout(hidden))
        return result


def build(kind: str) -> tuple[GoogLeNetTrunk, dict[str, Column]]:
    """Trunk and columns with PyTorch's usual random weights.

    Args:
        kind: "holistic" (all defects) or "patches" (without composition).
    """
    defects = DEFECTS if kind == "holistic" else PATCH_DEFECTS
    columns: dict[str, Column] = {defect.key: GoogLeNetColumn(defect) for defect in defects}
    return GoogLeNetTrunk(), columns


@torch.no_grad()
def initialize(network: nn.Module, generator: torch.Generator | None = None) -> None:
    """Draw weights for training from scratch, in place, after He et al. (2015).

    Convolutions get normal weights of variance 2 / inputs, which keeps the variance of activations through ReLUs;
    biases 0; batch norms pass their input on. The last layer of a column has no ReLU behind it: variance 1 / inputs.

    Args:
        network: the whole network or any part of it.
        generator: source of randomness, for repeatable weights.
    """
    last = {id(module.classes) for module in network.modules() if isinstance(module, GoogLeNetColumn)}
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(
                module.weight, nonlinearity="linear" if id(module) in last else "relu", generator=generator
            )
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
