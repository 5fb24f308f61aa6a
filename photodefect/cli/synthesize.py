"""``photodefect synthesize``: make labelled photos with graded synthetic defects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from PIL import Image
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from photodefect.cli.console import complain, note, stderr_console
from photodefect.cli.exit_codes import ExitCode
from photodefect.cli.option_groups import grouped
from photodefect.cli.options import AnySource, Quiet, WalkOptions
from photodefect.cli.photo_list import told_passed_over
from photodefect.defects import KEYS
from photodefect.diagnosis.workers.isolated import IsolatedDecoder
from photodefect.diagnosis.workers.limits import default_workers
from photodefect.errors import DataError, NothingToDoError
from photodefect.photos.decode import Decoder
from photodefect.photos.find import find_photos
from photodefect.photos.places import PassedOver
from photodefect.synthesis.contact_sheet import contact_sheet
from photodefect.synthesis.labelled_set import LABELS, check_new_folder, examine, load_source, new_folder, write_set

T = TypeVar("T")

_SHEET_ROWS = 6
_SHEETS = "contact-sheets"


@grouped
def synthesize(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Folder of clean photos; its subfolders are searched too.")
    ],
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="OUT", help="Folder for the set, a new or an empty one.")
    ],
    count: Annotated[int, typer.Option("--count", "-n", min=0, metavar="N", help="Number of pictures to make.")] = 100,
    seed: Annotated[int, typer.Option("--seed", min=0, metavar="N", help="The same seed makes the same set.")] = 0,
    rebalanced: Annotated[
        float,
        typer.Option(
            min=0,
            max=1,
            metavar="SHARE",
            help="Share of pictures in which one defect is drawn evenly from its whole range.",
        ),
    ] = 0.5,
    size: Annotated[
        int, typer.Option(min=128, max=8192, metavar="N", help="Long side of the pictures, in pixels.")
    ] = 1024,
    sheets: Annotated[
        bool, typer.Option("--contact-sheet", help="Also make a sheet per defect that shows it at five severities.")
    ] = False,
    any_source: AnySource = False,
    walk: WalkOptions,
    quiet: Quiet = False,
) -> None:
    """Make labelled photos with graded synthetic defects.

    OUT gets the folder images and the file labels.csv, which training reads:
    a path and seven severities per row. A label that can't be given is empty.
    docs/synthesis.md says what the severities mean. Nothing is overwritten.
    """
    if not folder.exists():
        raise DataError(f"{folder}: there is no such folder")
    check_new_folder(output)
    passed_over = PassedOver()
    paths = list(find_photos([folder], on_passed_over=passed_over.note, **walk.finding()))
    told = told_passed_over(passed_over)
    if not paths:
        raise NothingToDoError(f"no photo in {folder}{told and f'; {told}'}")
    if told and not quiet:
        note(told)
    clean: list[Path] = []
    unreadable = unclean = 0
    threads = default_workers()
    with IsolatedDecoder(threads) as decoder:
        examined = examine(paths, size, decoder, threads=threads)
        for source in _progress(examined, len(paths), "choosing sources", quiet=quiet):
            if source.unreadable:
                unreadable += 1
                complain(source.problem or "")
            elif source.problem and not any_source:
                unclean += 1
            else:
                clean.append(source.path)
        if not clean:
            raise NothingToDoError(
                f"none of {len(paths)} photos in {folder} is a clean source"
                f"{'' if any_source else '; --any-source takes them as they are'}"
            )
        new_folder(output)
        written = write_set(
            clean, output, count=count, seed=seed, rebalanced=rebalanced, long_side=size, decoder=decoder
        )
        for _ in _progress(written, count, "degrading", quiet=quiet):
            pass
        if sheets:
            _write_sheets(clean, output / _SHEETS, decoder, seed=seed, size=size, quiet=quiet)
    if not quiet:
        left_out = f", {unclean} left out as not clean" if unclean else ""
        note(f"{count} pictures from {len(clean)} photos{left_out}: {output / LABELS}")
    if unreadable:
        raise typer.Exit(ExitCode.SOME_FAILED)


def _write_sheets(clean: list[Path], folder: Path, decoder: Decoder, *, seed: int, size: int, quiet: bool) -> None:
    folder.mkdir()
    photos = [load_source(clean[row % len(clean)], size, decoder) for row in range(_SHEET_ROWS)]
    for index, key in enumerate(_progress(iter(KEYS), len(KEYS), "contact sheets", quiet=quiet)):
        sheet = contact_sheet(key, photos, seed=seed + index)
        with (folder / f"{key}.jpg").open("xb") as stream:
            Image.fromarray(sheet).save(stream, "JPEG", quality=85)


def _progress(steps: Iterable[T], total: int, what: str, *, quiet: bool) -> Iterator[T]:
    """Pass ``steps`` on with a bar on stderr, where a person is looking."""
    console = stderr_console()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as progress:
        yield from progress.track(steps, total=total, description=what)
