"""The loop of a command over its records, with progress, Ctrl-C, the closing summary and the exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

import typer

from photodefect.cli.console import note
from photodefect.cli.exit_codes import ExitCode
from photodefect.cli.interrupts import held_interrupts
from photodefect.cli.progress import ProgressLine

if TYPE_CHECKING:
    from photodefect.cli.tally import Tally
    from photodefect.cli.work import Work
    from photodefect.diagnosis.diagnoser import Diagnoser
    from photodefect.records import Diagnosis

T = TypeVar("T")


def take_all(
    records: Generator[T, None, None],
    take: Callable[[T], None],
    total: int | None,
    *,
    quiet: bool = False,
    writes: bool = False,
) -> bool:
    """Take records as they come. Ctrl-C waits until one is taken whole.

    Args:
        records: closed in any case.
        take: what is done with each of them.
        total: how many there will be; None for no end, and no progress.
        quiet: show no progress.
        writes: ``take`` writes to stdout, so that progress has to make room on a terminal.

    Returns:
        Whether the person interrupted it.
    """
    try:
        with closing(records), ProgressLine(total or 0, enabled=not quiet and total is not None) as progress:
            for record in records:
                with held_interrupts():
                    if writes and sys.stdout.isatty():
                        progress.hide()
                    take(record)
                progress.advance()
    except KeyboardInterrupt:
        return True
    return False


def diagnose_all(diagnoser: Diagnoser, photos: Iterable[str | Path], total: int, *, quiet: bool) -> list[Diagnosis]:
    """The records of all photos, in their order.

    Raises:
        KeyboardInterrupt: the person interrupted it.
    """
    diagnoses: list[Diagnosis] = []
    if take_all(diagnoser.diagnose(photos), diagnoses.append, total, quiet=quiet):
        raise KeyboardInterrupt
    return diagnoses


def tell_summary(tally: Tally, *, quiet: bool, table: bool = False) -> None:
    """Say what came out of the run, unless it is a quiet one.

    Args:
        tally: of its records.
        quiet: say nothing.
        table: the person has them before their eyes, failed ones included.
    """
    if not quiet:
        for line in tally.summary(reasons=not table).splitlines():
            note(line)


def end(tally: Tally, *, quiet: bool, table: bool = False) -> NoReturn:
    """End a command that went through all records: the summary, and the exit code.

    Arguments are those of :func:`tell_summary`.

    Raises:
        typer.Exit: always.
    """
    tell_summary(tally, quiet=quiet, table=table)
    raise typer.Exit(tally.exit_code())


def end_interrupted(message: str, work: Work) -> NoReturn:
    """End a command that was interrupted, and say how to go on.

    Args:
        message: how far it came.
        work: whether results so far are kept.

    Raises:
        typer.Exit: always.
    """
    note(message)
    if not work.no_cache:
        note("the same command goes on from there: results so far are in the cache")
    raise typer.Exit(ExitCode.INTERRUPTED)
