"""``photodefect unmark``: take all of photodefect's marks back from the sidecars of a folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from photodefect.cli.console import note
from photodefect.cli.exit_codes import ExitCode
from photodefect.cli.interrupts import held_interrupts
from photodefect.cli.options import Quiet
from photodefect.errors import DataError, NothingToDoError


def unmark(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder; those below it are gone through, too.")],
    *,
    apply: Annotated[bool, typer.Option("--apply", help="Take them back. Without it, only the plan is shown.")] = False,
    journal: Annotated[
        Path | None,
        typer.Option("--journal", metavar="FILE", help="Where to note what is done, for photodefect undo."),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Take all of photodefect's marks back from the sidecars of a folder.

    Ratings, labels, keywords and severities that rank-folder --xmp wrote go,
    in whatever place other programs have copied them to since. What is yours
    stays. Sidecars that photodefect made and that say nothing else are
    removed. Photos are never written to. Without --apply nothing is changed,
    and photodefect undo takes it back.

    Exit codes: 0 done; 1 some sidecars can't be read or written; 2 wrong
    usage; 3 no sidecars; 130 interrupted.
    """
    from photodefect.files.journal import Journal, default_journal_path  # noqa: PLC0415
    from photodefect.files.operations import DryRunOperations, FileOperations  # noqa: PLC0415
    from photodefect.files.transfer import undo_command  # noqa: PLC0415
    from photodefect.sidecars.take_back import find_sidecars, take_back_sidecars  # noqa: PLC0415

    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder")
    if journal is not None and os.path.lexists(journal):
        raise DataError(f"{journal} is there already; a journal is never written over")
    problems: list[OSError] = []
    sidecars = list(find_sidecars(folder, problems.append))
    if not sidecars and not problems:
        raise NothingToDoError(f"there are no sidecars in {folder}")
    name = (journal or default_journal_path("unmark")) if apply else None
    done = 0

    def tell(written: object) -> None:
        nonlocal done
        done += 1
        if not (quiet and apply):
            note(str(written))

    with Journal(name, f"unmark {folder}") as log:
        try:
            outcome = take_back_sidecars(
                sidecars,
                log,
                files=FileOperations() if apply else DryRunOperations(),
                on_written=tell,
                whole=held_interrupts,
            )
        except KeyboardInterrupt:
            note(f"interrupted after {done} sidecars")
            raise typer.Exit(ExitCode.INTERRUPTED) from None
        finally:
            if log.begun and name is not None and not quiet:
                note(f"to take that back: {undo_command(name)}")
    for line in (
        *map(str, outcome.refused),
        *(f"{error.filename} can't be read: {error.strerror}" for error in problems),
    ):
        note(line, "yellow")
    count = f"{done} sidecars changed or removed; {outcome.unchanged} without marks of photodefect"
    if not apply:
        note(f"nothing was done; that was the plan ({count}), and --apply follows it", "yellow")
    elif not quiet:
        note(count)
    raise typer.Exit(ExitCode.SOME_FAILED if outcome.refused or problems else ExitCode.DONE)
