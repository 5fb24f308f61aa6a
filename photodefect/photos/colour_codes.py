"""Colours that code points or plain numbers tell instead of a profile, HDR among them, to sRGB.

Sources: ITU-T H.273 (code points), BT.2100 (PQ, HLG), BT.2408 (where white is), BT.2390 section 5.4 (tone curve),
PNG 3 (order of chunks).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from photodefect.photos import colour_spaces

Chromaticities = tuple[float, float, float, float, float, float, float, float]
"""x and y of red, green, blue and white."""

_D65: Final = (0.3127, 0.3290)
_C: Final = (0.310, 0.316)
_BT_709: Final = (0.640, 0.330, 0.300, 0.600, 0.150, 0.060, *_D65)
_BT_601_525: Final = ("BT.601", (0.630, 0.340, 0.310, 0.595, 0.155, 0.070, *_D65))

_PRIMARIES: Final[dict[int, tuple[str, Chromaticities]]] = {
    1: ("BT.709", _BT_709),
    4: ("BT.470 M", (0.67, 0.33, 0.21, 0.71, 0.14, 0.08, *_C)),
    5: ("BT.601", (0.64, 0.33, 0.29, 0.60, 0.15, 0.06, *_D65)),
    6: _BT_601_525,
    7: _BT_601_525,
    8: ("film", (0.681, 0.319, 0.243, 0.692, 0.145, 0.049, *_C)),
    9: ("BT.2020", (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, *_D65)),
    10: ("XYZ", (1, 0, 0, 1, 0, 0, 1 / 3, 1 / 3)),
    11: ("DCI-P3", (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.314, 0.351)),
    12: ("Display P3", (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, *_D65)),
    22: ("EBU 3213", (0.630, 0.340, 0.295, 0.605, 0.155, 0.077, *_D65)),
}

Curve = Literal["sRGB", "PQ", "HLG"]

_CURVES: Final[dict[int, Curve | float]] = {4: 2.2, 5: 2.8, 8: 1.0, 16: "PQ", 17: 2.6, 18: "HLG"}
"""Transfer characteristics; the others are those of television and sRGB, which photos mean alike."""

WHITE_NITS: Final = 203
"""How bright HDR shows what is white in print (BT.2408, table 1)."""
_PQ_NITS: Final = 10_000
_HLG_NITS: Final = 1000
_HLG_GAMMA: Final = 1.2

_BRIGHTEST_SHARE: Final = 0.001
"""Share of the pixels that may be brighter than what counts as a photo's brightest: glints, and pixels gone wrong."""

_SRGB_CORNERS: Final = 0.002
"""How far a coordinate may be from that of sRGB, which programs round to two to four decimals."""
_SRGB_GAMMA: Final = 0.05
"""How far a gamma may be from 1/2.2, which stands for the curve of sRGB (libpng takes the same share)."""

_BLOCK: Final = 2**19
"""Pixels that are converted at a time: all at once would take fifty bytes each."""


@dataclass(frozen=True)
class CodedColour:
    """What the numbers of a photo mean.

    Attributes:
        name: for people.
        corners: chromaticities of the primaries and of white.
        curve: how numbers become light: a name, or an exponent.
        narrow: black and white are 16 and 235 of 255 instead of 0 and 255.
    """

    name: str
    corners: Chromaticities
    curve: Curve | float
    narrow: bool = False

    @property
    def is_hdr(self) -> bool:
        """Whether it tells light beyond white."""
        return self.curve in ("PQ", "HLG")


def by_code_points(primaries: int, transfer: int, source: str, *, narrow: bool = False) -> CodedColour | None:
    """The colours of code points; None if they are those of sRGB, or unknown.

    Args:
        primaries: H.273, table 2.
        transfer: H.273, table 3.
        source: what told them.
        narrow: the numbers don't go over their whole range.
    """
    name, corners = _PRIMARIES.get(primaries, _PRIMARIES[1])
    curve = _CURVES.get(transfer, "sRGB")
    if curve == "sRGB" and corners == _BT_709 and not narrow:
        return None
    return CodedColour(f"{_named(name, curve)} ({source})", corners, curve, narrow)


def by_numbers(gamma: float | None, corners: tuple[float, ...] | None) -> CodedColour | None:
    """The colours of a PNG's gAMA and cHRM chunks; None if they are those of sRGB, or make no sense.

    Args:
        gamma: the exponent that light was encoded with, e.g. 0.45455.
        corners: x and y of white, red, green and blue.
    """
    source = " and ".join(chunk for chunk, value in (("gAMA", gamma), ("cHRM", corners)) if value is not None)
    curve: Curve | float = "sRGB"
    if gamma is not None and gamma > 0 and abs(gamma * 2.2 - 1) > _SRGB_GAMMA:
        curve = round(1 / gamma, 3)
    name, found = "BT.709", _BT_709
    if corners is not None and len(corners) == 8:
        white = corners[:2]
        given = (*corners[2:], *white)
        if max(abs(one - other) for one, other in zip(given, _BT_709, strict=True)) > _SRGB_CORNERS:
            known = (entry for entry in _PRIMARIES.values() if np.allclose(entry[1], given, atol=_SRGB_CORNERS))
            name = next(known, ("own primaries", _BT_709))[0]
            found = (given[0], given[1], given[2], given[3], given[4], given[5], given[6], given[7])
    coded = CodedColour(f"{_named(name, curve)} ({source})", found, curve)
    sensible = _is_sensible(found) and (not isinstance(curve, float) or 0.2 <= curve <= 5)
    return coded if sensible and (curve != "sRGB" or found != _BT_709) else None


def coded_to_srgb(samples: NDArray[np.uint8] | NDArray[np.uint16], colour: CodedColour) -> Image.Image:
    """Samples as sRGB, mode RGB or RGBA, 8 bits.

    What is brighter than white is rolled off as BT.2390 does it, up to the photo's own brightest part: a photo without
    any looks as it would without HDR.

    Args:
        samples: (height, width, 1 to 4): grey or RGB, then alpha where there is a second or fourth.
        colour: what they mean.
    """
    alpha = samples[:, :, -1] if samples.shape[2] in (2, 4) else None
    samples = samples[:, :, :1].repeat(3, axis=2) if samples.shape[2] < 3 else samples[:, :, :3]
    light = _Light(colour, samples)
    levels = np.empty(samples.shape, np.uint8)
    rows = max(1, _BLOCK // max(1, samples.shape[1]))
    for top in range(0, len(samples), rows):
        encoded = colour_spaces.encode(light.of(samples[top : top + rows]))
        levels[top : top + rows] = np.rint(encoded * np.float32(255))
    if alpha is None:
        return Image.fromarray(levels)
    return Image.fromarray(np.dstack([levels, alpha >> 8 if alpha.dtype == np.uint16 else alpha]).astype(np.uint8))


class _Light:
    """Samples to linear light by the primaries of sRGB, white at 1."""

    def __init__(self, colour: CodedColour, samples: NDArray[Any]) -> None:
        self._hlg = colour.curve == "HLG"
        corners = np.array(colour.corners)
        to_xyz = _to_xyz(corners)
        self._luminance = to_xyz[1].astype(np.float32)
        self._matrix = None
        if colour.corners != _BT_709:
            adapted = _adaptation(corners[6:], np.array(_D65)) @ to_xyz
            self._matrix = np.linalg.solve(_to_xyz(np.array(_BT_709)), adapted).T.astype(np.float32)
        self._table = _decoded(np.iinfo(samples.dtype).max, colour).astype(np.float32)
        self._gains: tuple[NDArray[Any], NDArray[Any]] | None = None
        if colour.is_hdr:
            step = max(1, int((samples.shape[0] * samples.shape[1] / 1e6) ** 0.5))
            brightest = self._shown(samples[::step, ::step]).max(axis=2)
            self._gains = _roll_off(float(np.quantile(brightest, 1 - _BRIGHTEST_SHARE)))

    def of(self, samples: NDArray[Any]) -> NDArray[np.float32]:
        light = self._shown(samples)
        if self._gains is not None:
            light *= np.interp(light.max(axis=2), *self._gains).astype(np.float32)[:, :, None]
        return light if self._matrix is None else light @ self._matrix

    def _shown(self, samples: NDArray[Any]) -> NDArray[np.float32]:
        """Light as a display shows it, by the primaries of the file."""
        light: NDArray[np.float32] = self._table[samples]
        if self._hlg:
            luminance = np.maximum(light @ self._luminance, np.float32(1e-6))
            light *= np.float32(_HLG_NITS / WHITE_NITS) * (luminance ** np.float32(_HLG_GAMMA - 1))[:, :, None]
        return light


def _named(name: str, curve: Curve | float) -> str:
    if curve == "sRGB":
        return name
    return (
        f"{name} {curve}" if isinstance(curve, str) else f"{name} linear" if curve == 1 else f"{name} gamma {curve:g}"
    )


def _decoded(white: int, colour: CodedColour) -> NDArray[np.float64]:
    """The light of each sample value: of HLG that of the scene, 0 to 1; of others as shown, 1 where white is."""
    values = np.arange(white + 1) / white
    if colour.narrow:
        values = np.clip((values * 255 - 16) / 219, 0, 1)
    if colour.curve == "PQ":
        return pq_nits(values) / WHITE_NITS
    if colour.curve == "HLG":
        return np.where(values <= 0.5, values**2 / 3, (np.exp((values - 0.55991073) / 0.17883277) + 0.28466892) / 12)
    if isinstance(colour.curve, float):
        return values**colour.curve
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def pq_nits(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Candela per square metre of PQ values in 0..1 (BT.2100, table 4)."""
    powered = np.power(values, 32 / 2523)
    nits: NDArray[np.float64] = _PQ_NITS * np.power(
        np.maximum(powered - 3424 / 4096, 0) / (2413 / 128 - 2392 / 128 * powered), 16384 / 2610
    )
    return nits


def nits_pq(nits: NDArray[np.float64]) -> NDArray[np.float64]:
    """PQ values of candela per square metre: the inverse of :func:`pq_nits`."""
    powered = np.power(nits / _PQ_NITS, 2610 / 16384)
    values: NDArray[np.float64] = np.power((3424 / 4096 + 2413 / 128 * powered) / (1 + 2392 / 128 * powered), 2523 / 32)
    return values


def _roll_off(brightest: float) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Light and what it is multiplied by, so that the brightest becomes white; None if nothing is beyond white.

    The curve of BT.2390, section 5.4, without its lift of black: nothing changes up to its knee.
    """
    if brightest <= 1:
        return None
    peak, white = nits_pq(np.array([min(brightest, _PQ_NITS / WHITE_NITS) * WHITE_NITS, WHITE_NITS]))
    ceiling = white / peak
    knee = 1.5 * ceiling - 0.5
    values = np.linspace(0, 1, 4096)
    part = np.clip((values - knee) / (1 - knee), 0, 1)
    cubed, squared = part**3, part**2
    spline = (
        (2 * cubed - 3 * squared + 1) * knee
        + (cubed - 2 * squared + part) * (1 - knee)
        + (3 * squared - 2 * cubed) * ceiling
    )
    light = pq_nits(values * peak) / WHITE_NITS
    rolled = pq_nits(np.where(values < knee, values, spline) * peak) / WHITE_NITS
    gains = np.divide(rolled, light, out=np.ones_like(light), where=light > 1e-9)
    beyond = np.geomspace(light[-1], max(light[-1] * 1.001, _PQ_NITS / WHITE_NITS), 256)[1:]
    return np.append(light, beyond), np.append(gains, rolled[-1] / beyond)


def _is_sensible(corners: Chromaticities) -> bool:
    """Whether primaries span a space, around a white that they can make."""
    try:
        return bool(corners[7] > 0 and np.isfinite(_to_xyz(np.array(corners))).all())
    except np.linalg.LinAlgError:
        return False


def _to_xyz(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """The matrix from linear RGB to XYZ, white at Y = 1."""
    x, y = corners[0:6:2], corners[1:6:2]
    columns = np.stack([x, y, 1 - x - y])
    matrix: NDArray[np.float64] = columns * np.linalg.solve(columns, _white_xyz(corners[6:]))
    return matrix


def _white_xyz(white: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([white[0] / white[1], 1, (1 - white[0] - white[1]) / white[1]])


def _adaptation(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """From one white to another in XYZ, by Bradford's cones (ICC.1, annex E)."""
    cones = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    scale = (cones @ _white_xyz(target)) / (cones @ _white_xyz(source))
    matrix: NDArray[np.float64] = np.linalg.solve(cones, scale[:, None] * cones)
    return matrix
