"""The thresholds of severities, in one place, and the verdict and worst defect that follow from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, TypeAlias, get_args

from photodefect.defects import KEYS

Verdict: TypeAlias = Literal["good", "mild", "severe"]

VERDICTS: Final[tuple[Verdict, ...]] = get_args(Verdict)
"""All verdicts, from best to worst."""


@dataclass(frozen=True)
class Threshold:
    """From which absolute severity on one defect counts.

    Attributes:
        mild: a defect is mild from here on.
        severe: a defect is severe from here on.

    Raises:
        ValueError: not 0 < mild <= severe <= 1.
    """

    mild: float = 0.3
    severe: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.mild <= self.severe <= 1:
            raise ValueError(f"thresholds must satisfy 0 < mild <= severe <= 1, not {self.mild:g} and {self.severe:g}")

    def grade(self, severity: float) -> Verdict:
        """What a severity in -1..1 amounts to; its sign doesn't matter."""
        size = abs(severity)
        if size >= self.severe:
            return "severe"
        return "mild" if size >= self.mild else "good"


TRACE: Final = 0.1
"""Less than this is shown as no more than a trace; it is stored, ranked and compared all the same."""

DEFAULT_THRESHOLDS: Final[Mapping[str, Threshold]] = MappingProxyType({key: Threshold() for key in KEYS})
"""The thresholds by defect key that hold unless a person says otherwise."""

COLOUR_DEFECTS: Final[tuple[str, ...]] = ("bad_white_balance", "bad_saturation")
"""What can't be wrong with a monochrome photo: its lack of colour is a choice."""


def grades(
    severities: Mapping[str, float],
    thresholds: Mapping[str, Threshold] = DEFAULT_THRESHOLDS,
    *,
    monochrome: bool = False,
) -> dict[str, Verdict]:
    """What each defect of a photo amounts to.

    Args:
        severities: severity by defect key, in -1..1.
        thresholds: by defect key.
        monochrome: the photo has no colour, but for a small part; then :data:`COLOUR_DEFECTS` are left out.

    Returns:
        The grade by defect key.
    """
    exempt = COLOUR_DEFECTS if monochrome else ()
    return {key: thresholds[key].grade(severity) for key, severity in severities.items() if key not in exempt}


def verdict(
    severities: Mapping[str, float],
    thresholds: Mapping[str, Threshold] = DEFAULT_THRESHOLDS,
    *,
    monochrome: bool = False,
) -> tuple[str | None, Verdict]:
    """The worst defect of a photo, and what the photo amounts to. Takes the same arguments as :func:`grades`.

    Returns:
        The key with the largest absolute severity (the first of equals in the given order; None where it is below
        :data:`TRACE`), and the gravest grade that any defect gets.

    Raises:
        ValueError: no severity is left to judge.
    """
    graded = grades(severities, thresholds, monochrome=monochrome)
    if not graded:
        raise ValueError("no severity to judge")
    worst = max(graded, key=lambda key: abs(severities[key]))
    return worst if abs(severities[worst]) >= TRACE else None, max(graded.values(), key=VERDICTS.index)
