"""Photos and results by path or by URL, wherever fsspec reaches: ``s3://``, ``gs://``, ``file://`` and others."""

from __future__ import annotations

import os
import posixpath
import re
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any, Final

import fsspec

from photodefect.errors import DataError, UnreadableError
from photodefect.files.unfinished import is_running, part_of
from photodefect.photos.find import OnPassedOver, find_photos, is_url
from photodefect.photos.formats import PHOTO_SUFFIXES
from photodefect.photos.names import natural_key
from photodefect.photos.places import Kind, Rules

# Listings of millions of objects aren't kept; what is written by others meanwhile is seen.
_OPTIONS: Final = {"use_listings_cache": False}

_CHAINED: Final = re.compile(r"::\w[\w+.-]*://")
"""A storage behind another one, as fsspec writes it; it takes every :: for that, also one in a name or an address."""

_TRANSIENT_TRIES: Final = 3

_COPY: Final = "photodefect-copy-"
_COPY_LIFE_S: Final = 3600.0
"""Longer than a copy is needed by anybody."""


def find(
    inputs: Iterable[str],
    *,
    exclude: Sequence[str] = (),
    include_passed_over: bool = False,
    on_passed_over: OnPassedOver | None = None,
) -> Iterator[str]:
    """The photos that paths, folders and URLs stand for, lazily, spelled as they were given.

    Paths are walked as by :func:`photodefect.find_photos`. Of URLs photos are told by their endings alone, since a look
    at each object would cost a request: a URL with such an ending is a photo, whether it is there or not, any other is
    walked. What is hidden or isn't the photographer's is left out likewise, as far as names tell.

    Args:
        inputs: paths, folders and URLs.
        exclude: as of :func:`photodefect.find_photos`, like the following.
        include_passed_over: also find what isn't the photographer's.
        on_passed_over: called with what isn't taken.

    Raises:
        DataError: the storage can't be reached, or a folder isn't there.
    """
    rules = Rules(tuple(exclude), include_passed_over)
    told = on_passed_over or (lambda _path, _kind: None)
    for text in inputs:
        if is_url(text):
            yield from _find_url(text, rules, told)
            continue
        photos = find_photos(
            [Path(text)],
            exclude=exclude,
            include_passed_over=include_passed_over,
            missing_ok=True,
            on_passed_over=on_passed_over,
        )
        yield from (str(photo) if Path(text).is_dir() else text for photo in photos)


def _find_url(url: str, rules: Rules, on_passed_over: OnPassedOver) -> Iterator[str]:
    fs, root = _filesystem(url)
    if _has_photo_ending(root):
        if rules.excludes(root):
            on_passed_over(Path(root), Kind.EXCLUDED)
        else:
            yield url
        return
    try:
        for folder, folders, files in fs.walk(root, on_error="raise", detail=True):
            below = posixpath.relpath(folder, root)
            inside = "" if below == "." else f"{below}/"
            _enter(folders, folder, inside, rules, on_passed_over)
            photos = (name for name in files if not name.startswith(".") and _has_photo_ending(name))
            for name in sorted(photos, key=natural_key):
                if rules.excludes(inside + name):
                    on_passed_over(Path(folder, name), Kind.EXCLUDED)
                else:
                    yield fs.unstrip_protocol(posixpath.join(folder, name))
            if files.get("", {}).get("type") == "directory":
                yield from _find_below_no_name(fs, root, folder, rules, on_passed_over)
    except FileNotFoundError as error:
        raise DataError(f"there is nothing at {url}") from error
    # Every storage has errors of its own.
    except Exception as error:
        raise DataError(f"{url} can't be listed: {_explain(error)}") from error


def _enter(folders: dict[str, Any], folder: str, inside: str, rules: Rules, on_passed_over: OnPassedOver) -> None:
    """Leave of the folders in one, by name, those that are walked, in their order."""
    found = sorted((name for name in folders if not rules.hides(name)), key=natural_key)
    kept = {}
    for name in found:
        kind = rules.of_folder(inside + name)
        if kind is None:
            kept[name] = folders[name]
        else:
            on_passed_over(Path(folder, name), kind)
    folders.clear()
    folders.update(kept)


def _find_below_no_name(
    fs: Any,  # noqa: ANN401
    root: str,
    folder: str,
    rules: Rules,
    on_passed_over: OnPassedOver,
) -> Iterator[str]:
    """The photos in a folder without a name, which keys with two slashes in a row have: no walk enters it."""
    for path in sorted(fs.find(folder), key=natural_key):
        if not path.startswith(f"{folder}//") or not _has_photo_ending(path):
            continue
        parts = [part for part in path[len(root) :].split("/") if part]
        if any(map(rules.hides, parts[:-1])) or parts[-1].startswith("."):
            continue
        above = (rules.of_folder("/".join(parts[:depth])) for depth in range(1, len(parts)))
        kind = next(filter(None, above), None)
        if kind is None and rules.excludes("/".join(parts)):
            kind = Kind.EXCLUDED
        if kind is None:
            yield fs.unstrip_protocol(path)
        else:
            on_passed_over(Path(path), kind)


def _has_photo_ending(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in PHOTO_SUFFIXES


def _filesystem(url: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it.

    Raises:
        DataError: there is none of that kind, or its package isn't installed.
    """
    try:
        if "::" not in url or _CHAINED.search(url):
            fs, path = fsspec.core.url_to_fs(url, **_OPTIONS)
            return fs, path
        protocol = url.partition("://")[0]
        kind = fsspec.get_filesystem_class(protocol)
        options = kind._get_kwargs_from_urls(url)  # as url_to_fs() does
        return fsspec.filesystem(protocol, **options, **_OPTIONS), kind._strip_protocol(url)
    except (ImportError, ValueError) as error:
        raise DataError(f"{url} can't be used: {error}") from error


def clear_copies() -> None:
    """Remove the copies that processes of this machine have left which were killed."""
    pattern = re.compile(rf"{_COPY}(\d+)-.*")
    for path in Path(tempfile.gettempdir()).iterdir():
        match = pattern.fullmatch(path.name)
        if match is None or is_running(int(match[1])):
            continue
        with suppress(OSError):
            # In a container a process may have another number than outside.
            if time.time() - path.stat().st_mtime > _COPY_LIFE_S:
                path.unlink()


@contextmanager
def local_copy(url: str) -> Iterator[str]:
    """A photo as a local file: itself if it is one, otherwise a copy that is there for the block.

    Args:
        url: path or URL.

    Yields:
        Its path. The copy has the photo's ending, which raw photos are told by.

    Raises:
        UnreadableError: it can't be fetched.
    """
    if not is_url(url):
        yield url
        return
    try:
        fs, path = _filesystem(url)
    except DataError as error:
        raise UnreadableError(str(error)) from error
    if isinstance(fs, fsspec.get_filesystem_class("file")):
        yield path
        return
    handle, copy = tempfile.mkstemp(prefix=f"{_COPY}{os.getpid()}-", suffix=PurePosixPath(path).suffix[:16])
    os.close(handle)
    try:
        _fetch(fs, path, copy)
        yield copy
    finally:
        Path(copy).unlink(missing_ok=True)


def _fetch(fs: Any, path: str, copy: str) -> None:  # noqa: ANN401
    for left in reversed(range(_TRANSIENT_TRIES)):
        try:
            fs.get_file(path, copy)
        except FileNotFoundError as error:
            raise UnreadableError("there is no such file") from error
        except PermissionError as error:
            raise UnreadableError("no permission to read the file") from error
        # Every storage has errors of its own; a connection may have failed.
        except Exception as error:
            if not left:
                raise UnreadableError(f"the file can't be fetched: {_explain(error)}") from error
        else:
            return


def _explain(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


class ResultsFolder:
    """A folder for results, by path or URL. A file in it is there whole or not at all.

    Args:
        place: path or URL.

    Raises:
        DataError: the storage can't be used.
    """

    def __init__(self, place: str) -> None:
        self.place = place
        # As a path: fsspec leaves the escapes of a URL of it as they are.
        path = None if is_url(place) else str(Path(place).absolute())
        self._fs, self._root = _filesystem(place) if path is None else (fsspec.filesystem("file"), path)
        self._local = isinstance(self._fs, fsspec.get_filesystem_class("file"))

    def __str__(self) -> str:
        return self.place

    def names(self, folder: str = "") -> set[str]:
        """Names of what lies in the folder, or in a folder in it; none if it isn't there."""
        try:
            return {posixpath.basename(path.rstrip("/")) for path in self._fs.ls(self._path(folder), detail=False)}
        except FileNotFoundError:
            return set()

    def read(self, name: str) -> bytes:
        """The content of a file.

        Raises:
            FileNotFoundError: it isn't there.
        """
        data: bytes = self._fs.cat_file(self._path(name))
        return data

    def write(self, name: str, data: bytes) -> None:
        """Write a file, or replace it."""
        path = self._path(name)
        if not self._local:
            self._fs.pipe_file(path, data)  # object storage shows an object once it is whole
            return
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        part = part_of(target)
        try:
            with part.open("wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)

    def remove(self, name: str) -> None:
        """Remove a file if it is there."""
        try:
            self._fs.rm_file(self._path(name))
        except FileNotFoundError:
            return

    def _path(self, name: str) -> str:
        return posixpath.join(self._root, name) if name else self._root
