from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from photodefect.core.infogain import (
    MASKED,
    class_counts,
    class_weights,
    classes_of,
    infogain_matrix,
    modelled_vote_distributions,
    vote_distributions,
    vote_matrix,
)
from photodefect.core.losses import infogain_loss
from photodefect.core.sampling import effective_counts
from photodefect.defects import BY_KEY, DEFECTS, Defect
from photodefect.errors import DataError
from photodefect.labels.table import vote_levels

EXPOSURE = BY_KEY["bad_exposure"]
SATURATION = BY_KEY["bad_saturation"]

EXPOSURE_COUNTS = np.array([3223, 3596, 2110, 1045, 567, 312, 189, 115, 90, 38, 28])
"""Photos of each exposure class in the authors' training set."""

PEOPLES_VOTES = {
    1: (0.8, 0.2, 0.0),
    3: (0.446, 0.509, 0.045),
    5: (0.204, 0.596, 0.200),
    7: (0.082, 0.442, 0.477),
    10: (0.0, 0.0, 1.0),
}
"""Share of none, mild and severe votes in some exposure classes of the authors' set."""


def test_the_class_of_a_severity_is_the_nearest_centre_and_unknown_ones_are_masked() -> None:
    severities = [0.0, 0.049, 0.051, 0.6, 0.949, 1.0, math.nan]
    assert classes_of(EXPOSURE, severities).tolist() == [0, 0, 1, 6, 9, 10, MASKED]
    assert classes_of(SATURATION, [-1.0, -0.26, 0.0, 0.31]).tolist() == [0, 7, 10, 13]


def test_masked_photos_are_not_counted() -> None:
    assert class_counts(EXPOSURE, np.array([0, MASKED, 3, 3])).tolist() == [1, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]


def test_five_fair_coins_give_the_binomial_distribution() -> None:
    row = vote_matrix(np.array([[0.5, 0.5]]))[0]
    np.testing.assert_allclose(row, np.array([1, 5, 10, 10, 5, 1]) / 32)


def test_a_row_of_the_vote_matrix_is_the_distribution_of_five_vote_means() -> None:
    votes = np.random.default_rng(1).choice([0.0, 0.5, 1.0], p=PEOPLES_VOTES[3], size=(200_000, 5))
    means, numbers = np.unique(np.round(votes.mean(1), 6), return_counts=True)
    simulated = dict(zip(means, numbers / len(votes), strict=True))
    row = vote_matrix(np.array([PEOPLES_VOTES[3]]))[0]
    for centre, share in zip(EXPOSURE.class_centres, row, strict=True):
        assert share == pytest.approx(simulated.get(centre, 0.0), abs=0.004)


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.key)
def test_five_vote_means_land_on_the_class_centres(defect: Defect) -> None:
    votes = np.random.default_rng(2).dirichlet(np.ones(len(vote_levels(defect))), size=defect.class_count)
    matrix = vote_matrix(votes)
    assert matrix.shape == (defect.class_count, defect.class_count)
    np.testing.assert_allclose(matrix.sum(1), 1)
    np.testing.assert_allclose(matrix @ defect.class_centres, votes @ np.array(vote_levels(defect)), atol=1e-12)


def test_class_weights_of_the_patch_network_are_the_authors() -> None:
    weights = class_weights(effective_counts(EXPOSURE, EXPOSURE_COUNTS, "patches"))
    known = [1, 1, 1, 1, 1, 1.1526, 1.9026, 3.127, 3.9956, 9.4632, 10]
    np.testing.assert_allclose(weights / weights[0], known, rtol=1e-4)


def test_class_weights_of_the_holistic_network_are_the_authors() -> None:
    weights = class_weights(effective_counts(EXPOSURE, EXPOSURE_COUNTS, "holistic"))
    np.testing.assert_allclose(weights / weights[0], [1] * 9 + [1.8555, 2.5182], rtol=1e-4)


@given(st.lists(st.integers(0, 5000), min_size=2, max_size=21).filter(any))
def test_the_mean_class_weight_of_a_sample_is_one_and_none_is_over_ten_times_the_least(numbers: list[int]) -> None:
    effective = np.array(numbers, dtype=np.float64)
    weights = class_weights(effective)
    assert weights @ effective / effective.sum() == pytest.approx(1)
    assert weights.max() <= 10 * weights.min() * (1 + 1e-12)
    assert weights[effective.argmax()] == weights.min()


def test_classes_without_any_photo_can_not_be_weighted() -> None:
    with pytest.raises(DataError, match="No photo has a label"):
        class_weights(np.zeros(11))


def test_vote_distributions_are_shares_of_the_votes_on_the_photos_of_a_class() -> None:
    votes = [(0, 0, 0, 0, 0.5), (0, 0.5, 0, 0, 0), (0.5, 0.5, math.nan, 0, 1), (1, 1, 1, 1, 1), (1, 1, 1, 1, 1)]
    p = vote_distributions(EXPOSURE, np.array([1, 1, 4, 10, MASKED]), votes)
    np.testing.assert_allclose(p[1], [0.8, 0.2, 0])
    np.testing.assert_allclose(p[4], [0.25, 0.5, 0.25])
    np.testing.assert_allclose(p[10], [0, 0, 1])


def test_a_class_without_photos_borrows_from_its_neighbours() -> None:
    votes = [(0, 0.5, 0, 0, 0), (0.5, 0.5, 0.5, 0, 0), (1, 1, 1, 1, 0.5)]
    p = vote_distributions(EXPOSURE, np.array([1, 3, 9]), votes)
    np.testing.assert_allclose(p[2], [0.6, 0.4, 0])
    np.testing.assert_allclose(p[0], [1, 0, 0])
    np.testing.assert_allclose(p[10], [0, 0, 1])
    np.testing.assert_allclose(p @ [0, 0.5, 1], EXPOSURE.class_centres)
    np.testing.assert_allclose(p.sum(1), 1)


def test_a_set_without_votes_is_no_ground_for_an_infogain_matrix_from_votes() -> None:
    with pytest.raises(DataError, match="no votes for bad_exposure"):
        vote_distributions(EXPOSURE, np.array([MASKED, 2]), [(0.5,), (math.nan,)])


def test_the_vote_model_comes_within_half_a_percent_of_peoples_votes() -> None:
    p = modelled_vote_distributions(EXPOSURE)
    for klass, people in PEOPLES_VOTES.items():
        np.testing.assert_allclose(p[klass], people, atol=0.005)


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.key)
def test_the_vote_model_keeps_the_class_centre_as_the_mean(defect: Defect) -> None:
    p = modelled_vote_distributions(defect)
    np.testing.assert_allclose(p.sum(1), 1)
    np.testing.assert_allclose(p @ np.array(vote_levels(defect)), defect.class_centres, atol=1e-12)


def test_the_vote_model_of_saturation_mirrors_and_never_votes_both_ways() -> None:
    p = modelled_vote_distributions(SATURATION)
    np.testing.assert_allclose(p, p[::-1, ::-1])
    np.testing.assert_allclose(p[10:, 2:], modelled_vote_distributions(EXPOSURE))
    assert (p[10:, :2] == 0).all()


def test_the_infogain_matrix_is_the_vote_matrix_times_the_class_weights() -> None:
    people = np.array([PEOPLES_VOTES[k] for k in (1, 3, 5)])
    effective = np.array([200.0, 100.0, 50.0])
    # By hand: w = 1, 2, 4, whose mean over samples is (200 + 200 + 200) / 350.
    expected = vote_matrix(people) * (np.array([1, 2, 4]) * 350 / 600)[:, None]
    np.testing.assert_allclose(infogain_matrix(people, effective), expected)
    # Class 0.1, all five votes none: 0.8^5.
    assert infogain_matrix(people, effective)[0, 0] == pytest.approx(0.8**5 * 350 / 600)


def test_the_infogain_loss_equals_a_case_worked_by_hand() -> None:
    infogain = torch.tensor([[1.0, 0.0], [0.5, 2.0]])
    # Softmax (3/4, 1/4) and (1/2, 1/2); loss -(1/2) [log(3/4) + 0.5 log(1/2) + 2 log(1/2)].
    logits = torch.tensor([[math.log(3), 0.0], [0.0, 0.0]])
    loss = infogain_loss(logits, torch.tensor([0, 1]), infogain)
    assert loss.item() == pytest.approx((math.log(4 / 3) + 2.5 * math.log(2)) / 2)


def test_the_infogain_loss_equals_caffes_definition() -> None:
    rng = np.random.default_rng(3)
    logits, classes, gains = rng.normal(size=(6, 11)), rng.integers(0, 11, 6), rng.uniform(0, 3, (11, 11))
    expected = 0.0
    for n in range(6):
        p = np.exp(logits[n]) / np.exp(logits[n]).sum()
        for k in range(11):
            expected -= gains[classes[n], k] * math.log(p[k])
    loss = infogain_loss(torch.tensor(logits), torch.tensor(classes), torch.tensor(gains))
    assert loss.item() == pytest.approx(expected / 6)


def test_with_the_identity_the_infogain_loss_is_cross_entropy() -> None:
    logits, classes = torch.randn(8, 11, generator=torch.Generator().manual_seed(4)), torch.arange(8)
    loss = infogain_loss(logits, classes, torch.eye(11))
    torch.testing.assert_close(loss, torch.nn.functional.cross_entropy(logits, classes))


def test_masked_samples_add_neither_loss_nor_gradient() -> None:
    gains = torch.from_numpy(infogain_matrix(modelled_vote_distributions(EXPOSURE), np.ones(11))).float()
    logits = torch.randn(3, 11, generator=torch.Generator().manual_seed(5)).requires_grad_()
    loss = infogain_loss(logits, torch.tensor([2, MASKED, 7]), gains)
    torch.testing.assert_close(loss, infogain_loss(logits[[0, 2]], torch.tensor([2, 7]), gains))
    (gradient,) = torch.autograd.grad(loss, logits)
    assert gradient[1].abs().max() == 0
    assert gradient[0].abs().max() > 0


def test_a_batch_with_nothing_but_masked_samples_has_loss_zero() -> None:
    logits = torch.randn(2, 11, generator=torch.Generator().manual_seed(6)).requires_grad_()
    loss = infogain_loss(logits, torch.tensor([MASKED, MASKED]), torch.ones(11, 11))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert logits.grad.abs().max() == 0
