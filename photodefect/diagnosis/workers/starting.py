"""How worker processes start: as programs of their own, or forked by one that has loaded what all of them need."""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import select
import signal
import socket
import subprocess
import sys
import threading
from typing import IO, Final, Protocol

from photodefect.diagnosis.settings import Settings
from photodefect.diagnosis.workers.process import BURY, FORK, NO_FORKS, NUMBER, REQUEST, Setup
from photodefect.diagnosis.workers.tasks import Task

LOADING_LIMIT_S: Final = 600.0
"""How long loading may take: a model, and making its graphs at first use on a slow machine."""

_BURIAL_S: Final = 5.0
"""How long to wait for a killed process: it may hang in the system, e.g. on a network drive, until that ends."""

_BOOTSTRAP: Final = (
    "import sys; sys.path[:] = [place for place in sys.path if place]; "  # nothing from the folder a person stands in
    "import pickle; sys.path[:] = pickle.load(sys.stdin.buffer); "
    "from photodefect.diagnosis.workers.process import {main}; {main}()"
)

_log = logging.getLogger(__name__)


class Process(Protocol):
    """A worker process, as :class:`subprocess.Popen` shows one."""

    pid: int
    stdin: IO[bytes] | None
    stdout: IO[bytes] | None

    def kill(self) -> None:
        """End it at once."""

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code once it has ended; negative numbers are signals."""


def start(setup: Setup, server: ForkServer | None, task: Task) -> Process:
    """Start a worker.

    Args:
        setup: what it is told first.
        server: forks it if it can.
        task: its first.
    """
    forked = None if server is None else server.fork(task)
    if forked is not None:
        return forked
    process = _program("main", setup, subprocess.PIPE, subprocess.PIPE)
    with contextlib.suppress(BrokenPipeError):  # what it died of is found out when it should answer
        send(process.stdin, sys.path)
        send(process.stdin, setup)
    return process


def send(stream: IO[bytes] | None, message: object) -> None:
    """Tell a process something.

    Raises:
        BrokenPipeError: it is gone.
    """
    if stream is None:
        raise BrokenPipeError
    stream.write(pickle.dumps(message, pickle.HIGHEST_PROTOCOL))
    stream.flush()


def bury(process: Process) -> int:
    """Let go of all that is left of a process; returns its exit code."""
    process.kill()
    for stream in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):
            if stream is not None:
                stream.close()
    try:
        return process.wait(timeout=_BURIAL_S)
    except subprocess.TimeoutExpired:
        return -9


def is_heard() -> bool:
    """Whether somebody wants to see what workers print."""
    return _log.isEnabledFor(logging.DEBUG)


class ForkServer:
    """A process that loads what workers need, once, and forks them. They share its memory until they write to it.

    It has a single thread and decodes no photo. It starts with the first worker, and ends with :meth:`end` or with this
    process, and so do its workers.

    Args:
        setup: what its workers are told.
    """

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._asking = threading.Lock()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._tried = False
        self._closed = False

    @staticmethod
    def serves(setup: Setup) -> bool:
        """Whether workers can be forked on this system, with these settings.

        Threads don't survive a fork, and the libraries of macOS don't survive it whole.
        """
        settings = setup.settings
        torch = isinstance(settings, Settings) and settings.choice.engine == "torch"
        return sys.platform == "linux" and hasattr(os, "pidfd_open") and settings.threads == 1 and not torch

    def fork(self, task: Task) -> Process | None:
        """A new worker; None if there can't be one, for whatever reason.

        Args:
            task: a worker's first; what it takes is loaded before the first worker is forked.
        """
        with self._asking:
            try:
                if not self._tried:
                    self._tried = True
                    self._start(task)
                return None if self._control is None else self._fork(self._control)
            except (OSError, EOFError) as error:  # EOFError: it has ended
                _log.debug("no worker can be forked: %s", error)
                self._let_go()
                return None

    def exit_code(self, pid: int) -> int:
        """The exit code of a worker that has ended."""
        with self._asking:
            with contextlib.suppress(OSError, EOFError):
                if self._control is not None:
                    return _ask(self._control, BURY, pid)
            return -9  # it ended because the server did

    def end(self) -> None:
        """End it and its workers, for good."""
        with self._lock:
            self._closed = True
            process = self._process
        if process is None:
            return
        if self._asking.acquire(timeout=1):  # else it is loading
            self._let_go()
            self._asking.release()
        try:
            process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=_BURIAL_S)

    def _start(self, task: Task) -> None:
        ours, theirs = socket.socketpair()
        with theirs, self._lock:
            if self._closed:
                ours.close()
                return
            self._process = _program("serve_forks", self._setup, theirs.fileno(), subprocess.DEVNULL)
            self._control = ours
        ours.settimeout(LOADING_LIMIT_S)
        with ours.makefile("wb") as stream:
            for message in (sys.path, self._setup, task):
                send(stream, message)
        if not _answer(ours):
            raise EOFError("what it loaded has started threads")

    def _fork(self, control: socket.socket) -> Process:
        if sys.platform != "linux":
            raise OSError(NO_FORKS)
        tasks_in, tasks_out = os.pipe()
        answers_in, answers_out = os.pipe()
        stdin, stdout = os.fdopen(tasks_out, "wb"), os.fdopen(answers_in, "rb")
        try:
            socket.send_fds(control, [REQUEST.pack(FORK, 0)], [tasks_in, answers_out])
            return _Forked(self, _answer(control), stdin, stdout)
        except BaseException:
            stdin.close()
            stdout.close()
            raise
        finally:
            os.close(tasks_in)
            os.close(answers_out)

    def _let_go(self) -> None:
        """Close its control, with which it ends."""
        if self._control is not None:
            self._control.close()
            self._control = None


class _Forked:
    """A worker that a server has forked. Its number stays its own until its exit code is asked for."""

    def __init__(self, server: ForkServer, pid: int, stdin: IO[bytes], stdout: IO[bytes]) -> None:
        self._server = server
        self._handle = _handle(pid)
        self._code: int | None = None
        self.pid = pid
        self.stdin: IO[bytes] | None = stdin
        self.stdout: IO[bytes] | None = stdout

    def kill(self) -> None:
        if sys.platform != "linux":
            raise OSError(NO_FORKS)
        if self._code is None:
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        if self._code is None:
            if not select.select([self._handle], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("a worker", timeout or 0.0)
            self._code = self._server.exit_code(self.pid)
            os.close(self._handle)
        return self._code


def _handle(pid: int) -> int:
    """What stands for a process, and for none that gets its number later."""
    if sys.platform != "linux":
        raise OSError(NO_FORKS)
    return os.pidfd_open(pid)


def _ask(control: socket.socket, what: bytes, pid: int) -> int:
    control.sendall(REQUEST.pack(what, pid))
    return _answer(control)


def _answer(control: socket.socket) -> int:
    data = b""
    while len(data) < NUMBER.size:
        some = control.recv(NUMBER.size - len(data))
        if not some:
            raise EOFError("it has ended")
        data += some
    number: int = NUMBER.unpack(data)[0]
    return number


def _program(main: str, setup: Setup, stdin: int, stdout: int) -> subprocess.Popen[bytes]:
    environment = dict(os.environ)
    # Several processes that spin while they wait would starve each other.
    environment |= {"OMP_NUM_THREADS": str(setup.settings.threads), "OMP_WAIT_POLICY": "PASSIVE"}
    return subprocess.Popen(
        [sys.executable, *(f"-W{option}" for option in sys.warnoptions), "-c", _BOOTSTRAP.format(main=main)],
        stdin=stdin,
        stdout=stdout,
        # Decoders print warnings about photos that are read well enough.
        stderr=None if is_heard() else subprocess.DEVNULL,
        env=environment,
        # Ctrl-C at the terminal reaches the parent alone, which decides.
        start_new_session=True,
    )
