"""The work of ``photodefect heatmap`` on one photo: its maps and pictures, made in the process that decodes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from photodefect.diagnosis.settings import Settings
from photodefect.errors import DataError
from photodefect.records import PhotoFailure

if TYPE_CHECKING:
    from photodefect.core.network.model import Model
    from photodefect.engines import Engine, EngineChoice
    from photodefect.heatmap.outputs import Wanted


@dataclass(frozen=True)
class Drawn:
    """What was made of a photo.

    Attributes:
        width: of the photo, in pixels.
        height: likewise.
        severity: by defect key; None if nobody wanted it.
        maps: what is to be known of each map, by defect key.
        model: name and checksum.
    """

    width: int
    height: int
    severity: Mapping[str, float] | None
    maps: Mapping[str, Mapping[str, object]]
    model: Mapping[str, Any]


@dataclass(frozen=True)
class Draw:
    """Maps a photo and writes its pictures, in whichever process has its pixels.

    Attributes:
        photo: its path, as it was given.
        settings: how it is diagnosed, for the panel.
        wanted: which files.
        files: where they go, by :meth:`Wanted.files`'s keys. None of them is there; their folder is.
        scale: as in :func:`photodefect.heatmap.heatmaps`, like the following.
        full: noise and blur everywhere, also in a large photo.
        window: cells averaged for a value.
    """

    photo: str
    settings: Settings
    wanted: Wanted
    files: Mapping[str, Path]
    scale: float | None = None
    full: bool = False
    window: int | None = None

    def prepare(self) -> None:
        """Load the networks.

        Raises:
            ModelError: the model's files are damaged.
        """
        choice = self.settings.choice
        _model(choice.folder, choice.device)
        if self.wanted.panel:
            _engine(choice, self.settings.threads)

    def __call__(self, pixels: NDArray[np.uint8]) -> Drawn | PhotoFailure | OSError:
        """Do it, of (height, width, 3) sRGB; what is in the way if a file can't be written."""
        # They import torch.
        from photodefect.heatmap.maps import heatmaps  # noqa: PLC0415
        from photodefect.heatmap.outputs import write_files  # noqa: PLC0415
        from photodefect.heatmap.panel import panel  # noqa: PLC0415

        settings, wanted = self.settings, self.wanted
        made = heatmaps(
            _model(settings.choice.folder, settings.choice.device),
            pixels,
            wanted.defects,
            scale=self.scale,
            full=self.full,
            window=self.window,
            threads=settings.threads,
        )
        severity = picture = None
        if wanted.panel:
            severity = self._severity(pixels)
            size = f"{made.width} x {made.height} pixels, model {made.model.name}"
            picture = panel(pixels, made, severity, title=Path(self.photo).name, note=size)
        try:
            write_files(wanted, self.files, pixels, made, picture, photo=self.photo, threads=settings.threads)
        except DataError as error:
            return PhotoFailure(type(error).__name__, str(error))
        except OSError as error:
            return error
        maps = {key: heat.facts() for key, heat in made.maps.items()}
        return Drawn(made.width, made.height, severity, maps, vars(made.model))

    def _severity(self, pixels: NDArray[np.uint8]) -> dict[str, float]:
        from photodefect.diagnosis.scoring import inputs_by, score  # noqa: PLC0415

        settings = self.settings
        inputs = inputs_by(settings, pixels)
        (finding,) = score(_engine(settings.choice, settings.threads), settings.choice.manifest, [inputs])
        return dict(finding.severity)


@lru_cache(maxsize=1)
def _model(folder: Path, device: str) -> Model:
    from photodefect.core.network.model import load_model  # noqa: PLC0415

    return load_model(folder, device)


_engines: dict[Path, Engine] = {}
"""By the model's folder: a choice holds a manifest, which has no hash to be cached by."""


def _engine(choice: EngineChoice, threads: int) -> Engine:
    if choice.folder not in _engines:
        _engines[choice.folder] = choice.open(threads)
    return _engines[choice.folder]
