"""Weights of samples under which a defect is independent of the others.

People's photos are noisy where they are dark, blurred where they are noisy, and a blurred one is badly composed as
well; variants drawn as people saw them are so, too. A column that learns from them as they come takes one defect for a
sign of the other. Weighted by p(class) / p(class | the other defects), as in studies of causes by observation
(stabilized weights; Robins, Hernan and Brumback 2000), one tells nothing of the other any more, and none is left out.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from photodefect.defects import DEFECTS, KEYS, Defect

EDGES: Final = (0.05, 0.2, 0.4, 0.65)
"""Severities at which one class ends and the next one begins; the first is of photos without the defect."""

MOST: Final = 5.0
"""Weights lie between one by this and this, or few samples would count for all."""

_DECAY: Final = 1e-4
_ITERATIONS: Final = 60


def independence_weights(severities: NDArray[np.float32], key: str) -> NDArray[np.float32]:
    """How much each sample has to count for a defect to be independent of the others.

    The probability given the others is a multinomial logistic regression on their classes.

    Args:
        severities: (N, 7) in the order of ``KEYS``, NaN where unknown.
        key: the defect's.

    Returns:
        (N,), about 1 in the mean, 1 / :data:`MOST` to :data:`MOST`; 1 where its severity is unknown.
    """
    index = KEYS.index(key)
    classes = [_classes(defect, severities[:, column]) for column, defect in enumerate(DEFECTS)]
    others = [own[:, None] == np.unique(own) for column, own in enumerate(classes) if column != index]
    given = torch.from_numpy(np.concatenate(others, 1).astype(np.float32))
    known = np.flatnonzero(~np.isnan(severities[:, index]))
    counts = np.bincount(classes[index][known])
    target = torch.from_numpy(classes[index][known])
    conditional = _regression(given[known], target, len(counts))[np.arange(len(known)), target].numpy()
    weights = np.ones(len(severities), np.float32)
    weights[known] = np.clip(counts[classes[index][known]] / len(known) / conditional, 1 / MOST, MOST)
    return weights


def _classes(defect: Defect, severities: NDArray[np.float32]) -> NDArray[np.int64]:
    """(N,) -> (N,): 0 for none, then by size; other ones below zero, and one for what is unknown."""
    sizes = np.digitize(np.abs(severities), EDGES)
    if defect.signed:
        sizes = np.where((severities < 0) & (sizes > 0), sizes + len(EDGES), sizes)
    return np.where(np.isnan(severities), -1, sizes)


def _regression(given: torch.Tensor, target: torch.Tensor, classes: int) -> torch.Tensor:
    """Probabilities of the classes, (N, K), of samples (N, F) of known class (N,)."""
    weight = torch.zeros(given.shape[1], classes, requires_grad=True)
    bias = torch.zeros(classes, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=_ITERATIONS)

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        total = functional.cross_entropy(given @ weight + bias, target) + _DECAY * weight.square().sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        return torch.softmax(given @ weight + bias, 1)
