"""``photodefect aggregate-votes``: turn the raw votes of many people into ground truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from photodefect.cli.console import note
from photodefect.cli.exit_codes import ExitCode
from photodefect.cli.options import Quiet, ReplaceOutput
from photodefect.cli.output import check_output, open_output

if TYPE_CHECKING:
    from photodefect.labels.votes import GroundTruth, RawVotes

NAMED: Final = 10
"""How many photos or workers a list on stderr names."""


def aggregate_votes(
    votes: Annotated[
        Path,
        typer.Argument(
            metavar="VOTES.csv",
            help="Either a row per photo and worker: path, worker and the seven defects. Or a row per vote: path, "
            "worker, defect, vote.",
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="LABELS.csv", help="Write to this file instead of stdout.")
    ] = None,
    *,
    force: ReplaceOutput = False,
    obvious: Annotated[
        Path | None,
        typer.Option("--obvious", metavar="FILE", help="Severities known beforehand: columns path and the defects."),
    ] = None,
    largest: Annotated[
        float,
        typer.Option("--severe", metavar="X", min=0.1, help="What a severe vote is: 1, or 2 if votes are 0, 1 and 2."),
    ] = 1.0,
    groups: Annotated[
        Path | None,
        typer.Option(
            "--groups",
            metavar="FILE",
            help="What photos have in common: columns path and group (or source). train judges by groups left out.",
        ),
    ] = None,
    least_accuracy: Annotated[
        float,
        typer.Option("--min-accuracy", min=0.01, max=1.0, metavar="X", help="Leave out workers with a lower accuracy."),
    ] = 0.6,
    votes_wanted: Annotated[
        int, typer.Option("--min-votes", min=1, metavar="N", help="List photos with fewer votes than this.")
    ] = 5,
    quiet: Quiet = False,
) -> None:
    """Turn the raw votes of many people into ground truth.

    A worker's accuracy is 1 minus the mean error on photos where the truth is
    obvious. The obvious truth is in columns obvious_bad_exposure and so on
    (column obvious, with one vote per row), or in the file of --obvious.
    Inaccurate workers are left out. Ground truth is the mean of the other
    votes, weighted by accuracy. evaluate and train read the result as labels.

    Exit codes: 0 done; 1 done, but for some photos no vote is left; 2 wrong
    usage, or the votes can't be used.
    """
    from photodefect.labels.table import write_labels  # noqa: PLC0415
    from photodefect.labels.votes import aggregate, read_groups, read_votes  # noqa: PLC0415

    others = {obvious: "what is obvious", groups: "the groups"}
    check_output(output, force=force, read={votes: "the votes"} | {path: what for path, what in others.items() if path})
    raw = read_votes(votes, obvious, largest=largest)
    truth = aggregate(
        raw,
        least_accuracy=least_accuracy,
        votes_wanted=votes_wanted,
        groups=read_groups(groups) if groups is not None else {},
    )
    with open_output(output, force=force, errors="surrogateescape") as stream:
        write_labels(stream, truth.photos)
    if not quiet:
        _summarize(raw, truth, votes_wanted)
    raise typer.Exit(ExitCode.SOME_FAILED if truth.empty else ExitCode.DONE)


def _summarize(raw: RawVotes, truth: GroundTruth, votes_wanted: int) -> None:
    kept = [worker for worker in truth.workers if worker.kept]
    note(f"{len(truth.photos)} photos labelled by {len(kept)} of {len(truth.workers)} workers")
    out = [f"{w.name} ({w.accuracy:.2f})" for w in truth.workers if not w.kept and w.accuracy is not None]
    if out:
        note(f"left out as inaccurate: {_listed(out)}, with {truth.dropped_votes} votes", "yellow")
    unjudged = [worker.name for worker in kept if worker.accuracy is None]
    if not raw.obvious:
        note("nothing is said to be obvious, so nobody's accuracy is known: all votes count the same", "yellow")
    elif unjudged:
        note(f"kept unjudged, as they saw nothing obvious: {_listed(unjudged)}", "yellow")
    if truth.sparse:
        photos = [f"{name} ({number})" for name, number in truth.sparse.items()]
        note(f"{len(photos)} photos with fewer than {votes_wanted} votes on some defect: {_listed(photos)}", "yellow")
    if truth.empty:
        note(f"{len(truth.empty)} photos left out, as no vote is left: {_listed(list(truth.empty))}", "yellow")


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
