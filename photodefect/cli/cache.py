"""``photodefect cache``: show, check or delete the results that are kept."""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from photodefect.cli.console import note
from photodefect.cli.exit_codes import ExitCode
from photodefect.cli.options import Quiet
from photodefect.errors import DataError, PhotodefectError
from photodefect.printable import printable

if TYPE_CHECKING:
    from photodefect.diagnosis.cache import Cache, CacheInfo


def cache(
    action: Annotated[
        Literal["info", "clear", "verify"],
        typer.Argument(help="info: say what is kept, and where; clear: delete it; verify: check it for damage."),
    ],
    *,
    file: Annotated[
        Path | None,
        typer.Option("--cache", metavar="FILE", help="The cache file. Default: the one in your cache folder."),
    ] = None,
    older_than: Annotated[
        int,
        typer.Option(
            "--older-than",
            min=0,
            metavar="DAYS",
            help="With clear: only results that no run has used for so many days.",
        ),
    ] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="With info and verify: print a JSON object, for programs.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Show, check or delete the results that are kept from run to run.

    Commands that diagnose reuse the results that the cache has for a photo, and
    reports and reviews the pictures that were made of it.
    Clearing it costs nothing but time.

    Exit codes: 0 done; 1 verify found damage; 2 wrong usage, or the file is no
    cache.
    """
    from photodefect.diagnosis.cache import Cache, default_file  # noqa: PLC0415
    from photodefect.diagnosis.picture_cache import PictureCache, file_beside  # noqa: PLC0415

    place = file or default_file()
    if older_than and action != "clear":
        raise typer.BadParameter("--older-than goes with clear", param_hint="--older-than")
    if as_json and action == "clear":
        raise typer.BadParameter("--json goes with info and verify", param_hint="--json")
    if not place.exists():
        if file is not None:
            raise DataError(f"there is no cache {place}")
        if not quiet:
            note(f"nothing is kept yet; it would be in {place}")
        raise typer.Exit(ExitCode.DONE)
    damage: list[str] = []
    with (
        closing(Cache(file, warn=damage.append)) as opened,
        closing(PictureCache(file_beside(opened.file))) as pictures,
    ):
        if damage:
            raise PhotodefectError(damage[0])
        try:
            match action:
                case "info":
                    _tell(opened.info(), *(pictures.size() if pictures else (0, 0)), as_json=as_json)
                case "clear":
                    gone = f"{_many(opened.clear(older_than), 'result')} forgotten"
                    gone += f", {_many(pictures.clear(older_than), 'picture')} too" if pictures else ""
                    if not quiet:
                        note(gone)
                case "verify":
                    _verify(opened, as_json=as_json)
        except sqlite3.Error as error:
            raise PhotodefectError(f"the cache {place} can't be used: {error}") from error


def _many(count: int, what: str) -> str:
    return f"{count} {what if count == 1 else what + 's'}"


def _tell(info: CacheInfo, pictures: int, picture_bytes: int, *, as_json: bool) -> None:
    kinds = [{"kind": _kind(description), "results": count} for description, count in info.kinds.items()]
    day = None if info.oldest is None else time.strftime("%Y-%m-%d", time.gmtime(info.oldest))
    if as_json:
        values = {"file": str(info.file), "bytes": info.bytes, "files": info.files, "photos": info.photos}
        drawn = {"pictures": pictures, "picture_bytes": picture_bytes}
        sys.stdout.write(json.dumps(values | {"kinds": kinds, "oldest": day} | drawn) + "\n")
        return
    lines = [str(info.file), f"{info.bytes / 1e6:.1f} MB, {info.photos} photos, {info.files} files"]
    if day is not None:
        lines.append(f"all used since {day}")
    for kind in kinds:
        what = kind["kind"]
        text = what if isinstance(what, str) else ", ".join(f"{name} {value}" for name, value in what.items())
        lines.append(f"{kind['results']:>8} {text}")
    if pictures:
        lines.append(f"{pictures:>8} pictures for reports and reviews, {picture_bytes / 1e6:.1f} MB")
    sys.stdout.write("".join(f"{printable(line)}\n" for line in lines))


def _kind(description: str) -> Any:  # noqa: ANN401  what JSON holds
    try:
        return json.loads(description)
    except ValueError:
        return description


def _verify(cache: Cache, *, as_json: bool) -> None:
    from photodefect.diagnosis.content import Stamp  # noqa: PLC0415
    from photodefect.diagnosis.findings import Finding  # noqa: PLC0415

    damage = cache.check()
    results = unreadable = changed = missing = files = 0
    if not damage:
        for _, kind, text in cache.values():
            results += 1
            try:
                Finding.from_json(text) if isinstance(_kind(kind), dict) else json.loads(text)
            except (DataError, ValueError):
                unreadable += 1
        for path, stamp in cache.paths():
            files += 1
            try:
                changed += Stamp.of(Path(path).stat()) != stamp
            except (OSError, ValueError):
                missing += 1
    if as_json:
        values = {"damage": damage, "results": results, "unreadable": unreadable, "files": files}
        sys.stdout.write(json.dumps(values | {"changed": changed, "missing": missing}) + "\n")
    else:
        lines = [f"damaged: {line}" for line in damage[:5]]
        if not damage:
            lines = [
                f"{results} results, {unreadable} of them unreadable",
                f"{files} files, {changed} of them changed since, {missing} gone; changed ones are looked at again",
            ]
        sys.stdout.write("".join(f"{line}\n" for line in lines))
    if damage or unreadable:
        note("photodefect cache clear makes it whole; a damaged file is set aside by the next run")
        raise typer.Exit(ExitCode.SOME_FAILED)
