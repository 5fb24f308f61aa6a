"""Devices by name: a processor, or a GPU that torch knows."""

from __future__ import annotations

import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from photodefect.errors import ModelError
from photodefect.extras import require

if TYPE_CHECKING:
    import torch

DEVICES: Final = ("auto", "cpu", "cuda", "mps")

_DRIVERS: Final = ("/proc/driver/nvidia", "/dev/dxg", "/dev/kfd", "C:/Windows/System32/nvcuda.dll")
"""One of them is there where a GPU of NVIDIA or AMD can be used: on Linux, in WSL, with ROCm, on Windows."""


def pick_device(name: str) -> torch.device:
    """The device that ``name`` (one of :data:`DEVICES`) stands for; ``auto`` is a GPU if torch can use one.

    Raises:
        ModelError: it isn't there, or torch isn't installed.
        ValueError: it isn't a device.
    """
    check_device(name)
    require("gpu", "torch", what=f"the device {name}", error=ModelError)
    import torch  # noqa: PLC0415

    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next(device for device in ("cuda", "mps", "cpu") if there[device])
    if not there[name]:
        raise ModelError(f"this machine, or this build of torch, has no {name} device; take --device cpu")
    return torch.device(name)


def check_device(name: str) -> None:
    """Refuse what isn't a device's name.

    Raises:
        ValueError: it isn't.
    """
    if name not in DEVICES:
        raise ValueError(f"a device is one of {', '.join(DEVICES)}, not {name!r}")


def may_have_gpu() -> bool:
    """Whether it is worth the second that importing torch takes to ask it for a GPU."""
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415  no worker asks

    try:
        if "+cpu" in version("torch"):
            return False
    except PackageNotFoundError:
        return False
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    return any(Path(driver).exists() for driver in _DRIVERS)
