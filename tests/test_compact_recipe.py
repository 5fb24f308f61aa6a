"""The shipped weights' recipe, from clean photos to a model that diagnoses, small."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image
from typer.testing import CliRunner

from photodefect import Diagnoser
from photodefect.cli import app
from photodefect.core.network.compact import CompactTrunk
from photodefect.core.network.multicolumn import STRIDE
from photodefect.core.network.registry import NETWORKS, build_network
from photodefect.defects import IN_PLANE, KEYS
from photodefect.errors import DataError
from photodefect.photos.decode import decode
from photodefect.training import compact_recipe
from photodefect.training.columns import ColumnRecipe
from photodefect.training.compact_recipe import train_compact, unseen_descriptors
from photodefect.training.compact_samples import (
    WINDOW_OF_PATCHES,
    is_held_out,
    load_maps,
    load_samples,
    window_descriptors,
)
from photodefect.training.compact_settings import CompactSettings
from photodefect.training.features import Cached, CacheSettings, cache_features, photo_of, shard_files, unfit_source
from photodefect.training.imagenet import load_imagenet_trunk
from photodefect.training.trunk_features import AREAS, EDGES, region_means
from photodefect.training.tuning import TuningRecipe, compact_trunk, tuned_descriptors
from photodefect.training.variants import ORDINARY, seen_exposure, zoomed

SMALL = CompactSettings(
    cache=CacheSettings(variants=3, frames=1, patches=1, zooms=2),
    holistic=ColumnRecipe(epochs=2, batch=8),
    patches=ColumnRecipe(epochs=2, batch=8),
    tuning=TuningRecipe(epochs=1, batch=8),
    validation=2,
    workers=1,
)


def cached(sources: list[Path], folder: Path, settings: CacheSettings = SMALL.cache) -> list[Cached]:
    """Cache features of photos in a folder."""
    return list(cache_features(shard_files(sources, folder, settings), settings, workers=1))


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


def test_from_clean_photos_to_a_model_and_a_second_run_uses_what_is_cached(clean: list[Path], tmp_path: Path) -> None:
    lines: list[str] = []
    for run in ("one", "two"):
        train_compact(
            clean,
            tmp_path / "cache",
            tmp_path / run,
            SMALL,
            name="small",
            version="1",
            report=lambda line, _done: lines.append(line),
        )
    assert sum("cached" in line for line in lines) == len(clean)
    one, two = (next(iter(Diagnoser(tmp_path / run, patches=2).diagnose([clean[0]]))) for run in ("one", "two"))
    assert one.error is None
    assert one.severity == two.severity
    assert one.severity is not None
    assert tuple(one.severity) == KEYS
    assert one.percentile is not None


def test_the_last_block_of_the_whole_photos_trunk_is_tuned_and_no_other(clean: list[Path], tmp_path: Path) -> None:
    settings = replace(SMALL, tuning=TuningRecipe(epochs=1, batch=8, warm_up=1))
    for run, own in (("tuned", settings), ("frozen", replace(settings, tuning=TuningRecipe(epochs=0)))):
        train_compact(
            clean, tmp_path / "cache", tmp_path / run, own, name="small", version="1", report=lambda _line, _done: None
        )

    def tensors(run: str, kind: str) -> dict[str, torch.Tensor]:
        return safetensors.torch.load((tmp_path / run / f"{kind}.safetensors").read_bytes())

    tuned, frozen = tensors("tuned", "holistic"), tensors("frozen", "holistic")
    differ = {name for name in frozen if name.startswith("trunk.") and not torch.equal(tuned[name], frozen[name])}
    assert {int(name.split(".")[3]) for name in differ} == {11}
    patches, untouched = tensors("tuned", "patches"), tensors("frozen", "patches")
    assert all(torch.equal(patches[name], untouched[name]) for name in untouched)


def test_maps_are_read_in_the_order_of_the_samples_and_missing_ones_are_told(clean: list[Path], tmp_path: Path) -> None:
    cached(clean, tmp_path / "cache")
    shards = sorted((tmp_path / "cache").glob("*.npz"))
    samples = load_samples(shards, SMALL)
    maps = load_maps(shards, len(samples.held))
    network = build_network("lite0", "holistic").eval()
    load_imagenet_trunk(compact_trunk(network).lite0)
    seen = tuned_descriptors(network, maps, samples.holistic)
    torch.testing.assert_close(seen.float(), samples.holistic.float(), atol=0.02, rtol=0.01)
    with pytest.raises(DataError, match="remove the cached features"):
        load_maps(shards[1:], len(samples.held))


def test_photos_that_are_not_clean_give_empty_shards_and_a_clear_error(tmp_path: Path) -> None:
    Image.new("RGB", (256, 256), (250, 250, 250)).save(tmp_path / "blank.png")
    with pytest.raises(DataError, match="clean"):
        train_compact(
            [tmp_path / "blank.png"],
            tmp_path / "cache",
            tmp_path / "model",
            SMALL,
            name="none",
            version="1",
            report=lambda _line, _done: None,
        )
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
        patch("photodefect.training.features.time_limit", return_value=1e-3),
        patch("photodefect.training.features.VARIANT_S", 0.0),
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


def test_features_are_those_of_the_photos_and_the_settings_of_now(clean: list[Path], tmp_path: Path) -> None:
    settings = replace(SMALL.cache, variants=1, frames=0, zooms=0, smears=0)
    before = shard_files(clean, tmp_path, settings)
    assert shard_files(clean, tmp_path, replace(settings, variants=2)).keys() == before.keys()
    assert not set(before.values()) & set(shard_files(clean, tmp_path, replace(settings, seed=1)).values())
    twin = tmp_path / "other" / "clean" / "dog.png"
    twin.parent.mkdir(parents=True)
    Image.open(clean[1]).save(twin)  # another photo in a folder of the same name
    assert len(set(shard_files([clean[0], twin], tmp_path, settings).values())) == 2
    Image.open(clean[1]).save(clean[0])
    after = shard_files(clean, tmp_path, settings)
    assert [source for source in clean if after[source] != before[source]] == [clean[0]]


def test_a_photo_that_was_taken_away_is_not_learnt_from(clean: list[Path], tmp_path: Path) -> None:
    lines: list[str] = []

    def train(sources: list[Path], model: str) -> None:
        train_compact(
            sources,
            tmp_path / "cache",
            tmp_path / model,
            SMALL,
            name="small",
            version="1",
            report=lambda line, done: lines.append(line) if done is None else None,
        )

    train(clean, "five")
    train(clean[1:], "four")
    five, four = (int(line.split()[0]) for line in lines if "held out" in line)
    assert five - four == 3 + 1 + 2 + 1


def test_photos_that_are_not_clean_are_named_unless_any_will_do(clean: list[Path], tmp_path: Path) -> None:
    blank = tmp_path / "clean" / "blank.png"
    Image.new("RGB", (256, 256), (250, 250, 250)).save(blank)
    for run in ("one", "two"):
        left_out = train_compact(
            [*clean, blank],
            tmp_path / "cache",
            tmp_path / run,
            SMALL,
            name="small",
            version="1",
            report=lambda _line, _done: None,
        )
        assert list(left_out.unfit) == [str(blank)]
        assert left_out.unfit[str(blank)]
        assert not left_out.unreadable
    any_will_do = replace(SMALL.cache, any_source=True)
    cached([blank], tmp_path / "any", any_will_do)
    (shard,) = shard_files([blank], tmp_path / "any", any_will_do).values()
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


def test_calibration_sees_patches_as_large_as_those_of_a_photo_that_is_diagnosed() -> None:
    top, bottom, left, right = WINDOW_OF_PATCHES
    sides = (EDGES[bottom] - EDGES[top], EDGES[right] - EDGES[left])
    assert [STRIDE * cells for cells in sides] == [NETWORKS["lite0"].patch_side] * 2


@pytest.mark.parametrize(("key", "block"), [("bad_exposure", 4), ("haze", 4), ("bad_saturation", 10), ("noise", 10)])
def test_columns_are_blind_to_blocks_that_are_deeper_and_saturation_to_statistics(key: str, block: int) -> None:
    trunk = CompactTrunk("holistic").eval()
    with torch.no_grad():
        for deeper in trunk.lite0.blocks[block + 1 :]:
            for parameter in deeper.parameters():
                parameter.fill_(torch.nan)
        unseen = trunk(torch.ones(1, 3, 64, 64), torch.ones(1, 3, 64, 64))[0, :, 0, 0].isnan()
    unseen[2 * trunk.tapped :] = key == "bad_saturation"
    assert torch.equal(unseen_descriptors(trunk)[key], unseen)
    assert unseen.any()


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
    settings = replace(SMALL, validation=5)
    cached(clean, tmp_path / "cache")
    shards = sorted((tmp_path / "cache").glob("*.npz"))
    samples = load_samples(shards, settings)
    whole, zooms, smears = (0, 4), (4, 6), (6, 7)
    for shard in range(int((~samples.held).sum()) // 7):
        labels = samples.holistic_severities[~samples.held][7 * shard : 7 * shard + 7]
        assert np.isnan(labels[slice(*zooms), KEYS.index("bad_exposure")]).all()
        assert np.isnan(labels[zooms[0] : smears[1], KEYS.index("bad_composition")]).all()
        assert not np.isnan(labels[slice(*whole), KEYS.index("bad_exposure")]).any()
    assert len(samples.pieces) == len(samples.piece_severities) == len(samples.piece_points)
    for severities, points in (
        (samples.holistic_severities, samples.holistic_points),
        (samples.piece_severities, samples.piece_points),
    ):
        distances = np.linalg.norm(points, axis=2)
        np.testing.assert_allclose(distances, severities[:, [KEYS.index(key) for key in IN_PLANE]], atol=1e-6)
    assert np.isnan(samples.piece_severities[:, KEYS.index("noise")]).any()
    blurred = samples.holistic_severities[~samples.held][6::7, KEYS.index("undesired_blur")]
    assert (blurred > 0.5).all()


def test_ctrl_c_while_features_are_cached_says_how_to_go_on(
    clean: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = CacheSettings(variants=4, rebalanced=0.5)
    one_shard = shard_files(clean[:1], tmp_path / "model" / "training" / "features", made)[clean[0]]

    def interrupted(*_arguments: object, **_options: object) -> None:
        one_shard.parent.mkdir(parents=True)
        one_shard.touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(compact_recipe, "train_compact", interrupted)
    arguments = ["train", "--recipe", "compact", "--synthesize", str(clean[0].parent), "-o", str(tmp_path / "model")]
    arguments += ["--variants", "4", "--rebalanced", "0.5"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 130
    said = " ".join(result.stderr.split())
    assert said.startswith("interrupted after the features of 1 of 5 photos the same command goes on from there: ")
    assert one_shard.exists()
