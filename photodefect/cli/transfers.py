"""Copying, linking and moving ranked photos: the options, the plan, and with ``--apply`` the deed itself."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Final

import typer

from photodefect.cli.console import note
from photodefect.cli.exit_codes import ExitCode
from photodefect.cli.interrupts import held_interrupts
from photodefect.cli.progress import ProgressLine
from photodefect.errors import DataError

if TYPE_CHECKING:
    from photodefect.files.plan import Mode

_DEEDS: Final = partial(typer.Option, rich_help_panel="Copying, linking, moving")

_DONE: Final[Mapping[Mode, str]] = MappingProxyType({"copy": "copied", "link": "linked", "move": "moved"})


@dataclass(frozen=True)
class Transfer:
    """What shall happen to photos.

    Attributes:
        mode: ``copy``, ``link`` or ``move``.
        target: the folder.
        keep_folders: keep sub-folders instead of putting all into the target itself.
        journal: where the journal goes; None for the usual place.
    """

    mode: Mode
    target: Path
    keep_folders: bool = False
    journal: Path | None = None


@dataclass(frozen=True)
class TransferOptions:
    """What ``rank-folder`` shall do to the chosen photos, and whether it is to do it or to show the plan."""

    copy_to: Annotated[
        Path | None,
        _DEEDS(
            "--copy-to", metavar="DIR", help="Copy the chosen photos there, with their sidecars and raw/JPEG twins."
        ),
    ] = None
    link_to: Annotated[Path | None, _DEEDS("--link-to", metavar="DIR", help="Make symbolic links to them there.")] = (
        None
    )
    move_to: Annotated[Path | None, _DEEDS("--move-to", metavar="DIR", help="Move them there.")] = None
    keep_folders: Annotated[
        bool,
        _DEEDS("--keep-folders", help="Keep the subfolders of FOLDER instead of putting all photos into one folder."),
    ] = False
    apply: Annotated[
        bool, _DEEDS("--apply", help="Copy, link, move or write sidecars. Without it, the plan is shown on stderr.")
    ] = False
    journal: Annotated[
        Path | None,
        _DEEDS("--journal", metavar="FILE", help="Keep the journal for undo in this file, not in its usual place."),
    ] = None

    def wanted(self, *, xmp: bool) -> Transfer | None:
        """The transfer that options ask for, or None.

        Args:
            xmp: sidecars are wanted; the journal is theirs.

        Raises:
            typer.BadParameter: they ask for two.
            DataError: the journal is there already.
        """
        journal = None if xmp else self.journal
        places: dict[Mode, Path | None] = {"copy": self.copy_to, "link": self.link_to, "move": self.move_to}
        asked = [(mode, folder) for mode, folder in places.items() if folder is not None]
        if len(asked) > 1:
            raise typer.BadParameter(f"--{asked[0][0]}-to and --{asked[1][0]}-to both say where to; give one of them")
        if not asked:
            return None
        if journal is not None and os.path.lexists(journal):
            raise DataError(f"{journal} is there already; a journal is never written over")
        return Transfer(*asked[0], self.keep_folders, journal)


def check_transfer(transfer: Transfer, roots: Sequence[Path], photos: Sequence[str]) -> None:
    """Refuse a target before any work is done for it.

    Raises:
        typer.BadParameter: sub-folders are to be kept, but of no folder.
        DataError: it is no folder, or it and the photos' folder lie in each other.
        TransferError: it is read-only.
    """
    from photodefect.files.plan import plan_transfer  # noqa: PLC0415

    if transfer.keep_folders and not roots:
        raise typer.BadParameter("--keep-folders keeps those below FOLDER; name it")
    plan_transfer([], transfer.target, transfer.mode, roots=[*roots, *{Path(photo).parent for photo in photos}])


def common_folder(folders: Sequence[str]) -> str:
    """The folder that all of these are in; empty if there is none, as on several disks of Windows."""
    try:
        return os.path.commonpath(list(map(os.path.abspath, folders)))
    except ValueError:
        return ""


def carry_out(
    transfer: Transfer, photos: Sequence[str], roots: Sequence[Path], base: Path, *, apply: bool, quiet: bool
) -> bool:
    """Show the plan, or follow it.

    Args:
        transfer: what shall happen.
        photos: to whom.
        roots: the folders that were searched for them.
        base: the folder below which sub-folders are kept, if they are.
        apply: do it.
        quiet: say only what went wrong, and the plan.

    Returns:
        Whether all went as it should.

    Raises:
        TransferError: the disk is full, the target is read-only or the like; the message says how much is done.
        DataError: as :func:`check_transfer`.
        typer.Exit: interrupted; the person was told how much is done.
    """
    from photodefect.files.journal import Journal, default_journal_path  # noqa: PLC0415
    from photodefect.files.plan import plan_transfer, some_files  # noqa: PLC0415
    from photodefect.files.transfer import apply as follow  # noqa: PLC0415
    from photodefect.files.transfer import undo_command  # noqa: PLC0415

    plan = plan_transfer(
        photos,
        transfer.target,
        transfer.mode,
        roots=roots,
        base=base if transfer.keep_folders else None,
    )
    if not apply:
        for line in plan.lines():
            note(line)
        files = some_files(len(plan.actions))
        note(f"nothing was done; that was the plan for {files}, and --apply follows it", "yellow")
        return all(skipped.needless for skipped in plan.skipped)
    done = _DONE[transfer.mode]
    name = transfer.journal or default_journal_path(transfer.mode)
    went = 0
    with (
        Journal(name, f"{transfer.mode} to {plan.target}") as journal,
        ProgressLine(len(plan.actions), enabled=not quiet, what=done) as progress,
    ):

        def count(_action: object) -> None:
            nonlocal went
            went += 1
            progress.advance()

        try:
            outcome = follow(plan, journal, on_action=count, whole=held_interrupts)
        except KeyboardInterrupt:
            progress.hide()
            note(f"interrupted: {went} of {some_files(len(plan.actions))} {done} to {plan.target}")
            if journal.begun:
                note(f"to take that back: {undo_command(name)}")
            raise typer.Exit(ExitCode.INTERRUPTED) from None
    for skipped in outcome.skipped:
        if not (quiet and skipped.needless):
            note(f"skipped {skipped.path}: {skipped.reason}", "yellow")
    if not quiet:
        note(f"{some_files(len(outcome.done))} {done} to {plan.target}")
        if outcome.journal is not None:
            note(f"to take that back: {undo_command(outcome.journal)}")
    return all(skipped.needless for skipped in outcome.skipped)
