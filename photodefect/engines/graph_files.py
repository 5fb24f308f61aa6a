"""The graphs that come with photodefect, in ``graphs/``: one for each network, without weights.

A graph is the networks' layers and nothing else; it takes the weights of a model by the names that they have in the
weights' file. So none has to be made when weights change, nor for a model that a person imports or trains. They are
made anew when the layers change, by ``python -m photodefect.engines.export``; a test compares.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

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
    file = FOLDER / graph_file(network, kind)
    try:
        shapes = json.loads((FOLDER / shapes_file(network, kind)).read_text(encoding="utf-8"))
        return file.read_bytes(), {name: tuple(shape) for name, shape in shapes.items()}
    except OSError as error:
        raise ModelError(f"{file}: can't be read: {error}; install photodefect again") from error
