"""The losses of a batch: the infogain loss of section 4.2 for each defect, or the Euclidean one beside it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from photodefect.core.batches import Batch, Loss, VotedPhotos
from photodefect.core.infogain import (
    MASKED,
    classes_of,
    infogain_matrix,
    modelled_vote_distributions,
    vote_distributions,
)
from photodefect.core.network.multicolumn import MultiColumnNetwork, expected_severity
from photodefect.defects import BY_KEY, KEYS, Defect


def infogain_matrices(
    photos: VotedPhotos, members: NDArray[np.int64], effective: Mapping[str, NDArray[np.float64]]
) -> dict[str, Tensor]:
    """H by defect key, (K, K): from single votes where the photos have some, else from the vote model.

    Args:
        photos: the whole set.
        members: indices of the training photos; the votes on others are not looked at.
        effective: samples of each class, by the keys of the defects that are trained, (K,).
    """
    matrices = {}
    for key, samples in effective.items():
        defect = BY_KEY[key]
        votes = photos.votes(defect)
        if votes is not None:
            votes = [votes[member] for member in members]
        if votes is not None and any(len(given) > 0 for given in votes):
            classes = classes_of(defect, photos.severities[members, KEYS.index(key)])
            distributions = vote_distributions(defect, classes, votes)
        else:
            distributions = modelled_vote_distributions(defect)
        matrices[key] = torch.from_numpy(infogain_matrix(distributions, samples)).float()
    return matrices


def infogain_loss(logits: Tensor, classes: Tensor, infogain: Tensor) -> Tensor:
    """Equation 1: -1/N sum_n sum_k H[l_n, k] log softmax(logits_n)_k.

    Args:
        logits: (N, K).
        classes: true class of each sample, (N,); :data:`~photodefect.core.infogain.MASKED` samples are
            left out, of N as well.
        infogain: H, (K, K).

    Returns:
        The mean over the samples that count, a scalar; 0 (with gradient 0) if none does.
    """
    counts = classes != MASKED
    gains = infogain[classes.clamp(min=0)] * counts[:, None]
    return -(gains * functional.log_softmax(logits, dim=1)).sum() / counts.sum().clamp(min=1)


def euclidean_loss(defect: Defect, logits: Tensor, severities: Tensor) -> Tensor:
    """Regression on the expectation: half the mean squared difference to the ground truth.

    The network keeps its classes and its severity stays their expectation, so that both losses train the same form;
    classes have no weights here.

    Args:
        defect: whose centres.
        logits: (N, K).
        severities: (N,).

    Returns:
        A scalar; 0 (with gradient 0) for N = 0.
    """
    return 0.5 * (expected_severity(defect, logits) - severities).square().sum() / max(1, len(severities))


def defect_losses(
    network: MultiColumnNetwork,
    batch: Batch,
    loss: Loss,
    matrices: Mapping[str, Tensor],
    counted: Mapping[str, int] | None = None,
) -> dict[str, Tensor]:
    """The loss of each defect over its own samples of a batch.

    All samples go through the trunk together; a column sees only those that count for its defect.

    Args:
        network: in training or evaluation mode.
        batch: the inputs are moved to the device of the network.
        loss: which one.
        matrices: H by defect key, on the device of the network. Defects without one are left out.
        counted: samples by defect key where the batch is a part of a larger one, the whole one's: each loss is then the
            part's share of the whole one's loss, so that they add up.

    Returns:
        A scalar by defect key, for defects with samples.
    """
    device = network.normalization.mean.device
    features = network.features(batch.inputs.to(device))
    losses = {}
    for defect in network.defects:
        if defect.key not in matrices:
            continue
        own = batch.severities[:, KEYS.index(defect.key)]
        rows = torch.nonzero(~own.isnan()).flatten()
        total = len(rows) if counted is None else counted[defect.key]
        if not total:
            continue
        logits = network.column_logits(features[rows.to(device)], defect.key)
        truth = own[rows]
        if loss == "euclidean":
            losses[defect.key] = euclidean_loss(defect, logits, truth.to(device))
        else:
            planned = batch.planned[rows, KEYS.index(defect.key)]
            planned = torch.where(planned.isnan(), truth, planned)
            gains = _gains(defect, truth, planned, matrices[defect.key])
            losses[defect.key] = infogain_loss(logits, torch.arange(len(rows), device=device), gains)
        if counted is not None:
            losses[defect.key] = losses[defect.key] * (len(rows) / total)
    return losses


def _gains(defect: Defect, truth: Tensor, planned: Tensor, matrix: Tensor) -> Tensor:
    """Rows of H for samples (N,) -> (N, K): votes on the true class, weighted as the planned one.

    Numbers of samples and class weights are of one plan, by which a sample weighs 1 on average (see
    :func:`~photodefect.core.infogain.class_weights`). Were they weighted by what synthesis made of them, samples of a
    class that nothing was planned for would weigh most.
    """
    true, drawn = (
        torch.from_numpy(classes_of(defect, severities.tolist())).to(matrix.device) for severities in (truth, planned)
    )
    weights = matrix.sum(1)  # rows of V sum to 1
    return matrix[true] * (weights[drawn] / weights[true])[:, None]
