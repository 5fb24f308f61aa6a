"""The training loop, on a network of a few weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_training import MemoryPhotos, TinyColumn, grey_photos, tiny_network
from torch import Tensor

from photodefect.core.network.multicolumn import MultiColumnNetwork
from photodefect.core.network.registry import Kind
from photodefect.training.checkpoint import checkpoints, load_checkpoint
from photodefect.training.listener import Listener, StepReport
from photodefect.training.loop import Outcome, Split, make_optimizer, set_training_mode, train_network
from photodefect.training.samples import SampleReader
from photodefect.training.settings import RECIPES, Settings
from photodefect.training.team import ALONE, Team
from photodefect.training.validation import ValidationLoss

FAST = replace(RECIPES["paper"], learning_rate=0.01, batch=2, steps=20, decay_every=6)


class Diary(Listener):
    """Notes what it hears; at ``stop_at`` it asks to stop."""

    def __init__(self, stop_at: int = 0) -> None:
        self.reports: list[StepReport] = []
        self.looks: list[tuple[int, float, bool]] = []
        self.stop_at = stop_at

    def step(self, report: StepReport) -> None:
        self.reports.append(report)

    def validated(self, kind: Kind, step: int, found: ValidationLoss, *, improved: bool) -> None:  # noqa: ARG002
        self.looks.append((step, found.loss, improved))

    def asks(self) -> bool:
        return bool(self.reports) and self.reports[-1].step == self.stop_at


def train(
    folder: Path,
    network: MultiColumnNetwork | None = None,
    *,
    kind: Kind = "holistic",
    photos: MemoryPhotos | None = None,
    resume: bool = False,
    diary: Diary | None = None,
    team: Team = ALONE,
    **changes: Any,
) -> tuple[Outcome, MultiColumnNetwork]:
    settings = replace(
        Settings(recipe=FAST, init="random", validation=0.25, validate_every=4, checkpoint_every=100), **changes
    )
    network = network or tiny_network(kind)
    photos = photos or grey_photos()
    count = len(photos.photos)
    held = np.arange(count) < round(settings.validation * count)
    diary = diary or Diary()
    with torch.random.fork_rng(), SampleReader(photos, seed=settings.seed, workers=1, cache_mb=50) as reader:
        outcome = train_network(
            network,
            kind,
            reader=reader,
            split=Split(np.flatnonzero(~held), np.flatnonzero(held)),
            settings=settings,
            folder=folder,
            device=torch.device("cpu"),
            checkpoint=load_checkpoint(checkpoints(folder)[-1], network="lite0", kind=kind) if resume else None,
            listener=diary,
            stop=diary.asks,
            team=team,
        )
    return outcome, network


def assert_equal_states(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> None:
    assert list(one) == list(other)
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name


@pytest.mark.parametrize(
    ("kind", "recipe"),
    [("holistic", FAST), ("patches", replace(RECIPES["finetune"], batch=2, steps=20, warmup=3))],
)
def test_twenty_steps_are_ten_and_a_resumed_ten_bit_for_bit(tmp_path: Path, kind: Kind, recipe: Any) -> None:
    whole, one, two = Diary(), Diary(stop_at=10), Diary()
    straight, network = train(tmp_path / "straight", kind=kind, diary=whole, recipe=recipe)
    stopped, _ = train(tmp_path / "halves", kind=kind, diary=one, recipe=recipe)
    assert stopped.reason == "stopped"
    assert stopped.progress.step == 10
    other_weights = tiny_network(kind, seed=99)
    resumed, same_network = train(tmp_path / "halves", other_weights, kind=kind, diary=two, resume=True, recipe=recipe)

    assert_equal_states(network.state_dict(), same_network.state_dict())
    assert_equal_states(straight.weights, resumed.weights)
    assert straight.progress == resumed.progress
    assert [report.losses for report in whole.reports] == [report.losses for report in one.reports + two.reports]
    assert [report.learning_rate for report in whole.reports][10:] == [report.learning_rate for report in two.reports]
    assert whole.looks == one.looks + two.looks
    ends = [
        load_checkpoint(checkpoints(tmp_path / run)[-1], network="lite0", kind=kind) for run in ("straight", "halves")
    ]
    assert_equal_states(ends[0].random, ends[1].random)
    for index, moments in ends[0].optimizer["state"].items():
        for name, value in moments.items():
            assert torch.equal(torch.as_tensor(value), torch.as_tensor(ends[1].optimizer["state"][index][name]))


def test_a_run_that_is_given_more_steps_has_looked_once_more_and_learnt_the_same(tmp_path: Path) -> None:
    whole, one, two = Diary(), Diary(), Diary()
    _, network = train(tmp_path / "straight", diary=whole)
    ended, _ = train(tmp_path / "longer", diary=one, recipe=replace(FAST, steps=10))
    assert ended.reason == "steps"
    _, same_network = train(tmp_path / "longer", tiny_network(seed=99), diary=two, resume=True)
    assert_equal_states(network.state_dict(), same_network.state_dict())
    looks = {step: loss for step, loss, _ in one.looks + two.looks}
    assert {step: loss for step, loss, _ in whole.looks} == {step: looks[step] for step in (4, 8, 12, 16, 20)}
    assert sorted(looks) == [4, 8, 10, 12, 16, 20], "the look at the former end is one that the straight run lacks"


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(tmp_path: Path) -> None:
    recipe = replace(FAST, steps=4)
    _, one = train(tmp_path / "one", recipe=recipe)
    _, again = train(tmp_path / "again", recipe=recipe)
    _, other = train(tmp_path / "other", recipe=recipe, seed=1)
    assert_equal_states(one.state_dict(), again.state_dict())
    assert not torch.equal(one.state_dict()["trunk.1.weight"], other.state_dict()["trunk.1.weight"])


def test_a_network_learns_to_tell_grey_levels(tmp_path: Path) -> None:
    photos = grey_photos(6)
    recipe = replace(FAST, learning_rate=0.02, batch=8, steps=25)
    network = tiny_network()
    for column in (network.column(defect.key) for defect in network.defects):
        assert isinstance(column, TinyColumn)
        column.dropout.p = 0.0
    diary = Diary()
    train(tmp_path, network, photos=photos, recipe=recipe, validation=0.0, diary=diary)
    assert diary.reports[-1].loss < 0.75 * diary.reports[0].loss
    assert not diary.looks


def test_trunk_and_columns_learn_at_the_recipes_rates_with_its_momentum_and_decay() -> None:
    network = tiny_network()
    optimizer = make_optimizer(network, RECIPES["paper"])
    trunk, columns = optimizer.param_groups
    assert (trunk["lr"], columns["lr"]) == (0.0001, pytest.approx(0.001))
    for group in (trunk, columns):
        assert (group["momentum"], group["weight_decay"], group["nesterov"]) == (0.9, 0.0002, False)
    assert {id(it) for it in trunk["params"]} == {id(it) for it in network.trunk.parameters()}
    assert {id(it) for it in columns["params"]} == {id(it) for it in network.columns.parameters()}


def test_one_step_moves_the_weights_by_rate_times_gradient_and_columns_ten_times_as_far(tmp_path: Path) -> None:
    """SGD's first step: w - lr (g + decay w), where the gradient is that of the sum of the defects' losses."""
    from itertools import islice  # noqa: PLC0415

    from photodefect.core.losses import defect_losses, infogain_matrices  # noqa: PLC0415
    from photodefect.training.samples import Batches  # noqa: PLC0415

    def still(network: MultiColumnNetwork) -> MultiColumnNetwork:
        for defect in network.defects:
            column = network.column(defect.key)
            assert isinstance(column, TinyColumn)
            column.dropout.p = 0.0
        return network

    _, trained = train(tmp_path, still(tiny_network()), recipe=replace(FAST, steps=1, weight_decay=0.1), validation=0.0)
    network, photos = still(tiny_network()).train(), grey_photos()
    with SampleReader(photos, seed=0, workers=1, cache_mb=50) as reader:
        batches = Batches(reader, np.arange(8), "holistic", seed=0, batch=2, window=128, labels="own")
        (batch,) = islice(batches.from_step(0), 1)
        matrices = infogain_matrices(photos, np.arange(8), batches.effective_counts())
        sum(defect_losses(network, batch, "infogain", matrices).values()).backward()  # type: ignore[union-attr]
    moved = dict(trained.named_parameters())
    for name, parameter in network.named_parameters():
        rate = 0.01 if name.startswith("trunk.") else 0.1
        assert parameter.grad is not None
        expected = parameter - rate * (parameter.grad + 0.1 * parameter)
        assert torch.allclose(moved[name], expected, atol=1e-6), name


def test_the_rates_follow_the_recipe(tmp_path: Path) -> None:
    diary = Diary()
    train(tmp_path, diary=diary)
    rates = [report.learning_rate for report in diary.reports]
    assert rates == pytest.approx([0.01 * 0.96 ** (step // 6) for step in range(20)])


def test_the_best_weights_are_kept_and_training_ends_when_patience_does(tmp_path: Path) -> None:
    """With a rate far too high nothing gets better: what was best stays."""
    diary = Diary()
    recipe = replace(FAST, learning_rate=5.0, steps=200)
    outcome, network = train(tmp_path, recipe=recipe, patience=3, validate_every=2, diary=diary)
    assert outcome.reason == "patience"
    losses = [loss for _, loss, _ in diary.looks]
    best = int(np.argmin(losses))
    assert len(losses) == best + 1 + 3
    assert outcome.progress.best == losses[best]
    assert outcome.progress.best_step == diary.looks[best][0]
    assert [improved for _, _, improved in diary.looks[best:]] == [True, False, False, False]
    assert not torch.equal(outcome.weights["trunk.1.weight"], network.state_dict()["trunk.1.weight"])


def test_a_run_that_lost_patience_is_not_taken_up_again(tmp_path: Path) -> None:
    recipe = replace(FAST, learning_rate=5.0, steps=200)
    outcome, _ = train(tmp_path, recipe=recipe, patience=2, validate_every=2)
    diary = Diary()
    again, _ = train(tmp_path, recipe=recipe, patience=2, validate_every=2, resume=True, diary=diary)
    assert diary.reports == []
    assert (again.reason, again.progress) == (outcome.reason, outcome.progress)
    assert_equal_states(outcome.weights, again.weights)


def test_looking_at_the_validation_photos_changes_nothing(tmp_path: Path) -> None:
    recipe = replace(FAST, steps=6)
    _, often = train(tmp_path / "often", recipe=recipe, validate_every=1, patience=0)
    _, once = train(tmp_path / "once", recipe=recipe, validate_every=6, patience=0)
    assert_equal_states(often.state_dict(), once.state_dict())


def test_frozen_norms_keep_their_statistics_and_weights_while_the_rest_learns(tmp_path: Path) -> None:
    before = tiny_network().state_dict()
    _, network = train(tmp_path, recipe=replace(FAST, frozen_norms=True, steps=3))
    after = network.state_dict()
    for name in ("running_mean", "running_var", "weight", "bias"):
        assert torch.equal(before[f"trunk.2.{name}"], after[f"trunk.2.{name}"])
    assert not torch.equal(before["trunk.1.weight"], after["trunk.1.weight"])
    assert not torch.equal(
        before["columns.haze.convolution.1.running_mean"], after["columns.haze.convolution.1.running_mean"]
    )
    set_training_mode(network, FAST)
    assert network.trunk.training


def test_checkpoints_come_in_time_and_the_last_ones_stay(tmp_path: Path) -> None:
    train(tmp_path, checkpoint_every=6, keep=2, validation=0.0)
    assert [path.name for path in checkpoints(tmp_path)] == ["step-00000018.pt", "step-00000020.pt"]
    assert {path.suffix for path in tmp_path.iterdir()} == {".pt"}, "no temporary file is left"


def test_a_report_tells_every_defect_and_the_time_left(tmp_path: Path) -> None:
    diary = Diary()
    train(tmp_path, diary=diary, kind="patches", recipe=replace(FAST, steps=8))
    report = diary.reports[4]
    assert len(report.losses) == 6
    assert report.loss == pytest.approx(sum(report.losses.values()))
    assert (report.step, report.steps, report.kind) == (5, 8, "patches")
    assert report.seconds > 0
    assert report.seconds_left == pytest.approx(3 * report.seconds)


def test_regression_learns_too(tmp_path: Path) -> None:
    diary = Diary()
    train(tmp_path, diary=diary, recipe=replace(FAST, loss="euclidean", steps=16, batch=8), validation=0.0)
    first, last = (np.mean([report.loss for report in part]) for part in (diary.reports[:5], diary.reports[-5:]))
    assert last < first
