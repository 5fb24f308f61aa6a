"""Raw worker votes to ground truth, as in section 3.

Some photos are obvious: what is wrong with them is known beforehand. A worker's accuracy is 1 - the mean absolute
error of the votes on those; workers below 0.6 are left out. A photo's ground truth is the mean of the votes that are
left, weighted by the accuracy of those who gave them.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Final

from photodefect.defects import BY_KEY, KEYS
from photodefect.errors import DataError
from photodefect.labels.table import (
    GROUP_COLUMN,
    CsvTable,
    LabelledPhoto,
    identity_of,
    read_severity,
    read_table,
    read_vote,
)

LEAST_ACCURACY: Final = 0.6
"""Workers less accurate than this are left out."""

VOTES_WANTED: Final = 5
"""Votes a photo should have."""

OBVIOUS_COLUMN: Final = "obvious"
"""In the long layout: the severity that is known beforehand; in the wide one ``obvious_<key>``."""


@dataclass(frozen=True)
class RawVotes:
    """All that workers said.

    Attributes:
        votes: vote by (photo, defect key), then by worker; photos and workers in the order they first appear.
        obvious: the severity that is known beforehand, by (photo, defect key).
        photos: all photos, in order; of several spellings of one path the first counts.
    """

    votes: Mapping[tuple[str, str], Mapping[str, float]]
    obvious: Mapping[tuple[str, str], float]
    photos: tuple[str, ...]


@dataclass(frozen=True)
class Worker:
    """What is known of one worker.

    Attributes:
        name: as in the votes.
        votes: how many were given.
        obvious: how many of them on something obvious.
        accuracy: 1 - mean absolute error on those, at most 1; None if there were none.
        kept: the votes count.
    """

    name: str
    votes: int
    obvious: int
    accuracy: float | None
    kept: bool


@dataclass(frozen=True)
class GroundTruth:
    """What votes come to.

    Attributes:
        photos: with their severities, and the votes and workers that count.
        workers: all of them, kept or not.
        dropped_votes: votes of workers that were left out.
        sparse: photos with fewer votes on some defect than wanted, and the fewest they have; still in ``photos``.
        empty: photos for which no vote is left; not in ``photos``.
    """

    photos: tuple[LabelledPhoto, ...]
    workers: tuple[Worker, ...]
    dropped_votes: int
    sparse: Mapping[str, int] = field(default_factory=dict)
    empty: tuple[str, ...] = ()


def read_votes(source: Path, obvious: Path | None = None, *, largest: float = 1.0) -> RawVotes:
    """Read raw votes.

    Two layouts, told apart by the header: wide (``path``, ``worker`` and any of the seven keys, one row a photo and
    worker) and long (``path``, ``worker``, ``defect``, ``vote``). ``photo`` may stand for ``path``, ``rater`` for
    ``worker``, and ``blur`` or ``exposure`` for the keys. What is obvious is in columns ``obvious_<key>`` or, in the
    long layout, ``obvious``; or in a file of its own.

    Args:
        source: the CSV of votes. An empty cell is no vote.
        obvious: CSV with ``path`` and any of the seven keys: the severities known beforehand, empty where none is.
        largest: what a severe vote is in the CSV: 1, or 2 where votes are 0, 1 and 2.

    Raises:
        DataError: a column is absent, a vote isn't one of the levels, there is none at all, a worker voted twice on
            the same thing, or what is obvious is said in two ways.
    """
    table = _with_keys(read_table(source))
    place = _photo_column(table)
    table.require(["worker"], "Each row needs the worker who gave the vote.")
    long = "defect" in table.columns or "vote" in table.columns
    if long:
        table.require(["defect", "vote"], "The long layout has one vote a row: path, worker, defect, vote.")
    elif not any(key in table.columns for key in KEYS):
        raise DataError(
            f"{source}, row 1: no column of votes (it has {', '.join(map(repr, table.columns))}). "
            f"Add the columns {', '.join(KEYS)}, or defect and vote."
        )
    votes: dict[tuple[str, str], dict[str, float]] = defaultdict(dict)
    known: dict[tuple[str, str], float] = {}
    photos: dict[str, str] = {}
    rows_of: dict[tuple[str, str, str], int] = {}
    for row, cells in table.rows:
        where = table.where(row)
        photo, worker = _name(cells[place], "photo", where), _name(cells["worker"], "worker", where)
        photo = photos.setdefault(identity_of(photo), photo)
        for key, vote, truth in _cells(cells, where, long=long):
            value = read_vote(vote, BY_KEY[key], where, largest)
            if not math.isnan(value):
                earlier = rows_of.setdefault((photo, key, worker), row)
                if earlier != row:
                    raise DataError(
                        f"{where}: worker {worker!r} voted on {key} of {photo!r} in row {earlier} already. "
                        "Keep one vote each."
                    )
                votes[photo, key][worker] = value
            _add_obvious(known, (photo, key), read_severity(truth, BY_KEY[key], where), where)
    if not votes:
        raise DataError(f"{source} holds no votes: all their cells are empty. Enter what the workers said.")
    if obvious is not None:
        _read_obvious(obvious, known, photos)
    return RawVotes({at: dict(given) for at, given in votes.items()}, known, tuple(photos.values()))


_OTHER_NAMES: Final = {"rater": "worker"} | {
    defect.short_title.replace(" ", "_").casefold(): defect.key for defect in BY_KEY.values()
}
"""Columns as people name them, by other names than ours."""


def _with_keys(table: CsvTable) -> CsvTable:
    """The table with our names of its columns, where it doesn't have them already."""
    names = {name: _OTHER_NAMES.get(name, name) for name in table.columns}
    names = {name: name if own in table.columns else own for name, own in names.items()}
    rows = [(row, {names[name]: cell for name, cell in cells.items()}) for row, cells in table.rows]
    return CsvTable(table.path, tuple(names.values()), rows)


def read_groups(source: Path) -> dict[str, str]:
    """Which photos come from one place or one shoot: a CSV with ``path`` and ``group`` (or ``source``).

    Returns:
        The group by the photo's identity, see :func:`~photodefect.labels.table.identity_of`.

    Raises:
        DataError: a column is absent, or a photo is said to be of two groups.
    """
    table = read_table(source)
    place = _photo_column(table)
    if GROUP_COLUMN not in table.columns:
        table.require(["source"], "Say in a column 'group' (or 'source') what photos have in common.")
    column = GROUP_COLUMN if GROUP_COLUMN in table.columns else "source"
    groups: dict[str, str] = {}
    for row, cells in table.rows:
        where = table.where(row)
        name, group = _name(cells[place], "photo", where), cells[column]
        if groups.setdefault(identity_of(name), group) != group:
            raise DataError(f"{where}: {name!r} is of {group!r}, and of {groups[identity_of(name)]!r} in a row before.")
    return groups


def _photo_column(table: CsvTable) -> str:
    place = next((name for name in ("path", "photo") if name in table.columns), None)
    if place is None:
        table.require(["path"], "Name the photos in a column 'path'.")
    return place or "path"


def _name(text: str, what: str, where: str) -> str:
    if not text or (what == "worker" and ";" in text):
        raise DataError(f"{where}: {text!r} is no name of a {what}. Every row needs one, without a semicolon.")
    return text


def _cells(cells: Mapping[str, str], where: str, *, long: bool) -> Iterable[tuple[str, str, str]]:
    """(defect key, vote, what is obvious) of one row."""
    if not long:
        return [(key, cells[key], cells.get(f"{OBVIOUS_COLUMN}_{key}", "")) for key in KEYS if key in cells]
    key = cells["defect"].casefold()
    if key not in BY_KEY:
        raise DataError(f"{where}: {cells['defect']!r} is no defect. The seven are {', '.join(KEYS)}.")
    return [(key, cells["vote"], cells.get(OBVIOUS_COLUMN, ""))]


def _add_obvious(known: dict[tuple[str, str], float], at: tuple[str, str], value: float, where: str) -> None:
    if math.isnan(value):
        return
    if known.setdefault(at, value) != value:
        raise DataError(
            f"{where}: {at[1]} of {at[0]!r} is said to be obviously {value:g}, and {known[at]:g} elsewhere. Keep one."
        )


def _read_obvious(source: Path, known: dict[tuple[str, str], float], photos: Mapping[str, str]) -> None:
    """Add what is obvious to ``known``; ``photos`` are those with votes, by identity."""
    table = read_table(source)
    place = _photo_column(table)
    columns = [key for key in KEYS if key in table.columns]
    if not columns:
        table.require([KEYS[0]], "Give the severities known beforehand in columns named after the defects.")
    named: dict[str, str] = {}
    for row, cells in table.rows:
        where = table.where(row)
        photo = _name(cells[place], "photo", where)
        identity = identity_of(photo)
        photo = named.setdefault(identity, photos.get(identity, photo))
        for key in columns:
            _add_obvious(known, (photo, key), read_severity(cells[key], BY_KEY[key], where), where)
    if named.keys().isdisjoint(photos):
        raise DataError(f"{source}: nobody voted on any of its photos. Name them as the votes do.")


def judge_workers(raw: RawVotes, least_accuracy: float = LEAST_ACCURACY) -> tuple[Worker, ...]:
    """Accuracy of every worker on what is obvious.

    A worker who never met anything obvious can't be judged and is kept.

    Args:
        raw: the votes.
        least_accuracy: who is below is left out.

    Returns:
        Workers by name.
    """
    given: dict[str, int] = defaultdict(int)
    errors: dict[str, list[float]] = defaultdict(list)
    for at, votes in raw.votes.items():
        for worker, vote in votes.items():
            given[worker] += 1
            if at in raw.obvious:
                errors[worker].append(abs(vote - raw.obvious[at]))
    workers = []
    for name in sorted(given):
        seen = errors[name]
        accuracy = 1 - math.fsum(seen) / len(seen) if seen else None
        # 1e-9: three errors of 0.4 have a mean that is a hair above 0.4.
        kept = accuracy is None or accuracy >= least_accuracy - 1e-9
        workers.append(Worker(name, given[name], len(seen), accuracy, kept))
    return tuple(workers)


def aggregate(
    raw: RawVotes,
    *,
    least_accuracy: float = LEAST_ACCURACY,
    votes_wanted: int = VOTES_WANTED,
    groups: Mapping[str, str] = MappingProxyType({}),
) -> GroundTruth:
    """Accuracy-weighted means of the votes of accurate workers.

    A worker who can't be judged weighs as much as the judged ones that are kept do on average; if nobody can be
    judged, all weigh the same.

    Args:
        raw: the votes.
        least_accuracy: workers below are left out, above 0.
        votes_wanted: photos with fewer votes on a defect are listed.
        groups: from :func:`read_groups`.

    Raises:
        DataError: no vote is left.
    """
    workers = judge_workers(raw, least_accuracy)
    judged = [worker.accuracy for worker in workers if worker.kept and worker.accuracy is not None]
    usual = math.fsum(judged) / len(judged) if judged else 1.0
    weights = {w.name: usual if w.accuracy is None else w.accuracy for w in workers if w.kept}
    photos, sparse, empty = [], {}, []
    for name in raw.photos:
        left = {
            key: {worker: vote for worker, vote in raw.votes.get((name, key), {}).items() if worker in weights}
            for key in KEYS
        }
        voters = tuple(dict.fromkeys(worker for votes in left.values() for worker in votes))
        if not voters:
            empty.append(name)
            continue
        # A defect that nobody was asked about is no lack of votes.
        fewest = min(len(left[key]) for key in KEYS if (name, key) in raw.votes)
        if fewest < votes_wanted:
            sparse[name] = fewest
        votes = {key: tuple(left[key].get(worker, math.nan) for worker in voters) for key in KEYS if left[key]}
        severities = {key: _weighted_mean(left[key], weights) for key in KEYS}
        group = groups.get(identity_of(name), "")
        photos.append(LabelledPhoto(Path(name), severities, votes, voters, name, group))
    if not photos:
        raise DataError(f"No vote is left: all {len(workers)} workers are less accurate than {least_accuracy:g}.")
    dropped = sum(worker.votes for worker in workers if not worker.kept)
    return GroundTruth(tuple(photos), workers, dropped, sparse, tuple(empty))


def _weighted_mean(votes: Mapping[str, float], weights: Mapping[str, float]) -> float:
    if not votes:
        return math.nan
    total = math.fsum(weights[worker] for worker in votes)
    return math.fsum(weights[worker] * vote for worker, vote in votes.items()) / total
