"""photodefect: how severe seven photographic defects are, where they sit, and which photos to keep.

::

    from photodefect import Diagnoser, find_photos

    for diagnosis in Diagnoser().diagnose(find_photos(["samples"])):
        print(diagnosis.path, diagnosis.verdict, diagnosis.worst)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from photodefect._version import __version__

if TYPE_CHECKING:
    from photodefect.diagnosis.diagnoser import Diagnoser
    from photodefect.photos.find import find_photos
    from photodefect.records import Capture, Diagnosis, ModelIdentity, PhotoFailure, Provenance
    from photodefect.verdicts import DEFAULT_THRESHOLDS, Threshold

__all__ = [
    "DEFAULT_THRESHOLDS",
    "Capture",
    "Diagnoser",
    "Diagnosis",
    "ModelIdentity",
    "PhotoFailure",
    "Provenance",
    "Threshold",
    "__version__",
    "find_photos",
]

# Where the public names live. They are imported when first used, so that the command line and whoever needs only
# a part of them don't wait for torch.
_HOMES = {
    "DEFAULT_THRESHOLDS": "photodefect.verdicts",
    "Capture": "photodefect.records",
    "Diagnoser": "photodefect.diagnosis.diagnoser",
    "Diagnosis": "photodefect.records",
    "ModelIdentity": "photodefect.records",
    "PhotoFailure": "photodefect.records",
    "Provenance": "photodefect.records",
    "Threshold": "photodefect.verdicts",
    "find_photos": "photodefect.photos.find",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
