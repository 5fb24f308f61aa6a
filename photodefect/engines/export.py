"""Makes the graphs that come with photodefect: ``python -m photodefect.engines.export``.

To be run when the layers of a network change. Weights don't matter: see :mod:`photodefect.engines.graph_files`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Final

from photodefect.core.network.cells import INPUT_SIDE
from photodefect.core.network.registry import KINDS, NETWORKS, build_network
from photodefect.engines.graph_files import FOLDER, graph_file, maps_file, shapes_file
from photodefect.engines.map_graphs import map_graphs
from photodefect.engines.network_graphs import network_graph

MAPPED: Final = ("lite0",)
"""Networks whose heat maps have graphs. The paper's takes many times as long anyway, and is left to torch."""


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
        if network in MAPPED:
            made = map_graphs(network, build_network(network, "patches").eval())
            for name, model in made.models.items():
                files.append(folder / name)
                files[-1].write_bytes(model.SerializeToString(deterministic=True))
            files.append(folder / maps_file(network))
            files[-1].write_text(json.dumps(made.plan.to_json(), indent=1) + "\n", encoding="utf-8")
    return files


def _shapes_text(shapes: Mapping[str, tuple[int, ...]]) -> str:
    """JSON with the tensors of a layer on one line: short enough to be read, and a change shows in few lines."""
    layers = groupby(shapes, lambda name: name.rsplit(".", 2)[0])
    lines = (", ".join(f"{json.dumps(name)}: {json.dumps(shapes[name])}" for name in names) for _, names in layers)
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    for written in export():
        print(written)
