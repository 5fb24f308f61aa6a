"""Which engine serves a model, settled once and before any worker starts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from photodefect.core.network.folders import DEFAULT_MODEL, find_model, read_manifest
from photodefect.core.network.manifest import Manifest
from photodefect.core.network.registry import NETWORKS
from photodefect.engines.devices import DEVICES, check_device, may_have_gpu, pick_device
from photodefect.engines.engine import Engine
from photodefect.engines.graph_files import has_graphs
from photodefect.errors import ModelError
from photodefect.extras import require, require_installed

__all__ = ["DEVICES", "ENGINES", "PRECISIONS", "EngineChoice", "choose_engine"]

ENGINES: Final = ("auto", "torch", "onnx")
PRECISIONS: Final = ("auto", "fp32")


@dataclass(frozen=True)
class EngineChoice:
    """An engine that can be opened in any process. It is small, and can be pickled.

    Attributes:
        folder: the model's.
        manifest: the model's.
        engine: ``torch`` or ``onnx``.
        device: ``cpu``, ``cuda`` or ``mps``.
        precision: ``fp32``.
    """

    folder: Path
    manifest: Manifest
    engine: str
    device: str
    precision: str

    @property
    def patch_side(self) -> int:
        """Side of the patches that the model's network looks at, in pixels."""
        return NETWORKS[self.manifest.network].patch_side

    @property
    def patches(self) -> int:
        """How many patches the model's network looks at unless told otherwise."""
        return NETWORKS[self.manifest.network].patches

    @property
    def key(self) -> str:
        """What, beside the model's identity and the inputs, scores depend on; for caches."""
        return f"{self.engine} {self.precision} {self.device}"

    def describe(self) -> str:
        """For people: ``torch fp32 on cpu``."""
        return f"{self.engine} {self.precision} on {self.device}"

    def open(self, threads: int = 1) -> Engine:
        """Load the networks: to be called in the process that computes.

        Args:
            threads: that compute at once for one call of :meth:`Engine.scores`, on a processor.

        Raises:
            ModelError: a file of the model is missing or damaged, or torch can't be imported.
        """
        if self.engine == "onnx":
            from photodefect.engines.onnx_engine import OnnxEngine  # noqa: PLC0415  takes a tenth of a second

            return OnnxEngine(self.folder, self.manifest, threads)
        require("gpu", "torch", what="the engine torch", error=ModelError)
        from photodefect.engines.torch_engine import TorchEngine  # noqa: PLC0415  takes more than a second

        return TorchEngine.load(self.folder, self.device, threads)


def choose_engine(
    model: str | Path = DEFAULT_MODEL, *, engine: str = "auto", device: str = "auto", precision: str = "auto"
) -> EngineChoice:
    """Settle which engine serves a model on this machine.

    Args:
        model: the name of a shipped model or a model's folder.
        engine: one of :data:`ENGINES`.
        device: one of :data:`DEVICES`.
        precision: one of :data:`PRECISIONS`; ``auto`` is the fastest that is proven (see docs/speed.md).

    Raises:
        ModelError: the model or the device can't be used, or torch is needed and not installed.
        ValueError: an argument is none of what there is, or the engine can't use the device.
    """
    check_device(device)
    for name, value, there in (("an engine", engine, ENGINES), ("a precision", precision, PRECISIONS)):
        if value not in there:
            raise ValueError(f"{name} is one of {', '.join(there)}, not {value!r}")
    folder = find_model(model)
    manifest = read_manifest(folder)
    if engine == "onnx" and device not in ("auto", "cpu"):
        raise ValueError(f"the engine onnx computes on cpu, not on {device}; take the engine torch")
    if engine == "onnx" or (device == "auto" and not may_have_gpu()):
        device = "cpu"
    if device != "cpu":
        device = pick_device(device).type
    has_graph = has_graphs(manifest.network)
    if engine == "onnx" and not has_graph:
        raise ModelError(f"{folder}: there is no graph of its network, {manifest.network}; take the engine torch")
    if engine == "auto":
        engine = "onnx" if device == "cpu" and has_graph else "torch"
    if engine == "torch":
        what = "the engine torch" if has_graph else f"{folder}, whose network {manifest.network} has no graph,"
        require_installed("gpu", "torch", what=what, error=ModelError)
    return EngineChoice(folder, manifest, engine, device, "fp32")
