"""Low-level statistics of an image as maps: histograms of brightness, chroma and colour casts, clipping.

Every statistic is a mean over pixels (or blocks of 4 x 4 of them) of some function, so that averaging it over any
window gives that window's statistic: the form is fully convolutional. A trunk trained on ImageNet has learnt to
ignore much of what matters here (brightness, colour cast); these maps keep it.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

CELL: Final = 32
"""Side of a cell in pixels: the stride of the trunk's end."""

LUMA_LEVELS: Final = (2, 5, 10, 18, 30, 45, 60, 80, 100, 120, 140, 160, 180, 200, 220, 235, 245, 251)
CLIP_LEVELS: Final = (3, 10, 235, 247, 253)
CHROMA_LEVELS: Final = (4, 8, 14, 22, 32, 46, 64, 90, 128, 180)
SATURATION_LEVELS: Final = (0.04, 0.08, 0.14, 0.22, 0.32, 0.44, 0.56, 0.68, 0.8, 0.9, 0.97)
LOG_RATIO_BINS: Final = (-1.4, -0.9, -0.6, -0.4, -0.25, -0.12, -0.04, 0.04, 0.12, 0.25, 0.4, 0.6, 0.9, 1.4)
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

    A cell sees no pixels but its own.
    """

    def __init__(self) -> None:
        super().__init__()
        for name, values in {
            "luma_levels": LUMA_LEVELS,
            "clip_levels": CLIP_LEVELS,
            "chroma_levels": CHROMA_LEVELS,
            "saturation_levels": SATURATION_LEVELS,
            "ratio_bins": LOG_RATIO_BINS,
        }.items():
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32), persistent=False)
        with torch.no_grad():
            self.count = self(torch.zeros(1, 3, CELL, CELL)).shape[1]

    def _level(self, name: str) -> Tensor:
        buffer = getattr(self, name)
        if not isinstance(buffer, Tensor):
            raise TypeError(name)
        return buffer

    def forward(self, rgb: Tensor) -> Tensor:
        """See the class."""
        luma = (rgb * torch.tensor(_LUMA, device=rgb.device).reshape(1, 3, 1, 1)).sum(1, keepdim=True)
        tones = self._tones(rgb[:, :, ::2, ::2], luma[:, :, ::2, ::2])
        colours = self._colours(functional.avg_pool2d(rgb, 4), functional.avg_pool2d(luma, 4))
        return torch.cat([*tones, *colours], 1)

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
