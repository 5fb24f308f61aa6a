"""Checkpoints: all that a run needs to go on as if it had never stopped.

A checkpoint is a file of tensors and plain values, read without executing anything that is in it. It appears whole
or not at all.
"""

from __future__ import annotations

import os
import pickle
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Final, Literal

import torch
from torch import Tensor

from photodefect.core.network.registry import Kind
from photodefect.errors import ModelError

FORMAT: Final = 2
"""Raised with what belongs to a run's identity: from 2 on also votes and which sources are taken."""
_NAME: Final = re.compile(r"step-(\d{8,})\.pt")


@dataclass
class Progress:
    """How far training has come.

    Attributes:
        step: steps done.
        best: the lowest validation loss so far.
        best_step: after which step it was.
        stale: looks at the validation photos since then.
    """

    step: int = 0
    best: float = float("inf")
    best_step: int = 0
    stale: int = 0

    def ended(self, steps: int, patience: int) -> Literal["steps", "patience"] | None:
        """Why there is nothing left to do; None while there is.

        Args:
            steps: of the recipe.
            patience: looks without anything better that end the training; 0: never.
        """
        if self.step >= steps:
            return "steps"
        return "patience" if patience and self.stale >= patience else None


@dataclass
class Checkpoint:
    """The state of a run.

    Attributes:
        network: key of the registry.
        kind: "holistic" or "patches".
        settings: :meth:`~photodefect.training.settings.Settings.to_dict` of the run.
        data: identity of what it is trained on.
        progress: how far it is.
        weights: the network's state, batch norms' counters included.
        best_weights: its state when the validation loss was lowest; None if it is that of now or there was no look.
        optimizer: the optimizer's state.
        random: states of torch's generators by device. Samples need none: they follow from the step.
    """

    network: str
    kind: Kind
    settings: Mapping[str, Any]
    data: str
    progress: Progress
    weights: Mapping[str, Tensor]
    best_weights: Mapping[str, Tensor] | None
    optimizer: Mapping[str, Any]
    random: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        """How many steps its run was to take."""
        return int(self.settings["recipe"]["steps"])

    @property
    def interrupted(self) -> bool:
        """Whether its run wasn't over."""
        return self.progress.ended(self.steps, int(self.settings["patience"])) is None


def random_state(device: torch.device) -> dict[str, Tensor]:
    """States of the generators that training on a device draws from."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        states["mps"] = torch.mps.get_rng_state()
    return states


def set_random_state(states: Mapping[str, Tensor], device: torch.device) -> None:
    """Put the generators back; a device that the run wasn't on keeps its own state."""
    torch.set_rng_state(states["cpu"])
    if device.type == "cuda" and "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], device)
    elif device.type == "mps" and "mps" in states:
        torch.mps.set_rng_state(states["mps"])


def save_checkpoint(folder: Path, checkpoint: Checkpoint, *, keep: int) -> Path:
    """Write a checkpoint and remove all but the last ``keep``.

    Args:
        folder: made if it is missing.
        checkpoint: the state.
        keep: how many to keep, this one included; at least 1.

    Returns:
        The file.

    Raises:
        OSError: it can't be written; those that were there are still there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"step-{checkpoint.progress.step:08d}.pt"
    content = {
        "format": FORMAT,
        **{name: value for name, value in vars(checkpoint).items() if name != "progress"},
        "progress": asdict(checkpoint.progress),
    }
    write_whole(target, lambda stream: torch.save(content, stream))
    # After going back to an earlier checkpoint there may be some of later steps: "last" is by time.
    others = sorted((path for path in checkpoints(folder) if path != target), key=lambda path: path.stat().st_mtime_ns)
    for path in others[: max(0, len(others) + 1 - keep)]:
        path.unlink()
    return target


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in a folder, by step."""
    found = [path for path in folder.glob("step-*.pt") if _NAME.fullmatch(path.name)] if folder.is_dir() else []
    return sorted(found, key=lambda path: int(path.stem.removeprefix("step-")))


def load_checkpoint(path: Path, *, network: str, kind: Kind) -> Checkpoint:
    """Read a checkpoint, tensors on the CPU.

    Args:
        path: the file.
        network: which network it has to be of.
        kind: likewise.

    Raises:
        ModelError: it is missing, damaged, no checkpoint, or of another network.
    """
    content = _read(path)
    found, found_kind = content.get("network"), content.get("kind")
    if found != network:
        raise ModelError(
            f"{path} is a checkpoint of the network {found}, not of {network}; take --network {found}, or begin anew "
            "in another --output"
        )
    if found_kind != kind:
        raise ModelError(f"{path} is a checkpoint of the {found_kind} network, not of the {kind} one; see --inputs")
    try:
        progress = Progress(**content.pop("progress"))
        return Checkpoint(progress=progress, **content)
    except (KeyError, TypeError) as error:
        raise ModelError(f"{path}: not a whole checkpoint: {error}") from error


def kind_of(path: Path) -> Kind:
    """Which network a checkpoint is of.

    Raises:
        ModelError: it can't be read.
    """
    kind: Kind = "patches" if _read(path).get("kind") == "patches" else "holistic"
    return kind


def _read(path: Path) -> dict[str, Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # torch on files that it didn't write; what is wrong with them is told below
            content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise ModelError(f"{path}: there is no such checkpoint") from error
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, pickle.UnpicklingError) as error:
        raise ModelError(f"{path} is damaged or no checkpoint; remove it to go on from the one before it") from error
    if not isinstance(content, dict) or content.pop("format", None) != FORMAT:
        raise ModelError(
            f"{path} is no checkpoint of this version of photodefect; end the run with the version that began it, or "
            "begin anew in another --output"
        )
    return content


def write_whole(target: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file under a temporary name and rename it when it is complete.

    Raises:
        OSError: it can't be written; a file that was there is still there.
    """
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
