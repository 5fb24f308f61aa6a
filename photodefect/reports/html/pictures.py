"""The pictures of one photo that a page shows: a thumbnail, a larger preview, and heat maps to lay over it."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photodefect.errors import DataError

if TYPE_CHECKING:
    from photodefect.heatmap import HeatMap

THUMBNAIL_SIDE: Final = 360
"""Long side of a thumbnail in pixels."""

PREVIEW_SIDE: Final = 1280
"""Long side of a preview in pixels."""


@dataclass(frozen=True)
class Pictures:
    """Encoded pictures of one photo.

    Attributes:
        thumbnail: JPEG with a long side of :data:`THUMBNAIL_SIDE` pixels at most.
        preview: JPEG, likewise of :data:`PREVIEW_SIDE`.
        maps: by defect key, a PNG to be laid over the preview, transparent where the defect isn't.
        notes: by defect key, how the map was made, for people.
    """

    thumbnail: bytes
    preview: bytes
    maps: Mapping[str, bytes] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """All of them, to be kept; :meth:`from_bytes` is the inverse."""
        parts = (self.thumbnail, self.preview, *self.maps.values())
        head = {"sizes": [len(part) for part in parts], "maps": list(self.maps), "notes": dict(self.notes)}
        return b"\n".join((json.dumps(head).encode(), b"".join(parts)))

    @classmethod
    def from_bytes(cls, data: bytes) -> Pictures:
        """The inverse of :meth:`to_bytes`.

        Raises:
            DataError: these are no pictures.
        """
        try:
            text, _, rest = data.partition(b"\n")
            head = json.loads(text)
            ends = list(accumulate(head["sizes"], initial=0))
            thumbnail, preview, *maps = (rest[start:end] for start, end in pairwise(ends))
            found = cls(thumbnail, preview, dict(zip(head["maps"], maps, strict=True)), dict(head["notes"]))
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"these are no pictures of a photo: {error}") from error
        if ends[-1] != len(rest):
            raise DataError("these are no pictures of a photo: something is missing")
        return found


def make_pictures(pixels: NDArray[np.uint8], maps: Mapping[str, HeatMap] | None = None) -> Pictures:
    """Make the pictures of a photo.

    Args:
        pixels: (H, W, 3) uint8 sRGB, upright.
        maps: its heat maps by defect key.
    """
    preview = _within(Image.fromarray(pixels), PREVIEW_SIDE)
    maps = maps or {}
    return Pictures(
        _jpeg(_within(preview, THUMBNAIL_SIDE), quality=82),
        _jpeg(preview, quality=85),
        {key: overlay(heat_map) for key, heat_map in maps.items()},
        {key: heat_map.describe() for key, heat_map in maps.items()},
    )


# Long side of a heat map in pixels; a map has at most a few dozen values along it, and browsers interpolate.
_MAP_SIDE: Final = 192

# Steps of severity that a heat map's picture tells apart; it is even, so that the middle of a signed scale is one.
_LEVELS: Final = 100


def overlay(heat_map: HeatMap) -> bytes:
    """A heat map as a PNG to lay over the photo, in the colours of ``photodefect heatmap``.

    Each pixel is a level of severity; the palette gives it a colour and an opacity.
    """
    # Imports torch, which pages without heat maps do without.
    from photodefect.heatmap.overlay import colour_of, opacity_table  # noqa: PLC0415

    share = _MAP_SIDE / max(heat_map.width, heat_map.height)
    width, height = (max(1, round(side * share)) for side in (heat_map.width, heat_map.height))
    lowest = heat_map.defect.lowest
    position = (heat_map.enlarged(width, height) - lowest) / (1 - lowest)
    levels = np.rint(position.clip(0, 1) * _LEVELS).astype(np.uint8)
    over = opacity_table(heat_map.defect.signed)
    last = len(over) - 1
    places = [round(level * last / _LEVELS) for level in range(_LEVELS + 1)]
    opacity = [max(over[place], over[last - place] if heat_map.defect.signed else 0) for place in places]
    image = Image.fromarray(levels)
    image.putpalette([part for place in places for part in colour_of(lowest + (1 - lowest) * place / last)])
    stream = io.BytesIO()
    image.save(stream, "PNG", transparency=bytes(opacity), optimize=True)
    return stream.getvalue()


def _within(image: Image.Image, side: int) -> Image.Image:
    """The image reduced, if need be, to a long side of ``side`` pixels."""
    share = side / max(image.size)
    if share >= 1:
        return image
    width, height = (max(1, round(length * share)) for length in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=2.0)


def _jpeg(image: Image.Image, quality: int) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality, progressive=True)
    return stream.getvalue()
