"""``photodefect rank-folder``: the photos of a folder from best to worst, and which of them to keep."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Final, Protocol, TextIO

import typer

from photodefect.cli.console import log_to_stderr, note
from photodefect.cli.exit_codes import ExitCode
from photodefect.cli.options import (
    CacheFile,
    Device,
    DeviceName,
    ModelName,
    NoCache,
    Patches,
    Quiet,
    Threads,
    TimeLimit,
    Verbose,
    Workers,
)
from photodefect.cli.output import check_output, open_output
from photodefect.cli.progress import ProgressLine
from photodefect.cli.sidecars import (
    OverwriteRatings,
    RejectAs,
    RejectAsOption,
    SidecarWish,
    Xmp,
    XmpStyle,
    exiftool_writer,
    wanted_sidecars,
    write_sidecars,
)
from photodefect.cli.transfers import Transfer, carry_out, check_transfer, wanted_transfer
from photodefect.cli.work import Work, diagnosing
from photodefect.core.patches import DEFAULT_PATCHES
from photodefect.errors import DataError

if TYPE_CHECKING:
    from photodefect.cli.photo_list import PhotoList
    from photodefect.diagnosis.diagnoser import Diagnoser
    from photodefect.ranking.hints.measurements import Measurements
    from photodefect.ranking.overall import RankedPhoto
    from photodefect.ranking.profiles.locations import Layers
    from photodefect.ranking.profiles.profile import Profile
    from photodefect.ranking.selection import Selection, Wishes
    from photodefect.records import Diagnosis

OPTIONAL_VALUES: Final = MappingProxyType({"--best-per-burst": "1"})
"""Options that may stand without a number, and what they mean then."""

_CHOICE = "Which photos"
_BURSTS = "Bursts"
_OUTPUT = "Output"
_JUDGING = "Judging"
_DEEDS = "Copying, linking, moving"


class RankFormat(str, Enum):
    """What ``--format`` takes."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"
    EXIFTOOL_CSV = "exiftool-csv"
    PATHS = "paths"


class RelativeTo(str, Enum):
    """What ``--relative-to`` takes."""

    REFERENCE = "reference"
    FOLDER = "folder"


class RankWriter(Protocol):
    """Writes ranked photos as they come."""

    def write(self, photo: RankedPhoto) -> None:
        """Write one photo."""

    def close(self) -> None:
        """Complete the document."""


def rank_folder(
    folder: Annotated[
        str | None, typer.Argument(metavar="FOLDER", help="The folder to rank; the current one if left out.")
    ] = None,
    *,
    by: Annotated[
        str,
        typer.Option(
            "--by",
            metavar="overall|DEFECT",
            help="Rank by overall severity or by one defect; saturation by how far it is off, either way.",
            rich_help_panel=_CHOICE,
        ),
    ] = "overall",
    reverse: Annotated[bool, typer.Option("--reverse", help="Worst first.", rich_help_panel=_CHOICE)] = False,
    exclude_severe: Annotated[
        bool,
        typer.Option("--exclude-severe", help="Leave out photos with a severe defect.", rich_help_panel=_CHOICE),
    ] = False,
    show_excluded: Annotated[
        bool,
        typer.Option(
            "--show-excluded", help="List on stderr what was left out, each with the reason.", rich_help_panel=_CHOICE
        ),
    ] = False,
    excluded: Annotated[
        bool,
        typer.Option(
            "--excluded", help="Turn the choice round: take the photos that were left out.", rich_help_panel=_CHOICE
        ),
    ] = False,
    least: Annotated[
        list[str] | None,
        typer.Option(
            "--min",
            metavar="DEFECT=VALUE",
            help="Only photos that have at least this much of a defect (or overall). Repeatable.",
            rich_help_panel=_CHOICE,
        ),
    ] = None,
    most: Annotated[
        list[str] | None,
        typer.Option(
            "--max",
            metavar="DEFECT=VALUE",
            help="Only photos that have at most this much of a defect (or overall). Repeatable.",
            rich_help_panel=_CHOICE,
        ),
    ] = None,
    top: Annotated[
        int | None,
        typer.Option("--top", min=1, metavar="N", help="Only the first N of the order.", rich_help_panel=_CHOICE),
    ] = None,
    best: Annotated[
        str | None,
        typer.Option("--best", metavar="P%", help="Only the best P percent of them.", rich_help_panel=_CHOICE),
    ] = None,
    best_per_burst: Annotated[
        int | None,
        typer.Option(
            "--best-per-burst",
            min=1,
            metavar="[N]",
            help="Only the best N (1) photos of each burst. Exposure brackets and panoramas stay whole.",
            rich_help_panel=_BURSTS,
        ),
    ] = None,
    thin_sequences: Annotated[
        bool,
        typer.Option("--thin-sequences", help="Thin brackets and panoramas too.", rich_help_panel=_BURSTS),
    ] = False,
    burst_gap: Annotated[
        float,
        typer.Option(
            "--burst-gap",
            min=0.0,
            max=86400.0,
            metavar="SECONDS",
            help="From one photo of a burst to the next, at most; take more for whole scenes.",
            rich_help_panel=_BURSTS,
        ),
    ] = 2.0,
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile",
            metavar="NAME|FILE",
            help="Thresholds, weights and wishes from here; stronger than .photodefect.toml in the folder.",
            rich_help_panel=_JUDGING,
        ),
    ] = None,
    weight: Annotated[
        list[str] | None,
        typer.Option(
            "--weight",
            metavar="DEFECT=WEIGHT",
            help="What a defect counts in overall severity; 0 ignores it altogether. Repeatable.",
            rich_help_panel=_JUDGING,
        ),
    ] = None,
    threshold: Annotated[
        list[str] | None,
        typer.Option(
            "--threshold",
            metavar="[DEFECT=][MILD:]SEVERE",
            help="From which severity on a defect is severe (0.5) and mild (0.3). Repeatable.",
            rich_help_panel=_JUDGING,
        ),
    ] = None,
    relative_to: Annotated[
        RelativeTo,
        typer.Option("--relative-to", help="What percentiles compare a photo with.", rich_help_panel=_JUDGING),
    ] = RelativeTo.REFERENCE,
    hints: Annotated[
        bool | None,
        typer.Option(
            "--hints/--no-hints",
            help="Say what to change about each defect; on unless the profile says otherwise.",
            show_default=False,
            rich_help_panel=_JUDGING,
        ),
    ] = None,
    report_format: Annotated[
        RankFormat | None,
        typer.Option(
            "--format",
            "-f",
            help="Table (the default) for people, the others for programs.",
            rich_help_panel=_OUTPUT,
        ),
    ] = None,
    print0: Annotated[
        bool,
        typer.Option(
            "--print0", "-0", help="Paths only, each ended by a null byte, for xargs -0.", rich_help_panel=_OUTPUT
        ),
    ] = False,
    summary: Annotated[
        bool,
        typer.Option(
            "--summary", help="Instead of the ranking, a summary of the whole folder.", rich_help_panel=_OUTPUT
        ),
    ] = False,
    detail: Annotated[
        bool, typer.Option("--detail", help="Add both networks' own scores.", rich_help_panel=_OUTPUT)
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Write here instead of to stdout.", rich_help_panel=_OUTPUT
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Replace the --output file if it is there already.", rich_help_panel=_OUTPUT),
    ] = False,
    files_from: Annotated[
        str | None,
        typer.Option("--files-from", metavar="FILE|-", help="Rank the paths in a file or stdin, one a line."),
    ] = None,
    null: Annotated[
        bool, typer.Option("--null", help="Paths of --files-from end in a null byte, as from find -print0.")
    ] = False,
    model: ModelName = "compact",
    device: DeviceName = Device.AUTO,
    patches: Patches = DEFAULT_PATCHES,
    copy_to: Annotated[
        Path | None,
        typer.Option(
            "--copy-to", metavar="DIR", help="Copy the chosen photos, with sidecars and twins.", rich_help_panel=_DEEDS
        ),
    ] = None,
    link_to: Annotated[
        Path | None,
        typer.Option("--link-to", metavar="DIR", help="Make symbolic links to them.", rich_help_panel=_DEEDS),
    ] = None,
    move_to: Annotated[
        Path | None, typer.Option("--move-to", metavar="DIR", help="Move them.", rich_help_panel=_DEEDS)
    ] = None,
    keep_folders: Annotated[
        bool,
        typer.Option("--keep-folders", help="Keep sub-folders there, instead of one folder.", rich_help_panel=_DEEDS),
    ] = False,
    apply: Annotated[
        bool,
        typer.Option(
            "--apply", help="Do it, and --xmp; otherwise the plan is shown on stderr.", rich_help_panel=_DEEDS
        ),
    ] = False,
    journal: Annotated[
        Path | None,
        typer.Option(
            "--journal",
            metavar="FILE",
            help="Keep the journal for undo here, not in its usual place.",
            rich_help_panel=_DEEDS,
        ),
    ] = None,
    xmp: Xmp = False,
    xmp_style: XmpStyle = None,
    reject_as: RejectAsOption = None,
    overwrite_ratings: OverwriteRatings = False,
    workers: Workers = None,
    threads: Threads = None,
    time_limit: TimeLimit = None,
    cache: CacheFile = None,
    no_cache: NoCache = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Rank the photos of a folder from best to worst, and thin it.

    --copy-to, --link-to, --move-to and --xmp take the chosen photos, or with
    --excluded those that were left out. Nothing happens without --apply,
    nothing is overwritten, and photodefect undo takes it back.

    Overall severity is mostly the worst defect of a photo, and a little the
    mean of all; docs/rank-folder.md says how exactly.

    Exit codes: 0 done; 1 done, but some files failed; 2 wrong usage; 3 no
    photos; 4 the model can't be used; 130 interrupted.
    """
    # Decoders and torch take a while to import: help pages don't wait for the former, mistyped options not for torch.
    from photodefect.cli.photo_list import list_photos  # noqa: PLC0415
    from photodefect.ranking.selection import select  # noqa: PLC0415

    chosen_format = _format(report_format, print0=print0, summary=summary)
    wishes = _wishes(
        by,
        least or [],
        most or [],
        top,
        best,
        reverse=reverse,
        exclude_severe=exclude_severe,
        best_per_burst=best_per_burst,
        thin_sequences=thin_sequences,
        relative_to_folder=relative_to is RelativeTo.FOLDER,
        gap_s=burst_gap,
    )
    root = _root(folder, files_from)
    listed = list_photos([] if root is None else [root], files_from, null_separated=null)
    roots = [] if root is None else [Path(root)]
    check_output(output, force=force, originals=listed.photos)
    exiftool = chosen_format is RankFormat.EXIFTOOL_CSV
    sidecars = wanted_sidecars(
        xmp, xmp_style, reject_as, overwrite=overwrite_ratings, exiftool=exiftool, journal=journal
    )
    own_journal = None if xmp else journal
    transfer = wanted_transfer(copy_to, link_to, move_to, keep_folders=keep_folders, journal=own_journal)
    _check_deeds(sidecars, transfer, apply=apply)
    if transfer is not None:
        check_transfer(transfer, roots, listed.photos)
    layers = _layers(roots, profile, weight or [], threshold or [], hints=hints, reject_as=reject_as)

    from photodefect.cli.tally import Tally  # noqa: PLC0415

    work = Work(workers, threads, time_limit, cache, no_cache)
    with diagnosing(model, work, listed.photos, device=device.value, patches=patches) as diagnoser:
        if verbose:
            _talk(diagnoser, layers)
        diagnoses, measurements = _diagnose(diagnoser, listed, work, quiet=quiet)
    selection = select(diagnoses, measurements, layers.profile, wishes)
    tally = Tally()
    for judged in selection.judged:
        tally.add(judged)
    photos = selection.left_out if excluded else selection.chosen
    encoding = sys.stdout.encoding if chosen_format is RankFormat.TABLE else "utf-8"
    with open_output(output, force=force, errors=_ENCODING_ERRORS[chosen_format], encoding=encoding) as stream:
        if summary:
            _write_summary(stream, chosen_format, selection, layers.profile, root or "")
        else:
            own = exiftool_writer(stream, sidecars, photos, layers.profile) if exiftool else None
            writer = own or _writer(stream, chosen_format, wishes.by, detail=detail, print0=print0)
            for photo in (*photos, *selection.failed):
                writer.write(photo)
            writer.close()
    if not quiet:
        for line in tally.summary().splitlines():
            note(line)
    _tell_left_out(selection, show=show_excluded, quiet=quiet)
    went = _act(sidecars, transfer, photos, layers.profile, root, apply=apply, quiet=quiet)
    raise typer.Exit(tally.exit_code() if went else ExitCode.SOME_FAILED)


def _check_deeds(sidecars: SidecarWish, transfer: Transfer | None, *, apply: bool) -> None:
    """Refuse what has no meaning together.

    Raises:
        typer.BadParameter: it has none.
    """
    if apply and transfer is None and not sidecars.xmp:
        raise typer.BadParameter("--apply is about --copy-to, --link-to, --move-to or --xmp")
    if transfer is not None and sidecars.journal is not None:
        raise typer.BadParameter(f"--journal is one, and --xmp and --{transfer.mode}-to have one each; do one first")


def _act(
    sidecars: SidecarWish,
    transfer: Transfer | None,
    photos: Sequence[RankedPhoto],
    profile: Profile,
    root: str | None,
    *,
    apply: bool,
    quiet: bool,
) -> bool:
    """Do what is to be done to photos, or show the plan.

    Returns:
        Whether all went as it should.
    """
    if sidecars.xmp:
        # Before anything goes elsewhere, so that sidecars go along.
        write_sidecars(sidecars, photos, profile, apply=apply, quiet=quiet)
    if transfer is None:
        return not sidecars.refused
    names = [photo.path for photo in photos]
    went = carry_out(transfer, names, None if root is None else Path(root), apply=apply, quiet=quiet)
    return went and not sidecars.refused


def _wishes(
    by: str,
    least: Sequence[str],
    most: Sequence[str],
    top: int | None,
    best: str | None,
    **others: Any,  # noqa: ANN401  fields of Wishes
) -> Wishes:
    """What the person asked for.

    Raises:
        typer.BadParameter: a value can't be read.
    """
    from photodefect.cli.limits import limit, percentage, rank_key  # noqa: PLC0415
    from photodefect.ranking.selection import Wishes  # noqa: PLC0415

    if top is not None and best is not None:
        raise typer.BadParameter("--top and --best both say how many photos; give one of them")
    limits = [limit(text, upper=False) for text in least] + [limit(text, upper=True) for text in most]
    return Wishes(
        by=rank_key(by),
        limits=tuple(limits),
        top=top,
        best=None if best is None else percentage(best),
        **others,
    )


def _root(folder: str | None, files_from: str | None) -> str | None:
    """The folder to rank, or None if there is only a list."""
    if folder is None:
        return "." if files_from is None else None
    if Path(folder).exists() and not Path(folder).is_dir():
        raise DataError(f"{folder} is not a folder; name single photos by --files-from")
    return folder


def _layers(
    roots: Sequence[Path],
    profile: str | None,
    weights: Sequence[str],
    thresholds: Sequence[str],
    *,
    hints: bool | None,
    reject_as: RejectAs | None,
) -> Layers:
    """The profile that holds.

    Raises:
        typer.BadParameter: a value can't be read.
        DataError: a profile is wrong.
    """
    from photodefect.cli.limits import threshold_settings, weight_settings  # noqa: PLC0415
    from photodefect.ranking.profiles.locations import gather  # noqa: PLC0415
    from photodefect.ranking.profiles.settings import Setting  # noqa: PLC0415

    options = weight_settings(weights)
    if hints is not None:
        options["hints"] = Setting(hints, "--hints" if hints else "--no-hints")
    if reject_as is not None:
        options["reject.as"] = Setting(reject_as.value, "--reject-as")
    if thresholds:
        options |= threshold_settings(thresholds, gather(roots, profile).profile)
    return gather(roots, profile, options)


def _talk(diagnoser: Diagnoser, layers: Layers) -> None:
    """Say what is used and how."""
    log_to_stderr()
    for file in layers.files:
        note(f"profile {file}")
    note(diagnoser.describe())


_ENCODING_ERRORS: Final[Mapping[RankFormat, str]] = MappingProxyType(
    {
        RankFormat.TABLE: "backslashreplace",
        RankFormat.JSON: "strict",
        RankFormat.NDJSON: "strict",
        RankFormat.CSV: "surrogateescape",
        RankFormat.EXIFTOOL_CSV: "surrogateescape",
        RankFormat.PATHS: "surrogateescape",
    }
)
"""How each format treats bytes of file names that aren't Unicode."""


def _format(asked: RankFormat | None, *, print0: bool, summary: bool) -> RankFormat:
    if print0 and asked not in (None, RankFormat.PATHS):
        raise typer.BadParameter(f"--print0 ends paths, and --format {asked and asked.value} writes more than these")
    chosen = RankFormat.PATHS if print0 else asked or RankFormat.TABLE
    if summary and chosen not in (RankFormat.TABLE, RankFormat.JSON, RankFormat.NDJSON):
        raise typer.BadParameter(f"--summary is a table, json or ndjson, not {chosen.value}")
    return chosen


def _diagnose(
    diagnoser: Diagnoser, listed: PhotoList, work: Work, *, quiet: bool
) -> tuple[list[Diagnosis], dict[str, Measurements]]:
    """All records, and what was measured on the way. A ranking of half a folder would be a wrong one."""
    from photodefect.ranking.hints.measurements import MEASURE  # noqa: PLC0415

    measurements: dict[str, Measurements] = {}
    diagnoses = list(listed.problems)
    running = diagnoser.diagnose_with(listed.photos, MEASURE)
    try:
        with closing(running), ProgressLine(len(listed.photos), enabled=not quiet) as progress:
            for diagnosis, measured in running:
                diagnoses.append(diagnosis)
                if measured is not None:
                    measurements[diagnosis.path] = measured
                progress.advance()
    except KeyboardInterrupt:
        note(f"interrupted after {len(diagnoses)} of {len(listed)} photos; nothing was ranked")
        work.tell_how_to_go_on()
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    return diagnoses, measurements


def _writer(stream: TextIO, chosen: RankFormat, by: str, *, detail: bool, print0: bool) -> RankWriter:
    from photodefect.reports.json import JsonWriter  # noqa: PLC0415
    from photodefect.reports.ndjson import NdjsonWriter  # noqa: PLC0415
    from photodefect.reports.paths import PathsWriter  # noqa: PLC0415
    from photodefect.reports.rank_csv import RankCsvWriter  # noqa: PLC0415
    from photodefect.reports.rank_table import RankTableWriter  # noqa: PLC0415

    match chosen:
        case RankFormat.TABLE:
            return RankTableWriter(stream, by)
        case RankFormat.JSON:
            return JsonWriter(stream, detail)
        case RankFormat.NDJSON:
            return NdjsonWriter(stream, detail)
        case RankFormat.CSV:
            return RankCsvWriter(stream, detail)
        case _:
            return PathsWriter(stream, "\0" if print0 else "\n")


def _write_summary(stream: TextIO, chosen: RankFormat, selection: Selection, profile: Profile, root: str) -> None:
    from photodefect.ranking.summary import summarize  # noqa: PLC0415
    from photodefect.reports.folder_summary import write_summary  # noqa: PLC0415
    from photodefect.reports.json import encode  # noqa: PLC0415

    summary = summarize(selection.judged, profile, root)
    if chosen is RankFormat.TABLE:
        write_summary(stream, summary)
    else:
        stream.write(encode(summary.to_dict()) + "\n")


def _tell_left_out(selection: Selection, *, show: bool, quiet: bool) -> None:
    """How many photos were left out and why; one by one if that is asked for, however quiet."""
    if selection.left_out and not quiet:
        reasons = ", ".join(f"{count} {group}" for group, count in selection.reasons.most_common())
        note(f"{len(selection.left_out)} of {len(selection.left_out) + len(selection.chosen)} left out: {reasons}")
    if show:
        for photo in selection.left_out:
            note(f"  {photo.path}: {photo.ranking and photo.ranking.left_out}")
