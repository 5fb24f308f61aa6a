"""What a DNG says of how its picture is meant to be shown, where LibRaw doesn't follow it.

Source: Adobe Digital Negative Specification 1.7, the tags DefaultCropOrigin, DefaultCropSize, DefaultUserCrop,
BaselineExposure, OpcodeList2, OpcodeList3, CFARepeatPatternDim and CFAPattern.
"""

from __future__ import annotations

from typing import NamedTuple

from photodefect.photos import tiff_folders as tags
from photodefect.photos.dng_gains import Gain, read_gains
from photodefect.photos.tiff_folders import folders

Box = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels of the sensor's active area."""

_MOST_GAIN = 5.0
"""Stops; what claims more is no exposure."""


class Development(NamedTuple):
    """How a DNG is meant to be shown.

    Attributes:
        box: the part of the active area that is the picture.
        gain: what its light is multiplied by, 1 or more.
        gains: what the light of some of its places is multiplied by, each with whether it is about the mosaic.
        area: top, left, bottom and right of the sensor's active area, where these count from; None if that isn't told.
    """

    box: Box
    gain: float
    gains: tuple[tuple[Gain, bool], ...] = ()
    area: tuple[int, ...] | None = None


def read_development(data: bytes, width: int, height: int) -> Development | None:
    """What a DNG says of its picture; None if the file is no DNG.

    A baseline exposure below zero isn't followed: it would turn what is blown out into grey.

    Args:
        data: the file.
        width: of the active area, in pixels.
        height: likewise.
    """
    stops, box, is_dng = 0.0, (0, 0, width, height), False
    gains: list[tuple[Gain, bool]] = []
    area: tuple[int, ...] | None = None
    for folder in folders(data):
        is_dng = is_dng or tags.DNG_VERSION in folder
        given = folder.fractions(tags.BASELINE_EXPOSURE)
        stops = given[0] if given else stops
        if folder.is_sensor and not folder.is_reduced:
            origin, size = folder.fractions(tags.CROP_ORIGIN) or (0, 0), folder.fractions(tags.CROP_SIZE)
            if len(origin) == len(size) == 2:
                box = _within(box, (origin[0], origin[1], origin[0] + size[0], origin[1] + size[1]))
            shares = folder.fractions(tags.USER_CROP)
            if len(shares) == 4:
                top, left, bottom, right = shares
                wide, high = box[2] - box[0], box[3] - box[1]
                chosen = box[0] + left * wide, box[1] + top * high, box[0] + right * wide, box[1] + bottom * high
                box = _within(box, chosen)
            area = tuple(folder.numbers(tags.ACTIVE_AREA).tolist()) or None
            is_mosaic = folder.number(tags.PHOTOMETRIC) == tags.CFA
            gains = [(gain, is_mosaic) for gain in read_gains(folder.raw(tags.MOSAIC_OPCODES), of_mosaic=is_mosaic)]
            gains += [(gain, False) for gain in read_gains(folder.raw(tags.COLOUR_OPCODES), of_mosaic=False)]
    return Development(box, 2 ** min(max(stops, 0.0), _MOST_GAIN), tuple(gains), area) if is_dng else None


_BAYER = (2, 2)
_X_TRANS, _OF_EACH_COLOUR = (6, 6), [8, 20, 8]
"""Rows and columns that repeat, and how often red, green and blue are in those of Fujifilm's."""


def has_known_filters(data: bytes) -> bool:
    """Whether LibRaw knows how the colour filters of a DNG are arranged.

    It takes every pattern for two columns wide, and one of six rows and columns for Fujifilm's: the colours of a sensor
    with four or nine neighbours below one filter would be garbled without a word.
    """
    for folder in folders(data):
        size, pattern = tuple(folder.numbers(tags.CFA_SIZE)), folder.numbers(tags.CFA_PATTERN)
        if folder.number(tags.PHOTOMETRIC) != tags.CFA or folder.is_reduced or len(size) != 2 or size == _BAYER:
            continue
        counts = [int((pattern == colour).sum()) for colour in range(3)]
        if size != _X_TRANS or len(pattern) != 36 or counts != _OF_EACH_COLOUR:
            return False
    return True


def _within(box: Box, part: tuple[float, float, float, float]) -> Box:
    """A part of a box, in whole pixels; all of it if that is none."""
    left, top, right, bottom = (round(edge) for edge in part)
    inside = box[0] <= left < right <= box[2] and box[1] <= top < bottom <= box[3]
    return (left, top, right, bottom) if inside else box
