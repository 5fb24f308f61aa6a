from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photodefect.core.infogain import MASKED
from photodefect.core.sampling import (
    NetworkKind,
    SampleKind,
    effective_counts,
    sample_plan,
    sample_source,
    samples_per_photo,
)
from photodefect.defects import BY_KEY, DEFECTS, KEYS, PATCH_DEFECTS

EXPOSURE = BY_KEY["bad_exposure"]
COMPOSITION = BY_KEY["bad_composition"]
NETWORKS: tuple[NetworkKind, ...] = ("holistic", "patches")

some_classes = st.lists(st.integers(MASKED, 10), min_size=1, max_size=80).map(np.array)
networks = st.sampled_from(NETWORKS)


def test_a_photo_of_the_commonest_class_gives_five_patches_and_of_a_rare_one_fifty() -> None:
    counts = np.array([1000, 500, 10, 0, 0, 0, 0, 0, 0, 0, 100])
    np.testing.assert_allclose(
        samples_per_photo(EXPOSURE, counts, "patches"), [5, 10, 50, 0, 0, 0, 0, 0, 0, 0, 50], rtol=1e-12
    )


def test_the_holistic_network_takes_the_whole_photo_and_up_to_fifty_crops() -> None:
    counts = np.array([1000, 500, 10, 0, 0, 0, 0, 0, 0, 0, 100])
    np.testing.assert_allclose(
        samples_per_photo(EXPOSURE, counts, "holistic"), [1, 2, 51, 0, 0, 0, 0, 0, 0, 0, 10], rtol=1e-12
    )


def test_composition_takes_the_whole_photo_alone() -> None:
    source = sample_source(COMPOSITION, np.array([0] * 50 + [9, MASKED]), "holistic")
    assert {sample.kind for sample in source} == {SampleKind.WHOLE}
    assert len(source) == 2 * 51


def test_composition_has_no_patches() -> None:
    with pytest.raises(ValueError, match="bad_composition"):
        samples_per_photo(COMPOSITION, np.ones(11, dtype=np.int64), "patches")


@given(some_classes, networks)
def test_a_class_gives_as_many_samples_as_its_weight_says(classes: np.ndarray, network: NetworkKind) -> None:
    source = sample_source(EXPOSURE, classes, network)
    counts = np.bincount(classes[classes != MASKED], minlength=11)
    drawn = np.zeros(11)
    np.add.at(drawn, classes[source.photos], source.numbers)
    np.testing.assert_array_equal(drawn, np.floor(effective_counts(EXPOSURE, counts, network) + 1e-9))
    np.testing.assert_array_equal(source.class_samples, effective_counts(EXPOSURE, counts, network))


@given(some_classes, networks)
def test_photos_of_one_class_differ_by_one_sample_at_most_and_stay_within_the_limits(
    classes: np.ndarray, network: NetworkKind
) -> None:
    source = sample_source(EXPOSURE, classes, network)
    totals: Counter[int] = Counter()
    for photo, number in zip(source.photos, source.numbers, strict=True):
        totals[int(photo)] += int(number)
    fewest, most = (5, 50) if network == "patches" else (1, 51)
    assert set(totals) == set(np.flatnonzero(classes != MASKED).tolist())
    for klass in set(classes.tolist()) - {MASKED}:
        numbers = [totals[photo] for photo in np.flatnonzero(classes == klass).tolist()]
        assert max(numbers) - min(numbers) <= 1
        assert fewest <= min(numbers)
        assert max(numbers) <= most


@given(some_classes, networks)
def test_rarer_classes_never_give_fewer_samples_a_photo(classes: np.ndarray, network: NetworkKind) -> None:
    counts = np.bincount(classes[classes != MASKED], minlength=11)
    per_photo = samples_per_photo(EXPOSURE, counts, network)
    present = np.flatnonzero(counts)
    ascending = present[np.argsort(counts[present])]
    assert (np.diff(per_photo[ascending]) <= 0).all()


@given(some_classes, networks)
def test_every_sample_is_there_once_as_it_is_and_once_mirrored(classes: np.ndarray, network: NetworkKind) -> None:
    source = sample_source(EXPOSURE, classes, network)
    samples = list(source)
    assert len(samples) == len(source) == len(set(samples))
    plain = {(s.photo, s.kind, s.number) for s in samples if not s.flipped}
    assert plain == {(s.photo, s.kind, s.number) for s in samples if s.flipped}
    wholes = [s for s in samples if s.kind is SampleKind.WHOLE]
    assert all(s.number == 0 for s in wholes)
    assert len(wholes) == (0 if network == "patches" else 2 * int((classes != MASKED).sum()))


def test_a_sample_beyond_the_end_is_an_index_error() -> None:
    source = sample_source(EXPOSURE, np.array([0]), "patches")
    assert len(source) == 10
    for index in (-1, 10):
        with pytest.raises(IndexError):
            source[index]


def test_an_epochs_order_holds_every_sample_once_and_depends_on_seed_and_epoch_alone() -> None:
    source = sample_source(EXPOSURE, np.array([0, 0, 1, 5]), "patches")
    order = source.order(seed=1, epoch=2)
    assert sorted(order.tolist()) == list(range(len(source)))
    np.testing.assert_array_equal(order, source.order(seed=1, epoch=2))
    assert (order != source.order(seed=1, epoch=3)).any()
    assert (order != source.order(seed=2, epoch=2)).any()


def test_each_defect_of_a_network_has_a_source_of_its_own() -> None:
    classes = {defect.key: np.array([0, 0, index]) for index, defect in enumerate(DEFECTS)}
    assert tuple(sample_plan(classes, "holistic")) == KEYS
    patches = sample_plan(classes, "patches")
    assert tuple(patches) == tuple(defect.key for defect in PATCH_DEFECTS)
    assert len(patches["bad_exposure"]) == 2 * 15
    assert len(patches["noise"]) == 2 * 20
