"""The low-level statistics on pictures whose statistics are known by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from photodefect.core.network.statistics import CHROMA_LEVELS, LOG_RATIO_BINS, LUMA_LEVELS, Statistics

STATISTICS = Statistics()


def flat(red: float, green: float, blue: float, side: int = 128) -> Tensor:
    return (
        torch.tensor([red, green, blue], dtype=torch.float32).reshape(1, 3, 1, 1).expand(1, 3, side, side).contiguous()
    )


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
    torch.testing.assert_close(whole, (left + right) / 2)
    assert float(right[LUMA_LEVELS.index(251)]) == 1.0


@pytest.mark.parametrize("row", [64, 70, 95])
def test_a_cell_sees_no_pixels_but_its_own(row: int) -> None:
    image = torch.rand(1, 3, 160, 160) * 255
    image[:, :, row, 80] = torch.nan
    lost = STATISTICS(image)[0].isnan().any(0)
    assert lost.nonzero().tolist() == [[2, 2]]


def test_a_cast_moves_the_ratios_of_its_colours_and_no_others() -> None:
    grey, red = (
        STATISTICS._colours(image, image.mean(1, keepdim=True)) for image in (flat(90, 90, 90), flat(180, 90, 90))
    )
    # log((180 + 6) / (90 + 6)) = 0.66 lies between the bins at 0.6 and 0.9.
    ratios = [part.mean((0, 2, 3)) for part in (grey[3], red[3])]
    assert int(ratios[0].argmax()) in (LOG_RATIO_BINS.index(-0.04), LOG_RATIO_BINS.index(0.04))
    share = (math.log(186 / 96) - 0.6) / 0.3
    assert float(ratios[1][LOG_RATIO_BINS.index(0.6)]) == pytest.approx(1 - share, abs=1e-4)
    assert float(ratios[1][LOG_RATIO_BINS.index(0.9)]) == pytest.approx(share, abs=1e-4)


def test_chroma_is_counted_above_the_levels_below_it() -> None:
    chroma = STATISTICS._colours(flat(140, 90, 90), flat(105, 105, 105)[:, :1])[0].mean((0, 2, 3))
    assert [float(share) > 0.5 for share in chroma] == [level < 50 for level in CHROMA_LEVELS]
