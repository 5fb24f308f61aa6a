"""The multi-column network of section 4.1: one shared trunk, then one column a defect.

Every network of photodefect has this form, whatever its trunk. A column works in three steps, so that the same
weights give one score for a 224x224 input and a map for a larger one (section 5.3):

1. ``local``: fully convolutional, trunk features -> features at stride 32;
2. ``pool``: average over the window of 7x7 cells that a 224x224 input has;
3. ``classify``: 1x1 convolutions, pooled features -> class logits, at every position.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from photodefect.core.network.cells import WINDOW
from photodefect.defects import BY_KEY, Defect


class InputNormalization(nn.Module):
    """RGB in 0..255 -> what a trunk was trained on.

    Args:
        channels: "rgb" or "bgr", the order the trunk wants.
        mean: subtracted, per channel in that order, in 0..255.
        scale: multiplied after that.
    """

    def __init__(self, channels: str, mean: Sequence[float], scale: float) -> None:
        super().__init__()
        if channels not in ("rgb", "bgr"):
            raise ValueError(f"channels must be rgb or bgr, not {channels!r}")
        self.channels = channels
        self.scale = scale
        self.mean: Tensor
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).reshape(1, 3, 1, 1), persistent=False)

    def forward(self, rgb: Tensor) -> Tensor:
        """(N, 3, H, W) RGB, 0..255 -> the same shape, normalized."""
        ordered = rgb.flip(1) if self.channels == "bgr" else rgb
        return (ordered - self.mean) * self.scale


class Column(nn.Module, ABC):
    """The layers that belong to one defect.

    Attributes:
        margin: cells on every side of a cell that :meth:`local` looks at.
        map_window: cells that a heat map averages around each position, odd, unless told otherwise.
    """

    margin: int = 0
    map_window: int = WINDOW

    @abstractmethod
    def local(self, features: Tensor) -> Tensor:
        """Trunk features (N, C, h, w) -> this column's features (N, D, h', w'), fully convolutional."""

    @abstractmethod
    def classify(self, pooled: Tensor) -> Tensor:
        """Pooled features (N, D, h, w) -> class logits (N, K, h, w), position by position."""

    def pool(self, local: Tensor) -> Tensor:
        """Features of a whole input (N, D, h, w) -> (N, D, 1, 1): the mean over all positions."""
        return local.mean((2, 3), keepdim=True)

    def pool_around(self, local: Tensor, window: int) -> Tensor:
        """(N, D, h, w) -> the same shape: the mean of ``window`` cells, odd, around each; none beyond the edge."""
        return functional.avg_pool2d(local, window, stride=1, padding=window // 2, count_include_pad=False)


class MultiColumnNetwork(nn.Module):
    """A shared trunk and one column for each defect it predicts.

    Args:
        normalization: applied to the RGB input first.
        trunk: (N, 3, H, W), normalized -> (N, C, H/32, W/32). A trunk with the attribute ``takes_rgb`` set gets
            the RGB input (0..255) itself as a second argument.
        columns: one column by defect key.
    """

    def __init__(self, normalization: InputNormalization, trunk: nn.Module, columns: Mapping[str, Column]) -> None:
        super().__init__()
        self.normalization = normalization
        self.trunk = trunk
        self.columns = nn.ModuleDict(dict(columns))

    @property
    def defects(self) -> tuple[Defect, ...]:
        """The defects this network predicts, in order."""
        return tuple(BY_KEY[key] for key in self.columns)

    def column(self, key: str) -> Column:
        """The column of one defect.

        Raises:
            KeyError: the network doesn't predict that defect.
        """
        column = self.columns[key]
        if not isinstance(column, Column):
            raise TypeError(f"{key}: not a column")
        return column

    def features(self, rgb: Tensor) -> Tensor:
        """RGB (N, 3, H, W), uint8 or float in 0..255 -> trunk features (N, C, H/32, W/32)."""
        rgb = rgb.float()
        normalized = self.normalization(rgb)
        takes_rgb = getattr(self.trunk, "takes_rgb", False)
        result: Tensor = self.trunk(normalized, rgb) if takes_rgb else self.trunk(normalized)
        return result

    def logits(self, features: Tensor) -> dict[str, Tensor]:
        """Trunk features (N, C, 7, 7) -> class logits (N, K) by defect key."""
        return {defect.key: self.column_logits(features, defect.key) for defect in self.defects}

    def column_logits(self, features: Tensor, key: str) -> Tensor:
        """Trunk features (N, C, 7, 7) -> class logits (N, K) of one defect."""
        column = self.column(key)
        return column.classify(column.pool(column.local(features))).flatten(1)

    def forward(self, rgb: Tensor) -> dict[str, Tensor]:
        """RGB (N, 3, 224, 224), uint8 or float in 0..255 -> class logits (N, K) by defect key."""
        return self.logits(self.features(rgb))

    def severities(self, rgb: Tensor) -> dict[str, Tensor]:
        """RGB (N, 3, 224, 224) -> severity (N,) by defect key: the expectation over the class centres."""
        return {key: expected_severity(BY_KEY[key], logits) for key, logits in self(rgb).items()}

    def map_logits(self, features: Tensor, key: str, window: int = WINDOW) -> Tensor:
        """Class logits of one defect at every position.

        Args:
            features: trunk features of a photo of any size, (N, C, h, w).
            key: the defect.
            window: cells averaged around each position, odd; positions beyond the edge are left out of the mean.

        Returns:
            (N, K, h, w). On the features of a 224x224 input with the classifier's window of 7, the middle
            position equals :meth:`logits`.
        """
        column = self.column(key)
        return column.classify(column.pool_around(column.local(features), window))


def expected_severity(defect: Defect, logits: Tensor) -> Tensor:
    """Sum over the classes of softmax probability x class centre (section 4.2).

    Args:
        defect: whose centres to use.
        logits: (N, K) or (N, K, h, w).

    Returns:
        (N,) or (N, h, w), within the defect's range.
    """
    centres = torch.tensor(defect.class_centres, dtype=logits.dtype, device=logits.device)
    return torch.einsum("nk...,k->n...", logits.softmax(1), centres)
