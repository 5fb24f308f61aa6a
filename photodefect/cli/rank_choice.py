"""The options of ``rank-folder`` that say which photos are listed, and what they ask for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final

import typer

from photodefect.cli.console import note

if TYPE_CHECKING:
    from photodefect.ranking.selection import Selection, Wishes
    from photodefect.review.marked import MarkedAs

_CHOICE: Final = partial(typer.Option, rich_help_panel="Which photos")
_BURSTS: Final = partial(typer.Option, rich_help_panel="Bursts")


@dataclass(frozen=True)
class Choice:
    """What to rank by, and which photos are listed."""

    by: Annotated[
        str,
        _CHOICE(
            "--by",
            metavar="overall|DEFECT",
            help="Rank by overall severity or by one defect. Too much and too little saturation count alike.",
        ),
    ] = "overall"
    reverse: Annotated[bool, _CHOICE("--reverse", help="Worst first.")] = False
    exclude_severe: Annotated[
        bool,
        _CHOICE(
            "--exclude-severe",
            help="Leave out photos with a severe defect. Exposure brackets and panoramas stay whole.",
        ),
    ] = False
    keep_graphics: Annotated[
        bool,
        _CHOICE(
            "--keep-graphics",
            help="Rank screenshots, drawings, charts and documents too, which are left out otherwise.",
        ),
    ] = False
    show_excluded: Annotated[
        bool, _CHOICE("--show-excluded", help="List on stderr each photo that was left out, with the reason.")
    ] = False
    excluded: Annotated[bool, _CHOICE("--excluded", help="Invert the choice: take the photos that were left out.")] = (
        False
    )
    least: Annotated[
        list[str] | None,
        _CHOICE(
            "--min",
            metavar="DEFECT=VALUE",
            help="Only photos in which this defect (or overall) is at least this severe. Repeatable.",
        ),
    ] = None
    most: Annotated[
        list[str] | None,
        _CHOICE(
            "--max",
            metavar="DEFECT=VALUE",
            help="Only photos in which this defect (or overall) is at most this severe. Repeatable.",
        ),
    ] = None
    only: Annotated[
        list[str] | None,
        _CHOICE("--only", metavar="good|mild|severe", help="Only photos with this verdict. Repeatable."),
    ] = None
    since: Annotated[
        str | None,
        _CHOICE(
            "--since",
            metavar="DATE|TIME|AGO",
            help="Only photos taken since then: 2024-05-01, 2024-05-01T18:30, today, yesterday, or 12h, 3d, 2w ago.",
        ),
    ] = None
    top: Annotated[int | None, _CHOICE("--top", min=1, metavar="N", help="Only the first N photos of the ranking.")] = (
        None
    )
    best: Annotated[str | None, _CHOICE("--best", metavar="P%", help="Only the best P percent of the photos.")] = None
    keep: Annotated[
        int | None,
        _CHOICE(
            "--keep",
            min=1,
            metavar="N",
            help="Only N photos, spread over the shoot: the best of each moment first, then by time and likeness.",
        ),
    ] = None
    marked: Annotated[
        str | None,
        _CHOICE(
            "--marked",
            metavar="pick|reject|unmarked|N+",
            help="Only photos that you marked so in photodefect review; N+ is N stars and more.",
        ),
    ] = None
    best_per_burst: Annotated[
        int | None,
        _BURSTS(
            "--best-per-burst",
            min=1,
            metavar="[N]",
            help="Only the best N photos of each burst; without N, the best one. Brackets, focus stacks, panoramas, "
            "star series, time lapses and pixel shift sets stay whole.",
        ),
    ] = None
    thin_sequences: Annotated[
        bool,
        _BURSTS(
            "--thin-sequences", help="Thin brackets and other sets too, and leave out or reject single photos of them."
        ),
    ] = False
    burst_gap: Annotated[
        float,
        _BURSTS(
            "--burst-gap",
            min=0.0,
            max=86400.0,
            metavar="SECONDS",
            help="Longest time between two photos of a burst. Choose more to group whole scenes.",
        ),
    ] = 2.0

    def wishes(self, *, relative_to_folder: bool) -> Wishes:
        """What the person asked for.

        Raises:
            typer.BadParameter: a value can't be read, or two exclude each other.
        """
        from photodefect.cli.limits import limit, percentage, rank_key, since, verdict  # noqa: PLC0415
        from photodefect.ranking.selection import Wishes  # noqa: PLC0415

        counts = {"--top": self.top, "--best": self.best, "--keep": self.keep}
        given = [option for option, value in counts.items() if value is not None]
        if len(given) > 1:
            raise typer.BadParameter(f"{given[0]} and {given[1]} both say how many photos; give one of them")
        limits = [limit(text, upper=False) for text in self.least or []]
        limits += [limit(text, upper=True) for text in self.most or []]
        return Wishes(
            by=rank_key(self.by),
            limits=tuple(limits),
            keep_graphics=self.keep_graphics,
            top=self.top,
            best=None if self.best is None else percentage(self.best),
            keep=self.keep,
            reverse=self.reverse,
            exclude_severe=self.exclude_severe,
            since=None if self.since is None else since(self.since, datetime.now()),
            verdicts=tuple(map(verdict, self.only or ())),
            best_per_burst=self.best_per_burst,
            thin_sequences=self.thin_sequences,
            relative_to_folder=relative_to_folder,
            gap_s=self.burst_gap,
        )

    def wanted_mark(self) -> MarkedAs | None:
        """What ``--marked`` asks for.

        Raises:
            typer.BadParameter: it can't be read.
        """
        from photodefect.review.marked import MarkedAs  # noqa: PLC0415

        try:
            return None if self.marked is None else MarkedAs.read(self.marked)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error


def tell_left_out(selection: Selection, *, show: bool, excluded: bool, quiet: bool) -> None:
    """Say how many photos were left out and why; one by one if that is asked for, however quiet."""
    if selection.left_out and not quiet:
        reasons = ", ".join(f"{count} {group}" for group, count in selection.reasons.most_common())
        note(f"{len(selection.left_out)} of {len(selection.left_out) + len(selection.chosen)} left out: {reasons}")
    if excluded and not selection.left_out:
        note(
            "--excluded takes what was left out, and nothing was; --exclude-severe, --min and others leave out",
            "yellow",
        )
    if show:
        for photo in selection.left_out:
            note(f"  {photo.path}: {photo.ranking and photo.ranking.left_out}")
