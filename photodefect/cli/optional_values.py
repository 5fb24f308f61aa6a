"""Options whose value may be left out, such as ``--best-per-burst [N]``, which typer doesn't support."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def with_values(arguments: Sequence[str], optional: Mapping[str, str]) -> list[str]:
    """Arguments in which every option has its value.

    Args:
        arguments: as a person gave them.
        optional: by option, the value that it has when no whole number follows it.

    Returns:
        ``--option`` as ``--option=value`` unless a whole number follows; what comes after ``--`` is left alone.
    """
    result: list[str] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if argument == "--":
            return [*result, argument, *rest]
        if argument in optional:
            value = rest.pop(0) if rest and _is_whole(rest[0]) else optional[argument]
            argument = f"{argument}={value}"
        result.append(argument)
    return result


def _is_whole(text: str) -> bool:
    return text.removeprefix("-").isdecimal()
