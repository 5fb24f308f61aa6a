"""Workers side by side: in processes of their own, where a broken photo harms nothing else, or in threads."""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import queue
import signal
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, Protocol

from photodefect.diagnosis.settings import Decoding, Settings
from photodefect.diagnosis.workers.process import Setup, Working
from photodefect.diagnosis.workers.starting import LOADING_LIMIT_S, ForkServer, Process, bury, is_heard, send, start
from photodefect.diagnosis.workers.tasks import Outcome, Task
from photodefect.engines import Engine
from photodefect.errors import DecoderDiedError, PhotodefectError, TimedOutError
from photodefect.records import PhotoFailure

_WATCH_S: Final = 0.25
"""Seconds between two checks whether a process takes longer than it may. A timer for each photo would cost half a
millisecond of it."""

_log = logging.getLogger(__name__)


class Workers(Protocol):
    """Does tasks, several at once."""

    def submit(self, task: Task) -> Future[Outcome]:
        """Have a task done."""

    def close(self) -> None:
        """Stop at once, whatever is being done."""


class ThreadWorkers:
    """Workers in threads of this process: they see its loaded models, and are not protected from broken photos.

    Args:
        settings: how photos are decoded and scored.
        count: of threads.
        engine: computes the scores; None to leave the networks' inputs in the outcomes.
    """

    def __init__(self, settings: Settings, count: int, engine: Engine | None = None) -> None:
        self._threads = _Threads(count, lambda: _InThread(settings, engine))

    def submit(self, task: Task) -> Future[Outcome]:
        """See :class:`Workers`."""
        return self._threads.submit(task)

    def close(self) -> None:
        """Do no more tasks. One that was begun ends when it ends."""
        self._threads.close()


class ProcessWorkers:
    """Workers in processes of their own, each started when there is a task for it.

    A process that dies, or that takes longer than a task may, costs its photo alone: the next task gets a new one.

    Args:
        settings: how photos are decoded and scored, or only decoded.
        count: of processes.
        memory_bytes: that each may use, where the system can limit it; 0 for no limit.
    """

    def __init__(self, settings: Decoding, count: int, memory_bytes: int) -> None:
        processes: list[WorkerProcess] = []
        over = threading.Event()
        setup = Setup(settings, os.getpid(), memory_bytes)
        # What one worker needs alone isn't shared.
        server = ForkServer(setup) if count > 1 and ForkServer.serves(setup) else None

        def make() -> WorkerProcess:
            worker = WorkerProcess(setup, server)
            if not processes:
                arguments = (processes, over)
                threading.Thread(target=_watch, args=arguments, name="photodefect watch", daemon=True).start()
            processes.append(worker)
            return worker

        self._threads = _Threads(count, make)
        # Also when nobody closes them.
        self._end = weakref.finalize(self, _end_all, processes, server, over)

    def submit(self, task: Task) -> Future[Outcome]:
        """See :class:`Workers`.

        Raises:
            TypeError: the task's job can't be sent to another process.
        """
        try:
            pickle.dumps(task.job)
        except (AttributeError, TypeError, pickle.PicklingError) as error:
            message = f"{task.job!r} can't be sent to another process; take a function of a module"
            raise TypeError(message) from error
        return self._threads.submit(task)

    def close(self) -> None:
        """End all processes at once."""
        self._threads.close()
        self._end()


class WorkerProcess:
    """The parent's end of one worker process.

    Args:
        setup: what it is told first.
        server: forks it if it can; None to start a program.
    """

    def __init__(self, setup: Setup, server: ForkServer | None = None) -> None:
        self._setup = setup
        self._server = server
        self._process: Process | None = None
        self._lock = threading.Lock()
        self._busy = threading.Lock()
        self._deadline: float | None = None
        self._late = False
        self._closed = False

    def do(self, task: Task) -> Outcome:
        """Have a task done; what goes wrong is in the outcome."""
        with self._busy:
            return self._do(task)

    def _do(self, task: Task) -> Outcome:
        ending = self._try(task)
        if isinstance(ending, str):
            # It died while it waited or was loading. That was no photo's fault; once may be an accident.
            ending = self._try(task)
        if isinstance(ending, str):
            advice = "what it said is above" if is_heard() else "--verbose shows what it says"
            return Outcome(fatal=PhotodefectError(f"a worker process {ending} before it looked at a photo; {advice}"))
        return ending

    def kill(self) -> None:
        """Have the process end, for good; :meth:`end` waits for that."""
        with self._lock:
            self._closed = True
            self._kill()

    def end(self) -> None:
        """Kill the process, for good."""
        self.kill()
        # Whoever waits for its answer gets none now, and lets go of it.
        if self._busy.acquire(timeout=1):
            if self._process is not None:
                bury(self._process)
                self._process = None
            self._busy.release()

    def check_the_time(self) -> None:
        """Kill the process if it takes longer than it may."""
        with self._lock:
            if self._deadline is not None and time.monotonic() > self._deadline:
                self._deadline = None
                self._late = True
                self._kill()

    def _try(self, task: Task) -> Outcome | str:
        """Have a task done; how the process ended, if it did so before it began with the photo."""
        limit_s = None
        try:
            process = self._started(task)
            send(process.stdin, task)
            message = self._answer(process, LOADING_LIMIT_S)
            while isinstance(message, Working):
                limit_s = message.limit_s
                message = self._answer(process, limit_s)
        except (OSError, EOFError, pickle.UnpicklingError):
            return self._autopsy(limit_s, task.remedy)
        if not isinstance(message, Outcome):
            raise TypeError(f"a worker answered {message!r}")
        return message

    def _started(self, task: Task) -> Process:
        with self._lock:
            if self._closed:
                raise BrokenPipeError
            if self._process is not None:
                return self._process
            self._late = False
        # Not under the lock: a server may have to load first, and whoever closes doesn't wait for that.
        process = start(self._setup, self._server, task)
        with self._lock:
            if not self._closed:
                self._process = process
                return process
        bury(process)
        raise BrokenPipeError

    def _answer(self, process: Process, limit_s: float) -> object:
        self._deadline = time.monotonic() + limit_s
        try:
            return pickle.load(process.stdout)  # type: ignore[arg-type]
        finally:
            self._deadline = None

    def _kill(self) -> None:
        if self._process is not None:
            with contextlib.suppress(OSError):
                self._process.kill()

    def _autopsy(self, limit_s: float | None, remedy: str) -> Outcome | str:
        """Why there is no answer; how the process ended, if it hadn't begun with the photo and had no limit yet."""
        with self._lock:
            process, self._process = self._process, None
            late = self._late
        if process is None:
            return Outcome(failure=PhotoFailure(DecoderDiedError.__name__, "the run was ended"))
        code = bury(process)
        if late and limit_s is not None:
            message = f"it was not done after {limit_s:.0f} seconds" + (f"; {remedy}" if remedy else "")
            return Outcome(failure=PhotoFailure(TimedOutError.__name__, message))
        how = _how_it_ended(code)
        if limit_s is None:
            return how
        message = f"the process that read it {how}; the file is damaged, or there was too little memory"
        return Outcome(failure=PhotoFailure(DecoderDiedError.__name__, message))


class _InThread:
    """A worker of :class:`ThreadWorkers`."""

    def __init__(self, settings: Settings, engine: Engine | None) -> None:
        from photodefect.diagnosis.workers.examiner import Examiner  # noqa: PLC0415

        self._examiner = Examiner(settings, engine)
        self._threads = settings.threads if settings.choice.engine == "torch" and engine is not None else 0

    def do(self, task: Task) -> Outcome:
        """Have a task done; what goes wrong is in the outcome."""
        if self._threads:
            import torch  # noqa: PLC0415

            torch.set_num_threads(self._threads)  # of this thread
            self._threads = 0
        return self._examiner.examine(task)

    def end(self) -> None:
        """Nothing can be ended."""


class _Worker(Protocol):
    def do(self, task: Task) -> Outcome: ...

    def end(self) -> None: ...


class _Threads:
    """A few daemon threads with a worker each, started as they are needed.

    Unlike those of ``concurrent.futures`` they don't keep Python from ending when it is time to leave.
    """

    def __init__(self, count: int, make: Callable[[], _Worker]) -> None:
        self._count = count
        self._make = make
        self._tasks: queue.SimpleQueue[tuple[Task, Future[Outcome]] | None] = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._started = 0
        self._lock = threading.Lock()
        # Threads that nobody can give a task any more end.
        weakref.finalize(self, _dismiss, self._tasks, count)

    def submit(self, task: Task) -> Future[Outcome]:
        future: Future[Outcome] = Future()
        self._tasks.put((task, future))
        with self._lock:
            if not self._idle.acquire(blocking=False) and self._started < self._count:
                arguments = (self._tasks, self._idle, self._make())
                threading.Thread(target=_work, args=arguments, name="photodefect", daemon=True).start()
                self._started += 1
        return future

    def close(self) -> None:
        _dismiss(self._tasks, self._count)


def _work(
    tasks: queue.SimpleQueue[tuple[Task, Future[Outcome]] | None], idle: threading.Semaphore, worker: _Worker
) -> None:
    while True:
        try:
            item = tasks.get_nowait()
        except queue.Empty:
            idle.release()
            item = tasks.get()
        if item is None:
            break
        task, future = item
        if future.set_running_or_notify_cancel():
            try:
                future.set_result(worker.do(task))
            except BaseException as error:  # noqa: BLE001  whoever waits for it is told
                future.set_exception(error)
        del item, task, future
    worker.end()


def _dismiss(tasks: queue.SimpleQueue[tuple[Task, Future[Outcome]] | None], count: int) -> None:
    with contextlib.suppress(queue.Empty):
        while (item := tasks.get_nowait()) is not None:
            item[1].cancel()
    for _ in range(count):
        tasks.put(None)


def _watch(processes: list[WorkerProcess], over: threading.Event) -> None:
    while not over.wait(_WATCH_S):
        for worker in processes:
            worker.check_the_time()


def _end_all(processes: list[WorkerProcess], server: ForkServer | None, over: threading.Event) -> None:
    over.set()
    # All at the same time: the system takes a while to free the memory of each.
    for worker in processes:
        worker.kill()
    for worker in processes:
        worker.end()
    if server is not None:
        server.end()


def _how_it_ended(code: int) -> str:
    if code < 0:
        try:
            return f"was ended by signal {-code} ({signal.Signals(-code).name})"
        except ValueError:
            return f"was ended by signal {-code}"
    return f"ended with code {code}"
