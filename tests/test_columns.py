"""Columns trained on cached features: their targets, weights, and that they learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from photodefect.core.network.direction_planes import mean_points
from photodefect.core.network.multicolumn import expected_severity
from photodefect.core.network.registry import build_network
from photodefect.defects import BY_KEY, DEFECTS, IN_PLANE, KEYS
from photodefect.training.columns import (
    ColumnRecipe,
    compact_column,
    fit_columns,
    merged,
    sample_weights,
    soft_targets,
    standardization,
)


@pytest.mark.parametrize("key", KEYS)
def test_the_mean_of_a_target_is_the_severity(key: str) -> None:
    defect = BY_KEY[key]
    severities = torch.linspace(defect.lowest, 1, 41)
    targets = soft_targets(defect, severities)
    torch.testing.assert_close(targets.sum(1), torch.ones(41))
    torch.testing.assert_close(targets @ torch.tensor(defect.class_centres), severities, atol=2e-3, rtol=0)


def test_an_unknown_severity_has_no_target() -> None:
    assert soft_targets(DEFECTS[0], torch.tensor([torch.nan])).sum() == 0


def test_rare_classes_weigh_more_but_not_beyond_the_cap() -> None:
    severities = np.array([0.0] * 90 + [0.5] * 9 + [1.0] + [np.nan] * 5, np.float32)
    weights = sample_weights(DEFECTS[0], severities, largest=4.0)
    assert weights[95] / weights[0] == pytest.approx(4.0)
    assert weights[99] / weights[0] == pytest.approx(4.0)
    assert not weights[100:].any()
    assert weights[:100].mean() == pytest.approx(1.0)


def test_standardization_is_that_of_numpy() -> None:
    values = torch.randn(500, 7, generator=torch.Generator().manual_seed(0)) * 3 + 2
    values[:, 3] = 1.5
    mean, deviation = standardization(values)
    np.testing.assert_allclose(mean.flatten(), values.numpy().mean(0), atol=1e-5)
    expected = values.numpy().std(0)
    expected[3] = 1.0
    np.testing.assert_allclose(deviation.flatten(), expected, atol=1e-5)


def test_columns_learn_what_a_descriptor_tells() -> None:
    network = build_network("lite0", "holistic")
    width = compact_column(network, "noise").hidden.in_channels
    generator = np.random.default_rng(0)
    severities = generator.uniform(0, 1, (600, len(KEYS))).astype(np.float32)
    descriptors = torch.zeros(600, width)
    descriptors[:, : len(KEYS)] = torch.from_numpy(severities)
    fit_columns(network, descriptors[:500], severities[:500], ColumnRecipe(epochs=15, batch=50, learning_rate=3e-3))
    for defect in DEFECTS:
        column = compact_column(network, defect.key)
        with torch.inference_mode():
            logits = column.classify_descriptors(descriptors[500:, :, None, None]).flatten(1)
        predicted = expected_severity(defect, logits).numpy()
        assert np.corrcoef(predicted, severities[500:, KEYS.index(defect.key)])[0, 1] > 0.9


@pytest.mark.parametrize("key", IN_PLANE)
def test_points_of_a_plane_teach_a_column_in_which_direction_a_photo_is_wrong(key: str) -> None:
    network = build_network("lite0", "patches")
    column = compact_column(network, key)
    generator = np.random.default_rng(0)
    points = generator.uniform(-0.7, 0.7, (600, len(IN_PLANE), 2)).astype(np.float32)
    points[450:500] = np.nan
    own = points[:, IN_PLANE.index(key)]
    severities = np.full((600, len(KEYS)), 0.5, np.float32)  # tells nothing: only points do
    descriptors = torch.zeros(600, column.hidden.in_channels)
    descriptors[:, :20] = torch.from_numpy(np.nan_to_num(own)).repeat(1, 10)
    recipe = ColumnRecipe(epochs=15, batch=50, learning_rate=3e-3)
    fit_columns(network, descriptors[:500], severities[:500], recipe, points=points[:500])
    with torch.inference_mode():
        found = mean_points(column.outputs(descriptors[500:, :, None, None]).flatten(1)).numpy()
    for predicted, true in zip(found.T, own[500:].T, strict=True):
        assert np.corrcoef(predicted, true)[0, 1] > 0.9


def test_a_blind_column_makes_nothing_of_what_it_is_not_to_see() -> None:
    network = build_network("lite0", "patches")
    width = compact_column(network, "noise").hidden.in_channels
    severities = np.random.default_rng(0).uniform(0, 1, (200, len(KEYS))).astype(np.float32)
    descriptors = torch.randn(200, width, generator=torch.Generator().manual_seed(0))
    unseen = torch.zeros(width, dtype=torch.bool)
    unseen[5:400] = True
    fit_columns(network, descriptors, severities, ColumnRecipe(epochs=2, batch=50), blind={"haze": unseen})
    changed = descriptors.clone()
    changed[:, unseen] += 1
    for key, blind in (("haze", True), ("noise", False)):
        column = compact_column(network, key)
        with torch.inference_mode():
            before, after = (column.classify_descriptors(each[:, :, None, None]) for each in (descriptors, changed))
        assert torch.equal(before, after) == blind


def test_a_column_learns_nothing_from_samples_that_do_not_count() -> None:
    network = build_network("lite0", "patches")
    width = compact_column(network, "noise").hidden.in_channels
    told = np.random.default_rng(0).uniform(0, 1, 600).astype(np.float32)
    severities = np.repeat(told[:, None], len(KEYS), 1)
    severities[300:] = 1 - severities[300:]  # the second half says the opposite of the first
    descriptors = torch.zeros(600, width)
    descriptors[:, :5] = torch.from_numpy(told)[:, None]
    count = np.repeat(np.float32([1, 0]), 300)
    recipe = ColumnRecipe(epochs=15, batch=50, learning_rate=3e-3)
    fit_columns(network, descriptors, severities, recipe, emphasis={"noise": count, "haze": 1 - count})
    for key, sign in (("noise", 1), ("haze", -1)):
        with torch.inference_mode():
            logits = compact_column(network, key).classify_descriptors(descriptors[:, :, None, None]).flatten(1)
        predicted = expected_severity(BY_KEY[key], logits).numpy()
        assert sign * np.corrcoef(predicted, told)[0, 1] > 0.9


def test_merged_columns_give_the_mean_of_their_logits() -> None:
    networks = [build_network("lite0", "patches") for _ in range(3)]
    columns = [compact_column(network, "haze").eval() for network in networks]
    width = columns[0].hidden.in_channels
    descriptors = torch.randn(4, width, 1, 1, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = torch.stack([column.classify_descriptors(descriptors) for column in columns]).mean(0)
        together = merged(columns, BY_KEY["haze"]).eval().classify_descriptors(descriptors)
    torch.testing.assert_close(together, expected, atol=1e-5, rtol=1e-5)


def test_other_networks_have_no_such_columns() -> None:
    with pytest.raises(TypeError, match="compact"):
        compact_column(build_network("googlenet", "patches"), "noise")
