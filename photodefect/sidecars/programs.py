"""Programs that read sidecars: how each calls them, and how a rejected photo and a label are said to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

from photodefect.sidecars.style import SidecarStyle

Program: TypeAlias = Literal["lightroom", "bridge", "captureone", "darktable", "digikam"]
"""What ``--for`` takes."""


@dataclass(frozen=True)
class Reader:
    """How a program reads sidecars.

    Attributes:
        style: how it calls them.
        mark: how a rejected photo is told from others.
        labels: its names of colour labels, by the names that Lightroom has in English; those missing are the same.
    """

    style: SidecarStyle
    mark: Literal["rating", "keyword"]
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


_BRIDGE_LABELS: Final = MappingProxyType(
    {"Red": "Select", "Yellow": "Second", "Green": "Approved", "Blue": "Review", "Purple": "To Do"}
)

READERS: Final[Mapping[Program, Reader]] = MappingProxyType(
    {
        # Its stars begin at 0; its flags aren't in XMP.
        "lightroom": Reader(SidecarStyle.STEM, "keyword"),
        "bridge": Reader(SidecarStyle.STEM, "rating", _BRIDGE_LABELS),
        "captureone": Reader(SidecarStyle.STEM, "keyword"),
        "darktable": Reader(SidecarStyle.FULL, "rating"),
        # It takes -1 for no rating at all, and may write five stars for it.
        "digikam": Reader(SidecarStyle.FULL, "keyword"),
    }
)
"""What is known of each, from trying (benchmarks/sidecar_programs.py) and from its documentation (docs/sidecars.md)."""
