"""Copying, linking and moving ranked photos: the plan, and on ``--apply`` the deed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from photodefect.cli.console import note
from photodefect.errors import DataError

if TYPE_CHECKING:
    from photodefect.files.plan import Mode

_DONE: dict[Mode, str] = {"copy": "copied", "link": "linked", "move": "moved"}


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


def wanted_transfer(
    copy_to: Path | None, link_to: Path | None, move_to: Path | None, *, keep_folders: bool, journal: Path | None
) -> Transfer | None:
    """The transfer that options ask for, or None.

    Raises:
        typer.BadParameter: they ask for two, or an option has no meaning without one.
        DataError: the journal is there already.
    """
    places: dict[Mode, Path | None] = {"copy": copy_to, "link": link_to, "move": move_to}
    asked = [(mode, folder) for mode, folder in places.items() if folder is not None]
    if len(asked) > 1:
        raise typer.BadParameter(f"--{asked[0][0]}-to and --{asked[1][0]}-to both say where to; give one of them")
    if not asked:
        if keep_folders or journal is not None:
            raise typer.BadParameter("--keep-folders and --journal are about --copy-to, --link-to or --move-to")
        return None
    if journal is not None and journal.exists():
        raise DataError(f"{journal} is there already; a journal is never written over")
    return Transfer(*asked[0], keep_folders, journal)


def check_transfer(transfer: Transfer, roots: Sequence[Path], photos: Sequence[str]) -> None:
    """Refuse a target before any work is done for it.

    Raises:
        DataError: it is no folder, or it and the photos' folder lie in each other.
    """
    from photodefect.files import plan_transfer  # noqa: PLC0415

    plan_transfer([], transfer.target, transfer.mode, roots=roots or {Path(photo).parent for photo in photos})


def carry_out(transfer: Transfer, photos: Sequence[str], root: Path | None, *, apply: bool, quiet: bool) -> bool:
    """Show the plan, or follow it.

    Args:
        transfer: what shall happen.
        photos: to whom.
        root: the folder that was searched for them; None if they were listed.
        apply: do it.
        quiet: say only what went wrong.

    Returns:
        Whether all went as it should.

    Raises:
        TransferError: the disk is full, the target is read-only or the like; the message says how much is done.
        DataError: as :func:`check_transfer`.
    """
    from photodefect.files import Journal, default_journal_path, plan_transfer  # noqa: PLC0415
    from photodefect.files import apply as follow  # noqa: PLC0415

    plan = plan_transfer(
        photos,
        transfer.target,
        transfer.mode,
        roots=[] if root is None else [root],
        base=root if transfer.keep_folders else None,
    )
    if not apply:
        for line in plan.lines():
            note(line)
        note(f"nothing was done: that was the plan for {len(plan.actions)} files; --apply follows it", "yellow")
        return True
    with Journal(
        transfer.journal or default_journal_path(transfer.mode), f"rank-folder --{transfer.mode}-to"
    ) as journal:
        outcome = follow(plan, journal)
    for skipped in outcome.skipped:
        note(f"skipped {skipped.path}: {skipped.reason}", "yellow")
    if not quiet:
        note(f"{_DONE[transfer.mode]} {len(outcome.done)} files to {plan.target}")
        if outcome.journal is not None:
            note(f"photodefect undo {outcome.journal} takes that back")
    return not outcome.skipped
