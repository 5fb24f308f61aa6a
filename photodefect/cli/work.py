"""How a command that diagnoses does its work: processes, limits and the cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from photodefect.cli.console import note
from photodefect.cli.options import WORK_OPTION, TimeLimit
from photodefect.errors import DataError
from photodefect.photos.files import is_one_of

if TYPE_CHECKING:
    from photodefect.diagnosis.cache import Cache
    from photodefect.diagnosis.diagnoser import Diagnoser


@dataclass(frozen=True)
class Work:
    """What a person said about the work: the options that every command that diagnoses has."""

    workers: Annotated[
        int | None,
        WORK_OPTION(
            "--workers",
            min=1,
            max=256,
            metavar="N",
            help="Number of photos diagnosed at once, each in its own process. Default: one per core, or fewer if "
            "memory is short.",
        ),
    ] = None
    threads: Annotated[
        int | None,
        WORK_OPTION(
            "--threads",
            min=1,
            max=256,
            metavar="N",
            help="Compute threads per worker. Default: the cores are shared among the workers.",
        ),
    ] = None
    time_limit: TimeLimit = None
    cache: Annotated[
        Path | None,
        WORK_OPTION(
            "--cache",
            metavar="FILE",
            help="Store results in this file, and reuse those in it. Default: a file in your cache folder.",
        ),
    ] = None
    no_cache: Annotated[bool, WORK_OPTION("--no-cache", help="Neither reuse stored results nor store new ones.")] = (
        False
    )


@contextmanager
def diagnosing(
    model: str,
    work: Work,
    originals: Sequence[str] = (),
    **settings: Any,  # noqa: ANN401  of the Diagnoser
) -> Iterator[Diagnoser]:
    """Have photos diagnosed in a block. Its workers end with it, and what was found is kept however it ends.

    Args:
        model: as the Diagnoser takes it.
        work: what the person said.
        originals: photos; none of them may be the cache.
        settings: of the Diagnoser.

    Raises:
        typer.BadParameter: options exclude each other.
        DataError: the file of ``--cache`` is something else than a cache.
        ModelError: the model or the device can't be used.
    """
    from photodefect.diagnosis.diagnoser import Diagnoser  # noqa: PLC0415

    with (
        _open_cache(work, originals) as cache,
        Diagnoser(
            model,
            workers=work.workers,
            threads=work.threads,
            time_limit=work.time_limit,
            cache=cache,
            **settings,
        ) as diagnoser,
    ):
        yield diagnoser


@contextmanager
def _open_cache(work: Work, originals: Sequence[str]) -> Iterator[Cache | None]:
    file = work.cache
    if work.no_cache:
        if file is not None:
            raise typer.BadParameter("--cache and --no-cache exclude each other")
        yield None
        return
    if file is not None and file.is_dir():
        raise DataError(f"{file} is a folder; --cache takes a file")
    if file is not None and file.exists() and not file.is_file():  # a pipe would be waited for without end
        raise DataError(f"{file} is a pipe or a device; --cache takes a file")
    if file is not None and file.is_file() and is_one_of(file, originals):
        raise DataError(f"{file} is one of the photos; originals are never written to")
    from photodefect.diagnosis.cache import Cache  # noqa: PLC0415

    cache = Cache(file, warn=lambda message: note(message, "yellow"))
    try:
        yield cache
    finally:
        cache.close()
