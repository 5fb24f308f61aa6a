"""Any image that Pillow can hold, with its embedded colour profile, to sRGB."""

from __future__ import annotations

import io
import struct
from functools import lru_cache
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from photodefect.photos.colour_codes import CodedColour, by_code_points, coded_to_srgb

_KEPT = 16
"""Profiles whose transforms are kept; a folder has a handful."""

_MOST_TAGS = 100
"""Tags of a profile that are looked at; LittleCMS takes no more."""


def to_srgb(image: Image.Image, icc: bytes | None) -> Image.Image:
    """An image's sRGB twin: mode RGB, on white where it is transparent.

    White is what most photos with cut-out parts are shown on. A profile that is damaged or belongs to another kind
    of image is passed over, as viewers do; grey pixels with an RGB profile are taken as RGB.

    Args:
        image: loaded, in any of Pillow's modes.
        icc: its embedded profile.
    """
    image = _eight_bits(image)
    alpha = None
    if image.has_transparency_data or image.mode in ("RGBa", "La"):
        image = image.convert("LA" if image.mode in ("La", "LA") else "RGBA")
        alpha = image.getchannel("A")
        image = image.convert(image.mode[:-1])
    elif image.mode not in ("L", "RGB", "CMYK", "LAB"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    image = _apply_profile(image, icc)
    if alpha is not None and alpha.getextrema() != (255, 255):
        image = Image.composite(image, Image.new("RGB", image.size, "white"), alpha)
    return image


def describe(icc: bytes | None) -> str | None:
    """What a profile calls itself; None without one, or if it is damaged."""
    return None if icc is None else _read_profile(icc)[1]


def is_srgb(icc: bytes) -> bool:
    """Whether a profile is one of sRGB, or damaged, so that there is nothing to convert."""
    space = _read_profile(icc)[0]
    return space is None or (space == "RGB" and _hdr(icc) is None and _transform(icc, "RGB") is None)


@lru_cache(maxsize=1)
def adobe_rgb_profile() -> bytes:
    """A version 2 ICC profile with the primaries and the gamma of Adobe RGB (1998).

    Source: Adobe RGB (1998) Color Image Encoding, section 4.3; primaries adapted to the D50 of profiles.
    """
    curve = struct.pack(">4sIIH", b"curv", 0, 1, 0x0233)  # gamma 563/256
    name = b"Adobe RGB (1998), by EXIF\0"
    tags = {
        b"desc": struct.pack(">4sII", b"desc", 0, len(name)) + name + bytes(78),
        b"wtpt": _xyz(0.95045, 1.0, 1.08905),
        b"rXYZ": _xyz(0.60974, 0.31111, 0.01947),
        b"gXYZ": _xyz(0.20528, 0.62567, 0.06087),
        b"bXYZ": _xyz(0.14919, 0.06322, 0.74457),
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    start = 132 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for tag, data in tags.items():
        table += struct.pack(">4sII", tag, start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    header = struct.pack(">I4xI4s4s4s12x4s", start + len(body), 0x02100000, b"mntr", b"RGB ", b"XYZ ", b"acsp")
    return header.ljust(68, b"\0") + _xyz(0.9642, 1.0, 0.8249)[8:] + bytes(48) + table + body


def _xyz(*values: float) -> bytes:
    return struct.pack(">8s3i", b"XYZ ", *(round(value * 65536) for value in values))


def _apply_profile(image: Image.Image, icc: bytes | None) -> Image.Image:
    space = None if icc is None else _read_profile(icc)[0]
    if image.mode == "L" and space == "RGB":
        image = image.convert("RGB")
    if image.mode == "L" and space == "GRAY":
        table = _grey_table(cast(bytes, icc))
        return image.convert("RGB") if table is None else Image.fromarray(table[np.asarray(image)])
    transform = None
    if image.mode == "LAB":
        transform = _transform(None, "LAB")
    elif icc is not None and space == image.mode:  # both call themselves RGB or CMYK
        hdr = _hdr(icc) if space == "RGB" else None
        if hdr is not None:
            return coded_to_srgb(np.asarray(image), hdr)
        transform = _transform(icc, image.mode)
    if transform is not None:
        image = cast(Image.Image, ImageCms.applyTransform(image, transform))
    return image if image.mode == "RGB" else image.convert("RGB")


@lru_cache(maxsize=_KEPT)
def _hdr(icc: bytes) -> CodedColour | None:
    """The code points in a profile of HDR; None of others.

    Its curves count from black to the brightest light that can be coded, so that white would be nearly black.
    Source: ICC.1:2022, sections 7.3, 9.2.17 and 10.3.
    """
    try:
        (count,) = struct.unpack_from(">I", icc, 128)
        for at in range(132, 132 + 12 * min(count, _MOST_TAGS), 12):
            name, start = struct.unpack_from(">4sI", icc, at)
            if name == b"cicp":
                kind, primaries, transfer, _, whole = struct.unpack_from(">4s4xBBBB", icc, start)
                coded = by_code_points(primaries, transfer, "profile", narrow=not whole) if kind == name else None
                return coded if coded is not None and coded.is_hdr else None
    except struct.error:
        pass  # a damaged profile
    return None


@lru_cache(maxsize=_KEPT)
def _read_profile(icc: bytes) -> tuple[str | None, str | None]:
    """Colour space (``RGB``, ``GRAY``, ``CMYK``, ...) and description of a profile; None for a damaged one."""
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        space = str(profile.profile.xcolor_space).strip()
        description = ImageCms.getProfileDescription(profile).strip()
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None, None
    return space, description or "unnamed profile"


@lru_cache(maxsize=_KEPT)
def _transform(icc: bytes | None, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The way from a profile (None: CIE Lab) to sRGB; None where it is sRGB already or the profile can't be used."""
    try:
        source = ImageCms.createProfile("LAB") if icc is None else ImageCms.ImageCmsProfile(io.BytesIO(icc))
        transform = ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION | (ImageCms.Flags.NOOPTIMIZE if mode == "L" else 0),
        )
        if mode == "RGB" and _changes_nothing(transform):
            return None
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    return transform


@lru_cache(maxsize=_KEPT)
def _grey_table(icc: bytes) -> NDArray[np.uint8] | None:
    """Every grey level in sRGB, (256, 3); computed exactly, as LittleCMS interpolates too coarsely in the shadows."""
    ramp = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    transform = _transform(icc, "L")
    return None if transform is None else np.array(ImageCms.applyTransform(ramp, transform))[0]


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    """Whether a transform moves no colour by more than one level, which is not worth its time.

    Most photos carry a profile of sRGB itself, in one of many versions; what it does tells more than its name.
    """
    steps = np.linspace(0, 255, 16).round().astype(np.uint8)
    lattice = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(1, -1, 3)
    moved = ImageCms.applyTransform(Image.fromarray(lattice), transform)
    return bool(np.abs(np.asarray(moved, np.int16) - lattice.astype(np.int16)).max() <= 1)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey with more than eight bits to eight; other images as they are."""
    if image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
        return image
    samples = np.asarray(image)
    white = 65535
    if image.mode == "I":
        samples = samples.view(np.uint32)  # Pillow keeps unsigned 32-bit samples in signed ones
        white = _white(samples, (65535, 4294967295))
    elif image.mode == "F":
        white = _white(samples, (1, 255, 65535))
    levels = np.empty(samples.shape, np.uint8)
    # Some rows at a time: floating-point numbers of all of them would take eight times the photo's memory.
    rows = max(1, 2**20 // max(1, image.width))
    for top in range(0, image.height, rows):
        some = np.nan_to_num(samples[top : top + rows].astype(np.float64))
        levels[top : top + rows] = np.rint(np.clip(some / white, 0, 1) * 255)
    return Image.fromarray(levels)


def _white(samples: NDArray[Any], whites: tuple[int, ...]) -> int:
    """White in samples of unknown scale: the first of ``whites`` that at most 1 % of them exceed.

    Stretching each photo to its own brightest sample would hide that it is dark.
    """
    return next((white for white in whites if np.mean(samples > white) <= 0.01), whites[-1])
