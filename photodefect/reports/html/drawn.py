"""What a worker makes of a photo for a page, and the bytes in which that is kept."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from photodefect.errors import DataError
from photodefect.heatmap.heat_map import HeatMap
from photodefect.records import Diagnosis
from photodefect.reports.html.pictures import Pictures, with_maps
from photodefect.verdicts import COLOUR_DEFECTS

_ARRAYS: Final = ("severity", "clear")
"""What is kept of a heat map as bytes; the rest is text."""


@dataclass(frozen=True)
class Drawn:
    """Small pictures and heat maps of a photo. How maps are shown depends on what is found in the whole of it.

    Attributes:
        thumbnail: as of :class:`~photodefect.reports.html.pictures.Pictures`.
        preview: likewise.
        maps: its heat maps by defect key.
    """

    thumbnail: bytes
    preview: bytes
    maps: Mapping[str, HeatMap] = field(default_factory=dict)

    def of_photo(self, diagnosis: Diagnosis) -> Pictures:
        """The pictures, of a photo that was found to be so; maps of colour are left out if it has none."""
        severity = diagnosis.severity
        if severity is None:
            return Pictures(self.thumbnail, self.preview)
        left_out = COLOUR_DEFECTS if diagnosis.monochrome else ()
        maps = {key: heat.of_photo(severity[key]) for key, heat in self.maps.items() if key not in left_out}
        return with_maps(self.thumbnail, self.preview, maps)

    def to_bytes(self) -> bytes:
        """All of it, to be kept; :meth:`from_bytes` is the inverse."""
        parts = [self.thumbnail, self.preview]
        told: dict[str, dict[str, object]] = {}
        for key, heat in self.maps.items():
            values, arrays = asdict(heat), {}
            for name in _ARRAYS:
                array = values.pop(name)
                if array is not None:
                    arrays[name] = [array.dtype.str, array.shape]
                    parts.append(array.tobytes())
            told[key] = {"values": values, "arrays": arrays}
        head = {"sizes": [len(self.thumbnail), len(self.preview)], "maps": told}
        return b"\n".join((json.dumps(head).encode(), b"".join(parts)))

    @classmethod
    def from_bytes(cls, data: bytes) -> Drawn:
        """The inverse of :meth:`to_bytes`.

        Raises:
            DataError: these are no pictures.
        """
        try:
            text, _, rest = data.partition(b"\n")
            head = json.loads(text)
            thumbnail, preview = head["sizes"]
            at, maps = thumbnail + preview, {}
            for key, told in head["maps"].items():
                arrays: dict[str, NDArray[np.generic] | None] = dict.fromkeys(_ARRAYS)
                for name, (dtype, shape) in told["arrays"].items():
                    array = np.frombuffer(rest, dtype, math.prod(shape), at).reshape(shape)
                    arrays[name] = array
                    at += array.nbytes
                values = told["values"]
                pairs = {name: tuple(values[name]) for name in ("stride", "origin")}
                maps[key] = HeatMap(**(values | pairs | arrays))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"these are no pictures of a photo: {error}") from error
        if at != len(rest):
            raise DataError(f"these are no pictures of a photo: {len(rest)} bytes instead of {at}")
        return cls(rest[:thumbnail], rest[thumbnail : thumbnail + preview], maps)
