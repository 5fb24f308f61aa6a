"""What is said about a photo in XMP, in sidecars and by exiftool alike: rating, label, keywords, severities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from photodefect.defects import BY_KEY
from photodefect.ranking.hints.advice import findings
from photodefect.ranking.overall import applicable
from photodefect.ranking.profiles.profile import Profile
from photodefect.records import Diagnosis

ROOT_KEYWORD: Final = "photodefect"
"""The keyword that all of ours lie below; whatever lies there is ours."""

REJECTED_KEYWORD: Final = "rejected"

KeywordPath = tuple[str, ...]
"""A keyword with those above it, the topmost first: ``("photodefect", "severe", "noise")``.

The last word is what a program shows that shows one: the defect.
"""


@dataclass(frozen=True)
class Marks:
    """What is said about one photo.

    Attributes:
        rating: -1 (rejected) to 5; None to say nothing.
        label: the name of a colour label; None to say nothing.
        keywords: with those above them.
        values: what the own namespace holds, by name: severities with three decimals and what they amount to.
    """

    rating: int | None = None
    label: str | None = None
    keywords: tuple[KeywordPath, ...] = ()
    values: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def worth_a_file(self) -> bool:
        """Whether there is something to say: a photo without gets no sidecar."""
        return self.rating is not None or self.label is not None or bool(self.keywords)


def marks_of(diagnosis: Diagnosis, profile: Profile, *, spared: bool = False) -> Marks:
    """What is to be said about a judged photo.

    Args:
        diagnosis: as :meth:`Profile.judge` gives it; one that failed has no marks.
        profile: thresholds, what is rejected and how that is marked, ratings and labels.
        spared: it isn't rejected whatever the profile says, for its set or shot is needed
            (:attr:`~photodefect.ranking.selection.Selection.spared`).
    """
    if diagnosis.severity is None or diagnosis.verdict is None:
        return Marks()
    found = findings(diagnosis, hints=False, ignored=profile.ignored)
    rejected = not spared and bool(profile.reasons_to_reject(diagnosis))
    mark = profile.reject.mark
    keywords: list[KeywordPath] = [(ROOT_KEYWORD, finding.grade, keyword_of(finding.defect)) for finding in found]
    if rejected and mark == "keyword":
        keywords.insert(0, (ROOT_KEYWORD, REJECTED_KEYWORD))
    if mark == "label":
        # One label, one meaning: labels by defect would be taken for rejections.
        label = profile.labels["rejected"] if rejected else ""
    else:
        label = profile.labels[found[0].defect] if found else ""
    as_rating = "rejected" if rejected and mark == "rating" else diagnosis.verdict
    return Marks(profile.ratings.get(as_rating) or None, label or None, tuple(keywords), _values(diagnosis, profile))


def keyword_of(key: str) -> str:
    """What the keyword of a defect is called, e.g. ``white balance``."""
    return BY_KEY[key].short_title.lower()


def _values(diagnosis: Diagnosis, profile: Profile) -> dict[str, str]:
    severity = applicable(diagnosis.severity or {}, monochrome=bool(diagnosis.monochrome))
    values = {key: _decimals(value) for key, value in severity.items()}
    values["overall"] = _decimals(profile.overall(diagnosis))
    values["verdict"] = diagnosis.verdict or ""
    if diagnosis.model is not None:
        values["model"] = diagnosis.model.name
    return values


def _decimals(severity: float) -> str:
    return f"{round(severity, 3) + 0.0:.3f}"
