"""Which of the files that appear are photos to be diagnosed now: complete ones, each once."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from photodefect.photos.find import is_photo
from photodefect.photos.places import UNFINISHED_SUFFIXES
from photodefect.records import Diagnosis

PATIENCE: Final = 5
"""A photo that can't be decoded stays untold for this many settle times: its other half may be on the way."""


@dataclass(frozen=True)
class _State:
    """What tells a file from another, and from itself before it was written to.

    Attributes:
        size: in bytes.
        modified: time of the last change, in nanoseconds.
        identity: device and inode, which stay when the file is renamed.
    """

    size: int
    modified: int
    identity: tuple[int, int]


@dataclass
class _Pending:
    """A file that may be a photo on its way.

    Attributes:
        state: as it was last seen.
        since: when it was first seen so, in seconds.
        failed: it could not be decoded in this state.
        diagnosing: it was given out.
    """

    state: _State
    since: float
    failed: bool = False
    diagnosing: bool = False


class Arrivals:
    """Keeps what arrives until it is complete, and remembers what was told.

    A file is taken as complete when its size and time haven't changed for the settle time. A photo is known by its
    file (device and inode, so that a renamed one isn't told again) and by its path (so that one on a card isn't
    either, after the card was out), both with size and time: one that is written anew is a new arrival.

    Args:
        settle_s: seconds for which a file must not change.
        clock: gives the time in seconds.
    """

    def __init__(self, settle_s: float, clock: Callable[[], float]) -> None:
        self._settle_s = settle_s
        self._clock = clock
        self._pending: dict[str, _Pending] = {}
        self._known_files: set[_State] = set()
        self._known_paths: dict[str, tuple[int, int]] = {}

    def __len__(self) -> int:
        """Files that were seen and not told yet."""
        return len(self._pending)

    def know(self, paths: Iterable[str]) -> None:
        """Remember photos that aren't to be told, such as those that were there before."""
        for path in paths:
            state = _state(path)
            if state is not None:
                self._remember(path, state)

    def drop_pending(self) -> None:
        """Forget what isn't told yet; it is to be offered again."""
        self._pending.clear()

    def offer(self, path: str) -> None:
        """Look at a file that appeared or changed; one that is known, unfinished or no file is passed over."""
        state = _state(path)
        if state is None or self._is_known(path, state) or _is_unfinished(path):
            self._pending.pop(path, None)
            return
        pending = self._pending.get(path)
        if pending is None or pending.state != state:
            self._pending[path] = _Pending(state, self._clock())

    def settled(self) -> list[str]:
        """Photos that are complete by now, in the order of their arrival; each is to be followed by :meth:`accept`."""
        ready = []
        for path in list(self._pending):
            self.offer(path)
            pending = self._pending.get(path)
            if pending is None or pending.diagnosing:
                continue
            wait = self._settle_s * (PATIENCE if pending.failed else 1)
            if self._clock() - pending.since < wait:
                continue
            if is_photo(Path(path)):
                pending.diagnosing = True
                ready.append(path)
            else:
                del self._pending[path]
        return ready

    def accept(self, diagnosis: Diagnosis) -> bool:
        """Whether the record of a photo from :meth:`settled` is to be told.

        It isn't if the file was written to, renamed or deleted meanwhile, or can't be decoded and may be incomplete.
        """
        path = diagnosis.path
        self.offer(path)
        pending = self._pending.get(path)
        if pending is None or not pending.diagnosing:
            return False
        pending.diagnosing = False
        if diagnosis.error is not None and not pending.failed:
            pending.failed = True
            return False
        del self._pending[path]
        self._remember(path, pending.state)
        return True

    def _remember(self, path: str, state: _State) -> None:
        self._known_files.add(state)
        self._known_paths[path] = (state.size, state.modified)

    def _is_known(self, path: str, state: _State) -> bool:
        return state in self._known_files or self._known_paths.get(path) == (state.size, state.modified)


def _state(path: str) -> _State | None:
    """A regular file's state; None if there is none, or nothing can be said of it."""
    try:
        status = os.stat(path)  # noqa: PTH116 - called for every file at every look
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    return _State(status.st_size, status.st_mtime_ns, (status.st_dev, status.st_ino))


def _is_unfinished(path: str) -> bool:
    name = os.path.basename(path)  # noqa: PTH119 - likewise
    return name.endswith("~") or os.path.splitext(name)[1].lower() in UNFINISHED_SUFFIXES  # noqa: PTH122
