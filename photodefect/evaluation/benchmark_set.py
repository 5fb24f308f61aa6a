"""One set of a benchmark, judged: a ladder, pairs or a pool."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from photodefect.defects import BY_KEY, DEFECTS
from photodefect.evaluation.benchmark_manifest import Entry, Kind
from photodefect.evaluation.benchmark_result import Metric, SetScore, Specificity
from photodefect.evaluation.spearman import (
    Estimate,
    bootstrap_mean,
    interval,
    share_above,
    spearman,
)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ScoredEntry:
    """An entry of the manifest and its scores by defect key, nan where there is none."""

    entry: Entry
    scores: Mapping[str, float]


def _levels_of(rows: Sequence[ScoredEntry]) -> Floats:
    return np.array([row.entry.level for row in rows])


def scores_of(rows: Sequence[ScoredEntry], key: str) -> Floats:
    """Scores of one defect, (N,), nan where there is none."""
    return np.array([row.scores[key] for row in rows])


def _correlation(levels: Floats, scores: Floats) -> float:
    """Spearman's; a ladder on which all scores are equal counts 0: there is an order, and they don't follow it."""
    value = spearman(levels, scores)
    return 0.0 if value is None else value


def _unchanged(values: Floats) -> Floats:
    return values


FEWEST_POSITIVES: Final = 2
FEWEST_NEGATIVES: Final = 3


@dataclass(frozen=True)
class SetJudge:
    """Judges the photos of one set that are there for one defect (``key``), with a number of resamples an interval."""

    name: str
    group: str
    key: str
    kind: Kind
    rows: Sequence[ScoredEntry]
    rng: np.random.Generator
    resamples: int

    @cached_property
    def scenes(self) -> tuple[list[ScoredEntry], ...]:
        """The rows of each scene."""
        scenes: dict[str, list[ScoredEntry]] = defaultdict(list)
        for row in self.rows:
            scenes[row.entry.scene].append(row)
        return tuple(scenes.values())

    def ladder(self) -> list[SetScore]:
        """Correlation within each scene."""
        scenes = self._usable_scenes()
        if not scenes:
            return []
        everything = [row for scene in scenes for row in scene]
        forms: list[tuple[Metric, Callable[[Floats], Floats]]] = [("rho", _unchanged)]
        if BY_KEY[self.key].signed:
            forms = [("signed rho", _unchanged), ("absolute rho", np.abs)]
        results = []
        for metric, form in forms:
            within, far = [], []
            for scene in scenes:
                levels, scores = form(_levels_of(scene)), form(scores_of(scene, self.key))
                within.append(_correlation(levels, scores))
                low, high = np.quantile(levels, (1 / 3, 2 / 3))
                if low < high:
                    far.append(share_above(scores[levels >= high], scores[levels <= low]))
            results.append(
                self._score(
                    metric,
                    bootstrap_mean(np.array(within), self.rng, self.resamples),
                    len(scenes),
                    far=float(np.mean(far)) if far else None,
                    across=_correlation(form(_levels_of(everything)), form(scores_of(everything, self.key))),
                )
            )
        return results

    def pair(self) -> list[SetScore]:
        """Accuracy within each scene."""
        scenes = self._usable_scenes()
        accuracies = [share for scene in scenes if (share := self._share_won(scene, self.key)) is not None]
        if not accuracies:
            return []
        across = self._share_won([row for scene in scenes for row in scene], self.key)
        estimate = bootstrap_mean(np.array(accuracies), self.rng, self.resamples)
        return [self._score("accuracy", estimate, len(accuracies), across=across)]

    def pool(self, good: Sequence[ScoredEntry]) -> list[SetScore]:
        """Area under the ROC curve; resamples are of the positives' scenes and of the negatives."""
        known = [row for row in self.rows if not math.isnan(row.scores[self.key])]
        positives = [row for row in known if row.entry.level > 0]
        negatives = [row for row in known if row.entry.level == 0]
        negatives += [row for row in good if not math.isnan(row.scores[self.key])]
        if len(positives) < FEWEST_POSITIVES or len(negatives) < FEWEST_NEGATIVES:
            return []
        low = scores_of(negatives, self.key)
        by_scene: dict[str, list[ScoredEntry]] = defaultdict(list)
        for row in positives:
            by_scene[row.entry.scene].append(row)
        scenes = [scores_of(rows, self.key) for rows in by_scene.values()]

        def resample() -> float:
            chosen = [scenes[index] for index in self.rng.integers(0, len(scenes), len(scenes))]
            return share_above(np.concatenate(chosen), self.rng.choice(low, len(low)))

        value = share_above(scores_of(positives, self.key), low)
        return [
            self._score("AUC", interval(resample, value, self.resamples), len(positives) + len(negatives)),
        ]

    def specificity(self) -> Specificity:
        """How every defect's score follows the levels."""
        follows: dict[str, float | None] = {}
        for defect in DEFECTS:
            values = []
            for scene in self.scenes:
                levels, scores = np.abs(_levels_of(scene)), scores_of(scene, defect.key)
                if defect.signed:
                    scores = np.abs(scores)
                if np.isnan(scores).any() or levels.min() == levels.max():
                    continue
                if self.kind == "ladder":
                    values.append(_correlation(levels, scores))
                elif (levels == 0).any():
                    values.append(2 * share_above(scores[levels > 0], scores[levels == 0]) - 1)
            follows[defect.key] = float(np.mean(values)) if values else None
        return Specificity(self.name, self.key, self.kind, follows)

    def _usable_scenes(self) -> list[list[ScoredEntry]]:
        """Scenes of which every photo has a prediction, and that have more than one level."""
        return [
            scene
            for scene in self.scenes
            if not np.isnan(scores_of(scene, self.key)).any() and len(set(_levels_of(scene).tolist())) > 1
        ]

    @staticmethod
    def _share_won(rows: Sequence[ScoredEntry], key: str) -> float | None:
        levels, scores = _levels_of(rows), scores_of(rows, key)
        if not (levels > 0).any() or not (levels == 0).any():
            return None
        return share_above(scores[levels > 0], scores[levels == 0])

    def _score(
        self, metric: Metric, score: Estimate, scenes: int, far: float | None = None, across: float | None = None
    ) -> SetScore:
        return SetScore(self.name, self.group, self.key, self.kind, metric, score, far, across, scenes, len(self.rows))
