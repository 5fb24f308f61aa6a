"""``photodefect train``: a model from labelled photos, or from clean photos that it degrades itself."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import typer

from photodefect.cli.console import note, stderr_console
from photodefect.cli.exit_codes import ExitCode
from photodefect.cli.interrupts import interrupts_are_ignored
from photodefect.cli.option_groups import grouped
from photodefect.cli.options import AnySource, Device, Images, Quiet, WalkOptions
from photodefect.extras import require

if TYPE_CHECKING:
    from photodefect.training.listener import Listener
    from photodefect.training.photo_sets import TrainingPhotos
    from photodefect.training.run import RunResult
    from photodefect.training.samples import LeftOut
    from photodefect.training.settings import Settings
    from photodefect.training.team import Team

NAMED = 10
"""How many photos a list on stderr names."""


RecipeName: TypeAlias = Literal["paper", "finetune", "compact"]
"""What ``--recipe`` takes."""

NetworkName: TypeAlias = Literal["lite0", "googlenet"]
"""What ``--network`` takes."""


@dataclass(frozen=True)
class RecipeChanges:
    """What is different from the recipe; None for what the recipe says."""

    loss: Annotated[
        Literal["infogain", "euclidean"] | None, typer.Option("--loss", help="Loss to use instead of the recipe's.")
    ] = None
    steps: Annotated[int | None, typer.Option("--steps", metavar="N", help="Most training steps for each network.")] = (
        None
    )
    batch: Annotated[
        int | None, typer.Option("--batch", metavar="N", help="Samples per step from each defect's source.")
    ] = None
    learning_rate: Annotated[
        float | None, typer.Option("--learning-rate", metavar="X", help="Initial learning rate of the shared trunk.")
    ] = None
    column_factor: Annotated[
        float | None,
        typer.Option(
            "--column-factor", metavar="X", help="Learning rate of the columns, as a multiple of the trunk's."
        ),
    ] = None
    momentum: Annotated[float | None, typer.Option("--momentum", metavar="X", help="Momentum of SGD.")] = None
    weight_decay: Annotated[
        float | None, typer.Option("--weight-decay", metavar="X", help="Weight decay of the optimizer.")
    ] = None

    def given(self) -> dict[str, Any]:
        """The changes that were asked for, by the recipe's names."""
        return {name: value for name, value in vars(self).items() if value is not None}


@grouped
def train(
    context: typer.Context,
    labels: Annotated[
        Path | None,
        typer.Argument(
            metavar="LABELS.csv", help="One row per photo: path (or url) and the severities of the seven defects."
        ),
    ] = None,
    *,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the model.")],
    images: Images = None,
    synthesize: Annotated[
        Path | None,
        typer.Option(
            "--synthesize",
            metavar="DIR",
            help="Instead of labels (in the compact recipe beside them): clean photos, degraded by known severities.",
        ),
    ] = None,
    any_source: AnySource = False,
    walk: WalkOptions,
    network: Annotated[
        NetworkName, typer.Option("--network", help="lite0: the compact network; googlenet: the paper's network.")
    ] = "lite0",
    recipe: Annotated[
        RecipeName,
        typer.Option(
            "--recipe",
            help="paper: as in the paper; finetune: gently, from good weights; compact: as the shipped weights "
            "were trained.",
        ),
    ] = "paper",
    inputs: Annotated[
        Literal["holistic", "patches", "both"],
        typer.Option("--inputs", help="Which network to train; a model needs both."),
    ] = "both",
    init: Annotated[
        str | None,
        typer.Option(
            "--init",
            metavar="imagenet|random|MODEL",
            help="Initial weights. Default: imagenet for lite0, random for googlenet.",
        ),
    ] = None,
    changes: RecipeChanges,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Seed of everything random.")] = 0,
    validation: Annotated[
        float,
        typer.Option(
            "--validation",
            metavar="SHARE",
            help="Share of photos to hold out. The weights that do best on them are kept.",
        ),
    ] = 0.1,
    validate_every: Annotated[
        int, typer.Option("--validate-every", metavar="STEPS", help="Steps between validations.")
    ] = 1_000,
    patience: Annotated[
        int, typer.Option("--patience", metavar="N", help="Stop after N validations without improvement; 0: never.")
    ] = 10,
    checkpoint_every: Annotated[
        int, typer.Option("--checkpoint-every", metavar="STEPS", help="Steps between checkpoints.")
    ] = 1_000,
    keep: Annotated[int, typer.Option("--keep", metavar="N", help="Keep the last N checkpoints.")] = 3,
    resume: Annotated[
        str | None,
        typer.Option(
            "--resume",
            metavar="auto|FILE",
            help="Go on from the newest checkpoint in --output (auto), or from this file.",
        ),
    ] = None,
    variants: Annotated[
        int, typer.Option("--variants", metavar="N", help="Degraded variants per photo of --synthesize.")
    ] = 12,
    rebalanced: Annotated[
        float,
        typer.Option(
            "--rebalanced",
            metavar="SHARE",
            help="Share of variants with evenly spread severities; the others' are as in people's photos.",
        ),
    ] = 0.5,
    folds: Annotated[
        int | None,
        typer.Option(
            "--folds",
            metavar="N",
            min=2,
            help="With --recipe compact: parts of the rated photos, each judged by what the others taught. Default: 5.",
        ),
    ] = None,
    window: Annotated[
        int, typer.Option("--window", metavar="N", help="Number of photos whose samples are shuffled together.")
    ] = 128,
    cache_mb: Annotated[int, typer.Option("--cache-mb", metavar="N", help="Memory for samples, in megabytes.")] = 1_024,
    workers: Annotated[
        int,
        typer.Option(
            "--workers", metavar="N", help="Threads that decode and degrade photos; 0: chosen by the number of cores."
        ),
    ] = 0,
    device: Device = "auto",
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Name of the model. Default: the name of its folder.")
    ] = None,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write TensorBoard logs (extra: tensorboard).")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Train a model on labelled photos, or on clean photos that it degrades itself.

    The result is a folder that diagnose takes as --model. Ctrl-C saves a
    checkpoint; the same command with --resume auto goes on exactly there.

    On several GPUs or machines, use the same arguments with
    torchrun --nproc-per-node=N -m photodefect train.

    Exit codes: 0 done; 1 done, but some photos are missing or unreadable;
    2 wrong usage, or the labels can't be used; 3 no photos; 4 initial weights
    or a checkpoint can't be used; 130 interrupted.
    """
    # One of several processes has nothing to say about their ways of talking that a person could use.
    if "RANK" in os.environ:
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # read when torch is imported
    require("train", "torch", what="train")
    from photodefect.errors import ToldElsewhereError  # noqa: PLC0415
    from photodefect.training.listener import Listeners  # noqa: PLC0415
    from photodefect.training.progress import TrainingProgress  # noqa: PLC0415
    from photodefect.training.run import train_model  # noqa: PLC0415
    from photodefect.training.run_folder import WORK_FOLDER  # noqa: PLC0415
    from photodefect.training.settings import RECIPES, SettingError, Settings  # noqa: PLC0415
    from photodefect.training.team import joined_team, started_together  # noqa: PLC0415

    if recipe == "compact":
        if started_together():
            raise typer.BadParameter("--recipe compact trains in one process; start it without torchrun")
        from photodefect.cli.train_compact import (  # noqa: PLC0415
            both_sources,
            refuse_options,
            refuse_to_replace,
            train_compact_recipe,
        )

        refuse_options(context)
        refuse_to_replace(output)
        left_out = train_compact_recipe(
            *both_sources(labels, synthesize),
            output,
            images=images,
            name=name or output.resolve().name,
            any_source=any_source,
            variants=variants,
            rebalanced=rebalanced,
            folds=folds or 5,
            seed=seed,
            workers=workers,
            walk=walk,
            quiet=quiet,
        )
        _name_left_out(left_out, quiet=quiet)
        raise typer.Exit(ExitCode.SOME_FAILED if left_out.unreadable else ExitCode.DONE)
    if (labels is None) == (synthesize is None):
        raise typer.BadParameter("name a CSV of labels, or a folder of clean photos by --synthesize, and not both")
    if folds is not None:
        raise typer.BadParameter("--folds goes with --recipe compact alone")
    try:
        with joined_team() as team:
            with team.together():
                settings = Settings(
                    network=network,
                    recipe=replace(RECIPES[recipe], **changes.given()),
                    recipe_name=recipe,
                    inputs=inputs,
                    init=init if init is not None else "imagenet" if network == "lite0" else "random",
                    seed=seed,
                    validation=validation,
                    validate_every=validate_every,
                    patience=patience,
                    checkpoint_every=checkpoint_every,
                    keep=keep,
                    any_source=any_source,
                    variants=variants,
                    rebalanced=rebalanced,
                    window=window,
                    cache_mb=cache_mb,
                    workers=workers,
                    device=device,
                )
                listeners: list[Listener] = [TrainingProgress(stderr_console())] if team.leads and not quiet else []
                if tensorboard and team.leads:
                    from photodefect.training.tensorboard import TensorBoard  # noqa: PLC0415

                    listeners.append(TensorBoard(output / WORK_FOLDER / "tensorboard"))
                photos, missing = _photos(labels, images, synthesize, settings, walk, quiet=quiet or not team.leads)
            listener = Listeners(listeners)
            with _held_signals(team) as interrupted:
                try:
                    result = train_model(
                        settings,
                        photos,
                        output,
                        name=name or output.resolve().name,
                        resume=_resume(resume),
                        listener=listener,
                        stop=lambda: bool(interrupted),
                        team=team,
                    )
                finally:
                    listener.close()
    except SettingError as error:
        raise typer.BadParameter(str(error)) from error
    except ToldElsewhereError as error:
        raise typer.Exit(ExitCode.SOME_FAILED) from error
    if team.leads:
        _report(result, missing, output, quiet=quiet)
    if result.stopped:
        raise typer.Exit(ExitCode.INTERRUPTED)
    raise typer.Exit(ExitCode.SOME_FAILED if missing or result.left_out.unreadable else ExitCode.DONE)


def _photos(
    labels: Path | None,
    images: Path | None,
    synthesize: Path | None,
    settings: Settings,
    walk: WalkOptions,
    *,
    quiet: bool,
) -> tuple[TrainingPhotos, list[str]]:
    """What to train on, and the files that are missing."""
    from photodefect.cli.photo_list import list_photos  # noqa: PLC0415
    from photodefect.labels.table import read_labels  # noqa: PLC0415
    from photodefect.training.photo_sets import LabelledPhotos, SyntheticPhotos  # noqa: PLC0415

    if labels is not None:
        if walk.exclude or walk.include_passed_over:
            raise typer.BadParameter("--exclude and --include-passed-over are about --synthesize")
        labelled = read_labels(labels, images)
        return LabelledPhotos(labelled), [str(path) for path in labelled.missing]
    listed = list_photos([str(synthesize)], walk=walk, quiet=quiet)
    sources = [Path(path) for path in listed.photos]
    photos = SyntheticPhotos(
        sources,
        variants=settings.variants,
        rebalanced=settings.rebalanced,
        seed=settings.seed,
        check=not settings.any_source,
    )
    return photos, [problem.path for problem in listed.problems]


def _resume(value: str | None) -> Path | Literal["auto"] | None:
    return None if value is None else "auto" if value == "auto" else Path(value)


@contextmanager
def _held_signals(team: Team) -> Iterator[list[int]]:
    """Ctrl-C fills the list, for the loop to see when its step is done. A second one gets through at once.

    In a team SIGTERM does so as well, and no signal gets through: torchrun passes on what the terminal has sent to each
    process already, ends all processes by SIGTERM when one fails, and kills those that take too long.
    """
    received: list[int] = []

    def hold(number: int, _frame: FrameType | None) -> None:
        if received and team.size == 1:
            raise KeyboardInterrupt
        received.append(number)

    numbers = [signal.SIGINT] if team.size == 1 else [signal.SIGINT, signal.SIGTERM]
    if interrupts_are_ignored():
        numbers = [signal.SIGTERM]
    previous = [(number, signal.signal(number, hold)) for number in numbers]
    try:
        yield received
    finally:
        for number, handler in previous:
            signal.signal(number, handler)


def _report(result: RunResult, missing: list[str], output: Path, *, quiet: bool) -> None:
    _name_photos("not found", dict.fromkeys(missing, ""))
    _name_left_out(result.left_out, quiet=quiet)
    if quiet:
        return
    for kind, outcome in result.outcomes.items():
        progress = outcome.progress
        best = f", best after step {progress.best_step}" if progress.best_step else ""
        why = {"steps": "", "patience": ": validation brings nothing better any more", "stopped": ": interrupted"}
        note(f"{kind}: {progress.step} steps{best}{why[outcome.reason]}")
    if result.stopped:
        note("a checkpoint is saved; the same command with --resume auto goes on there")
    elif result.missing is not None:
        state, options, what = "is still missing for a model", f"--inputs {result.missing} --resume auto", "trains it"
        if result.interrupted is not None:
            step, steps = result.interrupted
            state = f"was interrupted after step {step} of {steps}, so no model is written"
            options, what = f"{options} --steps {steps}", "goes on with it"
        note(f"the {result.missing} network {state}: the same command with {options} {what}", "yellow")
    else:
        note(f"the model is in {output}: photodefect diagnose --model {output} PHOTOS")


def _name_left_out(left_out: LeftOut, *, quiet: bool) -> None:
    _name_photos("can't be read", left_out.unreadable)
    if not quiet:
        _name_photos("not clean enough to be degraded", left_out.unfit)


def _name_photos(what: str, photos: dict[str, str]) -> None:
    if not photos:
        return
    names = [f"{path} ({reason})" if reason else path for path, reason in list(photos.items())[:NAMED]]
    more = f" and {len(photos) - NAMED} more" if len(photos) > NAMED else ""
    note(f"left out, {what}: {', '.join(names)}{more}", "yellow")
