"""Experts trained on cached features: their targets, weights, and that they learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from photodefect.core.network.compact import CompactTrunk, Expert
from photodefect.core.network.direction_planes import mean_points
from photodefect.core.network.multicolumn import expected_severity
from photodefect.core.network.registry import Kind, build_network
from photodefect.defects import BY_KEY, DEFECTS, IN_PLANE, KEYS, Defect
from photodefect.training.experts import (
    ExpertRecipe,
    Lessons,
    Origin,
    compact_column,
    fit_experts,
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


def experts(kind: Kind = "patches") -> dict[Defect, Expert]:
    network = build_network("lite0", kind)
    return {defect: compact_column(network, defect.key).expert("synthesis") for defect in network.defects}


WIDTH = CompactTrunk("patches").outputs


def predicted(expert: Expert, descriptors: torch.Tensor) -> np.ndarray:
    with torch.inference_mode():
        logits = expert(descriptors[:, :, None, None]).flatten(1)
    return expected_severity(expert.defect, logits).numpy()


def test_experts_learn_what_a_descriptor_tells() -> None:
    taught = experts()
    severities = np.random.default_rng(0).uniform(0, 1, (600, len(KEYS))).astype(np.float32)
    descriptors = torch.zeros(600, WIDTH)
    descriptors[:, : len(KEYS)] = torch.from_numpy(severities)
    recipe = ExpertRecipe(epochs=15, batch=50, learning_rate=3e-3)
    fit_experts(taught, descriptors[:500], Lessons(severities[:500]), recipe)
    for defect, expert in taught.items():
        found = predicted(expert, descriptors[500:])
        assert np.corrcoef(found, severities[500:, KEYS.index(defect.key)])[0, 1] > 0.9


@pytest.mark.parametrize("key", IN_PLANE)
def test_points_of_a_plane_teach_an_expert_in_which_direction_a_photo_is_wrong(key: str) -> None:
    taught = experts()
    generator = np.random.default_rng(0)
    points = generator.uniform(-0.7, 0.7, (600, len(IN_PLANE), 2)).astype(np.float32)
    own = points[:, IN_PLANE.index(key)]
    severities = np.full((600, len(KEYS)), np.nan, np.float32)
    severities[:, [KEYS.index(one) for one in IN_PLANE]] = 0.5  # tells nothing: only points do
    descriptors = torch.zeros(600, WIDTH)
    descriptors[:, :20] = torch.from_numpy(own).repeat(1, 10)
    recipe = ExpertRecipe(epochs=15, batch=50, learning_rate=3e-3)
    wanted = {defect: expert for defect, expert in taught.items() if defect.key == key}
    fit_experts(wanted, descriptors[:500], Lessons(severities[:500], points[:500]), recipe)
    (expert,) = wanted.values()
    with torch.inference_mode():
        found = mean_points(expert.outputs(descriptors[500:, expert.seen, None, None]).flatten(1)).numpy()
    for told, true in zip(found.T, own[500:].T, strict=True):
        assert np.corrcoef(told, true)[0, 1] > 0.9


@pytest.mark.parametrize("key", ["noise", "bad_exposure"])
def test_votes_count_by_their_share_of_the_loss(key: str) -> None:
    told = np.random.default_rng(0).uniform(0, 1, 600).astype(np.float32)
    severities = np.repeat(told[:, None], len(KEYS), 1)
    severities[500:] = 1 - severities[500:]  # the few that people rated say the opposite
    points = np.full((600, len(IN_PLANE), 2), np.nan, np.float32)
    points[:500, :, 0], points[:500, :, 1] = told[:500, None], 0.0
    descriptors = torch.zeros(600, WIDTH)
    descriptors[:, :5] = torch.from_numpy(told)[:, None]
    recipe = ExpertRecipe(epochs=15, batch=50, learning_rate=3e-3)
    for share, sign in ((0.05, 1), (0.95, -1)):
        taught = {defect: expert for defect, expert in experts().items() if defect.key == key}
        lessons = Lessons(severities, points, origins=np.arange(600) // 500, rated_share=share)
        fit_experts(taught, descriptors, lessons, recipe)
        (expert,) = taught.values()
        assert sign * np.corrcoef(predicted(expert, descriptors), told)[0, 1] > 0.9


def test_photos_that_were_made_worse_count_by_their_share_where_they_tell_of_a_defect() -> None:
    told = np.random.default_rng(0).uniform(0, 1, 600).astype(np.float32)
    severities = np.repeat(told[:, None], len(KEYS), 1)
    severities[400:, KEYS.index("noise")] = 1 - told[400:]  # those made worse say the opposite, of noise alone
    severities[400:, KEYS.index("haze")] = np.nan
    descriptors = torch.zeros(600, WIDTH)
    descriptors[:, :5] = torch.from_numpy(told)[:, None]
    origins = np.repeat([Origin.DEGRADED, Origin.RATED, Origin.WORSENED], 200)
    recipe = ExpertRecipe(epochs=15, batch=50, learning_rate=3e-3)
    taught = {defect: expert for defect, expert in experts().items() if defect.key in ("noise", "haze")}
    lessons = Lessons(severities, origins=origins, rated_share=0.9, worsened_share=0.9)
    fit_experts(taught, descriptors, lessons, recipe)
    for defect, expert in taught.items():
        sign = -1 if defect.key == "noise" else 1
        assert sign * np.corrcoef(predicted(expert, descriptors), told)[0, 1] > 0.9


def test_the_targets_of_rated_photos_are_those_of_their_own_votes() -> None:
    defect = BY_KEY["noise"]
    sure = np.eye(defect.class_count)
    torch.testing.assert_close(
        soft_targets(defect, torch.tensor([0.0, 0.45, 1.0]), sure)[1, 4:6], torch.tensor([0.5, 0.5])
    )
    torch.testing.assert_close(soft_targets(defect, torch.tensor([0.3]), sure)[0].argmax(), torch.tensor(3))


def test_an_expert_learns_nothing_from_samples_that_do_not_count() -> None:
    taught = experts()
    told = np.random.default_rng(0).uniform(0, 1, 600).astype(np.float32)
    severities = np.repeat(told[:, None], len(KEYS), 1)
    severities[300:] = 1 - severities[300:]  # the second half says the opposite of the first
    descriptors = torch.zeros(600, WIDTH)
    descriptors[:, :5] = torch.from_numpy(told)[:, None]
    count = np.repeat(np.float32([1, 0]), 300)
    recipe = ExpertRecipe(epochs=15, batch=50, learning_rate=3e-3)
    fit_experts(taught, descriptors, Lessons(severities, emphasis={"noise": count, "haze": 1 - count}), recipe)
    for key, sign in (("noise", 1), ("haze", -1)):
        assert sign * np.corrcoef(predicted(taught[BY_KEY[key]], descriptors), told)[0, 1] > 0.9


def test_merged_experts_give_the_mean_of_their_logits() -> None:
    own = [experts()[BY_KEY["haze"]].eval() for _ in range(3)]
    descriptors = torch.randn(4, WIDTH, 1, 1, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = torch.stack([expert(descriptors) for expert in own]).mean(0)
        together = merged(own).eval()(descriptors)
    torch.testing.assert_close(together, expected, atol=1e-5, rtol=1e-5)


def test_other_networks_have_no_such_columns() -> None:
    with pytest.raises(TypeError, match="compact"):
        compact_column(build_network("googlenet", "patches"), "noise")
