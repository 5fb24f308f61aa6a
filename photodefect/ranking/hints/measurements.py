"""What is measured on a photo's pixels while they are decoded, for hints and for finding series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from photodefect.core.inputs import holistic_input
from photodefect.errors import DataError
from photodefect.ranking.hints.cast import Cast, measure_cast
from photodefect.ranking.hints.light import Light, measure_light
from photodefect.ranking.hints.softness import Softness, measure_softness
from photodefect.ranking.series.miniature import measure_miniature


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


_STEP: Final = 4
"""Every fourth pixel of every fourth row of the whole photo's 224 x 224: 3136 tell its light and its cast."""


def measure(pixels: NDArray[np.uint8], holistic: NDArray[np.uint8] | None = None) -> Measurements:
    """Measure a photo; a fiftieth of the time that decoding it takes.

    Args:
        pixels: (height, width, 3), uint8, sRGB, upright, at the photo's own resolution; they needn't be contiguous.
        holistic: the photo's :func:`~photodefect.core.inputs.holistic_input`; None to make it.
    """
    whole = holistic_input(pixels) if holistic is None else holistic
    sample = whole[_STEP // 2 :: _STEP, _STEP // 2 :: _STEP]
    return Measurements(
        measure_miniature(whole, pixels), measure_light(sample), measure_cast(sample), measure_softness(pixels)
    )
