"""A batch of samples as a loss takes it, the severities and votes behind it, and the names of the losses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from photodefect.defects import Defect

if TYPE_CHECKING:
    from torch import Tensor

Loss: TypeAlias = Literal["infogain", "euclidean"]
"""The infogain loss of section 4.2, or the Euclidean one of table 2."""


class Batch(NamedTuple):
    """What one step is trained on.

    Attributes:
        inputs: (N, 3, 224, 224) uint8 RGB.
        severities: (N, 7) float32 in the order of ``KEYS``; nan where a sample doesn't count for a defect.
        numbers: (N,) int64, ascending: the number of each sample in the whole batch of the step.
        planned: (N, 7) float32, the severities that the photos were sampled by; nan where not known. Synthesis may end
            at others, which are learnt; a sample weighs as the class does that it was drawn for.
    """

    inputs: Tensor
    severities: Tensor
    numbers: Tensor
    planned: Tensor


class VotedPhotos(Protocol):
    """Photos with severities, and with single votes where people gave them."""

    @property
    def severities(self) -> NDArray[np.float64]:
        """(N, 7) in the order of ``KEYS``, nan where not known: what sampling and class weights are planned by."""
        ...

    def votes(self, defect: Defect) -> list[Sequence[float]] | None:
        """Single votes on each photo, (N,) of any number each; None if there are none for this defect."""
        ...
