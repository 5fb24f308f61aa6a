"""What a network is shown at each step."""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tiny_training import MemoryPhotos, grey_photos

from photodefect.core.batches import Batch
from photodefect.core.infogain import class_counts, classes_of
from photodefect.core.inputs import holistic_input, patch_inputs
from photodefect.core.network.registry import NETWORKS
from photodefect.core.patches import DEFAULT_PLACEMENT
from photodefect.core.sampling import SampleKind, effective_counts, sample_source
from photodefect.defects import BY_KEY, DEFECTS, KEYS, PATCH_DEFECTS
from photodefect.errors import DataError
from photodefect.training.samples import Batches, SampleReader, half_crops, shuffled

EXPOSURE = KEYS.index("bad_exposure")
COMPOSITION = KEYS.index("bad_composition")


def random_photo(seed: int, height: int = 300, width: int = 260) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def batches_of(photos: MemoryPhotos, steps: int, kind: str = "holistic", start: int = 0, **changes: Any) -> list[Batch]:
    options: dict[str, Any] = {"seed": 0, "batch": 4, "window": 4, "labels": "own"}
    reading = {"workers": changes.pop("workers", 1), "cache_mb": changes.pop("cache_mb", 100)}
    members = changes.pop("members", np.arange(len(photos.photos)))
    with SampleReader(photos, seed=options["seed"], **reading) as reader:
        batches = Batches(reader, members, kind, **(options | changes))  # type: ignore[arg-type]
        return list(islice(batches.from_step(start), steps))


def same(one: Batch, other: Batch) -> bool:
    return torch.equal(one.inputs, other.inputs) and torch.equal(
        one.severities.nan_to_num(9), other.severities.nan_to_num(9)
    )


def test_each_defect_gives_its_own_samples_and_only_they_count_for_it() -> None:
    (batch,) = batches_of(grey_photos(), 1)
    assert batch.inputs.shape == (4 * 7, 3, 224, 224)
    assert batch.inputs.dtype == torch.uint8
    known = ~batch.severities.isnan()
    assert known.sum(0).tolist() == [4] * 7
    assert known.sum(1).tolist() == [1] * 28


def test_a_sample_carries_the_severity_of_its_photo() -> None:
    (batch,) = batches_of(grey_photos(), 1, batch=16)
    levels = batch.inputs.float().mean((1, 2, 3)) / 255
    assert torch.allclose(levels, batch.severities.nanmean(1), atol=0.003)


def test_the_patch_network_never_hears_of_composition() -> None:
    (batch,) = batches_of(grey_photos(), 1, "patches")
    assert len(batch.inputs) == 4 * 6
    assert batch.severities[:, COMPOSITION].isnan().all()


def test_with_all_labels_a_sample_counts_for_every_defect_but_crops_never_for_composition() -> None:
    photos = grey_photos()
    photos.severities[:6] = 0.0  # six photos of one class: those of the others are cropped
    (batch,) = batches_of(photos, 1, batch=64, window=100, labels="all")
    known = ~batch.severities.isnan()
    assert known[:, :COMPOSITION].all()
    crops = ~known[:, COMPOSITION]
    assert 0 < crops.sum() < len(crops)
    assert (batch.severities[crops][:, EXPOSURE] > 0).all(), "of the common class there is the whole photo alone"


def test_an_epoch_has_every_planned_sample_once_and_each_of_them_mirrored() -> None:
    photos = MemoryPhotos([random_photo(seed) for seed in range(4)], np.zeros((4, 7)))
    photos.severities[3] = 1.0
    key = "bad_exposure"
    source = sample_source(BY_KEY[key], classes_of(BY_KEY[key], photos.severities[:, EXPOSURE]), "holistic")
    assert len(source) == 2 * (4 + 2), "three common photos, and one photo with n_max / n_k - 1 = 2 half-size crops"
    (batch,) = batches_of(photos, 1, batch=len(source))
    inputs = batch.inputs[~batch.severities[:, EXPOSURE].isnan()].permute(0, 2, 3, 1).numpy()
    found = {cut.tobytes() for cut in inputs}
    assert len(found) == len(source)
    assert all(np.ascontiguousarray(cut[:, ::-1]).tobytes() in found for cut in inputs)
    for seed in range(4):
        assert holistic_input(random_photo(seed)).tobytes() in found


@pytest.mark.parametrize("kind", ["holistic", "patches"])
def test_a_step_is_the_same_whatever_came_before_and_however_many_threads_make_it(kind: str) -> None:
    photos = MemoryPhotos([random_photo(seed) for seed in range(5)], grey_photos(5).severities)
    straight = batches_of(photos, 8, kind)
    resumed = batches_of(photos, 3, kind, start=5, workers=3, cache_mb=1)
    assert all(same(one, other) for one, other in zip(straight[5:], resumed, strict=True))
    assert not same(straight[5], straight[6])
    assert not same(straight[5], batches_of(photos, 1, kind, start=5, seed=1)[0])


def test_crops_are_other_ones_in_the_next_epoch() -> None:
    photos = MemoryPhotos([random_photo(0)], np.zeros((1, 7)))
    first, second = batches_of(photos, 2, "patches", batch=10)  # five patches and their mirror images an epoch
    assert len({cut.numpy().tobytes() for cut in first.inputs[:10]}) == 10
    assert not {cut.numpy().tobytes() for cut in first.inputs} & {cut.numpy().tobytes() for cut in second.inputs}


def test_only_members_are_trained_on() -> None:
    photos = grey_photos(8)
    batches_of(photos, 4, members=np.array([1, 2]))
    assert set(photos.loads) == {1, 2}


def test_a_photo_is_decoded_once_for_all_its_patches_of_a_defect() -> None:
    photos = MemoryPhotos([random_photo(seed) for seed in range(3)], np.zeros((3, 7)))
    photos.severities[:, 1:] = np.nan
    batches_of(
        photos, 3, "patches", batch=10
    )  # an epoch: 3 photos, 5 patches, 2 sides; batches made ahead are of the next
    assert all(1 <= photos.loads.count(photo) <= 2 for photo in range(3)), "once an epoch, however far they came ahead"


@given(
    numbers=st.lists(st.integers(0, 10), min_size=1, max_size=30), window=st.integers(1, 40), epoch=st.integers(0, 3)
)
@settings(max_examples=50)
def test_an_order_holds_every_sample_once_and_a_window_of_photos_at_a_time(
    numbers: list[int], window: int, epoch: int
) -> None:
    defect = BY_KEY["noise"]
    source = sample_source(defect, classes_of(defect, [number / 10 for number in numbers]), "patches")
    order = shuffled(source, 7, epoch, window)
    assert np.array_equal(np.sort(order), np.arange(len(source)))
    assert np.array_equal(order, shuffled(source, 7, epoch, window))
    photos = [source[int(index)].photo for index in order]
    groups = list(dict.fromkeys(photos))
    for start in range(0, len(groups), window):
        group = set(groups[start : start + window])
        places = [place for place, photo in enumerate(photos) if photo in group]
        assert places == list(range(places[0], places[0] + len(places)))


def test_half_size_crops_lie_inside_at_half_the_sides() -> None:
    """In a photo whose red and green are the coordinates, a crop's range of colours is its size and place."""
    rows, columns = np.mgrid[0:200, 0:240].astype(np.uint8)
    pixels = np.stack([rows, columns, rows], 2)
    crops = half_crops(pixels, 200, np.random.default_rng(0))
    assert crops.shape == (200, 224, 224, 3)
    tops, lefts = crops[:, :, :, 0].min((1, 2)).astype(int), crops[:, :, :, 1].min((1, 2)).astype(int)
    assert (np.abs(crops[:, :, :, 0].max((1, 2)) - tops - 99) <= 1).all()
    assert (np.abs(crops[:, :, :, 1].max((1, 2)) - lefts - 119) <= 1).all()
    assert (tops.min(), lefts.min()) <= (3, 3)
    assert (tops.max(), lefts.max()) >= (97, 117)
    assert half_crops(pixels[:1, :1], 1, np.random.default_rng(0)).shape == (1, 224, 224, 3)


def test_a_damaged_photo_is_left_out_and_named_and_the_others_are_trained_on() -> None:
    photos = grey_photos(4)
    photos.photos = [*photos.photos[:3], None]
    with SampleReader(photos, seed=0, workers=1, cache_mb=10) as reader:
        batches = Batches(reader, np.arange(4), "holistic", seed=0, batch=8, window=4, labels="own")
        batch = next(batches.from_step(0))
        assert reader.left_out.unreadable == {"3.jpg": "it is damaged"}
    assert len(batch.inputs) == 7 * 6, "each defect's two samples of that photo are missing"
    assert float(batch.severities.nan_to_num(0).max()) == 0.5


def test_when_no_photo_can_be_read_the_error_names_one() -> None:
    photos = MemoryPhotos([None, None], np.zeros((2, 7)))
    with pytest.raises(DataError, match=r"[01]\.jpg: it is damaged"):
        batches_of(photos, 1)


def test_a_defect_without_labels_gives_no_samples() -> None:
    photos = grey_photos()
    photos.severities[:, EXPOSURE] = np.nan
    (batch,) = batches_of(photos, 1)
    assert len(batch.inputs) == 4 * 6


def test_the_class_weights_are_told_the_samples_of_the_plan() -> None:
    photos = grey_photos(20)
    with SampleReader(photos, seed=0, workers=1, cache_mb=10) as reader:
        for kind, defects in (("holistic", DEFECTS), ("patches", PATCH_DEFECTS)):
            batches = Batches(reader, np.arange(20), kind, seed=0, batch=1, window=9, labels="own")  # type: ignore[arg-type]
            for defect in defects:
                counts = class_counts(defect, classes_of(defect, photos.severities[:, KEYS.index(defect.key)]))
                expected = effective_counts(defect, counts, kind)  # type: ignore[arg-type]
                assert np.array_equal(batches.effective_counts()[defect.key], expected)


def test_with_all_labels_the_class_weights_count_the_samples_of_every_source() -> None:
    """Counted by hand over whole epochs of two defects that both have labels on both photos."""
    severities = np.full((3, 7), np.nan)
    severities[:, EXPOSURE] = [0.0, 0.0, 1.0]
    severities[:, KEYS.index("noise")] = [0.5, 0.0, 0.0]
    photos = MemoryPhotos([random_photo(seed, 20, 20) for seed in range(3)], severities)
    with SampleReader(photos, seed=0, workers=1, cache_mb=10) as reader:
        counts = Batches(reader, np.arange(3), "holistic", seed=0, batch=1, window=9, labels="all").effective_counts()
    # exposure's source: photos 0, 1 once and 2 twice; noise's: photo 0 twice, 1 and 2 once. Each gives as many a step.
    assert counts["bad_exposure"][[0, 10]].tolist() == pytest.approx([2 / 4 + 3 / 4, 2 / 4 + 1 / 4])
    assert counts["noise"][[0, 5]].tolist() == pytest.approx([3 / 4 + 2 / 4, 1 / 4 + 2 / 4])
    assert set(counts) == {"bad_exposure", "noise"}


def test_validation_sees_what_diagnose_sees() -> None:
    photos = MemoryPhotos([random_photo(3)], np.zeros((1, 7)))
    with SampleReader(photos, seed=0, workers=1, cache_mb=10) as reader:
        whole = reader.diagnosed(0, "holistic").result()
        patches = reader.diagnosed(0, "patches").result()
    assert np.array_equal(whole.inputs, holistic_input(random_photo(3))[None])
    seen = patch_inputs(random_photo(3), count=NETWORKS["googlenet"].patches, placement=DEFAULT_PLACEMENT, seed=0)
    assert np.array_equal(patches.inputs, seen)
    assert np.isnan(patches.severities[COMPOSITION])
    assert not np.isnan(whole.severities).any()


def test_the_cache_forgets_when_its_memory_is_used_up() -> None:
    photos = grey_photos(20)
    with SampleReader(photos, seed=0, workers=1, cache_mb=1) as reader:  # six inputs of 150 KB
        for _ in range(2):
            for photo in range(20):
                reader.whole(photo).result()
        reader.whole(19).result()
        reader.crops(19, SampleKind.PATCH, 50, "noise", 0).result()
    assert photos.loads == [*range(20), *range(20), 19]
