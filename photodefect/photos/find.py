"""Finding photos: given files as they are, folders recursively, lists from other programs."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from photodefect.encodings import as_utf8
from photodefect.errors import DataError, PhotoError
from photodefect.photos.files import open_regular
from photodefect.photos.formats import HEAD_BYTES, PHOTO_SUFFIXES, sniff
from photodefect.photos.names import natural_key
from photodefect.photos.places import Kind, Rules

OnProblem = Callable[[Path, OSError], None]
OnPassedOver = Callable[[Path, Kind], None]

_URL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(::.+)?://")


def is_url(text: str) -> bool:
    """Whether ``text`` is a URL rather than a path."""
    return _URL.match(text) is not None


def find_photos(
    paths: Iterable[str | os.PathLike[str]],
    *,
    exclude: Sequence[str] = (),
    include_passed_over: bool = False,
    missing_ok: bool = False,
    on_problem: OnProblem | None = None,
    on_passed_over: OnPassedOver | None = None,
) -> Iterator[Path]:
    """Find the photos that ``paths`` stand for, lazily and in a fixed order.

    A file is yielded whatever it is called and holds: decoding says what is wrong with it. A folder is walked
    recursively, sorted by name (2 before 10), without hidden files and folders; every folder is entered once, by
    whichever way it is met first, so that loops of symbolic links end. In a folder a file is a photo if it has a
    photo's ending (then a damaged one is an error that somebody sees) or starts like one; all else there is passed
    over. So is what isn't the photographer's: libraries of programs, previews, recycle bins, backups, unfinished files,
    reports and heat maps of ours (:mod:`photodefect.photos.places`). What is given is walked and yielded all the same.

    Args:
        paths: files and folders; of a file given as a Path that very object is yielded.
        exclude: patterns of what to leave out, as of :class:`~photodefect.photos.places.Rules`.
        include_passed_over: also find what isn't the photographer's.
        missing_ok: yield a path that doesn't exist instead of raising; for lists that may be out of date.
        on_problem: called with a path inside a folder that can't be read, and why; the walk goes on.
        on_passed_over: called with what isn't the photographer's or is excluded, a folder once as a whole, and why.

    Raises:
        DataError: at once, not on iteration: some of ``paths`` don't exist (the message names them), or a pattern is
            wrong.
    """
    rules = Rules(tuple(exclude), include_passed_over)
    given = [path if isinstance(path, Path) else Path(path) for path in paths]
    if not missing_ok:
        missing = [path for path in given if _is_missing(path)]
        if missing:
            names = ", ".join(ascii(str(path)) for path in missing[:5])
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            raise DataError(f"no such file or folder: {names}{more}")
    return _walk_all(given, rules, on_problem or _ignore, on_passed_over or _ignore)


def is_photo(path: Path, on_problem: OnProblem | None = None) -> bool:
    """Whether a file in a folder is one of its photos: by its ending, or else by how it starts.

    Args:
        path: of the file.
        on_problem: called with the path if it can't be read, and why.
    """
    claims = path.suffix.lower() in PHOTO_SUFFIXES
    try:
        regular = stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return claims  # a link to nowhere, or a file just gone: an error if it would have been a photo
    except OSError as error:
        # It may be a folder of photos, e.g. one nested too deep for its name: a photo's record says so, or we do.
        if not claims and on_problem is not None:
            on_problem(path, error)
        return claims
    if not regular or claims:
        return regular
    try:
        with open_regular(path) as file:
            return sniff(file.read(HEAD_BYTES)) is not None
    except (PhotoError, OSError) as error:
        cause = error if isinstance(error, OSError) else error.__cause__
        if isinstance(cause, OSError) and on_problem is not None:
            on_problem(path, cause)
        return False


def read_path_list(stream: BinaryIO, null_separated: bool = False) -> list[str]:
    r"""Read a list of paths, as ``find`` and others print it.

    Args:
        stream: bytes in the file system's encoding; names that aren't valid in it survive.
        null_separated: paths end with a null byte, and may hold anything else. Otherwise every line is a path,
            whether lines end with ``\n`` or ``\r\n``; a byte order mark and UTF-16 are understood.

    Empty entries are left out; the others stay as they are written (a Path would lose a leading ``./``).

    Raises:
        DataError: a path can't be one on this system.
    """
    data = stream.read()
    if not null_separated:
        try:
            data = as_utf8(data)
        except UnicodeDecodeError as error:
            raise DataError("the list is not whole: its UTF-16 text ends within a letter") from error
    entries = data.split(b"\0") if null_separated else [line.removesuffix(b"\r") for line in data.split(b"\n")]
    paths = []
    for number, entry in enumerate(entries, start=1):
        if b"\0" in entry:
            raise DataError(f"entry {number} of the list holds a null byte; read the list with -0")
        if entry:
            try:
                paths.append(os.fsdecode(entry))
            except UnicodeDecodeError as error:
                raise DataError(f"entry {number} of the list is not a path in {error.encoding}") from error
    return paths


def _walk_all(paths: list[Path], rules: Rules, on_problem: OnProblem, on_passed_over: OnPassedOver) -> Iterator[Path]:
    entered: set[tuple[int, int]] = set()
    for path in paths:
        if _is_folder(path):
            yield from _walk(path, rules, entered, on_problem, on_passed_over)
        elif rules.excludes(path.as_posix().lstrip("/")):
            on_passed_over(path, Kind.EXCLUDED)
        else:
            yield path


def _walk(
    root: Path,
    rules: Rules,
    entered: set[tuple[int, int]],
    on_problem: OnProblem,
    on_passed_over: OnPassedOver,
) -> Iterator[Path]:
    # A stack of iterators, not recursion: folders may be nested deeper than Python's stack.
    stack = [_entries(root, "", rules, entered, on_problem)]
    while stack:
        path, inside, plain = next(stack[-1], (root, "", False))
        if not inside:
            stack.pop()
            continue
        if not plain and _is_folder(path):
            kind = rules.of_folder(inside)
            if kind is None:
                stack.append(_entries(path, f"{inside}/", rules, entered, on_problem))
        else:
            kind = Kind.EXCLUDED if rules.excludes(inside) else None
            # Listing the folder has told already what most files are.
            known = plain and path.suffix.lower() in PHOTO_SUFFIXES
            if kind is None and (known or is_photo(path, on_problem)):
                kind = rules.of_file(path)
                if kind is None:
                    yield path
        if kind is not None:
            on_passed_over(path, kind)


def _entries(
    folder: Path, inside: str, rules: Rules, entered: set[tuple[int, int]], on_problem: OnProblem
) -> Iterator[tuple[Path, str, bool]]:
    """What is in a folder, its name from where the walk began, and whether the listing tells that it is a file."""
    try:
        status = folder.stat()
        identity = (status.st_dev, status.st_ino)
        if identity in entered:
            return iter(())
        entered.add(identity)
        with os.scandir(folder) as entries:
            found = {entry.name: _is_plain(entry) for entry in entries if not rules.hides(entry.name)}
        names = sorted(found, key=natural_key)
    except OSError as error:
        on_problem(folder, error)
        return iter(())
    return ((folder / name, inside + name, found[name]) for name in names)


def _is_plain(entry: os.DirEntry[str]) -> bool:
    """Whether it is a file and no link, as far as the listing tells."""
    try:
        return entry.is_file(follow_symlinks=False)
    except OSError:
        return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # out of reach: decoding says so
        return False


def _is_missing(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return not path.is_symlink()
    except (OSError, ValueError):
        return False  # there, but out of reach: decoding says why
    return False


def _ignore(_path: Path, _what: object) -> None:
    """Stand in for a caller who doesn't ask."""
