"""A whole training run: photos and settings in, a model folder out.

The folder of a run is the model's: beside the model lies ``training/``, with the settings and the checkpoints of each
network. It can be removed when the run is over.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from photodefect.core.infogain import class_counts, classes_of
from photodefect.core.network.manifest import Manifest
from photodefect.core.network.registry import KINDS, Kind
from photodefect.defects import BY_KEY, DEFECTS, KEYS, Defect
from photodefect.diagnosis.diagnoser import available_cores
from photodefect.errors import DataError, TeamError
from photodefect.training.initial import initial_network
from photodefect.training.listener import Listener
from photodefect.training.loop import Outcome, Split, train_network
from photodefect.training.photo_sets import TrainingPhotos
from photodefect.training.run_folder import (
    WORK_FOLDER,
    Resume,
    begin_run,
    check_output,
    earlier_run,
    keep_model,
    starting_points,
    weights_from_elsewhere,
)
from photodefect.training.samples import LeftOut, SampleReader
from photodefect.training.settings import Settings
from photodefect.training.split import held_out
from photodefect.training.team import ALONE, Team
from photodefect.training.trained_model import write_model


@dataclass(frozen=True)
class RunResult:
    """What came out of a run.

    Attributes:
        outcomes: of the networks that were trained.
        model: the manifest that was written; None if there is no model yet.
        missing: the network that a model still lacks; None if it lacks none.
        left_out: photos that couldn't be used.
        interrupted: (steps done, steps in all) of the missing network, if an earlier run of it was interrupted.
    """

    outcomes: Mapping[Kind, Outcome]
    model: Manifest | None
    missing: Kind | None
    left_out: LeftOut
    interrupted: tuple[int, int] | None = None

    @property
    def stopped(self) -> bool:
        """Whether it was told to stop before it was done."""
        return any(outcome.reason == "stopped" for outcome in self.outcomes.values())


def train_model(
    settings: Settings,
    photos: TrainingPhotos,
    output: Path,
    *,
    name: str,
    resume: Resume = None,
    listener: Listener | None = None,
    stop: Callable[[], bool] = lambda: False,
    team: Team = ALONE,
) -> RunResult:
    """Train the networks that the settings name, and write the model.

    All that can be wrong is found before anything is written, photos of which none can be read among it.

    Args:
        settings: how.
        photos: on what.
        output: the folder of the run and the model.
        name: what people will call the model.
        resume: whether and where to go on.
        listener: told what happens.
        stop: asked after every step; True saves a checkpoint and ends the run.
        team: the processes that train together, each of which calls this with the same settings and photos. The leader
            alone reads and writes ``output``, and has the result.

    Raises:
        DataError: the photos can't be trained on, or are not those that the run was begun with.
        ModelError: initial weights, a checkpoint or the device can't be used.
        SettingError: a setting is not the one that the run was begun with.
        OSError: the folder can't be written.
        TeamError: the processes have different settings or photos.
        ToldElsewhereError: another process of the team raised one of these.
        RuntimeError: the other processes can't be reached any more.
    """
    listener = listener or Listener()
    with team.together():
        device = team.device(settings.device)
    _check_agreement(team, settings, photos)
    work = output / WORK_FOLDER
    team.from_leader(lambda: check_output(output, resume))
    held = held_out(photos.digests, settings.validation)
    split = Split(np.flatnonzero(~held), np.flatnonzero(held))
    with team.together():
        networks = {
            kind: initial_network(settings.network, kind, settings.init, settings.seed) for kind in settings.kinds
        }
    starts = team.from_leader(lambda: starting_points(output, settings, photos, resume, listener))
    team.from_leader(lambda: keep_model(output, settings, starts, networks))
    with team.together():
        _check_labels(photos, split, settings, listener)
    several = f", in {team.size} processes" if team.size > 1 else ""
    listener.say(f"{len(split.training)} photos to train on, {len(split.validation)} held out; on {device}{several}")
    outcomes: dict[Kind, Outcome] = {}
    with SampleReader(
        photos,
        seed=settings.seed,
        workers=_workers(settings, device, team),
        cache_mb=settings.cache_mb,
        network=settings.network,
    ) as reader:
        for kind, network in networks.items():
            outcomes[kind] = train_network(
                network,
                kind,
                reader=reader,
                split=split,
                settings=settings,
                folder=work / kind,
                device=device,
                checkpoint=starts[kind],
                begin=lambda: team.from_leader(lambda: begin_run(output, settings, photos)),
                listener=listener,
                stop=stop,
                team=team,
            )
            if outcomes[kind].reason == "stopped":
                break
        left_out = LeftOut.union(team.gather(reader.left_out))
        if not team.leads or any(outcome.reason == "stopped" for outcome in outcomes.values()):
            return RunResult(outcomes, None, None, left_out)
        weights: dict[Kind, Mapping[str, Tensor]] = {kind: outcome.weights for kind, outcome in outcomes.items()}
        for kind in (kind for kind in KINDS if kind not in weights):
            earlier = earlier_run(work / kind, kind, settings)
            if earlier is not None and earlier.interrupted:
                return RunResult(outcomes, None, kind, left_out, (earlier.progress.step, earlier.steps))
            found = weights_from_elsewhere(earlier, output, kind, settings)
            if found is None:
                return RunResult(outcomes, None, kind, left_out)
            weights[kind] = found
        manifest = write_model(
            settings, weights, output, name, reader=reader, split=split, device=device, listener=listener
        )
        return RunResult(outcomes, manifest, None, left_out)


def _check_agreement(team: Team, settings: Settings, photos: TrainingPhotos) -> None:
    """Processes that don't train the same thing would wait for each other without end, or worse, not."""
    with team.together():
        own = settings.to_dict() | {"photos": photos.identity}
    predictions = team.gather(
        {name: value for name, value in own.items() if name not in ("workers", "cache_mb", "device")}
    )
    with team.together():
        for rank, other in enumerate(predictions):
            for name, value in other.items():
                if value != predictions[0][name]:
                    what = "photos or labels" if name == "photos" else f"--{name.replace('_', '-')}"
                    raise TeamError(
                        f"process {rank} has other {what} than process 0; every machine needs the same "
                        "command, and the same photos and labels"
                    )


def _check_labels(photos: TrainingPhotos, split: Split, settings: Settings, listener: Listener) -> None:
    """Every column needs something to learn from, unless it has learnt before."""
    severities = photos.severities[split.training]
    columns = _trained_keys(settings)
    for column, defect in enumerate(DEFECTS):
        if defect.key not in columns:
            continue
        classes = classes_of(defect, severities[:, column])
        if not class_counts(defect, classes).any():
            if settings.init in ("imagenet", "random"):
                raise DataError(
                    f"no photo to train on has a label for {defect.key}, so its column can't learn anything. Label "
                    "some, or begin from a model whose column stays as it is (--init DIR)."
                )
            listener.say(f"{defect.key}: no photo has a label, its column stays as it is", warning=True)
        elif settings.recipe.loss == "infogain":
            _tell_borrowed(defect, classes, photos, split, listener)


def _tell_borrowed(
    defect: Defect, classes: NDArray[np.int64], photos: TrainingPhotos, split: Split, listener: Listener
) -> None:
    """The loss knows how people disagree from votes, where there are some, and else from a model that lacks nothing."""
    votes = photos.votes(defect)
    if votes is None:
        return
    voted = [any(not math.isnan(vote) for vote in votes[member]) for member in split.training]
    counts = class_counts(defect, classes[voted])
    # At the ends of the scale there is one way to vote, which needs no neighbours.
    borrowing = [k for k in np.flatnonzero(counts == 0) if 0 < k < defect.class_count - 1]
    if counts.any() and borrowing:
        empty = ", ".join(f"{defect.class_centres[k]:g}" for k in borrowing)
        listener.say(
            f"{defect.key}: no votes on photos of severity {empty}; what is said of the neighbours stands in",
            warning=True,
        )


def _trained_keys(settings: Settings) -> set[str]:
    """Keys of the defects that the networks of a run predict."""
    return {key for key in KEYS if "holistic" in settings.kinds or BY_KEY[key].in_patches}


def _workers(settings: Settings, device: torch.device, team: Team) -> int:
    """On the CPU the network and the decoders share the cores, and so do the processes on one machine."""
    return settings.workers or max(1, available_cores() // team.local_size // (2 if device.type == "cpu" else 1))
