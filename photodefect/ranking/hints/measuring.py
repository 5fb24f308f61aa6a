"""The job that measures photos while they are diagnosed; what it takes is imported where it is done."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from photodefect.diagnosis.workers.tasks import PixelJob

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from photodefect.ranking.hints.measurements import Measurements


@dataclass(frozen=True)
class Measure:
    """Measures a photo, in whichever process has its pixels."""

    def __call__(self, pixels: NDArray[np.uint8]) -> Measurements:
        """Measure (height, width, 3) sRGB."""
        from photodefect.ranking.hints.measurements import measure  # noqa: PLC0415

        return measure(pixels)

    def prepare(self) -> None:
        """See :class:`~photodefect.diagnosis.workers.tasks.NeedsPreparation`."""
        import photodefect.ranking.hints.measurements  # noqa: PLC0415, F401
        from photodefect.ranking.hints.softness import frequencies  # noqa: PLC0415

        frequencies()

    def see(self, view: NDArray[np.uint8], holistic: NDArray[np.uint8]) -> Measurements:
        """See :class:`~photodefect.diagnosis.workers.tasks.SeesInputs`."""
        from photodefect.ranking.hints.measurements import measure  # noqa: PLC0415

        return measure(view, holistic)


def _encode(measured: Measurements) -> str:
    return json.dumps(measured.to_dict())


def _decode(text: str) -> Measurements:
    from photodefect.ranking.hints.measurements import Measurements  # noqa: PLC0415

    return Measurements.from_dict(json.loads(text))


MEASURE: Final = PixelJob(
    Measure(),
    # The number grows whenever the same photo would be measured otherwise than before.
    "measurements 3",
    _encode,
    _decode,
)
"""Measures photos while they are diagnosed."""
