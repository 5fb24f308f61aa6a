"""The boundary around every command, where an error becomes one line on stderr and an exit code."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Callable
from typing import ParamSpec

import typer

from photodefect.cli.console import complain
from photodefect.cli.exit_codes import ExitCode, exit_code
from photodefect.errors import PhotodefectError

P = ParamSpec("P")


def guarded(command: Callable[P, None]) -> Callable[P, None]:
    """``command`` with the errors that photodefect foresees told to the person, and an exit code for each."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
            sys.stdout.flush()
        except PhotodefectError as error:
            complain(str(error))
            raise typer.Exit(exit_code(error)) from error
        except BrokenPipeError as error:
            # Whoever read our output has seen enough, e.g. `| head`. What Python still holds for stdout goes nowhere,
            # or it would complain when it exits.
            _forget_stdout()
            raise typer.Exit(ExitCode.BROKEN_PIPE) from error
        except OSError as error:
            complain(_explain(error))
            _forget_stdout()
            raise typer.Exit(ExitCode.SOME_FAILED) from error
        except KeyboardInterrupt as error:
            complain("interrupted")
            raise typer.Exit(ExitCode.INTERRUPTED) from error

    return run


def _forget_stdout() -> None:
    """Have what couldn't be written to stdout go nowhere."""
    with contextlib.suppress(OSError, ValueError):  # a test's stdout is no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _explain(error: OSError) -> str:
    """What went wrong and where, for people."""
    if error.strerror is None:
        return str(error)
    if error.filename is None:
        return f"the output can't be written: {error.strerror}"
    return f"{os.fsdecode(error.filename)}: {error.strerror}"
