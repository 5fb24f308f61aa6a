"""A worker process, which reads tasks from its standard input and writes their outcomes to its standard output.

It is started by :mod:`photodefect.diagnosis.workers.pool` as a program of its own, not by forking and not by importing
the parent's main module, so that it works in scripts without a main guard, in notebooks and beside threads. It ignores
Ctrl-C, which is the parent's business, and never outlives the parent.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from photodefect.diagnosis.settings import Decoding
from photodefect.diagnosis.workers.examiner import Examiner
from photodefect.diagnosis.workers.tasks import Task


@dataclass(frozen=True)
class Setup:
    """What a worker is told once.

    Attributes:
        settings: how photos are decoded and scored, or only decoded.
        parent: the parent's process id.
        memory_bytes: data that a worker may hold at once, where the system can limit it; 0 for no limit.
    """

    settings: Decoding
    parent: int
    memory_bytes: int


@dataclass(frozen=True)
class Working:
    """Sent before an outcome, once or more: from now on a time limit counts.

    Attributes:
        limit_s: how long it may take until the next message.
    """

    limit_s: float


def main() -> None:
    """Serve until there are no more tasks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tasks = sys.stdin.buffer
    answers = _own_stdout()
    setup: Setup = pickle.load(tasks)
    threading.Thread(target=_leave_with, args=(setup.parent,), daemon=True).start()
    _limit(setup.memory_bytes)

    def working(limit_s: float) -> None:
        _alarm(limit_s)
        _send(answers, Working(limit_s))

    # An outcome is sent before the next photo is decoded.
    examiner = Examiner(setup.settings, working=working, reuse_memory=True)
    while True:
        try:
            task: Task = pickle.load(tasks)
        except EOFError:
            return
        outcome = examiner.examine(task)
        _alarm(0)
        _send(answers, outcome)


def _send(stream: BinaryIO, message: object) -> None:
    try:
        pickle.dump(message, stream, pickle.HIGHEST_PROTOCOL)
        stream.flush()
    except BrokenPipeError:
        os._exit(0)  # the parent is gone


def _own_stdout() -> BinaryIO:
    """Standard output for answers alone: what native code prints there goes to standard error instead."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers


PARENT_CHECK_S: Final = 0.5
"""Seconds between two checks whether the parent is still there."""


def _leave_with(parent: int) -> None:
    """End this process once its parent is gone."""
    while _is_there(parent):
        time.sleep(PARENT_CHECK_S)
    os._exit(0)


def _is_there(parent: int) -> bool:
    """Whether the parent still runs. Windows goes on telling its number when it is gone."""
    if sys.platform == "win32":
        import psutil  # noqa: PLC0415  elsewhere the system says it

        return bool(psutil.pid_exists(parent))
    return os.getppid() == parent


GRACE_S: Final = 15
"""How much longer than its limit a worker lets itself run; the parent, if it is there, ends it earlier."""


def _alarm(limit_s: float) -> None:
    """Have the system end this process in a while, even if native code never comes back; 0: no longer."""
    if sys.platform != "win32":  # there the parent's limit has to do
        signal.alarm(0 if limit_s <= 0 else int(limit_s) + GRACE_S)


# Of a thousand: if memory runs out, the system takes workers before other programs.
_OOM_SCORE: Final = 500


def _limit(memory_bytes: int) -> None:
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415  Windows has none

    # A crash leaves a record, not a file of a gigabyte.
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if memory_bytes > 0:
        with contextlib.suppress(OSError, ValueError):
            _, hard = resource.getrlimit(resource.RLIMIT_DATA)
            soft = memory_bytes if hard == resource.RLIM_INFINITY else min(memory_bytes, hard)
            resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(_OOM_SCORE), encoding="ascii")
