"""Features of the frozen trunks, averaged over nine regions of the window.

Any window made of whole regions, the full one included, follows from these averages.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from photodefect.core.network.layers import fold_batch_norms
from photodefect.core.network.multicolumn import WINDOW, MultiColumnNetwork
from photodefect.core.network.registry import KINDS, Kind, build_network
from photodefect.core.network.stages import network_stages
from photodefect.training.imagenet import load_imagenet_trunk

EDGES: Final = (0, 2, 5, WINDOW)
"""Cells at which the window is cut, along each side."""

AREAS: Final = tuple(
    (EDGES[row + 1] - EDGES[row]) * (EDGES[column + 1] - EDGES[column]) for row in range(3) for column in range(3)
)
"""Cells in each of the nine regions, row by row; they sum to 49."""


def region_means(features: Tensor) -> Tensor:
    """Trunk features (N, C, 7, 7) -> means over the nine regions (N, 9, C)."""
    rows = [features[:, :, EDGES[i] : EDGES[i + 1]].mean(2) for i in range(3)]
    regions = [row[:, :, EDGES[j] : EDGES[j + 1]].mean(2) for row in rows for j in range(3)]
    return torch.stack(regions, 1)


Trunks: TypeAlias = Mapping[Kind, MultiColumnNetwork]
"""The frozen networks by kind."""


def frozen_trunks() -> Trunks:
    """The compact networks with their ImageNet trunks, folded, for feature extraction on one thread."""
    trunks: dict[Kind, MultiColumnNetwork] = {}
    for kind in KINDS:
        network = build_network("lite0", kind)
        load_imagenet_trunk(network.trunk.lite0)  # type: ignore[arg-type]
        network.eval()
        fold_batch_norms(network)
        trunks[kind] = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return trunks


def region_features(
    network: MultiColumnNetwork, inputs: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.float16]]:
    """Inputs (N, 224, 224, 3) -> region means (N, 9, C), and what the last stage takes, (N, c, 14, 14)."""
    chain, outputs = network_stages(network)
    features = torch.empty(len(inputs), outputs, WINDOW, WINDOW)
    carried: list[Tensor] = [torch.from_numpy(inputs).permute(0, 3, 1, 2)]
    with torch.inference_mode():
        for stage in chain:
            output = stage.run(carried[-1])
            for first, part in output.features.items():
                features[:, first : first + part.shape[1]] = part
            if output.carried is not None:
                carried.append(output.carried)
        return region_means(features).numpy(), carried[-1].half().numpy()
