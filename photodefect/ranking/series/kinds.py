"""The kinds of series, and which photos are one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

SeriesKind: TypeAlias = Literal[
    "burst", "bracket", "pixel shift", "star series", "focus stack", "time lapse", "panorama"
]


@dataclass(frozen=True)
class Series:
    """Photos that belong together.

    Attributes:
        kind: ``burst``, or a set of which every photo is needed: ``bracket`` (of exposures), ``pixel shift``,
            ``star series``, ``focus stack``, ``time lapse``, ``panorama``.
        members: indexes of at least two photos, in the order in which they were taken.
    """

    kind: SeriesKind
    members: tuple[int, ...]

    @property
    def is_burst(self) -> bool:
        """Whether one of its photos can stand for the others."""
        return self.kind == "burst"
