"""Regression of votes on descriptors, and votes that it smooths."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator

from photodefect.defects import DEFECTS, KEYS
from photodefect.labels.table import LabelledPhoto
from photodefect.training.compact_settings import SMOOTHING, CompactSettings
from photodefect.training.kernel_ridge import KernelRecipe, KernelRidge
from photodefect.training.rated_samples import FramedViews, RatedSamples
from photodefect.training.teaching import smoothed_severities

RECIPE = KernelRecipe(width=0.5, penalty=0.3)


def some_photos(count: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Descriptors of unit variance, and severities that follow the first of them."""
    rng = np.random.default_rng(0)
    descriptors = rng.normal(size=(count, 6)).astype(np.float32)
    descriptors = (descriptors - descriptors.mean(0)) / descriptors.std(0)
    told = 1 / (1 + np.exp(-2 * descriptors[:, :1])) + rng.normal(0, 0.1, (count, len(DEFECTS)))
    return descriptors, np.clip(told, 0, 1).astype(np.float32)


def test_severities_are_those_of_scipys_smoothed_interpolation_by_a_gaussian_kernel() -> None:
    descriptors, severities = some_photos(80)
    rated, others = descriptors[:60], descriptors[60:]
    rated = (rated - rated.mean(0)) / rated.std(0)
    mean = severities[:60].mean(0)
    by_scipy = RBFInterpolator(
        rated,
        severities[:60] - mean,
        smoothing=RECIPE.penalty,
        kernel="gaussian",
        epsilon=np.sqrt(RECIPE.width / rated.shape[1]),
        degree=-1,
    )
    found = KernelRidge(torch.from_numpy(rated), severities[:60], RECIPE).severities(torch.from_numpy(others))
    lowest = [defect.lowest for defect in DEFECTS]
    np.testing.assert_allclose(found, np.clip(by_scipy(others) + mean, lowest, 1), atol=1e-4)


def test_a_defect_is_told_by_the_photos_whose_votes_on_it_are_known() -> None:
    descriptors, severities = some_photos(60)
    partly = severities.copy()
    partly[40:, KEYS.index("haze")] = np.nan
    partly[:, KEYS.index("noise")] = np.nan
    rated = torch.from_numpy(descriptors)
    found = KernelRidge(rated, partly, RECIPE).severities(rated)
    assert np.isfinite(found).all()
    whole = KernelRidge(rated, severities, RECIPE).severities(rated)
    np.testing.assert_array_equal(found[:, KEYS.index("bad_exposure")], whole[:, KEYS.index("bad_exposure")])
    haze = KEYS.index("haze")
    assert np.corrcoef(found[40:, haze], descriptors[40:, 0])[0, 1] > 0.8
    assert not found[:, KEYS.index("noise")].any()


def test_severities_stay_within_the_range_of_their_defect() -> None:
    descriptors, severities = some_photos(60)
    told = np.repeat(10 * severities[:, :1] - 5, len(DEFECTS), axis=1)
    found = KernelRidge(torch.from_numpy(descriptors), told, RECIPE).severities(torch.from_numpy(descriptors))
    assert found.min(0).tolist() == [defect.lowest for defect in DEFECTS]
    assert found.max(0).tolist() == [1.0] * len(DEFECTS)


def test_of_too_many_rated_photos_some_are_drawn() -> None:
    descriptors, severities = some_photos(60)
    rated = torch.from_numpy(descriptors)
    some = KernelRidge(rated, severities, replace(RECIPE, most=40)).severities(rated)
    whole = KernelRidge(rated, severities, RECIPE).severities(rated)
    assert not np.array_equal(some, whole)
    assert np.corrcoef(some[:, 0], whole[:, 0])[0, 1] > 0.9


def people_of(descriptors: NDArray[np.float32], severities: NDArray[np.float32]) -> RatedSamples:
    count = len(severities)
    photos = tuple(LabelledPhoto(Path(f"{n}.jpg"), dict.fromkeys(KEYS, 0.0)) for n in range(count))
    nothing = torch.empty(count, 0, 0)
    views = torch.from_numpy(descriptors)[:, None]
    unknown = np.empty((count, 0), np.float32)
    framed = FramedViews(nothing, nothing, unknown)
    return RatedSamples(photos, views, nothing, nothing, unknown, framed, nothing, severities)


def test_a_photos_votes_are_moved_towards_what_the_votes_on_others_say() -> None:
    descriptors, severities = some_photos(60)
    settings = CompactSettings(regression=RECIPE)
    chosen = np.arange(50)
    smoothed = smoothed_severities(people_of(descriptors, severities), chosen, settings)
    np.testing.assert_array_equal(smoothed[50:], severities[50:])
    other = severities.copy()
    other[7] = 1 - other[7]
    again = smoothed_severities(people_of(descriptors, other), chosen, settings)
    # What the others say of it doesn't depend on its own votes.
    np.testing.assert_allclose(again[7] - smoothed[7], (1 - SMOOTHING) * (other[7] - severities[7]), atol=1e-6)
    noise = severities - severities.mean(1, keepdims=True)
    assert np.abs(smoothed[:50] - smoothed[:50].mean(1, keepdims=True)).mean() < np.abs(noise[:50]).mean()
