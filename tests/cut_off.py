"""Runs a transfer, or its undoing, again and again, each time killed at a later point. A program of its own: it forks.

``python cut_off.py MODE UNDO FOLDER ELSEWHERE`` makes ``FOLDER/0``, ``FOLDER/1`` and so on, one for each point, with
photos in ``source`` and a ``journal``; targets lie in ``ELSEWHERE/0`` and so on. The last run came to its end.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable
from io import FileIO
from pathlib import Path
from typing import Any

from photodefect.files import journal, operations
from photodefect.files.journal import Journal, read_journal
from photodefect.files.plan import plan_transfer
from photodefect.files.transfer import apply
from photodefect.files.undo import undo

FILES = {"a.cr2": b"raw", "a.xmp": b"sidecar", "sub/a.jpg": b"another"}


class Clock:
    """Kills the process after so many points."""

    def __init__(self, points: int) -> None:
        self.points = points

    def tick(self) -> None:
        if self.points == 0:
            os._exit(9)
        self.points -= 1


def around(clock: Clock, function: Callable[..., Any]) -> Callable[..., Any]:
    def ticking(*args: Any, **kwargs: Any) -> Any:
        clock.tick()
        result = function(*args, **kwargs)
        clock.tick()
        return result

    return ticking


def torn(clock: Clock) -> Callable[[Journal, FileIO, bytes], None]:
    """Writes lines in two halves."""

    def append(self: Journal, stream: FileIO, line: bytes) -> None:
        clock.tick()
        stream.write(line[: len(line) // 2])
        clock.tick()
        stream.write(line[len(line) // 2 :])
        self._end += len(line)
        clock.tick()

    return append


def transfer(folder: Path, target: Path, mode: Any) -> None:
    source = folder / "source"
    plan = plan_transfer([source / "a.cr2", source / "sub/a.jpg"], target, mode, roots=[source])
    with Journal(folder / "journal") as log:
        apply(plan, log)


def take_back(folder: Path) -> None:
    record = read_journal(folder / "journal")
    with Journal.reopen(record) as log:
        undo(record, log)


def main(mode: str, undoing: str, folder: Path, elsewhere: Path) -> None:
    for point in itertools.count():
        here, target = folder / str(point), elsewhere / str(point)
        for name, content in FILES.items():
            path = here / "source" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        if undoing == "undo":
            transfer(here, target, mode)
        child = os.fork()
        if child == 0:
            clock = Clock(point)
            Journal._append = torn(clock)  # type: ignore[method-assign]
            Path.unlink = around(clock, Path.unlink)  # type: ignore[method-assign]
            operations.sync_folder = journal.sync_folder = around(clock, operations.sync_folder)
            take_back(here) if undoing == "undo" else transfer(here, target, mode)
            os._exit(0)
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
            return


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
