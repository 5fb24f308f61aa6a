"""The settings of a training run: named recipes and what goes around them, checked, as typed dataclasses."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias, get_args

from photodefect.core.batches import Loss
from photodefect.core.network.registry import KINDS, NETWORKS, Kind

Inputs: TypeAlias = Literal["holistic", "patches", "both"]


class SettingError(ValueError):
    """A setting can't be used. The message begins with the option that gives it."""


def _choice(flag: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise SettingError(f"{flag} is {value!r}, not one of {', '.join(choices)}")


def _above(flag: str, value: float, limit: float) -> None:
    if not (math.isfinite(value) and value > limit):
        raise SettingError(f"{flag} is {value}, not above {limit:g}")


def _within(flag: str, value: float, lowest: float, highest: float) -> None:
    if not lowest <= value <= highest:
        raise SettingError(f"{flag} is {value}, outside {lowest:g}..{highest:g}")


@dataclass(frozen=True)
class Recipe:
    """How the weights are found, from the optimizer to the labels that count.

    Attributes:
        description: one line for people.
        optimizer: ``sgd`` (with ``momentum``) or ``adamw``.
        learning_rate: of the shared trunk, at the start.
        column_factor: the columns learn this many times faster.
        momentum: of SGD.
        weight_decay: of either optimizer.
        batch: samples a step from the source of each defect; the source of one defect is not that of another.
        steps: steps at most.
        schedule: ``steps``: every ``decay_every`` steps the rates are multiplied by ``decay``; ``cosine``: they
            fall to zero along a cosine over all steps.
        decay: see ``schedule``.
        decay_every: see ``schedule``.
        warmup: steps over which the rates rise from zero first; a tenth of all steps at most.
        loss: ``infogain`` (section 4.2), or ``euclidean``: half the squared error of the expected severity, unweighted.
        labels: ``own``: a sample counts for the defect that it was drawn for; ``all``: for every defect with a label.
        frozen_norms: the trunk's batch norms keep the statistics and weights that they begin with.
    """

    description: str
    optimizer: Literal["sgd", "adamw"]
    learning_rate: float
    column_factor: float = 10.0
    momentum: float = 0.9
    weight_decay: float = 0.0002
    batch: int = 32
    steps: int = 64_000
    schedule: Literal["steps", "cosine"] = "steps"
    decay: float = 0.96
    decay_every: int = 6_400
    warmup: int = 0
    loss: Loss = "infogain"
    labels: Literal["own", "all"] = "own"
    frozen_norms: bool = False

    def __post_init__(self) -> None:
        _choice("--recipe", self.optimizer, ("sgd", "adamw"))
        _choice("--recipe", self.schedule, ("steps", "cosine"))
        _choice("--recipe", self.labels, ("own", "all"))
        _choice("--loss", self.loss, get_args(Loss))
        _above("--learning-rate", self.learning_rate, 0.0)
        _above("--column-factor", self.column_factor, 0.0)
        _within("--momentum", self.momentum, 0.0, 0.999)
        _within("--weight-decay", self.weight_decay, 0.0, 1.0)
        _within("--batch", self.batch, 1, 4096)
        _within("--steps", self.steps, 1, 10**9)
        _within("--recipe", self.decay, 0.01, 1.0)
        _within("--recipe", self.decay_every, 1, 10**9)
        _within("--recipe", self.warmup, 0, 10**9)

    def rate_factor(self, step: int) -> float:
        """What the learning rates are multiplied by at a step, 0 for the first."""
        warm = min(1.0, (step + 1) / (min(self.warmup, self.steps // 10) + 1))
        if self.schedule == "cosine":
            return warm * 0.5 * (1 + math.cos(math.pi * min(step, self.steps) / self.steps))
        return warm * self.decay ** (step // self.decay_every)


RECIPES: Final[Mapping[str, Recipe]] = MappingProxyType(
    {
        "paper": Recipe("as in section 4.5: SGD on everything, slowly", optimizer="sgd", learning_rate=1e-4),
        "finetune": Recipe(
            "for networks with good weights: AdamW along a cosine, every label of a sample counts",
            optimizer="adamw",
            learning_rate=3e-5,
            column_factor=10.0,
            weight_decay=0.02,
            batch=8,
            steps=4_000,
            schedule="cosine",
            warmup=100,
            labels="all",
            frozen_norms=True,
        ),
    }
)
"""The recipes by name.

``paper`` has every number that the paper gives. What it doesn't give, decided here: a batch of 32 is 32 samples of
each defect's own source, as a layer that feeds one column of the network; rates and decay hold for all parameters of
a kind; training ends with the validation photos or after ten of its annealing periods.
"""


@dataclass(frozen=True)
class Settings:
    """A whole run.

    Attributes:
        network: key of :data:`~photodefect.core.network.registry.NETWORKS`.
        recipe: how to train.
        recipe_name: its name in :data:`RECIPES`.
        inputs: ``holistic``, ``patches``, or ``both``: one network after the other.
        init: ``imagenet``, ``random`` or a model's folder; what training begins from.
        seed: of initial weights, split, samples, synthesis and dropout.
        validation: share of the photos that is held out, 0 for none.
        validate_every: steps between two looks at them.
        patience: so many looks without a better loss end the training; 0: never.
        checkpoint_every: steps between two checkpoints.
        keep: checkpoints kept.
        any_source: synthesis: degrade photos that don't look clean, too.
        variants: synthesis: degraded variants of each clean photo.
        rebalanced: synthesis: share of the variants in which one defect is drawn evenly over its whole range.
        window: photos whose samples are shuffled together.
        cache_mb: memory for samples that wait for their turn, in megabytes.
        workers: threads that decode and degrade; 0: one a core.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
    """

    network: str = "lite0"
    recipe: Recipe = RECIPES["paper"]
    recipe_name: str = "paper"
    inputs: Inputs = "both"
    init: str = "imagenet"
    seed: int = 0
    validation: float = 0.1
    validate_every: int = 1_000
    patience: int = 10
    checkpoint_every: int = 1_000
    keep: int = 3
    any_source: bool = False
    variants: int = 12
    rebalanced: float = 0.5
    window: int = 128
    cache_mb: int = 1_024
    workers: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        _choice("--network", self.network, tuple(NETWORKS))
        _choice("--inputs", self.inputs, get_args(Inputs))
        _within("--seed", self.seed, 0, 2**32 - 1)
        _within("--validation", self.validation, 0.0, 0.9)
        _within("--validate-every", self.validate_every, 1, 10**9)
        _within("--patience", self.patience, 0, 10**6)
        _within("--checkpoint-every", self.checkpoint_every, 1, 10**9)
        _within("--keep", self.keep, 1, 10**6)
        _within("--variants", self.variants, 1, 10**5)
        _within("--rebalanced", self.rebalanced, 0.0, 1.0)
        _within("--window", self.window, 1, 10**6)
        _within("--cache-mb", self.cache_mb, 1, 10**7)
        _within("--workers", self.workers, 0, 1024)
        if not self.init:
            raise SettingError("--init is empty; it is imagenet, random or the folder of a model")

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The networks that are trained, in order."""
        return tuple(kind for kind in KINDS if self.inputs in (kind, "both"))

    def to_dict(self) -> dict[str, Any]:
        """For JSON: names and plain values."""
        return asdict(self)


_FREE: Final = frozenset(
    {
        *("recipe_name", "recipe.description", "inputs", "patience", "checkpoint_every", "keep"),
        *("cache_mb", "workers", "device"),
    }
)
"""Settings that may change when a run is resumed: they don't change what its steps do."""


def first_difference(begun: Mapping[str, Any], now: Settings) -> str | None:
    """Why a run that was begun with other settings can't go on with these; None if it can.

    Args:
        begun: :meth:`Settings.to_dict` of then.
        now: the settings of now.
    """
    old, new = _flat(begun), _flat(now.to_dict())
    free = _FREE | ({"recipe.steps"} if now.recipe.schedule == "steps" else set())
    for name, value in new.items():
        if name not in free and old.get(name) != value:
            flag = "--" + name.removeprefix("recipe.").replace("_", "-")
            return f"{flag} was {old.get(name)} when this run began and is {value} now"
    return None


def _flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    flat = {name: value for name, value in settings.items() if name != "recipe"}
    recipe = settings.get("recipe")
    if isinstance(recipe, Mapping):
        known = {item.name for item in fields(Recipe)}
        flat.update({f"recipe.{name}": value for name, value in recipe.items() if name in known})
    return flat
