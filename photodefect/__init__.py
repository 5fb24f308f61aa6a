"""photodefect: how severe seven photographic defects are, where they sit, and which photos to keep.

::

    from photodefect import Diagnoser, find_photos

    for diagnosis in Diagnoser().diagnose(find_photos(["samples"])):
        print(diagnosis.path, diagnosis.verdict, diagnosis.worst)

All public names are in ``__all__``; docs/python.md says what each is for.
"""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from photodefect._version import __version__

if TYPE_CHECKING:
    from photodefect.defects import DEFECTS, Defect
    from photodefect.diagnosis.cache import Cache
    from photodefect.diagnosis.diagnoser import Diagnoser
    from photodefect.diagnosis.workers.tasks import PixelJob
    from photodefect.errors import (
        DataError,
        DecoderDiedError,
        ModelError,
        PhotodefectError,
        PhotoError,
        TimedOutError,
        TooLargeError,
        UnreadableError,
        UnsupportedError,
    )
    from photodefect.heatmap.heat_map import HeatMap, HeatMaps
    from photodefect.heatmap.overlay import overlay
    from photodefect.photos.find import find_photos, read_path_list
    from photodefect.records import Capture, Diagnosis, ModelIdentity, PhotoFailure, Provenance
    from photodefect.verdicts import DEFAULT_THRESHOLDS, Threshold

__all__ = [
    "DEFAULT_THRESHOLDS",
    "DEFECTS",
    "Cache",
    "Capture",
    "DataError",
    "DecoderDiedError",
    "Defect",
    "Diagnoser",
    "Diagnosis",
    "HeatMap",
    "HeatMaps",
    "ModelError",
    "ModelIdentity",
    "PhotoError",
    "PhotoFailure",
    "PhotodefectError",
    "PixelJob",
    "Provenance",
    "Threshold",
    "TimedOutError",
    "TooLargeError",
    "UnreadableError",
    "UnsupportedError",
    "__version__",
    "find_photos",
    "overlay",
    "read_path_list",
]

_NAMES: Final = MappingProxyType(
    {
        "defects": ("DEFECTS", "Defect"),
        "diagnosis.cache": ("Cache",),
        "diagnosis.diagnoser": ("Diagnoser",),
        "diagnosis.workers.tasks": ("PixelJob",),
        "errors": (
            *("DataError", "DecoderDiedError", "ModelError", "PhotoError", "PhotodefectError"),
            *("TimedOutError", "TooLargeError", "UnreadableError", "UnsupportedError"),
        ),
        "heatmap.heat_map": ("HeatMap", "HeatMaps"),
        "heatmap.overlay": ("overlay",),
        "photos.find": ("find_photos", "read_path_list"),
        "records": ("Capture", "Diagnosis", "ModelIdentity", "PhotoFailure", "Provenance"),
        "verdicts": ("DEFAULT_THRESHOLDS", "Threshold"),
    }
)
# Where the public names live. They are imported when first used, so that the command line and whoever needs only a
# part of them don't wait for torch.
_HOMES: Final = {name: f"{__name__}.{module}" for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
