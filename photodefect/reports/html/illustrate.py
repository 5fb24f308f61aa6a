"""What the page needs of photos: the diagnosis and the pictures of each."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from photodefect.diagnosis.workers.limits import MAPPING_S
from photodefect.diagnosis.workers.tasks import PictureJob, PixelJob
from photodefect.records import Diagnosis
from photodefect.reports.html.pictures import Pictures, make_pictures

if TYPE_CHECKING:
    from photodefect.core.network.model import Model
    from photodefect.diagnosis.diagnoser import Diagnoser


def illustrate(
    diagnoser: Diagnoser,
    paths: Iterable[str | os.PathLike[str]],
    *,
    maps: bool = True,
    beside: PixelJob[Any] | None = None,
) -> Generator[tuple[Diagnosis, Pictures | None], None, None]:
    """Diagnose photos and make their pictures, lazily and in the order given.

    Args:
        diagnoser: makes the diagnoses; its model makes the heat maps.
        paths: the photos.
        maps: make heat maps.
        beside: as in :meth:`~photodefect.Diagnoser.diagnose`.

    Yields:
        A record a path, and its pictures unless it failed. A photo whose pictures can't be made has failed.
    """
    model = (diagnoser.folder or diagnoser.model) if maps else None
    job = PictureJob(
        Draw(model, diagnoser.device),
        seconds=MAPPING_S if maps else 0.0,
        kept_as=f"report {_VERSION}" + (f" maps {diagnoser.manifest.identity.sha256}" if maps else ""),
        to_bytes=Pictures.to_bytes,
        from_bytes=Pictures.from_bytes,
    )
    yield from diagnoser.diagnose_with(paths, job, beside=beside)


_VERSION: Final = 1
"""Grows whenever the pictures or the heat maps of the same photo and model would be others than before."""


@dataclass(frozen=True)
class Draw:
    """Makes the pictures of a photo, in whichever process has its pixels.

    Attributes:
        model: makes the heat maps, loaded or its folder; None for no maps.
        device: that computes them.
    """

    model: Path | Model | None
    device: str

    def prepare(self) -> None:
        """Load the model."""
        if isinstance(self.model, Path):
            _model(self.model, self.device)

    def __call__(self, pixels: NDArray[np.uint8]) -> Pictures:
        """Make them, of (height, width, 3) sRGB."""
        if self.model is None:
            return make_pictures(pixels)
        from photodefect.heatmap import heatmaps  # noqa: PLC0415  imports torch

        model = _model(self.model, self.device) if isinstance(self.model, Path) else self.model
        return make_pictures(pixels, heatmaps(model, pixels).maps)


@lru_cache(maxsize=1)
def _model(folder: Path, device: str) -> Model:
    from photodefect.core.network.model import load_model  # noqa: PLC0415

    return load_model(folder, device)
