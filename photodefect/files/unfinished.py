"""Unfinished files, each beside what it will be: what they are called, and removing what killed runs have left."""

from __future__ import annotations

import os
import re
import secrets
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
    """Show other runs that the file is being written; false if one of them writes it, or the system can't tell."""
    try:
        import fcntl  # noqa: PLC0415  POSIX has it

        fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):
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
                if match is None or match[1] not in names or _runs(int(match[2])):
                    continue
                with suppress(OSError), part.open("r+") as stream:
                    if lock(stream):
                        part.unlink()


def _runs(process: int) -> bool:
    """Whether there is a process of that number on this machine."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True
