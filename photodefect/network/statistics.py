"""Low-level statistics of an image as maps: histograms, clipping, chroma, gradients, residual noise, orientation.

Every statistic is a mean over pixels (or small blocks of them) of some function of their surroundings, so that
averaging it over any window gives that window's statistic: the form is fully convolutional. A trunk trained on
ImageNet has learnt to ignore much of what matters here (brightness, colour cast, fine grain); these maps keep it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Literal, TypeAlias, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from photodefect.network.reach import Reach

CELL: Final = 32
"""Side of a cell in pixels: the stride of the trunk's end."""

LUMA_LEVELS: Final = (2, 5, 10, 18, 30, 45, 60, 80, 100, 120, 140, 160, 180, 200, 220, 235, 245, 251)
CLIP_LEVELS: Final = (3, 10, 235, 247, 253)
CHROMA_LEVELS: Final = (4, 8, 14, 22, 32, 46, 64, 90, 128, 180)
SATURATION_LEVELS: Final = (0.04, 0.08, 0.14, 0.22, 0.32, 0.44, 0.56, 0.68, 0.8, 0.9, 0.97)
LOG_RATIO_BINS: Final = (-1.4, -0.9, -0.6, -0.4, -0.25, -0.12, -0.04, 0.04, 0.12, 0.25, 0.4, 0.6, 0.9, 1.4)
GRADIENT_LEVELS: Final = (0.8, 2, 4, 7, 12, 20, 36, 70)
COARSE_GRADIENT_LEVELS: Final = (1.5, 4, 9, 19, 40, 90)
RESIDUAL_LEVELS: Final = (0.35, 0.7, 1.1, 1.6, 2.3, 3.2, 4.5, 6.5, 10, 16)
CONTRAST_LEVELS: Final = (1, 2.5, 5, 9, 15, 24, 36, 54)
DARK_LEVELS: Final = (4, 10, 20, 32, 48, 66, 88, 114, 145, 185)
TILT_DEGREES: Final = tuple(range(-20, 21, 2))

DIRECTIONS: Final = 1 + 2 * len(TILT_DEGREES)
"""The first maps of the gradients: the weight of all edges, then weighted counts of their directions. Divide these by
it."""

Group: TypeAlias = Literal["gradients", "tones", "colours", "residuals", "veil_and_contrast"]

GROUPS: Final[tuple[Group, ...]] = get_args(Group)
"""All groups of statistics, in the order of their maps."""

_LUMA: Final = (0.299, 0.587, 0.114)
_EPS: Final = 6.0


def _above(x: Tensor, levels: Tensor) -> Tensor:
    """Share above each level, softly: (N, 1, H, W) and (L,) ascending -> (N, L, H, W) in 0..1.

    The step at a level is as wide as the level's distance to its neighbours allows, so that the maps vary
    smoothly (a hard step would turn one grey level of rounding into a jump).
    """
    gaps = torch.diff(levels)
    width = torch.minimum(
        torch.cat([gaps[:1], gaps]),
        torch.cat([gaps, gaps[-1:]]),
    )
    shape = (1, -1, 1, 1)
    return ((x - levels.reshape(shape)) / width.reshape(shape) + 0.5).clamp(0, 1)


def _bins(x: Tensor, centres: Tensor) -> Tensor:
    """Soft histogram membership with triangular bins: (N, 1, H, W) and (B,) -> (N, B, H, W), summing to 1."""
    steps = _above_ramp(x, centres)
    first = 1 - steps[:, :1]
    return torch.cat([first, steps[:, :-1] - steps[:, 1:], steps[:, -1:]], 1)


def _above_ramp(x: Tensor, centres: Tensor) -> Tensor:
    """Ramp from 0 at one centre to 1 at the next: (N, 1, H, W) and (B,) -> (N, B - 1, H, W)."""
    low = centres[:-1].reshape(1, -1, 1, 1)
    gap = torch.diff(centres).reshape(1, -1, 1, 1)
    return ((x - low) / gap).clamp(0, 1)


def _cells(maps: Tensor, stride: int) -> Tensor:
    """Mean over cells: maps at ``stride`` pixels -> the stride of a cell."""
    side = CELL // stride
    return functional.avg_pool2d(maps, side) if side > 1 else maps


class Statistics(nn.Module):
    """RGB (N, 3, H, W) in 0..255, sides multiples of 32 -> (N, :attr:`count`, H/32, W/32).

    Args:
        groups: which, in the order of :data:`GROUPS`.
    """

    def __init__(self, groups: Sequence[Group] = GROUPS) -> None:
        super().__init__()
        self.groups = tuple(groups)
        for name, values in {
            "luma_levels": LUMA_LEVELS,
            "clip_levels": CLIP_LEVELS,
            "chroma_levels": CHROMA_LEVELS,
            "saturation_levels": SATURATION_LEVELS,
            "ratio_bins": LOG_RATIO_BINS,
            "gradient_levels": GRADIENT_LEVELS,
            "coarse_levels": COARSE_GRADIENT_LEVELS,
            "residual_levels": RESIDUAL_LEVELS,
            "contrast_levels": CONTRAST_LEVELS,
            "dark_levels": DARK_LEVELS,
        }.items():
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32), persistent=False)
        laplacian = torch.tensor([[1.0, -2, 1], [-2, 4, -2], [1, -2, 1]]) / 6
        self.register_buffer("residual_kernel", laplacian.reshape(1, 1, 3, 3), persistent=False)
        tangents = torch.tan(torch.deg2rad(torch.tensor(TILT_DEGREES, dtype=torch.float32)))
        self.register_buffer("tilt_tangents", tangents, persistent=False)
        with torch.no_grad():
            maps = self._maps(torch.zeros(1, 3, CELL * 2, CELL * 2))
        self.counts: dict[Group, int] = {group: sum(part.shape[1] for part in parts) for group, parts in maps.items()}
        self.count = sum(self.counts.values())

    @property
    def reach(self) -> Reach:
        """What a cell sees: its own pixels, and beyond them what the gradients and the dark channel look at."""
        gradients = Reach().through(4, 4, 0).through(3).through(CELL // 4, CELL // 4, 0)
        veil = Reach().through(2, 2, 0).through(7, 4).through(CELL // 8, CELL // 8, 0)
        return Reach(CELL, max(gradients.before, veil.before), max(gradients.after, veil.after))

    def _level(self, name: str) -> Tensor:
        buffer = getattr(self, name)
        if not isinstance(buffer, Tensor):
            raise TypeError(name)
        return buffer

    def forward(self, rgb: Tensor) -> Tensor:
        """See the class."""
        return torch.cat([part for parts in self._maps(rgb).values() for part in parts], 1)

    def _maps(self, rgb: Tensor) -> dict[Group, list[Tensor]]:
        luma = (rgb * torch.tensor(_LUMA, device=rgb.device).reshape(1, 3, 1, 1)).sum(1, keepdim=True)
        work: dict[Group, Callable[[], list[Tensor]]] = {
            "gradients": lambda: self._gradients(luma),
            "tones": lambda: self._tones(rgb[:, :, ::2, ::2], luma[:, :, ::2, ::2]),
            "colours": lambda: self._colours(functional.avg_pool2d(rgb, 4), functional.avg_pool2d(luma, 4)),
            "residuals": lambda: self._residuals(rgb, luma),
            "veil_and_contrast": lambda: self._veil_and_contrast(rgb, luma),
        }
        return {group: work[group]() for group in self.groups}

    def _tones(self, rgb: Tensor, luma: Tensor) -> list[Tensor]:
        """Brightness and clipping. Every second pixel is enough; no averaging, which would hide clipping."""
        tone = luma / 255
        clip = self._level("clip_levels")
        parts = [
            _above(luma, self._level("luma_levels")),
            _above(rgb.amax(1, keepdim=True), clip),
            _above(rgb.amin(1, keepdim=True), clip),
            tone,
            tone.square(),
        ]
        return [_cells(part, 2) for part in parts]

    def _colours(self, rgb: Tensor, luma: Tensor) -> list[Tensor]:
        """Chroma and cast, of averages over 4x4 pixels, so that colour noise isn't taken for colour."""
        top = rgb.amax(1, keepdim=True)
        chroma = top - rgb.amin(1, keepdim=True)
        saturation = chroma / (top + _EPS)
        tone = luma / 255
        parts = [
            _above(chroma, self._level("chroma_levels")),
            _above(saturation, self._level("saturation_levels")),
            _above(saturation, self._level("saturation_levels")) * tone,
        ]
        red, green, blue = torch.split((rgb + _EPS).log(), 1, 1)
        bins = self._level("ratio_bins")
        bright, dark = tone.square(), (1 - tone).square()
        for ratio in (red - green, blue - green):
            histogram = _bins(ratio, bins)
            parts += [histogram, histogram * bright, ratio, ratio * bright, ratio * dark]
        warm, tint = red - blue, green - (red + blue) / 2
        grey = (1 - saturation * 3).clamp(min=0)
        parts += [_bins(tint, bins), warm.square(), tint.square(), warm * tint]
        parts += [grey, warm * grey, tint * grey, grey * bright, warm * grey * bright, tint * grey * bright]
        return [_cells(part, 4) for part in parts]

    def _gradients(self, luma: Tensor) -> list[Tensor]:
        """Directions of edges (first: see :data:`DIRECTIONS`), then gradient magnitudes at three scales."""
        directions: list[Tensor] = []
        parts: list[Tensor] = []
        for scale in (1, 2, 4):
            image = functional.avg_pool2d(luma, scale) if scale > 1 else luma
            padded = functional.pad(image, (1, 1, 1, 1), mode="replicate")
            across = (padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]) / 2
            down = (padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]) / 2
            size = (across.square() + down.square() + 1e-6).sqrt()
            levels = self._level("gradient_levels" if scale == 1 else "coarse_levels")
            parts.append(_cells(_above(size, levels), scale))
            parts.append(_cells((size + 1).log(), scale))
            if scale == 2:
                directions = self._directions(across, down, size)
        return directions + parts

    def _directions(self, across: Tensor, down: Tensor, size: Tensor) -> list[Tensor]:
        """Total weight of edges, then weighted histograms of their slope near the level and near the plumb."""
        weight = (size - 3).clamp(0, 25)
        tangents = self._level("tilt_tangents")
        parts = [_cells(weight, 2)]
        for along, over in ((across, down), (down, across)):
            # an edge that is nearly level has a gradient that points nearly down: slope = across / down
            slope = along / torch.where(over.abs() < 1e-3, torch.full_like(over, 1e-3), over)
            steep = (over.abs() > along.abs() * 2).float() * weight
            parts.append(_cells(_bins(slope, tangents) * steep, 2))
        return parts

    def _residuals(self, rgb: Tensor, luma: Tensor) -> list[Tensor]:
        """How strong the finest detail is, block by block: its distribution tells noise from texture."""
        red, green, blue = torch.split(rgb, 1, 1)
        kernel = self._level("residual_kernel")
        parts = []
        for plane in (luma, red - green, blue - green):
            for scale in (1, 2):
                image = functional.avg_pool2d(plane, scale) if scale > 1 else plane
                padded = functional.pad(image, (1, 1, 1, 1), mode="replicate")
                residual = functional.conv2d(padded, kernel).abs()
                block = functional.avg_pool2d(residual, 8 // scale)
                parts.append(_cells(_above(block, self._level("residual_levels")), 8))
                parts.append(_cells((block + 0.3).log(), 8))
        # flatness of the surroundings tells grain on plain areas from detail
        tone = functional.avg_pool2d(luma, 8)
        coarse = functional.avg_pool2d(luma, 4)
        spread = (functional.avg_pool2d(coarse.square(), 2) - functional.avg_pool2d(coarse, 2).square()).clamp(min=0)
        flat = 1 / (1 + spread / 4)
        fine = (functional.avg_pool2d(luma.square(), 4) - coarse.square()).clamp(min=0)
        grain = (functional.avg_pool2d(fine, 2) + 0.1).log()
        dark = (1 - tone / 90).clamp(min=0)
        parts += [_cells(part, 8) for part in (flat, flat * grain, flat * dark, flat * dark * grain, dark * grain)]
        return parts

    def _veil_and_contrast(self, rgb: Tensor, luma: Tensor) -> list[Tensor]:
        """The dark channel (He et al. 2009) and local contrast at two sizes of block."""
        bottom = functional.avg_pool2d(rgb.amin(1, keepdim=True), 2)
        dark = -functional.max_pool2d(-bottom, 7, stride=4, padding=3)
        top = functional.avg_pool2d(rgb.amax(1, keepdim=True), 2)
        bright = functional.max_pool2d(top, 7, stride=4, padding=3)
        levels = self._level("dark_levels")
        parts = [_cells(_above(dark, levels), 8), _cells(_above(bright - dark, levels), 8)]
        for side in (8, 32):
            mean = functional.avg_pool2d(luma, side)
            spread = (functional.avg_pool2d(luma.square(), side) - mean.square()).clamp(min=0)
            parts.append(_cells(_above((spread + 1e-4).sqrt(), self._level("contrast_levels")), side))
        return parts
