"""The trunk of EfficientNet-Lite0 (Tan & Le 2019, without squeeze-and-excitation, ReLU6).

Written from the published architecture; the ImageNet weights that training starts from are read from a package
(see :func:`photodefect.training.imagenet.load_imagenet_trunk`).
"""

from __future__ import annotations

from typing import Final, NamedTuple

from torch import Tensor, nn

from photodefect.core.network.layers import ConvNorm
from photodefect.core.network.receptive_field import ReceptiveField

EPS: Final = 1e-3
STEM_CHANNELS: Final = 32


class Stage(NamedTuple):
    """A run of equal inverted-bottleneck blocks; the first one strides."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int


STAGES: Final = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)

LAST_BLOCK: Final = sum(stage.repeats for stage in STAGES) - 1
"""Its number; the first one's is 0."""


def same_padding(kernel: int, stride: int) -> int | tuple[int, int, int, int]:
    """TensorFlow's "same" padding for inputs whose sides are multiples of the stride."""
    if stride == 1:
        return kernel // 2
    total = kernel - stride
    return (total // 2, total - total // 2, total // 2, total - total // 2)


class Block(nn.Module):
    """Inverted bottleneck: expand 1x1, depthwise, project 1x1, with a skip where the shape allows."""

    def __init__(self, inputs: int, stage: Stage, stride: int) -> None:
        super().__init__()
        hidden = inputs * stage.expansion
        layers: list[nn.Module] = []
        if stage.expansion != 1:
            layers.append(ConvNorm(inputs, hidden, 1, activation=nn.ReLU6(inplace=True), eps=EPS))
        layers.append(
            ConvNorm(
                hidden,
                hidden,
                stage.kernel,
                stride=stride,
                groups=hidden,
                padding=same_padding(stage.kernel, stride),
                activation=nn.ReLU6(inplace=True),
                eps=EPS,
            )
        )
        layers.append(ConvNorm(hidden, stage.channels, 1, eps=EPS))
        self.layers = nn.Sequential(*layers)
        self.skip = stride == 1 and inputs == stage.channels

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, H, W) -> (N, channels, H/stride, W/stride)."""
        result: Tensor = self.layers(x)
        return result + x if self.skip else result

    def receptive_field(self, receptive_field: ReceptiveField) -> ReceptiveField:
        """What a position of the output sees, if a position of the input sees ``receptive_field``."""
        for layer in self.layers:
            if isinstance(layer, ConvNorm):
                receptive_field = layer.receptive_field(receptive_field)
        return receptive_field


class Lite0(nn.Module):
    """The stem and the 16 blocks; gives the maps after the blocks named in ``taps``.

    Args:
        taps: indices of blocks, 0..15, ascending. Blocks after the last one are left out.
        first: so are the blocks before this one, and the stem with them.

    Attributes:
        channels: of what each of the 16 blocks up to the last tap gives.
        strides: pixels between two positions of that.
    """

    def __init__(self, taps: tuple[int, ...], first: int = 0) -> None:
        super().__init__()
        self.taps = taps
        self.first = first
        if first == 0:
            self.stem = ConvNorm(
                3,
                STEM_CHANNELS,
                3,
                stride=2,
                padding=same_padding(3, 2),
                activation=nn.ReLU6(inplace=True),
                eps=EPS,
            )
        blocks: dict[str, Block] = {}
        self.channels: list[int] = []
        self.strides: list[int] = []
        inputs, total_stride = STEM_CHANNELS, 2
        for stage in STAGES:
            for repeat in range(stage.repeats):
                stride = stage.stride if repeat == 0 else 1
                total_stride *= stride
                index = len(self.channels)
                if index <= taps[-1]:
                    if index >= first:
                        blocks[str(index)] = Block(inputs, stage, stride)
                    self.channels.append(stage.channels)
                    self.strides.append(total_stride)
                inputs = stage.channels
        # Named by their numbers, which is what a list would name all of them.
        self.blocks = nn.ModuleDict(blocks)

    def forward(self, x: Tensor) -> list[Tensor]:
        """What the first block, or the stem, takes -> one map a tap, (N, channels, H/stride, W/stride).

        H and W, multiples of 32, are the sides of the input (N, 3, H, W).
        """
        return list(self.part(x, self.first, self.stop)[1].values())

    def part(self, x: Tensor, start: int, stop: int) -> tuple[Tensor, dict[int, Tensor]]:
        """Some of the blocks, ``start`` up to but not including ``stop``; before block 0 comes the stem.

        Args:
            x: what block ``start - 1`` gives, or the input.
            start: the first block.
            stop: the block after the last one.

        Returns:
            What the last block gives, and the maps by tap.
        """
        if start == 0:
            x = self.stem(x)
        maps = {}
        for index in range(start, stop):
            x = self.block(index)(x)
            if index in self.taps:
                maps[index] = x
        return x, maps

    @property
    def stop(self) -> int:
        """The number after that of the last block."""
        return len(self.channels)

    def block(self, index: int) -> Block:
        """A block by its number."""
        block = self.blocks[str(index)]
        assert isinstance(block, Block)
        return block

    def receptive_field(self, start: int, stop: int) -> ReceptiveField:
        """What a position behind :meth:`part` sees, from the pixels of the positions that the part takes."""
        receptive_field = (
            self.stem.receptive_field(ReceptiveField())
            if start == 0
            else ReceptiveField(self.strides[start - 1]).from_here()
        )
        for index in range(start, min(stop, self.stop)):
            receptive_field = self.block(index).receptive_field(receptive_field)
        return receptive_field
