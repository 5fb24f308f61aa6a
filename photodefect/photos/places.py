"""What lies among photos and isn't the photographer's: libraries of programs, previews, recycle bins, backups, halves.

Walks pass over it and count it. Nothing of it is hidden from those who name it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from photodefect.defects import PATCH_DEFECTS
from photodefect.errors import DataError, PhotoError
from photodefect.photos.files import open_regular

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec


class Kind(Enum):
    """Why something is passed over; the values are its name for people, of one and of several."""

    PHOTO_LIBRARY = ("photo library", "photo libraries")
    PREVIEWS = ("folder of previews", "folders of previews")
    RECYCLE_BIN = ("recycle bin", "recycle bins")
    OWN_PICTURES = ("report or heat map of photodefect", "reports and heat maps of photodefect")
    BACKUP = ("backup of a photo", "backups of photos")
    THUMBNAIL = ("camera's thumbnail", "cameras' thumbnails")
    UNFINISHED = ("unfinished file", "unfinished files")
    EXCLUDED = ("file or folder by --exclude", "files and folders by --exclude")

    def counted(self, number: int) -> str:
        """``1 photo library``, ``2 photo libraries``."""
        return f"{number} {self.value[number != 1]}"


FOLDER_NAMES: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "@eadir": Kind.PREVIEWS,  # Synology
        ".@__thumb": Kind.PREVIEWS,  # QNAP
        ".thumbnails": Kind.PREVIEWS,  # Android, older desktops
        "ipod photo cache": Kind.PREVIEWS,  # iTunes
        "#recycle": Kind.RECYCLE_BIN,  # Synology
        "@recycle": Kind.RECYCLE_BIN,  # QNAP
        "$recycle.bin": Kind.RECYCLE_BIN,  # Windows
        "recycler": Kind.RECYCLE_BIN,  # older Windows
        ".trash": Kind.RECYCLE_BIN,  # macOS
        ".trashes": Kind.RECYCLE_BIN,  # macOS, other disks
        ".picasaoriginals": Kind.BACKUP,  # Picasa
    }
)
"""Folders by name, in lower case, and where they come from."""

FOLDER_SUFFIXES: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        ".photoslibrary": Kind.PHOTO_LIBRARY,  # Apple Photos
        ".photolibrary": Kind.PHOTO_LIBRARY,  # iPhoto
        ".migratedphotolibrary": Kind.PHOTO_LIBRARY,  # both of the next and the last, once Photos has them
        ".aplibrary": Kind.PHOTO_LIBRARY,  # Aperture
        ".apvault": Kind.PHOTO_LIBRARY,  # Aperture's backups
        ".lrlibrary": Kind.PHOTO_LIBRARY,  # Lightroom
        ".cocatalog": Kind.PHOTO_LIBRARY,  # Capture One
        ".lrdata": Kind.PREVIEWS,  # Lightroom Classic: previews, smart previews, helpers
        ".lrcat-data": Kind.PREVIEWS,  # Lightroom Classic: masks
        ".download": Kind.UNFINISHED,  # Safari
    }
)
"""Endings of folders that a program keeps for itself, in lower case."""

REPORT_FILES: Final = re.compile(r"photodefect-files-[0-9a-f]{12}")
"""What the folder with the pictures of a report is called."""

HEAT_MAP_MARK: Final = "photodefect heat map"
"""What the pictures of heat maps say of themselves, in a comment near their beginning."""

UNFINISHED_SUFFIXES: Final = frozenset(
    {".part", ".partial", ".filepart", ".crdownload", ".download", ".opdownload", ".aria2", ".tmp", ".temp"}
)
"""Endings, in lower case, of files that some program is still writing and will rename."""

_BACKUP_SUFFIXES: Final = frozenset({".bak", ".bkp", ".backup", ".old", ".orig"})
_TRASH: Final = re.compile(r"\.trash-\d+")  # freedesktop.org, by user
_HEAT_MAP: Final = re.compile(rf"-(panel|{'|'.join(defect.key for defect in PATCH_DEFECTS)})\.(jpg|png)$")
_MARK_WITHIN: Final = 1024


def kind_of_folder(name: str) -> Kind | None:
    """Why a folder of this name is none of the photographer's; None if it is."""
    lower = name.lower()
    if REPORT_FILES.fullmatch(lower):
        return Kind.OWN_PICTURES
    if _TRASH.fullmatch(lower):
        return Kind.RECYCLE_BIN
    return FOLDER_NAMES.get(lower) or FOLDER_SUFFIXES.get(PurePosixPath(lower).suffix)


def kind_of_file(path: Path) -> Kind | None:
    """Why a file, if it looks like a photo, is none of the photographer's; None if it is.

    Only files called like heat maps are looked into.
    """
    lower = path.name.lower()
    suffix = path.suffix.lower()
    if suffix == ".thm":
        return Kind.THUMBNAIL
    if suffix in _BACKUP_SUFFIXES or lower.endswith(("_original", "~")):
        return Kind.BACKUP
    if suffix in UNFINISHED_SUFFIXES:
        return Kind.UNFINISHED
    if _HEAT_MAP.search(lower) and _is_heat_map(path):
        return Kind.OWN_PICTURES
    return None


def _is_heat_map(path: Path) -> bool:
    try:
        with open_regular(path) as file:
            return HEAT_MAP_MARK.encode() in file.read(_MARK_WITHIN)
    except (PhotoError, OSError):
        return False  # decoding says why


@dataclass(frozen=True)
class Rules:
    """What a walk leaves out.

    Attributes:
        exclude: patterns in the form of ``.gitignore``, matched against paths below the folder that is walked, and
            against files that are given as they are given. Case counts. A pattern that begins with ``#`` is no comment.
        include_passed_over: take what isn't the photographer's as well.

    Raises:
        DataError: a pattern can't be one.
    """

    exclude: Sequence[str] = ()
    include_passed_over: bool = False

    def __post_init__(self) -> None:
        _ = self._patterns

    @cached_property
    def _patterns(self) -> GitIgnoreSpec | None:
        if not self.exclude:
            return None
        from pathspec import GitIgnoreSpec  # noqa: PLC0415  only where there are patterns

        for pattern in self.exclude:
            try:
                spec = GitIgnoreSpec.from_lines([_plain(pattern)])
            except ValueError as error:
                raise DataError(f"{pattern!r} is no pattern as .gitignore has them") from error
            if not any(it.include is not None for it in spec.patterns):
                raise DataError(f"{pattern!r} is no pattern as .gitignore has them: it matches nothing")
        return GitIgnoreSpec.from_lines([_plain(pattern) for pattern in self.exclude])

    def of_folder(self, inside: str) -> Kind | None:
        """Why a folder isn't entered; None if it is.

        Args:
            inside: its path below the folder that is walked, with ``/`` between names.
        """
        if self._patterns is not None and self._patterns.match_file(f"{inside}/"):
            return Kind.EXCLUDED
        return None if self.include_passed_over else kind_of_folder(inside.rpartition("/")[2])

    def excludes(self, inside: str) -> bool:
        """Whether a pattern leaves a file out, by its path as in :meth:`of_folder`."""
        return self._patterns is not None and self._patterns.match_file(inside)

    def of_file(self, path: Path) -> Kind | None:
        """Why a file that looks like a photo isn't taken, as of :func:`kind_of_file`."""
        return None if self.include_passed_over else kind_of_file(path)

    def hides(self, name: str) -> bool:
        """Whether a file or folder of this name is hidden, and not one of those that are told of."""
        return name.startswith(".") and kind_of_folder(name) is None

    def allow(self, path: Path, root: Path) -> bool:
        """Whether a walk through ``root`` would take the file ``path``, if it is a photo."""
        parts = path.relative_to(root).parts
        folders = ["/".join(parts[:depth]) for depth in range(1, len(parts))]
        return not (
            any(self.hides(part) for part in parts)
            or any(self.of_folder(folder) for folder in folders)
            or self.excludes("/".join(parts))
            or self.of_file(path)
        )


_CLASSES: Final = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "blank": " \t",
    "digit": "0-9",
    "lower": "a-z",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}
"""Classes of characters that git knows in brackets, as ranges: pathspec 1.1.1 takes them for the characters of their
names."""


def _plain(pattern: str) -> str:
    """A pattern as pathspec understands it: no comment, and ranges for classes of characters.

    Raises:
        DataError: it has a class of characters that isn't known.
    """

    def as_range(found: re.Match[str]) -> str:
        if found[1] not in _CLASSES:
            raise DataError(f"{pattern!r} is no pattern that photodefect knows: write [{found[0]}] as a range")
        return _CLASSES[found[1]]

    ranges = re.sub(r"\[:(\w+):\]", as_range, pattern)
    return f"\\{ranges}" if ranges.startswith("#") else ranges


def some_passed_over(counts: Mapping[Kind, int]) -> str:
    """What was passed over, for people; empty if it was nothing."""
    return ", ".join(kind.counted(counts[kind]) for kind in Kind if counts.get(kind))


def as_numbers(counts: Mapping[Kind, int]) -> dict[str, int]:
    """What was passed over, for programs: number by name of the kind, in lower case."""
    return {kind.name.lower(): counts[kind] for kind in Kind if counts.get(kind)}


class PassedOver(Counter[Kind]):
    """Counts what a walk passes over."""

    def note(self, _path: Path, kind: Kind) -> None:
        """Count one."""
        self[kind] += 1
