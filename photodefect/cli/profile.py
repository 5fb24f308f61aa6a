"""``photodefect profile``: which thresholds, weights and other settings apply, and where they come from."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from photodefect.cli.console import note
from photodefect.cli.options import Quiet
from photodefect.errors import DataError
from photodefect.printable import printable


def profile(
    action: Annotated[
        Literal["show", "list"],
        typer.Argument(help="show: print the profile that applies, as TOML; list: list all profiles by name."),
    ],
    folder: Annotated[
        str, typer.Argument(metavar="FOLDER", help="The folder of photos that the profile is for.", show_default=False)
    ] = ".",
    *,
    chosen: Annotated[
        str | None, typer.Option("--profile", metavar="NAME|FILE", help="The profile, as rank-folder takes it.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Show which thresholds, weights and other settings apply, and where they come from.

    Each setting comes from the last of these that has it: the defaults, your
    own profile, .photodefect.toml in the folder of photos, --profile, options.

    Exit codes: 0 done; 2 wrong usage, or a profile is wrong.
    """
    from photodefect.ranking.profiles.locations import gather, named_profiles  # noqa: PLC0415
    from photodefect.ranking.profiles.settings import to_toml  # noqa: PLC0415

    if action == "list":
        if chosen is not None or folder != ".":
            raise typer.BadParameter("list names all profiles; FOLDER and --profile go with show")
        for name, file in named_profiles().items():
            sys.stdout.write(f"{printable(name)}\t{_as_given(os.fspath(file))}\n")
            tell_hidden(file)
        return
    if not Path(folder).is_dir():
        raise DataError(f"{folder} is not a folder")
    layers = gather([Path(folder)], chosen)
    for file in layers.files:
        tell_hidden(file)
    sys.stdout.write(to_toml(layers.profile, layers.settings))
    if not quiet:
        note("read: " + (", ".join(map(str, layers.files)) or "no profile; these are the defaults"))


def tell_hidden(file: Path) -> None:
    """Say that a profile is used instead of one of photodefect's, if it is."""
    from photodefect.ranking.profiles.locations import hides_shipped  # noqa: PLC0415

    if hides_shipped(file):
        note(f"{file} is used instead of photodefect's own profile {file.stem}; rename it to have both", "yellow")


def _as_given(path: str) -> str:
    return printable(path) if sys.stdout.isatty() else path
