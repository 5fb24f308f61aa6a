"""Benchmarks of photographs whose defects are known by order rather than by votes.

A manifest is a CSV with the columns ``path``, ``set``, ``scene``, ``defect``, ``level``, ``kind`` and ``split``. Kinds:

* ``ladder``: photos of one scene in order of severity (``level``): Spearman's correlation within each scene;
* ``pair``: photos of one scene with (level above 0) and without (0) the defect: the share of pairs ordered rightly;
* ``pool``: unrelated photos with and without the defect: the area under the ROC curve. Photos of sets named
  ``good_…`` of the same defect and split are further negatives of every pool.

Ladders and pairs are also judged across scenes: does one scale hold for all of them? And a defect's ladder must leave
the other defects' scores alone (specificity).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Literal
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from photodefect.defects import BY_KEY, DEFECTS, KEYS
from photodefect.errors import DataError
from photodefect.evaluation.predictions import Matched, Source
from photodefect.evaluation.spearman import (
    RESAMPLES,
    Estimate,
    bootstrap_mean,
    interval,
    share_above,
    spearman,
)
from photodefect.labels.table import read_table
from photodefect.verdicts import DEFAULT_THRESHOLDS

Kind = Literal["ladder", "pair", "pool"]
Metric = Literal["rho", "signed rho", "absolute rho", "accuracy", "AUC"]
Floats = NDArray[np.float64]

KINDS: Final[tuple[Kind, ...]] = ("ladder", "pair", "pool")
METRICS: Final[tuple[Metric, ...]] = ("rho", "signed rho", "absolute rho", "accuracy", "AUC")
GOOD_PREFIX: Final = "good_"
"""Sets of good photographs, without any defect, are named so."""

ALL_SPLITS: Final = "all"
DEFAULT_GROUP: Final = "real"
FEWEST_POSITIVES: Final = 2
FEWEST_NEGATIVES: Final = 3


@dataclass(frozen=True)
class Entry:
    """One row of a manifest.

    Attributes:
        name: the path as the manifest has it.
        path: the same below the manifest's folder.
        set: which collection it belongs to.
        scene: photos of one scene are compared with each other.
        defect: key of the defect that it is there for.
        level: how much of it there is, on a scale of the scene's own; negative only for a signed defect.
        kind: ladder, pair or pool.
        split: e.g. dev.
    """

    name: str
    path: Path
    set: str
    scene: str
    defect: str
    level: float
    kind: Kind
    split: str

    @property
    def is_good(self) -> bool:
        """The photo is one of those without any defect."""
        return self.set.startswith(GOOD_PREFIX)


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


def read_manifest(source: Path, split: str = ALL_SPLITS) -> tuple[Entry, ...]:
    """Read a benchmark's manifest.

    Args:
        source: the CSV; its paths start from its own folder.
        split: only the rows of this split; ``all`` for every row.

    Raises:
        DataError: a column is absent, a row is wrong, or no row is of that split.
    """
    table = read_table(source)
    table.require(
        ["path", "set", "scene", "defect", "level", "kind"], "A benchmark's manifest needs all of these columns."
    )
    entries = []
    for row, cells in table.rows:
        where = table.where(row)
        key, kind = cells["defect"], next((kind for kind in KINDS if kind == cells["kind"]), None)
        if key not in BY_KEY:
            raise DataError(f"{where}: {key!r} is no defect. The seven are {', '.join(KEYS)}.")
        if kind is None:
            raise DataError(f"{where}: the kind is {cells['kind']!r}. It is one of {', '.join(KINDS)}.")
        if not cells["path"] or not cells["set"]:
            raise DataError(f"{where}: a path and a set are needed.")
        level = _level(cells["level"], key, where)
        name = cells["path"]
        entry = Entry(
            name, source.parent / name, cells["set"], cells["scene"], key, level, kind, cells.get("split", "")
        )
        if split in (ALL_SPLITS, entry.split):
            entries.append(entry)
    if not entries:
        there = sorted({cells.get("split", "") for _, cells in table.rows})
        raise DataError(f"{source}: no row is of the split {split!r}. There are {', '.join(map(repr, there))}.")
    return tuple(entries)


def _level(text: str, key: str, where: str) -> float:
    try:
        level = float(text)
    except ValueError:
        level = math.nan
    if not math.isfinite(level) or (level < 0 and not BY_KEY[key].signed):
        raise DataError(
            f"{where}: the level is {text!r}. It is a number, from 0 (none) up; negative for saturation only."
        )
    return level


def run_benchmark(
    entries: Sequence[Entry],
    matched: Matched,
    *,
    manifest: str,
    origin: str,
    source: Source = "combined",
    split: str = ALL_SPLITS,
    groups: Mapping[str, str] | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> BenchmarkResult:
    """Judge predictions on a benchmark.

    Args:
        entries: rows of the manifest.
        matched: the prediction of each.
        manifest: what to call the benchmark.
        origin: what to call the predictions.
        source: whose scores to judge.
        split: as given to :func:`read_manifest`, for the record.
        groups: group by the beginning of a set's name; other sets are ``real``. Groups are summed up apart.
        seed: of the resamples.
        resamples: behind each interval; 0 for none.
    """
    scores = {key: matched.scores(source, key) for key in KEYS}
    judged = [
        _Row(entry, {key: float(scores[key][index]) for key in KEYS})
        for index, entry in enumerate(entries)
        if (item := matched.items[index]) is not None and item.scores
    ]
    unpredicted = {
        entry.name: "not predicted" if item is None else item.error or "no severities"
        for entry, item in zip(entries, matched.items, strict=True)
        if item is None or not item.scores
    }
    by_set: dict[tuple[str, str, Kind], list[_Row]] = defaultdict(list)
    good: dict[tuple[str, str], list[_Row]] = defaultdict(list)
    for row in judged:
        if row.entry.is_good:
            good[row.entry.defect, row.entry.split].append(row)
        else:
            by_set[row.entry.set, row.entry.defect, row.entry.kind].append(row)
    sets: list[SetScore] = []
    specificity: list[Specificity] = []
    for (name, key, kind), rows in sorted(
        by_set.items(), key=lambda item: (KEYS.index(item[0][1]), _group(item[0][0], groups), item[0][0], item[0][2])
    ):
        # Random numbers of its own, so that no set's interval depends on which others there are.
        rng = np.random.default_rng([seed, crc32(f"{name} {key} {kind}".encode())])
        judge = _Judge(name, _group(name, groups), key, kind, rows, rng, resamples)
        if kind == "ladder":
            sets += judge.ladder()
        elif kind == "pair":
            sets += judge.pair()
        else:
            sets += judge.pool(good[key, rows[0].entry.split])
        if kind != "pool":
            specificity.append(judge.specificity())
    return BenchmarkResult(
        manifest,
        origin,
        source,
        split,
        seed,
        unpredicted,
        tuple(sets),
        tuple(_summaries(sets)),
        tuple(specificity),
        _good_photos(judged),
    )


@dataclass(frozen=True)
class _Row:
    """An entry of the manifest and its scores by defect key, nan where there is none."""

    entry: Entry
    scores: Mapping[str, float]


def _levels(rows: Sequence[_Row]) -> Floats:
    return np.array([row.entry.level for row in rows])


def _scores(rows: Sequence[_Row], key: str) -> Floats:
    return np.array([row.scores[key] for row in rows])


def _correlation(levels: Floats, scores: Floats) -> float:
    """Spearman's; a ladder on which all scores are equal counts 0: there is an order, and they don't follow it."""
    value = spearman(levels, scores)
    return 0.0 if value is None else value


def _same(values: Floats) -> Floats:
    return values


@dataclass(frozen=True)
class _Judge:
    """Judges one set."""

    name: str
    group: str
    key: str
    kind: Kind
    rows: Sequence[_Row]
    rng: np.random.Generator
    resamples: int

    @cached_property
    def scenes(self) -> tuple[list[_Row], ...]:
        """The rows of each scene."""
        scenes: dict[str, list[_Row]] = defaultdict(list)
        for row in self.rows:
            scenes[row.entry.scene].append(row)
        return tuple(scenes.values())

    def ladder(self) -> list[SetScore]:
        """Correlation within each scene."""
        scenes = self._usable()
        if not scenes:
            return []
        everything = [row for scene in scenes for row in scene]
        forms: list[tuple[Metric, Callable[[Floats], Floats]]] = [("rho", _same)]
        if BY_KEY[self.key].signed:
            forms = [("signed rho", _same), ("absolute rho", np.abs)]
        results = []
        for metric, form in forms:
            within, far = [], []
            for scene in scenes:
                levels, scores = form(_levels(scene)), form(_scores(scene, self.key))
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
                    across=_correlation(form(_levels(everything)), form(_scores(everything, self.key))),
                )
            )
        return results

    def pair(self) -> list[SetScore]:
        """Accuracy within each scene."""
        scenes = self._usable()
        accuracies = [share for scene in scenes if (share := self._won(scene, self.key)) is not None]
        if not accuracies:
            return []
        across = self._won([row for scene in scenes for row in scene], self.key)
        estimate = bootstrap_mean(np.array(accuracies), self.rng, self.resamples)
        return [self._score("accuracy", estimate, len(accuracies), across=across)]

    def pool(self, good: Sequence[_Row]) -> list[SetScore]:
        """Area under the ROC curve; resamples are of the positives' scenes and of the negatives."""
        known = [row for row in self.rows if not math.isnan(row.scores[self.key])]
        positives = [row for row in known if row.entry.level > 0]
        negatives = [row for row in known if row.entry.level == 0]
        negatives += [row for row in good if not math.isnan(row.scores[self.key])]
        if len(positives) < FEWEST_POSITIVES or len(negatives) < FEWEST_NEGATIVES:
            return []
        low = _scores(negatives, self.key)
        by_scene: dict[str, list[_Row]] = defaultdict(list)
        for row in positives:
            by_scene[row.entry.scene].append(row)
        scenes = [_scores(rows, self.key) for rows in by_scene.values()]

        def resample() -> float:
            chosen = [scenes[index] for index in self.rng.integers(0, len(scenes), len(scenes))]
            return share_above(np.concatenate(chosen), self.rng.choice(low, len(low)))

        value = share_above(_scores(positives, self.key), low)
        return [
            self._score("AUC", interval(resample, value, self.resamples), len(positives) + len(negatives)),
        ]

    def specificity(self) -> Specificity:
        """How every defect's score follows the levels."""
        follows: dict[str, float | None] = {}
        for defect in DEFECTS:
            values = []
            for scene in self.scenes:
                levels, scores = np.abs(_levels(scene)), _scores(scene, defect.key)
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

    def _usable(self) -> list[list[_Row]]:
        """Scenes of which every photo has a prediction, and that have more than one level."""
        return [
            scene
            for scene in self.scenes
            if not np.isnan(_scores(scene, self.key)).any() and len(set(_levels(scene).tolist())) > 1
        ]

    @staticmethod
    def _won(rows: Sequence[_Row], key: str) -> float | None:
        levels, scores = _levels(rows), _scores(rows, key)
        if not (levels > 0).any() or not (levels == 0).any():
            return None
        return share_above(scores[levels > 0], scores[levels == 0])

    def _score(
        self, metric: Metric, score: Estimate, scenes: int, far: float | None = None, across: float | None = None
    ) -> SetScore:
        return SetScore(self.name, self.group, self.key, self.kind, metric, score, far, across, scenes, len(self.rows))


def _group(name: str, groups: Mapping[str, str] | None) -> str:
    return next((group for start, group in (groups or {}).items() if name.startswith(start)), DEFAULT_GROUP)


def _summaries(sets: Sequence[SetScore]) -> list[Summary]:
    found: dict[tuple[str, str, Metric], list[SetScore]] = defaultdict(list)
    for one in sets:
        found[one.defect, one.group, one.metric].append(one)
    summaries = []
    for (defect, group, metric), ones in sorted(
        found.items(), key=lambda item: (KEYS.index(item[0][0]), item[0][1], METRICS.index(item[0][2]))
    ):
        across = [one.across for one in ones if one.across is not None]
        summaries.append(
            Summary(
                defect,
                group,
                metric,
                math.fsum(one.score.value for one in ones) / len(ones),
                math.fsum(across) / len(across) if across else None,
                len(ones),
                sum(one.scenes for one in ones),
            )
        )
    return summaries


def _good_photos(rows: Sequence[_Row]) -> dict[str, GoodPhotos]:
    # A photo is in the manifest once for every defect that it is a negative of.
    photos = {row.entry.name: row for row in rows if row.entry.is_good}
    result = {}
    for key in KEYS:
        sizes = np.abs(_scores(list(photos.values()), key)) if photos else np.empty(0)
        sizes = sizes[~np.isnan(sizes)]
        if len(sizes):
            limits = DEFAULT_THRESHOLDS[key]
            result[key] = GoodPhotos(
                len(sizes),
                float((sizes > limits.severe).mean()),
                float((sizes > limits.mild).mean()),
                float(np.median(sizes)),
            )
    return result
