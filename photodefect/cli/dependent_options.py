"""Options that say nothing without another one: given alone they are wrong usage, not silently without effect."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import typer

_DEEDS: Final = ("--copy-to", "--link-to", "--move-to")
_MARKS: Final = ("--xmp", "--format exiftool-csv")

ABOUT: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "--null": ("--files-from",),
        "--force": ("--output", "--save-as", "--html", "--sheet"),
        "--thin-sequences": ("--best-per-burst", "--exclude-severe", *_MARKS),
        "--keep-folders": _DEEDS,
        "--apply": (*_DEEDS, "--xmp"),
        "--journal": (*_DEEDS, "--xmp"),
        "--for": _MARKS,
        "--xmp-style": _MARKS,
        "--reject-as": _MARKS,
        "--overwrite-ratings": _MARKS,
        "--ratings": ("--blind",),
        "--part-size": ("--ray",),
    }
)
"""By option, those of which it needs one; those that a command doesn't have don't count there."""


def refuse_alone(context: Any) -> None:  # noqa: ANN401  click's Context, in whichever package typer has it
    """Refuse options that were given without any of those that they are about.

    Args:
        context: of a command whose arguments were read.

    Raises:
        typer.BadParameter: there is one.
    """
    parameters = {name: it for it in context.command.params for name in it.opts if name.startswith("--")}

    def given(option: str) -> bool:
        name, _, value = option.partition(" ")
        own = parameters[name].name
        source = context.get_parameter_source(own)
        return source is not None and source.name != "DEFAULT" and (not value or context.params[own] == value)

    for option, others in ABOUT.items():
        there = [other for other in others if other.partition(" ")[0] in parameters]
        if option in parameters and there and given(option) and not any(map(given, there)):
            named = "/".join(parameters[option].opts)
            raise typer.BadParameter(f"{named} is about {_either(there)}, and none of these is given", ctx=context)


def _either(options: list[str]) -> str:
    return " or ".join(filter(None, [", ".join(options[:-1]), options[-1]]))
