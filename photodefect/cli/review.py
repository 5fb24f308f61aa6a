"""``photodefect review``: a page on this machine where a person looks at photos, compares and marks them."""

from __future__ import annotations

import os
import sys
import threading
import webbrowser
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from photodefect.cli.console import log_to_stderr, note
from photodefect.cli.exit_codes import ExitCode
from photodefect.cli.option_groups import grouped
from photodefect.cli.options import FilesFrom, ModelOptions, Null, Photos, Quiet, Verbose, WalkOptions
from photodefect.cli.rank_judging import Judging
from photodefect.cli.run import take_all
from photodefect.cli.work import Work, diagnosing

if TYPE_CHECKING:
    from photodefect.ranking.hints.measurements import Measurements
    from photodefect.records import Diagnosis
    from photodefect.review.access import Access

_FOR_EVER_S: Final = 3600.0


@grouped
def review(
    paths: Photos = None,
    *,
    judging: Judging,
    blind: Annotated[
        bool,
        typer.Option(
            "--blind", help="Keep or reject photos in a shuffled order without seeing scores, for photodefect tune."
        ),
    ] = False,
    ratings: Annotated[
        Path | None,
        typer.Option("--ratings", metavar="FILE", help="With --blind: where ratings go. Default: ratings.csv."),
    ] = None,
    burst_gap: Annotated[
        float,
        typer.Option(
            "--burst-gap", min=0.0, max=86400.0, metavar="SECONDS", help="Longest time between two photos of a burst."
        ),
    ] = 2.0,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, metavar="N", help="Where to listen. Default: a free port.")
    ] = 0,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in the browser, or only show its address.")
    ] = True,
    stop_after: Annotated[
        float | None,
        typer.Option(
            "--stop-after",
            min=0.0,
            metavar="SECONDS",
            help="End this long after all photos are there.",
        ),
    ] = None,
    files_from: FilesFrom = None,
    null: Null = False,
    model: ModelOptions,
    work: Work,
    walk: WalkOptions,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Look at photos in the browser, compare them and mark them.

    The page is served on this machine alone, to the browser that is given its
    address. Each address works once; Enter shows a new one. Ctrl-C ends it.
    Marks are kept as they are made, outside the photos; photodefect
    rank-folder --marked takes it from there. A blind pass (--blind) goes on
    where an earlier one with the same file of ratings ended.

    Exit codes: 0 ended; 2 wrong usage; 3 no photos; 4 the model can't be used.
    """
    if verbose:
        log_to_stderr()
    judging.check()
    from photodefect.cli.photo_list import list_photos  # noqa: PLC0415

    listed = list_photos(
        paths or (["."] if files_from is None else []), files_from, null_separated=null, walk=walk, quiet=quiet
    )
    if blind:
        _rate(listed.photos, ratings or Path("ratings.csv"), port, browser=browser, stop_after=stop_after, quiet=quiet)
        raise typer.Exit(ExitCode.DONE)
    roots = [Path(path) for path in paths or ["."] if Path(path).is_dir()]
    layers = judging.layers(roots, None)

    from photodefect.review.app import ReviewApp  # noqa: PLC0415
    from photodefect.review.marks import MarkStore  # noqa: PLC0415
    from photodefect.review.server import Server  # noqa: PLC0415

    with (
        diagnosing(model.model, work, listed.photos, **model.settings()) as diagnoser,
        MarkStore() as store,
        closing(Server(port)) as server,
        closing(ReviewApp(server.access)) as app,
    ):
        if verbose:
            note(diagnoser.describe())
        server.start(app)
        with suppress(KeyboardInterrupt):  # which is how a review ends, however far it came
            _open(server.access, browser=browser)
            # The browser fetches the page meanwhile.
            from photodefect.diagnosis.picture_cache import PictureCache  # noqa: PLC0415
            from photodefect.ranking.hints.measuring import MEASURE  # noqa: PLC0415
            from photodefect.ranking.selection import Wishes  # noqa: PLC0415
            from photodefect.review.pictures import PictureMaker  # noqa: PLC0415
            from photodefect.review.shoot import Shoot  # noqa: PLC0415

            shoot = Shoot(
                listed.photos,
                _title(paths or ["."]),
                profile=layers.profile,
                wishes=Wishes(gap_s=burst_gap, relative_to_folder=judging.relative_to == "folder"),
                store=store,
                content_of=diagnoser.content_of,
            )

            def take(found: tuple[Diagnosis, Measurements | None]) -> None:
                shoot.add(*found)

            with closing(PictureMaker(PictureCache(), diagnoser)) as pictures:
                app.review(shoot, pictures)
                shoot.begin()
                for problem in listed.problems:
                    shoot.add(problem, None)
                running = diagnoser.diagnose_with(listed.photos, MEASURE)
                if not take_all(running, take, len(listed.photos), quiet=quiet):
                    shoot.finish()
                    diagnoser.close()  # its workers; those for pictures are others
                    _wait(stop_after)
        if not quiet:
            note("the review is over; all marks are kept")
    raise typer.Exit(ExitCode.DONE)


def _rate(photos: list[str], file: Path, port: int, *, browser: bool, stop_after: float | None, quiet: bool) -> None:
    """Have photos rated without any score: nothing is diagnosed.

    Raises:
        DataError: the file holds something else.
    """
    from photodefect.diagnosis.picture_cache import PictureCache  # noqa: PLC0415
    from photodefect.review.blind import BlindApp, Ratings, blind_order  # noqa: PLC0415
    from photodefect.review.pictures import PictureMaker  # noqa: PLC0415
    from photodefect.review.server import Server  # noqa: PLC0415

    ratings = Ratings(file)
    with closing(Server(port)) as server, closing(PictureMaker(PictureCache(), None)) as pictures:
        server.start(BlindApp(server.access, blind_order(photos), ratings, pictures))
        with suppress(KeyboardInterrupt):
            _open(server.access, browser=browser)
            _wait(stop_after)
    if not quiet:
        note(f"{len(ratings)} ratings are in {file}; photodefect tune learns from them")


def _open(access: Access, *, browser: bool) -> None:
    """Show the address, and open it."""
    address = access.address()
    if browser and webbrowser.open(address):
        note("the page is open in your browser; Ctrl-C here ends it, Enter shows an address for another browser")
    else:
        note(f"open this address in a browser of this machine: {address}")
    if sys.stdin is not None and sys.stdin.isatty():
        threading.Thread(target=_answer_enter, args=(access,), name="enter", daemon=True).start()


def _answer_enter(access: Access) -> None:
    """Show a new address for each line that is typed; without a buffer, which Python would lock when it ends."""
    while os.read(sys.stdin.fileno(), 1024):
        note(access.address())


def _wait(stop_after: float | None) -> None:
    """Wait for Ctrl-C, or for as long as was asked for."""
    over = threading.Event()
    while stop_after is None:
        over.wait(_FOR_EVER_S)
    over.wait(stop_after)


def _title(paths: list[str]) -> str:
    names = [os.path.basename(os.path.abspath(path)) or path for path in paths]  # noqa: PTH100, PTH119
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
