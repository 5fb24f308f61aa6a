"""What is found in a photo before anyone judges it: the part of its record that doesn't depend on thresholds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from photodefect.errors import DataError
from photodefect.photos.facts import Capture, Provenance
from photodefect.records import Diagnosis, ModelIdentity
from photodefect.verdicts import Threshold, verdict

SCORING_VERSION: Final = 10
"""Grows whenever the same photo and model give another finding than before: decoding, inputs, arithmetic, EXIF."""


@dataclass(frozen=True)
class Finding:
    """What was found in one photo.

    Attributes:
        width: pixels, upright.
        height: likewise.
        severity: by defect key, as in :class:`~photodefect.records.Diagnosis`.
        percentile: likewise.
        holistic: likewise.
        patches: likewise.
        monochrome: the photo has no colour, but for a small part.
        not_photograph: why it is no photograph, in words; None of a photograph.
        capture: how it was taken.
        provenance: where its pixels came from.
    """

    width: int
    height: int
    severity: Mapping[str, float]
    percentile: Mapping[str, int] | None
    holistic: Mapping[str, float]
    patches: Mapping[str, float]
    monochrome: bool
    not_photograph: str | None = None
    capture: Capture | None = None
    provenance: Provenance | None = None

    def diagnosis(self, path: str, thresholds: Mapping[str, Threshold], model: ModelIdentity) -> Diagnosis:
        """The record of the photo: this, judged by thresholds."""
        worst, overall = verdict(self.severity, thresholds, monochrome=self.monochrome)
        return Diagnosis(
            path=path,
            width=self.width,
            height=self.height,
            severity=self.severity,
            percentile=self.percentile,
            holistic=self.holistic,
            patches=self.patches,
            worst=worst,
            verdict=overall,
            thresholds=thresholds,
            monochrome=self.monochrome,
            photograph=self.not_photograph is None,
            not_photograph=self.not_photograph,
            capture=self.capture,
            provenance=self.provenance,
            model=model,
        )

    def to_json(self) -> str:
        """One line; :meth:`from_json` is the inverse."""
        values = dict(vars(self))
        for part in ("capture", "provenance"):
            values[part] = None if values[part] is None else vars(values[part])
        return json.dumps(values, separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Finding:
        """The inverse of :meth:`to_json`.

        Raises:
            DataError: it is no such text.
        """
        try:
            values: dict[str, Any] = json.loads(text)
            capture, provenance = values.pop("capture"), values.pop("provenance")
            return cls(
                **values,
                capture=None if capture is None else Capture(**capture),
                provenance=None if provenance is None else Provenance(**provenance),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise DataError(f"this is not what was found in a photo: {error}") from error


def known_finding(text: str | None, max_pixels: int) -> Finding | None:
    """The finding that a cache has as a text; None if there is none, it is damaged, or the photo is too large now."""
    if text is None:
        return None
    try:
        finding = Finding.from_json(text)
    except DataError:
        return None
    return finding if finding.width * finding.height <= max_pixels else None
