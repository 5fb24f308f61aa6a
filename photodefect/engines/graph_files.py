"""The graphs that come with photodefect, in ``graphs/``: one for each network, without weights.

A graph is the networks' layers and nothing else; it takes the weights of a model by the names that they have in the
weights' file. So none has to be made when weights change, nor for a model that a person imports or trains. They are
made anew when the layers change, by ``python -m photodefect.engines.export``; a test compares.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from photodefect.core.network.registry import Kind
from photodefect.errors import ModelError

FOLDER: Final = Path(__file__).parent / "graphs"

INPUT: Final = "inputs"
"""Name of what a graph takes: (N, side, side, 3), uint8, RGB."""

OUTPUT: Final = "severities"
"""Name of what it gives: (N, D)."""

ORDER: Final = "normalization.order"
"""Name of the order of channels that the trunk wants, as indices of RGB, (3,), int64."""

MEAN: Final = "normalization.mean"
"""Name of what is subtracted, in that order, (1, 3, 1, 1)."""

SCALE: Final = "normalization.scale"
"""Name of what is multiplied after that, (1, 1, 1, 1)."""


CARRIED: Final = "carried"
"""Name of what a stage of a map takes from the one before: (N, C, h, w)."""

FEATURES: Final = "features"
"""Name of what a stage gives: its parts of the trunk's output, (N, P, h, w)."""

DESCRIPTORS: Final = "window averages"
"""Name of what the columns of maps take: averages of the trunk's output, (1, C, 1, N)."""


@dataclass(frozen=True)
class MapStage:
    """A stage of a trunk as a graph: see :class:`photodefect.core.network.stages.TrunkStage`.

    Attributes:
        file: of the graph. It gives :data:`FEATURES`, and what it carries on as a second result.
        weights: names of the tensors that it has to be given.
        parts: first channel and number of channels of each of the trunk's outputs that it gives, in order.
        source_stride: pixels between two positions of what it takes.
        carries: channels of what it carries on; 0 for the last stage.
        stride: pixels between two positions of that.
        lead: pixels beyond its own that a tile needs on its left and top.
        trail: likewise on its right and bottom.
        side: of a tile, in pixels.
    """

    file: str
    weights: tuple[str, ...]
    parts: tuple[tuple[int, int], ...]
    source_stride: int
    carries: int
    stride: int
    lead: int
    trail: int
    side: int


@dataclass(frozen=True)
class MapColumns:
    """Some columns as one graph.

    Attributes:
        file: of the graph.
        weights: names of the tensors that it has to be given.
        keys: of the defects, in the order of what it gives.
        windows: cells that the map of each averages.
    """

    file: str
    weights: tuple[str, ...]
    keys: tuple[str, ...]
    windows: tuple[int, ...]


@dataclass(frozen=True)
class MapGraphs:
    """The graphs of a network's maps.

    Attributes:
        outputs: channels of the trunk.
        stages: first to last.
        columns: all of the network's.
    """

    outputs: int
    stages: tuple[MapStage, ...]
    columns: tuple[MapColumns, ...]

    def to_json(self) -> dict[str, object]:
        """What :func:`read_map_graphs` reads."""
        return asdict(self)


def has_map_graphs(network: str) -> bool:
    """Whether a network, by its name in the registry, has graphs of its maps."""
    return (FOLDER / maps_file(network)).is_file()


def maps_file(network: str) -> str:
    """The name of the file, JSON, that says what graphs of maps there are."""
    return f"{network}-maps.json"


def read_map_graphs(network: str) -> MapGraphs:
    """What graphs of maps a network has.

    Raises:
        ModelError: the file can't be read.
    """
    plan = json.loads(read_file(maps_file(network)))
    return MapGraphs(
        plan["outputs"],
        tuple(
            MapStage(**_tuples(stage) | {"parts": tuple((first, count) for first, count in stage["parts"])})
            for stage in plan["stages"]
        ),
        tuple(MapColumns(**_tuples(columns)) for columns in plan["columns"]),
    )


def read_file(name: str) -> bytes:
    """A file of a graph, or about one.

    Raises:
        ModelError: it can't be read.
    """
    try:
        return (FOLDER / name).read_bytes()
    except OSError as error:
        raise ModelError(f"{FOLDER / name}: can't be read: {error}; install photodefect again") from error


def _tuples(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}


def has_graphs(network: str) -> bool:
    """Whether a network, by its name in the registry, has graphs."""
    return (FOLDER / graph_file(network, "holistic")).is_file()


def graph_file(network: str, kind: Kind) -> str:
    """The name of a graph's file."""
    return f"{network}-{kind}.onnx"


def shapes_file(network: str, kind: Kind) -> str:
    """The name of the file, JSON, that says the shape of each tensor that a graph has to be given."""
    return f"{network}-{kind}.json"


def read_graph(network: str, kind: Kind) -> tuple[bytes, dict[str, tuple[int, ...]]]:
    """A graph, and the shapes of the tensors it has to be given.

    Raises:
        ModelError: it can't be read.
    """
    shapes = json.loads(read_file(shapes_file(network, kind)))
    return read_file(graph_file(network, kind)), {name: tuple(shape) for name, shape in shapes.items()}
