"""The photos of a run, from the files, folders and lists that a person names."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import typer

from photodefect.cli.console import note
from photodefect.cli.impossible_values import BEHIND_URLS
from photodefect.cli.options import WalkOptions
from photodefect.errors import DataError, NothingToDoError
from photodefect.photos.find import find_photos, is_url, read_path_list
from photodefect.photos.places import Kind, PassedOver, some_passed_over
from photodefect.records import Diagnosis, PhotoFailure

STDIN: Final = "-"


@dataclass
class PhotoList:
    """The photos of a run.

    Attributes:
        photos: their paths, in order; a file that was named is spelled as it was given.
        problems: records of what could not even be looked into, e.g. a folder without permission.
        passed_over: what isn't the photographer's or was excluded.
    """

    photos: list[str] = field(default_factory=list)
    problems: list[Diagnosis] = field(default_factory=list)
    passed_over: PassedOver = field(default_factory=PassedOver)

    def __len__(self) -> int:
        return len(self.photos) + len(self.problems)


def list_photos(
    paths: Sequence[str],
    files_from: str | None = None,
    *,
    null_separated: bool = False,
    walk: WalkOptions,
    quiet: bool = False,
) -> PhotoList:
    """Find the photos that a person means, and say what was passed over.

    A path that isn't there stays in the list, to be reported with the others, unless nothing that was named is there.

    Args:
        paths: files and folders.
        files_from: a file with more of them, or ``-`` for stdin.
        null_separated: they end in a null byte there instead of a line end.
        walk: what is left out.
        quiet: say nothing.

    Raises:
        typer.BadParameter: nothing is named at all.
        DataError: nothing that is named is there, the list can't be read, or a pattern is wrong.
        NothingToDoError: there is no photo in it.
    """
    if not paths and files_from is None:
        raise typer.BadParameter("name photos or folders, or a list of them by --files-from", param_hint="PATHS")
    named = [Path(path) for path in paths]
    if named and not any(os.path.lexists(path) for path in named):
        find_photos(named)  # raises, naming them
    spelled = [*paths, *(read_list(files_from, null_separated) if files_from is not None else [])]
    given = [Path(path) for path in spelled]
    # A Path has no leading "./" any more: the objects themselves tell how each was written.
    spelling = {id(path): text for path, text in zip(given, spelled, strict=True)}
    result = PhotoList()

    def report(path: Path, error: OSError) -> None:
        message = f"it can't be looked into: {error.strerror or error}"
        result.problems.append(Diagnosis(str(path), error=PhotoFailure("UnreadableError", message)))

    found = find_photos(
        given, missing_ok=True, on_problem=report, on_passed_over=result.passed_over.note, **walk.finding()
    )
    for photo in found:
        text = spelling.get(id(photo))
        if text is None:
            result.photos.append(str(photo))
        elif is_url(text) and not os.path.lexists(text):
            message = f"this is a URL; {BEHIND_URLS}"
            result.problems.append(Diagnosis(text, error=PhotoFailure("UnreadableError", message)))
        else:
            result.photos.append(text)
    passed = told_passed_over(result.passed_over)
    if not result:
        where = ", ".join(repr(path) for path in paths[:3]) or "the list"
        more = f" and others{passed and ';'}" if len(paths) > 3 else passed and ";"
        raise NothingToDoError(f"no photo in {where}{more}{passed and f' {passed}'}")
    if passed and not quiet:
        note(passed)
    return result


def told_passed_over(passed_over: PassedOver) -> str:
    """What was passed over and how to have it, for people; empty if it was nothing."""
    told = some_passed_over(passed_over)
    if not told:
        return ""
    hint = "; --include-passed-over takes what you didn't exclude" if set(passed_over) - {Kind.EXCLUDED} else ""
    return f"passed over: {told}{hint}"


def read_list(files_from: str, null_separated: bool) -> list[str]:
    """The paths in the file of ``--files-from``, or on stdin for ``-``.

    Raises:
        DataError: the list can't be read.
    """
    if files_from == STDIN:
        return read_path_list(sys.stdin.buffer, null_separated)
    try:
        with Path(files_from).open("rb") as stream:
            return read_path_list(stream, null_separated)
    except OSError as error:
        raise DataError(f"the list of --files-from can't be read: {error}") from error
