"""Finding the sidecar of a photo: which one speaks for it, and what it is called.

There are two conventions: ``IMG.xmp`` (Lightroom, Capture One) and ``IMG.CR2.xmp`` (darktable, digiKam). The first
leaves open which of two photos ``IMG.CR2`` and ``IMG.JPG`` it means; it is the raw one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from photodefect.errors import SidecarError
from photodefect.files.companions import CompanionIndex
from photodefect.photos.formats import PHOTO_SUFFIXES
from photodefect.photos.shots import name_key
from photodefect.sidecars.sources import Sources
from photodefect.sidecars.style import SidecarStyle

SUFFIX: Final = ".xmp"


class SidecarLocator:
    """Finds the sidecars of photos.

    Args:
        photos: all photos that something is said about, so that of a raw photo and its JPEG only one says it.
        style: how sidecars are called; None to go by what is there: a photo's only sidecar, or else most sidecars of
            the folder, or else the stem.
    """

    def __init__(self, photos: Iterable[str], style: SidecarStyle | None = None) -> None:
        self._photos = frozenset(Path(photo) for photo in photos)
        self._style = style
        self._index = CompanionIndex()
        self._habits: dict[Path, SidecarStyle] = {}
        self._taken: dict[Path, Path] = {}

    def locate(self, photo: str) -> Path | None:
        """The sidecar of a photo, which need not be there yet.

        Args:
            photo: its path.

        Returns:
            The path, or None if another photo of the same shot speaks for this one: of a raw photo and its JPEG, which
            share a sidecar called by the stem, the raw one, or if nothing is said about that, the first asked about.

        Raises:
            SidecarError: the folder can't be read.
        """
        path = Path(photo)
        try:
            return self._locate(path)
        except OSError as error:
            raise SidecarError(f"{path.parent} can't be read: {error.strerror or error}") from error

    def sources(self, photo: str, place: Path) -> Sources:
        """Where else the person may have said something about a photo.

        Args:
            photo: its path.
            place: its sidecar, as :meth:`locate` gives it.

        Raises:
            SidecarError: the folder can't be read.
        """
        path = Path(photo)
        try:
            companions = self._index.companions(path)
            others = (it for it in self._existing(path).values() if it != place)
        except OSError as error:
            raise SidecarError(f"{path.parent} can't be read: {error.strerror or error}") from error
        shared = place.stem == path.stem
        twins = (it for it in companions if it.suffix.lower() in PHOTO_SUFFIXES and shared)
        return Sources((path, *twins), tuple(others))

    def _locate(self, path: Path) -> Path | None:
        there = self._existing(path)
        style = self._style or self._usual(path, there)
        if style is SidecarStyle.FULL:
            return there.get(style, path.with_name(path.name + SUFFIX))
        owner = self._index.sidecar_owner(path)
        if owner != path:
            if owner not in self._index.companions(path):
                # Somebody's edit of the same stem: its name must say so.
                return there.get(SidecarStyle.FULL, path.with_name(path.name + SUFFIX))
            if owner in self._photos:
                return None
        place = self._existing(owner).get(SidecarStyle.STEM, owner.with_suffix(SUFFIX))
        return place if self._taken.setdefault(place, path) == path else None

    def _existing(self, photo: Path) -> dict[SidecarStyle, Path]:
        """The sidecars that are there; spelled exactly like the photo before spelled otherwise."""
        found: dict[SidecarStyle, Path] = {}
        names = {SidecarStyle.STEM: photo.stem + SUFFIX, SidecarStyle.FULL: photo.name + SUFFIX}
        for companion in self._index.companions(photo):
            for style, name in names.items():
                if companion.name == name or (name_key(companion.name) == name_key(name) and style not in found):
                    found[style] = companion
        return found

    def _usual(self, photo: Path, there: dict[SidecarStyle, Path]) -> SidecarStyle:
        if len(there) == 1:
            return next(iter(there))
        if photo.parent not in self._habits:
            self._habits[photo.parent] = _habit(photo.parent)
        return self._habits[photo.parent]


def _habit(folder: Path) -> SidecarStyle:
    """What most sidecars of a folder are called."""
    full = stem = 0
    for name in os.listdir(folder):  # noqa: PTH208  names suffice
        inner, suffix = os.path.splitext(name)  # noqa: PTH122
        if suffix.lower() == SUFFIX and not name.startswith("."):
            if Path(inner).suffix.lower() in PHOTO_SUFFIXES:
                full += 1
            else:
                stem += 1
    return SidecarStyle.FULL if full > stem else SidecarStyle.STEM
