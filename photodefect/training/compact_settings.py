"""The settings of the compact recipe: how the shipped weights are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from photodefect.training.degraded_features import CacheSettings
from photodefect.training.experts import ExpertRecipe
from photodefect.training.kernel_ridge import KernelRecipe
from photodefect.training.rated_features import ViewSettings
from photodefect.training.tuning import TuningRecipe

HOLISTIC_SHARE: Final[Mapping[str, float]] = MappingProxyType(
    {
        "bad_exposure": 1.0,
        "bad_white_balance": 1.0,
        "bad_saturation": 1.0,
        "noise": 0.65,
        "haze": 0.85,
        "undesired_blur": 0.5,
        "bad_composition": 1.0,
    }
)
"""Weight of the holistic score; the rest is the patches'. Chosen on real photographs (a development set)."""

LOWEST_PATCHES: Final[Mapping[str, float]] = MappingProxyType({"undesired_blur": 0.2})
"""Share of the patches that tell, those with the lowest scores; all of them where nothing is said. A photo that is
sharp somewhere is so where it is meant to be, more often than not."""

VOTES_SHARE: Final[Mapping[str, float]] = MappingProxyType(
    {
        "bad_exposure": 0.76,
        "bad_white_balance": 0.42,
        "bad_saturation": 0.7,
        "noise": 0.65,
        "haze": 0.8,
        "undesired_blur": 0.8,
        "bad_composition": 0.7,
    }
)
"""Share of the expert that learnt from votes beside that of synthesis: it agrees with people, the other one knows what
is rare among their photos and keeps the steps of one scene in order. Chosen by both."""

TUNING_SHARE: Final[Mapping[str, float]] = MappingProxyType(
    {
        "bad_exposure": 0.08,
        "bad_white_balance": 0.23,
        "bad_saturation": 0.35,
        "noise": 0.65,
        "haze": 0.3,
        "undesired_blur": 0.3,
        "bad_composition": 0.6,
    }
)
"""Share of the expert that learnt by tuning; the rest is parted between the others as :data:`VOTES_SHARE` says."""

RATED_SHARE: Final = 0.9
"""Share of votes in the loss of the experts that learn from them."""

SMOOTHING: Final = 0.4
"""How far the votes to which blocks are tuned are moved to what the votes on other photos let expect."""

LONGER: Final[Mapping[str, int]] = MappingProxyType({"bad_saturation": 6})
"""Passes over the synthetic samples by defect key, of the experts of the whole photo."""


@dataclass(frozen=True)
class CompactSettings:
    """How the shipped weights are made.

    Attributes:
        cache: what is cached of each clean photo.
        views: what is cached of each rated photo.
        holistic: how experts of the whole photo learn from synthesis; briefly, for what they learn of synthetic
            defects after that makes them worse on real ones. How much colour a photo had is learnt for longer.
        patches: how those of patches do.
        regression: of votes on whole photos.
        imitation: how experts of the whole photo learn what it says.
        votes: how those of patches learn from votes, and from some synthesis with them.
        tuning: how the last blocks are tuned to votes.
        framing: how the expert of composition learns from synthesis what these see of photos badly composed.
        synthetic: degraded pictures that experts see beside the rated ones.
        folds: parts of the rated photos that are left out in turn; what is then said of them calibrates the model.
        validation: one of so many clean photos is left out, for benchmarks.
        workers: processes that cache features.
    """

    cache: CacheSettings = field(default_factory=CacheSettings)
    views: ViewSettings = field(default_factory=ViewSettings)
    holistic: ExpertRecipe = field(default_factory=lambda: ExpertRecipe(epochs=3, batch=256, other_epochs=LONGER))
    patches: ExpertRecipe = field(default_factory=lambda: ExpertRecipe(epochs=3, batch=512))
    regression: KernelRecipe = field(default_factory=KernelRecipe)
    imitation: ExpertRecipe = field(
        default_factory=lambda: ExpertRecipe(epochs=6, batch=256, largest_weight=1.0, dropout=0.0)
    )
    votes: ExpertRecipe = field(default_factory=lambda: ExpertRecipe(epochs=3, batch=256))
    tuning: TuningRecipe = field(default_factory=TuningRecipe)
    framing: ExpertRecipe = field(default_factory=lambda: ExpertRecipe(epochs=5, batch=256))
    synthetic: int = 12_000
    folds: int = 5
    validation: int = 10
    workers: int = 2
