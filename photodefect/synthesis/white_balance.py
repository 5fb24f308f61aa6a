"""Bad white balance: the colour of the light is taken for another one.

A cast is a von Kries gain per channel of a sensor-like RGB. Its direction is that of a change of illuminant along
the Planckian locus (seen by Gaussian sensor sensitivities), a green or magenta tint across it, both, or the
attenuation of red under water. Casts of editing and of old film are of any hue, work on encoded values, and colour the
shadows as well, even to black, and maybe otherwise than the lights. The size is the CIE Lab chroma that a neutral of
medium lightness takes on (for casts of editing, the mean over three lightnesses):

    C(s) = 10 * (s / 0.3) ** 1.25        0.15: 4, 0.3: 10, 0.5: 19, 0.7: 29, 1.0: 45

With mixed light the cast varies over the frame, even to its opposite, and C is the mean over the frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from photodefect.photos.colour_spaces import Plane, decode, encode, lab, luminance, transform
from photodefect.synthesis.fields import (
    follow_edges,
    normalised,
    random_field,
    small_shape,
)

EDITED: Final = 0.3
"""Share of the casts that editing makes, not light."""

_GREYS: Final = (0.25, 0.5, 0.75)
"""Encoded neutrals over which the chroma of an edit is averaged."""

_WAVELENGTHS = np.arange(400.0, 701.0, 10.0)


def neutral_chroma(severity: float) -> float:
    """Lab chroma of a neutral under a cast of this severity."""
    return float(10.0 * (severity / 0.3) ** 1.25)


def severity_of_chroma(chroma: float) -> float:
    """Inverse of ``neutral_chroma``, at most 1."""
    return float(min(1.0, 0.3 * (max(chroma, 0.0) / 10.0) ** 0.8))


@dataclass(frozen=True)
class Cast:
    """One draw of a cast; the severity only scales it.

    Attributes:
        sensor: (3, 3) linear sRGB to sensor RGB, rows summing to 1.
        direction: (3,) logarithmic gains of the sensor's channels.
        field: (h, w) by which the cast is multiplied over the frame (mean of its size is 1), or None.
        gamma: the gains are applied to encoded values, as simple editors do.
        lift: (3,) what is added to encoded black for each unit of the gains, and in proportion less to lighter values;
            or None. Gains and lift then are those of sRGB, encoded.
    """

    sensor: Plane
    direction: Plane
    field: Plane | None
    gamma: bool
    lift: Plane | None = None


def planck_response(kelvin: float, peaks: tuple[float, float, float], width: float) -> NDArray[np.float64]:
    """Response (3,) of a sensor with Gaussian sensitivities to a black body, green set to 1."""
    metres = _WAVELENGTHS * 1e-9
    power = metres**-5.0 / (np.exp(1.438777e-2 / (metres * kelvin)) - 1.0)
    curves = np.exp(-(((_WAVELENGTHS[None] - np.asarray(peaks)[:, None]) / width) ** 2) / 2)
    response = curves @ power
    return np.asarray(response / response[1])


def draw_cast(shape: tuple[int, int], rng: np.random.Generator) -> Cast:
    """Draw a cast for a frame of ``shape`` (H, W)."""
    if rng.random() < EDITED:
        return _draw_edit(rng)
    leak = rng.uniform(0.02, 0.22, size=(3, 3))
    leak[0, 2] *= 0.3
    leak[2, 0] *= 0.3
    np.fill_diagonal(leak, 0.0)
    sensor = leak + np.diag(1.0 - leak.sum(axis=1))
    peaks = (float(rng.uniform(590, 615)), float(rng.uniform(528, 545)), float(rng.uniform(445, 470)))
    width = float(rng.uniform(25, 45))
    base = float(rng.uniform(2600, 8500))
    # Far enough along the locus that only the direction matters: gains are scaled to the wanted size later.
    mired = 1e6 / base
    warm = rng.random() < 0.5
    other = min(mired + rng.uniform(80, 250), 620.0) if warm else max(mired - rng.uniform(80, 250), 25.0)
    locus = np.log(planck_response(1e6 / other, peaks, width) / planck_response(base, peaks, width))
    if np.abs(locus).max() < 0.05:
        locus = np.array([0.3, 0.0, -0.35]) * (1 if warm else -1)
    locus = locus / np.abs(locus).max()
    tint = np.array([0.0, 1.0, 0.0]) * (1 if rng.random() < 0.5 else -1)
    kind = str(rng.choice(["locus", "tint", "both", "water"], p=[0.6, 0.13, 0.19, 0.08]))
    if kind == "locus":
        direction = locus + tint * rng.uniform(0.0, 0.15)
    elif kind == "tint":
        direction = tint + locus * rng.uniform(-0.2, 0.2)
    elif kind == "both":
        direction = locus + tint * rng.uniform(0.2, 0.8)
    else:
        direction = np.array([-1.0, rng.uniform(0.1, 0.5), rng.uniform(0.0, 0.6)])
    field: Plane | None = None
    if rng.random() < (0.5 if kind == "water" else 0.2):
        small = small_shape(shape)
        ramp = np.linspace(0, 1, small[1], dtype=np.float32)[None] * rng.normal() + (
            np.linspace(0, 1, small[0], dtype=np.float32)[:, None] * rng.normal()
        )
        smooth = normalised(normalised(ramp + np.zeros(small, np.float32)) + random_field(small, 0.4, rng))
        # From nearly neutral, or from a weak opposite cast, to a full one.
        lowest = 0.3 if kind == "water" else float(rng.uniform(-0.7, 0.4))
        field = (lowest + (1.2 - lowest) * smooth).astype(np.float32)
        field /= max(float(np.abs(field).mean()), 0.2)
    return Cast(sensor.astype(np.float32), direction.astype(np.float32), field, bool(rng.random() < 0.15))


def _draw_edit(rng: np.random.Generator) -> Cast:
    """A colour laid over a picture: any hue, the shadows' own in some."""

    def colour(hue: float) -> NDArray[np.float64]:
        turned = np.cos(hue + np.array([0.0, -2.0, 2.0]) * np.pi / 3)
        return np.asarray(turned / np.abs(turned).max())

    hue = rng.uniform(0.0, 2 * np.pi)
    shadows = hue + (rng.uniform(-np.pi, np.pi) if rng.random() < 0.3 else rng.normal(0.0, 0.3))
    # From colour in the lights alone to colour in the shadows alone; black may turn grey a little.
    share = rng.uniform(0.0, 0.9)
    lift = share * (colour(shadows) + rng.uniform(0.0, 0.5))
    direction = (1.0 - share) * colour(hue)
    return Cast(np.eye(3, dtype=np.float32), direction.astype(np.float32), None, True, lift.astype(np.float32))


def _edited(encoded: Plane, gains: Plane, lift: Plane) -> Plane:
    """Encoded values (3, ...) with each channel multiplied, and its black lifted."""
    shape = (3,) + (1,) * (encoded.ndim - 1)
    lifted = encoded * gains.reshape(shape) + lift.reshape(shape) * np.maximum(1.0 - encoded, 0.0)
    result: Plane = np.maximum(lifted, 0.0)
    return result


def _gains(cast: Cast, size: float) -> Plane:
    result: Plane = np.exp(cast.direction * np.float32(size))
    return result


def cast_direction(cast: Cast, severity: float) -> tuple[float, float]:
    """Where in the plane of (a*, b*) a neutral goes under a cast of ``severity`` above 0, of length 1."""
    a, b = _neutral_colours(cast, np.array([size_for(cast, severity)], np.float32)).mean(axis=(1, 2))
    length = max(float(np.hypot(a, b)), 1e-9)
    return float(a) / length, float(b) / length


def _neutral_chromas(cast: Cast, sizes: Plane) -> Plane:
    """Lab chroma of neutrals under the cast scaled by each size, (S,): the mean over their lightnesses."""
    colours = _neutral_colours(cast, sizes)
    mean: Plane = np.hypot(colours[0], colours[1]).mean(axis=-1)
    return mean


def _neutral_colours(cast: Cast, sizes: Plane) -> Plane:
    """(a*, b*) of neutrals under the cast scaled by each size, (2, S, G): of medium lightness, or of several."""
    if cast.lift is not None:
        greys = np.repeat(np.array([_GREYS], np.float32), 3, axis=0)
        edited = np.stack([_edited(greys, _gains(cast, float(size)), size * cast.lift) for size in sizes], axis=1)
        several: Plane = lab(decode(np.clip(edited, 0.0, 1.0)))[1:]
        return several
    gains = np.exp(cast.direction[:, None] * sizes[None])
    if cast.gamma:
        gains = np.sign(gains) * gains**2.2
    rgb = transform(np.linalg.inv(cast.sensor).astype(np.float32), gains)
    rgb = np.maximum(rgb, 0.0)
    y = np.maximum(luminance(rgb), 1e-6)
    medium: Plane = lab(np.clip(rgb * (0.35 / y), 0.0, 1.0).astype(np.float32))[1:, :, np.newaxis]
    return medium


def size_for(cast: Cast, severity: float) -> float:
    """Factor on the logarithmic gains that gives a neutral the chroma of ``severity``."""
    sizes = np.linspace(0.0, 4.0, 161, dtype=np.float32)
    chromas = np.maximum.accumulate(_neutral_chromas(cast, sizes))
    chromas = chromas + np.linspace(0.0, 1e-2, sizes.size, dtype=np.float32)
    return float(np.interp(neutral_chroma(severity), chromas, sizes))


def tint_scene(scene: Plane, severity: float, cast: Cast) -> Plane:
    """Apply the cast to scene light (3, H, W), keeping its mean luminance."""
    size = size_for(cast, severity)
    before = float(luminance(scene[:, ::4, ::4]).mean())
    inverse = np.linalg.inv(cast.sensor).astype(np.float32)
    power = np.float32(2.2 if cast.gamma else 1.0)
    if cast.lift is not None:
        out = decode(_edited(encode(scene), _gains(cast, size), np.float32(size) * cast.lift))
    elif cast.field is None:
        matrix = inverse @ np.diag(_gains(cast, size) ** power) @ cast.sensor
        out = transform(matrix.astype(np.float32), scene)
    else:
        guide = encode(luminance(np.clip(scene, 0.0, 1.0)))
        field = follow_edges(cast.field, guide)
        raw = transform(cast.sensor, scene)
        for channel in range(3):
            raw[channel] *= np.exp(field * np.float32(size * power * cast.direction[channel]))
        out = transform(inverse, raw)
    np.maximum(out, 0.0, out=out)
    after = float(luminance(out[:, ::4, ::4]).mean())
    result: Plane = out * np.float32(before / max(after, 1e-6))
    return result
