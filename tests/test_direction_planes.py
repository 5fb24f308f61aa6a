"""Direction planes: targets, distances and class logits."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from photodefect.core.network.direction_planes import GRID_POINTS, STEP, class_logits, distances, grid_targets
from photodefect.core.network.multicolumn import expected_severity
from photodefect.defects import BY_KEY, IN_PLANE, Defect


def logits_of(shares: dict[tuple[float, float], float]) -> torch.Tensor:
    """Logits (1, P) under which points of the grid have the given shares."""
    values = [math.log(shares[point]) if point in shares else -math.inf for point in GRID_POINTS]
    return torch.tensor([values])


@given(st.floats(0, 1), st.floats(0, 2 * math.pi))
def test_the_mean_of_a_target_is_the_point(size: float, angle: float) -> None:
    point = torch.tensor([[size * math.cos(angle), size * math.sin(angle)]])
    targets = grid_targets(point)
    assert float(targets.sum()) == pytest.approx(1, abs=1e-5)
    assert float(targets.min()) >= 0
    assert int((targets > 0).sum()) <= 4
    torch.testing.assert_close(targets @ torch.tensor(GRID_POINTS), point, atol=1e-5, rtol=0)


def test_a_point_of_the_grid_is_that_point_alone() -> None:
    targets = grid_targets(torch.tensor([[0.0, 0.0], [2 * STEP, -STEP]]))
    assert [GRID_POINTS[int(row.argmax())] for row in targets] == [(0.0, 0.0), (2 * STEP, -STEP)]
    assert targets.max(1).values.tolist() == [1, 1]


def test_an_unknown_point_has_no_target() -> None:
    assert grid_targets(torch.tensor([[torch.nan, torch.nan]])).sum() == 0


def test_opposite_points_cancel_out_and_equal_directions_do_not() -> None:
    opposite = logits_of({(0.75, 0.0): 0.5, (-0.75, 0.0): 0.5})
    one_way = logits_of({(0.75, 0.0): 0.5, (0.25, 0.0): 0.5})
    corner = logits_of({(0.5, 0.0): 0.5, (0.0, 0.5): 0.5})
    sizes = torch.cat([distances(each) for each in (opposite, one_way, corner)])
    np.testing.assert_allclose(sizes, [0, 0.5, math.hypot(0.25, 0.25)], atol=2e-4)


@pytest.mark.parametrize("defect", [BY_KEY[key] for key in IN_PLANE], ids=IN_PLANE)
def test_class_logits_rise_and_fall_around_the_distance_at_every_position(defect: Defect) -> None:
    one = logits_of({(0.0, -0.5): 1.0})
    maps = one[:, :, None, None].expand(1, len(GRID_POINTS), 2, 3)
    logits = class_logits(defect, maps)
    assert tuple(logits.shape) == (1, defect.class_count, 2, 3)
    assert (logits.argmax(1) == 5).all()
    torch.testing.assert_close(logits[..., 1, 2], class_logits(defect, one))


@pytest.mark.parametrize("defect", [BY_KEY[key] for key in IN_PLANE], ids=IN_PLANE)
def test_a_point_farther_away_has_a_higher_severity(defect: Defect) -> None:
    sizes = torch.linspace(0, 1, 21)
    logits = grid_targets(torch.stack([sizes, torch.zeros(21)], 1)).log()
    severities = expected_severity(defect, class_logits(defect, logits))
    assert (severities.diff() > 0).all()
    assert float(severities[10]) == pytest.approx(0.5, abs=1e-3)


def test_there_is_a_gradient_where_no_point_is_preferred() -> None:
    logits = torch.zeros(1, len(GRID_POINTS), requires_grad=True)
    distances(logits).sum().backward()  # type: ignore[no-untyped-call]
    assert logits.grad is not None
    assert bool(logits.grad.isfinite().all())
