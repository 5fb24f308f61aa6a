"""How much two photos show the same: structure, place, tones and colours, of many pairs at once.

Structure is the normalized cross-correlation of both miniatures without their coarsest tones, at the shift where it is
highest; sums over the part that overlaps make it exact there (Lewis, Fast Normalized Cross-Correlation, 1995).
At that shift tones and colours are compared place by place, so that two things in the same place that differ in colour
differ. Thresholds stand where they are used; the figures there are those of pairs made from some 400 photographs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from photodefect.ranking.series.miniature import CELLS, SIDE, Miniatures

NEAR: Final = 10
"""Pixels of a miniature (of 32) by which photos of a burst are shifted at most."""

FAR: Final = 24
"""The same for panoramas: a quarter of the frame still overlaps."""

_CHUNK: Final = 128
_COARSE: Final = 4
_WORST: Final = 0.02

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Displacement:
    """Where N pairs of photos fit best.

    Attributes:
        structure: as of :class:`Likeness`.
        shift: likewise.
    """

    structure: Floats
    shift: NDArray[np.int_]


@dataclass(frozen=True)
class Likeness(Displacement):
    """How N pairs of photos compare.

    Attributes:
        structure: correlation at the best shift, -1..1. Unrelated photos have 0.2 or so, one pair in a hundred over
            0.5; of photos of one scene one in a hundred less than 0.65.
        shift: (N, 2), rows and columns of the miniature by which the second photo's scene lies further down and
            right.
        brightness: exposure values by which the second is brighter where neither is clipped.
        tones: largest difference of luma between the same places, beyond what lies beside them, 0..255.
        colours: the same for chroma.
        contrast: how much structure the first has, in the same unit.
    """

    brightness: Floats
    tones: Floats
    colours: Floats
    contrast: Floats

    @property
    def distance(self) -> Floats:
        """The shift along the axis where it is larger, as a share of the frame."""
        largest: Floats = (np.abs(self.shift).max(axis=1) / SIDE).astype(np.float32)
        return largest


def compare(first: Miniatures, second: Miniatures, reach: int = NEAR) -> Likeness:
    """Compare N photos with N others.

    Args:
        first: N photos.
        second: N others.
        reach: pixels of a miniature by which they may be shifted.
    """
    parts = [
        _compare(first[np.arange(start, end)], second[np.arange(start, end)], reach)
        for start in range(0, len(first), _CHUNK)
        for end in [min(start + _CHUNK, len(first))]
    ]
    names = ("structure", "shift", "brightness", "tones", "colours", "contrast")
    empty = {name: np.zeros((0, 2), np.int_) if name == "shift" else np.zeros(0, np.float32) for name in names}
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names} if parts else empty
    return Likeness(**joined)


def displacement(first: Miniatures, second: Miniatures, reach: int = NEAR) -> Displacement:
    """Where N photos fit N others best: what :func:`compare` says of it, without the rest."""
    fine_first, fine_second = _without_coarse(first.luma), _without_coarse(second.luma)
    scores = correlation(fine_first, fine_second, reach)
    flat = scores.reshape(len(scores), -1)
    best = flat.argmax(axis=1)
    shift = np.stack(np.divmod(best, scores.shape[2]), axis=1) - reach
    return Displacement(flat[np.arange(len(flat)), best].astype(np.float32), shift)


def _compare(first: Miniatures, second: Miniatures, reach: int) -> Likeness:
    place = displacement(first, second, reach)
    shift = place.shift
    luma = shifted(second.luma, shift)
    coarse_shift = np.rint(shift * (CELLS / SIDE)).astype(int)
    chroma = np.moveaxis(first.chroma, 3, 0), np.moveaxis(second.chroma, 3, 0)
    colours = [
        _differences(one, _aligned(one, shifted(other, coarse_shift), _WHITE_BALANCE))
        for one, other in zip(*chroma, strict=True)
    ]
    return Likeness(
        structure=place.structure,
        shift=shift,
        brightness=_brightness(first.luma, luma),
        tones=_worst(_differences(first.luma, _aligned(first.luma, luma, _EXPOSURE))),
        colours=_worst(np.hypot(*colours)),
        contrast=np.percentile(np.abs(_without_coarse(first.luma)), 75, axis=(1, 2)).astype(np.float32),
    )


def correlation(first: Floats, second: Floats, reach: int) -> Floats:
    """Normalized cross-correlation of N pairs of square arrays where they overlap, for every shift up to ``reach``.

    Returns:
        (N, 2 reach + 1, 2 reach + 1): at ``[:, reach + y, reach + x]`` of ``first[r, c]`` with
        ``second[r + y, c + x]``.
    """
    side = first.shape[1]
    size = (side + reach, side + reach)
    spectrum = np.fft.rfft2(first, s=size).conj() * np.fft.rfft2(second, s=size)
    shifts = np.arange(-reach, reach + 1)
    products = np.fft.irfft2(spectrum, s=size)[:, shifts][:, :, shifts]
    count = np.multiply.outer(side - np.abs(shifts), side - np.abs(shifts))
    sums = [_overlaps(values, shifts) for values in (first, np.square(first))]
    sums += [_overlaps(values, shifts)[:, ::-1, ::-1] for values in (second, np.square(second))]
    covariance = products - sums[0] * sums[2] / count
    variances = [
        np.maximum(squares - plain**2 / count, 0) for plain, squares in ((sums[0], sums[1]), (sums[2], sums[3]))
    ]
    # Noise of half a level is no structure.
    result: Floats = (covariance / np.sqrt((variances[0] + count / 2) * (variances[1] + count / 2))).astype(np.float32)
    return result


def shifted(values: Floats, shift: NDArray[np.int_]) -> Floats:
    """Each of (N, side, side) moved so that ``[r, c]`` is what was at ``[r + y, c + x]``; NaN where nothing was."""
    side = values.shape[1]
    rows, columns = (np.arange(side)[None, :] + shift[:, [axis]] for axis in (0, 1))
    taken: Floats = values[
        np.arange(len(values))[:, None, None], rows.clip(0, side - 1)[:, :, None], columns.clip(0, side - 1)[:, None, :]
    ].astype(np.float32)
    inside = [(places >= 0) & (places < side) for places in (rows, columns)]
    taken[~(inside[0][:, :, None] & inside[1][:, None, :])] = np.nan
    return taken


def _without_coarse(values: Floats) -> Floats:
    """Without the mean of the 9 x 9 pixels around each: skies and vignettes are alike everywhere."""
    places = np.arange(SIDE)
    around = (places[:, None] + np.arange(-_COARSE, _COARSE + 1)).clip(0, SIDE - 1)  # edges are repeated
    means = (around[:, :, None] == places).mean(axis=1, dtype=np.float32)
    result: Floats = values - means @ values @ means.T
    return result


def _overlaps(values: Floats, shifts: NDArray[np.int_]) -> Floats:
    """For every two shifts the sum over what overlaps the other photo."""
    others = np.arange(values.shape[1]) + shifts[:, None]
    inside = ((others >= 0) & (others < values.shape[1])).astype(np.float32)
    result: Floats = inside @ values @ inside.T
    return result


_EXPOSURE: Final = 48.0
"""Levels of luma by which automatic exposure makes a whole photo of a burst brighter or darker, at most."""

_WHITE_BALANCE: Final = 8.0
"""Levels of chroma by which automatic white balance changes it."""


def _aligned(first: Floats, second: Floats, most: float) -> Floats:
    """The second with the level of the first."""
    level = _median(second - first).clip(-most, most)
    result: Floats = second - level[:, None, None]
    return result


def _differences(first: Floats, second: Floats) -> Floats:
    """By how much each value lies outside of those at and around the same place of the other; NaN where there is none.

    That forgives shifts and turns of less than a pixel.
    """
    outside = [
        np.maximum(np.maximum(low - values, values - high), 0)
        for values, other in ((first, second), (second, first))
        for low, high in [_around(other)]
    ]
    larger: Floats = np.maximum(*outside)  # NaN where the second is
    return larger


def _around(values: Floats) -> tuple[Floats, Floats]:
    """The lowest and the highest of the 3 x 3 values around each, NaN left out: infinite where all are."""
    holes = np.isnan(values)
    return _extreme(values, holes, np.minimum, np.inf), _extreme(values, holes, np.maximum, -np.inf)


def _extreme(values: Floats, holes: NDArray[np.bool_], most: np.ufunc, beyond: float) -> Floats:
    count, down, across = values.shape
    padded = np.full((count, down + 2, across + 2), beyond, np.float32)
    padded[:, 1:-1, 1:-1] = np.where(holes, np.float32(beyond), values)
    rows = most(most(padded[:, :-2], padded[:, 1:-1]), padded[:, 2:])
    result: Floats = most(most(rows[:, :, :-2], rows[:, :, 1:-1]), rows[:, :, 2:])
    return result


def _median(values: Floats) -> Floats:
    """The median of each of (N, side, side) without NaN; the lower of two. NumPy's own goes through them one by one."""
    flat = np.sort(values.reshape(len(values), -1), axis=1)  # NaN comes last
    there = (~np.isnan(flat)).sum(axis=1)
    result: Floats = flat[np.arange(len(flat)), np.maximum(there - 1, 0) // 2]
    return result


def _worst(differences: Floats) -> Floats:
    """The mean of the largest differences, one in fifty of those that there are."""
    flat = np.sort(differences.reshape(len(differences), -1), axis=1)  # NaN comes last
    there = (~np.isnan(flat)).sum(axis=1)
    count = np.maximum(1, (there * _WORST).astype(int))
    sums = np.pad(np.nancumsum(flat, axis=1), ((0, 0), (1, 0)))
    rows = np.arange(len(flat))
    result: Floats = ((sums[rows, there] - sums[rows, np.maximum(there - count, 0)]) / count).astype(np.float32)
    return result


_UNCLIPPED: Final = (12.0, 243.0)
_GRADATION: Final = np.float32(2.2)
"""Of sRGB: light grows with this power of luma."""


def _brightness(first: Floats, second: Floats) -> Floats:
    """Exposure values between two photos, by their gradation as sRGB has it."""
    usable = (first > _UNCLIPPED[0]) & (first < _UNCLIPPED[1]) & (second > _UNCLIPPED[0]) & (second < _UNCLIPPED[1])
    enough = usable.mean(axis=(1, 2)) > 0.05
    ratio = _GRADATION * (np.log2(np.maximum(second, 1.0)) - np.log2(np.maximum(first, 1.0)))
    ratio = np.where(usable | (~enough[:, None, None] & ~np.isnan(second)), ratio, np.nan)
    result: Floats = np.where(enough, _median(ratio), np.nanmean(ratio, axis=(1, 2))).astype(np.float32)
    return result
