"""The settings of the compact recipe: how the shipped weights are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from photodefect.training.columns import ColumnRecipe
from photodefect.training.features import (
    CacheSettings,
)
from photodefect.training.tuning import (
    TuningRecipe,
)

HOLISTIC_SHARE: Final[Mapping[str, float]] = MappingProxyType(
    {
        "bad_exposure": 1.0,
        "bad_white_balance": 1.0,
        "bad_saturation": 1.0,
        "noise": 0.5,
        "haze": 0.85,
        "undesired_blur": 0.4,
        "bad_composition": 1.0,
    }
)
"""Weight of the holistic score; the rest is the patches'. Chosen on real photographs (a development set)."""

LONGER: Final[Mapping[str, int]] = MappingProxyType({"bad_saturation": 6})
"""Passes over the samples by defect key, of the columns of the whole photo."""


@dataclass(frozen=True)
class CompactSettings:
    """How the shipped weights are made.

    Attributes:
        cache: what is cached of each photo.
        holistic: how the columns of the holistic network are trained; briefly, for what they learn of synthetic
            defects after that makes them worse on real ones. How much colour a photo had is learnt for longer.
        patches: how those of the patch network are trained.
        tuning: how the last stage of the holistic network's trunk is tuned before.
        holistic_share: weight of the holistic score by defect.
        validation: one of so many photos is held out for calibration.
        workers: processes that cache features.
    """

    cache: CacheSettings = field(default_factory=CacheSettings)
    holistic: ColumnRecipe = field(default_factory=lambda: ColumnRecipe(epochs=3, batch=256, other_epochs=LONGER))
    patches: ColumnRecipe = field(default_factory=lambda: ColumnRecipe(epochs=3, batch=512))
    tuning: TuningRecipe = field(default_factory=TuningRecipe)
    holistic_share: Mapping[str, float] = field(default_factory=lambda: HOLISTIC_SHARE)
    validation: int = 10
    workers: int = 2
