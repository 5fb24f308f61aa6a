"""Pictures of heat maps: colours say how severe and in which direction, and lie where the map says."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from photodefect.core.reduced import Reduced
from photodefect.heatmap import HeatMap, HeatMaps
from photodefect.heatmap.overlay import OPACITY, OVER, UNDER, colour_of, opacity, overlay
from photodefect.heatmap.panel import panel
from photodefect.records import ModelIdentity


def constant(key: str, value: float, width: int = 64, height: int = 64) -> HeatMap:
    severity = np.full((-(-height // 32), -(-width // 32)), value, np.float32)
    return HeatMap(key, severity, width, height, (32, 32), (16, 16), 96, 1.0, sampled=False)


def gradient(height: int, width: int) -> NDArray[np.uint8]:
    ramp = np.linspace(0, 255, width).astype(np.uint8)
    return np.stack(
        [np.tile(ramp, (height, 1)), np.full((height, width), 90, np.uint8), np.tile(ramp[::-1], (height, 1))], 2
    )


def luma(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    return pixels @ np.array([0.299, 0.587, 0.114])


def test_where_nothing_is_wrong_the_photo_is_grey() -> None:
    pixels = gradient(64, 64)

    shown = overlay(pixels, constant("noise", 0)).astype(float)

    assert np.ptp(shown, axis=2).max() == 0
    assert shown[..., 0] == pytest.approx(luma(pixels), abs=1)


# Half-way up a smooth step is a half; at 1/5 and 4/5 it is 13/125 and 112/125.
@pytest.mark.parametrize(
    ("key", "value", "colour", "step"),
    [
        ("noise", 0.2, OVER, 0.104),
        ("noise", 0.5, OVER, 0.5),
        ("bad_saturation", 0.8, OVER, 0.896),
        ("bad_saturation", -0.5, UNDER, 0.5),
    ],
)
def test_the_severer_the_defect_the_more_opaque_the_colour(
    key: str, value: float, colour: tuple[int, int, int], step: float
) -> None:
    pixels = gradient(64, 64)
    share = step * OPACITY

    shown = overlay(pixels, constant(key, value))

    expected = luma(pixels)[..., None] * (1 - share) + np.array(colour) * share
    # Luma and chroma are each rounded, and a level of chroma is nearly two of blue.
    assert shown.astype(float) == pytest.approx(expected, abs=3.5)


def test_red_is_over_and_blue_is_under() -> None:
    assert colour_of(0.3) == OVER
    assert colour_of(-0.3) == UNDER
    assert OVER[0] > 200 > 60 > OVER[2]
    assert UNDER[2] > 200 > 60 > UNDER[0]


@pytest.mark.parametrize("height", [40, 600, 1300])
def test_an_overlay_lies_over_the_photo_as_the_enlarged_map_does(height: int) -> None:
    # 1300 rows are laid over in several strips, and a photo may be drawn smaller than it is.
    width = 70
    severity = np.random.default_rng(3).random((13, 9), dtype=np.float32)
    heatmap = HeatMap("haze", severity, 900, 1300, (100, 100), (50, 50), 96, 0.3, sampled=False)
    black = np.zeros((height, width, 3), np.uint8)

    red = overlay(black, heatmap)[..., 0].astype(float)

    assert red == pytest.approx(np.vectorize(opacity)(heatmap.enlarged(width, height)) * OVER[0], abs=4)


def test_an_overlay_leaves_the_photo_as_it_is() -> None:
    pixels = gradient(64, 64)
    before = pixels.copy()
    pixels.flags.writeable = False

    overlay(pixels, constant("noise", 1))

    assert np.array_equal(pixels, before)


def maps(width: int, height: int, **values: float) -> HeatMaps:
    made = {key: constant(key, value, width, height) for key, value in values.items()}
    return HeatMaps(width, height, made, ModelIdentity("random", "0" * 64))


SIX = {
    "bad_exposure": 0.2,
    "bad_white_balance": 1.0,
    "bad_saturation": -1.0,
    "noise": 0.0,
    "haze": 0.4,
    "undesired_blur": 0.6,
}


@pytest.mark.parametrize(("width", "height"), [(600, 400), (400, 600), (3000, 60), (40, 900), (1, 1)])
def test_a_panel_of_any_photo_holds_everything(width: int, height: int) -> None:
    severities = SIX | {"bad_composition": 0.3}

    picture = panel(
        Reduced(gradient(height, width)), maps(width, height, **SIX), severities, title="IMG.jpg", note="a model"
    )

    assert picture.mode == "RGB"
    assert 1500 < picture.width < 3000
    pixels = np.asarray(picture).astype(int)
    reddish = (pixels[..., 0] - pixels[..., 2] > 100).sum()
    bluish = (pixels[..., 2] - pixels[..., 0] > 100).sum()
    assert reddish > 100
    assert bluish > 100
    border = np.concatenate(
        [
            pixels[:8].reshape(-1, 3),
            pixels[-8:].reshape(-1, 3),
            pixels[:, :8].reshape(-1, 3),
            pixels[:, -8:].reshape(-1, 3),
        ]
    )
    assert np.all(border == border[0]), "nothing runs over the border"


def test_a_panel_of_one_map_is_smaller_and_without_scores_has_no_bars() -> None:
    one = panel(Reduced(gradient(400, 600)), maps(600, 400, noise=0.5))
    all_six = panel(Reduced(gradient(400, 600)), maps(600, 400, **SIX))

    assert one.width < all_six.width
    assert one.height <= all_six.height


def test_a_title_with_escape_sequences_or_foreign_letters_is_drawn(recwarn: pytest.WarningsRecorder) -> None:
    panel(Reduced(gradient(40, 60)), maps(60, 40, noise=0.5), title="\x1b[31mred\udcff 写真.jpg " + "long " * 200)

    assert not recwarn.list
