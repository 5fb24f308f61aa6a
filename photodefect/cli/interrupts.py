"""Ctrl-C and other signals that end a run, held back until a record is completely written."""

from __future__ import annotations

import signal
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_POKES_S: Final = (0.02, 0.1, 0.4)
"""How long after a signal, each after the other, the main thread is woken."""


@contextmanager
def held_interrupts() -> Iterator[None]:
    """Hold Ctrl-C back until the end of the block. A second one gets through at once, should the block be stuck.

    Where it is ignored, other endings are held back instead.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals only ever reach the main thread
        return
    numbers = [signal.SIGINT]
    if interrupts_are_ignored():
        numbers = [number for number in _endings() if callable(signal.getsignal(number))]
    received = False

    def hold(_signal: int, _frame: FrameType | None) -> None:
        nonlocal received
        if received:
            raise KeyboardInterrupt
        received = True

    previous = [(number, signal.signal(number, hold)) for number in numbers]
    try:
        yield
    finally:
        for number, handler in previous:
            signal.signal(number, handler)
    if received:
        raise KeyboardInterrupt


@contextmanager
def endings_as_interrupts() -> Iterator[None]:
    """End by SIGTERM and by a closed terminal as by Ctrl-C: with whole output, and without a trace.

    Once the block is over, what was to be told was told: another Ctrl-C ends the program without a word.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        if interrupts_are_ignored():
            raise KeyboardInterrupt
        signal.raise_signal(signal.SIGINT)

    for number in _endings():
        # Whoever started the program may want it to survive, as nohup does.
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, interrupt)
    try:
        with _noticed_signals():
            yield
    finally:
        if not interrupts_are_ignored():
            signal.signal(signal.SIGINT, signal.SIG_DFL)


def interrupts_are_ignored() -> bool:
    """Whether the program is to go on after Ctrl-C, as a script wants it of what runs in its background."""
    return signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def _endings() -> list[signal.Signals]:
    """What ends a program beside Ctrl-C, as far as the system has it."""
    return [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextmanager
def _noticed_signals() -> Iterator[None]:
    """Have the main thread notice signals while it waits for another thread.

    Python only marks that a signal came; its handler runs when the main thread does something next. A signal that
    another thread receives, or that comes in the moment before the wait begins, which is long where cores are busy,
    ends no wait: without this, one Ctrl-C in ten was not noticed by a run that waited for a photo.
    """
    if sys.platform == "win32":
        yield
        return
    main = threading.get_ident()
    signals, told = socket.socketpair()

    def poke() -> None:
        while numbers := signals.recv(64):
            if set(numbers) != {signal.SIGURG}:
                for pause in _POKES_S:
                    if over.wait(pause):
                        return
                    signal.pthread_kill(main, signal.SIGURG)

    with signals, told:
        told.setblocking(False)
        over = threading.Event()
        handler = signal.signal(signal.SIGURG, lambda _signal, _frame: None)  # what is ignored wakes nobody
        before = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
        watcher = threading.Thread(target=poke, name="signals", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            signal.set_wakeup_fd(before)
            told.shutdown(socket.SHUT_RDWR)
            watcher.join()
            signal.signal(signal.SIGURG, handler)
