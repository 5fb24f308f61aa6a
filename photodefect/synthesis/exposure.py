"""Bad exposure: too little or too much light, for the whole frame or for a part of it.

Severity is the mean of two things: how many stops the exposure is off, and how far lightness has moved towards
black or white in this scene (a night scene loses less by one stop less light, a snow scene more by one stop more):

    s(k) = 0.35 * k / K + 0.65 * shift(k) / 0.85,   K = 4.5 stops under, 4 stops over

where shift is the share of the way to black (L* 5) or white (L* 98) that the mean lightness has gone. s rises
strictly with the stops k of a scene; the stops of a wanted severity are found by inverting it on a thumbnail.
For a frame with a medium mean, 0.3 is about one stop, 0.5 about two, and 1.0 more than four.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from photodefect.photos.colour_spaces import Plane, decode, encode, lightness, luminance
from photodefect.synthesis.camera import Camera, develop
from photodefect.synthesis.fields import (
    GUIDE_SIZE,
    blob,
    follow_edges,
    gaussian,
    normalised,
    resize_plane,
    small_shape,
    smoothstep,
    wide_gaussian,
)

_STOPS_UNDER = 4.5
_STOPS_OVER = 4.0
_BLACK = 5.0
_WHITE = 98.0


@dataclass(frozen=True)
class Exposure:
    """One draw of how exposure goes wrong; the severity only scales it.

    Attributes:
        mode: "under", "over", "backlit" (dark subject, blown background), "spot" (one part over- and the rest
            underexposed, as with flash or a spotlight).
        way: "light" (linear light before the tone curve), "hard" (linear gain after it), "curve" (an editor's
            gamma).
        glare: share of light scattered over the frame at full severity.
        black: black level subtracted in linear light at full severity (crushed shadows).
        field: (h, w) in -1..1, where the local modes brighten and darken; None for the global ones.
    """

    mode: str
    way: str
    glare: float
    black: float
    field: Plane | None

    @property
    def direction(self) -> tuple[float, float]:
        """The direction in exposure's direction plane, of length 1: too little light, too much, or both in parts."""
        return {"under": (-1.0, 0.0), "over": (1.0, 0.0)}.get(self.mode, (0.0, 1.0))


def draw_exposure(scene: Plane, rng: np.random.Generator) -> Exposure:
    """Draw a kind of bad exposure for a scene (3, H, W) in scene light."""
    mode = str(rng.choice(["under", "over", "backlit", "spot"], p=[0.42, 0.42, 0.11, 0.05]))
    way = str(rng.choice(["light", "hard", "curve"], p=[0.72, 0.16, 0.12]))
    glare = float(rng.uniform(0.0, 0.16)) if rng.random() < 0.7 else 0.0
    black = float(rng.uniform(0.0, 0.012)) if rng.random() < 0.6 else 0.0
    shape = small_shape((scene.shape[1], scene.shape[2]))
    small = lightness(np.clip(resize_plane(luminance(scene), shape), 0, 1))
    field: Plane | None = None
    if mode == "backlit":
        bright = smoothstep(normalised(gaussian(small, 0.02 * GUIDE_SIZE)), 0.35, 0.8)
        field = (bright * (1.0 + rng.uniform(0.0, 0.5)) - 0.75).astype(np.float32)
    elif mode == "spot":
        centre = (float(rng.uniform(0.2, 0.8)), float(rng.uniform(0.25, 0.75)))
        lit = blob(shape, centre, (float(rng.uniform(0.15, 0.4)), float(rng.uniform(0.15, 0.4))), 0.0)
        # Flash falls off softly and lights things, not the air between them.
        lit = gaussian(lit, 0.12 * GUIDE_SIZE) * (0.5 + 0.5 * normalised(gaussian(small, 0.03 * GUIDE_SIZE)))
        field = (normalised(lit) * 1.5 - 0.6).astype(np.float32)
    return Exposure(mode, way, glare, black, field)


def _render(scene: Plane, stops: float, field: Plane | None, kind: Exposure, camera: Camera) -> Plane:
    """Display linear light of ``scene`` exposed ``stops`` (signed) wrongly."""
    gain: Plane | np.float32
    gain = np.float32(2.0**stops) if field is None else np.exp2(np.float32(stops) * field)
    if kind.way == "light":
        image = develop(scene * gain, camera)
    elif kind.way == "hard":
        image = np.clip(develop(scene, camera) * gain, 0.0, 1.0)
    else:
        image = encode(develop(scene, camera))
        power = np.float32(2.0 ** (-0.42 * stops)) if field is None else np.exp2(np.float32(-0.42 * stops) * field)
        image = decode(np.power(np.maximum(image, np.float32(1e-3)), power))
    black = kind.black * min(1.0, abs(stops) / _STOPS_UNDER)
    if black and kind.mode != "over":
        image = np.maximum(image - np.float32(black), 0.0) * np.float32(1 / (1 - black))
    return image


def _severity_of_stops(scene: Plane, kind: Exposure, camera: Camera) -> tuple[Plane, Plane]:
    """Stops 0..7 and the severity of each, strictly rising, on a small scene."""
    stops = np.linspace(0.0, 7.0, 22, dtype=np.float32)
    before = lightness(luminance(develop(scene, camera)))
    severity = np.empty_like(stops)
    sign = -1.0 if kind.mode == "under" else 1.0
    most = _STOPS_OVER if kind.mode == "over" else _STOPS_UNDER
    highest = 0.0
    for index, amount in enumerate(stops):
        after = lightness(luminance(_render(scene, sign * float(amount), kind.field, kind, camera)))
        if kind.mode == "under":
            shift = (before.mean() - after.mean()) / max(before.mean() - _BLACK, 8.0)
        elif kind.mode == "over":
            shift = (after.mean() - before.mean()) / max(_WHITE - before.mean(), 8.0)
        else:
            room = np.where(after > before, _WHITE - before, before - _BLACK)
            shift = np.abs(after - before).mean() / float(np.maximum(room, 30.0).mean())
        highest = max(highest, float(shift))
        severity[index] = 0.35 * float(amount) / most + 0.65 * highest / 0.85
    return stops, severity - severity[0]


def stops_for(scene: Plane, severity: float, kind: Exposure, camera: Camera) -> float:
    """Stops by which a scene (3, H, W) must be exposed wrongly to reach ``severity``; strictly rising."""
    shape = small_shape((scene.shape[1], scene.shape[2]), 72)
    small = np.stack([resize_plane(plane, shape) for plane in scene])
    field = None if kind.field is None else resize_plane(kind.field, shape)
    stops, grades = _severity_of_stops(small, Exposure(kind.mode, kind.way, 0.0, kind.black, field), camera)
    return float(np.interp(severity, grades, stops))


def expose(scene: Plane, severity: float, kind: Exposure, camera: Camera) -> Plane:
    """Display linear light (3, H, W) in 0..1 of a wrongly exposed scene.

    Args:
        scene: scene light (3, H, W).
        severity: 0..1.
        kind: what goes wrong.
        camera: tone curve.
    """
    stops = stops_for(scene, severity, kind, camera)
    if kind.glare and kind.mode != "under":
        scene = _scatter(scene, kind.glare * severity)
    field: Plane | None = None
    if kind.field is not None:
        guide = encode(luminance(develop(scene, camera)))
        field = np.clip(follow_edges(kind.field, guide), -1.0, 1.0)
    return _render(scene, -stops if kind.mode == "under" else stops, field, kind, camera)


def _scatter(scene: Plane, share: float) -> Plane:
    """Bloom around highlights and veiling glare: a share of the light spreads over a heavy-tailed halo."""
    longest = max(scene.shape[1:])
    out = scene * np.float32(1 - share)
    for channel in range(3):
        plane = scene[channel]
        near = wide_gaussian(plane, 0.012 * longest)
        far = wide_gaussian(near, 0.09 * longest)
        out[channel] += np.float32(share * 0.55) * near + np.float32(share * 0.45) * far
    result: Plane = out
    return result
