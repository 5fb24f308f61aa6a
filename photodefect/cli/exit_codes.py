"""The exit codes of the commands, and the code for each error."""

from __future__ import annotations

from enum import IntEnum

from photodefect.errors import DataError, ModelError, NothingToDoError, PhotodefectError


class ExitCode(IntEnum):
    """The exit codes of every command."""

    DONE = 0
    SOME_FAILED = 1
    USAGE = 2
    NOTHING_TO_DO = 3
    MODEL = 4
    DEFECTS_FOUND = 10
    INTERRUPTED = 130
    BROKEN_PIPE = 141


def exit_code(error: PhotodefectError) -> ExitCode:
    """The exit code for an error that ends a command."""
    match error:
        case ModelError():
            return ExitCode.MODEL
        case NothingToDoError():
            return ExitCode.NOTHING_TO_DO
        case DataError():
            return ExitCode.USAGE
        case _:
            return ExitCode.SOME_FAILED
