"""Rated photos judged by experts that didn't see them: how scores are calibrated, how well they agree with people."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from photodefect.core.network.manifest import Manifest, Normalization, Weighting
from photodefect.core.network.multicolumn import MultiColumnNetwork, expected_severity
from photodefect.core.network.registry import NETWORKS, Kind
from photodefect.defects import DEFECTS, KEYS
from photodefect.training.calibration import reference_quantiles
from photodefect.training.compact_samples import Samples
from photodefect.training.compact_settings import HOLISTIC_SHARE, LOWEST_PATCHES, CompactSettings
from photodefect.training.experts import compact_column
from photodefect.training.human_scale import human_scale
from photodefect.training.rated_samples import RatedSamples, folds_of
from photodefect.training.teaching import learn_from_votes
from photodefect.training.tuning import with_tuned


@dataclass(frozen=True)
class FoldScores:
    """What is said of rated photos by experts that didn't see their votes, before calibration.

    Attributes:
        holistic: score of the whole photo by defect key, (R,).
        patches: likewise of its patches together.
    """

    holistic: Mapping[str, NDArray[np.float32]]
    patches: Mapping[str, NDArray[np.float32]]


def judge_by_folds(
    networks: Mapping[Kind, MultiColumnNetwork],
    samples: Samples,
    people: RatedSamples,
    settings: CompactSettings,
    say: Callable[[str], None],
) -> FoldScores:
    """Leave out each part of the rated photos in turn, learn from the others, and judge it.

    Args:
        networks: their experts from synthesis have learnt; those from votes are replaced.
        samples: degraded pictures.
        people: rated photos.
        settings: see there.
        say: told how it goes.
    """
    folds = folds_of([photo.group for photo in people.photos], settings.folds)
    found: dict[Kind, dict[str, NDArray[np.float32]]] = {kind: {} for kind in networks}
    for fold in range(settings.folds):
        left, chosen = (np.flatnonzero(folds == fold), np.flatnonzero(folds != fold))
        if not len(left) or not len(chosen):
            continue
        for kind, network in networks.items():
            learn_from_votes(network, kind, samples, people, settings, chosen=chosen, say=lambda _line: None)
            for key, scores in _scores(network, kind, people, left).items():
                found[kind].setdefault(key, np.full(len(folds), np.nan, np.float32))[left] = scores
        say(f"part {fold + 1} of {settings.folds} of the rated photos: {len(left)} judged by what {len(chosen)} taught")
    return FoldScores(found["holistic"], found["patches"])


def _scores(
    network: MultiColumnNetwork, kind: Kind, people: RatedSamples, chosen: NDArray[np.int64]
) -> dict[str, NDArray[np.float32]]:
    """Score of each chosen photo as a diagnosis sees it, by defect key, (M,)."""
    if kind == "holistic":
        return expert_scores(network, with_tuned(network, people.whole[chosen, 0], people.carried[chosen, 0]))
    count = people.diagnosed.shape[1]
    found = {}
    for key, scores in expert_scores(network, people.diagnosed[chosen].flatten(0, 1)).items():
        pool = weighting(key).pool
        found[key] = np.array([pool(own) for own in scores.reshape(-1, count)], np.float32)
    return found


def expert_scores(network: MultiColumnNetwork, descriptors: Tensor) -> dict[str, NDArray[np.float32]]:
    """Descriptors (N, F) -> severity (N,) by defect key, before calibration."""
    result = {}
    with torch.inference_mode():
        for defect in network.defects:
            column = compact_column(network, defect.key)
            parts = [
                expected_severity(defect, column.classify_descriptors(chunk.float()[:, :, None, None]).flatten(1))
                for chunk in torch.split(descriptors, 4096)
            ]
            result[defect.key] = torch.cat(parts).numpy()
    return result


def weighting(key: str) -> Weighting:
    """How the scores of whole photo and patches are combined."""
    share = HOLISTIC_SHARE[key]
    return Weighting(share, 1 - share, LOWEST_PATCHES.get(key, 1.0))


def calibrated_manifest(people: RatedSamples, scores: FoldScores, name: str, version: str) -> Manifest:
    """Combination, calibration on the scale of people, and reference distribution: the rated photos."""
    combination = {key: weighting(key) for key in KEYS}
    calibration, reference = {}, {}
    for column, defect in enumerate(DEFECTS):
        share = HOLISTIC_SHARE[defect.key]
        raw = scores.holistic[defect.key] * share
        if share < 1:
            raw = raw + scores.patches[defect.key] * (1 - share)
        calibration[defect.key] = human_scale(defect, raw, people.severities[:, column])
        reference[defect.key] = reference_quantiles(calibration[defect.key], raw, digits=4)
    return Manifest(
        name=name,
        version=version,
        network="lite0",
        normalization=Normalization.from_mapping(NETWORKS["lite0"].default_normalization),
        combination=combination,
        calibration=calibration,
        reference=reference,
    )


def write_cross_validation(path: Path, people: RatedSamples, scores: FoldScores, manifest: Manifest) -> None:
    """Write what was said of the photos as predictions that ``evaluate`` reads, calibrated.

    Raises:
        OSError: the file can't be written.
    """
    of_patches = [key for key in KEYS if key in scores.patches]
    with path.open("w", newline="", encoding="utf-8", errors="surrogateescape") as stream:
        writer = csv.writer(stream)
        names = [*KEYS, *(f"holistic_{key}" for key in KEYS), *(f"patches_{key}" for key in of_patches)]
        writer.writerow(["path", *names])
        for index, photo in enumerate(people.photos):
            holistic = {key: float(scores.holistic[key][index]) for key in KEYS}
            patches = {key: float(scores.patches[key][index]) for key in of_patches}
            values = [*manifest.combine(holistic, patches).values(), *holistic.values(), *patches.values()]
            writer.writerow([photo.name, *(f"{value:.5f}" for value in values)])
