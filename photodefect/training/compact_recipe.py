"""The recipe of the shipped weights: cached features of frozen trunks, trained experts, calibrated scores.

From a folder of clean photographs and a set with votes to a model folder, in steps that can be looked at one by one:
features of degraded variants (:mod:`photodefect.training.degraded_features`, hours of a core) and of rated photos
(:mod:`photodefect.training.rated_features`, minutes), both resumable by photo; experts that learn from synthesis and
experts that learn from votes (:mod:`photodefect.training.teaching`); the same with a part of the rated photos left out
in turn, which calibrates the scores and tells how well they agree with people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Protocol

import numpy as np

from photodefect.core.network.model import save_model
from photodefect.core.network.multicolumn import MultiColumnNetwork
from photodefect.core.network.registry import KINDS, Kind, build_network
from photodefect.labels.table import LabelledPhoto
from photodefect.training.compact_samples import is_held_out, load_samples
from photodefect.training.compact_settings import TUNING_SHARE, VOTES_SHARE, CompactSettings
from photodefect.training.cross_validation import calibrated_manifest, judge_by_folds, write_cross_validation
from photodefect.training.degraded_features import degraded_jobs, unfit_source
from photodefect.training.experts import compact_column
from photodefect.training.feature_cache import CachingJob, cache_features, photo_of
from photodefect.training.imagenet import load_imagenet_trunk
from photodefect.training.rated_features import rated_jobs
from photodefect.training.rated_samples import load_rated
from photodefect.training.samples import LeftOut
from photodefect.training.teaching import learn_from_synthesis, learn_from_votes
from photodefect.training.trunk_features import compact_trunk


class Report(Protocol):
    """Told how it goes."""

    def __call__(self, line: str, *, photo_done: bool = False) -> None:
        """A line for people, and whether it is about a photo whose features are there now."""


CROSS_VALIDATION_FILE = "cross-validation.csv"
"""What is said of each rated photo by experts that didn't see it, beside the model."""


def train_compact(
    sources: Sequence[Path],
    rated: Mapping[Path, LabelledPhoto],
    cache_folder: Path,
    model_folder: Path,
    settings: CompactSettings,
    *,
    name: str,
    version: str,
    report: Report,
) -> LeftOut:
    """Train the compact network from clean and rated photographs and save it.

    Args:
        sources: clean photographs; those that aren't are left out.
        rated: photographs with votes, by their file.
        cache_folder: where features are cached; what is there already is used.
        model_folder: where the model goes, and :data:`CROSS_VALIDATION_FILE`.
        settings: see there.
        name: what people will call the model.
        version: of the weights.
        report: told what is going on.

    Returns:
        The photos that couldn't be used, those that aren't clean among them.

    Raises:
        DataError: nothing to learn from.
        ModelError: the ImageNet weights are missing.
    """
    left_out = LeftOut()
    of_rated = _cached(rated_jobs(list(rated), cache_folder, settings.views), settings, left_out, report)
    people = load_rated(rated, of_rated, settings.cache.seed)
    of_clean = _cached(degraded_jobs(sources, cache_folder, settings.cache), settings, left_out, report)
    reasons = {str(source): unfit_source(shard) for source, shard in of_clean.items()}
    left_out.unfit.update({source: reason for source, reason in reasons.items() if reason})
    shards = [shard for shard in of_clean.values() if not is_held_out(photo_of(shard), settings.validation)]
    samples = load_samples(sorted(set(shards)), settings.cache.seed)
    report(f"{len(samples.whole)} degraded pictures, {len(people.photos)} rated photos")
    networks = {kind: imagenet_network(kind) for kind in KINDS}
    for kind, network in networks.items():
        learn_from_synthesis(network, kind, samples, settings, report)
    scores = judge_by_folds(networks, samples, people, settings, report)
    manifest = calibrated_manifest(people, scores, name, version)
    for kind, network in networks.items():
        everybody = np.arange(len(people.photos))
        learn_from_votes(network, kind, samples, people, settings, chosen=everybody, say=report)
    save_model(model_folder, manifest, networks["holistic"], networks["patches"], half_precision=True)
    write_cross_validation(model_folder / CROSS_VALIDATION_FILE, people, scores, manifest)
    return left_out


def _cached(
    jobs: Sequence[CachingJob], settings: CompactSettings, left_out: LeftOut, report: Report
) -> dict[Path, Path]:
    """Cache what isn't, and give the shard of each photo that can be read."""
    for job in jobs:
        if job.shard.exists():
            report(f"features of {job.source.name} are cached", photo_done=True)
    pictures = max(settings.cache.pictures, settings.views.pictures)
    # After an error, or Ctrl-C, its processes end at once.
    with closing(cache_features(jobs, pictures=pictures, workers=settings.workers)) as caching:
        for cached in caching:
            if cached.failure is None:
                report(f"features of {cached.source.name} are cached", photo_done=True)
            else:
                left_out.unreadable[str(cached.source)] = cached.failure.message
                report(f"{cached.source} is left out: {cached.failure.message}", photo_done=True)
    return {job.source: job.shard for job in jobs if str(job.source) not in left_out.unreadable}


def imagenet_network(kind: Kind) -> MultiColumnNetwork:
    """The compact network with its ImageNet trunk; experts have the shares that the recipe gives them."""
    network = build_network("lite0", kind)
    load_imagenet_trunk(compact_trunk(network))
    for defect in network.defects:
        column = compact_column(network, defect.key)
        tuning = TUNING_SHARE[defect.key] if "tuning" in column.teachers else 0.0
        votes = VOTES_SHARE[defect.key] * (1 - tuning)
        of_teacher = {"synthesis": 1 - tuning - votes, "votes": votes, "tuning": tuning}
        column.shares.copy_(column.shares.new_tensor([of_teacher[teacher] for teacher in column.teachers]))
    return network.eval()
