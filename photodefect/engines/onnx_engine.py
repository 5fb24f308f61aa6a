"""The engine of ONNX Runtime, on a processor: half of torch's time, and no second spent on importing torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from photodefect.core.network.manifest import Manifest, Normalization
from photodefect.core.network.registry import KINDS, Kind
from photodefect.core.network.weights import parse_weights, read_weights
from photodefect.core.onnx_runtime import onnxruntime, session_options
from photodefect.defects import DEFECTS, PATCH_DEFECTS
from photodefect.engines.graph_files import INPUT, MEAN, ORDER, OUTPUT, SCALE, read_graph


class OnnxEngine:
    """An :class:`~photodefect.engines.Engine` on ONNX Runtime.

    Args:
        folder: of the model.
        manifest: of the model; its network has graphs.
        threads: that compute at once in a call.
        kinds: of the networks that will be asked.

    Raises:
        ModelError: a file of the model is missing or damaged.
    """

    def __init__(self, folder: Path, manifest: Manifest, threads: int = 1, kinds: Sequence[Kind] = KINDS) -> None:
        self._networks = {
            kind: open_session(
                read_graph(manifest.network, kind)[0], read_tensors(folder, manifest, kind), threads=threads
            )
            for kind in kinds
        }

    def scores(self, kind: Kind, inputs: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """See :meth:`photodefect.engines.Engine.scores`."""
        (severities,) = self._networks[kind].run([OUTPUT], {INPUT: np.ascontiguousarray(inputs)})
        defects = DEFECTS if kind == "holistic" else PATCH_DEFECTS
        return {defect.key: severities[:, column] for column, defect in enumerate(defects)}


def read_tensors(folder: Path, manifest: Manifest, kind: Kind) -> dict[str, NDArray[np.generic]]:
    """What the graphs of a model's network have to be given, by name.

    Raises:
        ModelError: a file of the model is missing or damaged.
    """
    _, shapes = read_graph(manifest.network, kind)
    weights = manifest.networks[kind]
    file = folder / weights.file
    tensors = parse_weights(read_weights(file, weights.sha256), shapes, file)
    return {**tensors, **_normalization(manifest.normalization)}


def open_session(
    graph: bytes, given: Mapping[str, NDArray[np.generic]], *, threads: int
) -> onnxruntime.InferenceSession:
    """A graph that is ready to run.

    Args:
        graph: without weights.
        given: tensors that it has to be given, by name.
        threads: that compute at once in a call.
    """
    options = session_options(threads)
    # Planning memory ahead takes a hundred megabytes for each worker, and saves no time.
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    values = [onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(tensor)) for tensor in given.values()]
    options.add_external_initializers(list(given), values)
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _normalization(normalization: Normalization) -> dict[str, NDArray[np.generic]]:
    order = [0, 1, 2] if normalization.channels == "rgb" else [2, 1, 0]
    return {
        ORDER: np.array(order, np.int64),
        MEAN: np.array(normalization.mean, np.float32).reshape(1, 3, 1, 1),
        SCALE: np.array(normalization.scale, np.float32).reshape(1, 1, 1, 1),
    }
