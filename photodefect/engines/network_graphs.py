"""The networks as ONNX graphs: uint8 pixels in, severities out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from torch import nn

from photodefect.core.network import compact, compact_trunk, googlenet
from photodefect.core.network.cells import INPUT_SIDE, WINDOW
from photodefect.core.network.direction_planes import GRID_POINTS, SPREAD
from photodefect.core.network.lite0 import Block, Lite0
from photodefect.core.network.multicolumn import Column, MultiColumnNetwork
from photodefect.defects import Defect
from photodefect.engines.graph import Graph, Value, chain, conv_norm, convolution, layer_of
from photodefect.engines.graph_files import INPUT, MEAN, ORDER, OUTPUT, SCALE
from photodefect.engines.statistics_graph import statistics


class NetworkGraph(NamedTuple):
    """A network as a graph, without its weights.

    Attributes:
        model: takes ``inputs``, (N, side, side, 3), uint8, RGB, and gives ``severities``, (N, D), float32: the
            expectation over the classes of each of the network's defects, in their order.
        weights: shapes of the tensors that it has to be given, by their names in the weights' file. The
            normalization is given too: see :data:`ORDER`, :data:`MEAN` and :data:`SCALE`.
    """

    model: onnx.ModelProto
    weights: dict[str, tuple[int, ...]]


def network_graph(network: MultiColumnNetwork, side: int = INPUT_SIDE) -> NetworkGraph:
    """Make the graph of a network that is not folded.

    Args:
        network: see there.
        side: of its inputs, in pixels, a multiple of 32.

    Raises:
        TypeError: no rule makes a graph of the network's layers.
    """
    graph = Graph(network)
    rgb = graph("Transpose", graph("Cast", INPUT, to=TensorProto.FLOAT), perm=[0, 3, 1, 2])
    normalized = normalize(graph, rgb)
    trunk = network.trunk
    if isinstance(trunk, compact_trunk.CompactTrunk):
        features = _compact_descriptors(graph, trunk, normalized, rgb)
    elif isinstance(trunk, googlenet.GoogLeNetTrunk):
        features = _inception_chain(graph, trunk.blocks, chain(graph, trunk.stem, normalized))
    else:
        raise TypeError(f"no rule makes a graph of {type(trunk).__name__}")
    severities = [
        severity(graph, defect, _column_logits(graph, network.column(defect.key), features))
        for defect in network.defects
    ]
    model = graph.model(
        helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["N", side, side, 3]),
        (
            graph("Concat", *severities, axis=1),
            helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["N", len(severities)]),
        ),
    )
    return NetworkGraph(model, graph.weights)


def normalize(graph: Graph, rgb: Value) -> Value:
    """RGB (N, 3, h, w) in 0..255 -> what the trunk wants."""
    ordered = graph("Gather", rgb, graph.given(ORDER, (3,), TensorProto.INT64), axis=1)
    centred = graph("Sub", ordered, graph.given(MEAN, (1, 3, 1, 1)))
    return graph("Mul", centred, graph.given(SCALE, (1, 1, 1, 1)))


def severity(graph: Graph, defect: Defect, logits: Value) -> Value:
    """Class logits (N, K, 1, 1) -> expectation over the classes (N, 1)."""
    return _expectation(graph, defect, graph("Softmax", graph("Flatten", logits), axis=1))


def _expectation(graph: Graph, defect: Defect, probabilities: Value) -> Value:
    """Probabilities of the classes (N, K) -> severity (N, 1)."""
    return graph("MatMul", probabilities, graph.constant(np.array(defect.class_centres)[:, np.newaxis]))


def _column_logits(graph: Graph, column: Column, features: Value) -> Value:
    if isinstance(column, compact.CompactColumn):
        return compact_logits(graph, column, features)
    if isinstance(column, googlenet.GoogLeNetColumn):
        pooled = graph("GlobalAveragePool", _inception_chain(graph, column.blocks, features))
        return convolution(graph, column.classes, graph("Relu", convolution(graph, column.hidden, pooled)))
    raise TypeError(f"no rule makes a graph of {type(column).__name__}")


# The paper's network


def _inception_chain(graph: Graph, blocks: nn.Sequential, x: Value) -> Value:
    for block in blocks.children():
        if not isinstance(block, googlenet.Block):
            raise TypeError(f"no rule makes a graph of {type(block).__name__}")
        x = graph("Concat", *(layer_of(graph, branch, x) for branch in block.branches.values()), axis=1)
    return x


# The compact network


def _compact_descriptors(graph: Graph, trunk: compact_trunk.CompactTrunk, normalized: Value, rgb: Value) -> Value:
    """Descriptors of the whole input: see :meth:`photodefect.core.network.compact.CompactColumn.describe`.

    Those of regions are of a network that sees all of a window of 7 x 7 cells.
    """
    own, taken = trunk.own, trunk.lite0.stop if trunk.tuned is None else trunk.tuned.first
    x = conv_norm(graph, trunk.lite0.stem, normalized)
    carried, early = _blocks(graph, trunk.lite0, x, 0, taken)
    _, late = _blocks(graph, trunk.lite0, carried, taken, trunk.lite0.stop)
    told = statistics(graph, INPUT, rgb)
    descriptors = _described(graph, own, trunk.lite0, early | late, told)
    if trunk.tuned is not None:
        _, tuned = _blocks(graph, trunk.tuned, carried, taken, trunk.tuned.stop)
        descriptors += _described(graph, trunk.parts[1], trunk.tuned, tuned)
    return graph("Concat", *descriptors, axis=1)


def _blocks(graph: Graph, lite0: Lite0, x: Value, start: int, stop: int) -> tuple[Value, dict[int, Value]]:
    """See :meth:`photodefect.core.network.lite0.Lite0.part`, without the stem."""
    maps = {}
    for index in range(start, stop):
        x = lite0_block(graph, lite0.block(index), x)
        if index in lite0.taps:
            maps[index] = x
    return x, maps


def _described(
    graph: Graph, part: compact_trunk.Part, lite0: Lite0, maps: dict[int, Value], *others: Value
) -> list[Value]:
    """Descriptors of one part of the trunk's features: means, deviations, others, means by region."""
    mean = graph("Concat", *(graph("GlobalAveragePool", x) for x in maps.values()), axis=1)
    square = graph("Concat", *(graph("GlobalAveragePool", graph("Mul", x, x)) for x in maps.values()), axis=1)
    descriptors = [mean, deviation(graph, mean, square), *others]
    if len(part.located):
        located = [maps[tap] for tap in lite0.taps if tap in compact_trunk.LAYOUT_TAPS]
        descriptors.append(_region_means(graph, graph("Concat", *located, axis=1), len(part.located)))
    return descriptors


def deviation(graph: Graph, mean: Value, square: Value) -> Value:
    """Deviations, of means and mean squares."""
    variance = graph("Relu", graph("Sub", square, graph("Mul", mean, mean)))
    return graph("Sqrt", graph("Add", variance, graph.constant(1e-6)))


def lite0_block(graph: Graph, block: nn.Module, x: Value) -> Value:
    """A block of Lite0."""
    if not isinstance(block, Block):
        raise TypeError(f"no rule makes a graph of {type(block).__name__}")
    result = chain(graph, block.layers, x)
    return graph("Add", result, x) if block.skip else result


def _region_means(graph: Graph, cells: Value, channels: int) -> Value:
    """Cells (N, C, 7, 7) -> (N, 9 C, 1, 1): see :func:`photodefect.core.network.compact.region_means`."""
    shares = compact.region_means(torch.eye(WINDOW**2).reshape(1, -1, WINDOW, WINDOW))[0]
    flat = graph("Reshape", cells, graph.constant([0, channels, -1], np.int64))
    by_channel = graph("MatMul", flat, graph.constant(shares.T.numpy()))
    by_region = graph("Transpose", by_channel, perm=[0, 2, 1])
    return graph("Reshape", by_region, graph.constant([0, compact_trunk.REGIONS * channels, 1, 1], np.int64))


def compact_logits(graph: Graph, column: compact.CompactColumn, descriptors: Value, *, in_a_row: bool = False) -> Value:
    """Class logits (N, K): see :meth:`photodefect.core.network.compact.CompactColumn.classify_descriptors`.

    Args:
        graph: that the nodes are added to.
        column: whose experts.
        descriptors: (N, D, 1, 1).
        in_a_row: the descriptors are (1, D, 1, N), from which many are computed much faster.
    """
    synthesis, *others = (
        graph("Softmax", graph("Flatten", _expert_logits(graph, expert, descriptors, in_a_row)), axis=1)
        for expert in column.taught()
    )
    _, *shares = graph.many("Split", [graph.weight(column.shares)], len(column.teachers), axis=0)
    if column.yields is not None:
        found = _expectation(graph, column.expert("synthesis").defect, synthesis)
        left = graph("Div", graph("Sub", graph.constant(1.0), found), graph.constant(1 - column.yields))
        left = graph("Min", left, graph.constant(1.0))
        shares = [graph("Mul", share, left) for share in shares]
    of_others = graph("Sum", *shares) if len(shares) > 1 else shares[0]
    mixed = graph("Mul", graph("Sub", graph.constant(1.0), of_others), synthesis)
    for share, other in zip(shares, others, strict=True):
        mixed = graph("Add", mixed, graph("Mul", share, other))
    return graph("Log", graph("Max", mixed, graph.constant(compact.LEAST_SHARE)))


def _expert_logits(graph: Graph, expert: compact.Expert, descriptors: Value, in_a_row: bool) -> Value:
    seen = graph("Gather", descriptors, graph.constant(expert.seen.numpy(), np.int64), axis=1)
    centred = graph("Sub", seen, graph.weight(expert.centre))
    standardized = graph("Div", centred, graph.weight(expert.deviation))
    clipped = graph("Clip", standardized, graph.constant(-compact.EXTREME), graph.constant(compact.EXTREME))
    outputs = convolution(graph, expert.classes, graph("Relu", convolution(graph, expert.hidden, clipped)))
    if in_a_row:
        outputs = graph("Transpose", outputs, perm=[3, 1, 0, 2])
    return _plane_class_logits(graph, expert.defect, outputs) if expert.in_plane else outputs


def _plane_class_logits(graph: Graph, defect: Defect, logits: Value) -> Value:
    """See :func:`photodefect.core.network.direction_planes.class_logits`: (N, P, 1, 1) -> (N, K)."""
    means = graph("MatMul", graph("Softmax", graph("Flatten", logits), axis=1), graph.constant(GRID_POINTS))
    distances = graph("ReduceL2", means, axes=[1], keepdims=1)
    away = graph("Sub", distances, graph.constant([defect.class_centres]))
    return graph("Mul", graph("Mul", away, away), graph.constant(-1 / (2 * SPREAD**2)))
