"""``photodefect rank-folder``: the photos of a folder from best to worst, and which of them to keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Final

import typer

from photodefect.cli.console import log_to_stderr, note
from photodefect.cli.exit_codes import ExitCode
from photodefect.cli.option_groups import grouped
from photodefect.cli.options import ModelOptions, Quiet, Verbose, WalkOptions, null_option
from photodefect.cli.output import check_output
from photodefect.cli.rank_choice import Choice, tell_left_out
from photodefect.cli.rank_judging import Judging
from photodefect.cli.rank_output import RankOutput
from photodefect.cli.run import end_interrupted, take_all, tell_summary
from photodefect.cli.sidecars import SidecarOptions, SidecarWish, exiftool_writer, write_sidecars
from photodefect.cli.transfers import Transfer, TransferOptions, carry_out, check_transfer, common_folder
from photodefect.cli.work import Work, diagnosing
from photodefect.errors import DataError

if TYPE_CHECKING:
    from photodefect.cli.photo_list import PhotoList
    from photodefect.diagnosis.diagnoser import Diagnoser
    from photodefect.ranking.hints.measurements import Measurements
    from photodefect.ranking.overall import RankedPhoto
    from photodefect.ranking.profiles.locations import Layers
    from photodefect.records import Diagnosis
    from photodefect.review.sidecar_marks import PersonsMarks

OPTIONAL_VALUES: Final = MappingProxyType({"--best-per-burst": "1"})
"""Options that may stand without a number, and what they mean then."""


@grouped
def rank_folder(
    folders: Annotated[
        list[str] | None,
        typer.Argument(metavar="FOLDERS", help="The folders to rank, all together. Default: the current one."),
    ] = None,
    *,
    choice: Choice,
    judging: Judging,
    out: RankOutput,
    files_from: Annotated[
        str | None,
        typer.Option(
            "--files-from",
            metavar="FILE|-",
            help="Rank the photos whose paths are in a file, or on stdin (-), one per line.",
        ),
    ] = None,
    null: Annotated[bool, null_option()] = False,
    walk: WalkOptions,
    model: ModelOptions,
    deeds: TransferOptions,
    marks: SidecarOptions,
    work: Work,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Rank the photos of folders from best to worst, and thin them.

    --copy-to, --link-to, --move-to and --xmp act on the chosen photos, or with
    --excluded on those that were left out. Without --apply nothing is changed;
    only the plan is shown. Nothing is overwritten, and photodefect undo takes
    it back.

    Overall severity depends mostly on the worst defect of a photo, and a
    little on the mean of all. docs/rank-folder.md gives the formula.

    Exit codes: 0 done; 1 done, but some files failed; 2 wrong usage; 3 no
    photos; 4 the model can't be used; 130 interrupted.
    """
    # Decoders and torch take a while to import: help pages don't wait for the former, mistyped options not for torch.
    from photodefect.cli.photo_list import list_photos  # noqa: PLC0415
    from photodefect.ranking.selection import Only, select  # noqa: PLC0415

    exiftool = out.chosen == "exiftool-csv"
    wishes = choice.wishes(relative_to_folder=judging.relative_to == "folder")
    wanted_mark = choice.wanted_mark()
    judging.check()
    named = _named(folders or [], files_from)
    roots = [Path(folder) for folder in named]
    root = named[0] if len(named) == 1 else common_folder(named)
    listed = list_photos(named, files_from, null_separated=null, walk=walk, quiet=quiet)
    check_output(out.output, force=out.force, originals=listed.photos)
    sidecars = marks.wanted(journal=deeds.journal)
    transfer = deeds.wanted(xmp=sidecars.xmp)
    if transfer is not None and sidecars.journal is not None:
        raise typer.BadParameter(f"--journal is one, and --xmp and --{transfer.mode}-to have one each; do one first")
    if transfer is not None:
        check_transfer(transfer, roots, listed.photos)
    layers = judging.layers(roots, marks.reject_as, marks.presets())
    from photodefect.cli.tally import Tally  # noqa: PLC0415
    from photodefect.review.marked import find_marks  # noqa: PLC0415
    from photodefect.review.sidecar_marks import PersonsMarks  # noqa: PLC0415

    with diagnosing(model.model, work, listed.photos, **model.settings()) as diagnoser:
        if verbose:
            _talk(diagnoser, layers)
        diagnoses, measurements = _diagnose(diagnoser, listed, work, quiet=quiet)
        marked = find_marks(diagnoses, diagnoser.content_of) if choice.marked or sidecars.xmp or exiftool else {}
    if wanted_mark is not None:
        only = Only(wanted_mark.choose((it.path for it in diagnoses), marked), f"not marked {wanted_mark.text}")
        wishes = replace(wishes, only=only)
        sidecars.overwrite |= wanted_mark.wants_marks
    selection = select(diagnoses, measurements, layers.profile, wishes)
    say = PersonsMarks(marked, layers.profile, selection.spared)
    tally = Tally()
    for judged in selection.judged:
        tally.add(judged)
    photos = selection.left_out if choice.excluded else selection.chosen
    with out.opened() as stream:
        if out.summary:
            out.write_summary(
                stream,
                selection,
                layers.profile,
                root,
                listed.passed_over,
                keep_graphics=choice.keep_graphics,
            )
        else:
            own = exiftool_writer(stream, sidecars, photos, say) if exiftool else None
            writer = own or out.writer(stream, wishes.by, photos)
            for photo in (*out.in_order(photos), *selection.failed):
                writer.write(photo)
            writer.close()
    tell_summary(tally, quiet=quiet, table=out.shows_table)
    tell_left_out(selection, show=choice.show_excluded, excluded=choice.excluded, quiet=quiet)
    went = _act(sidecars, transfer, photos, say, roots=roots, root=root, apply=deeds.apply, quiet=quiet)
    raise typer.Exit(tally.exit_code() if went else ExitCode.SOME_FAILED)


def _act(
    sidecars: SidecarWish,
    transfer: Transfer | None,
    photos: Sequence[RankedPhoto],
    say: PersonsMarks,
    *,
    roots: Sequence[Path],
    root: str,
    apply: bool,
    quiet: bool,
) -> bool:
    """Do what is to be done to photos, or show the plan.

    Returns:
        Whether all went as it should.
    """
    if sidecars.xmp:
        # Before anything goes elsewhere, so that sidecars go along.
        write_sidecars(sidecars, photos, say, apply=apply, quiet=quiet)
    if transfer is None:
        return not sidecars.refused
    names = [photo.path for photo in photos]
    went = carry_out(transfer, names, roots, Path(root), apply=apply, quiet=quiet)
    return went and not sidecars.refused


def _named(folders: Sequence[str], files_from: str | None) -> list[str]:
    """The folders to rank; none if there is only a list."""
    for folder in folders:
        if Path(folder).exists() and not Path(folder).is_dir():
            raise DataError(f"{folder} is not a folder; name single photos by --files-from")
    return list(folders) or (["."] if files_from is None else [])


def _talk(diagnoser: Diagnoser, layers: Layers) -> None:
    """Say what is used and how."""
    log_to_stderr()
    for file in layers.files:
        note(f"profile {file}")
    note(diagnoser.describe())


def _diagnose(
    diagnoser: Diagnoser, listed: PhotoList, work: Work, *, quiet: bool
) -> tuple[list[Diagnosis], dict[str, Measurements]]:
    """All records, and what was measured on the way. A ranking of half a folder would be a wrong one."""
    from photodefect.ranking.hints.measuring import MEASURE  # noqa: PLC0415

    measurements: dict[str, Measurements] = {}
    diagnoses = list(listed.problems)

    def take(found: tuple[Diagnosis, Measurements | None]) -> None:
        diagnosis, measured = found
        diagnoses.append(diagnosis)
        if measured is not None:
            measurements[diagnosis.path] = measured

    running = diagnoser.diagnose_with(listed.photos, MEASURE)
    if take_all(running, take, len(listed.photos), quiet=quiet):
        end_interrupted(f"interrupted after {len(diagnoses)} of {len(listed)} photos; nothing was ranked", work)
    return diagnoses, measurements
