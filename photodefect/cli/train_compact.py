"""``photodefect train --recipe compact``: the recipe of the shipped weights, from rated and from clean photos."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

import typer

from photodefect.cli.console import note, stderr_console
from photodefect.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from photodefect.cli.options import WalkOptions
    from photodefect.training.samples import LeftOut

FEATURES_FOLDER = "training/features"
"""Where cached features lie inside the model's folder; it can be removed when training is over."""


def train_compact_recipe(
    labels: Path,
    folder: Path,
    output: Path,
    *,
    images: Path | None,
    name: str,
    any_source: bool,
    variants: int,
    rebalanced: float,
    folds: int,
    seed: int,
    workers: int,
    walk: WalkOptions,
    quiet: bool,
) -> LeftOut:
    """Train the compact network on rated photos and on degraded variants of the photos in a folder.

    Features that an earlier run cached in the same output folder are used, so the same command goes on where it
    stopped.

    Returns:
        Photos that can't be used, and why.

    Raises:
        DataError: the labels can't be used or hold no votes, or no photo is clean enough to learn from.
        ModelError: the ImageNet weights are missing.
        NothingToDoError: there is no photo.
        typer.Exit: it was interrupted; the person was told how to go on.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    from photodefect._version import __version__  # noqa: PLC0415
    from photodefect.cli.photo_list import list_photos  # noqa: PLC0415
    from photodefect.diagnosis.diagnoser import available_cores  # noqa: PLC0415
    from photodefect.labels.table import read_labels  # noqa: PLC0415
    from photodefect.training.compact_recipe import train_compact  # noqa: PLC0415
    from photodefect.training.compact_settings import CompactSettings  # noqa: PLC0415
    from photodefect.training.imagenet import imagenet_weights_file  # noqa: PLC0415
    from photodefect.training.samples import LeftOut  # noqa: PLC0415

    imagenet_weights_file()
    labelled = read_labels(labels, images)
    rated = {photo.path: photo for photo in labelled.photos}
    listed = list_photos([str(folder)], walk=walk, quiet=quiet)
    sources = [Path(path) for path in listed.photos]
    settings = CompactSettings(workers=workers or available_cores(), folds=folds)
    settings = replace(
        settings,
        cache=replace(settings.cache, variants=variants, rebalanced=rebalanced, seed=seed, any_source=any_source),
        holistic=replace(settings.holistic, seed=settings.holistic.seed + seed),
        patches=replace(settings.patches, seed=settings.patches.seed + seed),
        imitation=replace(settings.imitation, seed=settings.imitation.seed + seed),
        votes=replace(settings.votes, seed=settings.votes.seed + seed),
        tuning=replace(settings.tuning, seed=settings.tuning.seed + seed),
        framing=replace(settings.framing, seed=settings.framing.seed + seed),
        views=replace(settings.views, seed=seed),
    )
    columns = (
        TextColumn("features"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    features = output / FEATURES_FOLDER
    try:
        with Progress(*columns, console=stderr_console(), transient=True, disable=quiet) as progress:
            task = progress.add_task("features", total=len(sources) + len(rated))

            def report(line: str, *, photo_done: bool = False) -> None:
                if photo_done:
                    progress.advance(task)
                elif not quiet:
                    note(line)

            left_out = train_compact(
                sources, rated, features, output, settings, name=name, version=__version__, report=report
            )
    except KeyboardInterrupt:
        done = len(list(features.glob("*.npz")))
        note(f"interrupted after the features of {done} of {len(sources) + len(rated)} photos")
        note(f"the same command goes on from there: features so far are in {features}")
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    if not quiet:
        note(f"the model is in {output}: photodefect diagnose --model {output} PHOTOS")
    unusable = {it.path: it.error.message if it.error else "" for it in listed.problems}
    unusable |= dict.fromkeys(map(str, labelled.missing), "there is no such file")
    return LeftOut(unusable | left_out.unreadable, left_out.unfit)


def both_sources(labels: Path | None, synthesize: Path | None) -> tuple[Path, Path]:
    """The rated and the clean photos.

    Raises:
        typer.BadParameter: one of them isn't named.
    """
    if labels is None or synthesize is None:
        raise typer.BadParameter(
            "--recipe compact needs a CSV of labels with votes, and a folder of clean photos by --synthesize"
        )
    return labels, synthesize


def refuse_to_replace(output: Path) -> None:
    """What an interrupted run of the recipe left is all that may lie in its folder.

    Raises:
        DataError: there is a model or another recipe's run, or it is a file.
    """
    from photodefect.errors import DataError  # noqa: PLC0415
    from photodefect.training.run_folder import MODEL_FILES, held_by  # noqa: PLC0415

    held = held_by(output)
    if held == "run":
        raise DataError(f"{output} holds a training run of another recipe; name another --output.")
    if held == "model":
        advice = ""
        if (output / FEATURES_FOLDER).is_dir():
            present = [str(output / name) for name in MODEL_FILES if (output / name).exists()]
            advice = f" To make its weights anew from the features cached there, first remove {', '.join(present)}."
        raise DataError(f"{output} holds a model already; name another --output.{advice}")


FOLLOWED: Final = frozenset(
    {
        *("labels", "images", "output", "synthesize", "any_source", "exclude", "include_passed_over", "recipe"),
        *("seed", "variants", "rebalanced", "folds", "workers", "name", "quiet"),
    }
)
"""Options of ``train`` that the recipe follows."""

MEANT: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"network": ("lite0",), "inputs": ("both",), "init": ("imagenet",), "resume": ("auto",), "device": ("auto", "cpu")}
)
"""Values of further options that say what the recipe does anyway."""


def refuse_options(context: typer.Context) -> None:
    """Options that the recipe can't follow are wrong usage rather than silently dropped.

    Args:
        context: of the command as it was called.

    Raises:
        typer.BadParameter: one was given, or several; the message names them all.
    """
    refused = []
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        if name in FOLLOWED or source is None or source.name == "DEFAULT":
            continue
        value = context.params[name]
        if name not in MEANT:
            refused.append(parameter.opts[0])
        elif value not in MEANT[name]:
            refused.append(f"{parameter.opts[0]} {value}")
    if refused:
        verb = "doesn't" if len(refused) == 1 else "don't"
        raise typer.BadParameter(f"{', '.join(refused)} {verb} go with --recipe compact")
