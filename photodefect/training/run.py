"""A whole training run: photos and settings in, a model folder out.

The folder of a run is the model's: beside the model lies ``training/``, with the settings and the checkpoints of each
network. It can be removed when the run is over.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from photodefect._version import __version__
from photodefect.core.infogain import class_counts, classes_of
from photodefect.core.network.folders import find_model, read_manifest
from photodefect.core.network.manifest import MANIFEST_FILE, Calibration, Manifest, Normalization
from photodefect.core.network.model import Model, load_model, load_tensors, save_model
from photodefect.core.network.multicolumn import MultiColumnNetwork
from photodefect.core.network.registry import KINDS, NETWORKS, Kind, build_network
from photodefect.defects import BY_KEY, DEFECTS, KEYS, Defect
from photodefect.diagnosis.diagnoser import available_cores
from photodefect.errors import DataError, ModelError, TeamError
from photodefect.training.calibration import reference_quantiles
from photodefect.training.checkpoint import Checkpoint, checkpoints, kind_of, load_checkpoint, write_whole
from photodefect.training.initial import initial_network
from photodefect.training.listener import Listener
from photodefect.training.loop import Outcome, Split, train_network
from photodefect.training.photo_sets import SyntheticPhotos, TrainingPhotos
from photodefect.training.samples import LeftOut, SampleReader
from photodefect.training.settings import SettingError, Settings, first_difference
from photodefect.training.split import held_out
from photodefect.training.team import ALONE, Team
from photodefect.training.validation import fitted_calibrations, predict

WORK_FOLDER: Final = "training"
SETTINGS_FILE: Final = "settings.json"
MODEL_FILES: Final = (MANIFEST_FILE, *(f"{kind}.safetensors" for kind in KINDS))
"""What training writes into a model's folder."""

LEAST_REFERENCE: Final = 20
"""Fewer validation photos than this say nothing about percentiles."""

Resume = Path | Literal["auto"] | None
"""Go on from this checkpoint, from the newest one if there is any, or begin."""


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
    team.from_leader(lambda: _check_output(output, resume))
    held = held_out(photos.digests, settings.validation)
    split = Split(np.flatnonzero(~held), np.flatnonzero(held))
    with team.together():
        networks = {
            kind: initial_network(settings.network, kind, settings.init, settings.seed) for kind in settings.kinds
        }
    starts = team.from_leader(lambda: _starting_points(output, settings, photos, resume, listener))
    team.from_leader(lambda: _keep_model(output, settings, starts, networks))
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
        patch_side=NETWORKS[settings.network].patch_side,
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
                begin=lambda: team.from_leader(lambda: _begin(output, settings, photos)),
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
            earlier = _earlier(work / kind, kind, settings)
            if earlier is not None and earlier.interrupted:
                return RunResult(outcomes, None, kind, left_out, (earlier.progress.step, earlier.steps))
            found = _weights_from_elsewhere(earlier, output, kind, settings)
            if found is None:
                return RunResult(outcomes, None, kind, left_out)
            weights[kind] = found
        manifest = _write_model(
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


def _begin(output: Path, settings: Settings, photos: TrainingPhotos) -> None:
    output.mkdir(parents=True, exist_ok=True)
    (output / WORK_FOLDER).mkdir(exist_ok=True)
    _write_settings(output / WORK_FOLDER / SETTINGS_FILE, settings, photos)


def _check_output(output: Path, resume: Resume) -> None:
    """A run begins in a folder without one, and goes on in its own."""
    held = held_by(output)
    if resume is None and held == "run":
        raise DataError(f"{output} holds a training run already: go on with it (--resume auto), or name another.")
    if resume is None and held == "model":
        raise DataError(f"{output} holds a model already; name another folder.")
    if isinstance(resume, Path):
        own = output / WORK_FOLDER / kind_of(resume)
        if resume.resolve().parent != own.resolve() and (checkpoints(own) or (output / MANIFEST_FILE).exists()):
            raise DataError(
                f"{resume} is not a checkpoint of the run or model that {output} holds, which would be replaced. Name "
                "another --output."
            )


def held_by(output: Path) -> Literal["run", "model"] | None:
    """What a folder holds that training would replace.

    Args:
        output: the folder; it needn't exist.

    Raises:
        DataError: it is a file.
    """
    if output.exists() and not output.is_dir():
        raise DataError(f"{output} is a file; a model is a folder. Name another --output.")
    if any(checkpoints(output / WORK_FOLDER / kind) for kind in KINDS):
        return "run"
    return "model" if any((output / name).exists() for name in MODEL_FILES) else None


def _keep_model(
    output: Path,
    settings: Settings,
    starts: Mapping[Kind, Checkpoint | None],
    networks: Mapping[Kind, MultiColumnNetwork],
) -> None:
    """A finished network is replaced by what goes on from its own checkpoints, never by one that begins anew."""
    if not (output / MANIFEST_FILE).exists():
        return
    for kind, start in starts.items():
        if start is None and not _is_untrained(output, kind, settings, networks[kind]):
            raise DataError(
                f"{output} holds a model already, and no checkpoint of its {kind} network to go on from. Name another "
                f"--output, and --init {output} to begin from that model."
            )


def _is_untrained(output: Path, kind: Kind, settings: Settings, network: MultiColumnNetwork) -> bool:
    """Whether a model's network is the one that training begins from: the other one was trained first."""
    if settings.init in ("imagenet", "random"):
        return False
    model = load_model(output, folded=False)
    own = (model.holistic if kind == "holistic" else model.patches).state_dict()
    stored = _without_counters(network.state_dict())
    return all(name in own and torch.equal(own[name], tensor) for name, tensor in stored.items())


def _without_counters(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What a model stores of a network's state."""
    return {name: tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")}


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


def _starting_points(
    output: Path, settings: Settings, photos: TrainingPhotos, resume: Resume, listener: Listener
) -> dict[Kind, Checkpoint | None]:
    """Where each network goes on from; None where it begins."""
    paths = {kind: next(reversed(checkpoints(output / WORK_FOLDER / kind)), None) for kind in settings.kinds}
    if resume is None:
        paths = dict.fromkeys(settings.kinds)
    elif isinstance(resume, Path):
        named = kind_of(resume)
        if named not in paths:
            load_checkpoint(resume, network=settings.network, kind=settings.kinds[0])  # says that it isn't of this kind
        for kind in paths:
            if kind == named:
                paths[kind] = resume
            elif paths[kind] is None and KINDS.index(kind) < KINDS.index(named):
                raise SettingError(
                    f"--inputs is both, but {resume} is a checkpoint of the {named} network, and {output} has none of "
                    f"the {kind} one, which is trained first; take --inputs {named}"
                )
            elif paths[kind] is None:
                listener.say(f"{kind}: {output} has no checkpoint of it, so it begins anew")
    return {
        kind: None if path is None else _starting_point(path, kind, settings, photos, output)
        for kind, path in paths.items()
    }


def _starting_point(path: Path, kind: Kind, settings: Settings, photos: TrainingPhotos, output: Path) -> Checkpoint:
    checkpoint = load_checkpoint(path, network=settings.network, kind=kind)
    anew = "begin anew in another --output"
    if (output / MANIFEST_FILE).exists():
        anew += f", from the model that is here if you like (--init {output})"
    difference = first_difference(checkpoint.settings, settings)
    if difference is not None:
        raise SettingError(f"{difference}; {path} can only go on as it began. Give the same, or {anew}.")
    if checkpoint.data != photos.identity:
        raise DataError(
            f"the photos, labels or votes are not those that {path} was trained on. Give the same ones, or {anew}."
        )
    return checkpoint


def _write_settings(path: Path, settings: Settings, photos: TrainingPhotos) -> None:
    content = {"photodefect": __version__, "settings": settings.to_dict(), "data": photos.identity}
    text = json.dumps(content, indent=1) + "\n"
    write_whole(path, lambda stream: stream.write(text.encode()))


def _workers(settings: Settings, device: torch.device, team: Team) -> int:
    """On the CPU the network and the decoders share the cores, and so do the processes on one machine."""
    return settings.workers or max(1, available_cores() // team.local_size // (2 if device.type == "cpu" else 1))


def _earlier(folder: Path, kind: Kind, settings: Settings) -> Checkpoint | None:
    """Where an earlier run in the same folder left a network."""
    path = next(reversed(checkpoints(folder)), None)
    return None if path is None else load_checkpoint(path, network=settings.network, kind=kind)


def _weights_from_elsewhere(
    earlier: Checkpoint | None, output: Path, kind: Kind, settings: Settings
) -> Mapping[str, Tensor] | None:
    """Weights of a network that this run didn't train.

    From an earlier run in the same folder, of which checkpoints may be left or only the model, or the initial model.
    """
    if earlier is not None:
        return earlier.best_weights or earlier.weights
    init = str(output.resolve()) if (output / MANIFEST_FILE).exists() else settings.init
    if init in ("imagenet", "random"):
        return None
    return initial_network(settings.network, kind, init, settings.seed).state_dict()


def _write_model(
    settings: Settings,
    weights: Mapping[Kind, Mapping[str, Tensor]],
    output: Path,
    name: str,
    *,
    reader: SampleReader,
    split: Split,
    device: torch.device,
    listener: Listener,
) -> Manifest:
    manifest = _begun_manifest(settings, output, name)
    networks: dict[Kind, MultiColumnNetwork] = {}
    for kind in KINDS:
        network = build_network(settings.network, kind, manifest.normalization.to_dict())
        try:
            load_tensors(network, _without_counters(weights[kind]), f"{kind} network")
        except ModelError as error:
            raise ModelError(f"{error}. Training diverged: take a smaller --learning-rate.") from error
        networks[kind] = network.eval().to(device)
    learnt = _learnt_keys(settings, output, manifest, reader.photos.severities[split.training])
    members = [int(member) for member in split.validation if reader.photos.representative[member]]
    calibrated = [key for key in learnt if key in manifest.calibration]
    fitted: dict[str, Calibration] = {}
    if len(members) >= LEAST_REFERENCE:
        predictions = predict(Model(manifest, networks["holistic"], networks["patches"]), reader, members, device)
        # What synthesis calls severe is not all that people do; the model that comes with photodefect allows for it.
        if not isinstance(reader.photos, SyntheticPhotos):
            fitted = fitted_calibrations(predictions, calibrated)
        calibration = {**manifest.calibration, **fitted}
        reference = {
            key: reference_quantiles(calibration.get(key), predictions.raw[key])
            for key in learnt
            if len(predictions.members)
        }
        manifest = replace(manifest, calibration=calibration, reference={**manifest.reference, **reference})
    if fitted:
        listener.say(f"calibrated anew on the photos held out: {', '.join(fitted)}")
    kept = [key for key in calibrated if key not in fitted]
    if kept:
        listener.say(f"calibrated as before, as the photos held out tell too little: {', '.join(kept)}")
    return save_model(output, manifest, networks["holistic"].cpu(), networks["patches"].cpu())


def _begun_manifest(settings: Settings, output: Path, name: str) -> Manifest:
    """What a model says of its scores before they are looked at: as the one says that it comes from."""
    if (output / MANIFEST_FILE).exists():
        begun = read_manifest(output)
    elif settings.init not in ("imagenet", "random"):
        begun = read_manifest(find_model(settings.init))
    else:
        normalization = Normalization.from_mapping(NETWORKS[settings.network].default_normalization)
        begun = Manifest(name, "1", settings.network, normalization)
    return replace(begun, name=name, version="1", networks={})


def _learnt_keys(
    settings: Settings, output: Path, manifest: Manifest, severities: NDArray[np.float64]
) -> tuple[str, ...]:
    """Keys of the defects whose scores aren't those of the initial model any more, but for what the trunk learnt."""
    if settings.init in ("imagenet", "random"):
        return KEYS
    trained = [kind for kind in KINDS if kind in settings.kinds or checkpoints(output / WORK_FOLDER / kind)]
    return tuple(
        key
        for key, labels in zip(KEYS, severities.T, strict=True)
        if not np.isnan(labels).all() and any(getattr(manifest.combination[key], kind) > 0 for kind in trained)
    )
