"""The folder of an HTML report: a page, and beside it one folder with everything that the page shows.

A new report gets a new folder of files under a name of its own; writing the page is the last step and a single
rename. Whoever opens the page meanwhile sees the earlier report or the new one, never a mixture, and a run that is cut
short leaves the earlier report as it was.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from photodefect.errors import DataError
from photodefect.photos.places import REPORT_FILES

PAGE: Final = "index.html"
GENERATOR: Final = "photodefect"
"""What the page names as its generator; by this an earlier report is known."""

THUMBNAILS: Final = "thumbnails"
PREVIEWS: Final = "previews"
MAPS: Final = "maps"

_MARK = f'<meta name="generator" content="{GENERATOR} '.encode()
_MARK_WITHIN = 2048
_PICTURE = re.compile(r"\d{5,}(-[a-z_]+)?\.(jpg|png)")
_ASSET = re.compile(r"[a-z]+\.(js|css)")


def is_report(folder: Path) -> bool:
    """Whether ``folder`` holds a report that photodefect wrote."""
    page = folder / PAGE
    if not page.is_file():
        return False
    with page.open("rb") as stream:
        return _MARK in stream.read(_MARK_WITHIN)


def check_folder(folder: Path, *, force: bool = False, originals: Iterable[str] = ()) -> None:
    """Refuse a folder for a report before any work is done for it.

    Args:
        folder: where the report is to go; it need not exist.
        force: write into a folder that holds other things too; they stay, but for a page of the same name.
        originals: the photos; the report never goes among them, ``force`` or not.

    Raises:
        DataError: it is no folder, holds other things than an earlier report, or holds some of the photos.
    """
    if not folder.exists():
        if folder.is_symlink():
            raise DataError(f"{folder} is a link to a folder that isn't there")
        return
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder; --output takes one for the report")
    place = os.path.realpath(folder)
    if any(os.path.realpath(parent) == place for parent in {os.path.dirname(photo) for photo in originals}):  # noqa: PTH120 - a Path would take longer for thousands of photos
        raise DataError(f"{folder} holds photos of this run; a report goes into a folder of its own")
    # Files without a page are what a run has left that was killed; the next report removes them.
    if not force and not is_report(folder) and not all(REPORT_FILES.fullmatch(it.name) for it in folder.iterdir()):
        raise DataError(f"{folder} isn't empty and holds no earlier report; name another folder, or --force")


class ReportFolder:
    """Receives the files of a new report, which takes the place of an earlier one by :meth:`publish`.

    Use as a context manager: what was not published when it ends is taken away again.

    Args:
        folder: the report's folder, checked by :func:`check_folder`; it and its parents are made.

    Attributes:
        files: the folder of the new report's files.
        link: how the page refers to it.

    Raises:
        OSError: it can't be made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._made = [parent for parent in (folder, *folder.parents) if not parent.exists()]
        folder.mkdir(parents=True, exist_ok=True)
        self.link = f"photodefect-files-{secrets.token_hex(6)}"
        self.files = folder / self.link
        for name in ("", THUMBNAILS, PREVIEWS, MAPS):
            (self.files / name).mkdir()
        self._published = False

    def __enter__(self) -> ReportFolder:
        return self

    def __exit__(self, *error: object) -> None:
        if self._published:
            return
        _remove_files(self.files)
        for made in self._made:
            if any(made.iterdir()):
                break
            made.rmdir()

    def publish(self, page: str) -> Path:
        """Let the new report take the place of the earlier one, and remove the earlier one's files.

        Args:
            page: the page itself.

        Returns:
            Where it is.

        Raises:
            OSError: it can't be written; the earlier report is as it was.
        """
        part = self.files / PAGE
        with part.open("x", encoding="utf-8", newline="\n") as stream:
            stream.write(page)
            stream.flush()
            os.fsync(stream.fileno())
        target = self.folder / PAGE
        part.replace(target)
        self._published = True
        for other in self.folder.iterdir():
            if REPORT_FILES.fullmatch(other.name) and other.name != self.link and not other.is_symlink():
                _remove_files(other)
        return target


def _remove_files(folder: Path) -> None:
    """Remove what a report consists of, and the folders that are empty then. Anything else in there stays."""
    for name in (THUMBNAILS, PREVIEWS, MAPS):
        if (folder / name).is_dir():
            _remove(folder / name, _PICTURE)
    _remove(folder, _ASSET)


def _remove(folder: Path, ours: re.Pattern[str]) -> None:
    names = os.listdir(folder)  # noqa: PTH208 - the names are enough
    kept = [name for name in names if not ours.fullmatch(name) and name != PAGE]
    for name in set(names).difference(kept):
        (folder / name).unlink()
    if not kept:
        folder.rmdir()
