"""The guard of ``no_network/sitecustomize.py`` for this process and the processes it starts."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).parent / "no_network"
"""What a process has on its PYTHONPATH to have no network."""


@contextmanager
def forbidden_network() -> Iterator[list[str]]:
    """No address can be reached, bound or looked up; yields what tried to, as it happens."""
    guard, before = _guard(), os.environ.get("PYTHONPATH")
    guard.attempts.clear()
    guard.active = True  # type: ignore[attr-defined]
    os.environ["PYTHONPATH"] = os.pathsep.join([str(FOLDER), *([before] if before else [])])
    try:
        yield guard.attempts
    finally:
        guard.active = False  # type: ignore[attr-defined]
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


@contextmanager
def listening_allowed() -> Iterator[None]:
    """Inside :func:`forbidden_network`: this process may listen at this machine's loopback address."""
    guard = _guard()
    guard.may_listen = True  # type: ignore[attr-defined]
    try:
        yield
    finally:
        guard.may_listen = False  # type: ignore[attr-defined]


@lru_cache(maxsize=1)
def _guard() -> ModuleType:
    """The module, imported once: an audit hook stays until the process ends."""
    spec = importlib.util.spec_from_file_location("photodefect_no_network", FOLDER / "sitecustomize.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
