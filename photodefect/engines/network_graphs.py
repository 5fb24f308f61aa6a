"""The networks as ONNX graphs: uint8 pixels in, severities out."""

from __future__ import annotations

from collections.abc import Sequence
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
    trunk = network.trunk
    if isinstance(trunk, compact_trunk.CompactTrunk):
        descriptors = _compact_descriptors(graph, trunk, rgb)
        severities = compact_severities(graph, network, [defect.key for defect in network.defects], descriptors)
    elif isinstance(trunk, googlenet.GoogLeNetTrunk):
        features = _inception_chain(graph, trunk.blocks, chain(graph, trunk.stem, _normalized(graph, rgb)))
        each = [_severity(graph, defect, network.column(defect.key), features) for defect in network.defects]
        severities = graph("Concat", *each, axis=1)
    else:
        raise TypeError(f"no rule makes a graph of {type(trunk).__name__}")
    model = graph.model(
        helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["N", side, side, 3]),
        (severities, helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["N", len(network.defects)])),
    )
    return NetworkGraph(model, graph.weights)


def _normalized(graph: Graph, rgb: Value) -> Value:
    """RGB (N, 3, h, w) in 0..255 -> what a trunk wants."""
    ordered = graph("Gather", rgb, graph.given(ORDER, (3,), TensorProto.INT64), axis=1)
    centred = graph("Sub", ordered, graph.given(MEAN, (1, 3, 1, 1)))
    return graph("Mul", centred, graph.given(SCALE, (1, 1, 1, 1)))


# The paper's network


def _severity(graph: Graph, defect: Defect, column: Column, features: Value) -> Value:
    """Features of the trunk -> expectation over the classes of a defect (N, 1)."""
    if not isinstance(column, googlenet.GoogLeNetColumn):
        raise TypeError(f"no rule makes a graph of {type(column).__name__}")
    pooled = graph("GlobalAveragePool", _inception_chain(graph, column.blocks, features))
    logits = convolution(graph, column.classes, graph("Relu", convolution(graph, column.hidden, pooled)))
    probabilities = graph("Softmax", graph("Flatten", logits), axis=1)
    return graph("MatMul", probabilities, graph.constant(np.array(defect.class_centres)[:, np.newaxis]))


def _inception_chain(graph: Graph, blocks: nn.Sequential, x: Value) -> Value:
    for block in blocks.children():
        if not isinstance(block, googlenet.Block):
            raise TypeError(f"no rule makes a graph of {type(block).__name__}")
        x = graph("Concat", *(layer_of(graph, branch, x) for branch in block.branches.values()), axis=1)
    return x


# The compact network


def _compact_descriptors(graph: Graph, trunk: compact_trunk.CompactTrunk, rgb: Value) -> Value:
    """Descriptors of the whole input: see :meth:`photodefect.core.network.compact.CompactColumn.describe`.

    Those of regions are of a network that sees all of a window of 7 x 7 cells.
    """
    own, taken = trunk.own, trunk.shared_blocks
    x = lite0_stem(graph, trunk.lite0, rgb)
    carried, early = _blocks(graph, trunk.lite0, x, 0, taken)
    _, late = _blocks(graph, trunk.lite0, carried, taken, trunk.lite0.stop)
    told = statistics(graph, rgb)
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


def lite0_stem(graph: Graph, lite0: Lite0, rgb: Value) -> Value:
    """The first layer of Lite0, of RGB (N, 3, h, w) in 0..255, and what that wants first.

    Order and scale of the channels are made part of its weights, when a graph is opened, and only the mean is left to
    be taken off each pixel. An order is that of RGB or its reverse, which takes itself back.
    """
    order = graph.given(ORDER, (3,), TensorProto.INT64)
    mean = graph("Gather", graph.given(MEAN, (1, 3, 1, 1)), order, axis=1)
    scale = graph.given(SCALE, (1, 1, 1, 1))
    weight = graph("Mul", graph("Gather", graph.weight(lite0.stem.conv.weight), order, axis=1), scale)
    return conv_norm(graph, lite0.stem, graph("Sub", rgb, mean), weight)


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


def compact_severities(
    graph: Graph, network: MultiColumnNetwork, keys: Sequence[str], descriptors: Value, *, in_a_row: bool = False
) -> Value:
    """Severities (N, D): see :meth:`photodefect.core.network.compact.CompactColumn.classify_descriptors`.

    Probabilities are mixed by shares, so their expectations are mixed by the same shares. What all experts do is done
    for all of them at once: a node takes microseconds beside what it computes, and when a graph is opened.

    Args:
        graph: that the nodes are added to.
        network: whose columns.
        keys: of their defects.
        descriptors: (N, F, 1, 1).
        in_a_row: the descriptors are (1, F, 1, N), from which many are computed much faster.

    Raises:
        TypeError: no rule makes a graph of the columns.
    """
    columns = []
    for key in keys:
        column = network.column(key)
        if not isinstance(column, compact.CompactColumn):
            raise TypeError(f"no rule makes a graph of {type(column).__name__}")
        columns.append(column)
    teachers = columns[0].teachers
    experts = [column.expert(teacher) for teacher in teachers for column in columns]
    outputs = [
        convolution(graph, expert.classes, graph("Relu", convolution(graph, expert.hidden, seen)))
        for expert, seen in zip(experts, _standardized(graph, experts, descriptors, apart=in_a_row), strict=True)
    ]
    found = _expectations(graph, experts, outputs, in_a_row=in_a_row)
    synthesis, *others = graph.many("Split", [found], len(teachers), axis=1)
    shares = graph("Concat", *(graph.weight(column.shares) for column in columns), axis=0)
    by_column = graph("Reshape", shares, graph.constant([len(columns), len(teachers)], np.int64))
    part = None
    if any(column.yields is not None for column in columns):
        left = graph("Sub", graph.constant(1.0), synthesis)
        # Where nothing yields it is as if nothing had been found.
        lines = [(0.0, 1.0) if column.yields is None else column.yields.line() for column in columns]
        slopes, intercepts = zip(*lines, strict=True)
        part = graph("Add", graph("Mul", left, graph.constant(slopes)), graph.constant(intercepts))
        part = graph("Min", part, graph.constant(1.0))
    mixed = synthesis
    for index, other in enumerate(others, 1):
        share = graph("Gather", by_column, graph.constant(index, np.int64), axis=1)
        if part is not None:
            share = graph("Mul", share, part)
        mixed = graph("Add", mixed, graph("Mul", share, graph("Sub", other, synthesis)))
    return mixed


def _standardized(
    graph: Graph, experts: Sequence[compact.Expert], descriptors: Value, *, apart: bool
) -> Sequence[Value]:
    """What each expert sees, standardized: (N, D, 1, 1) each.

    Args:
        graph: that the nodes are added to.
        experts: all of them.
        descriptors: of the trunk.
        apart: for one expert after the other, which takes less memory where there are many inputs.
    """
    if apart and len(experts) > 1:
        return [_standardized(graph, [expert], descriptors, apart=True)[0] for expert in experts]
    views: dict[bytes, Value] = {}
    seen = []
    for expert in experts:
        which = expert.seen.numpy()
        if which.tobytes() not in views:
            views[which.tobytes()] = graph("Gather", descriptors, graph.constant(which, np.int64), axis=1)
        seen.append(views[which.tobytes()])
    centre = _side_by_side(graph, [graph.weight(expert.centre) for expert in experts])
    deviation = _side_by_side(graph, [graph.weight(expert.deviation) for expert in experts])
    standardized = graph("Div", graph("Sub", _side_by_side(graph, seen), centre), deviation)
    clipped = graph("Clip", standardized, graph.constant(-compact.EXTREME), graph.constant(compact.EXTREME))
    if len(experts) == 1:
        return [clipped]
    sizes = graph.constant([len(expert.seen) for expert in experts], np.int64)
    return graph.many("Split", [clipped, sizes], len(experts), axis=1)


def _expectations(
    graph: Graph, experts: Sequence[compact.Expert], outputs: Sequence[Value], *, in_a_row: bool
) -> Value:
    """Outputs of each expert, (N, K or P, 1, 1) or in a row -> expectations over their classes (N, experts).

    For those of a plane see :func:`photodefect.core.network.direction_planes.class_logits`.
    """
    alike: dict[tuple[bool, int], list[int]] = {}
    for index, expert in enumerate(experts):
        alike.setdefault((expert.in_plane, expert.defect.class_count), []).append(index)
    found = []
    for (in_plane, classes), members in alike.items():
        logits = _side_by_side(graph, [outputs[index] for index in members])
        if in_a_row:
            logits = graph("Transpose", logits, perm=[3, 1, 0, 2])
        width = len(GRID_POINTS) if in_plane else classes
        shape = graph.constant([0, len(members), width], np.int64)
        shares = graph("Softmax", graph("Reshape", logits, shape), axis=2)
        centres = graph.constant([experts[index].defect.class_centres for index in members])
        if in_plane:
            means = graph("MatMul", shares, graph.constant(GRID_POINTS))
            away = graph("Sub", graph("ReduceL2", means, axes=[2], keepdims=1), centres)
            near = graph("Mul", graph("Mul", away, away), graph.constant(-1 / (2 * SPREAD**2)))
            shares = graph("Softmax", near, axis=2)
        products = graph("Mul", shares, centres)
        found.append(graph("ReduceSum", products, graph.constant([2], np.int64), keepdims=0))
    order = np.argsort([index for members in alike.values() for index in members])
    return graph("Gather", _side_by_side(graph, found), graph.constant(order, np.int64), axis=1)


def _side_by_side(graph: Graph, values: Sequence[Value]) -> Value:
    """Channels of several values, one after the other."""
    return graph("Concat", *values, axis=1) if len(values) > 1 else values[0]
