"""Unfinished files, each beside what it will be: what they are called, and removing what killed runs have left."""

from __future__ import annotations

import os
import re
import secrets
import sys
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Final

PART_PREFIX: Final = ".photodefect-"
"""How the names begin of files that a journal tells of, unlike those of :func:`part_of`."""

_PART: Final = re.compile(r"\.(.+)\.(\d+)\.part", re.DOTALL)


def part_of(target: Path) -> Path:
    """What a file is called while this process, or one that works for it, writes it."""
    return target.with_name(f".{target.name}.{os.getpid()}.part")


def unique_part(target: Path) -> Path:
    """What a file is called while a journal tells of it: a hidden name that no other file has."""
    return target.with_name(f"{PART_PREFIX}{secrets.token_hex(8)}.part")


def lock(stream: IO[Any]) -> bool:
    """Show other runs that the file is being written; false if one of them writes it, or the system can't tell.

    Windows lets nobody remove a file that is open, so there is nothing to show.
    """
    if sys.platform == "win32":
        return True
    import fcntl  # noqa: PLC0415  Windows has none

    try:
        fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def clear_leftovers(targets: Iterable[Path]) -> None:
    """Remove what runs have left that were killed while they wrote the same targets.

    Args:
        targets: files; what can't be looked at or removed stays.
    """
    wanted: defaultdict[Path, set[str]] = defaultdict(set)
    for target in targets:
        wanted[target.parent].add(target.name)
    for folder, names in wanted.items():
        with suppress(OSError):
            for part in folder.iterdir():
                match = _PART.fullmatch(part.name)
                if match is not None and match[1] in names and not is_running(int(match[2])):
                    with suppress(OSError):
                        _remove(part)


def _remove(part: Path) -> None:
    """Remove an unfinished file that nobody writes any more.

    Raises:
        OSError: it can't be removed, or, on Windows, somebody has it open.
    """
    if sys.platform == "win32":
        part.unlink()
        return
    with part.open("r+b") as stream:
        if lock(stream):
            part.unlink()


def is_running(process: int) -> bool:
    """Whether there is a process of that number on this machine; to ask by a signal would end it on Windows."""
    import psutil  # noqa: PLC0415  only needed after a run that was killed

    try:
        return bool(psutil.pid_exists(process))
    except (OSError, OverflowError):
        return False
