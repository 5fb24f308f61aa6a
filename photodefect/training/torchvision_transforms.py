"""Torchvision's transforms, also beside a torch that its compiled operators were not built for."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Final

import torch

_MISSING: Final = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
"""What torchvision registers a shape rule for while it is imported, and stops at where there is no such operator."""


def transforms() -> ModuleType:
    """``torchvision.transforms.v2``.

    A torchvision that was built for CUDA can't load its operators beside a torch without it. Transforms need none of
    them, so they get the operators' names alone: what calls one fails, and nothing else does.

    Raises:
        ImportError: torchvision isn't installed.
    """
    try:
        return import_module("torchvision.transforms.v2")
    except RuntimeError:
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
        for schema in _MISSING:
            library.define(schema)  # type: ignore[no-untyped-call]
        # Without a reference the names would go again.
        transforms.library = library  # type: ignore[attr-defined]
        return import_module("torchvision.transforms.v2")
