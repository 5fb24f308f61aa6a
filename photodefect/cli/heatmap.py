"""``photodefect heatmap``: where in the frame each defect sits."""

from __future__ import annotations

import errno
import json
import logging
import os
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from photodefect.cli.console import complain, log_to_stderr, note
from photodefect.cli.exit_codes import ExitCode
from photodefect.cli.interrupts import held_interrupts
from photodefect.cli.option_groups import grouped
from photodefect.cli.options import (
    Device,
    FilesFrom,
    ModelName,
    Null,
    Photos,
    Quiet,
    ReplaceFiles,
    TimeLimit,
    Verbose,
    WalkOptions,
    defect_key,
)
from photodefect.cli.photo_list import list_photos
from photodefect.cli.progress import ProgressLine
from photodefect.core.patches import DEFAULT_PLACEMENT
from photodefect.defects import BY_KEY, PATCH_DEFECTS
from photodefect.errors import DataError
from photodefect.printable import printable
from photodefect.records import PhotoFailure

if TYPE_CHECKING:
    from photodefect.diagnosis.map_drawing import Draw
    from photodefect.diagnosis.settings import Settings
    from photodefect.diagnosis.workers.pool import Workers

SCHEMA_VERSION: Final = 1
"""Of the records that ``--json`` prints."""

_NO_MORE: Final = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
"""A disk that takes no more from this photo takes none from the next ones: that is one error, not thousands."""

_log = logging.getLogger(__name__)


@grouped
def heatmap(
    paths: Photos = None,
    *,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="Folder for the pictures; created if missing.")
    ] = None,
    defect: Annotated[
        list[str] | None,
        typer.Option("--defect", metavar="DEFECT", help="Map this defect only. Repeatable. Composition has no map."),
    ] = None,
    picture_format: Annotated[
        Literal["jpeg", "png"], typer.Option("--format", "-f", help="Format of the pictures.")
    ] = "jpeg",
    panel: Annotated[
        bool, typer.Option("--panel/--no-panel", help="One picture with the photo, all its maps and its scores.")
    ] = True,
    overlays: Annotated[
        bool,
        typer.Option("--overlays/--no-overlays", help="One picture per map, laid over the photo reduced for a screen."),
    ] = False,
    full_size: Annotated[
        bool, typer.Option("--full-size", help="Overlays in the photo's own size; slower. Implies --overlays.")
    ] = False,
    raw: Annotated[
        bool, typer.Option("--raw", help="Each map's values as .npy, with a .json that says where they lie.")
    ] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Map noise and blur everywhere, also in a large photo; slower.")
    ] = False,
    scale: Annotated[
        float | None,
        typer.Option(
            "--scale",
            metavar="SCALE",
            help="Map every defect at this scale: above 0, up to 1 (original size).",
        ),
    ] = None,
    window: Annotated[
        int | None,
        typer.Option(
            "--window",
            metavar="CELLS",
            help="Side of the square that a value averages over, in cells of 32 pixels; odd.",
        ),
    ] = None,
    force: ReplaceFiles = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON record per photo and line instead of the file names.")
    ] = False,
    files_from: FilesFrom = None,
    null: Null = False,
    walk: WalkOptions,
    model: ModelName = "compact",
    device: Device = "auto",
    time_limit: TimeLimit = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Show where in the frame each defect sits.

    Redder means more severe; the strongest place is shown as severe as the
    photo. In the saturation map, red is too much and blue too little. A grey
    veil is where noise or blur can't be told, for want of detail. Colour has
    no map in a photo that has none.

    Exposure, white balance, saturation and haze are mapped on a reduced copy
    of the photo, noise and blur at original resolution. In a photo of more
    than 3 megapixels, noise and blur are only measured at places spread over
    the frame, unless --full is given. The panel and the records say which.

    The names of the files written are printed: all of a photo's, or none.
    Without --force no file is replaced; photos are never replaced.

    Exit codes: 0 all done; 1 done, but some photos failed; 2 wrong usage; 3 no
    photos; 4 the model can't be used; 130 interrupted.
    """
    if output is None:
        raise typer.BadParameter("name the folder for the pictures", param_hint="--output")
    if output.exists() and not output.is_dir():
        raise DataError(f"{output} is not a folder; --output takes one")
    overlays = overlays or full_size
    if not (panel or overlays or raw):
        raise typer.BadParameter("nothing would be written: --panel, --overlays and --raw are all off")
    if scale is not None and not 0 < scale <= 1:
        raise typer.BadParameter(f"{scale:g} is not above 0 and up to 1", param_hint="--scale")
    if scale is not None and full:
        raise typer.BadParameter("--full and --scale exclude each other; --scale 1 is the original size")
    if window is not None and (window < 1 or window % 2 == 0):
        raise typer.BadParameter(f"{window} is not an odd number of cells", param_hint="--window")
    keys = _mapped(defect or [])
    listed = list_photos(paths or [], files_from, null_separated=null, walk=walk, quiet=quiet)
    photos = listed.photos

    # Decoders take a while to import: not before everything that a person may have mistyped was checked.
    from photodefect.diagnosis.map_drawing import Draw  # noqa: PLC0415
    from photodefect.diagnosis.settings import Settings  # noqa: PLC0415
    from photodefect.diagnosis.workers.limits import available_cores  # noqa: PLC0415
    from photodefect.engines import choose_engine  # noqa: PLC0415
    from photodefect.files.unfinished import clear_leftovers  # noqa: PLC0415
    from photodefect.heatmap.outputs import Wanted, base_names  # noqa: PLC0415

    choice = choose_engine(model, device=device)
    settings = Settings(choice, choice.patches, DEFAULT_PLACEMENT, threads=available_cores())
    if verbose:
        log_to_stderr()
        note(f"model {choice.manifest.name} {choice.manifest.version}, {choice.describe()}")
    wanted = Wanted(keys, overlays, panel, raw, full_size, picture_format)
    bases = [output / name for name in base_names(photos)]
    clear_leftovers(file for base in bases for file in wanted.files(base).values())
    done, failed = 0, len(listed.problems)
    for problem in listed.problems:
        if problem.error is not None:
            _tell(_failure(problem.path, problem.error), as_json=as_json)
    try:
        with closing(_workers(settings)) as workers, ProgressLine(len(photos), enabled=not quiet) as progress:
            for photo, base in zip(photos, bases, strict=True):
                draw = Draw(photo, settings, wanted, wanted.files(base), scale, full, window)
                record = _map_photo(workers, draw, photos, time_limit, force=force)
                done, failed = done + (record["error"] is None), failed + (record["error"] is not None)
                with held_interrupts():
                    progress.hide()
                    _tell(record, as_json=as_json)
                progress.advance()
    except KeyboardInterrupt:
        note(f"interrupted after {done + failed} of {len(listed)} photos; what was written is complete")
        raise typer.Exit(ExitCode.INTERRUPTED) from None
    if not quiet:
        note(f"{done} {'photo' if done == 1 else 'photos'} mapped" + (f", {failed} failed" if failed else ""))
    raise typer.Exit(ExitCode.SOME_FAILED if failed else ExitCode.DONE)


def _mapped(names: Sequence[str]) -> list[str]:
    """Keys of the defects that a person asked for; all that have a map if none."""
    chosen = [defect_key(name) for name in names]
    for key in chosen:
        if not BY_KEY[key].in_patches:
            raise typer.BadParameter(
                f"{key} has no heat map: it is judged on the whole frame, not on its parts", param_hint="--defect"
            )
    return [defect.key for defect in PATCH_DEFECTS if not chosen or defect.key in chosen]


def _workers(settings: Settings) -> Workers:
    """A process that decodes and maps, with all cores, one photo after the other: one that breaks it is one error."""
    from photodefect.diagnosis.workers.limits import lone_memory_limit  # noqa: PLC0415
    from photodefect.diagnosis.workers.pool import ProcessWorkers  # noqa: PLC0415

    # What a GPU's driver maps counts as memory, too.
    return ProcessWorkers(settings, 1, lone_memory_limit() if settings.choice.device == "cpu" else 0)


def _map_photo(
    workers: Workers, draw: Draw, originals: Sequence[str], time_limit: float | None, *, force: bool
) -> dict[str, Any]:
    """Have the maps of one photo made, and give its files their names when all of them are written.

    Args:
        workers: who makes them.
        draw: what is wanted of it.
        originals: all photos.
        time_limit: seconds that it may take; None for what is usual.
        force: replace files that are there.

    Returns:
        Its record; what can't be done is told there.

    Raises:
        OSError: the disk takes no more.
    """
    from photodefect.diagnosis.map_drawing import Drawn  # noqa: PLC0415
    from photodefect.diagnosis.workers.limits import MAPPING_S  # noqa: PLC0415
    from photodefect.diagnosis.workers.limits import time_limit as usual_limit  # noqa: PLC0415
    from photodefect.diagnosis.workers.tasks import TIME_LIMIT_OPTION, Task  # noqa: PLC0415
    from photodefect.files.unfinished import part_of  # noqa: PLC0415
    from photodefect.heatmap.outputs import check_files, publish  # noqa: PLC0415

    photo, files = draw.photo, draw.files
    parts = {what: part_of(path) for what, path in files.items()}
    under_way = False
    try:
        check_files(files.values(), originals, force=force)
        for folder in {path.parent for path in files.values()}:
            folder.mkdir(parents=True, exist_ok=True)
        task = Task(
            photo,
            job=replace(draw, files=parts),
            limit_s=usual_limit(photo, draw.settings.patches) if time_limit is None else time_limit,
            job_s=MAPPING_S if time_limit is None else 0.0,
            remedy=TIME_LIMIT_OPTION,
        )
        under_way = True
        outcome = workers.submit(task).result()
        under_way = False
        if outcome.fatal is not None:
            raise outcome.fatal
        if outcome.traceback:
            _log.debug("unexpected error at %s\n%s", photo, outcome.traceback)
        drawn = outcome.made
        if isinstance(drawn, OSError):
            raise drawn
        if not isinstance(drawn, Drawn):
            return _failure(photo, outcome.failure or drawn)
        with held_interrupts():
            for what in drawn.files:
                publish(parts[what], files[what], force=force)
    except (DataError, OSError) as error:
        if isinstance(error, OSError) and error.errno in _NO_MORE:
            raise OSError(error.errno, error.strerror, str(files[next(iter(files))].parent)) from error
        return _failure(photo, PhotoFailure(type(error).__name__, str(error)))
    finally:
        if under_way:  # Ctrl-C: whoever writes stops before what is written is taken away
            workers.close()
        for part in parts.values():
            part.unlink(missing_ok=True)
    return {
        "schema_version": SCHEMA_VERSION,
        "path": photo,
        "width": drawn.width,
        "height": drawn.height,
        "severity": drawn.severity,
        "maps": drawn.maps,
        "without_map": drawn.without,
        "files": {what: str(files[what]) for what in drawn.files},
        "model": drawn.model,
        "error": None,
    }


def _failure(photo: str, failure: PhotoFailure) -> dict[str, Any]:
    return {"schema_version": SCHEMA_VERSION, "path": photo, "error": vars(failure)}


def _tell(record: dict[str, Any], *, as_json: bool) -> None:
    """Print what became of a photo: its record, or the names of its files; what failed goes to stderr then."""
    if as_json:
        lines = [json.dumps(record)]
    elif record["error"] is not None:
        complain(f"{record['path']}: {record['error']['message']}")
        return
    else:
        lines = list(record["files"].values())
        by_reason: dict[str, list[str]] = {}
        for key, reason in record["without_map"].items():
            by_reason.setdefault(reason, []).append(key)
        for reason, keys in by_reason.items():
            complain(f"{record['path']}: no map of {' and '.join(keys)}: {reason}")
    if sys.stdout.isatty():
        lines = [printable(line) for line in lines]
    # Names are bytes, whatever the terminal's encoding; JSON is ASCII.
    sys.stdout.flush()
    sys.stdout.buffer.write(b"".join(os.fsencode(line) + b"\n" for line in lines))
    sys.stdout.buffer.flush()
