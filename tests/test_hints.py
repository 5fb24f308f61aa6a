"""Hints: the direction that pixels and capture data show, on photographs degraded in known ways."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from ranked import failure, record
from scipy.signal import fftconvolve

from photodefect.defects import KEYS
from photodefect.errors import DataError
from photodefect.ranking.hints.advice import Finding, findings, hint_for
from photodefect.ranking.hints.cast import Cast, measure_cast
from photodefect.ranking.hints.light import Light, measure_light
from photodefect.ranking.hints.measurements import Measurements, measure
from photodefect.ranking.hints.softness import Softness, measure_softness
from photodefect.ranking.series.miniature import read_miniatures
from photodefect.records import Capture

Pixels = NDArray[np.uint8]


@pytest.fixture(scope="module")
def photos(samples: Path) -> dict[str, Pixels]:
    return {file.stem: np.asarray(Image.open(file).convert("RGB")) for file in sorted(samples.glob("*.jpg"))}


@pytest.fixture(scope="module")
def small(photos: dict[str, Pixels]) -> dict[str, Pixels]:
    result = {}
    for name, pixels in photos.items():
        image = Image.fromarray(pixels)
        image.thumbnail((240, 240))
        result[name] = np.asarray(image)
    return result


def linear(pixels: Pixels) -> NDArray[np.float64]:
    encoded = pixels / 255
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def pixels_of(light: NDArray[np.float64]) -> Pixels:
    light = light.clip(0, 1)
    encoded = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.rint(encoded * 255).astype(np.uint8)


def blurred(pixels: Pixels, kernel: NDArray[np.float64]) -> Pixels:
    kernel = kernel / kernel.sum()
    planes = [fftconvolve(pixels[..., channel].astype(float), kernel, mode="same") for channel in range(3)]
    return np.rint(np.clip(np.stack(planes, axis=-1), 0, 255)).astype(np.uint8)


def disc(radius: int) -> NDArray[np.float64]:
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return (x**2 + y**2 <= radius**2).astype(float)


def measurements(
    *, light: Light | None = None, cast: Cast | None = None, softness: Softness | None = None
) -> Measurements:
    return Measurements(
        miniature="AAAA",
        light=light or Light(0.18, 0.9, 0.0, 0.0, 0.0),
        cast=cast or Cast(0.0, 0.0, certain=False),
        softness=softness or Softness(None, 0.0),
    )


def test_photographs_given_too_little_or_too_much_light_are_told_apart(small: dict[str, Pixels]) -> None:
    for name, pixels in small.items():
        light = linear(pixels)
        # From a photo's own brightness to three stops away from middle grey.
        middle = np.median(light @ [0.2126, 0.7152, 0.0722])
        dark, bright = (measure_light(pixels_of(light * 0.18 / middle * 2.0**stops)) for stops in (-3, 3))
        assert dark.fault() in ("under-exposed", "too contrasty"), name
        assert bright.fault() in ("over-exposed", "too contrasty"), name


def test_light_is_measured_in_linear_light() -> None:
    # sRGB 118 is 18.1 % of the light of white.
    grey = measure_light(np.full((50, 60, 3), 118, np.uint8))
    assert grey.middle == pytest.approx(0.18, abs=0.002)
    assert grey.stops == pytest.approx(0.0, abs=0.02)
    assert grey.fault() is None
    half = np.zeros((50, 60, 3), np.uint8)
    half[25:] = 255
    ends = measure_light(half)
    assert (ends.clipped, ends.crushed, ends.dark, ends.bright) == (0.5, 0.5, 0.0, 1.0)
    # A single lost channel is lost light.
    assert measure_light(np.full((5, 5, 3), (255, 40, 40), np.uint8)).clipped == 1.0


def test_black_and_white_ends_in_one_photo_are_too_much_contrast() -> None:
    light = Light(middle=0.2, bright=1.0, dark=0.0, clipped=0.1, crushed=0.1)
    assert light.fault() == "too contrasty"
    text = hint_for("bad_exposure", 0.7, Capture(), measurements(light=light)).text
    assert text == "too contrasty: lift shadows and recover lights (10% of the frame is blown out, 10% is black)"


@pytest.mark.parametrize(
    ("gains", "tint"),
    [
        ((2.0, 1.0, 0.5), "too warm"),
        ((0.5, 1.0, 2.0), "too cool"),
        ((0.7, 1.0, 0.7), "too green"),
        ((1.4, 1.0, 1.4), "too magenta"),
    ],
)
def test_casts_of_known_colour_are_named_and_never_the_other_way(
    small: dict[str, Pixels], gains: tuple[float, float, float], tint: str
) -> None:
    opposite = {"too warm": "too cool", "too green": "too magenta"}
    opposite |= {after: before for before, after in opposite.items()}
    # Photographs with something neutral in them.
    names = ("the-spices-of-life", "city", "haze", "guitar", "roman-colosseum")
    named = [measure_cast(pixels_of(linear(small[name]) * gains)).tints() for name in names]
    assert all(opposite[tint] not in tints for tints in named)
    assert sum(tint in tints[:1] for tints in named) >= 4


def test_a_neutral_photo_has_no_cast(small: dict[str, Pixels]) -> None:
    grey = np.repeat(small["city"].mean(axis=2).astype(np.uint8)[..., None], 3, axis=2)
    assert measure_cast(grey).tints() == ()
    assert measure_cast(np.zeros((30, 30, 3), np.uint8)).tints() == ()
    assert measure_cast(np.full((30, 30, 3), 255, np.uint8)).tints() == ()


def test_where_both_estimates_differ_no_colour_is_named() -> None:
    # Grey things below a brightly orange sky: which of them is the light's colour?
    pixels = np.full((100, 100, 3), 120, np.uint8)
    pixels[:40] = (240, 150, 60)
    assert not measure_cast(pixels).certain
    hint = hint_for("bad_white_balance", 0.6, Capture(), measurements(cast=measure_cast(pixels)))
    assert hint.direction is None
    assert hint.text.startswith("can't tell which way")


@pytest.mark.parametrize("name", ["city", "dog", "roman-colosseum", "the-spices-of-life", "taipei-city"])
def test_motion_and_missed_focus_are_told_apart(photos: dict[str, Pixels], name: str) -> None:
    height, width = photos[name].shape[:2]
    pixels = photos[name][height // 2 - 280 : height // 2 + 280, width // 2 - 280 : width // 2 + 280]
    sideways, down, soft = (
        measure_softness(blurred(pixels, kernel)) for kernel in (np.ones((1, 13)), np.ones((13, 1)), disc(5))
    )
    for softness, words in ((sideways, "sideways"), (down, "up and down")):
        hint = hint_for("undesired_blur", 0.6, Capture(), measurements(softness=softness))
        assert hint.direction == "motion"
        assert words in hint.text
    assert hint_for("undesired_blur", 0.6, Capture(), measurements(softness=soft)).direction == "focus"


def test_the_direction_of_motion_is_measured_counter_clockwise(photos: dict[str, Pixels]) -> None:
    rising = np.fliplr(np.eye(13))
    assert measure_softness(blurred(photos["city"], rising)).angle == pytest.approx(45, abs=15)


def test_too_small_and_empty_frames_have_no_softness() -> None:
    assert measure_softness(np.zeros((200, 900, 3), np.uint8)).smear is None
    assert measure_softness(np.full((300, 300, 3), 99, np.uint8)).smear is None


@pytest.mark.parametrize(
    ("smear", "shutter", "focal", "direction", "words"),
    [
        (2.0, 1 / 15, 200, "motion", "looks like motion at 1/15 s and 200 mm, too slow for steady hands"),
        (2.0, 1 / 2000, 50, None, "can't tell whether moved or out of focus (1/2000 s and 50 mm)"),
        (4.0, 1 / 2000, 50, "motion", "looks like motion at 1/2000 s and 50 mm"),
        (0.4, 1 / 2000, 50, "focus", "looks like missed focus, as 1/2000 s and 50 mm is fast enough"),
        (0.4, 1 / 15, 200, None, "can't tell whether moved or out of focus; 1/15 s and 200 mm is slow enough to shake"),
        (0.4, None, None, "focus", "looks like missed focus (the shutter isn't recorded): all directions are equally"),
        (0.4, None, 50, "focus", "looks like missed focus (the shutter isn't recorded): all directions are equally"),
        (None, 1 / 15, 200, None, "can't tell whether moved or out of focus: too little detail (1/15 s and 200 mm)"),
        (4.0, 2.5, None, "motion", "looks like motion at 2.5 s, too slow for steady hands"),
        # A phone, whose lens sees as 24 mm do on film, or a full frame with a fisheye lens?
        (
            0.4,
            1 / 9,
            4.25,
            None,
            "whether 1/9 s and 4.25 mm is slow enough to shake isn't known without the angle of view",
        ),
    ],
)
def test_blur_is_explained_by_detail_and_shutter(
    smear: float | None, shutter: float | None, focal: float | None, direction: str | None, words: str
) -> None:
    capture = Capture(shutter_s=shutter, focal_mm=focal)
    hint = hint_for("undesired_blur", 0.7, capture, measurements(softness=Softness(smear, 0.0)))
    assert hint.direction == direction
    assert words in hint.text


@pytest.mark.parametrize(("focal", "crop"), [(26.0, 1.0), (13.0, 2.0), (4.25, 6.12)])
def test_the_shutter_is_judged_by_the_view_whatever_the_sensor(focal: float, crop: float) -> None:
    view = round(focal * crop)
    assert view == 26
    for shutter, smear, direction in (
        (1 / 9, 0.4, None),
        (1 / 9, 2.0, "motion"),
        (1 / 60, 0.4, "focus"),
        (1 / 2000, 2.0, None),
        (1 / 2000, 0.4, "focus"),
    ):
        capture = Capture(shutter_s=shutter, focal_mm=focal, focal_35mm=view)
        hint = hint_for("undesired_blur", 0.7, capture, measurements(softness=Softness(smear, 0.0)))
        assert hint.direction == direction, hint
    said = hint_for(
        "undesired_blur",
        0.7,
        Capture(shutter_s=1 / 9, focal_mm=4.25, focal_35mm=26),
        measurements(softness=Softness(0.4, 0.0)),
    )
    assert said.text == (
        "can't tell whether moved or out of focus; 1/9 s and 4.25 mm (26 mm equivalent) is slow enough to shake"
    )


def test_a_canon_that_never_says_its_view_is_judged_by_the_sensors_that_it_may_have() -> None:
    soft = measurements(softness=Softness(0.4, 0.0))
    # 50 mm count for 50 to 81: 1/180 s is fast enough with each, 1/20 s too slow with each, 1/30 s is not known.
    for shutter, direction in ((1 / 180, "focus"), (1 / 20, None), (1 / 30, None)):
        capture = Capture(camera="Canon EOS R5", shutter_s=shutter, focal_mm=50)
        assert hint_for("undesired_blur", 0.7, capture, soft).direction == direction
    assert (
        "angle of view"
        in hint_for("undesired_blur", 0.7, Capture("", "Canon EOS R5", shutter_s=1 / 30, focal_mm=50), soft).text
    )


def test_hints_say_by_how_much_in_fields_too() -> None:
    dark, bright = Light(0.18 / 4, 0.4, 0.0, 0.0, 0.0), Light(0.18 * 2**1.5, 1.0, 0.0, 0.12, 0.0)
    assert hint_for("bad_exposure", 0.6, Capture(), measurements(light=dark)).amount == {"stops": 2.0}
    assert hint_for("bad_exposure", 0.6, Capture(), measurements(light=bright)).amount == {"stops": -1.5}
    assert hint_for("bad_exposure", 0.6, Capture(), measurements()).amount is None
    assert hint_for("bad_exposure", 0.6, Capture(), None).amount is None
    (found,) = findings(record("a", bad_exposure=0.6), measurements(light=dark))
    assert (found.to_dict()["direction"], found.to_dict()["amount"]) == ("under-exposed", {"stops": 2.0})
    (found,) = findings(record("a", bad_exposure=0.6), measurements(light=dark), hints=False)
    assert found.amount is None


# Whites of illuminants by CIE 15: their XYZ, and their correlated colour temperature.
@pytest.mark.parametrize(
    ("white", "kelvin"),
    [
        ((0.9642, 1.0, 0.8249), 5003),
        ((0.9568, 1.0, 0.9214), 5503),
        ((0.9497, 1.0, 1.2264), 7504),
        ((1.0985, 1.0, 0.3558), 2856),
    ],
)
def test_a_cast_in_kelvin_is_the_difference_to_the_white_of_srgb(
    small: dict[str, Pixels], white: tuple[float, float, float], kelvin: int
) -> None:
    # XYZ to linear sRGB, as rounded by IEC 61966-2-1.
    matrix = np.array([[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]])
    light = matrix @ white
    grey = np.repeat(small["city"].mean(axis=2)[..., None], 3, axis=2).astype(np.uint8)
    cast = measure_cast(pixels_of(linear(grey) * light / light.max()))
    assert cast.tints()[0] == ("too warm" if kelvin < 6504 else "too cool")
    assert 6504 + cast.kelvin() == pytest.approx(kelvin, rel=0.08)
    hint = hint_for("bad_white_balance", 0.6, Capture(), measurements(cast=cast))
    assert hint.amount is not None
    assert hint.amount["kelvin"] == round(cast.kelvin(), -2)
    assert f"by about {abs(hint.amount['kelvin']):.0f} K" in hint.text


def test_a_tint_is_told_in_stops_of_green(small: dict[str, Pixels]) -> None:
    grey = np.repeat(small["city"].mean(axis=2)[..., None], 3, axis=2).astype(np.uint8)
    for stops in (-0.5, 0.5):
        cast = measure_cast(pixels_of(linear(grey) * 0.6 * (1, 2.0**stops, 1)))
        amount = hint_for("bad_white_balance", 0.6, Capture(), measurements(cast=cast)).amount
        assert amount == {"green_stops": pytest.approx(-stops, abs=0.03)}


def test_exposure_hints_say_by_how_much() -> None:
    dark = Light(0.18 / 4, 0.4, 0.0, 0.0, 0.0)
    assert (
        "raise exposure, by up to 2 EV (no lights are lost)"
        in hint_for("bad_exposure", 0.6, Capture(), measurements(light=dark)).text
    )
    bright = Light(0.18 * 2**1.5, 1.0, 0.0, 0.12, 0.0)
    hint = hint_for("bad_exposure", 0.6, Capture(), measurements(light=bright))
    assert hint.text == "over-exposed: lower exposure, by about 1.5 EV (12% of the frame is blown out)"
    middling = hint_for("bad_exposure", 0.6, Capture(), measurements())
    assert middling.direction is None
    assert middling.text.startswith("can't tell whether too dark or too bright: the median is 1.0 times middle grey")


def test_saturation_goes_by_its_sign_and_noise_by_its_iso_speed() -> None:
    assert hint_for("bad_saturation", -0.5, Capture(), None).direction == "under-saturated"
    assert hint_for("bad_saturation", 0.5, Capture(), None).direction == "over-saturated"
    assert "noise at ISO 12800" in hint_for("noise", 0.6, Capture(iso=12800), None).text
    assert "noise at only ISO 100: from lifted shadows" in hint_for("noise", 0.6, Capture(iso=100), None).text
    assert "the ISO speed isn't recorded" in hint_for("noise", 0.6, Capture(), None).text


def test_haze_hints_name_where_blacks_start() -> None:
    veiled = Light(0.4, 0.8, 0.12, 0.0, 0.0)
    assert "blacks start at 12% light" in hint_for("haze", 0.6, Capture(), measurements(light=veiled)).text
    assert hint_for("haze", 0.6, Capture(), measurements()).direction is None


@pytest.mark.parametrize("key", KEYS)
def test_every_defect_has_a_hint_even_without_measurements(key: str) -> None:
    assert hint_for(key, 0.6, Capture(), None).text


def test_findings_name_defect_severity_percentile_and_grade_the_gravest_first() -> None:
    photo = record("a", noise=0.35, haze=0.9, bad_saturation=-0.6, undesired_blur=0.1)
    found = findings(photo, measurements())
    assert [(it.defect, it.severity, it.percentile, it.grade) for it in found] == [
        ("haze", 0.9, 50, "severe"),
        ("bad_saturation", -0.6, 50, "severe"),
        ("noise", 0.35, 50, "mild"),
    ]
    assert all(it.hint for it in found)
    assert findings(photo, hints=False)[2] == Finding("noise", 0.35, 50, "mild")
    assert [it.defect for it in findings(photo, ignored=["haze"])] == ["bad_saturation", "noise"]


def test_a_monochrome_photo_gets_no_hints_about_colour() -> None:
    photo = record("a", monochrome=True, bad_saturation=-1.0, bad_white_balance=0.9, noise=0.5)
    assert [it.defect for it in findings(photo)] == ["noise"]
    assert findings(failure("b")) == ()


def test_measurements_survive_being_stored(photos: dict[str, Pixels]) -> None:
    measured = measure(photos["dog"])
    assert Measurements.from_dict(measured.to_dict()) == measured
    with pytest.raises(DataError, match="no measurements"):
        Measurements.from_dict({"miniature": "AAAA"})


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (3000, 2), (224, 224)])
def test_a_photo_of_any_shape_is_measured(shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert len(read_miniatures([measure(pixels).miniature])) == 1
