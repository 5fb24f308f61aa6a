"""Photos in memory and a network of a few weights, to train on in no time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from photodefect.core.network.multicolumn import Column, InputNormalization, MultiColumnNetwork
from photodefect.core.network.registry import Kind, NetworkBuilder
from photodefect.defects import DEFECTS, PATCH_DEFECTS, Defect
from photodefect.errors import UnreadableError
from photodefect.photos.decode import Decoder, decode_pixels
from photodefect.training.photo_sets import TrainingPhoto


class TinyColumn(Column):
    """One convolution with batch norm, dropout and the classes."""

    def __init__(self, defect: Defect) -> None:
        super().__init__()
        self.convolution = nn.Sequential(nn.Conv2d(4, 6, 1), nn.BatchNorm2d(6), nn.ReLU())
        self.dropout = nn.Dropout(0.5)
        self.classes = nn.Conv2d(6, defect.class_count, 1)

    def local(self, features: Tensor) -> Tensor:
        result: Tensor = self.convolution(features)
        return result

    def classify(self, pooled: Tensor) -> Tensor:
        result: Tensor = self.classes(self.dropout(pooled))
        return result


def tiny_network(kind: str = "holistic", seed: int = 0) -> MultiColumnNetwork:
    """Means over 32x32 pixels, four channels, one column a defect."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        trunk = nn.Sequential(nn.AvgPool2d(32), nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU())
        defects = DEFECTS if kind == "holistic" else PATCH_DEFECTS
        columns = {defect.key: TinyColumn(defect) for defect in defects}
        return MultiColumnNetwork(InputNormalization("rgb", (127.0, 127.0, 127.0), 1 / 128), trunk, columns)


@dataclass
class MemoryPhotos:
    """Photos that are arrays.

    Attributes:
        photos: (H, W, 3) each; None stands for a file that can't be decoded.
        severities: (N, 7).
        given: votes by defect key.
        loads: how often each photo was decoded.
    """

    photos: Sequence[NDArray[np.uint8] | None]
    severities: NDArray[np.float64]
    given: dict[str, list[Sequence[float]]] = field(default_factory=dict)
    loads: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.digests = [f"{index:04d}" for index in range(len(self.photos))]
        self.representative = np.ones(len(self.photos), dtype=np.bool_)
        self.identity = "in memory"

    def path(self, index: int) -> Path:
        return Path(f"{index}.jpg")

    def votes(self, defect: Defect) -> list[Sequence[float]] | None:
        return self.given.get(defect.key)

    def load(self, index: int, decoder: Decoder = decode_pixels) -> TrainingPhoto:  # noqa: ARG002
        self.loads.append(index)
        pixels = self.photos[index]
        if pixels is None:
            raise UnreadableError("it is damaged")
        return TrainingPhoto(pixels, self.severities[index])


def grey_photos(count: int = 8, side: int = 32) -> MemoryPhotos:
    """Photos of one grey each; photo i is the brighter, the higher i is, and all its severities are i / count."""
    levels = np.arange(count) / count
    photos = [np.full((side, side, 3), round(level * 255), dtype=np.uint8) for level in levels]
    return MemoryPhotos(photos, np.repeat(levels[:, None], len(DEFECTS), axis=1))


def tiny_builder() -> NetworkBuilder:
    """Stands for lite0 in the registry, where a test is about all but the network."""

    def build(kind: Kind) -> tuple[nn.Module, dict[str, Column]]:
        network = tiny_network(kind)
        return network.trunk, {defect.key: network.column(defect.key) for defect in network.defects}

    return NetworkBuilder("lite0", "tiny", build, {"channels": "rgb", "mean": (127.0, 127.0, 127.0), "scale": 1 / 128})
