"""The pictures of one photo that a page shows: a thumbnail, a larger preview, and heat maps to lay over it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photodefect.core.reduced import Reduced
from photodefect.heatmap.heat_map import HeatMap
from photodefect.heatmap.legend import legend
from photodefect.heatmap.overlay import UNCLEAR, UNCLEAR_OPACITY, colour_of, opacity_table

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
        notes: by defect key, what the map's colours mean and how it was made, for people.
    """

    thumbnail: bytes
    preview: bytes
    maps: Mapping[str, bytes] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)


def make_pictures(pixels: NDArray[np.uint8], maps: Mapping[str, HeatMap] | None = None) -> Pictures:
    """Make the pictures of a photo.

    Args:
        pixels: (H, W, 3) uint8 sRGB, upright.
        maps: its heat maps by defect key.
    """
    return with_maps(*small_pictures(Reduced(pixels)), maps or {})


def with_maps(thumbnail: bytes, preview: bytes, maps: Mapping[str, HeatMap]) -> Pictures:
    """The pictures of a photo whose thumbnail and preview are made, with its heat maps by defect key."""
    return Pictures(
        thumbnail,
        preview,
        {key: overlay(heat_map) for key, heat_map in maps.items()},
        {key: legend(heat_map) for key, heat_map in maps.items()},
    )


def small_pictures(photo: Reduced) -> tuple[bytes, bytes]:
    """Thumbnail and preview of a photo, as of :class:`Pictures`."""
    preview = photo.image(photo.within(PREVIEW_SIDE), Image.Resampling.BICUBIC)
    thumbnail = photo.image(photo.within(THUMBNAIL_SIDE), Image.Resampling.HAMMING, finer=2)
    return _jpeg(thumbnail, quality=82), _jpeg(preview, quality=85)


# Long side of a heat map in pixels; a map has at most a few dozen values along it, and browsers interpolate.
_MAP_SIDE: Final = 192

# How hard a map's picture is compressed, of 9: six a photo take a third of the time, for 600 bytes more each.
_PNG_LEVEL: Final = 3

# Steps of severity that a heat map's picture tells apart; it is even, so that the middle of a signed scale is one.
_LEVELS: Final = 100


def overlay(heat_map: HeatMap) -> bytes:
    """A heat map as a PNG to lay over the photo, in the colours of ``photodefect heatmap``.

    Each pixel is a level of severity; the palette gives it a colour and an opacity.
    """
    share = _MAP_SIDE / max(heat_map.width, heat_map.height)
    width, height = (max(1, round(side * share)) for side in (heat_map.width, heat_map.height))
    lowest = heat_map.defect.lowest
    arguments = heat_map.resize_arguments(width, height)
    position = (np.asarray(Image.fromarray(heat_map.shown).resize(*arguments)) - lowest) / (1 - lowest)
    levels = np.rint(position.clip(0, 1) * _LEVELS).astype(np.uint8)
    opacity, palette = _colours(heat_map.defect.signed)
    if heat_map.unclear is not None:
        veil = Image.fromarray(heat_map.unclear.astype(np.uint8) * np.uint8(255)).resize(*arguments)
        levels[np.asarray(veil) > 127] = len(opacity)
        opacity += bytes([round(255 * UNCLEAR_OPACITY)])
        palette += bytes(UNCLEAR)
    image = Image.fromarray(levels)
    image.putpalette(palette)
    stream = io.BytesIO()
    image.save(stream, "PNG", transparency=opacity, compress_level=_PNG_LEVEL)
    return stream.getvalue()


@cache
def _colours(signed: bool) -> tuple[bytes, bytes]:
    """Opacity of each level of severity, and its red, green and blue."""
    over = opacity_table(signed)
    last = len(over) - 1
    places = [round(level * last / _LEVELS) for level in range(_LEVELS + 1)]
    opacity = [max(over[place], over[last - place] if signed else 0) for place in places]
    lowest = -1 if signed else 0
    palette = [part for place in places for part in colour_of(lowest + (1 - lowest) * place / last)]
    return bytes(opacity), bytes(palette)


def _jpeg(image: Image.Image, quality: int) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return stream.getvalue()
