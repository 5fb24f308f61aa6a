"""Threads that share the parts of one photo's map, each computing with one core.

One operator spread over several cores waits for the slowest of them, again and again; on a busy machine that costs
more than it gains. Tiles don't wait for each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_T = TypeVar("_T")


class Workers:
    """A few threads, for the time of a ``with`` block.

    Args:
        threads: how many; 1 works in the calling thread.
        begin: what each of several threads does first.
    """

    def __init__(self, threads: int = 1, begin: Callable[[], object] | None = None) -> None:
        self._pool = ThreadPoolExecutor(threads, "tile", initializer=begin) if threads > 1 else None

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *error: object) -> None:
        if self._pool is not None:
            # After an error, or Ctrl-C, what hasn't begun isn't waited for.
            self._pool.shutdown(cancel_futures=True)

    def each(self, function: Callable[[_T], None], items: Iterable[_T]) -> None:
        """Call a function with every item, in any order. The first error is raised."""
        if self._pool is None:
            for item in items:
                function(item)
            return
        for future in [self._pool.submit(function, item) for item in items]:
            future.result()
