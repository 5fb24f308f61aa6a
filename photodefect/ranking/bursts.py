"""Bursts, brackets and panoramas: photos of one scene taken in quick succession.

Two photos in a row belong together when they lie in one folder, come from one camera, were taken within a few seconds
(by EXIF time with sub-seconds, photos of the same instant in the order of their files) and look alike. Photos without
a time must look very much alike and follow one another in the folder. Exposure brackets and panoramas are told by what
the camera wrote, and by steps of exposure that no camera makes on its own; they are groups of their own kind, because
each of their photos is needed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import PurePath
from typing import Final, Literal, TypeAlias

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from photodefect.photos.shots import shots
from photodefect.records import Capture, Diagnosis

BurstKind: TypeAlias = Literal["burst", "bracket", "panorama"]


DEFAULT_GAP_S: Final = 2.0
"""Seconds from the end of one photo to the start of the next, at most."""


@dataclass(frozen=True)
class Burst:
    """Photos that belong together.

    Attributes:
        kind: ``burst``; ``bracket`` or ``panorama``, of which every photo is needed.
        members: indexes of at least two photos, in the order in which they were taken.
    """

    kind: BurstKind
    members: tuple[int, ...]


def likeness_hash(pixels: NDArray[np.uint8]) -> str:
    """A perceptual hash by the low frequencies of the photo, in hexadecimal (64 bits).

    Tones are equalized first, so that photos of one scene with other exposures stay alike.

    Args:
        pixels: (height, width, 3), uint8, sRGB; a reduced copy does.
    """
    grey = ImageOps.equalize(Image.fromarray(pixels).convert("L"))
    return str(imagehash.phash(grey))


def unlikeness(first: str, second: str) -> int:
    """Number of bits, 0..64, in which two hashes of :func:`likeness_hash` differ."""
    return (int(first, 16) ^ int(second, 16)).bit_count()


@dataclass(frozen=True)
class _Frame:
    """One photo, as far as bursts are concerned; ``name`` is that of its shot."""

    index: int
    folder: str
    name: str
    likeness: str
    capture: Capture
    time: datetime | None


def find_bursts(
    photos: Sequence[Diagnosis], likeness: Mapping[str, str], *, gap_s: float = DEFAULT_GAP_S
) -> list[Burst]:
    """Group photos into bursts, brackets and panoramas.

    Args:
        photos: in the order of their files.
        likeness: :func:`likeness_hash` by path; a photo that isn't there belongs to no burst.
        gap_s: seconds between two photos of a burst, at most.

    Returns:
        Groups of two and more photos (a raw photo and its JPEG count as one), in the order of their first photo.
    """
    names = shots(photo.path for photo in photos)
    frames = [
        _frame(index, photo, names[photo.path], likeness[photo.path])
        for index, photo in enumerate(photos)
        if photo.path in likeness
    ]
    frames.sort(key=lambda it: (it.folder, it.capture.camera or "", it.time or datetime.max, it.index))
    groups: list[list[_Frame]] = []
    for frame in frames:
        if groups and _belong_together(groups[-1][-1], frame, gap_s):
            groups[-1].append(frame)
        else:
            groups.append([frame])
    bursts = [
        Burst(kind, tuple(frame.index for frame in part))
        for group in groups
        for kind, part in _by_kind(group)
        if len({frame.name for frame in part}) > 1
    ]
    return sorted(bursts, key=lambda burst: min(burst.members))


def keep_best(
    bursts: Sequence[Burst],
    photos: Sequence[Diagnosis],
    values: Mapping[int, tuple[float, ...]],
    count: int,
    *,
    thin_sequences: bool = False,
) -> dict[int, int]:
    """Choose what to leave out so that ``count`` photos of each burst are left.

    A raw photo and its JPEG are kept or left out together, by the better of the two.

    Args:
        bursts: of :func:`find_bursts`.
        photos: what they index.
        values: by index, lower is better; a member that isn't there doesn't compete.
        count: photos to keep of each burst, 1 or more.
        thin_sequences: thin brackets and panoramas too.

    Returns:
        For each photo to leave out, the best photo of its burst, as indexes.
    """
    dropped: dict[int, int] = {}
    names = shots(photo.path for photo in photos)
    for burst in bursts:
        if burst.kind != "burst" and not thin_sequences:
            continue
        twins: dict[str, list[int]] = {}
        for index in burst.members:
            if index in values:
                twins.setdefault(names[photos[index].path], []).append(index)
        # Of equals the first stays: members are in the order in which they were taken, and sorting keeps it.
        ordered = sorted(twins.values(), key=lambda members: min(values[index] for index in members))
        for members in ordered[count:]:
            dropped |= dict.fromkeys(members, min(ordered[0], key=lambda index: values[index]))
    return dropped


def _frame(index: int, photo: Diagnosis, name: str, likeness: str) -> _Frame:
    capture = photo.capture or Capture()
    folder = str(PurePath(photo.path).parent)
    return _Frame(index, folder, name, likeness, capture, _clock(capture.time))


def _clock(time: str | None) -> datetime | None:
    """The camera's clock; its offset from UTC doesn't change within a burst."""
    try:
        return None if time is None else datetime.fromisoformat(time).replace(tzinfo=None)
    except ValueError:
        return None


ALIKE: Final = 16
"""Bits of 64 in which hashes of photos taken in quick succession may differ. Unrelated photos differ in 32 or so,
hardly any pair in fewer than 18; a scene three stops brighter in up to 8, a hand-held repetition in up to 14."""

VERY_ALIKE: Final = 8
"""The same for photos of which nothing tells when they were taken."""


def _belong_together(before: _Frame, after: _Frame, gap_s: float) -> bool:
    if before.name == after.name:
        return True
    if (before.folder, before.capture.camera) != (after.folder, after.capture.camera):
        return False
    if before.time is None or after.time is None:
        near = before.time is after.time is None and after.index - before.index == 1
        return near and unlikeness(before.likeness, after.likeness) <= VERY_ALIKE
    # A clock of whole seconds may hide up to one; the next photo can't start before this one ends.
    pause = after.time - before.time - timedelta(seconds=min(before.capture.shutter_s or 0.0, 3600.0))
    if pause > timedelta(seconds=gap_s):
        return False
    if _marked(before.capture) == _marked(after.capture) == "bracket":
        return True  # however different they look
    return unlikeness(before.likeness, after.likeness) <= ALIKE


def _marked(capture: Capture) -> BurstKind:
    """What the camera says a photo is part of."""
    if capture.sequence == "panorama":
        return "panorama"
    if capture.sequence == "bracket" or capture.exposure_mode == "auto bracket":
        return "bracket"
    return "burst"


def _by_kind(group: Sequence[_Frame]) -> list[tuple[BurstKind, list[_Frame]]]:
    parts = [(kind, list(part)) for kind, part in groupby(group, key=lambda frame: _marked(frame.capture))]
    return [("bracket" if kind == "burst" and _steps_exposure(part) else kind, part) for kind, part in parts]


_BRACKET_STEPS: Final = 3
_BRACKET_SPREAD_EV: Final = 1.0


def _steps_exposure(frames: Sequence[_Frame]) -> bool:
    """Whether a person or camera bracketed the exposure without saying so."""
    biases = {frame.capture.exposure_bias for frame in frames}
    if len(biases - {None}) > 1:
        return True  # compensation doesn't change by itself
    if any(frame.capture.exposure_mode != "manual" for frame in frames):
        return False  # automatic exposure follows the light
    exposures = [exposure for frame in frames if (exposure := _exposure_ev(frame.capture)) is not None]
    # Cameras round to thirds of a stop.
    steps = {round(3 * exposure) for exposure in exposures}
    return len(steps) >= _BRACKET_STEPS and max(exposures) - min(exposures) >= _BRACKET_SPREAD_EV


def _exposure_ev(capture: Capture) -> float | None:
    """How much light the sensor was given, in exposure values; None if it isn't known."""
    if not capture.shutter_s:
        return None
    return math.log2(capture.shutter_s * (capture.iso or 100) / (capture.aperture or 1.0) ** 2)
