"""The work of ``photodefect heatmap`` on one photo: its maps and pictures, made in the process that decodes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from photodefect.core.reduced import Reduced
from photodefect.diagnosis.settings import Settings
from photodefect.errors import DataError
from photodefect.records import PhotoFailure

if TYPE_CHECKING:
    from photodefect.engines import Engine, EngineChoice
    from photodefect.heatmap import HeatMaps
    from photodefect.heatmap.outputs import Wanted


@dataclass(frozen=True)
class Drawn:
    """What was made of a photo.

    Attributes:
        width: of the photo, in pixels.
        height: likewise.
        severity: by defect key.
        maps: what is to be known of each map, by defect key.
        without: why a defect has no map, by its key.
        files: keys of the files that were written.
        model: name and checksum.
    """

    width: int
    height: int
    severity: Mapping[str, float]
    maps: Mapping[str, Mapping[str, object]]
    without: Mapping[str, str]
    files: tuple[str, ...]
    model: Mapping[str, Any]


@dataclass(frozen=True)
class Draw:
    """Maps a photo and writes its pictures, in whichever process has its pixels.

    Attributes:
        photo: its path, as it was given.
        settings: how it is diagnosed, and with which model.
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
        prepare_maps(self.settings)

    def __call__(self, pixels: NDArray[np.uint8]) -> Drawn | PhotoFailure | OSError:
        """Do it, of (height, width, 3) sRGB; what is in the way if a file can't be written."""
        return self._draw(pixels, None)

    def see(self, view: NDArray[np.uint8], holistic: NDArray[np.uint8]) -> Drawn | PhotoFailure | OSError:
        """See :class:`~photodefect.diagnosis.workers.tasks.SeesInputs`: severities are those of ``diagnose``."""
        return self._draw(view, holistic)

    def _draw(self, pixels: NDArray[np.uint8], holistic: NDArray[np.uint8] | None) -> Drawn | PhotoFailure | OSError:
        from photodefect.heatmap.outputs import write_files  # noqa: PLC0415  fonts and encoders

        reduced = Reduced(pixels)
        made, severity = map_photo(
            self.settings,
            pixels,
            self.wanted.defects,
            scale=self.scale,
            full=self.full,
            window=self.window,
            reduced=reduced,
            holistic=holistic,
        )
        try:
            written = write_files(self.wanted, self.files, reduced, made, severity, photo=self.photo)
        except DataError as error:
            return PhotoFailure(type(error).__name__, str(error))
        except OSError as error:
            return error
        maps = {key: heat.facts() for key, heat in made.maps.items()}
        return Drawn(made.width, made.height, severity, maps, made.without, tuple(written), vars(made.model))


def prepare_maps(settings: Settings) -> None:
    """Load what :func:`map_photo` needs.

    Raises:
        ModelError: the model's files are damaged.
    """
    from photodefect.heatmap import mapper_of  # noqa: PLC0415  takes a tenth of a second

    mapper_of(settings.choice)
    _engine(settings.choice)


def map_photo(
    settings: Settings,
    pixels: NDArray[np.uint8],
    defects: Sequence[str] | None = None,
    *,
    scale: float | None = None,
    full: bool = False,
    window: int | None = None,
    reduced: Reduced | None = None,
    holistic: NDArray[np.uint8] | None = None,
) -> tuple[HeatMaps, dict[str, float]]:
    """Map a photo and find how severe its defects are, which the pictures of the maps go by.

    Args:
        settings: how it is diagnosed, and with which model.
        pixels: (height, width, 3), uint8, sRGB.
        defects: as in :func:`photodefect.heatmap.heatmaps`, like the following.
        scale: see there.
        full: see there.
        window: see there.
        reduced: see there.
        holistic: the photo's :func:`~photodefect.core.inputs.holistic_input`; None to make it.

    Returns:
        The maps, and severity by defect key.
    """
    from photodefect.diagnosis.scoring import inputs_by, score  # noqa: PLC0415
    from photodefect.heatmap import heatmaps, mapper_of  # noqa: PLC0415

    made = heatmaps(
        mapper_of(settings.choice),
        pixels,
        defects,
        scale=scale,
        full=full,
        window=window,
        threads=settings.threads,
        reduced=reduced,
    )
    inputs = inputs_by(settings, pixels, holistic=holistic)
    (whole,) = score(_engine(settings.choice), settings.choice.manifest, [inputs])
    return made.of_photo(whole.severity, monochrome=whole.monochrome), dict(whole.severity)


_engines: dict[Path, Engine] = {}
"""By the model's folder: a choice holds a manifest, which has no hash to be cached by."""


def _engine(choice: EngineChoice) -> Engine:
    if choice.folder not in _engines:
        _engines[choice.folder] = choice.open()
    return _engines[choice.folder]
