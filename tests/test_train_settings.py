"""What a training run may be told, and what it says of what it may not."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import Any

import pytest

from photodefect.training.settings import RECIPES, Recipe, SettingError, Settings, first_difference


def test_the_papers_recipe_has_every_number_of_section_4_5() -> None:
    recipe = RECIPES["paper"]
    assert (recipe.optimizer, recipe.momentum, recipe.weight_decay, recipe.batch) == ("sgd", 0.9, 0.0002, 32)
    assert (recipe.learning_rate, recipe.column_factor) == (0.0001, 10)
    assert (recipe.loss, recipe.labels, recipe.frozen_norms) == ("infogain", "own", False)
    assert [recipe.rate_factor(step) for step in (0, 6399, 6400, 12799)] == [1, 1, 0.96, 0.96]
    assert recipe.rate_factor(12_800) == pytest.approx(0.9216)


def test_a_cosine_begins_warm_and_ends_at_zero() -> None:
    recipe = Recipe("", optimizer="adamw", learning_rate=1.0, schedule="cosine", steps=100, warmup=9)
    assert recipe.rate_factor(0) == pytest.approx(0.1)
    assert recipe.rate_factor(50) == pytest.approx(0.5)
    assert recipe.rate_factor(99) == pytest.approx(0.5 * (1 + math.cos(math.pi * 0.99)))
    assert recipe.rate_factor(100) == pytest.approx(0)
    assert replace(recipe, steps=20, warmup=500).rate_factor(2) == pytest.approx(0.5 * (1 + math.cos(math.pi * 0.1)))


@pytest.mark.parametrize(
    ("change", "flag"),
    [
        ({"learning_rate": 0.0}, "--learning-rate"),
        ({"learning_rate": math.nan}, "--learning-rate"),
        ({"batch": 0}, "--batch"),
        ({"steps": 0}, "--steps"),
        ({"momentum": 1.0}, "--momentum"),
        ({"weight_decay": -0.1}, "--weight-decay"),
        ({"column_factor": -1.0}, "--column-factor"),
        ({"loss": "hinge"}, "--loss"),
    ],
)
def test_a_wrong_number_in_a_recipe_is_told_by_its_option(change: dict[str, Any], flag: str) -> None:
    with pytest.raises(SettingError, match=f"^{flag} is "):
        replace(RECIPES["paper"], **change)


@pytest.mark.parametrize(
    ("change", "flag"),
    [
        ({"network": "vgg"}, "--network"),
        ({"inputs": "neither"}, "--inputs"),
        ({"validation": 1.0}, "--validation"),
        ({"validate_every": 0}, "--validate-every"),
        ({"patience": -1}, "--patience"),
        ({"checkpoint_every": 0}, "--checkpoint-every"),
        ({"keep": 0}, "--keep"),
        ({"seed": -1}, "--seed"),
        ({"init": ""}, "--init"),
        ({"variants": 0}, "--variants"),
        ({"rebalanced": 1.5}, "--rebalanced"),
        ({"window": 0}, "--window"),
        ({"cache_mb": 0}, "--cache-mb"),
        ({"workers": -1}, "--workers"),
    ],
)
def test_a_wrong_setting_is_told_by_its_option(change: dict[str, Any], flag: str) -> None:
    with pytest.raises(SettingError, match=f"^{flag} is "):
        Settings(**change)


def test_both_inputs_are_two_networks_one_after_the_other() -> None:
    assert Settings(inputs="both").kinds == ("holistic", "patches")
    assert Settings(inputs="patches").kinds == ("patches",)


def test_what_changes_the_steps_of_a_run_can_not_change_when_it_is_resumed() -> None:
    begun = json.loads(json.dumps(Settings().to_dict()))
    assert first_difference(begun, Settings()) is None
    faster = Settings(recipe=replace(RECIPES["paper"], learning_rate=0.001))
    assert first_difference(begun, faster) == "--learning-rate was 0.0001 when this run began and is 0.001 now"
    assert first_difference(begun, Settings(seed=1)) == "--seed was 0 when this run began and is 1 now"
    assert first_difference(begun, Settings(validation=0.2)) is not None
    any_source = "--any-source was False when this run began and is True now"
    assert first_difference(begun, Settings(any_source=True)) == any_source


def test_more_steps_patience_or_workers_may_be_given_to_a_resumed_run() -> None:
    begun = Settings().to_dict()
    longer = Settings(recipe=replace(RECIPES["paper"], steps=100_000), patience=3, keep=9, workers=4, device="cpu")
    assert first_difference(begun, longer) is None


def test_the_steps_of_a_cosine_belong_to_its_rates() -> None:
    begun = Settings(recipe=RECIPES["finetune"]).to_dict()
    longer = Settings(recipe=replace(RECIPES["finetune"], steps=8_000))
    assert first_difference(begun, longer) == "--steps was 4000 when this run began and is 8000 now"
