"""The photos of a review: their records as they come, what the page is told of them, and their marks."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Final

from photodefect.defects import DEFECTS, KEYS
from photodefect.errors import DataError
from photodefect.files.fingerprint import Fingerprint, fingerprint
from photodefect.photos.formats import RAW_SUFFIXES
from photodefect.photos.names import file_name
from photodefect.photos.shots import shots
from photodefect.printable import printable
from photodefect.ranking.hints.advice import findings
from photodefect.ranking.profiles.profile import Profile
from photodefect.records import Diagnosis
from photodefect.review.marked import subject_of
from photodefect.review.marks import UNMARKED, Mark, MarkStore, Subject, as_json
from photodefect.verdicts import COLOUR_DEFECTS, VERDICTS, grades

if TYPE_CHECKING:
    from photodefect.ranking.hints.measurements import Measurements
    from photodefect.ranking.selection import Selection, Wishes

_DIGITS: Final = 3

_SCREENFUL: Final = 60
"""Entries that the first answer waits for, if they come at once, so that the page doesn't fill by ones and twos."""

_FIRST_WAIT_S: Final = 0.25
"""How long it waits; with fewer then, or none, the page asks again."""


@dataclass
class Shot:
    """One entry of the page: a photo, or a raw photo and its JPEG together.

    Attributes:
        shown: the record of the file that is shown: the developed one if there is one.
        members: the paths of all its files.
        mark: the person's.
        state: of the shown file when it was diagnosed.
    """

    shown: Diagnosis
    members: tuple[str, ...]
    mark: Mark = UNMARKED
    state: Fingerprint | None = None


@dataclass
class _Arriving:
    """A shot of which not all files have a record yet."""

    waiting: int
    records: list[Diagnosis] = field(default_factory=list)


class Shoot:
    """All photos of a review. Records come from one thread, questions from others.

    Args:
        paths: of all photos, in their order.
        title: what they are called together.
        profile: that judges them.
        wishes: how long the pauses of a burst may be.
        store: of the marks.
        content_of: the key of a file's content if it is known without reading it.
    """

    def __init__(
        self,
        paths: Sequence[str],
        title: str,
        *,
        profile: Profile,
        wishes: Wishes,
        store: MarkStore,
        content_of: Callable[[str], bytes | None],
    ) -> None:
        self.title = printable(title)
        self.profile = profile
        self.selection: Selection | None = None
        self._wishes = wishes
        self._store = store
        self._content_of = content_of
        self._lock = threading.Condition()
        self._paths = paths
        self._names: dict[str, str] = {}
        self._arriving: dict[str, _Arriving] = {}
        self.total = len(paths)
        self._shots: list[Shot] = []
        self._diagnoses: list[Diagnosis] = []
        self._measurements: dict[str, Measurements] = {}
        self._ids: dict[str, int] = {}
        self._bursts: list[dict[str, Any]] = []
        self._burst_of: dict[int, int] = {}
        # What is marked from now on is news; what was before is found with each photo.
        self._marked_to = self._marked_before = store.last

    # What the command tells.

    def begin(self) -> None:
        """Find out which photos are one shot, before the first record comes."""
        self._names = shots(self._paths)
        counts = Counter(self._names.values())
        self._arriving = {name: _Arriving(count) for name, count in counts.items()}
        self.total = len(counts)

    def add(self, diagnosis: Diagnosis, measured: Measurements | None) -> None:
        """Take the record of one photo; its shot shows once all its files have theirs."""
        name = self._names.get(diagnosis.path)
        with self._lock:
            self._diagnoses.append(diagnosis)
            if measured is not None:
                self._measurements[diagnosis.path] = measured
        if name is None:  # a folder that can't be looked into
            self._append([diagnosis])
            return
        arriving = self._arriving[name]
        arriving.records.append(diagnosis)
        if len(arriving.records) == arriving.waiting:
            del self._arriving[name]
            self._append(arriving.records)

    def finish(self) -> None:
        """All records are there: find the bursts, and the order by which things are exported."""
        from photodefect.ranking.selection import select  # noqa: PLC0415  the first page doesn't wait for it

        selection = select(self._diagnoses, self._measurements, self.profile, self._wishes)
        rankings = {photo.path: photo.ranking for photo in selection.chosen}
        place = {path: it.burst.place for path, it in rankings.items() if it is not None and it.burst is not None}
        bursts: list[dict[str, Any]] = []
        burst_of: dict[int, int] = {}
        for burst in selection.series:
            members = [selection.judged[index].path for index in burst.members]
            ids = list(dict.fromkeys(self._ids[path] for path in members if path in self._ids))
            if len(ids) < 2:
                continue
            best = min((path for path in members if path in place), key=place.__getitem__, default=None)
            burst_of |= dict.fromkeys(ids, len(bursts))
            bursts.append({"kind": burst.kind, "members": ids, "best": None if best is None else self._ids[best]})
        if self._wishes.relative_to_folder:  # percentiles are known only now
            judged = {it.path: it for it in selection.judged}
            for shot in self._shots:
                shot.shown = judged.get(shot.shown.path, shot.shown)
        with self._lock:
            self._bursts, self._burst_of, self.selection = bursts, burst_of, selection
            self._lock.notify_all()

    def _append(self, records: list[Diagnosis]) -> None:
        good = [record for record in records if record.severity is not None]
        developed = [it for it in good if PurePath(it.path).suffix.lower() not in RAW_SUFFIXES]
        shown = self.profile.judge((developed or good or records)[0])
        members = tuple(record.path for record in records)
        mark = UNMARKED
        if self._marked_before:
            mark = max((self._store.find(self._subject(record)) for record in records), key=lambda pair: pair[1])[0]
        shot = Shot(shown, members, mark, _state(shown.path))
        with self._lock:
            self._ids |= dict.fromkeys(members, len(self._shots))
            self._shots.append(shot)
            if len(self._shots) >= _SCREENFUL:
                self._lock.notify_all()

    def _subject(self, record: Diagnosis) -> Subject:
        return subject_of(record, self._content_of)

    # What the page asks.

    def path(self, number: int) -> str:
        """The file that is shown of an entry.

        Raises:
            IndexError: there is no such entry.
        """
        return self._shots[number].shown.path

    def about(self) -> dict[str, Any]:
        """What the page needs to know before any photo."""
        return {
            "title": self.title,
            "total": self.total,
            "compared": "photos of this folder" if self._wishes.relative_to_folder else "reference photos",
            "defects": [
                {
                    "key": defect.key,
                    "title": defect.short_title,
                    "signed": defect.signed,
                    "mapped": defect.in_patches,
                    "mild": self.profile.thresholds[defect.key].mild,
                    "severe": self.profile.thresholds[defect.key].severe,
                }
                for defect in DEFECTS
            ],
        }

    def rows(self, start: int, most: int) -> dict[str, Any]:
        """Entries from ``start`` on; the first ones are waited for, for a moment.

        Args:
            start: number of the first.
            most: how many at most.
        """
        with self._lock:
            if start == 0:
                self._lock.wait_for(
                    lambda: len(self._shots) >= _SCREENFUL or self.selection is not None, timeout=_FIRST_WAIT_S
                )
            some = self._shots[start : start + most]
            known, done = len(self._shots), self.selection is not None
        rows = [self._row(shot) for shot in some]
        return {"photos": rows, "known": known, "total": max(self.total, known), "done": done}

    def bursts(self) -> list[dict[str, Any]]:
        """Bursts, brackets and panoramas: kind, the numbers of their entries, and the best of them."""
        with self._lock:
            return self._bursts

    def detail(self, number: int) -> dict[str, Any]:
        """What there is to know of one entry, and whether its file is still the same.

        Raises:
            IndexError: there is no such entry.
        """
        from photodefect.reports.html.page import facts  # noqa: PLC0415  takes a while, which the first page has no time for

        shot = self._shots[number]
        shown = shot.shown
        now = _state(shown.path)
        measured = self._measurements.get(shown.path)
        found = findings(shown, measured, hints=self.profile.hints, ignored=self.profile.ignored)
        percentile = shown.percentile or {}
        return {
            "facts": facts(shown),
            "files": [printable(path) for path in shot.members],
            "findings": [{"defect": KEYS.index(it.defect), "grade": it.grade, "hint": it.hint} for it in found],
            "percentile": [percentile.get(key) for key in KEYS] if shown.percentile else None,
            "state": "gone" if now is None else "same" if now == shot.state else "changed",
            "version": _version(now),
            "mark": as_json(shot.mark),
        }

    def mark(self, numbers: Sequence[int], fields: Mapping[str, object]) -> dict[int, Any]:
        """Change the marks of some entries, and keep them.

        Returns:
            The whole marks by entry.

        Raises:
            IndexError: there is no such entry.
            DataError: a photo is gone, or the marks can't be used; those before it in the list are marked.
            TransferError: the marks can't be written.
        """
        marked = {}
        for number in numbers:
            shot = self._shots[number]
            subjects = [self._subject(self._record(shot, path)) for path in shot.members if Path(path).exists()]
            if not subjects:
                raise DataError(f"{shot.shown.path} is gone: it was moved or deleted. Nothing was marked")
            shot.mark = self._store.change(subjects, fields)
            marked[number] = as_json(shot.mark)
        return marked

    def news(self) -> dict[int, Any]:
        """Marks that another review made since this was asked last, by entry."""
        last = self._store.last
        if last == self._marked_to:
            return {}
        paths, self._marked_to = set(self._store.paths_since(self._marked_to)), last
        changed = {}
        for path, number in list(self._ids.items()):
            if os.path.abspath(path) in paths:  # noqa: PTH100
                shot = self._shots[number]
                shot.mark = self._store.find(self._subject(self._record(shot, path)))[0]
                changed[number] = as_json(shot.mark)
        return changed

    def chosen(self, numbers: Sequence[int]) -> list[str]:
        """The paths of all files of entries."""
        return [path for number in numbers for path in self._shots[number].members]

    def marks(self) -> dict[str, Mark]:
        """The marks of all files that have one, by path."""
        with self._lock:
            return {path: shot.mark for shot in self._shots if shot.mark for path in shot.members}

    @staticmethod
    def _record(shot: Shot, path: str) -> Diagnosis:
        """A record of a file of a shot, as far as marks need one: its files were taken at one moment."""
        return shot.shown if path == shot.shown.path else Diagnosis(path, capture=shot.shown.capture)

    def _row(self, shot: Shot) -> dict[str, Any]:
        shown = shot.shown
        row: dict[str, Any] = {"name": _name(shot), "path": printable(shown.path), "mark": as_json(shot.mark)}
        if shown.error is not None or shown.severity is None:
            return row | {"error": printable(shown.error.message if shown.error else "")}
        severity, applies = shown.severity, not shown.monochrome
        graded = grades(severity, self.profile.thresholds, monochrome=bool(shown.monochrome))
        capture = shown.capture
        return row | {
            "size": [shown.width, shown.height],
            "verdict": VERDICTS.index(shown.verdict or VERDICTS[0]),
            "worst": None if shown.worst is None else KEYS.index(shown.worst),
            "severity": [round(severity[key], _DIGITS) for key in KEYS],
            "grades": [
                VERDICTS.index(graded[key]) if key in graded and (applies or key not in COLOUR_DEFECTS) else None
                for key in KEYS
            ],
            "overall": round(self.profile.overall(shown), _DIGITS),
            "time": capture.time if capture else None,
            "camera": printable(capture.camera) if capture and capture.camera else None,
            "version": _version(shot.state),
        }


def _name(shot: Shot) -> str:
    """The file's name, with the endings of the others of its shot."""
    name = file_name(shot.shown.path)
    others = [PurePath(path).suffix.lstrip(".").upper() for path in shot.members if path != shot.shown.path]
    return printable(" + ".join([name, *others]))


def _state(path: str) -> Fingerprint | None:
    try:
        return fingerprint(Path(path))
    except (OSError, ValueError):
        return None


def _version(state: Fingerprint | None) -> str:
    """What changes in the address of a picture when the file does."""
    return "gone" if state is None else f"{state.size:x}-{state.mtime_ns:x}"
