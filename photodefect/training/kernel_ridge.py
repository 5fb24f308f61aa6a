"""Kernel ridge regression of votes on descriptors, which teaches the experts of whole photos."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import solve
from torch import Tensor

from photodefect.core.network.compact import EXTREME
from photodefect.defects import DEFECTS
from photodefect.training.experts import standardization

CHUNK: Final = 4096
"""Pictures that are compared with the rated ones at once."""


@dataclass(frozen=True)
class KernelRecipe:
    """How severities are regressed.

    Attributes:
        width: of the Gaussian kernel, exp(-width d^2): d^2 is the mean square of differences of standardized
            descriptors.
        penalty: on the coefficients; the noise of the votes beside what the kernel explains.
        most: of more rated photos so many are drawn: eight thousand take half a gigabyte.
    """

    width: float = 0.7
    penalty: float = 0.4
    most: int = 8000


class KernelRidge:
    """Severities by likeness to rated photos (Saunders et al. 1998).

    Args:
        descriptors: of the rated photos, (M, F).
        severities: of these, (M, 7), NaN where unknown.
        recipe: see there.
    """

    def __init__(self, descriptors: Tensor, severities: NDArray[np.float32], recipe: KernelRecipe) -> None:
        if len(descriptors) > recipe.most:
            drawn = np.sort(np.random.default_rng(0).permutation(len(descriptors))[: recipe.most])
            descriptors, severities = descriptors[torch.from_numpy(drawn)], severities[drawn]
        self._centre, self._deviation = (part.flatten() for part in standardization(descriptors))
        self._width = recipe.width
        self._rated = self._standardized(descriptors)
        self._coefficients = np.zeros(severities.shape)
        self._means = np.zeros(severities.shape[1])
        penalized = self._likeness(self._rated)
        penalized[np.diag_indices(len(penalized))] += recipe.penalty
        known = ~np.isnan(severities)
        for rows in np.unique(known[:, known.any(0)], axis=1).T:
            columns = np.flatnonzero((rows == known.T).all(1))
            own = severities[np.ix_(rows, columns)].astype(np.float64)
            self._means[columns] = own.mean(0)
            kernel = penalized if rows.all() else penalized[np.ix_(rows, rows)]
            self._coefficients[np.ix_(rows, columns)] = solve(kernel, own - own.mean(0), assume_a="pos")

    def severities(self, descriptors: Tensor) -> NDArray[np.float32]:
        """Descriptors (N, F) -> severities (N, 7), within the range of each defect."""
        lowest, highest = [defect.lowest for defect in DEFECTS], [defect.class_centres[-1] for defect in DEFECTS]
        found = [
            self._likeness(self._standardized(chunk)) @ self._coefficients + self._means
            for chunk in torch.split(descriptors, CHUNK)
        ]
        return np.clip(np.concatenate(found), lowest, highest).astype(np.float32)

    def _standardized(self, descriptors: Tensor) -> Tensor:
        return ((descriptors.float() - self._centre) / self._deviation).clamp(-EXTREME, EXTREME)

    def _likeness(self, standardized: Tensor) -> NDArray[np.float64]:
        """To the rated photos, (N, M)."""
        apart = torch.cdist(standardized, self._rated).square() / standardized.shape[1]
        return torch.exp(-self._width * apart).double().numpy()
