"""Series of photos made from one photograph, as a camera would have taken them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from ranked import shot

from photodefect.photos.colour_spaces import encode, linear_from_pixels, pixels_from_encoded
from photodefect.ranking.series.find import find_series
from photodefect.ranking.series.miniature import measure_miniature
from photodefect.records import Diagnosis

Pixels = NDArray[np.uint8]


def view(image: Image.Image, across: float = 0.06, down: float = 0.06, share: float = 0.85) -> Image.Image:
    """The part of a photo that a camera turned by these shares of the frame sees."""
    width, height = image.size
    left, top = round(across * width), round(down * height)
    return image.crop((left, top, left + round(share * width), top + round(share * height)))


def exposed(image: Image.Image, stops: float) -> Image.Image:
    linear = linear_from_pixels(np.asarray(image)) * np.float32(2.0**stops)
    return Image.fromarray(pixels_from_encoded(encode(linear)))


def blurred(image: Image.Image, radius: float) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(radius))


def focused(image: Image.Image, depth: float) -> Image.Image:
    """A photo of a scene that is nearer further down, sharp at one depth only."""
    soft = np.stack([np.asarray(blurred(image, radius) if radius else image) for radius in (0, 1.5, 3, 6)])
    down = np.linspace(0, 1, soft.shape[1])
    level = np.clip((np.abs(down - depth) * 6).astype(int), 0, 3)
    rows = np.arange(soft.shape[1])[:, None]
    return Image.fromarray(soft[level[:, None], rows, np.arange(soft.shape[2])[None, :]])


def product(colour: tuple[int, int, int], shape: str = "box", across: int = 0) -> Image.Image:
    """A thing on a white table, in the light of a tent."""
    rows, columns = np.mgrid[0:400, 0:600]
    far = np.abs(columns - 300 - across), np.abs(rows - 200)
    inside = np.maximum(*far) < 90 if shape == "box" else np.hypot(far[0], far[1] * 2) < 110
    pixels = np.where(inside[..., None], np.array(colour), 246) + np.random.default_rng(1).normal(0, 2, (400, 600, 1))
    return blurred(Image.fromarray(pixels.clip(0, 255).astype(np.uint8)), 1)


def miniature(image: Image.Image) -> str:
    """As ``measure`` makes it; photos here are small enough to be their own reduced copies."""
    pixels = np.asarray(image.convert("RGB"))
    return measure_miniature(pixels, pixels)


def taken(
    images: Sequence[Image.Image], times: Iterable[float | None], *each: dict[str, Any], **all_of: Any
) -> list[tuple[str, str]]:
    """Kind and names of the series among photos a, b, c ... taken at these seconds."""
    photos = [
        shot(f"{name}.jpg", None if time is None else clock(time), **all_of | (each[index] if each else {}))
        for index, (name, time) in enumerate(zip("abcdefghijklmnopqrst"[: len(images)], times, strict=True))
    ]
    return found(photos, [miniature(image) for image in images])


def found(photos: Sequence[Diagnosis], miniatures: Sequence[str], **options: float) -> list[tuple[str, str]]:
    by_path = {photo.path: text for photo, text in zip(photos, miniatures, strict=True)}
    series = find_series(photos, by_path, **options)
    return [(one.kind, " ".join(photos[index].path.split(".")[0] for index in one.members)) for one in series]


def clock(second: float) -> str:
    minutes, seconds = divmod(second, 60)
    fractions = f"{seconds:02.0f}" if second == int(second) else f"{seconds:06.3f}"
    return f"2024-05-01T12:{int(minutes):02d}:{fractions}"
