"""A person's own taste: read, fitted, and judged on what wasn't fitted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ranked import failure, record

from photodefect.defects import BY_KEY, DEFECTS, KEYS
from photodefect.errors import DataError
from photodefect.ranking.overall import overall_severity
from photodefect.ranking.tune import Rating, disorder, fit_curve, fit_taste, fit_weights, overall, read_ratings
from photodefect.records import Diagnosis


def written(folder: Path, text: str) -> Path:
    file = folder / "ratings.csv"
    file.write_text(text)
    return file


def test_ratings_are_severities_stars_or_keep_and_reject(tmp_path: Path) -> None:
    both = read_ratings(written(tmp_path, "path,noise,bad_saturation,stars\na.jpg,0.5,-1,4\nb.jpg,,,2\nc.jpg,,,\n"))
    assert both == [Rating("a.jpg", {"noise": 0.5, "bad_saturation": -1.0}, 4.0), Rating("b.jpg", {}, 2.0)]
    kept = read_ratings(written(tmp_path, "path,keep\na,keep\nb,Reject\nc,yes\nd,0\ne,\n"))
    assert [it.liking for it in kept] == [1.0, 0.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("photo,stars\na,3\n", "row 1: no column 'path'"),
        ("path,colour\na,3\n", "row 1: no column of ratings"),
        ("path,stars,keep\na,3,keep\n", "row 1: there are both 'stars' and 'keep'"),
        ("path,stars\na,6\n", "row 2: '6' is not a number of stars from 0 to 5"),
        ("path,stars\na,nan\n", "row 2: 'nan' is not a number of stars"),
        ("path,keep\na,maybe\n", "row 2: 'maybe' is neither 'keep' nor 'reject'"),
        ("path,noise\na,-0.1\n", "row 2: noise is -0.1, outside 0..1"),
        ("path,stars\na,3\na,4\n", "row 3: 'a' is in row 2 already"),
        ("path,stars\na,3\n./a,4\n", "row 3: './a' is in row 2 already"),
        ("path,stars\n,3\n", "row 2: no path"),
        ("path,stars\na,\n", "all ratings are empty"),
    ],
)
def test_ratings_that_can_not_be_used_are_named_with_their_row(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        read_ratings(written(tmp_path, text))
    assert message in str(caught.value)


def test_a_persons_scale_is_found() -> None:
    rng = np.random.default_rng(1)
    raw = rng.uniform(0, 1, 300)
    wanted = np.clip(raw**2 + rng.normal(0, 0.02, 300), 0, 1)  # they mind little defects less
    curve = fit_curve(BY_KEY["noise"], raw, wanted)
    for value in (0.2, 0.5, 0.8):
        assert curve(value) == pytest.approx(value**2, abs=0.06)


@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), min_size=1, max_size=30), st.sampled_from(DEFECTS))
def test_any_ratings_give_an_ascending_scale_within_range(pairs: list[tuple[float, float]], defect: object) -> None:
    kind = next(it for it in DEFECTS if it is defect)
    raw, wanted = (np.array(column) if kind.signed else np.abs(column) for column in zip(*pairs, strict=True))
    curve = fit_curve(kind, raw, wanted)
    assert len(curve.raw) <= 6
    assert kind.lowest <= min(curve.severity) <= max(curve.severity) <= 1
    assert (curve.raw[0], curve.raw[-1]) == (kind.lowest, 1.0)


def test_few_ratings_change_little() -> None:
    curve = fit_curve(BY_KEY["noise"], np.array([0.5]), np.array([1.0]))
    assert 0.5 < curve(0.5) < 0.85
    untouched = fit_curve(BY_KEY["bad_saturation"], np.array([-0.5, 0.5]), np.array([-0.5, 0.5]))
    assert [untouched(value) for value in (-1, -0.5, 0, 0.5, 1)] == pytest.approx([-1, -0.5, 0, 0.5, 1], abs=1e-3)


def random_photos(count: int) -> list[Diagnosis]:
    rng = np.random.default_rng(2)
    photos = []
    for number in range(count):
        sizes = dict(zip(KEYS, rng.uniform(0, 0.9, len(KEYS)), strict=True))
        photos.append(record(f"{number}", **{key: float(size) for key, size in sizes.items()}))
    return photos


def test_overall_severity_of_many_photos_is_that_of_each() -> None:
    weights = np.array([1.0, 0.2, 0.0, 0.5, 1.0, 0.7, 0.1])
    named = dict(zip(KEYS, map(float, weights), strict=True))
    photos = [*random_photos(5), record("grey", monochrome=True, noise=0.4, bad_saturation=-1.0)]
    exempt = ("bad_saturation", "bad_white_balance")
    sizes = np.array([[abs(value) for value in (photo.severity or {}).values()] for photo in photos])
    sizes[-1, [KEYS.index(key) for key in exempt]] = np.nan
    expected = [overall_severity(photo.severity or {}, named, monochrome=bool(photo.monochrome)) for photo in photos]
    assert overall(sizes, weights) == pytest.approx(expected)


def test_weights_that_explain_stars_are_found() -> None:
    photos = random_photos(120)
    sizes = np.array([list((photo.severity or {}).values()) for photo in photos])
    # A person who minds blur, and nothing else.
    stars = np.rint(5 * (1 - sizes[:, KEYS.index("undesired_blur")]))
    weights = dict(zip(KEYS, fit_weights(sizes, stars, np.random.default_rng(0)), strict=True))
    assert weights["undesired_blur"] == 1.0
    assert all(weight < 0.5 for key, weight in weights.items() if key != "undesired_blur")
    assert min(weights.values()) > 0


def test_disorder_is_the_share_of_pairs_in_the_wrong_order() -> None:
    liking = np.array([5.0, 3.0, 3.0, 1.0])
    assert disorder(np.array([0.1, 0.3, 0.2, 0.9]), liking) == 0.0
    assert disorder(np.array([0.9, 0.3, 0.2, 0.1]), liking) == 1.0
    # Five pairs that differ in stars: (0,1) wrong, (0,2) tied.
    assert disorder(np.array([0.3, 0.1, 0.3, 0.9]), liking) == pytest.approx(1.5 / 5)
    assert disorder(np.array([0.1, 0.2]), np.array([1.0, 1.0])) == 0.0


def test_a_taste_is_fitted_and_its_gain_told() -> None:
    photos = {photo.path: photo for photo in random_photos(60)}
    ratings = [
        Rating(
            path,
            {"noise": (photo.severity or {})["noise"] ** 3},
            5.0 - round(5 * (photo.severity or {})["undesired_blur"]),
        )
        for path, photo in photos.items()
    ]
    taste = fit_taste(ratings, photos)
    gains = {gain.what: gain for gain in taste.gains}
    assert set(gains) == {"noise", "weights"}
    assert all(gain.used and gain.after < gain.before and gain.photos == 60 for gain in gains.values())
    assert gains["weights"].after < 0.1
    assert set(taste.calibration) == {"noise"}
    assert taste.weights is not None
    assert taste.weights["undesired_blur"] == 1.0
    assert fit_taste(ratings, photos) == taste  # nothing is left to chance


def test_ratings_without_rhyme_or_reason_change_nothing() -> None:
    rng = np.random.default_rng(5)
    photos = {photo.path: photo for photo in random_photos(60)}
    ratings = [Rating(path, {"noise": (photo.severity or {})["noise"]}) for path, photo in photos.items()]
    taste = fit_taste(ratings, photos)
    assert taste.calibration == {}
    assert [gain.used for gain in taste.gains] == [False]
    random = [Rating(path, {}, float(rng.integers(0, 6))) for path in photos]
    (gain,) = fit_taste(random, photos).gains
    assert gain.after > 0.35  # not fitted to chance


def test_what_can_not_be_fitted_is_said() -> None:
    photos = {photo.path: photo for photo in random_photos(10)} | {"gone": failure("gone")}
    ratings = [Rating(path, {"noise": 0.5} if index < 3 else {}, 4.0) for index, path in enumerate(photos)]
    taste = fit_taste(ratings, photos)
    assert taste.skipped == (
        "noise: only 3 photos are rated; 8 are the fewest",
        "weights: all photos are liked the same",
    )
    assert (taste.calibration, taste.weights, taste.gains) == ({}, None, ())


def test_colour_ratings_of_monochrome_photos_do_not_count() -> None:
    photos = {f"{n}": record(f"{n}", monochrome=True, bad_saturation=-1.0) for n in range(20)}
    ratings = [Rating(path, {"bad_saturation": -0.1 * (index % 3)}) for index, path in enumerate(photos)]
    assert fit_taste(ratings, photos).gains == ()
