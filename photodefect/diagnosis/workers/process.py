"""A worker process, which reads tasks from its standard input and writes their outcomes to its standard output.

It is started by :mod:`photodefect.diagnosis.workers.starting` as a program of its own, not by forking this process and
not by importing the parent's main module, so that it works in scripts without a main guard, in notebooks and beside
threads. On Linux that program is a server that loads what all workers need and forks them. A worker ignores Ctrl-C,
which is the parent's business, and never outlives the parent.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import signal
import socket
import struct
import sys
import threading
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from photodefect.diagnosis.settings import Decoding
from photodefect.diagnosis.workers.examiner import Examiner
from photodefect.diagnosis.workers.tasks import Task

if TYPE_CHECKING:
    from photodefect.engines import Engine


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


REQUEST: Final = struct.Struct("<cq")
"""What a server is asked: :data:`FORK` or :data:`BURY`, and the number of a process."""

NUMBER: Final = struct.Struct("<q")
"""What it answers: first whether it can fork; to FORK the number of the new process, to BURY an exit code."""

FORK: Final = b"f"
"""Fork a worker. The ends of its pipes come along: where it reads tasks, and where it writes their outcomes."""

BURY: Final = b"b"
"""Tell the exit code of a worker that has ended, and forget it."""

NO_FORKS: Final = "workers are forked on Linux alone"


def main() -> None:
    """Serve until there are no more tasks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = _own_stdout()
    setup: Setup = pickle.load(sys.stdin.buffer)
    _work(setup, setup.parent, None, answers)


def serve_forks() -> None:
    """Load what workers need, and fork them, until the parent closes the socket that is standard input here."""
    if sys.platform != "linux":
        raise OSError(NO_FORKS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.dup2(2, 1)
    setup: Setup = pickle.load(sys.stdin.buffer)
    task: Task = pickle.load(sys.stdin.buffer)
    _limit(0)
    examiner = Examiner(setup.settings)
    engine = examiner.load(task)
    control = socket.socket(fileno=os.dup(0))
    single = len(list(Path("/proc/self/task").iterdir())) == 1
    control.sendall(NUMBER.pack(single))
    gc.collect()
    gc.freeze()  # what is collected no more needn't be copied
    workers: set[int] = set()
    with contextlib.suppress(OSError):
        while single:
            data, pipes, *_ = socket.recv_fds(control, REQUEST.size, 2)
            if not data:
                break
            what, number = REQUEST.unpack(data)
            if what == FORK:
                number = _fork(setup, engine, control, pipes)
                workers.add(number)
            else:
                workers.discard(number)
                number = os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])
            control.sendall(NUMBER.pack(number))
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    for worker in workers:
        os.waitpid(worker, 0)
    os._exit(0)  # nothing is left to be tidied up


def _fork(setup: Setup, engine: Engine | None, control: socket.socket, pipes: list[int]) -> int:
    """Fork a worker; returns its number, in the server."""
    if sys.platform != "linux":
        raise OSError(NO_FORKS)
    tasks, answers = pipes
    server = os.getpid()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            control.close()
            os.dup2(tasks, 0)
            os.close(tasks)
            _work(setup, server, engine, os.fdopen(answers, "wb"))
            code = 0
        except BaseException:  # noqa: BLE001  nothing of the server's may run here
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(tasks)
    os.close(answers)
    return pid


def _work(setup: Setup, parent: int, engine: Engine | None, answers: BinaryIO) -> None:
    """Do tasks until there are no more.

    Args:
        setup: what the worker was told.
        parent: number of the process that it doesn't outlive.
        engine: computes scores; None to open one when it is needed.
        answers: where outcomes go.
    """
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()
    _limit(setup.memory_bytes)

    def working(limit_s: float) -> None:
        _alarm(limit_s)
        _send(answers, Working(limit_s))

    # An outcome is sent before the next photo is decoded.
    examiner = Examiner(setup.settings, engine, working=working, reuse_memory=True)
    while True:
        try:
            task: Task = pickle.load(sys.stdin.buffer)
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
