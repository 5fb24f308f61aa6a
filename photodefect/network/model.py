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

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from photodefect.errors import ModelError
from photodefect.network.layers import fold_batch_norms
from photodefect.network.manifest import MANIFEST_FILE, QUANTILES, Manifest, WeightsFile
from photodefect.network.multicolumn import MultiColumnNetwork
from photodefect.network.registry import Kind, build_network
from photodefect.records import ModelIdentity

DEFAULT_MODEL = "compact"

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
        """Name and SHA-256 of the manifest, which holds the SHA-256 of both weight files.

        Equal identities give equal severities and percentiles: normalization, combination, calibration and
        reference are part of it too.
        """
        digest = hashlib.sha256(self.manifest.to_json().encode()).hexdigest()
        return ModelIdentity(self.manifest.name, digest)

    def combine(self, holistic: Mapping[str, float], patches: Mapping[str, float]) -> dict[str, float]:
        """Final severities from both networks' scores (section 4.4): their weighted mean, then calibrated.

        Args:
            holistic: score of the whole photo by defect key.
            patches: mean score of the patches by defect key.

        Returns:
            Severity by defect key, within the defect's range.

        Raises:
            KeyError: a score is missing that has a weight.
        """
        severities = {}
        for key, weighting in self.manifest.combination.items():
            total = 0.0
            if weighting.holistic > 0:
                total += weighting.holistic * holistic[key]
            if weighting.patches > 0:
                total += weighting.patches * patches[key]
            score = total / (weighting.holistic + weighting.patches)
            calibration = self.manifest.calibration.get(key)
            if calibration is not None:
                score = float(np.interp(score, calibration.raw, calibration.severity))
            severities[key] = score
        return severities

    def percentile(self, key: str, severity: float) -> int | None:
        """How many of a hundred reference photos have the defect less than this one.

        Args:
            key: the defect.
            severity: of the photo; of a signed defect the sign doesn't count, as in the paper's ranking.

        Returns:
            0..100, rounded down, 100 only above all of them; None if the model has no reference for the defect.
        """
        quantiles = self.manifest.reference.get(key)
        if quantiles is None:
            return None
        strength = abs(severity)
        less = int(np.searchsorted(quantiles, strength, side="left"))
        if less in (0, QUANTILES):
            return 0 if less == 0 else 100
        low, high = quantiles[less - 1], quantiles[less]
        # Between two quantiles the share grows linearly; the tolerance keeps a quantile itself from falling below.
        return min(99, int(less - 1 + (strength - low) / (high - low) + 1e-9))


def shipped_models_folder() -> Path:
    """The folder of the models that come with photodefect: in the package, or beside it in a source tree."""
    package = Path(__file__).resolve().parent.parent
    inside = package / "weights"
    return inside if inside.is_dir() else package.parent / "weights"


def shipped_models() -> list[str]:
    """Names of the models that come with photodefect, sorted."""
    return sorted(manifest.parent.name for manifest in shipped_models_folder().glob(f"*/{MANIFEST_FILE}"))


def find_model(name_or_dir: str | Path) -> Path:
    """The folder of a model.

    Args:
        name_or_dir: the name of a model that comes with photodefect, or the path of a model folder. A bare name is
            a shipped one if there is such a one: a folder of the same name where a person happens to stand doesn't
            change what a command does (``./name`` means the folder).

    Raises:
        ModelError: there is no such model.
    """
    text = str(name_or_dir)
    separators = [separator for separator in (os.sep, os.altsep) if separator]
    is_bare = isinstance(name_or_dir, str) and not any(separator in text for separator in separators)
    shipped = shipped_models()
    if is_bare and text in shipped:
        return shipped_models_folder() / text
    folder = Path(text).expanduser()
    if not text or not folder.exists():
        have = f"the models that come with photodefect are: {', '.join(shipped)}" if shipped else "none is installed"
        raise ModelError(f"no model folder {text!r}, and no model of that name ({have})")
    if not folder.is_dir():
        raise ModelError(f"{folder}: a model is a folder with {MANIFEST_FILE} and two weight files, not a file")
    return folder


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
        tensors = _read_tensors(file, weights.sha256)
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


def read_manifest(folder: Path) -> Manifest:
    """Read and check the manifest of a model folder; the weight files are not looked at.

    Raises:
        ModelError: it is missing, unreadable or wrong.
    """
    file = folder / MANIFEST_FILE
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ModelError(f"{file}: missing, so {folder} is not a model folder") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{file}: can't be read: {error}") from error
    return Manifest.from_json(text, file)


def _read_tensors(file: Path, sha256: str) -> dict[str, Tensor]:
    """Tensors by name from a safetensors file whose bytes must have that SHA-256."""
    try:
        # Read once: what is checked is what is used.
        data = file.read_bytes()
    except FileNotFoundError as error:
        raise ModelError(f"{file}: missing; the model is incomplete, install it again") from error
    except OSError as error:
        raise ModelError(f"{file}: can't be read: {error}") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise ModelError(
            f"{file}: damaged: its SHA-256 is not the one in {MANIFEST_FILE}; install or copy the model again"
        )
    try:
        return safetensors.torch.load(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise ModelError(f"{file}: not a whole safetensors file: {error}") from error


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
    missing = [name for name in own if name not in tensors]
    unknown = [name for name in tensors if name not in own]
    for what, names in (("lacks", missing), ("has the unknown", unknown)):
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise ModelError(f"{source}: weights of another network: it {what} tensor {names[0]!r}{more}")
    for name, target in own.items():
        tensor = tensors[name]
        if tensor.shape != target.shape:
            raise ModelError(
                f"{source}: weights of another network: tensor {name!r} has shape {tuple(tensor.shape)}, "
                f"not {tuple(target.shape)}"
            )
        if not tensor.is_floating_point() or not bool(torch.isfinite(tensor).all()):
            raise ModelError(f"{source}: tensor {name!r} holds something that is not a finite number")
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
