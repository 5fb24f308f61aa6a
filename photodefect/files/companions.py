"""Which files belong to a photo: its sidecars, its moving half, and the other photos of the same shot.

Names are compared without regard to case (cards write ``IMG_1.CR2`` and ``img_1.xmp``) and to how accents are written
(Macs part them from their letters), except where two photos of one kind in a folder differ in nothing else: then they
are two shots, and the spelling counts.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from photodefect.photos.formats import DEVELOPED_SUFFIXES, PHOTO_SUFFIXES, RAW_SUFFIXES
from photodefect.photos.shots import apart, name_key, shot_key

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

LIVE_SUFFIXES: Final = frozenset((".mov", ".mp4", ".mp", ".mv"))
"""The moving half of a live or motion photo, beside a developed file of the same stem."""

TAKEOUT_MARK: Final = "supplemental-metadata"
"""What Google Takeout puts between a photo's name and ``.json``, or as much of it as the length of a name leaves."""

_TAKEOUT_LENGTH: Final = 46
"""To how many characters Takeout cuts what stands before ``.json``."""

_VERSION: Final = re.compile(r"(?P<stem>.+)_\d\d$")
_NUMBERED: Final = re.compile(r"(?P<name>.+?)(?P<number>\(\d+\))?", re.DOTALL)


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
    """Keys of the shots that a file of this name may be or belong to, as of :func:`~photodefect.photos.shots.shot_key`.

    Names that Takeout has cut have further ones, which only :class:`CompanionIndex` asks for.
    """
    stem, suffix = _split(name)
    keys = {shot_key(stem)}
    if suffix in SIDECAR_SUFFIXES:
        inner, inner_suffix = _split(stem)
        if inner_suffix in PHOTO_SUFFIXES:
            keys.add(shot_key(inner))
            version = _VERSION.match(inner)
            if version:
                keys.add(shot_key(version["stem"]))
    if suffix in FULL_NAME_ONLY:
        owners = map(_split, described_photos(name))
        keys.update(shot_key(inner) for inner, inner_suffix in owners if inner_suffix in PHOTO_SUFFIXES)
        cut, _ = _without_number(stem)
        if len(cut) == _TAKEOUT_LENGTH:
            keys.add(_cut_key(cut))
    return frozenset(keys)


def described_photos(name: str) -> Iterator[str]:
    """Full names of the photos that a ``.json`` of this name may describe, as Google Takeout and exiftool call them.

    ``IMG.jpg.json``, ``IMG.jpg.supplemental-metadata.json`` and shorter (``IMG.jpg.suppl.json``) are all of
    ``IMG.jpg``; ``IMG.jpg.supplemental-metadata(1).json`` and ``IMG.jpg(1).json`` are of ``IMG(1).jpg``.
    """
    stem = _split(name)[0]
    yield stem
    whole, number = _without_number(stem)
    inner, dot, mark = whole.rpartition(".")
    for owner in (whole, inner) if dot and TAKEOUT_MARK.startswith(mark) else (whole,):
        photo, suffix = os.path.splitext(owner)  # noqa: PTH122  names, not paths
        yield f"{photo}{number}{suffix}"


class CompanionIndex:
    """Finds companions of many photos, reading every folder once."""

    def __init__(self) -> None:
        self._folders: dict[Path, dict[str, list[str]]] = {}

    def companions(self, photo: Path) -> tuple[Path, ...]:
        """As :func:`companions`."""
        return tuple(photo.parent / name for name in sorted(_belonging(photo.name, self._near(photo))))

    def sidecar_owner(self, photo: Path) -> Path:
        """The photo that a sidecar named after the bare stem (``IMG.xmp``) belongs to: the raw one, if there is one."""
        this = _Photo(photo.name, *_split(photo.name))
        same = _same_stem(this, _photos({photo.name, *self._near(photo)})) or [this]
        return photo.parent / min(same, key=lambda other: (not other.raw, not other.developed, other.name)).name

    def _near(self, photo: Path) -> list[str]:
        """Names of what may have to do with the shot of a photo."""
        by_stem = self._by_stem(photo.parent)
        names = by_stem.get(shot_key(_split(photo.name)[0]), [])
        if len(photo.name) > _TAKEOUT_LENGTH:
            cut = _cut_key(_long_name(photo.name)[:_TAKEOUT_LENGTH])
            names = list(dict.fromkeys([*names, *by_stem.get(cut, [])]))
        return names

    def _by_stem(self, folder: Path) -> dict[str, list[str]]:
        if folder not in self._folders:
            index: dict[str, list[str]] = defaultdict(list)
            for name in _files(folder):
                for key in stem_keys(name):
                    index[key].append(name)
            self._folders[folder] = dict(index)
        return self._folders[folder]


def companions(photo: Path) -> tuple[Path, ...]:
    """The files beside a photo that must go where it goes, sorted by name, without the photo itself.

    They are the photos of the same shot (:mod:`photodefect.photos.shots`), sidecars named after any of these
    (:data:`SIDECAR_SUFFIXES`; darktable's ``IMG_01.CR2.xmp`` of its duplicates included) and their moving halves. A
    TIFF or PNG of the same stem is somebody's edit and stays; a sidecar named after the bare stem then goes with the
    raw photo, or else with all of the stem.

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


def _without_number(stem: str) -> tuple[str, str]:
    """A name without the number that Takeout puts behind it, and that number with its brackets."""
    match = _NUMBERED.fullmatch(stem)
    return (match["name"], match["number"] or "") if match else (stem, "")


def _long_name(photo: str) -> str:
    """A photo's name as Takeout knows it: without the number that tells it from its namesakes."""
    stem, suffix = os.path.splitext(photo)  # noqa: PTH122  names, not paths
    return _without_number(stem)[0] + suffix


def _cut_key(cut: str) -> str:
    return f"{name_key(cut)}/"  # no name has a slash


def _photos(names: Iterable[str]) -> list[_Photo]:
    return [_Photo(name, *_split(name)) for name in sorted(names) if _split(name)[1] in PHOTO_SUFFIXES]


def _belonging(name: str, names: list[str]) -> set[str]:
    """The companions of ``name`` among ``names``, all of which may have to do with its shot."""
    photos = _photos({name, *names})
    together = next((shot for shot in apart([photo.name for photo in photos]) if name in shot), [name])
    sidecars = (other for other in names if _split(other)[1] not in PHOTO_SUFFIXES)
    found = {sidecar for sidecar in sidecars if any(owner.name in together for owner in _owners(sidecar, photos))}
    return (found | set(together)) - {name}


def _same_stem(photo: _Photo, photos: list[_Photo]) -> list[_Photo]:
    """The photos of one stem; its spelling counts if two photos differ in nothing else."""
    same = [other for other in photos if name_key(other.stem) == name_key(photo.stem)]
    if len({name_key(other.name) for other in same}) < len(same):
        same = [other for other in same if other.stem == photo.stem]
    return same


def _owners(file: str, photos: list[_Photo]) -> list[_Photo]:
    """The photos that a sidecar or a moving half belongs to."""
    suffix = _split(file)[1]
    if suffix in LIVE_SUFFIXES:
        return _moving_half(file, photos)
    if suffix in FULL_NAME_ONLY:
        return _described(file, photos)
    return _marked(file, photos) if suffix in SIDECAR_SUFFIXES else []


def _moving_half(file: str, photos: list[_Photo]) -> list[_Photo]:
    stem = _split(file)[0]
    stems = {photo: photo.stem for photo in photos}
    # X.MP is of X.MP.jpg, before X.jpg.
    return [
        photo for photo in _spelled(file, stems) or _spelled(stem, stems) or _of_shot(stem, photos) if photo.developed
    ]


def _marked(sidecar: str, photos: list[_Photo]) -> list[_Photo]:
    """The photos of a sidecar that may be named after the whole name or the bare stem."""
    stem, suffix = _split(sidecar)
    by_name = _spelled(stem, {photo: photo.name for photo in photos})
    if by_name:
        return by_name  # a.cr2.xmp is of a.cr2, not of a.cr2.jpg
    by_stem = _spelled(stem, {photo: photo.stem for photo in photos})
    if by_stem:
        return [photo for photo in by_stem if photo.raw] or by_stem
    if suffix == ".aae":
        return _of_shot(stem, photos)  # IMG_O1234.AAE, or IMG_1234.AAE when IMG_E1234.HEIC is all there is
    inner, inner_suffix = _split(stem)
    version = _VERSION.match(inner)
    if version is None:
        return []
    return _spelled(version["stem"] + inner_suffix, {photo: photo.stem + photo.suffix for photo in photos})


def _described(sidecar: str, photos: list[_Photo]) -> list[_Photo]:
    """The photos that a ``.json`` describes."""
    names = {photo: photo.name for photo in photos}
    for described in described_photos(sidecar):
        if found := _spelled(described, names):
            return found
    cut, number = _without_number(_split(sidecar)[0])
    if len(cut) != _TAKEOUT_LENGTH:
        return []
    return [
        photo
        for photo in photos
        if name_key(_long_name(photo.name)[: len(cut)]) == name_key(cut) and _without_number(photo.stem)[1] == number
    ]


def _of_shot(stem: str, photos: list[_Photo]) -> list[_Photo]:
    return [photo for photo in photos if shot_key(photo.stem) == shot_key(stem)]


def _spelled(wanted: str, names: Mapping[_Photo, str]) -> list[_Photo]:
    """The photos of that name: spelled exactly so, or else but for case and ways of writing an accent."""
    exact = [photo for photo, name in names.items() if name == wanted]
    return exact or [photo for photo, name in names.items() if name_key(name) == name_key(wanted)]
