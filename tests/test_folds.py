"""Folds of rated photos: what comes from one place stays together."""

from __future__ import annotations

import numpy as np

from photodefect.training.rated_samples import folds_of


def test_photos_of_a_group_are_in_one_fold_and_folds_are_of_a_size() -> None:
    groups = [f"place {number % 40}" for number in range(400)]
    folds = folds_of(groups, 5)
    assert {len(set(folds[np.array(groups) == group])) for group in set(groups)} == {1}
    assert np.bincount(folds).tolist() == [80] * 5


def test_a_group_of_half_of_all_photos_is_parted() -> None:
    folds = folds_of(["big"] * 100 + [f"small {number % 10}" for number in range(100)], 4)
    assert np.bincount(folds[:100]).min() > 10
    assert np.bincount(folds).tolist() == [50] * 4


def test_photos_without_a_group_are_groups_of_their_own() -> None:
    assert np.bincount(folds_of([""] * 10, 5)).tolist() == [2] * 5
