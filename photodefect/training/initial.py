"""What training begins from: ImageNet weights, random ones, or a model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import torch
from torch import Tensor

from photodefect.core.batches import Batch
from photodefect.core.network import googlenet
from photodefect.core.network.compact import CompactColumn
from photodefect.core.network.compact_trunk import CompactTrunk
from photodefect.core.network.folders import find_model, read_manifest
from photodefect.core.network.googlenet import GoogLeNetTrunk
from photodefect.core.network.model import load_model
from photodefect.core.network.multicolumn import MultiColumnNetwork
from photodefect.core.network.registry import Kind, build_network
from photodefect.errors import ModelError
from photodefect.training.imagenet import load_imagenet_trunk

CONSTANT: Final = 1e-5
"""A descriptor that varies less than this is left as it is."""


def initial_network(name: str, kind: Kind, init: str, seed: int) -> MultiColumnNetwork:
    """Make the network that training begins with.

    Args:
        name: key of the registry.
        kind: "holistic" or "patches".
        init: ``imagenet``, ``random``, or the name or folder of a model.
        seed: of random weights.

    Returns:
        In training mode, on the CPU.

    Raises:
        ModelError: there are no such weights, or they are of another network.
    """
    if init not in ("imagenet", "random"):
        return _from_model(name, kind, init)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build_network(name, kind)
        if isinstance(network.trunk, GoogLeNetTrunk):
            googlenet.initialize(network)
    if init == "imagenet":
        if not isinstance(network.trunk, CompactTrunk):
            raise ModelError(
                f"no ImageNet weights are known for the trunk of {name}; begin from random weights (--init random) or "
                "from a model (--init DIR, see photodefect import-caffe)"
            )
        load_imagenet_trunk(network.trunk)
    return network


def _from_model(name: str, kind: Kind, init: str) -> MultiColumnNetwork:
    manifest = read_manifest(find_model(init))
    if manifest.network != name:
        raise ModelError(
            f"{init} is a model of {manifest.network}, not of {name}; take --network {manifest.network} or another "
            "--init"
        )
    model = load_model(init, folded=False)
    network = model.holistic if kind == "holistic" else model.patches
    return network.requires_grad_(True).train()


def needs_standardization(network: MultiColumnNetwork, init: str) -> bool:
    """Whether the columns have to see samples before they can learn: descriptors of unknown scale are clipped."""
    return init in ("imagenet", "random") and any(isinstance(column, CompactColumn) for column in _columns(network))


@torch.no_grad()
def standardize(network: MultiColumnNetwork, batches: Iterable[Batch]) -> None:
    """Set centre and deviation of compact columns, in place, to those of the descriptors of some batches.

    Args:
        network: a compact one, on any device, in the mode that it will be trained in: batch norms that normalize by
            the batch give other descriptors than their stored statistics would.
        batches: a few hundred samples are enough.
    """
    compact = [column for column in _columns(network) if isinstance(column, CompactColumn)]
    column = compact[0]
    descriptors: list[Tensor] = []
    for batch in batches:
        pooled = column.pool(network.features(batch.inputs.to(column.shares.device)))
        descriptors.append(column.describe(pooled).flatten(1).cpu())
    told = torch.cat(descriptors)
    mean, deviation = told.mean(0), told.std(0, unbiased=False)
    deviation[deviation < CONSTANT] = 1.0
    for expert in (expert for column in compact for expert in column.taught()):
        seen = expert.seen.cpu()
        expert.centre.copy_(mean[seen].reshape(expert.centre.shape))
        expert.deviation.copy_(deviation[seen].reshape(expert.deviation.shape))


def _columns(network: MultiColumnNetwork) -> list[object]:
    return [network.column(defect.key) for defect in network.defects]
