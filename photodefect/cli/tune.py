"""``photodefect tune``: fit a profile to a person's own ratings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from photodefect.cli.console import note
from photodefect.cli.exit_codes import ExitCode
from photodefect.cli.option_groups import grouped
from photodefect.cli.options import ModelOptions, Quiet
from photodefect.cli.output import check_output, open_output
from photodefect.cli.run import diagnose_all
from photodefect.cli.work import Work, diagnosing
from photodefect.errors import DataError, NothingToDoError

if TYPE_CHECKING:
    from photodefect.ranking.tune import Taste


@grouped
def tune(
    ratings: Annotated[
        Path,
        typer.Argument(
            metavar="RATINGS.csv",
            help="A CSV with a column path, and your severities per defect, or stars (0-5), or keep (keep/reject).",
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write the profile to this file instead of stdout."),
    ] = None,
    *,
    save_as: Annotated[
        str | None,
        typer.Option("--save-as", metavar="NAME", help="Save it as one of your profiles, for --profile NAME."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the profile if it exists.")] = False,
    images: Annotated[
        Path | None,
        typer.Option(
            "--images", metavar="DIR", help="Folder that the paths start from. Default: the folder of the CSV."
        ),
    ] = None,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Fit even to fewer than 30 ratings. The result can't be trusted.")
    ] = False,
    model: ModelOptions,
    work: Work,
    quiet: Quiet = False,
) -> None:
    """Fit a profile to your own ratings.

    From your severities, each defect you rated gets a scale of your own. From
    stars or keep/reject, the defects get weights. A part of the fit is saved
    only if it does better on photos left out of the fit. Then it says for each
    defect how often it was severe and how often you agreed, and which threshold
    or weight would help.

    Exit codes: 0 done; 1 done, but some files failed; 2 wrong usage, or too few
    ratings; 3 no photo could be diagnosed; 4 the model can't be used.
    """
    from photodefect.ranking.agreement import agreements  # noqa: PLC0415
    from photodefect.ranking.tune import ENOUGH, fit_taste, read_ratings  # noqa: PLC0415

    rated = read_ratings(ratings)
    if len(rated) < ENOUGH:
        message = f"{ratings} has {len(rated)} ratings; what is fitted to fewer than {ENOUGH} can't be trusted"
        if not anyway:
            raise DataError(f"{message}. Rate more photos, or give --anyway")
        note(message, "yellow")
    target = _target(output, save_as)
    check_output(target, force=force, read={ratings: "the ratings"})
    folder = images if images is not None else ratings.parent
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder. Name the folder that the paths of {ratings} start from.")
    with diagnosing(model.model, work, **model.settings()) as diagnoser:
        records = diagnose_all(diagnoser, (folder / it.path for it in rated), len(rated), quiet=quiet)
    diagnoses = {rating.path: record for rating, record in zip(rated, records, strict=True)}
    failed = [it for it in diagnoses.values() if it.error is not None]
    if len(failed) == len(diagnoses):
        raise NothingToDoError(
            f"none of the photos of {ratings} can be diagnosed; the first: {failed[0].path}: "
            f"{failed[0].error and failed[0].error.message}"
        )
    taste = fit_taste(rated, diagnoses)
    _report(taste, quiet=quiet)
    if not quiet:
        for agreement in agreements(rated, diagnoses):
            note(str(agreement))
    for it in failed:
        note(f"left out: {it.path}: {it.error and it.error.message}", "yellow")
    heading = [f"Fitted by photodefect tune to {len(rated) - len(failed)} ratings of {ratings.name}."]
    with open_output(target, force=force, errors="strict") as stream:
        stream.write(_profile_text(taste, heading))
    if target is not None and not quiet:
        note(f"saved as {target}")
    raise typer.Exit(ExitCode.SOME_FAILED if failed else ExitCode.DONE)


def _target(output: Path | None, save_as: str | None) -> Path | None:
    if save_as is None:
        return output
    from photodefect.ranking.profiles.locations import NAMED_FOLDER, SUFFIX, user_folder  # noqa: PLC0415

    if output is not None:
        raise typer.BadParameter("--output and --save-as both say where to; give one of them")
    if not save_as or save_as != Path(save_as).name or save_as.startswith("."):
        raise typer.BadParameter(f"{save_as!r} can't be the name of a profile; take letters, digits and dashes")
    folder = user_folder() / NAMED_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{save_as.removesuffix(SUFFIX)}{SUFFIX}"


def _report(taste: Taste, *, quiet: bool) -> None:
    if not quiet:
        for gain in taste.gains:
            what, measure = gain.what.replace("_", " "), "mean error"
            if gain.what == "weights":
                measure = "pairs in the wrong order"
            outcome = "kept" if gain.used else "no gain, left as it is"
            note(
                f"{what}: {measure} {gain.before:.3f} before, {gain.after:.3f} after, on photos left out of the fit "
                f"({gain.photos} ratings; {outcome})"
            )
    for reason in taste.skipped:
        note(f"not fitted: {reason}", "yellow")


def _profile_text(taste: Taste, heading: list[str]) -> str:
    from photodefect.ranking.profiles.settings import Setting, Value, to_profile, to_toml  # noqa: PLC0415

    values: dict[str, Value] = {}
    for key, curve in taste.calibration.items():
        values |= {f"calibration.{key}.raw": curve.raw, f"calibration.{key}.severity": curve.severity}
    values |= {f"weights.{key}": weight for key, weight in (taste.weights or {}).items()}
    settings = {name: Setting(value, "tune") for name, value in values.items()}
    return to_toml(to_profile(settings), settings, heading=heading, only_set=True)
