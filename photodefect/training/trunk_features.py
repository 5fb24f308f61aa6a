"""What the frozen trunks see of pictures: cells averaged over nine regions of the window, and descriptors of the whole.

Any window made of whole regions, the full one included, follows from the averages. Only patches and parts of pictures
are seen through others, so that of the last block, which sees whole photos alone, descriptors are enough. What the
tuned blocks take is kept as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Final, NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from photodefect.core.network.compact import describe, region_means
from photodefect.core.network.compact_trunk import REGION_EDGES, TAPS, CompactTrunk
from photodefect.core.network.layers import fold_batch_norms
from photodefect.core.network.multicolumn import MultiColumnNetwork
from photodefect.core.network.registry import KINDS, Kind, build_network
from photodefect.training.imagenet import load_imagenet_trunk

AREAS: Final = tuple(
    (bottom - top) * (right - left) for top, bottom in pairwise(REGION_EDGES) for left, right in pairwise(REGION_EDGES)
)
"""Cells in each of the nine regions, row by row; they sum to 49."""

Trunks: TypeAlias = Mapping[Kind, MultiColumnNetwork]
"""The frozen networks by kind."""


def frozen_trunks() -> Trunks:
    """The compact networks with their ImageNet trunks, folded, for feature extraction on one thread."""
    trunks: dict[Kind, MultiColumnNetwork] = {}
    for kind in KINDS:
        network = build_network("lite0", kind)
        load_imagenet_trunk(compact_trunk(network))
        network.eval()
        fold_batch_norms(network)
        trunks[kind] = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return trunks


def compact_trunk(network: MultiColumnNetwork) -> CompactTrunk:
    """The trunk of a compact network.

    Raises:
        TypeError: it is another network.
    """
    if not isinstance(network.trunk, CompactTrunk):
        raise TypeError("only the compact network can be trained on cached features")
    return network.trunk


class WholeFeatures(NamedTuple):
    """What the frozen trunk sees of N whole photos.

    Attributes:
        early: (N, 9, D), means by region of the channels that patches have as well.
        late: (N, L), descriptors of the last block, which patches don't have: means, then deviations.
        carried: (N, C, 14, 14), what the block before those that are tuned gives.
    """

    early: NDArray[np.float32]
    late: NDArray[np.float16]
    carried: NDArray[np.float16]


def whole_features(trunks: Trunks, inputs: NDArray[np.uint8]) -> WholeFeatures:
    """What is seen of whole photos (N, 224, 224, 3)."""
    network = trunks["holistic"]
    trunk = compact_trunk(network)
    early, late = _early_channels(trunk), _late_means(trunk)
    with torch.inference_mode():
        rgb = torch.from_numpy(inputs).permute(0, 3, 1, 2).float()
        features, carried = trunk.own_features(network.normalization(rgb), rgb)
        whole = describe(features.mean((2, 3), keepdim=True), trunk.tapped).flatten(1)
        last = torch.cat([whole[:, late], whole[:, trunk.tapped + late]], 1)
        return WholeFeatures(
            region_means(features[:, early]).numpy(), last.half().numpy(), carried.contiguous().half().numpy()
        )


def patch_features(trunks: Trunks, inputs: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Patches (N, 224, 224, 3) -> region means (N, 9, D)."""
    with torch.inference_mode():
        features = trunks["patches"].features(torch.from_numpy(inputs).permute(0, 3, 1, 2))
        return region_means(features).numpy()


def whole_descriptors(trunk: CompactTrunk, early: Tensor, late: Tensor) -> Tensor:
    """Descriptors that patches have (N, D) and those of the last block (N, L), in the trunk's order: (N, F)."""
    joined = early.new_empty(len(early), early.shape[1] + late.shape[1])
    joined[:, _early_channels(trunk)] = early
    means = _late_means(trunk)
    joined[:, torch.cat([means, trunk.tapped + means])] = late
    return joined


def _early_channels(trunk: CompactTrunk) -> Tensor:
    """Channels that patches have as well, (D,): means and squares of the first taps, and statistics."""
    means = torch.arange(trunk.tapped - len(_late_means(trunk)))
    return torch.cat([means, trunk.tapped + means, torch.arange(2 * trunk.tapped, trunk.own.stop)])


def _late_means(trunk: CompactTrunk) -> Tensor:
    """Channels of the means that patches don't have."""
    first = sum(trunk.lite0.channels[tap] for tap in TAPS["patches"])
    return torch.arange(first, trunk.tapped)
