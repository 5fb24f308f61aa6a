"""The engine of torch, the reference: networks as torch computes them, on a processor or a GPU."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from photodefect.core.network.model import Model, load_model
from photodefect.core.network.registry import Kind


class TorchEngine:
    """An :class:`~photodefect.engines.Engine` on torch.

    Args:
        model: loaded, on the device.
        device: where it is.
    """

    def __init__(self, model: Model, device: str | torch.device = "cpu") -> None:
        self._networks = {"holistic": model.holistic, "patches": model.patches}
        self._device = torch.device(device)

    @classmethod
    def load(cls, folder: Path, device: str, threads: int) -> TorchEngine:
        """Load a model's folder; on a processor torch then computes with ``threads`` threads in this process.

        Raises:
            ModelError: a file of the model is missing or damaged.
        """
        if device == "cpu":
            torch.set_num_threads(threads)
        if device == "cuda":
            # Convolutions would round to ten bits (and products of matrices, where somebody allows that), and scores
            # differ from a processor's by more than 0.05.
            torch.backends.cudnn.allow_tf32 = False
            torch.backends.cuda.matmul.allow_tf32 = False
        return cls(load_model(folder, device), device)

    @torch.inference_mode()
    def scores(self, kind: Kind, inputs: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """See :meth:`photodefect.engines.Engine.scores`."""
        batch = torch.from_numpy(np.require(inputs, requirements=("C", "W"))).to(self._device).permute(0, 3, 1, 2)
        return {key: scores.cpu().numpy() for key, scores in self._networks[kind].severities(batch).items()}
