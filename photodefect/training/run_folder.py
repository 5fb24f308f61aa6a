"""The folder of a run: its settings and checkpoints, where the run goes on from, and what it must not replace."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

import torch
from torch import Tensor

from photodefect._version import __version__
from photodefect.core.network.manifest import MANIFEST_FILE
from photodefect.core.network.model import load_model
from photodefect.core.network.multicolumn import MultiColumnNetwork
from photodefect.core.network.registry import KINDS, Kind
from photodefect.errors import DataError
from photodefect.training.checkpoint import Checkpoint, checkpoints, kind_of, load_checkpoint, write_whole
from photodefect.training.initial import initial_network
from photodefect.training.listener import Listener
from photodefect.training.photo_sets import TrainingPhotos
from photodefect.training.settings import SettingError, Settings, first_difference

WORK_FOLDER: Final = "training"
SETTINGS_FILE: Final = "settings.json"
MODEL_FILES: Final = (MANIFEST_FILE, *(f"{kind}.safetensors" for kind in KINDS))
"""What training writes into a model's folder."""

Resume = Path | Literal["auto"] | None
"""Go on from this checkpoint, from the newest one if there is any, or begin."""


def check_output(output: Path, resume: Resume) -> None:
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


def keep_model(
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
    stored = without_counters(network.state_dict())
    return all(name in own and torch.equal(own[name], tensor) for name, tensor in stored.items())


def without_counters(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What a model stores of a network's state."""
    return {name: tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")}


def starting_points(
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


def begin_run(output: Path, settings: Settings, photos: TrainingPhotos) -> None:
    """Make the folder of a run and write its settings.

    Raises:
        OSError: it can't be written.
    """
    output.mkdir(parents=True, exist_ok=True)
    (output / WORK_FOLDER).mkdir(exist_ok=True)
    _write_settings(output / WORK_FOLDER / SETTINGS_FILE, settings, photos)


def _write_settings(path: Path, settings: Settings, photos: TrainingPhotos) -> None:
    content = {"photodefect": __version__, "settings": settings.to_dict(), "data": photos.identity}
    text = json.dumps(content, indent=1) + "\n"
    write_whole(path, lambda stream: stream.write(text.encode()))


def earlier_run(folder: Path, kind: Kind, settings: Settings) -> Checkpoint | None:
    """Where an earlier run in the same folder left a network."""
    path = next(reversed(checkpoints(folder)), None)
    return None if path is None else load_checkpoint(path, network=settings.network, kind=kind)


def weights_from_elsewhere(
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
