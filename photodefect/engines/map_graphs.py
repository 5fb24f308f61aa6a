"""Heat maps as ONNX graphs: the stages of a trunk over tiles of any size, and the columns over all cells of a map."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper

from photodefect.core.network import compact_trunk
from photodefect.core.network.multicolumn import MultiColumnNetwork
from photodefect.core.network.stages import TrunkStage
from photodefect.core.network.statistics import CELL
from photodefect.engines.graph import Graph, Value
from photodefect.engines.graph_files import CARRIED, DESCRIPTORS, FEATURES, INPUT, MapColumns, MapGraphs, MapStage
from photodefect.engines.network_graphs import compact_severities, deviation, lite0_block, lite0_stem
from photodefect.engines.statistics_graph import statistics

GROUPS = ("coarse", "fine")
"""Defects whose maps are made together, by whether they sit in the finest detail."""

SIDES: Final = (480, 1536, 2048)
"""Of the stages' tiles, in pixels: with its surroundings, a tile of the first takes forty megabytes. Twice as many
megabytes would save an eighth of that stage's time."""


class MadeMapGraphs(NamedTuple):
    """The graphs of a network's maps, without its weights.

    Attributes:
        models: by the names of their files.
        plan: what there is to know of them.
    """

    models: dict[str, onnx.ModelProto]
    plan: MapGraphs


def map_graphs(name: str, network: MultiColumnNetwork) -> MadeMapGraphs:
    """Make the graphs of the maps of a network that is not folded.

    Args:
        name: of the network, which files are called by.
        network: its patch network.

    Raises:
        TypeError: no rule makes graphs of its maps.
    """
    trunk = network.trunk
    if not isinstance(trunk, compact_trunk.CompactTrunk):
        raise TypeError(f"no rule makes graphs of the maps of {type(trunk).__name__}")
    models: dict[str, onnx.ModelProto] = {}
    stages: list[MapStage] = []
    channels = 3
    for index, (stage, (start, stop, _)) in enumerate(zip(trunk.stages(), compact_trunk.STAGES, strict=False)):
        file = f"{name}-maps-{index + 1}.onnx"
        graph = Graph(network)
        blocks = range(start, min(stop, trunk.lite0.stop))
        models[file], parts = _stage(graph, trunk, stage, blocks, channels)
        field = stage.receptive_field
        stages.append(
            MapStage(
                file,
                graph.names,
                parts,
                source_stride=stage.source_stride,
                carries=stage.carries,
                stride=field.stride,
                lead=field.lead,
                trail=field.trail,
                side=SIDES[index],
            )
        )
        channels = stage.carries
    columns: list[MapColumns] = []
    for group in GROUPS:
        file = f"{name}-maps-{group}.onnx"
        graph = Graph(network)
        defects = [defect for defect in network.defects if defect.fine == (group == "fine")]
        models[file] = _columns(graph, network, trunk, [defect.key for defect in defects])
        windows = tuple(network.column(defect.key).map_window for defect in defects)
        columns.append(MapColumns(file, graph.names, tuple(defect.key for defect in defects), windows))
    return MadeMapGraphs(models, MapGraphs(trunk.outputs, tuple(stages), tuple(columns)))


def _stage(
    graph: Graph, trunk: compact_trunk.CompactTrunk, stage: TrunkStage, blocks: range, channels: int
) -> tuple[onnx.ModelProto, tuple[tuple[int, int], ...]]:
    """The graph of a stage of some blocks that takes so many channels; and its parts of the trunk's output."""
    lite0 = trunk.lite0
    if blocks.start:
        inputs = helper.make_tensor_value_info(CARRIED, TensorProto.FLOAT, ["N", channels, "h", "w"])
        x, rgb = CARRIED, None
    else:
        inputs = helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["N", "h", "w", 3])
        rgb = graph("Transpose", graph("Cast", INPUT, to=TensorProto.FLOAT), perm=[0, 3, 1, 2])
        x = lite0_stem(graph, lite0, rgb)
    means: list[Value] = []
    squares: list[Value] = []
    first: list[tuple[int, int]] = []
    for index in blocks:
        x = lite0_block(graph, lite0.block(index), x)
        if index in lite0.taps:
            side = CELL // lite0.strides[index]
            for cells, values in ((means, x), (squares, graph("Mul", x, x))):
                cells.append(graph("AveragePool", values, kernel_shape=[side, side], strides=[side, side]))
            first.append((_first(trunk, index), lite0.channels[index]))
    parts = [*first, *((trunk.tapped + place, count) for place, count in first)]
    features = [*means, *squares]
    if rgb is not None:
        features.append(statistics(graph, rgb, by_cell=True))
        parts.append((2 * trunk.tapped, trunk.statistics.count))
    total = sum(count for _, count in parts)
    results = [
        (
            graph("Concat", *features, axis=1),
            helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, ["N", total, "rows", "columns"]),
        )
    ]
    if stage.carries:
        info = helper.make_tensor_value_info(
            f"next {CARRIED}", TensorProto.FLOAT, ["N", stage.carries, "down", "across"]
        )
        results.append((x, info))
    return graph.model(inputs, *results), tuple(parts)


def _first(trunk: compact_trunk.CompactTrunk, tap: int) -> int:
    """The first of a tap's means among the trunk's output."""
    return sum(trunk.lite0.channels[before] for before in trunk.lite0.taps if before < tap)


def _columns(
    graph: Graph, network: MultiColumnNetwork, trunk: compact_trunk.CompactTrunk, keys: list[str]
) -> onnx.ModelProto:
    """The graph of some columns: window averages of the trunk's output, (1, C, 1, N), to severities, (N, D)."""
    sizes = graph.constant([trunk.tapped, trunk.tapped, trunk.statistics.count], np.int64)
    mean, square, others = graph.many("Split", [DESCRIPTORS, sizes], 3, axis=1)
    descriptors = graph("Concat", mean, deviation(graph, mean, square), others, axis=1)
    return graph.model(
        helper.make_tensor_value_info(DESCRIPTORS, TensorProto.FLOAT, [1, trunk.outputs, 1, "N"]),
        (
            compact_severities(graph, network, keys, descriptors, in_a_row=True),
            helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, ["N", len(keys)]),
        ),
    )
