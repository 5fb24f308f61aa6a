"""What the page needs of photos: the diagnosis and the pictures of each."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from photodefect.core.reduced import Reduced
from photodefect.diagnosis.workers.limits import MAPPING_S
from photodefect.diagnosis.workers.tasks import PictureJob, PixelJob
from photodefect.records import Diagnosis
from photodefect.reports.html.drawn import Drawn
from photodefect.reports.html.pictures import Pictures, small_pictures

if TYPE_CHECKING:
    from photodefect.diagnosis.diagnoser import Diagnoser
    from photodefect.engines import EngineChoice
    from photodefect.heatmap import Mapper


def illustrate(
    diagnoser: Diagnoser,
    paths: Iterable[str | os.PathLike[str]],
    *,
    maps: bool = True,
    beside: PixelJob[Any] | None = None,
    take_beside: Callable[[str, str], None] | None = None,
) -> Generator[tuple[Diagnosis, Pictures | None], None, None]:
    """Diagnose photos and make their pictures, lazily and in the order given.

    Args:
        diagnoser: makes the diagnoses; its model makes the heat maps.
        paths: the photos.
        maps: make heat maps.
        beside: as in :meth:`~photodefect.Diagnoser.diagnose_with`.
        take_beside: see there.

    Yields:
        A record a path, and its pictures unless it failed. A photo whose pictures can't be made has failed.
    """
    job = PictureJob(
        Draw(diagnoser.maps_by if maps else None),
        seconds=MAPPING_S if maps else 0.0,
        kept_as=f"report {_VERSION}" + (f" maps {diagnoser.manifest.identity.sha256}" if maps else ""),
        to_bytes=Drawn.to_bytes,
        from_bytes=Drawn.from_bytes,
    )
    for diagnosis, drawn in diagnoser.diagnose_with(paths, job, beside=beside, take_beside=take_beside):
        yield diagnosis, None if drawn is None else drawn.of_photo(diagnosis)


_VERSION: Final = 4
"""Grows whenever the pictures or the heat maps of the same photo and model would be others than before."""


@dataclass(frozen=True)
class Draw:
    """Makes the pictures and maps of a photo, in whichever process has its pixels.

    Attributes:
        maps_by: what makes the heat maps, or is opened for them; None for no maps.
    """

    maps_by: EngineChoice | Mapper | None
    takes_views: ClassVar[bool] = True

    def prepare(self) -> None:
        """Load the model."""
        if self.maps_by is not None:
            from photodefect.heatmap import mapper_of  # noqa: PLC0415  takes a tenth of a second

            mapper_of(self.maps_by)

    def __call__(self, pixels: NDArray[np.uint8]) -> Drawn:
        """Make them, of (height, width, 3) sRGB."""
        reduced = Reduced(pixels)
        if self.maps_by is None:
            return Drawn(*small_pictures(reduced))
        from photodefect.heatmap import heatmaps, mapper_of  # noqa: PLC0415

        return Drawn(*small_pictures(reduced), heatmaps(mapper_of(self.maps_by), pixels, reduced=reduced).maps)
