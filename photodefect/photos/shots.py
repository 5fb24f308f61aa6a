"""Which photos are one shot: what a camera or a phone writes of one exposure counts as one and shares its fate.

One shot are, in one folder:

- a raw photo and what was developed from it, of one stem;
- the parts of one exposure that Android's cameras name alike: ``X.RAW-01.COVER.jpg`` and ``X.RAW-02.ORIGINAL.dng``,
  ``X.PORTRAIT-01.COVER.jpg`` and ``X.PORTRAIT-02.ORIGINAL.jpg``, ``X.MP.jpg`` (a motion photo) and ``X.dng``;
- ``IMG_1234`` and ``IMG_E1234``, which is what an iPhone makes of the first when it is edited.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import Final

from photodefect.photos.formats import DEVELOPED_SUFFIXES, RAW_SUFFIXES

# Bursts are named by the same pattern, but each of their photos is a shot of its own.
_ANDROID: Final = re.compile(
    r"(?P<stem>.+?)(?:\.(?:MP|MV|NIGHT))*"
    r"(?P<part>\.(?!BURST-)[A-Z_]+-\d\d(?:\.(?:MP|MV))?\.(?:COVER|ORIGINAL|MAIN))?",
    re.DOTALL,
)
_IPHONE: Final = re.compile(r"(?P<prefix>IMG_)(?P<edit>[EO])(?P<rest>\d{4}(?: ?\(\d+\))?)", re.IGNORECASE)

_CAMERA_SUFFIXES: Final = RAW_SUFFIXES | DEVELOPED_SUFFIXES
_PHONE_SUFFIXES: Final = _CAMERA_SUFFIXES | {".png"}


def name_key(name: str) -> str:
    """What a name is to whom tells neither case nor ways of writing an accent apart, as some disks do."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def shot_stem(stem: str) -> str:
    """What the names of all files of a shot begin with: a file's stem without what phones add to it."""
    iphone = _IPHONE.fullmatch(stem)
    if iphone:
        return iphone["prefix"] + iphone["rest"]
    android = _ANDROID.fullmatch(stem) if "." in stem else None
    return android["stem"] if android else stem


def shot_key(stem: str) -> str:
    """The :func:`name_key` of the :func:`shot_stem`: files of one folder with different ones are never one shot."""
    return name_key(shot_stem(stem))


def apart(names: Sequence[str]) -> list[list[str]]:
    """The photos of one folder, each shot by itself.

    Args:
        names: of photos, without a folder. Case and ways of writing an accent count only where two names differ in
            nothing else.
    """
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        groups[shot_key(_split(name)[0])].append(name)
    found: list[list[str]] = []
    for same in groups.values():
        if len(same) == 1:  # as nearly all are
            found.append(same)
        else:
            found += [shot for part in _by_spelling(same) for shot in _shots_of(part)]
    return found


def shots(paths: Iterable[str]) -> dict[str, str]:
    """By path of each photo, the path that stands for its shot: the raw one if there is one.

    Args:
        paths: photos, in folders of any number.
    """
    result = {path: path for path in paths}
    folders: dict[PurePath, dict[str, str]] = defaultdict(dict)
    parents: dict[str, PurePath] = {}  # there are far fewer of them, and a PurePath costs as much as all else here
    for path in result:
        parent, name = os.path.split(path)
        if name in ("", ".", ".."):
            parent, name = str(PurePath(path).parent), PurePath(path).name
        if parent not in parents:
            parents[parent] = PurePath(parent)
        folders[parents[parent]][name] = path
    for spelled in folders.values():
        for shot in apart(list(spelled)):
            if len(shot) > 1:
                first = spelled[min(shot, key=_rank)]
                result |= {spelled[name]: first for name in shot}
    return result


def _split(name: str) -> tuple[str, str]:
    stem, suffix = os.path.splitext(name)  # noqa: PTH122  names, not paths
    return stem, suffix.lower()


def _rank(name: str) -> tuple[bool, bool, str]:
    stem, suffix = _split(name)
    return suffix not in RAW_SUFFIXES, _IPHONE.fullmatch(stem) is not None, name


def _by_spelling(same: list[str]) -> list[list[str]]:
    """Photos of one shot key, apart by the spelling of their stems if two names differ in nothing else."""
    cameras = [name for name in same if _split(name)[1] in _PHONE_SUFFIXES]
    if len({name_key(name) for name in cameras}) == len(cameras):
        return [same]
    parts: dict[str, list[str]] = defaultdict(list)
    for name in same:
        parts[shot_stem(_split(name)[0])].append(name)
    return list(parts.values())


def _shots_of(part: list[str]) -> list[list[str]]:
    """Photos of one shot key: those that are one shot, and each other by itself."""
    split = {name: _split(name) for name in part}
    raw = any(suffix in RAW_SUFFIXES for _, suffix in split.values())
    edited = any(_IPHONE.fullmatch(stem) for stem, _ in split.values())
    together = [
        name
        for name, (stem, suffix) in split.items()
        if (raw and suffix in _CAMERA_SUFFIXES)
        or (edited and suffix in _PHONE_SUFFIXES)
        or (suffix in _CAMERA_SUFFIXES and (android := _ANDROID.fullmatch(stem)) and android["part"])
    ]
    alone = [[name] for name in part if name not in together]
    return [together, *alone] if together else alone
