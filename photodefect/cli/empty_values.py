"""Empty arguments and values, which unset variables of a shell leave behind, as wrong usage."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import typer

MAY_BE_EMPTY: Final = frozenset({"--title"})
"""Options that an empty value means something to."""


def refuse_empty(arguments: Iterable[str]) -> None:
    """Refuse empty arguments and values of options: an empty path would mean the current folder.

    Args:
        arguments: of a command, as a person gave them.

    Raises:
        typer.BadParameter: one is empty.
    """
    before = ""
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not argument and before not in MAY_BE_EMPTY:
            what = f"the value of {before}" if before.startswith("-") and before != "--" else "an argument"
        elif name.startswith("--") and equals and not value and name not in MAY_BE_EMPTY:
            what = f"the value of {name}"
        else:
            before = argument
            continue
        raise typer.BadParameter(f"{what} is empty; is a variable unset? The current folder is called .")
