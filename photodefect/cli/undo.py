"""``photodefect undo``: take back what a journal records."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from photodefect.cli.console import note
from photodefect.cli.exit_codes import ExitCode
from photodefect.cli.interrupts import held_interrupts
from photodefect.cli.options import Quiet
from photodefect.errors import DataError
from photodefect.printable import printable


def undo(
    journal: Annotated[
        Path | None,
        typer.Argument(metavar="JOURNAL", help="The journal to undo. If left out, all journals are listed."),
    ] = None,
    *,
    apply: Annotated[bool, typer.Option("--apply", help="Take it back. Without it, only the plan is shown.")] = False,
    quiet: Quiet = False,
) -> None:
    """Take back what was copied, linked, moved or written to sidecars.

    Moved files go back to where they came from. Copies and links are removed
    if nobody changed them since; a copy only while its original exists.
    Sidecars become what they were. Nothing else is removed and nothing is
    overwritten. What can't be taken back without loss stays and is named.
    Without --apply nothing is changed.

    Exit codes: 0 done; 1 something can't be taken back; 2 wrong usage, or the
    file is no journal; 3 there are no journals; 130 interrupted.
    """
    if journal is None:
        if apply:
            raise typer.BadParameter("name the journal; photodefect undo alone lists those there are")
        _list_journals()
        return
    from photodefect.files.journal import Journal, read_journal  # noqa: PLC0415
    from photodefect.files.operations import DryRunOperations, FileOperations  # noqa: PLC0415
    from photodefect.files.undo import undo as take_back  # noqa: PLC0415

    record = read_journal(journal)
    with Journal.reopen(record) if apply else Journal(None) as log:
        outcome = take_back(
            record,
            log,
            files=FileOperations() if apply else DryRunOperations(),
            on_step=None if quiet and apply else lambda step: note(str(step)),
            whole=held_interrupts,
        )
    for line in outcome.refused:
        note(line, "yellow")
    if not quiet:
        for line in outcome.notes:
            note(line)
    if not (outcome.steps or outcome.refused or quiet):
        note("there is nothing to take back")
    elif outcome.steps and not apply:
        note("nothing was done; that was the plan, and --apply follows it", "yellow")
    raise typer.Exit(ExitCode.SOME_FAILED if outcome.refused else ExitCode.DONE)


def _list_journals() -> None:
    """A line a journal, the newest last: where it lies, when and what for, and how many files can be taken back."""
    from photodefect.errors import NothingToDoError  # noqa: PLC0415
    from photodefect.files.journal import read_journal, state_folder  # noqa: PLC0415
    from photodefect.files.plan import some_files  # noqa: PLC0415

    found = sorted(state_folder().glob("*.jsonl"))
    if not found:
        raise NothingToDoError(f"there are no journals in {state_folder()}")
    for path in found:
        try:
            record = read_journal(path)
        except DataError as error:
            note(str(error), "yellow")
            continue
        files = sum(entry.kind != "folder" for entry in record.open_entries)
        fields = (str(path), record.created, record.title, some_files(files))
        sys.stdout.write("\t".join(map(printable, fields)) + "\n")
