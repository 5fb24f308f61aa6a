"""Makes the graphs that come with photodefect: ``python -m photodefect.engines.export``.

To be run when the layers of a network change. Weights don't matter: see :mod:`photodefect.engines.graph_files`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path

from photodefect.core.network.multicolumn import INPUT_SIDE
from photodefect.core.network.registry import KINDS, NETWORKS, build_network
from photodefect.engines.graph_files import FOLDER, graph_file, shapes_file
from photodefect.engines.network_graphs import network_graph


def export(folder: Path = FOLDER) -> list[Path]:
    """Write the graphs of all networks.

    Returns:
        The files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for network, builder in NETWORKS.items():
        for kind in KINDS:
            side = INPUT_SIDE if kind == "holistic" else builder.patch_side
            graph = network_graph(build_network(network, kind).eval(), side)
            files += [folder / graph_file(network, kind), folder / shapes_file(network, kind)]
            files[-2].write_bytes(graph.model.SerializeToString(deterministic=True))
            files[-1].write_text(_shapes_text(graph.weights), encoding="utf-8")
    return files


def _shapes_text(shapes: Mapping[str, tuple[int, ...]]) -> str:
    """JSON with the tensors of a layer on one line: short enough to be read, and a change shows in few lines."""
    layers = groupby(shapes, lambda name: name.rsplit(".", 2)[0])
    lines = (", ".join(f"{json.dumps(name)}: {json.dumps(shapes[name])}" for name in names) for _, names in layers)
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    for written in export():
        print(written)
