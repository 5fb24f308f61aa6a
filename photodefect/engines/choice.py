"""Which engine serves a model, settled once and before any worker starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from photodefect.engines.devices import DEVICES, check_device, may_have_gpu, pick_device
from photodefect.engines.engine import Engine
from photodefect.network.folders import DEFAULT_MODEL, find_model, read_manifest
from photodefect.network.manifest import Manifest
from photodefect.network.registry import Kind

__all__ = ["DEVICES", "ENGINES", "PRECISIONS", "EngineChoice", "choose_engine"]

ENGINES: Final = ("auto", "torch")
PRECISIONS: Final = ("auto", "fp32")


@dataclass(frozen=True)
class EngineChoice:
    """An engine that can be opened in any process. It is small, and can be pickled.

    Attributes:
        folder: the model's.
        manifest: the model's.
        engine: ``torch`` or ``onnx``.
        device: ``cpu``, ``cuda`` or ``mps``.
        precision: ``fp32`` or ``int8``.
        graphs: the files that ONNX Runtime runs, by kind of network; empty for torch.
    """

    folder: Path
    manifest: Manifest
    engine: str
    device: str
    precision: str
    graphs: Mapping[Kind, Path] = field(default_factory=dict)

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
            ModelError: a file of the model is missing or damaged.
        """
        from photodefect.engines.torch_engine import TorchEngine  # noqa: PLC0415

        return TorchEngine.load(self.folder, self.device, threads)


def choose_engine(
    model: str | Path = DEFAULT_MODEL, *, engine: str = "auto", device: str = "auto", precision: str = "auto"
) -> EngineChoice:
    """Settle which engine serves a model on this machine.

    Args:
        model: the name of a shipped model or a model's folder.
        engine: one of :data:`ENGINES`.
        device: one of :data:`DEVICES`.
        precision: one of :data:`PRECISIONS`; ``auto`` is the fastest that is proven for the model.

    Raises:
        ModelError: the model or the device can't be used.
        ValueError: an argument is none of what there is.
    """
    check_device(device)
    for name, value, there in (("an engine", engine, ENGINES), ("a precision", precision, PRECISIONS)):
        if value not in there:
            raise ValueError(f"{name} is one of {', '.join(there)}, not {value!r}")
    folder = find_model(model)
    manifest = read_manifest(folder)
    if device == "auto" and not may_have_gpu():
        device = "cpu"
    if device != "cpu":
        device = pick_device(device).type
    return EngineChoice(folder, manifest, "torch", device, "fp32")
