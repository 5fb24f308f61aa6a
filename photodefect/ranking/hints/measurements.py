"""What is measured on a photo's pixels while they are decoded, for hints and for finding series."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photodefect.diagnosis.workers.tasks import PixelJob
from photodefect.errors import DataError
from photodefect.ranking.hints.cast import Cast, measure_cast
from photodefect.ranking.hints.light import Light, measure_light
from photodefect.ranking.hints.softness import Softness, measure_softness
from photodefect.ranking.series.miniature import measure_miniature

_LONG_SIDE: Final = 320


@dataclass(frozen=True)
class Measurements:
    """A few numbers of a photo that its record doesn't have.

    Attributes:
        miniature: by which it is compared with other photos, as ``measure_miniature`` writes it.
        light: for a bad exposure and for haze.
        cast: for a bad white balance.
        softness: for blur.
    """

    miniature: str
    light: Light
    cast: Cast
    softness: Softness

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, strings and numbers; :meth:`from_dict` is the inverse."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Measurements:
        """The inverse of :meth:`to_dict`.

        Raises:
            DataError: these are no measurements.
        """
        try:
            return cls(
                miniature=str(values["miniature"]),
                light=Light(**values["light"]),
                cast=Cast(**values["cast"]),
                softness=Softness(**values["softness"]),
            )
        except (KeyError, TypeError) as error:
            raise DataError(f"these are no measurements of a photo: {error}") from error


def measure(pixels: NDArray[np.uint8]) -> Measurements:
    """Measure a photo; about 50 ms for 24 megapixels.

    Args:
        pixels: (height, width, 3), uint8, sRGB, upright, at the photo's own resolution.
    """
    sample = _sample(pixels)
    return Measurements(
        measure_miniature(sample, pixels), measure_light(sample), measure_cast(sample), measure_softness(pixels)
    )


def _sample(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A reduced copy: pixels left out down to four times the size, which keeps what is clipped, then averaged."""
    step = max(1, max(pixels.shape[:2]) // (4 * _LONG_SIDE))
    image = Image.fromarray(np.ascontiguousarray(pixels[::step, ::step]))
    image.thumbnail((_LONG_SIDE, _LONG_SIDE), Image.Resampling.BOX)
    return np.asarray(image)


MEASURE: Final = PixelJob(
    measure,
    # The number grows whenever the same photo would be measured otherwise than before.
    "measurements 2",
    lambda measured: json.dumps(measured.to_dict()),
    lambda text: Measurements.from_dict(json.loads(text)),
)
"""Measures photos while they are diagnosed."""
