"""A folder that is watched for photos, through deletions, renames and unmounts.

What the system tells of changes wakes us up; looking decides. Systems don't tell everything: of a folder that is made
with files in it, of what another machine writes to a network mount, of more than their queue holds. So the whole folder
is looked through too, when a folder appeared in it and every now and then.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import watchfiles

from photodefect.errors import DataError
from photodefect.photos.find import find_photos
from photodefect.photos.names import natural_key
from photodefect.photos.places import PassedOver, Rules
from photodefect.watching.arrivals import Arrivals

_TICK_S: Final = 1.0
"""How long nothing is looked at, at most: a folder that went away is noticed no later."""

_LOOKING_SHARE: Final = 20
"""Looking through a huge folder takes one part of this many of the time, at most."""


class FolderWatch:
    """Gives out the photos that arrive in a folder.

    Args:
        folder: to be watched, with all folders in it.
        arrivals: judges which files are photos to be told.
        tick_s: seconds between two looks at files that are being written.
        look_s: seconds between two looks through the whole folder.
        tell: called with what a person should know: the folder went away, or is back.
        rules: what in the folder is left out.

    Attributes:
        passed_over: what the last look through the folder left out.

    Raises:
        DataError: it isn't there, or no folder.
    """

    def __init__(
        self,
        folder: str,
        arrivals: Arrivals,
        *,
        tick_s: float,
        look_s: float,
        tell: Callable[[str], None],
        rules: Rules,
    ) -> None:
        self._folder = Path(folder)
        self._arrivals = arrivals
        self._tick_s = min(tick_s, _TICK_S)
        self._look_s = look_s
        self._tell = tell
        self._rules = rules
        self.passed_over = PassedOver()
        self._hasty_until = self._looked = -math.inf
        self._looking_took = 0.0
        if _identity(self._folder) is None:
            raise DataError(f"{folder} is not a folder that can be watched")

    def photos(self) -> list[str]:
        """All photos that are in the folder now, in sorted order; none if it went away."""
        self.passed_over = PassedOver()
        try:
            found = find_photos(
                [self._folder],
                exclude=self._rules.exclude,
                include_passed_over=self._rules.include_passed_over,
                on_passed_over=self.passed_over.note,
            )
            return [str(path) for path in found]
        except DataError:
            return []

    def batches(self) -> Iterator[list[str]]:
        """Photos that are complete, a list at every look, which is often empty. It doesn't end.

        Every photo that is given out is to be passed to :meth:`Arrivals.accept` before the next list is taken.
        """
        while True:
            identity = _identity(self._folder)
            if identity is None:
                self._tell(f"{self._folder} is gone; waiting for it to come back")
                self._arrivals.drop_pending()
                while (identity := _identity(self._folder)) is None:
                    yield []
                    time.sleep(self._tick_s)
                self._tell(f"{self._folder} is back")
            self._hurry()
            with closing(self._changes()) as noticed:
                for changes in noticed:
                    self._offer(changes)
                    self._look_through()
                    yield self._arrivals.settled()
                    now = _identity(self._folder)
                    if now != identity:
                        break
            if now is not None:
                self._tell(f"{self._folder} is another folder now; watching that")

    def _changes(self) -> Generator[set[str], None, None]:
        """Paths that changed since the last look; an empty set at the latest after a tick."""
        tick_ms = max(1, int(self._tick_s * 1000))
        try:
            for changes in watchfiles.watch(
                self._folder,
                watch_filter=None,
                debounce=tick_ms,
                rust_timeout=tick_ms,
                yield_on_timeout=True,
                ignore_permission_denied=True,
            ):
                yield {path for _, path in changes}
        # The library's own error is a RuntimeError: no watches left, for instance.
        except (OSError, RuntimeError) as error:
            if _identity(self._folder) is None:
                return
            self._tell(f"the system can't tell of changes ({error}); looking every {self._look_s:g} seconds")
        while True:
            time.sleep(self._tick_s)
            yield set()

    def _offer(self, changed: Iterable[str]) -> None:
        for path in sorted(changed, key=natural_key):
            inside = _inside(path, self._folder)
            if inside is None or inside.is_dir():
                self._hurry()
            elif self._rules.allow(inside, self._folder):
                self._arrivals.offer(str(inside))

    def _hurry(self) -> None:
        """Have the folder looked through now and a few times more: what a new folder comes with may come in silence."""
        self._hasty_until = time.monotonic() + 3 * self._tick_s

    def _look_through(self) -> None:
        """Look through the whole folder if it is time to."""
        started = time.monotonic()
        pause = 0.0 if started < self._hasty_until else self._look_s
        if started - self._looked < max(pause, _LOOKING_SHARE * self._looking_took):
            return
        for photo in self.photos():
            self._arrivals.offer(photo)
        self._looked = time.monotonic()
        self._looking_took = self._looked - started


def _inside(path: str, folder: Path) -> Path | None:
    """``path`` as it is called from ``folder``; None if it isn't in it."""
    for root in (folder, folder.absolute(), folder.resolve()):
        if Path(path).is_relative_to(root):
            return folder / Path(path).relative_to(root)
    return None


def _identity(folder: Path) -> tuple[int, int] | None:
    """Device and inode of a folder; None if there is none."""
    try:
        status = folder.stat()
        return (status.st_dev, status.st_ino) if folder.is_dir() else None
    except OSError:
        return None
