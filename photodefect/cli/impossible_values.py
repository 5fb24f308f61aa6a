"""Arguments and values that no command can take, as wrong usage: empty ones, and URLs where there is no cluster."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import typer

from photodefect.photos.find import is_url

FREE_TEXT: Final = frozenset({"--title"})
"""Options whose value is text and may be anything."""

BEHIND_URLS: Final = "only photodefect diagnose --ray reads and writes behind URLs; copy photos here first"


def refuse_empty(arguments: Iterable[str]) -> None:
    """Refuse empty arguments and values of options: an empty path would mean the current folder.

    Args:
        arguments: of a command, as a person gave them.

    Raises:
        typer.BadParameter: one is empty.
    """
    for option, value in _values(arguments):
        if not value and option not in FREE_TEXT:
            what = f"the value of {option}" if option else "an argument"
            raise typer.BadParameter(f"{what} is empty; is a variable unset? The current folder is called .")


def refuse_urls(arguments: Sequence[str]) -> None:
    """Refuse URLs where they would be taken for paths: only a cluster reads and writes behind them.

    Args:
        arguments: of a command, as a person gave them.

    Raises:
        typer.BadParameter: one is a URL, and there is no ``--ray``.
    """
    if any(argument.partition("=")[0] == "--ray" for argument in arguments):
        return
    for option, value in _values(arguments):
        if is_url(value) and option not in FREE_TEXT and not os.path.lexists(value):
            raise typer.BadParameter(f"{value} is a URL; {BEHIND_URLS}")


def _values(arguments: Iterable[str]) -> Iterator[tuple[str, str]]:
    """What is given: the option, or what stands where options do, and the value; of an argument no option."""
    before = ""
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if name.startswith("--") and equals:
            yield name, value
        elif not argument.startswith("-"):
            yield before if before.startswith("-") and before != "--" else "", argument
        before = argument
