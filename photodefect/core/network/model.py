"""A model: two networks with their weights, and how their scores become severities. Read, checked and saved here.

A model folder holds ``manifest.json`` and two safetensors files. Loading one executes nothing that is in it.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from photodefect.core.network.folders import DEFAULT_MODEL, find_model, read_manifest
from photodefect.core.network.layers import fold_batch_norms
from photodefect.core.network.manifest import MANIFEST_FILE, Manifest, WeightsFile
from photodefect.core.network.multicolumn import MultiColumnNetwork
from photodefect.core.network.registry import Kind, build_network
from photodefect.core.network.weights import check_shapes, not_finite, read_weights
from photodefect.errors import ModelError
from photodefect.records import ModelIdentity

_HALF_PRECISION_MAX = torch.finfo(torch.float16).max


@dataclass(frozen=True)
class Model:
    """Two networks, and how their scores combine.

    Attributes:
        manifest: what the model says about itself.
        holistic: looks at the whole photo.
        patches: looks at patches of it.
    """

    manifest: Manifest
    holistic: MultiColumnNetwork
    patches: MultiColumnNetwork

    @property
    def identity(self) -> ModelIdentity:
        """As :attr:`Manifest.identity`."""
        return self.manifest.identity

    def combine(self, holistic: Mapping[str, float], patches: Mapping[str, float]) -> dict[str, float]:
        """As :meth:`Manifest.combine`."""
        return self.manifest.combine(holistic, patches)

    def percentile(self, key: str, severity: float) -> int | None:
        """As :meth:`Manifest.percentile`."""
        return self.manifest.percentile(key, severity)


def load_model(
    name_or_dir: str | Path = DEFAULT_MODEL, device: str | torch.device = "cpu", folded: bool = True
) -> Model:
    """Load a model for inference.

    Args:
        name_or_dir: as :func:`find_model` takes it.
        device: where the networks go.
        folded: merge batch norms into convolutions: same result, less work, not trainable.

    Returns:
        The model in evaluation mode, weights in single precision, without gradients.

    Raises:
        ModelError: the folder or a file is missing, unreadable, damaged, or of another network. The message names it.
    """
    folder = find_model(name_or_dir)
    manifest = read_manifest(folder)
    networks: dict[Kind, MultiColumnNetwork] = {}
    for kind, weights in manifest.networks.items():
        file = folder / weights.file
        data = read_weights(file, weights.sha256)
        try:
            tensors = safetensors.torch.load(data)
        except (SafetensorError, ValueError, KeyError) as error:
            raise ModelError(f"{file}: not a whole safetensors file: {error}") from error
        network = build_network(manifest.network, kind, manifest.normalization.to_dict())
        load_tensors(network, tensors, file)
        if folded:
            fold_batch_norms(network)
        # Convolutions over channels that lie side by side take half the time on a CPU.
        network.requires_grad_(False).eval()
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        try:
            network.to(device)
        except (RuntimeError, AssertionError) as error:  # torch asserts that it was built for the device
            raise ModelError(f"the device {str(device)!r} can't be used: {error}") from error
        networks[kind] = network
    return Model(manifest, networks["holistic"], networks["patches"])


def _stored(network: MultiColumnNetwork) -> dict[str, Tensor]:
    """The tensors that make a network, by name; counters that inference doesn't read are left out."""
    return {name: tensor for name, tensor in network.state_dict().items() if not name.endswith("num_batches_tracked")}


@torch.no_grad()
def load_tensors(network: MultiColumnNetwork, tensors: Mapping[str, Tensor], source: Path | str) -> None:
    """Put tensors into a network, as single precision.

    Args:
        network: whose weights are replaced, all of them.
        tensors: by the names of the network's state, any floating-point type.
        source: named in errors.

    Raises:
        ModelError: a tensor is missing, unknown, of another shape, or holds something that is not a finite number.
    """
    own = _stored(network)
    check_shapes(
        {name: tuple(tensor.shape) for name, tensor in own.items()},
        {name: tuple(tensor.shape) for name, tensor in tensors.items()},
        source,
    )
    for name, target in own.items():
        tensor = tensors[name]
        if not tensor.is_floating_point() or not bool(torch.isfinite(tensor).all()):
            raise not_finite(source, name)
        target.copy_(tensor)


def save_model(
    model_dir: str | Path,
    manifest: Manifest,
    holistic: MultiColumnNetwork,
    patches: MultiColumnNetwork,
    *,
    half_precision: bool = False,
) -> Manifest:
    """Write a model folder. No file of it is ever half-written; the manifest comes last.

    Args:
        model_dir: made if it is missing; a model already there is replaced.
        manifest: its ``networks`` are filled in here.
        holistic: the network of that kind, not folded.
        patches: likewise.
        half_precision: store convolution weights in 16 bits. Vectors (biases, batch norms) keep 32: a variance may
            be too large for 16.

    Returns:
        The manifest as written.

    Raises:
        ModelError: a network is not one that ``manifest.network`` names, or is folded.
        OSError: the folder can't be written.
    """
    folder = Path(model_dir)
    contents: dict[str, bytes] = {}
    files: dict[Kind, WeightsFile] = {}
    networks: dict[Kind, MultiColumnNetwork] = {"holistic": holistic, "patches": patches}
    for kind, network in networks.items():
        tensors = {name: _for_storage(tensor, half_precision) for name, tensor in _stored(network).items()}
        file = f"{kind}.safetensors"
        load_tensors(build_network(manifest.network, kind), tensors, f"{kind} network")  # refuse what can't be loaded
        data = safetensors.torch.save(tensors)
        contents[file] = data
        files[kind] = WeightsFile(file, hashlib.sha256(data).hexdigest())
    complete = replace(manifest, networks=files)
    text = complete.to_json()
    Manifest.from_json(text)
    contents[MANIFEST_FILE] = text.encode()
    folder.mkdir(parents=True, exist_ok=True)
    _write_together(folder, contents)
    return complete


def _for_storage(tensor: Tensor, half_precision: bool) -> Tensor:
    plain = tensor.detach().to("cpu", torch.float32).contiguous()
    if half_precision and plain.ndim > 1 and float(plain.abs().max()) <= _HALF_PRECISION_MAX:
        return plain.half()
    return plain


def _write_together(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write all files under temporary names, then rename them, so that a full disk leaves the old ones alone."""
    temporary: dict[str, Path] = {}
    try:
        for name, data in contents.items():
            with tempfile.NamedTemporaryFile(dir=folder, prefix=f".{name}.", delete=False) as stream:
                temporary[name] = Path(stream.name)
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            temporary[name].chmod(0o666 & ~_umask())
        for name in contents:
            temporary[name].replace(folder / name)
            del temporary[name]
    finally:
        for leftover in temporary.values():
            leftover.unlink(missing_ok=True)


def _umask() -> int:
    """The process's umask; temporary files are private, the finished ones shall not be."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
