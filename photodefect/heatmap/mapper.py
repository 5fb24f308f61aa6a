"""What computes heat maps: the engine that diagnoses, or torch where that has no graphs of the maps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from photodefect.engines import EngineChoice
from photodefect.engines.graph_files import has_map_graphs

if TYPE_CHECKING:
    from photodefect.core.network.manifest import Manifest
    from photodefect.heatmap.workers import Workers


class Mapper(Protocol):
    """Computes the values of maps, with the patch network of one model.

    Attributes:
        manifest: the model's.
    """

    manifest: Manifest

    def workers(self, threads: int | None = None) -> Workers:
        """Threads that the parts of a photo are shared out to.

        Args:
            threads: how many at most; None for what suits.
        """
        ...

    def window(self, key: str) -> int:
        """Cells that the map of a defect averages around each, unless told otherwise; odd."""
        ...

    def cells(
        self, pixels: NDArray[np.uint8], keys: Sequence[str], window: int | None, workers: Workers
    ) -> dict[str, NDArray[np.float32]]:
        """Severity of defects in every cell of 32 pixels, before the model's calibration.

        A photo whose sides aren't multiples of 32 is continued on the right and at the bottom by its mirror image, up
        to the next ones: unlike a repeated last pixel, that has the grain and detail of the photo.

        Args:
            pixels: (H, W, 3) uint8 sRGB, of any size.
            keys: the defects.
            window: cells averaged around each one, odd, none beyond the edge; None for what suits the network.
            workers: from :meth:`workers`.

        Returns:
            (ceil(H / 32), ceil(W / 32)) by defect key, within the defect's range.
        """
        ...

    def scores(
        self, patches: NDArray[np.uint8], keys: Sequence[str], workers: Workers
    ) -> dict[str, NDArray[np.float32]]:
        """Severity of defects in patches, before the model's calibration.

        Args:
            patches: (N, side, side, 3), the side a multiple of 32.
            keys: the defects.
            workers: from :meth:`workers`.

        Returns:
            (N,) by defect key, within the defect's range.
        """
        ...


_opened: Final[dict[tuple[Path, str, str], Mapper]] = {}
"""By folder, engine and device: a choice holds a manifest, which has no hash."""


def mapper_of(source: EngineChoice | Mapper) -> Mapper:
    """What computes the maps of a model, opened once in a process.

    Raises:
        ModelError: as :func:`open_mapper`.
    """
    if not isinstance(source, EngineChoice):
        return source
    key = (source.folder, source.engine, source.device)
    if key not in _opened:
        _opened[key] = open_mapper(source)
    return _opened[key]


def open_mapper(choice: EngineChoice) -> Mapper:
    """What computes the maps of a model, by the engine that was chosen for it; torch where that has no graphs of them.

    Raises:
        ModelError: a file of the model is missing or damaged.
    """
    if choice.engine == "onnx" and has_map_graphs(choice.manifest.network):
        from photodefect.heatmap.onnx_mapper import OnnxMapper  # noqa: PLC0415  takes a tenth of a second

        return OnnxMapper(choice.folder, choice.manifest)
    from photodefect.core.network.model import load_model  # noqa: PLC0415  torch takes more than a second
    from photodefect.heatmap.torch_mapper import TorchMapper  # noqa: PLC0415

    return TorchMapper(load_model(choice.folder, choice.device))
