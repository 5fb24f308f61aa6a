"""What is said about a benchmark: how each set is ordered, what other defects' scores do, and good photographs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from photodefect.evaluation.benchmark_manifest import Kind
from photodefect.evaluation.predictions import Source
from photodefect.evaluation.spearman import (
    Estimate,
)

Metric = Literal["rho", "signed rho", "absolute rho", "accuracy", "AUC"]
METRICS: Final[tuple[Metric, ...]] = ("rho", "signed rho", "absolute rho", "accuracy", "AUC")


@dataclass(frozen=True)
class SetScore:
    """How one set's photos are ordered.

    Attributes:
        set: its name.
        group: real unless the caller says otherwise.
        defect: key.
        kind: ladder, pair or pool.
        metric: what ``score`` is; a signed defect's ladder has two, one of them on absolute values.
        score: mean over scenes (ladder, pair) or over the pool, with its interval over scenes.
        far: ladders: share of photo pairs from a scene's lowest and highest third that are ordered rightly.
        across: the same over all scenes at once: Spearman's correlation (ladder) or AUC (pair).
        scenes: that count; of a pool the photos that count.
        photos: of the set.
    """

    set: str
    group: str
    defect: str
    kind: Kind
    metric: Metric
    score: Estimate
    far: float | None
    across: float | None
    scenes: int
    photos: int


@dataclass(frozen=True)
class Specificity:
    """How every defect's score follows one set's levels, in -1..1; the own one should be near 1, the others near 0.

    Attributes:
        set: its name.
        defect: the defect that varies.
        kind: ladder (mean of Spearman's correlation within a scene) or pair (2 x accuracy - 1).
        follows: by defect key; None where it can't be said.
    """

    set: str
    defect: str
    kind: Kind
    follows: Mapping[str, float | None]

    @property
    def cross_talk(self) -> float | None:
        """Mean of the absolute values of the other defects."""
        others = [abs(x) for key, x in self.follows.items() if key != self.defect and x is not None]
        return math.fsum(others) / len(others) if others else None


@dataclass(frozen=True)
class GoodPhotos:
    """What is said of good photographs.

    Attributes:
        photos: how many.
        severe: share above the threshold of severe.
        mild: share above the threshold of mild.
        median: of the absolute severity.
    """

    photos: int
    severe: float
    mild: float
    median: float


@dataclass(frozen=True)
class Summary:
    """Mean over the sets of one defect and group.

    Attributes:
        defect: key.
        group: of the sets.
        metric: what is averaged.
        mean: unweighted mean over the sets.
        across: mean of their ``across``, where they have one.
        sets: how many.
        scenes: in all of them.
    """

    defect: str
    group: str
    metric: Metric
    mean: float
    across: float | None
    sets: int
    scenes: int


@dataclass(frozen=True)
class BenchmarkResult:
    """All that is said about one benchmark.

    Attributes:
        manifest: its file.
        origin: file or model of the predictions.
        source: whose scores were judged.
        split: which photos.
        seed: of the resamples.
        unpredicted: photos of the manifest without a prediction, and why.
        sets: by defect, group and name.
        summary: by defect, group and metric.
        specificity: one for each ladder and pair set.
        good: by defect key; empty without good photographs.
    """

    manifest: str
    origin: str
    source: Source
    split: str
    seed: int
    unpredicted: Mapping[str, str]
    sets: tuple[SetScore, ...]
    summary: tuple[Summary, ...]
    specificity: tuple[Specificity, ...]
    good: Mapping[str, GoodPhotos]

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        record = {"schema_version": 1} | asdict(self)
        record["specificity"] = [asdict(one) | {"cross_talk": one.cross_talk} for one in self.specificity]
        return record
