"""What sidecars say of a photo that a person marked: their rating and label, beside what was found in it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Final

from photodefect.ranking.profiles.profile import Profile
from photodefect.records import Diagnosis
from photodefect.review.marks import UNMARKED, Mark
from photodefect.sidecars.marks import Marks, marks_of

REJECTED: Final = -1

PICKED: Final = 3
"""The rating of a pick without stars. XMP has no picks that all programs read; severe photos get 1, mild ones 2."""


class PersonsMarks:
    """Says what is to be said about photos: what a person marked goes before what the profile says.

    Args:
        marks: by path.
        profile: for photos without a mark.
        spared: paths of photos that aren't rejected, whatever the profile says.
    """

    def __init__(self, marks: Mapping[str, Mark], profile: Profile, spared: Collection[str]) -> None:
        self._marks = marks
        self._profile = profile
        self._spared = spared

    def __call__(self, diagnosis: Diagnosis) -> Marks:
        """What is to be said about a judged photo."""
        found = marks_of(diagnosis, self._profile, spared=diagnosis.path in self._spared)
        mark = self._marks.get(diagnosis.path, UNMARKED)
        return replace(found, rating=rating_of(mark), label=mark.label) if mark else found


def rating_of(mark: Mark) -> int | None:
    """The rating that a mark amounts to: -1 for a reject, the stars, or :data:`PICKED`; None says nothing."""
    if mark.flag == "reject":
        return REJECTED
    return mark.stars or (PICKED if mark.flag == "pick" else None)
