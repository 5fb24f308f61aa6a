"""Tuning the trunk's last stage: what it sees, what it changes, and that it learns."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest
import torch
from torch import Tensor

from photodefect.core.network.compact import STAGES, describe
from photodefect.core.network.multicolumn import MultiColumnNetwork
from photodefect.core.network.registry import build_network
from photodefect.defects import DEFECTS, IN_PLANE, KEYS
from photodefect.training.tuning import (
    TUNED_FOR,
    TuningRecipe,
    TuningSamples,
    compact_trunk,
    late_descriptors,
    late_positions,
    tune_trunk,
    tuned_descriptors,
)

LAST = STAGES[-1][0]
RECIPE = TuningRecipe(epochs=2, batch=8, warm_up=2)


@pytest.fixture
def network() -> MultiColumnNetwork:
    torch.manual_seed(0)
    return build_network("lite0", "holistic").eval()


def pictures(count: int) -> Tensor:
    return torch.rand(count, 3, 64, 64, generator=torch.Generator().manual_seed(1)) * 255


def descriptors_of(network: MultiColumnNetwork, rgb: Tensor) -> Tensor:
    """Of the whole network, (N, D)."""
    with torch.no_grad():
        cells = network.features(rgb)
        return describe(cells.mean((2, 3), keepdim=True), compact_trunk(network).tapped).flatten(1)


def maps_of(network: MultiColumnNetwork, rgb: Tensor) -> Tensor:
    """What block 10 gives, (N, 112, H/16, W/16)."""
    blocks = compact_trunk(network).lite0
    return blocks.part(network.normalization(rgb), 0, LAST)[0]


def samples_of(network: MultiColumnNetwork, count: int = 24) -> TuningSamples:
    """Pictures whose first half is said to have a cast, to be garish and badly composed."""
    rgb = pictures(count)
    rgb[: count // 2, 0] *= 0.3
    with torch.no_grad():
        maps = maps_of(network, rgb).half()
    severities = np.zeros((count, len(DEFECTS)), np.float32)
    severities[: count // 2] = 0.8
    points = np.zeros((count, len(IN_PLANE), 2), np.float32)
    points[: count // 2, :, 0] = -0.8
    return TuningSamples(maps, descriptors_of(network, rgb).half(), severities, points, np.arange(count))


def changed_blocks(before: dict[str, Tensor], network: MultiColumnNetwork) -> set[str]:
    after = network.state_dict()
    return {name for name, tensor in before.items() if not torch.equal(tensor, after[name])}


def test_the_last_stage_makes_of_the_maps_what_the_whole_trunk_makes(network: MultiColumnNetwork) -> None:
    rgb = pictures(3)
    whole = descriptors_of(network, rgb)
    with torch.no_grad():
        maps = maps_of(network, rgb)
        late = late_descriptors(compact_trunk(network), maps)
    positions = late_positions(compact_trunk(network), maps)
    assert LAST == 11
    assert len(positions) == 2 * 192  # means and deviations of block 11
    torch.testing.assert_close(late, whole[:, positions], atol=1e-4, rtol=1e-4)
    garbled = whole.half()
    garbled[:, positions] = torch.nan
    torch.testing.assert_close(tuned_descriptors(network, maps, garbled).float(), whole, atol=5e-3, rtol=2e-3)


def test_nothing_but_the_last_block_is_tuned(network: MultiColumnNetwork) -> None:
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    samples = samples_of(network)
    tune_trunk(network.train(), samples, RECIPE)
    changed = changed_blocks(before, network)
    assert changed
    for name in changed:
        assert name.startswith("trunk.lite0.blocks.")
        assert int(name.split(".")[3]) == 11
        # Norms keep ImageNet's statistics.
        assert "running" not in name


def test_the_trunk_learns_what_it_is_tuned_for(network: MultiColumnNetwork) -> None:
    losses: list[dict[str, float]] = []
    recipe = replace(RECIPE, epochs=12, learning_rate=1e-3)
    with patch("photodefect.training.tuning.TOLD_EVERY", 24):
        tune_trunk(network, samples_of(network), recipe, lambda _done, _total, found: losses.append(found))
    assert set(losses[0]) == set(TUNED_FOR)
    for key in TUNED_FOR:
        assert losses[-1][key] < 0.8 * losses[0][key]


def test_without_a_trunk_to_learn_the_columns_alone_learn_less() -> None:
    """The loss that falls is the trunk's doing as well: with it frozen, the same steps leave more."""

    def last_loss(learning_rate: float) -> float:
        torch.manual_seed(0)
        own = build_network("lite0", "holistic").eval()
        found: list[dict[str, float]] = []
        recipe = replace(RECIPE, epochs=6, learning_rate=learning_rate)
        with patch("photodefect.training.tuning.TOLD_EVERY", 24):
            tune_trunk(own, samples_of(own), recipe, lambda _done, _total, losses: found.append(losses))
        return sum(found[-1].values())

    assert last_loss(1e-3) < last_loss(0.0)


def test_the_same_seed_gives_the_same_trunk_and_another_one_another() -> None:
    def tuned(seed: int) -> Tensor:
        torch.manual_seed(5)
        network = build_network("lite0", "holistic").eval()
        tune_trunk(network, samples_of(network), replace(RECIPE, seed=seed))
        return torch.cat([parameter.detach().flatten() for parameter in network.trunk.parameters()])

    one = tuned(0)
    assert torch.equal(one, tuned(0))
    assert not torch.equal(one, tuned(1))


def test_how_far_it_is_is_told_now_and_then_and_at_the_end(network: MultiColumnNetwork) -> None:
    told: list[tuple[int, int]] = []
    with patch("photodefect.training.tuning.TOLD_EVERY", 20):
        tune_trunk(network, samples_of(network), RECIPE, lambda done, total, _losses: told.append((done, total)))
    assert told == [(24, 48), (48, 48)]


def test_samples_that_were_not_chosen_teach_nothing(network: MultiColumnNetwork) -> None:
    samples = samples_of(network)
    chosen = np.arange(0, len(samples.maps), 2)
    garbled = samples.severities.copy()
    garbled[1::2] = 0.5
    garbled[1::2, KEYS.index("bad_saturation")] = -1.0
    trunks = []
    for severities in (samples.severities, garbled):
        torch.manual_seed(0)
        own = build_network("lite0", "holistic").eval()
        tune_trunk(own, replace(samples, severities=severities, chosen=chosen), RECIPE)
        trunks.append(torch.cat([parameter.detach().flatten() for parameter in own.trunk.parameters()]))
    assert torch.equal(*trunks)


def test_the_papers_network_has_no_trunk_that_can_be_tuned_so() -> None:
    with pytest.raises(TypeError, match="compact"):
        compact_trunk(build_network("googlenet", "holistic"))
