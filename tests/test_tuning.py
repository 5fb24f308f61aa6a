"""Tuning the last blocks of the network of whole photos to votes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from photodefect.core.network.layers import ConvNorm, fold_batch_norms
from photodefect.core.network.multicolumn import MultiColumnNetwork
from photodefect.core.network.registry import build_network
from photodefect.defects import DEFECTS, KEYS
from photodefect.labels.table import LabelledPhoto
from photodefect.training.compact_settings import CompactSettings
from photodefect.training.cross_validation import expert_scores
from photodefect.training.experts import ExpertRecipe, compact_column
from photodefect.training.imagenet import load_imagenet_trunk
from photodefect.training.rated_samples import FramedViews, RatedSamples
from photodefect.training.teaching import learn_framing
from photodefect.training.trunk_features import compact_trunk
from photodefect.training.tuning import TuningRecipe, tune_to_votes, with_tuned

PHOTOS = 60


@pytest.fixture
def network() -> MultiColumnNetwork:
    torch.manual_seed(0)
    network = build_network("lite0", "holistic")
    load_imagenet_trunk(compact_trunk(network))
    return network.eval()


@pytest.fixture
def people(network: MultiColumnNetwork) -> RatedSamples:
    """Photos whose haze shows in what the tuned blocks take and nowhere else; other defects are drawn at random."""
    rng = np.random.default_rng(0)
    trunk = compact_trunk(network)
    severities = rng.choice(np.array([0, 0.5, 1], np.float32), (PHOTOS, len(KEYS)))
    photos = []
    for number, own in enumerate(severities.tolist()):
        told = dict(zip(KEYS, own, strict=True))
        votes = {key: (value,) * 3 for key, value in told.items()}
        photos.append(LabelledPhoto(Path(f"{number}.jpg"), told, votes, ("a", "b", "c"), f"{number}.jpg"))
    carried = rng.normal(size=(PHOTOS, 3, trunk.lite0.channels[10], 14, 14))
    carried[:, :, ::2] += 2 * severities[:, KEYS.index("haze"), None, None, None, None]
    by = rng.choice(np.array([0, 1, np.nan], np.float32), (PHOTOS, 3))
    # What is cut shows at one border, and there only.
    framed = rng.normal(size=(PHOTOS, 3, *carried.shape[2:]))
    framed[..., :4] += 3 * np.nan_to_num(by)[:, :, None, None, None]
    return RatedSamples(
        tuple(photos),
        torch.from_numpy(rng.random((PHOTOS, 3, trunk.own.described))).half(),
        torch.from_numpy(carried).half(),
        torch.empty(PHOTOS, 0, 0),
        rng.random((PHOTOS, 1)).astype(np.float32),
        FramedViews(
            torch.from_numpy(rng.random((PHOTOS, 3, trunk.own.described))).half(), torch.from_numpy(framed).half(), by
        ),
        torch.empty(PHOTOS, 0, 0),
        severities,
    )


def test_what_is_learnt_from_some_photos_tells_of_others_by_the_tuned_blocks_and_leaves_the_trunk_alone(
    network: MultiColumnNetwork, people: RatedSamples
) -> None:
    trunk = compact_trunk(network)
    assert trunk.tuned is not None
    own, initial = ({name: t.clone() for name, t in b.state_dict().items()} for b in (trunk.lite0, trunk.tuned))
    lines: list[str] = []
    chosen, left = np.arange(40), np.arange(40, PHOTOS)
    tune_to_votes(network, people, chosen, TuningRecipe(epochs=6, batch=8), lines.append)
    assert all(torch.equal(tensor, own[name]) for name, tensor in trunk.lite0.state_dict().items())
    moved = [
        not torch.equal(p, initial[name]) for name, p in trunk.tuned.named_parameters() if name.endswith("conv.weight")
    ]
    assert moved
    assert all(moved)
    assert len(lines) == 6
    for defect in DEFECTS:
        column = compact_column(network, defect.key)
        column.yields = None
        column.shares.copy_(torch.tensor([float(teacher == "tuning") for teacher in column.teachers]))
    scores = expert_scores(network, with_tuned(network, people.whole[left, 0], people.carried[left, 0]))
    assert spearmanr(scores["haze"], people.severities[left, KEYS.index("haze")])[0] > 0.8


def test_tuning_begins_anew_and_gives_the_same_again(network: MultiColumnNetwork, people: RatedSamples) -> None:
    found = []
    for _ in range(2):
        tune_to_votes(network, people, np.arange(16), TuningRecipe(epochs=1, batch=8), lambda _line: None)
        found.append({name: tensor.clone() for name, tensor in network.state_dict().items()})
    assert all(torch.equal(tensor, found[1][name]) for name, tensor in found[0].items())


def test_how_badly_a_view_is_framed_is_learnt_from_some_photos_by_composition_alone_and_tells_of_others(
    network: MultiColumnNetwork, people: RatedSamples
) -> None:
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    settings = CompactSettings(framing=ExpertRecipe(epochs=12, batch=8))
    learn_framing(network, people, settings, chosen=np.arange(40), say=lambda _line: None)
    moved = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    assert moved
    assert all(name.startswith("columns.bad_composition.experts.synthesis.") for name in moved)
    column = compact_column(network, "bad_composition")
    column.shares.copy_(torch.tensor([1.0, 0.0, 0.0]))
    left = np.arange(40, PHOTOS)
    views, carried = people.framed.views[left, 0], people.framed.carried[left, 0]
    scores = expert_scores(network, with_tuned(network, views, carried))["bad_composition"]
    by = people.framed.by[left, 0]
    assert scores[by == 1].min() > scores[by == 0].max()


def test_a_layer_that_takes_over_a_folded_one_gives_what_that_gives() -> None:
    torch.manual_seed(0)
    layer, folded = (ConvNorm(3, 8, 3, padding=1, eps=1e-3).eval() for _ in range(2))
    norm = folded.norm
    assert isinstance(norm, torch.nn.BatchNorm2d)
    for tensor in (norm.running_mean, norm.running_var, norm.weight, norm.bias):
        torch.nn.init.uniform_(tensor, 0.5, 2)  # type: ignore[arg-type]
    x = torch.rand(2, 3, 8, 8)
    with torch.inference_mode():
        wanted = folded(x)
        fold_batch_norms(folded)
        layer.unfold(folded)
        torch.testing.assert_close(layer(x), wanted)
