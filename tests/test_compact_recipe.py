"""The shipped weights' recipe, from rated and clean photos to a model that diagnoses, small."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from photodefect import Diagnoser
from photodefect.cli import app
from photodefect.core.network.compact import region_means
from photodefect.defects import IN_PLANE, KEYS
from photodefect.errors import DataError
from photodefect.evaluation.predictions import read_predictions
from photodefect.labels.table import LabelledPhoto, write_labels
from photodefect.photos.decode import decode
from photodefect.training import compact_recipe
from photodefect.training.compact_recipe import CROSS_VALIDATION_FILE, train_compact
from photodefect.training.compact_samples import is_held_out, load_samples, window_descriptors
from photodefect.training.compact_settings import CompactSettings
from photodefect.training.degraded_features import CacheSettings, degraded_jobs, unfit_source
from photodefect.training.experts import ExpertRecipe
from photodefect.training.feature_cache import Cached, cache_features, photo_of
from photodefect.training.rated_features import ViewSettings, rated_jobs
from photodefect.training.rated_samples import load_rated
from photodefect.training.samples import LeftOut
from photodefect.training.trunk_features import AREAS
from photodefect.training.tuning import TuningRecipe
from photodefect.training.variants import ORDINARY, seen_exposure, zoomed

SMALL = CompactSettings(
    cache=CacheSettings(variants=3, frames=1, patches=1, zooms=2),
    views=ViewSettings(views=3, patches=1, exposed=1, turned=2, framed=2),
    holistic=ExpertRecipe(epochs=2, batch=8),
    patches=ExpertRecipe(epochs=2, batch=8),
    votes=ExpertRecipe(epochs=2, batch=8),
    tuning=TuningRecipe(epochs=1, batch=4),
    framing=ExpertRecipe(epochs=1, batch=8),
    folds=2,
    validation=2,
    workers=1,
)


def shards_of(sources: Sequence[Path], folder: Path, settings: CacheSettings = SMALL.cache) -> dict[Path, Path]:
    """The files of photos' features."""
    return {job.source: job.shard for job in degraded_jobs(sources, folder, settings)}


def cached(sources: list[Path], folder: Path, settings: CacheSettings = SMALL.cache) -> list[Cached]:
    """Cache features of photos in a folder."""
    return list(cache_features(degraded_jobs(sources, folder, settings), pictures=settings.pictures, workers=1))


@pytest.fixture
def rated(samples: Path, tmp_path: Path) -> dict[Path, LabelledPhoto]:
    folder = tmp_path / "rated"
    folder.mkdir()
    photos = {}
    for number, name in enumerate(("baby", "dancing", "fall-leaves", "hongkong-night", "mountain", "city")):
        path = folder / f"{name}.jpg"
        with Image.open(next(samples.glob(f"*{name}*"), samples / "dog.jpg")) as photo:
            photo.thumbnail((256, 256))
            photo.convert("RGB").save(path)
        votes = dict.fromkeys(KEYS, (0.0, 0.5 * (number % 3), 0.5))
        severities = {key: float(np.mean(own)) for key, own in votes.items()}
        photos[path] = LabelledPhoto(path, severities, votes, ("a", "b", "c"), path.name, group=f"place {number % 3}")
    return photos


def trained(
    clean: Sequence[Path],
    rated: dict[Path, LabelledPhoto],
    place: Path,
    model: str,
    lines: list[str] | None = None,
) -> LeftOut:
    """Train a small model in a folder, beside its cache."""
    said = [] if lines is None else lines

    def report(line: str, *, photo_done: bool = False) -> None:
        said.append(f"{line} (photo)" if photo_done else line)

    return train_compact(clean, rated, place / "cache", place / model, SMALL, name="small", version="1", report=report)


@pytest.fixture
def clean(samples: Path, tmp_path: Path) -> list[Path]:
    folder = tmp_path / "clean"
    folder.mkdir()
    sources = []
    for name in ("dog", "flowers", "taipei-city", "oakland-zoo-otters", "city"):
        with Image.open(samples / f"{name}.jpg") as photo:
            photo.thumbnail((320, 320))
            photo.convert("RGB").save(folder / f"{name}.png")
        sources.append(folder / f"{name}.png")
    return sources


def test_from_photos_to_a_model_that_a_second_run_makes_again_from_what_is_cached(
    clean: list[Path], rated: dict[Path, LabelledPhoto], tmp_path: Path
) -> None:
    lines: list[str] = []
    for run in ("one", "two"):
        trained(clean, rated, tmp_path, run, lines)
    assert sum("(photo)" in line for line in lines) == 2 * (len(clean) + len(rated))
    one, two = (next(iter(Diagnoser(tmp_path / run, patches=2).diagnose([clean[0]]))) for run in ("one", "two"))
    assert one.error is None
    assert one.severity == two.severity
    assert one.severity is not None
    assert tuple(one.severity) == KEYS
    assert one.percentile is not None


def test_every_rated_photo_is_judged_by_experts_that_did_not_see_it(
    clean: list[Path], rated: dict[Path, LabelledPhoto], tmp_path: Path
) -> None:
    seen: list[set[str]] = []
    learn = compact_recipe.judge_by_folds.__globals__["learn_from_votes"]

    def spied(network, kind, samples, people, settings, *, chosen, say):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        if kind == "holistic":
            seen.append({people.photos[index].group for index in chosen})
        learn(network, kind, samples, people, settings, chosen=chosen, say=say)

    with (
        patch("photodefect.training.cross_validation.learn_from_votes", spied),
        patch("photodefect.training.rated_samples.LARGEST_GROUP", 0.5),
    ):
        trained(clean, rated, tmp_path, "model")
    assert len(seen) == 2
    assert all(groups < {"place 0", "place 1", "place 2"} for groups in seen), "a fold leaves whole groups out"
    predictions = read_predictions(tmp_path / "model" / CROSS_VALIDATION_FILE)
    assert {item.path for item in predictions.items} == {photo.name for photo in rated.values()}
    assert all(set(item.scores["combined"]) == set(KEYS) for item in predictions.items)


def test_photos_that_are_not_clean_give_empty_shards_and_a_clear_error(
    rated: dict[Path, LabelledPhoto], tmp_path: Path
) -> None:
    Image.new("RGB", (256, 256), (250, 250, 250)).save(tmp_path / "gown.png")
    assert not is_held_out("gown", SMALL.validation)
    with pytest.raises(DataError, match="clean"):
        trained([tmp_path / "gown.png"], rated, tmp_path, "model")
    assert not (tmp_path / "model").exists()


def test_labels_without_single_votes_are_refused_with_what_to_do(
    clean: list[Path], rated: dict[Path, LabelledPhoto], tmp_path: Path
) -> None:
    bare = {path: replace(photo, votes=None, workers=None) for path, photo in rated.items()}
    with pytest.raises(DataError, match="aggregate-votes"):
        trained(clean, bare, tmp_path, "model")
    assert not (tmp_path / "model").exists()


def test_a_damaged_photo_is_left_out_and_named_and_the_others_are_used(clean: list[Path], tmp_path: Path) -> None:
    damaged = tmp_path / "clean" / "damaged.jpg"
    damaged.write_bytes(b"\xff\xd8\xff\xe0 no photo")
    seen = {done.source: done.failure for done in cached([*clean[:2], damaged], tmp_path / "c")}
    assert set(seen) == {*clean[:2], damaged}
    assert [source for source, failure in seen.items() if failure is not None] == [damaged]
    assert "cut short" in seen[damaged].message  # type: ignore[union-attr]
    assert sorted(photo_of(path) for path in (tmp_path / "c").iterdir()) == ["dog", "flowers"]


def test_a_photo_that_takes_too_long_is_left_out(clean: list[Path], tmp_path: Path) -> None:
    with (
        patch("photodefect.training.feature_cache.time_limit", return_value=1e-3),
        patch("photodefect.training.feature_cache.PICTURE_S", 0.0),
    ):
        (done,) = cached(clean[:1], tmp_path / "c")
    assert done.failure is not None
    assert done.failure.type == "TimedOutError"
    assert not list((tmp_path / "c").glob("*.npz"))


def test_the_same_photo_gives_the_same_shard(clean: list[Path], tmp_path: Path) -> None:
    for folder in ("a", "b"):
        cached(clean[:1], tmp_path / folder)
    (a,), (b,) = (sorted((tmp_path / folder).glob("*.npz")) for folder in ("a", "b"))
    with np.load(a) as one, np.load(b) as two:
        counts = {name: len(one[name]) for name in one.files if name.endswith("holistic")}
        assert counts == {"holistic": 3, "framed_holistic": 1, "zoomed_holistic": 2, "smeared_holistic": 1}
        assert one["framed_patches"].shape[:2] == (1, 1)
        for name in one.files:
            np.testing.assert_array_equal(one[name], two[name])


def test_a_rated_photo_under_another_light_is_worse_by_what_was_done_to_it(
    rated: dict[Path, LabelledPhoto], tmp_path: Path
) -> None:
    jobs = rated_jobs(list(rated), tmp_path / "features", replace(SMALL.views, exposed=3))
    assert all(done.failure is None for done in cache_features(jobs, pictures=10, workers=1))
    people = load_rated(rated, {job.source: job.shard for job in jobs}, 0)
    assert people.views.shape == (len(rated), people.whole.shape[1] + 3, people.whole.shape[2])
    assert np.all((people.exposed_by > 0) & (people.exposed_by <= 1))
    column = KEYS.index("bad_exposure")
    told = people.exposed_severities()
    assert np.isnan(np.delete(told, column, 2)).all()
    votes = people.severities[:, None, column]
    np.testing.assert_allclose(told[..., column], votes + people.exposed_by - votes * people.exposed_by, rtol=1e-5)


def test_views_of_a_rated_photo_are_turned_or_cropped_and_how_badly_is_unknown_where_no_line_shows_it(
    rated: dict[Path, LabelledPhoto], tmp_path: Path
) -> None:
    fog = tmp_path / "fog.png"
    Image.fromarray(np.full((200, 300, 3), 180, np.uint8)).save(fog)
    known = {**rated, fog: replace(next(iter(rated.values())), path=fog)}
    jobs = rated_jobs(list(known), tmp_path / "features", replace(SMALL.views, turned=4, framed=3))
    assert all(done.failure is None for done in cache_features(jobs, pictures=11, workers=1))
    framed = load_rated(known, {job.source: job.shard for job in jobs}, 0).framed
    assert framed.views.shape[:2] == framed.carried.shape[:2] == framed.by.shape == (len(known), 7)
    assert np.all(framed.by[:, [0, 4]] == 0)
    assert np.all(framed.by[:, 5:] >= 0.15)
    assert np.isnan(framed.by[-1, 1:4]).all()
    # A tilt by 5 degrees is .37 by the formula in the head of synthesis/composition.py, one by 14 and more is 1.
    told = framed.by[:-1, 1:4]
    assert np.all(np.isnan(told) | (told > 0.37))
    assert not np.isnan(told).all()


def test_features_are_those_of_the_photos_and_the_settings_of_now(clean: list[Path], tmp_path: Path) -> None:
    settings = replace(SMALL.cache, variants=1, frames=0, zooms=0, smears=0)
    before = shards_of(clean, tmp_path, settings)
    assert shards_of(clean, tmp_path, replace(settings, variants=2)).keys() == before.keys()
    assert not set(before.values()) & set(shards_of(clean, tmp_path, replace(settings, seed=1)).values())
    twin = tmp_path / "other" / "clean" / "dog.png"
    twin.parent.mkdir(parents=True)
    Image.open(clean[1]).save(twin)  # another photo in a folder of the same name
    assert len(set(shards_of([clean[0], twin], tmp_path, settings).values())) == 2
    Image.open(clean[1]).save(clean[0])
    after = shards_of(clean, tmp_path, settings)
    assert [source for source in clean if after[source] != before[source]] == [clean[0]]


def test_a_photo_that_was_taken_away_is_not_learnt_from(
    clean: list[Path], rated: dict[Path, LabelledPhoto], tmp_path: Path
) -> None:
    lines: list[str] = []
    learnt = [source for source in clean if not is_held_out(source.stem, SMALL.validation)]
    trained(clean, rated, tmp_path, "five", lines)
    trained([source for source in clean if source != learnt[0]], rated, tmp_path, "four", lines)
    five, four = (int(line.split()[0]) for line in lines if "degraded pictures" in line)
    assert five - four == 3 + 1 + 2 + 1


def test_photos_that_are_not_clean_are_named_unless_any_will_do(
    clean: list[Path], rated: dict[Path, LabelledPhoto], tmp_path: Path
) -> None:
    blank = tmp_path / "clean" / "blank.png"
    Image.new("RGB", (256, 256), (250, 250, 250)).save(blank)
    for run in ("one", "two"):
        left_out = trained([*clean, blank], rated, tmp_path, run)
        assert list(left_out.unfit) == [str(blank)]
        assert left_out.unfit[str(blank)]
        assert not left_out.unreadable
    any_will_do = replace(SMALL.cache, any_source=True)
    cached([blank], tmp_path / "any", any_will_do)
    (shard,) = shards_of([blank], tmp_path / "any", any_will_do).values()
    assert unfit_source(shard) == ""
    with np.load(shard) as stored:
        assert len(stored["severities"]) == SMALL.cache.variants


def test_the_mean_over_all_regions_is_the_mean_over_all_cells() -> None:
    cells = torch.rand(2, 5, 7, 7, generator=torch.Generator().manual_seed(0))
    regions = region_means(cells)
    areas = torch.tensor(AREAS) / 49
    torch.testing.assert_close((regions * areas[:, None]).sum(1), cells.mean((2, 3)))


def test_a_window_is_the_mean_over_its_own_regions() -> None:
    regions = np.zeros((9, 4 * 2 + 60), np.float32)
    regions[4] = 1.0  # the centre, 9 of 49 cells
    whole = window_descriptors(regions, (0, 3, 0, 3), 4)
    centre = window_descriptors(regions, (1, 2, 1, 2), 4)
    assert float(whole[0]) == pytest.approx(9 / 49, abs=1e-3)
    assert float(centre[0]) == 1.0


def test_crops_are_held_out_with_their_photo() -> None:
    assert 0.05 < np.mean([is_held_out(f"photo{index}", 10) for index in range(1000)]) < 0.15
    assert is_held_out("x", 1)


def test_a_dark_frame_looks_worse_exposed_than_an_ordinary_one() -> None:
    ordinary = np.full((8, 8, 3), 107, np.uint8)  # L* 45
    black, white = np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 255, np.uint8)
    assert seen_exposure((0.0, 0.0), ordinary) == pytest.approx((0.0, 0.0), abs=0.01)
    assert seen_exposure((0.0, 0.0), black) == pytest.approx((-0.4, 0.0))
    assert seen_exposure((0.0, 0.0), white) == pytest.approx((0.4, 0.0), abs=1e-3)
    assert seen_exposure((0.0, 0.5), black) == pytest.approx((0.0, 0.7))
    assert seen_exposure((1.0, 0.0), ordinary) == (1.0, 0.0)
    assert ORDINARY == 45.0


def test_a_zoomed_part_is_cut_from_the_photo_and_is_clean(samples: Path) -> None:
    pixels = decode(samples / "dog.jpg").pixels[::2, ::2]
    height, width = pixels.shape[:2]
    rng = np.random.default_rng(0)
    parts = [part for part in (zoomed(pixels, rng) for _ in range(8)) if part is not None]
    assert parts
    for part in parts:
        assert 0.39 * height < part.shape[0] < 0.76 * height
        assert 0.39 * width < part.shape[1] < 0.76 * width
        corner = (pixels == part[0, 0]).all(axis=2)
        places = zip(*np.nonzero(corner), strict=True)
        assert any(np.array_equal(pixels[y : y + part.shape[0], x : x + part.shape[1]], part) for y, x in places)


def test_a_photo_without_a_clean_part_has_no_zoomed_one() -> None:
    assert zoomed(np.full((256, 256, 3), 250, np.uint8), np.random.default_rng(0)) is None


def test_reduced_photos_teach_patches_no_noise_no_blur_and_parts_no_exposure(clean: list[Path], tmp_path: Path) -> None:
    cached(clean, tmp_path / "cache")
    samples = load_samples(sorted((tmp_path / "cache").glob("*.npz")), 0)
    whole, zooms, smears = (0, 4), (4, 6), (6, 7)
    of_photo = [samples.severities[samples.photos == source.stem] for source in clean]
    complete = [labels for labels in of_photo if len(labels) == 7]  # a photo without a clean part has no zoomed one
    assert complete
    for labels in complete:
        assert np.isnan(labels[slice(*zooms), KEYS.index("bad_exposure")]).all()
        assert np.isnan(labels[zooms[0] : smears[1], KEYS.index("bad_composition")]).all()
        assert not np.isnan(labels[slice(*whole), KEYS.index("bad_exposure")]).any()
    assert (
        len(samples.pieces) == len(samples.piece_severities) == len(samples.piece_points) == len(samples.piece_photos)
    )
    for severities, points in (
        (samples.severities, samples.points),
        (samples.piece_severities, samples.piece_points),
    ):
        distances = np.linalg.norm(points, axis=2)
        np.testing.assert_allclose(distances, severities[:, [KEYS.index(key) for key in IN_PLANE]], atol=1e-6)
    assert np.isnan(samples.piece_severities[:, KEYS.index("noise")]).any()
    assert all(labels[-1, KEYS.index("undesired_blur")] > 0.5 for labels in of_photo)


def test_ctrl_c_while_features_are_cached_says_how_to_go_on(
    clean: list[Path], rated: dict[Path, LabelledPhoto], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = tmp_path / "rated" / "labels.csv"
    with labels.open("w", newline="") as stream:
        write_labels(stream, list(rated.values()))
    made = CacheSettings(variants=4, rebalanced=0.5)
    one_shard = shards_of(clean[:1], tmp_path / "model" / "training" / "features", made)[clean[0]]

    def interrupted(*_arguments: object, **_options: object) -> None:
        one_shard.parent.mkdir(parents=True)
        one_shard.touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(compact_recipe, "train_compact", interrupted)
    arguments = ["train", str(labels), "--recipe", "compact", "--synthesize", str(clean[0].parent)]
    arguments += ["-o", str(tmp_path / "model")]
    arguments += ["--variants", "4", "--rebalanced", "0.5"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 130
    said = " ".join(result.stderr.split())
    assert said.startswith("interrupted after the features of 1 of 11 photos the same command goes on from there: ")
    assert one_shard.exists()
