"""A decoder that reads photos in processes of their own, so that a broken one can't take the program along."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from photodefect.diagnosis.settings import Decoding
from photodefect.diagnosis.workers.limits import memory_limit, time_limit
from photodefect.diagnosis.workers.pool import ProcessWorkers
from photodefect.diagnosis.workers.tasks import Task
from photodefect.errors import DecoderDiedError, PhotoError, TimedOutError
from photodefect.records import PhotoFailure

_KINDS: Final = {kind.__name__: kind for kind in PhotoError.__subclasses__()}

_COSTLY: Final = (TimedOutError.__name__, DecoderDiedError.__name__)
"""What is not tried again: it would cost a process, and as much time as before."""

_log = logging.getLogger(__name__)


class IsolatedDecoder:
    """A :data:`~photodefect.photos.decode.Decoder` that no photo can hang or take along, for several threads.

    Processes start when there are photos for them, and end with :meth:`close`, at the end of a ``with`` block, or with
    the program. A photo that hung or ended its process isn't tried again: it gives the same error at once.

    Args:
        count: of processes, at most.
    """

    def __init__(self, count: int) -> None:
        self._workers = ProcessWorkers(Decoding(), count, memory_limit())
        self._lock = threading.Lock()
        self._closed = False
        self._given_up: dict[Path, PhotoFailure] = {}

    def __enter__(self) -> IsolatedDecoder:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __call__(self, path: Path) -> NDArray[np.uint8]:
        """The pixels of a photo, (height, width, 3) sRGB, upright.

        Raises:
            PhotoError: it can't be read; the subclass is the one that decoding raised, or says that it took too long
                or that its process died.
            PhotodefectError: no process can be started.
            CancelledError: the decoder was closed.
        """
        failure = self._given_up.get(path)
        if failure is None:
            task = Task(str(path), job=_pixels, limit_s=time_limit(str(path), 0))
            with self._lock:  # what is submitted to closed workers is never done
                if self._closed:
                    raise CancelledError
                future = self._workers.submit(task)
            outcome = future.result()
            if self._closed:  # a process that was ended is no photo's fault
                raise CancelledError
            if outcome.fatal is not None:
                raise outcome.fatal
            if outcome.traceback:
                _log.debug("unexpected error at %s\n%s", path, outcome.traceback)
            failure = outcome.failure
            if failure is None:
                pixels: NDArray[np.uint8] = outcome.made
                return pixels
            if failure.type in _COSTLY:
                self._given_up[path] = failure
        raise _KINDS.get(failure.type, PhotoError)(failure.message)

    def close(self) -> None:
        """End all processes at once; whoever waits for a photo gets none."""
        with self._lock:
            self._closed = True
        self._workers.close()


def _pixels(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The job that hands pixels on: they are sent before another photo is put in their place."""
    return pixels
