"""The manifest of a benchmark: photographs whose defects are known by order rather than by votes.

A manifest is a CSV with the columns ``path``, ``set``, ``scene``, ``defect``, ``level``, ``kind`` and ``split``. Kinds:

* ``ladder``: photos of one scene in order of severity (``level``): Spearman's correlation within each scene;
* ``pair``: photos of one scene with (level above 0) and without (0) the defect: the share of pairs ordered rightly;
* ``pool``: unrelated photos with and without the defect: the area under the ROC curve. Photos of sets named
  ``good_…`` of the same defect and split are further negatives of every pool.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from photodefect.defects import BY_KEY, KEYS
from photodefect.errors import DataError
from photodefect.labels.table import read_table

Kind = Literal["ladder", "pair", "pool"]
KINDS: Final[tuple[Kind, ...]] = ("ladder", "pair", "pool")

ALL_SPLITS: Final = "all"


GOOD_PREFIX: Final = "good_"
"""Sets of good photographs, without any defect, are named so."""


@dataclass(frozen=True)
class Entry:
    """One row of a manifest.

    Attributes:
        name: the path as the manifest has it.
        path: the same below the manifest's folder.
        set: which collection it belongs to.
        scene: photos of one scene are compared with each other.
        defect: key of the defect that it is there for.
        level: how much of it there is, on a scale of the scene's own; negative only for a signed defect.
        kind: ladder, pair or pool.
        split: e.g. dev.
    """

    name: str
    path: Path
    set: str
    scene: str
    defect: str
    level: float
    kind: Kind
    split: str

    @property
    def is_good(self) -> bool:
        """The photo is one of those without any defect."""
        return self.set.startswith(GOOD_PREFIX)


def read_manifest(source: Path, split: str = ALL_SPLITS) -> tuple[Entry, ...]:
    """Read a benchmark's manifest.

    Args:
        source: the CSV; its paths start from its own folder.
        split: only the rows of this split; ``all`` for every row.

    Raises:
        DataError: a column is absent, a row is wrong, or no row is of that split.
    """
    table = read_table(source)
    table.require(
        ["path", "set", "scene", "defect", "level", "kind"], "A benchmark's manifest needs all of these columns."
    )
    entries = []
    for row, cells in table.rows:
        where = table.where(row)
        key, kind = cells["defect"], next((kind for kind in KINDS if kind == cells["kind"]), None)
        if key not in BY_KEY:
            raise DataError(f"{where}: {key!r} is no defect. The seven are {', '.join(KEYS)}.")
        if kind is None:
            raise DataError(f"{where}: the kind is {cells['kind']!r}. It is one of {', '.join(KINDS)}.")
        if not cells["path"] or not cells["set"]:
            raise DataError(f"{where}: a path and a set are needed.")
        level = _level(cells["level"], key, where)
        name = cells["path"]
        entry = Entry(
            name, source.parent / name, cells["set"], cells["scene"], key, level, kind, cells.get("split", "")
        )
        if split in (ALL_SPLITS, entry.split):
            entries.append(entry)
    if not entries:
        there = sorted({cells.get("split", "") for _, cells in table.rows})
        raise DataError(f"{source}: no row is of the split {split!r}. There are {', '.join(map(repr, there))}.")
    return tuple(entries)


def _level(text: str, key: str, where: str) -> float:
    try:
        level = float(text)
    except ValueError:
        level = math.nan
    if not math.isfinite(level) or (level < 0 and not BY_KEY[key].signed):
        raise DataError(
            f"{where}: the level is {text!r}. It is a number, from 0 (none) up; negative for saturation only."
        )
    return level
