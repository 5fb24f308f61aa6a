"""The interface of an engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from photodefect.core.network.registry import Kind


class Engine(Protocol):
    """Computes the scores of network inputs, with one model on one device."""

    def scores(self, kind: Kind, inputs: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Score inputs of one or several photos.

        Args:
            kind: which of the model's two networks: "holistic" (all seven defects) or "patches" (all but composition).
            inputs: (N, side, side, 3), RGB, N >= 1; the side of a whole photo is 224, that of patches their network's.

        Returns:
            By defect key, (N,): the expectation over the severity classes (section 4.2), before the model's
            combination and calibration. An input's score is the same in whatever batch it comes, but for the order
            of floating-point sums.
        """
        ...
