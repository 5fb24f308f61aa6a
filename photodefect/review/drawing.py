"""What workers make of a photo's pixels for the page: reduced pictures, the whole photo, and heat maps."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photodefect.core.inputs import SIDE
from photodefect.core.reduced import Reduced
from photodefect.diagnosis.map_drawing import map_photo, prepare_maps

if TYPE_CHECKING:
    from photodefect.diagnosis.settings import Settings

THUMBNAIL_SIDE: Final = 360
PREVIEW_SIDE: Final = 2048
"""Long sides in pixels."""

_LARGEST: Final = 16384
"""Long side of what browsers show without trouble; a larger photo is shown reduced to it."""


@dataclass(frozen=True)
class ReducedJpeg:
    """Makes a JPEG whose long side has so many pixels at most.

    Attributes:
        side: in pixels.
        quality: of the JPEG.
    """

    side: int
    quality: int
    takes_views: ClassVar[bool] = True

    def __call__(self, pixels: NDArray[np.uint8]) -> bytes:
        """Make it, of (height, width, 3) sRGB."""
        reduced = Reduced(pixels)
        image = reduced.image(reduced.within(self.side), Image.Resampling.LANCZOS)
        stream = io.BytesIO()
        image.save(stream, "JPEG", quality=self.quality, subsampling=0 if self.quality > 90 else 2)
        return stream.getvalue()


THUMBNAIL: Final = ReducedJpeg(THUMBNAIL_SIDE, 82)
PREVIEW: Final = ReducedJpeg(PREVIEW_SIDE, 88)
WHOLE: Final = ReducedJpeg(_LARGEST, 95)


def sharpest_place(pixels: NDArray[np.uint8]) -> bytes:
    """Where a photo is sharpest: the middle of one of a hundred or so windows, as a JSON list of x and y, 0..1.

    The strongest mean square of differences between neighbours (every eighth row of green) decides.

    Args:
        pixels: (height, width, 3), uint8, sRGB.
    """
    height, width, _ = pixels.shape
    side = min(SIDE, height, width)
    rows = max(1, min(9, height // side))
    columns = max(1, min(13, width // side))
    best, place = -1.0, (0.5, 0.5)
    for row in range(rows):
        top = 0 if rows == 1 else round((height - side) * row / (rows - 1))
        for column in range(columns):
            left = 0 if columns == 1 else round((width - side) * column / (columns - 1))
            lines = pixels[top : top + side : 8, left : left + side, 1].astype(np.int16)
            below = pixels[top + 1 : top + side : 8, left : left + side, 1].astype(np.int16)
            energy = _energy(np.diff(lines, axis=1)) + _energy(below - lines[: len(below)])
            if energy > best:
                best, place = energy, ((left + side / 2) / width, (top + side / 2) / height)
    return json.dumps([round(length, 4) for length in place]).encode()


def _energy(differences: NDArray[np.int16]) -> float:
    return float(np.square(differences, dtype=np.int32).mean()) if differences.size else 0.0


@dataclass(frozen=True)
class MapOf:
    """A heat map, ready to be laid over the photo; or why there is none.

    Attributes:
        picture: a PNG; empty if there is no map.
        note: what its colours mean and how it was made, or why there is none; for people.
        place: x and y, 0..1, of the largest absolute severity.
        severity: there, as the picture shows it.
    """

    picture: bytes
    note: str
    place: tuple[float, float] = (0.5, 0.5)
    severity: float = 0.0


@dataclass(frozen=True)
class DrawMaps:
    """Makes all heat maps of a photo.

    Attributes:
        settings: how it is diagnosed, and with which model.
    """

    settings: Settings

    def prepare(self) -> None:
        """Load the model."""
        prepare_maps(self.settings)

    def __call__(self, pixels: NDArray[np.uint8]) -> dict[str, MapOf]:
        """Make them, of (height, width, 3) sRGB, by defect key."""
        return self._draw(pixels, None)

    def see(self, view: NDArray[np.uint8], holistic: NDArray[np.uint8]) -> dict[str, MapOf]:
        """See :class:`~photodefect.diagnosis.workers.tasks.SeesInputs`: severities are those of ``diagnose``."""
        return self._draw(view, holistic)

    def _draw(self, pixels: NDArray[np.uint8], holistic: NDArray[np.uint8] | None) -> dict[str, MapOf]:
        from photodefect.heatmap.legend import legend  # noqa: PLC0415
        from photodefect.reports.html.pictures import overlay  # noqa: PLC0415

        found, _ = map_photo(self.settings, pixels, holistic=holistic)
        made = {key: MapOf(b"", f"no map: {why}") for key, why in found.without.items()}
        for key, heat_map in found.maps.items():
            shown = heat_map.shown
            row, column = np.unravel_index(int(np.abs(shown).argmax()), shown.shape)
            x = (heat_map.origin[0] + int(column) * heat_map.stride[0]) / heat_map.width
            y = (heat_map.origin[1] + int(row) * heat_map.stride[1]) / heat_map.height
            place = (round(min(max(x, 0.0), 1.0), 4), round(min(max(y, 0.0), 1.0), 4))
            made[key] = MapOf(overlay(heat_map), legend(heat_map), place, round(float(shown[row, column]), 3))
        return made
