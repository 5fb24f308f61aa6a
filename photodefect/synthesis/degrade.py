"""Degrade one clean photograph to wanted severities, in the order in which it happens to light.

Framing, then haze in the scene, blur in the lens, the colour and amount of light, noise on the sensor, the tone curve,
saturation, sharpening, downscaling and JPEG.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from photodefect.defects import BY_KEY, IN_PLANE, KEYS
from photodefect.photos.colour_spaces import (
    Pixels,
    Plane,
    lightness,
    linear_from_pixels,
    luminance,
    pixels_from_encoded,
)
from photodefect.photos.monochrome import is_monochrome
from photodefect.synthesis import blur, composition, exposure, haze, noise, saturation, white_balance
from photodefect.synthesis.camera import (
    Camera,
    develop,
    draw_camera,
    finish_detail,
    finish_tone,
    plain_camera,
    relight,
    save_and_load,
    to_scene,
)
from photodefect.synthesis.severities import LEAST

_SMALLEST = 32


@dataclass(frozen=True)
class Degraded:
    """A degraded photograph.

    Attributes:
        pixels: (H', W', 3) uint8 sRGB, not larger than the source.
        severities: the labels that hold for it, by defect key; NaN where none can be given.
        points: in the direction plane of each defect of ``IN_PLANE``, by key: as far from the centre as the defect is
            severe, NaN where that can't be given.
    """

    pixels: Pixels
    severities: dict[str, float]
    points: dict[str, tuple[float, float]]


def degrade(pixels: Pixels, severities: dict[str, float], rng: np.random.Generator, *, camera: bool = True) -> Degraded:
    """Apply defects to a clean photograph.

    The same ``rng`` state gives the same kinds of defects whatever the severities, so that a ladder of severities
    shows one scene getting worse.

    Args:
        pixels: (H, W, 3) uint8 sRGB, at least 32 pixels on each side.
        severities: severity by defect key; missing keys are zero.
        rng: source of randomness.
        camera: also draw a camera's processing (sharpening, tone, downscaling, JPEG ...), for clean photographs too.

    Returns:
        The degraded pixels and the labels that hold for them. A monochrome source is labelled -1 in saturation and
        NaN in white balance.

    Raises:
        ValueError: an unknown key, a severity outside its range, or pixels of the wrong shape, type or size.
    """
    wanted = _checked(pixels, severities)
    seeds = [np.random.default_rng(int(seed)) for seed in rng.integers(0, 2**63, size=8)]
    kit = draw_camera(seeds[0]) if camera else plain_camera()
    labels = dict(wanted)

    monochrome = is_monochrome(pixels)
    if monochrome:
        labels["bad_saturation"] = -1.0
        wanted["bad_saturation"] = 0.0
    soft = blur.softness(pixels) if wanted["undesired_blur"] > 0 else 0.0
    if wanted["bad_composition"] > 0:
        framing = composition.draw_framing(pixels, seeds[1])
        pixels = composition.reframe(pixels, wanted["bad_composition"], framing)
    elif camera and seeds[1].random() < 0.3:
        # Good photographs are turned and trimmed a little too: resampling betrays nothing.
        pixels = composition.turned(pixels, float(seeds[1].normal(0.0, 0.35)))
    if not camera and not any(value for key, value in wanted.items() if key != "bad_composition"):
        return Degraded(np.ascontiguousarray(pixels), labels, dict.fromkeys(IN_PLANE, (0.0, 0.0)))

    linear = linear_from_pixels(pixels)
    if wanted["haze"] > 0:
        mist = haze.draw_haze(linear, seeds[2])
        labels["haze"] = haze.visible_severity(linear, wanted["haze"], mist)
        linear = haze.hide(linear, wanted["haze"], mist)
        np.clip(linear, 0.0, 1.0, out=linear)
    lens: blur.Blur | None = None
    if wanted["undesired_blur"] > 0:
        lens = blur.draw_blur(pixels, seeds[3])
        labels["undesired_blur"] *= lens.seen * blur.visible_share(pixels)
    cast: white_balance.Cast | None = None
    directions = dict.fromkeys(IN_PLANE, (0.0, 0.0))
    if wanted["bad_white_balance"] > 0:
        cast = white_balance.draw_cast((linear.shape[1], linear.shape[2]), seeds[4])
        directions["bad_white_balance"] = white_balance.cast_direction(cast, wanted["bad_white_balance"])
    before = float(luminance(linear[:, ::8, ::8]).mean())
    linear, directions["bad_exposure"] = _light(
        pixels, linear, wanted, seeds, kit, lens=lens, soft=soft, cast=cast, camera=camera
    )
    if wanted["bad_saturation"]:
        chroma = saturation.mean_chroma(linear[:, ::6, ::6])
        labels["bad_saturation"] = saturation.visible_severity(wanted["bad_saturation"], chroma)
        linear = saturation.saturate(linear, wanted["bad_saturation"], saturation.draw_saturation(seeds[6]))
    deviation = noise.visible_deviation(wanted["noise"])
    if camera:
        # A clean photograph has a little noise too, and one that lacks light a little more.
        lack = 1.0 - min(1.0, float(luminance(linear[:, ::8, ::8]).mean()) / max(before, 1e-3))
        deviation = max(deviation, kit.base_noise * (1.0 + 1.2 * lack))
        if noise.severity_of_deviation(deviation) >= LEAST:
            labels["noise"] = noise.severity_of_deviation(deviation)
    encoded = noise.add_noise(linear, deviation, noise.draw_noise(seeds[7]), kit)
    encoded = finish_detail(finish_tone(encoded, kit), kit)
    result = save_and_load(pixels_from_encoded(encoded), kit)
    _settle(result, labels)
    if monochrome:
        labels["bad_white_balance"] = math.nan
    points = {key: (x * labels[key], y * labels[key]) for key, (x, y) in directions.items()}
    return Degraded(result, labels, points)


def _checked(pixels: Pixels, severities: dict[str, float]) -> dict[str, float]:
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise ValueError(f"pixels must be (H, W, 3) uint8, not {pixels.shape} {pixels.dtype}")
    if min(pixels.shape[:2]) < _SMALLEST:
        raise ValueError(f"pixels must be at least {_SMALLEST} on each side, not {pixels.shape[1]}x{pixels.shape[0]}")
    wanted = dict.fromkeys(KEYS, 0.0)
    for key, value in severities.items():
        if key not in BY_KEY:
            raise ValueError(f"{key!r} is not a defect; defects are {', '.join(KEYS)}")
        if not BY_KEY[key].lowest <= value <= 1.0:
            raise ValueError(f"{key} is {value}, outside {BY_KEY[key].lowest:g}..1")
        wanted[key] = float(value)
    return wanted


def _light(
    pixels: Pixels,
    linear: Plane,
    wanted: dict[str, float],
    seeds: list[np.random.Generator],
    kit: Camera,
    *,
    lens: blur.Blur | None,
    soft: float,
    cast: white_balance.Cast | None,
    camera: bool,
) -> tuple[Plane, tuple[float, float]]:
    """Lens, illuminant and exposure: display linear light before to that after, and the direction of exposure."""
    bokeh = camera and lens is None and seeds[3].random() < 0.12
    graded = camera and cast is None and seeds[4].random() < 0.5
    relit = kit.scene_range != 0 or kit.stops != 0
    faults = lens is not None or cast is not None or wanted["bad_exposure"]
    if not (bokeh or graded or relit or faults):
        return linear, (0.0, 0.0)
    scene = to_scene(linear, kit)
    if relit:
        scene = relight(scene, kit)
    if lens is not None:
        longest = max(pixels.shape[:2]) / kit.downscale
        scene = blur.blur_scene(scene, wanted["undesired_blur"], lens, final_long_side=longest, soft=soft)
    elif bokeh:
        scene = blur.wanted_blur(scene, pixels, seeds[3])
    if cast is not None:
        scene = white_balance.tint_scene(scene, wanted["bad_white_balance"], cast)
    elif graded:
        # No camera is exactly neutral: a cast that nobody would call a fault.
        faint = replace(white_balance.draw_cast((scene.shape[1], scene.shape[2]), seeds[4]), field=None)
        scene = white_balance.tint_scene(scene, float(seeds[4].uniform(0.0, 0.1)), faint)
    if wanted["bad_exposure"] > 0:
        light = exposure.draw_exposure(scene, seeds[5])
        return exposure.expose(scene, wanted["bad_exposure"], light, kit), light.direction
    return develop(scene, kit), (0.0, 0.0)


def _settle(pixels: Pixels, labels: dict[str, float]) -> None:
    """Lower the labels of what cannot be seen in the result.

    - A cast shrinks with the chroma that desaturation leaves; without colour it has no label (NaN).
    - In a frame that is nearly black or nearly white (mean L* under 12 or above 96) casts and haze fade away.
    """
    small = linear_from_pixels(pixels[::8, ::8])
    mean = float(lightness(luminance(small)).mean())
    seen = min(1.0, max(0.0, (mean - 3.0) / 9.0)) * min(1.0, max(0.0, (99.5 - mean) / 3.5))
    left = 1.0 + min(0.0, labels["bad_saturation"])
    if left < 0.15:
        labels["bad_white_balance"] = math.nan
    elif labels["bad_white_balance"] > 0:
        chroma = white_balance.neutral_chroma(labels["bad_white_balance"]) * left
        labels["bad_white_balance"] = white_balance.severity_of_chroma(chroma) * seen
    if mean < 12.0:
        labels["haze"] *= seen
