"""The low-level statistics on pictures whose statistics are known by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from photodefect.network.statistics import DIRECTIONS, LUMA_LEVELS, TILT_DEGREES, Statistics

STATISTICS = Statistics()


def flat(red: float, green: float, blue: float, side: int = 128) -> Tensor:
    return (
        torch.tensor([red, green, blue], dtype=torch.float32).reshape(1, 3, 1, 1).expand(1, 3, side, side).contiguous()
    )


def edge(degrees: float, side: int = 224) -> Tensor:
    """A black and white edge that falls by ``degrees`` from the level, smooth over a few pixels."""
    y, x = np.mgrid[:side, :side].astype(np.float32) - side / 2
    distance = y * np.cos(np.radians(degrees)) - x * np.sin(np.radians(degrees))
    grey = 255 / (1 + np.exp(-distance / 1.5))
    return torch.from_numpy(grey).float().expand(1, 3, side, side).contiguous()


def window(image: Tensor) -> Tensor:
    return STATISTICS(image).mean((0, 2, 3))


def test_one_map_a_statistic_at_stride_32() -> None:
    assert STATISTICS(flat(1, 2, 3, 96)).shape == (1, STATISTICS.count, 3, 3)


def test_a_grey_frame_is_above_the_levels_below_it_and_not_above_the_others() -> None:
    shares = STATISTICS._tones(flat(130, 130, 130), flat(130, 130, 130)[:, :1])[0].mean((0, 2, 3))
    assert [float(share) for share in shares] == [1.0 if level < 130 else 0.0 for level in LUMA_LEVELS]


def test_half_a_blown_frame_counts_half() -> None:
    image = flat(100, 100, 100)
    image[:, :, :, 64:] = 255
    whole, left, right = window(image), window(image[..., :64]), window(image[..., 64:])
    # Statistics that look at neighbours differ at the seam; histograms of tones don't.
    tones = slice(DIRECTIONS + 23, DIRECTIONS + 23 + len(LUMA_LEVELS))
    torch.testing.assert_close(whole[tones], (left[tones] + right[tones]) / 2)


@pytest.mark.parametrize("degrees", [-12, -4, 0, 6, 14])
def test_an_edge_is_counted_at_its_own_tilt(degrees: int) -> None:
    level = window(edge(degrees))[1 : 1 + len(TILT_DEGREES)]
    assert TILT_DEGREES[int(level.argmax())] == -degrees


def test_noise_raises_the_residuals_and_a_ramp_does_not() -> None:
    ramp = torch.linspace(60, 180, 224).expand(1, 3, 224, 224).contiguous()
    noisy = ramp + 12 * torch.randn(ramp.shape, generator=torch.Generator().manual_seed(0))

    def residual(image: Tensor) -> float:
        luma = image.mean(1, keepdim=True)
        return float(STATISTICS._residuals(image, luma)[0].mean())

    assert residual(ramp) < 0.01
    assert residual(noisy) > 0.5


def test_a_veil_raises_the_dark_channel() -> None:
    scene = 255 * torch.rand(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    veiled = 0.4 * scene + 0.6 * 220

    def dark(image: Tensor) -> float:
        return float(STATISTICS._veil_and_contrast(image, image.mean(1, keepdim=True))[0].mean())

    assert dark(veiled) > dark(scene) + 0.3
