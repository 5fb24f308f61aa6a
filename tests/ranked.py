"""Records made by hand, for tests of what comes after diagnosing."""

from __future__ import annotations

from typing import Any

from photodefect.defects import KEYS
from photodefect.records import Capture, Diagnosis, PhotoFailure
from photodefect.verdicts import DEFAULT_THRESHOLDS, verdict


def record(path: str, *, monochrome: bool = False, capture: Capture | None = None, **severities: float) -> Diagnosis:
    """A record with these severities; the others are 0."""
    severity = dict.fromkeys(KEYS, 0.0) | severities
    assert set(severity) == set(KEYS)
    worst, overall = verdict(severity, monochrome=monochrome)
    return Diagnosis(
        path,
        width=600,
        height=400,
        severity=severity,
        percentile=dict.fromkeys(KEYS, 50),
        worst=worst,
        verdict=overall,
        thresholds=DEFAULT_THRESHOLDS,
        monochrome=monochrome,
        photograph=True,
        capture=capture or Capture(),
    )


def shot(path: str, time: str | None = None, **capture: Any) -> Diagnosis:
    """A record of a photo taken at a time, as ISO 8601 has it, by one camera."""
    return record(path, capture=Capture(**{"time": time, "camera": "X-1", **capture}))


def failure(path: str) -> Diagnosis:
    """A record of a photo that couldn't be diagnosed."""
    return Diagnosis(path, error=PhotoFailure("UnreadableError", "the file is empty"))
