"""Each defect grows with its severity, by a measure that the synthesis does not use, on real photographs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter, ImageStat

from photodefect.defects import KEYS
from photodefect.photos.colour_spaces import encode, linear_from_pixels, pixels_from_encoded
from photodefect.synthesis import blur, composition, exposure, haze, noise, saturation, white_balance
from photodefect.synthesis.camera import Camera, to_scene
from photodefect.synthesis.degrade import degrade

PHOTOS = ("dog.jpg", "roman-colosseum.jpg", "lake-sherburne.jpg")
STEPS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)

Array = NDArray[np.uint8]


@pytest.fixture(scope="module", params=PHOTOS)
def photo(request: pytest.FixtureRequest, samples: Path) -> Array:
    with Image.open(samples / request.param) as image:
        image.draft("RGB", (400, 400))
        image.thumbnail((400, 400))
        return np.asarray(image.convert("RGB"))


def strictly_rising(values: list[float]) -> bool:
    return all(later > earlier for earlier, later in pairwise(values))


def ladder(photo: Array, key: str, measure: Callable[[Array], float], seed: int) -> list[float]:
    return [measure(degrade(photo, {key: step}, np.random.default_rng(seed), camera=False).pixels) for step in STEPS]


def mean_grey(pixels: Array) -> float:
    return float(ImageStat.Stat(Image.fromarray(pixels).convert("L")).mean[0])


def detail(pixels: Array) -> float:
    return float(ImageStat.Stat(Image.fromarray(pixels).convert("L").filter(ImageFilter.FIND_EDGES)).mean[0])


def hsv_saturation(pixels: Array) -> float:
    return float(ImageStat.Stat(Image.fromarray(pixels).convert("HSV")).mean[1])


def colour_of_greys(pixels: Array) -> float:
    mean = pixels.reshape(-1, 3).astype(float).mean(axis=0)
    return float(np.abs(mean / mean.sum() - 1 / 3).sum())


def contrast(pixels: Array) -> float:
    return float(ImageStat.Stat(Image.fromarray(pixels).convert("L")).stddev[0])


@pytest.mark.parametrize("seed", range(6))
def test_exposure_moves_lightness_further_with_every_step(photo: Array, seed: int) -> None:
    start = photo.astype(int)
    values = ladder(photo, "bad_exposure", lambda pixels: float(np.abs(pixels.astype(int) - start).mean()), seed)
    assert values[0] == 0
    assert strictly_rising(values)


def test_exposure_goes_wrong_both_ways_and_ends_near_black_or_white(photo: Array) -> None:
    camera = Camera()
    scene = linear_from_pixels(photo)

    def brightness(mode: str) -> float:
        kind = exposure.Exposure(mode, "light", 0.0, 0.0, None)
        return mean_grey(pixels_from_encoded(encode(exposure.expose(scene, 1.0, kind, camera))))

    assert brightness("under") < 40
    assert brightness("over") > 200


def test_more_stops_belong_to_more_severity_in_bright_and_dark_scenes_alike(photo: Array) -> None:
    scene = linear_from_pixels(photo)
    for brightness in (0.1, 1.0, 3.0):
        for mode in ("under", "over"):
            kind = exposure.Exposure(mode, "light", 0.0, 0.0, None)
            stops = [exposure.stops_for(scene * np.float32(brightness), step, kind, Camera()) for step in STEPS]
            assert stops[0] == 0
            assert strictly_rising(stops)


def test_a_highlight_loses_its_colour_when_it_is_overexposed() -> None:
    orange = np.full((64, 64, 3), (230, 150, 90), dtype=np.uint8)
    kind = exposure.Exposure("over", "light", 0.0, 0.0, None)
    ranges = []
    for severity in (0.0, 0.4, 0.7, 1.0):
        scene = to_scene(linear_from_pixels(orange), Camera())
        after = pixels_from_encoded(encode(exposure.expose(scene, severity, kind, Camera())))
        ranges.append(float(np.ptp(after[0, 0].astype(int))))
    # Red clips first, then green; what is left runs towards white.
    assert ranges[0] == pytest.approx(140, abs=2)
    assert strictly_rising([-value for value in ranges])
    assert after[0, 0, :2].min() > 245


def test_a_cast_of_severity_03_gives_a_neutral_a_chroma_of_10() -> None:
    grey = np.full((40, 40, 3), 155, dtype=np.uint8)
    for seed in range(24):
        cast = white_balance.draw_cast((40, 40), np.random.default_rng(seed))
        if cast.lift is not None:
            continue
        even = replace(cast, field=None)
        tinted = pixels_from_encoded(encode(white_balance.tint_scene(linear_from_pixels(grey), 0.3, even)))
        assert chroma_by_littlecms(tinted) == pytest.approx(10, abs=2.5)


def test_a_cast_of_editing_colours_greys_by_10_on_average_and_black_as_well() -> None:
    blacks = []
    for seed in range(40):
        cast = white_balance.draw_cast((40, 40), np.random.default_rng(seed))
        if cast.lift is None:
            continue
        chromas = []
        for value in (64, 128, 191):
            grey = np.full((40, 40, 3), value, dtype=np.uint8)
            scene = encode(white_balance.tint_scene(linear_from_pixels(grey), 0.3, cast))
            chromas.append(chroma_by_littlecms(pixels_from_encoded(scene)))
        # Mean luminance is kept for each of these frames, which changes the chroma a little.
        assert np.mean(chromas) == pytest.approx(10, abs=3)
        half_black = np.full((40, 40, 3), 128, dtype=np.uint8)
        half_black[:20] = 0
        scene = encode(white_balance.tint_scene(linear_from_pixels(half_black), 0.5, cast))
        blacks.append(int(pixels_from_encoded(scene)[:20].max()))
    assert len(blacks) > 6
    assert min(blacks) < 10  # colour in the lights alone
    assert max(blacks) > 30  # and in the shadows


def chroma_by_littlecms(pixels: Array) -> float:
    from PIL import ImageCms  # noqa: PLC0415

    transform = ImageCms.buildTransformFromOpenProfiles(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    image = ImageCms.applyTransform(Image.fromarray(pixels), transform)
    assert image is not None
    # Pillow stores a* and b* as signed bytes.
    a, b = (np.asarray(image)[..., channel].astype(np.int8).astype(float).mean() for channel in (1, 2))
    return float(np.hypot(a, b))


@pytest.mark.parametrize("seed", range(12))
def test_white_balance_moves_colours_further_with_every_step(photo: Array, seed: int) -> None:
    start = photo.astype(int)
    values = ladder(photo, "bad_white_balance", lambda pixels: float(np.abs(pixels.astype(int) - start).mean()), seed)
    assert values[0] == 0
    assert strictly_rising(values)


def test_a_black_body_is_redder_when_it_is_cooler() -> None:
    ratios = []
    for kelvin in (2500, 4000, 6500, 10000):
        red, green, blue = white_balance.planck_response(kelvin, (600, 540, 455), 35)
        assert green == 1
        ratios.append(blue / red)
    assert strictly_rising(ratios)


@pytest.mark.parametrize("seed", range(5))
def test_saturation_falls_to_none_and_rises_with_every_step(photo: Array, seed: int) -> None:
    steps = (-1.0, -0.6, -0.3, 0.0, 0.3, 0.6, 1.0)
    values = [
        hsv_saturation(degrade(photo, {"bad_saturation": step}, np.random.default_rng(seed), camera=False).pixels)
        for step in steps
    ]
    assert values[0] < 3
    assert strictly_rising(values)


def test_the_factor_on_chroma_is_the_documented_one() -> None:
    assert saturation.chroma_factor(-1, 0.08) == 0
    assert saturation.chroma_factor(-0.3, 0.08) == pytest.approx(0.7)
    assert saturation.chroma_factor(0, 0.08) == 1
    assert saturation.chroma_factor(1, 0.06) == pytest.approx(3.2, abs=0.01)
    assert saturation.chroma_factor(1, 0.01) > saturation.chroma_factor(1, 0.2)


@pytest.mark.parametrize("seed", range(6))
def test_noise_grows_with_every_step(photo: Array, seed: int) -> None:
    start = photo.astype(float)
    values = ladder(photo, "noise", lambda pixels: float((pixels.astype(float) - start).std()), seed)
    assert values[0] == 0
    assert strictly_rising(values)


def test_noise_of_severity_05_deviates_by_about_10_steps_on_grey() -> None:
    grey = np.full((160, 160, 3), 128, dtype=np.uint8)
    for seed in range(8):
        pixels = degrade(grey, {"noise": 0.5}, np.random.default_rng(seed), camera=False).pixels
        luma = np.asarray(Image.fromarray(pixels).convert("L")).astype(float)
        # Chroma noise takes its part of the deviation, and grain disturbs less.
        assert 3.0 < luma.std() < 14.0


def test_demosaiced_noise_is_correlated_between_neighbours_and_independent_noise_is_not() -> None:
    grey = np.full((1, 200, 200), 0.2, dtype=np.float32).repeat(3, axis=0)

    def correlation(kind: str) -> float:
        draw = noise.Noise(kind, 0.1, 1.0, 1.0, (1.0, 0.0), 0.0, 1.0, 0.0, seed=3)
        red = (noise.add_noise(grey, 10.0, draw, Camera()) - encode(grey))[0]
        return float(np.corrcoef(red[:, :-1].ravel(), red[:, 1:].ravel())[0, 1])

    assert correlation("sensor") > 0.4
    assert abs(correlation("digital")) < 0.1


def test_noise_is_stronger_in_the_shadows_and_absent_where_it_is_blown() -> None:
    ramp = np.linspace(0.01, 1.0, 300, dtype=np.float32)[None, None].repeat(3, axis=0).repeat(200, axis=1)
    draw = noise.Noise("sensor", 0.5, 1.0, 1.0, (1.0, 0.0), 0.0, 1.0, 0.0, seed=1)
    change = noise.add_noise(ramp, 8.0, draw, Camera()) - encode(ramp)
    assert change[..., 5:60].std() > 1.3 * change[..., 150:220].std()
    assert change[..., -2:].std() < 0.1 * change[..., 150:220].std()


def test_noise_keeps_its_visible_deviation_when_the_camera_halves_the_picture() -> None:
    grey = np.full((3, 256, 256), 0.2, dtype=np.float32)
    camera = Camera(downscale=2.0)
    draw = noise.Noise("sensor", 0.1, 1.0, 1.0, (1.0, 0.0), 0.0, 0.3, 0.0, seed=2)
    pixels = pixels_from_encoded(noise.add_noise(grey, 8.0, draw, camera))
    small = Image.fromarray(pixels).resize((128, 128), camera.scale_filter).convert("L")
    assert ImageStat.Stat(small).stddev[0] == pytest.approx(8.0, rel=0.2)


@pytest.mark.parametrize("seed", range(6))
def test_haze_takes_contrast_away_with_every_step(photo: Array, seed: int) -> None:
    values = ladder(photo, "haze", contrast, seed)
    assert strictly_rising([-value for value in values[1:]])
    assert values[-1] < 0.5 * values[0]


def test_the_share_of_scattered_light_is_the_documented_one(photo: Array) -> None:
    kind = haze.draw_haze(linear_from_pixels(photo), np.random.default_rng(0))
    for severity in STEPS[1:]:
        beta = haze.density_for(kind.depth, severity)
        assert float((1 - np.exp(-beta * kind.depth)).mean()) == pytest.approx(0.88 * severity**1.5, abs=1e-3)


def test_haze_is_no_flat_veil(photo: Array) -> None:
    for seed in range(6):
        kind = haze.draw_haze(linear_from_pixels(photo), np.random.default_rng(seed))
        assert np.ptp(np.exp(-haze.density_for(kind.depth, 0.5) * kind.depth)) > 0.08


@pytest.mark.parametrize("seed", range(8))
def test_blur_takes_detail_away_with_every_step(photo: Array, seed: int) -> None:
    values = ladder(photo, "undesired_blur", detail, seed)
    assert strictly_rising([-value for value in values])


def test_kernels_have_the_deviation_that_severity_asks_for() -> None:
    disc = blur.disc_kernel(8.0, 0, 0.0)
    reach = disc.shape[0] // 2
    yy, xx = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    # A uniform disc of radius r has a deviation of r / 2 along each axis.
    assert np.sqrt((disc * xx**2).sum()) == pytest.approx(4.0, rel=0.05)
    assert np.sqrt((disc * yy**2).sum()) == pytest.approx(4.0, rel=0.05)
    line = blur.path_kernel(np.array([[-12, 0], [12, 0]], dtype=np.float32))
    reach = line.shape[1] // 2
    # A uniform line of length l has a deviation of l / sqrt(12).
    along = np.sqrt((line.sum(axis=0) * np.arange(-reach, reach + 1) ** 2).sum())
    assert along == pytest.approx(24 / np.sqrt(12), rel=0.03)


def test_a_blown_light_spreads_into_a_disc_when_it_is_out_of_focus() -> None:
    night = np.full((400, 400, 3), 8, dtype=np.uint8)
    night[198:202, 198:202] = 255
    scene = linear_from_pixels(night) * np.float32(20)
    kind = blur.Blur("defocus", 0.0, np.zeros((2, 2), np.float32), 0, None)
    spread = blur.blur_scene(scene, 1.0, kind, final_long_side=400, soft=2.1)[1]
    lit = spread > 0.5 * spread.max()
    radius = 2 * blur.sigma_for(1.0, 400, 2.1)
    assert lit.sum() == pytest.approx(np.pi * radius**2, rel=0.15)
    # Flat inside, unlike a bell.
    assert spread[lit].std() < 0.15 * spread.max()


def test_softness_tells_the_deviation_of_an_edge() -> None:
    step = np.zeros((200, 200, 3), dtype=np.uint8)
    step[:, 100:] = 220
    for sigma in (0.8, 1.2, 1.8):
        soft = np.asarray(Image.fromarray(step).filter(ImageFilter.GaussianBlur(sigma)))
        assert blur.softness(soft) == pytest.approx(sigma, rel=0.3)


def test_wanted_blur_leaves_something_sharp_and_softens_the_rest(samples: Path) -> None:
    with Image.open(samples / "roman-colosseum.jpg") as image:
        image.thumbnail((400, 400))
        photo = np.asarray(image.convert("RGB"))
    blurred = pixels_from_encoded(encode(blur.wanted_blur(linear_from_pixels(photo), photo, np.random.default_rng(3))))
    before = np.asarray(Image.fromarray(photo).convert("L").filter(ImageFilter.FIND_EDGES)).astype(float)
    after = np.asarray(Image.fromarray(blurred).convert("L").filter(ImageFilter.FIND_EDGES)).astype(float)
    cells = (slice(None, (before.shape[0] // 25) * 25), slice(None, (before.shape[1] // 25) * 25))
    kept = [
        after[cells].reshape(-1, 25, before[cells].shape[1] // 25, 25).mean(axis=(1, 3)),
        before[cells].reshape(-1, 25, before[cells].shape[1] // 25, 25).mean(axis=(1, 3)),
    ]
    ratio = kept[0] / np.maximum(kept[1], 4.0)
    assert ratio.max() > 0.8
    assert np.percentile(ratio, 25) < 0.7


def test_a_tilt_turns_a_horizon_by_the_documented_angle() -> None:
    plane = np.zeros((300, 400, 3), dtype=np.uint8)
    plane[150:] = 255
    for severity in (0.3, 0.6, 1.0):
        framing = composition.Framing("tilt", clockwise=True, window=0.7, seed=0)
        turned = composition.reframe(plane, severity, framing)
        top = (turned[..., 0] < 128).sum(axis=0).astype(float)
        slope = np.polyfit(np.arange(top.size), top, 1)[0]
        degrees = abs(np.degrees(np.arctan(slope)))
        assert degrees == pytest.approx(1 + 13 * severity**1.2, abs=0.3)
        assert composition.severity_of_tilt(1 + 13 * severity**1.2) == pytest.approx(severity)
    assert [composition.severity_of_tilt(degrees) for degrees in (0, 1, 20)] == [0, 0, 1]


def test_the_border_of_a_tilted_frame_shows_no_empty_corner(photo: Array) -> None:
    white = np.full_like(photo, 255)
    for degrees in (-14, -3, 2, 14):
        assert composition.turned(white, degrees).min() == 255
        assert composition.turned(white, degrees, 20).shape == composition.turned(white, 20).shape


@pytest.mark.parametrize("kind", ["cut", "empty", "crowded"])
def test_a_badly_placed_window_holds_less_of_the_subject_with_every_step(kind: str) -> None:
    y, x = np.mgrid[0:96, 0:128]
    interest = np.exp(-((x - 64) ** 2 + (y - 48) ** 2) / (2 * 14.0**2)).astype(np.float32)
    framing = composition.Framing(kind, clockwise=False, window=0.6, seed=1)
    held = []
    for severity in (0.2, 0.5, 0.8, 1.0):
        left, top, right, bottom = composition.window_for(interest, severity, framing)
        assert -1e-9 <= left < right <= 1 + 1e-9
        assert -1e-9 <= top < bottom <= 1 + 1e-9
        inside = interest[int(top * 96) : int(bottom * 96), int(left * 128) : int(right * 128)]
        held.append(float(inside.sum() / interest.sum()))
    assert strictly_rising([-share for share in held])


def test_composition_makes_the_picture_smaller_and_nothing_else_does(photo: Array) -> None:
    for key in KEYS:
        after = degrade(photo, {key: 0.7}, np.random.default_rng(0), camera=False).pixels
        if key == "bad_composition":
            assert after.shape[0] < photo.shape[0]
        else:
            assert after.shape == photo.shape
