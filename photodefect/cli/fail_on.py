"""The option ``--fail-on``, and what its values forbid in a photo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import typer

from photodefect.cli.options import defect_key, number_above_0
from photodefect.verdicts import Verdict


def fail_on_option(text: str) -> Any:  # noqa: ANN401
    """``--fail-on``, which each command words for itself."""
    return typer.Option("--fail-on", metavar="mild|severe|DEFECT[=VALUE]", help=text)


@dataclass(frozen=True)
class FailOn:
    """What a photo must not have, by ``--fail-on``.

    Attributes:
        verdict: ``mild`` or ``severe``: the photo must not be that bad; None if it is about one defect.
        defect: key of the defect that must not reach ``limit``.
        limit: absolute severity; None for the defect's threshold of severe.
    """

    verdict: Verdict | None = None
    defect: str = ""
    limit: float | None = None


def fail_on(value: str) -> FailOn:
    """Read ``mild``, ``severe``, ``DEFECT`` or ``DEFECT=VALUE``.

    Raises:
        typer.BadParameter: it is none of these.
    """
    verdicts: dict[str, Verdict] = {"mild": "mild", "severe": "severe"}
    if value in verdicts:
        return FailOn(verdict=verdicts[value])
    name, equals, number = value.partition("=")
    return FailOn(defect=defect_key(name), limit=number_above_0(number, value) if equals else None)
