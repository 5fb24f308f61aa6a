"""A benchmark, judged: photographs whose defects are known by order (:mod:`photodefect.evaluation.benchmark_manifest`).

Ladders and pairs are also judged across scenes: does one scale hold for all of them? And a defect's ladder must leave
the other defects' scores alone (specificity).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final
from zlib import crc32

import numpy as np

from photodefect.defects import KEYS
from photodefect.evaluation.benchmark_manifest import ALL_SPLITS, Entry, Kind
from photodefect.evaluation.benchmark_result import (
    METRICS,
    BenchmarkResult,
    GoodPhotos,
    Metric,
    SetScore,
    Specificity,
    Summary,
)
from photodefect.evaluation.benchmark_set import ScoredEntry, SetJudge, scores_of
from photodefect.evaluation.predictions import Matched, Source
from photodefect.evaluation.spearman import (
    RESAMPLES,
)
from photodefect.verdicts import DEFAULT_THRESHOLDS


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
        ScoredEntry(entry, {key: float(scores[key][index]) for key in KEYS})
        for index, entry in enumerate(entries)
        if (item := matched.items[index]) is not None and item.scores
    ]
    unpredicted = {
        entry.name: "not predicted" if item is None else item.error or "no severities"
        for entry, item in zip(entries, matched.items, strict=True)
        if item is None or not item.scores
    }
    by_set: dict[tuple[str, str, Kind], list[ScoredEntry]] = defaultdict(list)
    good: dict[tuple[str, str], list[ScoredEntry]] = defaultdict(list)
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
        judge = SetJudge(name, _group(name, groups), key, kind, rows, rng, resamples)
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


DEFAULT_GROUP: Final = "real"


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


def _good_photos(rows: Sequence[ScoredEntry]) -> dict[str, GoodPhotos]:
    # A photo is in the manifest once for every defect that it is a negative of.
    photos = {row.entry.name: row for row in rows if row.entry.is_good}
    result = {}
    for key in KEYS:
        sizes = np.abs(scores_of(list(photos.values()), key)) if photos else np.empty(0)
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
