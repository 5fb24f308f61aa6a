"""The paper's network against its table."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from photodefect.core.network.googlenet import GoogLeNetColumn, GoogLeNetTrunk, initialize
from photodefect.core.network.registry import build_network


def convolution(inputs: int, outputs: int, kernel: int) -> int:
    """Parameters of a convolution without bias and of its learned scale and shift."""
    return inputs * outputs * kernel * kernel + 2 * outputs


def block(
    inputs: int, one: int, three: tuple[int, int] | None, double: tuple[int, int, int], projection: int
) -> tuple[int, int]:
    """Parameters and output channels of one row of the table of blocks."""
    parameters, outputs = 0, 0
    if one:
        parameters += convolution(inputs, one, 1)
        outputs += one
    if three:
        parameters += convolution(inputs, three[0], 1) + convolution(three[0], three[1], 3)
        outputs += three[1]
    parameters += convolution(inputs, double[0], 1)
    parameters += convolution(double[0], double[1], 3) + convolution(double[1], double[2], 3)
    outputs += double[2]
    if projection:
        parameters += convolution(inputs, projection, 1)
    return parameters, outputs + (projection or inputs)


# One line a block: one, three, double, projection, and the channels that the table says come out.
Row = tuple[str, int, tuple[int, int] | None, tuple[int, int, int], int, int]

TRUNK: list[Row] = [
    ("3a", 64, (64, 64), (64, 96, 96), 32, 256),
    ("3b", 64, (64, 96), (64, 96, 96), 64, 320),
    ("3c", 0, (128, 160), (64, 96, 96), 0, 576),
    ("4a", 224, (64, 96), (96, 128, 128), 128, 576),
    ("4b", 192, (96, 128), (96, 128, 128), 128, 576),
    ("4c", 160, (128, 160), (128, 160, 160), 96, 576),
    ("4d", 96, (128, 192), (160, 192, 192), 96, 576),
    ("4e", 0, (128, 192), (192, 256, 256), 0, 1024),
]
COLUMN: list[Row] = [
    ("5a", 352, (192, 320), (160, 224, 224), 128, 1024),
    ("5b", 88, None, (192, 224, 56), 32, 176),
]


def parameters_by_hand() -> tuple[int, int, int]:
    """Parameters of the trunk, of a column with 11 classes, and of one with 21."""
    trunk = convolution(3, 64, 7) + convolution(64, 64, 1) + convolution(64, 192, 3)
    channels = 192
    for _, one, three, double, projection, outputs in TRUNK:
        parameters, produced = block(channels, one, three, double, projection)
        assert produced == outputs
        trunk, channels = trunk + parameters, produced
    column = 0
    for _, one, three, double, projection, outputs in COLUMN:
        parameters, produced = block(channels, one, three, double, projection)
        assert produced == outputs
        column, channels = column + parameters, produced
    column += 176 * 128 + 128
    return trunk, column + 128 * 11 + 11, column + 128 * 21 + 21


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_networks_have_the_papers_number_of_parameters() -> None:
    trunk, eleven, twenty_one = parameters_by_hand()
    holistic = build_network("googlenet", "holistic")
    assert count(holistic.trunk) == trunk
    assert count(holistic.column("noise")) == eleven
    assert count(holistic.column("bad_saturation")) == twenty_one
    assert count(holistic) == trunk + 6 * eleven + twenty_one
    patches = count(build_network("googlenet", "patches"))
    assert patches == trunk + 5 * eleven + twenty_one
    assert f"{count(holistic) / 1e6:.1f} {patches / 1e6:.1f}" == "26.9 23.9"


def test_every_block_gives_the_tables_channels_at_caffes_size() -> None:
    network = build_network("googlenet", "holistic").eval()
    trunk = network.trunk
    assert isinstance(trunk, GoogLeNetTrunk)
    with torch.inference_mode():
        x = torch.rand(1, 3, 224, 224)
        sizes = {}
        for name, layer in trunk.stem.named_children():
            x = layer(x)
            sizes[name] = tuple(x.shape[1:])
        for name, layer in trunk.blocks.named_children():
            x = layer(x)
            sizes[name] = tuple(x.shape[1:])
        column = network.column("haze")
        assert isinstance(column, GoogLeNetColumn)
        for name, layer in column.blocks.named_children():
            x = layer(x)
            sizes[name] = tuple(x.shape[1:])
    # Rounding down as PyTorch does by default would give 55, 27, 13 and 6 after the pools.
    assert sizes == {
        "conv1": (64, 112, 112),
        "pool1": (64, 56, 56),
        "conv2_reduce": (64, 56, 56),
        "conv2": (192, 56, 56),
        "pool2": (192, 28, 28),
        "3a": (256, 28, 28),
        "3b": (320, 28, 28),
        "3c": (576, 14, 14),
        "4a": (576, 14, 14),
        "4b": (576, 14, 14),
        "4c": (576, 14, 14),
        "4d": (576, 14, 14),
        "4e": (1024, 7, 7),
        "5a": (1024, 7, 7),
        "5b": (176, 7, 7),
    }


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 96), (160, 224), (352, 288)])
def test_inputs_of_any_multiple_of_32_give_a_cell_every_32_pixels(height: int, width: int) -> None:
    network = build_network("googlenet", "patches").eval()
    with torch.inference_mode():
        features = network.features(torch.rand(1, 3, height, width) * 255)
        local = network.column("noise").local(features)
    assert features.shape == (1, 1024, height // 32, width // 32)
    assert local.shape == (1, 176, height // 32, width // 32)


def test_average_pooling_counts_the_padding() -> None:
    trunk = build_network("googlenet", "patches").trunk
    pool = trunk.get_submodule("blocks.3a.branches.pool.pool")
    pooled = pool(torch.ones(1, 1, 4, 4))
    # A corner sees 4 ones and 5 zeros of padding, an edge 6 and 3.
    torch.testing.assert_close(pooled[0, 0, 0], torch.tensor([4 / 9, 6 / 9, 6 / 9, 4 / 9]))


def test_dropout_acts_in_training_alone_before_each_fully_connected_layer() -> None:
    column = build_network("googlenet", "patches").column("noise")
    assert isinstance(column, GoogLeNetColumn)
    assert column.dropout.p == 0.5
    pooled = torch.rand(1, 176, 1, 1)
    column.train()
    assert not torch.equal(column.classify(pooled), column.classify(pooled))
    column.eval()
    assert torch.equal(column.classify(pooled), column.classify(pooled))
    hidden = functional.linear(pooled.flatten(), column.hidden.weight[:, :, 0, 0], column.hidden.bias).clamp(min=0)
    expected = functional.linear(hidden, column.classes.weight[:, :, 0, 0], column.classes.bias)
    torch.testing.assert_close(column.classify(pooled).flatten(), expected)


def test_training_from_scratch_starts_with_weights_that_keep_the_variance() -> None:
    network = build_network("googlenet", "holistic")
    initialize(network, torch.Generator().manual_seed(1))
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            inputs = module.in_channels * module.kernel_size[0] * module.kernel_size[1]
            wanted = math.sqrt((1 if name.endswith("classes") else 2) / inputs)
            # The deviation of n normal numbers is itself uncertain by 1 / sqrt(2 n).
            tolerance = 5 / math.sqrt(2 * module.weight.numel())
            assert float(module.weight.detach().std()) == pytest.approx(wanted, rel=tolerance), name
            assert module.bias is None or not module.bias.detach().any()
        elif isinstance(module, nn.BatchNorm2d):
            assert bool((module.weight == 1).all())
            assert not module.bias.detach().any()


def test_the_same_generator_starts_with_the_same_weights() -> None:
    first, second = (build_network("googlenet", "patches").column("noise") for _ in range(2))
    for column in (first, second):
        initialize(column, torch.Generator().manual_seed(7))
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)
