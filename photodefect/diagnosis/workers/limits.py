"""Limits of workers: how many there are, and how much memory and time each may take."""

from __future__ import annotations

import math
import os
import sys
from typing import Final

from photodefect.diagnosis.workers.control_groups import ControlGroups

MAX_WORKERS: Final = 8
"""Photos worked on at once, at most, unless told otherwise: beyond, storage is what one waits for."""

RUN_MEMORY: Final = 1400 * 1024**2
"""Bytes that all workers of a run may be reckoned to take, or a quarter of the machine's memory if that is less."""

WORKER_MEMORY: Final = 230 * 1024**2
"""Bytes that a worker is reckoned to take: measured with photos of 24 megapixels and the compact network."""

MAPPING_MEMORY: Final = 400 * 1024**2
"""Likewise, of one that makes a report's heat maps and pictures beside: 361 MiB at most were measured."""

TIME_LIMIT_S: Final = 60.0
"""How long a photo may take, with a second more for each megabyte of its file and for each patch."""

MAPPING_S: Final = 20.0
"""How long heat maps may take for each megapixel: ten times what the paper's network takes on a slow machine."""

MOST_MEMORY: Final = 4 * 1024**3
LEAST_MEMORY: Final = 1024**3

_GROUPS: Final = ControlGroups()


def available_cores(groups: ControlGroups | None = None) -> int:
    """Cores that this process may use, by its affinity mask and by the quota of its container or service.

    Of a quota that isn't whole, the last core is used in part.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = (groups or _GROUPS).cores()
    return allowed if quota is None else max(1, min(allowed, math.ceil(quota)))


def machine_memory(groups: ControlGroups | None = None) -> int:
    """Bytes of memory of the machine, or of the container or service; 0 if the system doesn't say."""
    known = [_physical_memory()]
    limit = (groups or _GROUPS).memory()
    if limit is not None:
        known.append(limit)
    return min((memory for memory in known if memory > 0), default=0)


def _physical_memory() -> int:
    """Bytes of memory of the machine; 0 if the system doesn't say."""
    if sys.platform == "win32":
        import psutil  # noqa: PLC0415  elsewhere the system says it

        return int(psutil.virtual_memory().total)
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return 0


def default_workers(threads: int | None = None, *, memory: int = WORKER_MEMORY, budget: int | None = RUN_MEMORY) -> int:
    """How many photos to work on at once on this machine.

    Args:
        threads: that compute for each of them; None for one.
        memory: bytes that a worker is reckoned to take.
        budget: bytes that all may take together, if a quarter of the machine's memory isn't less; None for that
            quarter.
    """
    # More threads than cores only get in each other's way.
    count = min(available_cores() // (threads or 1), MAX_WORKERS)
    room = [it for it in (budget, machine_memory() // 4) if it]
    if room:
        count = min(count, min(room) // memory)
    return max(1, count)


def time_limit(path: str, patches: int) -> float:
    """Seconds that decoding and scoring a photo may take.

    Args:
        path: of the photo.
        patches: that are scored.
    """
    try:
        megabytes = os.stat(path).st_size / 1e6  # noqa: PTH116  as cheap as can be
    except (OSError, ValueError):
        megabytes = 0.0
    return TIME_LIMIT_S + megabytes + patches


def memory_limit() -> int:
    """Bytes that one of several workers may use: half of the machine's memory, within limits."""
    return max(LEAST_MEMORY, min(MOST_MEMORY, machine_memory() // 2))


def lone_memory_limit() -> int:
    """Bytes that a worker may use that is the only one: three quarters of the machine's memory."""
    return max(LEAST_MEMORY, machine_memory() * 3 // 4)
