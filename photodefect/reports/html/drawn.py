"""What a worker makes of a photo for a page, and the bytes in which that is kept."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

from photodefect.errors import DataError
from photodefect.heatmap.heat_map import HeatMap
from photodefect.records import Diagnosis
from photodefect.reports.html.pictures import Pictures, with_maps
from photodefect.verdicts import COLOUR_DEFECTS


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
        arrays: dict[str, NDArray[np.generic]] = {}
        told: dict[str, dict[str, object]] = {}
        for key, heat in self.maps.items():
            values = asdict(heat)
            for name in ("severity", "clear"):
                array = values.pop(name)
                if array is not None:
                    arrays[f"{name} {key}"] = array
            told[key] = values
        stream = io.BytesIO()
        np.savez(stream, **arrays)  # type: ignore[arg-type]
        head = {"sizes": [len(self.thumbnail), len(self.preview)], "maps": told}
        return b"\n".join((json.dumps(head).encode(), self.thumbnail + self.preview + stream.getvalue()))

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
            with np.load(io.BytesIO(rest[thumbnail + preview :])) as arrays:
                maps = {
                    key: HeatMap(
                        severity=arrays[f"severity {key}"],
                        clear=arrays.get(f"clear {key}"),
                        **(values | {name: tuple(values[name]) for name in ("stride", "origin")}),
                    )
                    for key, values in head["maps"].items()
                }
        except (KeyError, TypeError, ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
            raise DataError(f"these are no pictures of a photo: {error}") from error
        return cls(rest[:thumbnail], rest[thumbnail : thumbnail + preview], maps)
