"""What cameras and editors do to every photograph, good or bad.

Tone curve, sharpening, local contrast, vignette, denoising, downscaling by an unknown factor and JPEG are drawn
independently of the defects and applied to clean photographs too, so that none of them can betray a defect.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import simplejpeg
from PIL import Image

from photodefect.photos.colour_spaces import Pixels, Plane, encode, lightness, luminance
from photodefect.synthesis.fields import follow_edges, gaussian, resize_plane, small_shape, wide_gaussian


@dataclass(frozen=True)
class Camera:
    """One draw of a camera's processing.

    Attributes:
        shoulder: how much the tone curve y = s / (1 + shoulder * s) compresses highlights, 0 (hard clip) to 0.8.
        highlight_headroom: how many times brighter than white blown highlights are taken to be.
        scene_range: by how much the scene's slow differences of light (sunny street and dark arcade) are widened, in
            stops per stop; negative as in tone-mapped pictures.
        stops: harmless deviation of exposure.
        contrast: strength of an S-curve on encoded values, negative for a flat rendering.
        brightness: exponent of a mild overall curve, about 1.
        sharpen: amount of unsharp masking of luminance.
        sharpen_radius: its sigma in pixels.
        local_contrast: amount of unsharp masking at a radius of 3 % of the long side.
        vignette: loss of light in the corners, 0..1.
        denoise: threshold of the shrinkage of fine detail, in encoded units.
        base_noise: deviation of the faint noise of a clean photograph, in 8-bit steps.
        downscale: factor by which the picture is reduced at the end.
        scale_filter: its filter.
        qualities: JPEG qualities, one per generation.
        subsampling: JPEG chroma subsampling.
    """

    shoulder: float = 0.5
    highlight_headroom: float = 2.0
    scene_range: float = 0.0
    stops: float = 0.0
    contrast: float = 0.0
    brightness: float = 1.0
    sharpen: float = 0.0
    sharpen_radius: float = 1.0
    local_contrast: float = 0.0
    vignette: float = 0.0
    denoise: float = 0.0
    base_noise: float = 0.0
    downscale: float = 1.0
    scale_filter: Image.Resampling = Image.Resampling.LANCZOS
    qualities: tuple[int, ...] = ()
    subsampling: str = "444"


def plain_camera() -> Camera:
    """A camera that changes nothing: only the defects show."""
    return Camera()


def _sometimes(rng: np.random.Generator, chance: float, low: float, high: float) -> float:
    value = float(rng.uniform(low, high))
    return value if rng.random() < chance else 0.0


def draw_camera(rng: np.random.Generator) -> Camera:
    """Draw the processing of one photograph; independent of its defects."""
    filters = (
        Image.Resampling.BOX,
        Image.Resampling.BILINEAR,
        Image.Resampling.HAMMING,
        Image.Resampling.BICUBIC,
        Image.Resampling.LANCZOS,
    )
    # The last generation of a photo is most often of good quality; a small share is squeezed hard.
    generations = 1 if rng.random() < 0.65 else 2
    qualities = tuple(int(q) for q in np.where(rng.random(2) < 0.75, rng.integers(82, 99, 2), rng.integers(60, 82, 2)))
    return Camera(
        shoulder=float(rng.uniform(0.0, 0.8)),
        highlight_headroom=float(np.exp(rng.uniform(0.0, np.log(8.0)))),
        scene_range=_sometimes(rng, 0.3, -0.15, 0.7),
        stops=_sometimes(rng, 0.5, -0.3, 0.2),
        contrast=_sometimes(rng, 0.5, -0.12, 0.22),
        brightness=float(np.exp(rng.normal(0.0, 0.06))),
        sharpen=_sometimes(rng, 0.55, 0.1, 1.1),
        sharpen_radius=float(rng.uniform(0.6, 1.6)),
        local_contrast=_sometimes(rng, 0.25, -0.1, 0.25),
        vignette=_sometimes(rng, 0.35, 0.03, 0.3),
        denoise=_sometimes(rng, 0.4, 0.004, 0.02),
        base_noise=_sometimes(rng, 0.6, 0.1, 1.2),
        downscale=_sometimes(rng, 0.6, 0.0, 1.0) + 1.0,
        scale_filter=filters[int(rng.integers(len(filters)))],
        qualities=qualities[:generations],
        subsampling=("444", "422", "420", "420")[int(rng.integers(4))],
    )


def to_scene(linear: Plane, camera: Camera) -> Plane:
    """Undo the tone curve: display linear light 0..1 to scene light, white at 1 / (1 - shoulder).

    Highlights that are blown in all channels are raised by the camera's headroom, because they were brighter than
    what the photograph could hold; they clip again when the scene is developed unchanged.
    """
    scene = linear
    if camera.shoulder > 0:
        scene = linear / (1.0 - np.float32(camera.shoulder) * linear)
    if camera.highlight_headroom > 1.0:
        blown = np.clip((linear.min(axis=0) - np.float32(0.94)) * np.float32(1 / 0.06), 0.0, 1.0)
        if blown.any():
            # Floods of white are brighter inside than at their rim.
            scene = scene * (1.0 + (np.float32(camera.highlight_headroom) - 1.0) * blown * blown)
    return scene


def relight(scene: Plane, camera: Camera) -> Plane:
    """Widen or narrow the range of the scene's light and shift exposure harmlessly, as given by the camera.

    The mean lightness stays: such a scene is exposed as well as it can be.
    """
    gain: Plane | np.float32 = np.float32(2.0**camera.stops)
    if camera.scene_range:
        shape = small_shape((scene.shape[1], scene.shape[2]), 96)
        small = np.stack([resize_plane(plane, shape) for plane in scene])
        light = np.log2(luminance(small) + np.float32(0.01))
        slow = gaussian(light, 2.0)
        stops = np.clip(np.float32(camera.scene_range) * (slow - np.median(slow)), -2.5, 2.5).astype(np.float32)
        wanted = float(lightness(luminance(develop(small, camera))).mean())
        shifts = np.linspace(-2.0, 2.0, 17)
        means = [
            float(lightness(luminance(develop(small * np.exp2(stops + np.float32(shift)), camera))).mean())
            for shift in shifts
        ]
        stops += np.float32(np.interp(wanted, means, shifts))
        guide = encode(luminance(develop(scene, camera)))
        gain = gain * np.exp2(np.clip(follow_edges(stops, guide, radius=0.08), -4.0, 4.0))
    result: Plane = scene * gain
    return result


def develop(scene: Plane, camera: Camera) -> Plane:
    """Tone curve: scene light to display linear light, clipped to 0..1."""
    if camera.shoulder > 0:
        scene = scene / (1.0 + np.float32(camera.shoulder) * scene)
    return np.clip(scene, 0.0, 1.0)


def finish_tone(encoded: Plane, camera: Camera) -> Plane:
    """S-curve, overall curve and vignette on encoded values (3, H, W)."""
    if camera.vignette > 0:
        height, width = encoded.shape[1:]
        y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
        x = np.linspace(-1, 1, width, dtype=np.float32)[None]
        loss = np.float32(camera.vignette) * ((x * x + y * y) * np.float32(0.5)) ** 2
        encoded = encoded * (1.0 - loss * np.float32(0.5))
    if camera.contrast or camera.brightness != 1.0:
        knots = np.linspace(0.0, 1.0, 1025)
        curve = knots**camera.brightness
        curve = curve + camera.contrast * np.sin(2 * np.pi * (curve - 0.5)) * 0.5 * 0.5
        table = np.clip(curve, 0.0, 1.0).astype(np.float32)
        index = np.clip(encoded * np.float32(1024) + np.float32(0.5), 0, 1024).astype(np.uint16)
        # Keep what the coarse table would round away.
        encoded = table[index] + (encoded - index.astype(np.float32) * np.float32(1 / 1024))
    return encoded


def finish_detail(encoded: Plane, camera: Camera) -> Plane:
    """Denoise, sharpen and add local contrast on encoded values (3, H, W)."""
    if not (camera.denoise or camera.sharpen or camera.local_contrast):
        return encoded
    luma = np.tensordot(np.array([0.299, 0.587, 0.114], dtype=np.float32), encoded, axes=1).astype(np.float32)
    change = np.zeros_like(luma)
    if camera.denoise or camera.sharpen:
        high = luma - gaussian(luma, camera.sharpen_radius)
        kept = high
        if camera.denoise:
            square = high * high
            kept = high * (square / (square + np.float32(camera.denoise**2)))
            change += kept - high
        change += np.float32(camera.sharpen) * kept
    if camera.local_contrast:
        change += np.float32(camera.local_contrast) * (luma - wide_gaussian(luma, 0.03 * max(luma.shape)))
    return encoded + change


def reduced_shape(shape: tuple[int, int], camera: Camera) -> tuple[int, int]:
    """(H, W) after the camera's downscaling."""
    return max(1, round(shape[0] / camera.downscale)), max(1, round(shape[1] / camera.downscale))


def save_and_load(pixels: Pixels, camera: Camera) -> Pixels:
    """Downscale and put (H, W, 3) through the camera's JPEG generations."""
    height, width = reduced_shape((pixels.shape[0], pixels.shape[1]), camera)
    if (height, width) != pixels.shape[:2]:
        pixels = np.asarray(Image.fromarray(pixels).resize((width, height), camera.scale_filter))
    for generation, quality in enumerate(camera.qualities):
        if generation and min(pixels.shape[:2]) > 64:
            # Between generations pictures are cropped a little, so that the block grids do not coincide.
            pixels = pixels[3:, 5:]
        data = simplejpeg.encode_jpeg(
            np.ascontiguousarray(pixels), quality=quality, colorspace="RGB", colorsubsampling=camera.subsampling
        )
        pixels = simplejpeg.decode_jpeg(data, colorspace="RGB")
    return np.ascontiguousarray(pixels)


def resize_gain(plane: Plane, camera: Camera) -> float:
    """How much of the deviation of ``plane`` (noise) survives the camera's downscaling, 0..1."""
    if camera.downscale <= 1.0:
        return 1.0
    window = plane[:256, :256]
    before = float(window.std())
    if before < 1e-4:
        return 1.0 / camera.downscale
    shape = reduced_shape((window.shape[0], window.shape[1]), camera)
    return float(resize_plane(window, shape, camera.scale_filter).std()) / before
