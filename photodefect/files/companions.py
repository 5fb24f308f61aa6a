"""Which files belong to a photo: its sidecars, and the raw or developed file of the same shot.

Names are compared without regard to case (cards write ``IMG_1.CR2`` and ``img_1.xmp``), except where two photos of one
kind in a folder differ in nothing but case: then they are two shots, and case counts.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from photodefect.photos.formats import DEVELOPED_SUFFIXES, PHOTO_SUFFIXES, RAW_SUFFIXES

SIDECAR_SUFFIXES: Final[Mapping[str, str]] = MappingProxyType(
    {
        ".xmp": "Adobe, Capture One, darktable, digiKam, exiftool",
        ".acr": "Lightroom and Camera Raw, masks",
        ".pp3": "RawTherapee",
        ".arp": "ART",
        ".dop": "DxO PhotoLab",
        ".on1": "ON1 Photo RAW",
        ".onphoto": "ON1 Photo RAW",
        ".cos": "Capture One",
        ".nksc": "Nikon NX Studio",
        ".vrd": "Canon Digital Photo Professional",
        ".dr4": "Canon Digital Photo Professional",
        ".rwsc": "Raw Power",
        ".aae": "Apple Photos",
        ".thm": "a camera's thumbnail",
        ".wav": "a camera's voice memo",
        ".exv": "Exiv2",
        ".mie": "exiftool",
        ".json": "Google Takeout, exiftool",
    }
)
"""Endings of sidecars and who writes them; ``IMG.xmp`` and ``IMG.CR2.xmp`` are both in use for most."""

FULL_NAME_ONLY: Final = frozenset((".json",))
"""Endings that are too common otherwise: a sidecar only after the photo's full name (``IMG.jpg.json``)."""

LIVE_SUFFIXES: Final = frozenset((".mov",))
"""The moving half of a live photo, beside a developed file of the same stem."""

_VERSION: Final = re.compile(r"(?P<stem>.+)_\d\d$")


@dataclass(frozen=True)
class _Photo:
    name: str
    stem: str
    suffix: str  # in lower case

    @property
    def raw(self) -> bool:
        return self.suffix in RAW_SUFFIXES

    @property
    def developed(self) -> bool:
        return self.suffix in DEVELOPED_SUFFIXES


def stem_keys(name: str) -> frozenset[str]:
    """The stems, without regard to case, of the photos that a file of this name may belong to."""
    stem, suffix = _split(name)
    keys = {stem.casefold()}
    if suffix in SIDECAR_SUFFIXES:
        inner, inner_suffix = _split(stem)
        if inner_suffix in PHOTO_SUFFIXES:
            keys.add(inner.casefold())
            version = _VERSION.match(inner)
            if version:
                keys.add(version["stem"].casefold())
    return frozenset(keys)


class CompanionIndex:
    """Finds companions of many photos, reading every folder once."""

    def __init__(self) -> None:
        self._folders: dict[Path, dict[str, list[str]]] = {}

    def companions(self, photo: Path) -> tuple[Path, ...]:
        """As :func:`companions`."""
        names = self._by_stem(photo.parent)[_split(photo.name)[0].casefold()]
        return tuple(photo.parent / name for name in sorted(_belonging(photo.name, names)))

    def sidecar_owner(self, photo: Path) -> Path:
        """The photo that a sidecar named after the bare stem (``IMG.xmp``) belongs to: the raw one, if there is one."""
        this = _Photo(photo.name, *_split(photo.name))
        names = {photo.name, *self._by_stem(photo.parent)[this.stem.casefold()]}
        same = _same_stem(this, _photos(names)) or [this]
        return photo.parent / min(same, key=lambda other: (not other.raw, not other.developed, other.name)).name

    def _by_stem(self, folder: Path) -> dict[str, list[str]]:
        if folder not in self._folders:
            index: dict[str, list[str]] = defaultdict(list)
            for name in _files(folder):
                for key in stem_keys(name):
                    index[key].append(name)
            self._folders[folder] = index
        return self._folders[folder]


def companions(photo: Path) -> tuple[Path, ...]:
    """The files beside a photo that must go where it goes, sorted by name, without the photo itself.

    They are sidecars named after the photo (:data:`SIDECAR_SUFFIXES`; darktable's ``IMG_01.CR2.xmp`` of its duplicates
    included), twins of a raw photo and the sidecars of these. A TIFF or PNG of the same stem is somebody's edit
    and stays; a sidecar named after the bare stem then goes with the raw photo, or else with all of the stem.

    Raises:
        OSError: the folder can't be read.
    """
    return CompanionIndex().companions(photo)


def _files(folder: Path) -> list[str]:
    # Hidden files are no companions: ._IMG_1.CR2 is macOS' on foreign disks.
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries if not entry.name.startswith(".") and entry.is_file()]


def _split(name: str) -> tuple[str, str]:
    """The stem of a name, and its ending in lower case."""
    stem, suffix = os.path.splitext(name)  # noqa: PTH122  names, not paths
    return stem, suffix.lower()


def _photos(names: Iterable[str]) -> list[_Photo]:
    return [_Photo(name, *_split(name)) for name in sorted(names) if _split(name)[1] in PHOTO_SUFFIXES]


def _belonging(name: str, names: list[str]) -> set[str]:
    """The companions of ``name`` among ``names``, all of which may have to do with its stem."""
    photo = _Photo(name, *_split(name))
    photos = _photos({name, *names})
    together = _twins(photo, photos)
    sidecars = (other for other in names if _split(other)[1] not in PHOTO_SUFFIXES)
    found = {sidecar for sidecar in sidecars if any(owner in together for owner in _owners(sidecar, photos))}
    return (found | {twin.name for twin in together}) - {name}


def _same_stem(photo: _Photo, photos: list[_Photo]) -> list[_Photo]:
    """The photos of one stem; its case counts if two photos differ in nothing else."""
    same = [other for other in photos if other.stem.casefold() == photo.stem.casefold()]
    if len({other.name.casefold() for other in same}) < len(same):
        same = [other for other in same if other.stem == photo.stem]
    return same


def _twins(photo: _Photo, photos: list[_Photo]) -> list[_Photo]:
    """The photo with its twins."""
    twins = [other for other in _same_stem(photo, photos) if other.raw or other.developed]
    if photo in twins and any(twin.raw for twin in twins):
        return twins
    return [photo]


def _owners(sidecar: str, photos: list[_Photo]) -> list[_Photo]:
    """The photos that a sidecar belongs to."""
    stem, suffix = _split(sidecar)
    by_stem = _spelled(stem, {photo: photo.stem for photo in photos})
    if suffix in LIVE_SUFFIXES:
        return [photo for photo in by_stem if photo.developed]
    if suffix not in SIDECAR_SUFFIXES:
        return []
    by_name = _spelled(stem, {photo: photo.name for photo in photos})
    if by_name or suffix in FULL_NAME_ONLY:
        return by_name  # a.cr2.xmp is of a.cr2, not of a.cr2.jpg
    if by_stem:
        return [photo for photo in by_stem if photo.raw] or by_stem
    inner, inner_suffix = _split(stem)
    version = _VERSION.match(inner)
    if version is None:
        return []
    return _spelled(version["stem"] + inner_suffix, {photo: photo.stem + photo.suffix for photo in photos})


def _spelled(wanted: str, names: Mapping[_Photo, str]) -> list[_Photo]:
    """The photos of that name: spelled exactly so, or else but for case."""
    exact = [photo for photo, name in names.items() if name == wanted]
    return exact or [photo for photo, name in names.items() if name.casefold() == wanted.casefold()]
