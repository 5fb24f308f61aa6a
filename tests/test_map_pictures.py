"""What pictures of heat maps show: a scale that ends at the photo's severity, where it can't be told, and why not."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from photodefect.core.inputs import holistic_input
from photodefect.core.reduced import Reduced
from photodefect.diagnosis.diagnoser import Diagnoser
from photodefect.heatmap import HeatMap, HeatMaps
from photodefect.heatmap.detail import patches_tell, tells
from photodefect.heatmap.legend import SCALE, UNCLEAR, legend
from photodefect.heatmap.outputs import Wanted, write_files
from photodefect.heatmap.overlay import UNCLEAR as VEIL
from photodefect.heatmap.overlay import overlay
from photodefect.photos.decode import decode
from photodefect.photos.photo import upright
from photodefect.records import ModelIdentity
from photodefect.reports.html.illustrate import Draw
from photodefect.reports.html.pictures import overlay as small_overlay
from photodefect.review.drawing import DrawMaps


def heat_map(
    values: NDArray[np.float32], key: str = "noise", photo: float | None = None, clear: NDArray[np.bool_] | None = None
) -> HeatMap:
    height, width = (32 * length for length in values.shape)
    return HeatMap(key, values, width, height, (32, 32), (16, 16), 96, 1.0, False, clear, photo)


RISING = np.linspace(0, 0.8, 21, dtype=np.float32).reshape(3, 7)


def test_the_strongest_twentieth_is_shown_as_severe_as_the_photo_and_the_rest_in_proportion() -> None:
    shown = heat_map(RISING, photo=0.3).shown

    # 0.76 is the quantile of 0.95 of 0, 0.04 ... 0.8.
    assert shown == pytest.approx(np.minimum(RISING / 0.76, 1) * 0.3, abs=1e-6)


def test_a_good_photo_has_no_red_map_whatever_its_parts_say() -> None:
    pixels = np.full((96, 224, 3), 128, np.uint8)

    reddest = overlay(pixels, heat_map(np.full((3, 7), 0.9, np.float32), photo=0.05)).astype(int)

    assert np.ptp(reddest, axis=2).max() <= 2


def test_without_the_photos_severity_the_bare_values_are_shown() -> None:
    assert np.array_equal(heat_map(RISING).shown, RISING)


def test_a_map_of_saturation_shows_the_direction_of_the_photo() -> None:
    values = np.linspace(-0.5, 0.5, 21, dtype=np.float32).reshape(3, 7)

    under = heat_map(values, "bad_saturation", photo=-0.4).shown
    over = heat_map(values, "bad_saturation", photo=0.4).shown

    assert (under.min(), under.max()) == pytest.approx((-0.4, 0))
    assert (over.min(), over.max()) == pytest.approx((0, 0.4))


def test_what_cannot_be_told_has_a_veil_and_no_say_in_the_scale() -> None:
    values, clear = np.full((4, 8), 0.2, np.float32), np.ones((4, 8), np.bool_)
    values[:, 4:], clear[:, 4:] = 0.9, False
    made = heat_map(values, "undesired_blur", photo=0.6, clear=clear)

    assert made.shown[:, :4] == pytest.approx(0.6)
    shown = overlay(np.zeros((128, 256, 3), np.uint8), made).astype(int)
    # 0.62 of the veil's colour over black.
    assert shown[64, 230] == pytest.approx(np.array(VEIL) * 0.62, abs=2)
    assert shown[64, 30, 0] > 80
    assert shown[64, 30, 2] < 40
    small = np.asarray(Image.open(io.BytesIO(small_overlay(made))).convert("RGBA")).astype(int)
    assert small[small.shape[0] // 2, -4] == pytest.approx([*VEIL, 158], abs=1)


def test_blur_is_told_where_something_has_an_edge_and_noise_where_nothing_is_clipped() -> None:
    pixels = np.full((256, 512, 3), 120, np.uint8)
    pixels[:, :128] += np.tile(np.arange(128) // 16 % 2 * 40, (256, 1)).astype(np.uint8)[..., None]
    pixels[:, 384:] = 255

    blur, noise = tells("undesired_blur", pixels, 1), tells("noise", pixels, 1)

    assert blur is not None
    assert noise is not None
    assert blur[:, :4].all()
    assert not blur[:, 4:].any()
    assert noise[:, :12].all()
    assert not noise[:, 12:].any()
    assert tells("haze", pixels, 1) is None
    patches = np.stack([pixels[:128, left : left + 128] for left in (0, 200, 384)])
    told = patches_tell(["undesired_blur", "noise", "haze"], patches)
    assert {key: which.tolist() for key, which in told.items()} == {
        "undesired_blur": [True, False, False],
        "noise": [True, True, False],
    }
    assert patches_tell(["haze"], patches) == {}


def test_noise_in_a_sky_is_no_detail() -> None:
    sky = np.full((160, 160, 3), 180) + np.random.default_rng(0).normal(0, 8, (160, 160, 3))

    told = tells("undesired_blur", sky.round().astype(np.uint8), 3)

    assert told is not None
    assert not told.any()


MONOCHROME = HeatMaps(
    224,
    96,
    {key: heat_map(RISING, key) for key in ("bad_white_balance", "bad_saturation", "noise")},
    ModelIdentity("random", "0" * 64),
).of_photo({"noise": 0.5, "bad_white_balance": 0.4, "bad_saturation": -0.9}, monochrome=True)


def test_a_photo_without_colour_has_no_map_of_its_colour_and_says_why(tmp_path: Path) -> None:
    assert list(MONOCHROME.maps) == ["noise"]
    assert list(MONOCHROME.without) == ["bad_white_balance", "bad_saturation"]
    assert "black and white or toned" in MONOCHROME.without["bad_saturation"]

    wanted = Wanted(["bad_white_balance", "bad_saturation", "noise"], overlays=True, raw=True)
    photo = Reduced(np.zeros((96, 224, 3), np.uint8))
    written = write_files(wanted, wanted.files(tmp_path / "IMG"), photo, MONOCHROME, None, photo="IMG.jpg")

    assert written == ["panel", "noise", "noise.npy", "noise.json"]
    assert len(list(tmp_path.iterdir())) == 4


def test_overlays_are_reduced_for_a_screen_unless_wanted_in_full(tmp_path: Path) -> None:
    made = HeatMaps(3000, 1500, {"noise": heat_map(RISING)}, ModelIdentity("random", "0" * 64))
    photo = Reduced(np.zeros((1500, 3000, 3), np.uint8))
    for name, full_size, size in (("small", False, (2048, 1024)), ("large", True, (3000, 1500))):
        wanted = Wanted(["noise"], overlays=True, panel=False, full_size=full_size)
        write_files(wanted, wanted.files(tmp_path / name), photo, made, None, photo="IMG.jpg")
        with Image.open(tmp_path / f"{name}-noise.jpg") as picture:
            assert picture.size == size


def test_the_legend_says_what_sets_the_scale_and_what_the_veil_is() -> None:
    assert legend(heat_map(RISING)) == "the redder, the severer; original resolution"
    everything = heat_map(RISING, "undesired_blur", 0.5, np.eye(3, 7, dtype=np.bool_))
    assert legend(everything) == f"the redder, the severer; {SCALE}; {UNCLEAR}; original resolution"
    assert legend(heat_map(RISING, "bad_saturation")).startswith("red: too much, blue: too little")


def test_a_review_shades_a_photo_taken_upright_as_the_report_does(samples: Path) -> None:
    diagnoser = Diagnoser(device="cpu")
    view = upright(decode(samples / "city.jpg").pixels, 6)

    report = Draw(diagnoser.maps_by)(view).of_photo(diagnoser.diagnose_pixels(view))
    review = DrawMaps(diagnoser.settings).see(view, holistic_input(view))

    assert report.maps
    assert {key: it.picture for key, it in review.items()} == report.maps
    assert {key: it.note for key, it in review.items()} == report.notes
