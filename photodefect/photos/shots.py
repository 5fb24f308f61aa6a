"""Which photos are one shot: a raw file and what the camera developed from it count as one and share their fate."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePath

from photodefect.photos.formats import DEVELOPED_SUFFIXES, RAW_SUFFIXES


def shots(paths: Iterable[str]) -> dict[str, str]:
    """By path of each photo, the path that stands for its shot.

    Args:
        paths: photos. Those of one folder and one stem are one shot if a raw file is among them and the others are
            what cameras write beside one; case counts only where two names differ in nothing else.
    """
    groups: dict[tuple[PurePath, str], list[PurePath]] = {}
    result = {path: path for path in paths}
    spelled = {PurePath(path): path for path in result}
    for path in spelled:
        if path.suffix.lower() in RAW_SUFFIXES | DEVELOPED_SUFFIXES:
            groups.setdefault((path.parent, path.stem.casefold()), []).append(path)
    for same in groups.values():
        if len({path.name.casefold() for path in same}) == len(same):
            parts = [same]
        else:
            parts = [[path for path in same if path.stem == stem] for stem in {path.stem for path in same}]
        for part in parts:
            raw = sorted(path for path in part if path.suffix.lower() in RAW_SUFFIXES)
            if raw:
                result |= {spelled[path]: spelled[raw[0]] for path in part}
    return result
