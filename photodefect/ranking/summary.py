"""The summary of a folder: how many photos have which defect, how severely, and by folder, camera and ISO speed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import PurePath
from types import MappingProxyType
from typing import Any, Final

from photodefect.defects import DEFECTS, Defect
from photodefect.photos.names import natural_key
from photodefect.ranking.overall import applicable
from photodefect.ranking.profiles.profile import Profile
from photodefect.records import Diagnosis
from photodefect.verdicts import VERDICTS, grades

WORST: Final = 5
"""How many of the worst photos are named for each defect."""

UNKNOWN: Final = "unknown"

NOTHING: Final[Mapping[str, int]] = MappingProxyType({})

_ISO_BANDS: Final = (200, 800, 3200, 12800)
"""Upper ends; noise grows with the square root of the speed, so a band is two stops wide."""


@dataclass(frozen=True)
class DefectSummary:
    """How one defect is spread over a folder.

    Attributes:
        defect: its key.
        grades: number of photos by ``good``, ``mild`` and ``severe``.
        not_applicable: photos without colour, for defects of colour.
        too_little: of the mild and severe photos, those below zero; None if the defect has no sign.
        too_much: those above.
        histogram: number of photos by severity in steps of 0.1, from 0, or from -1 if the defect has a sign.
        worst: path and severity of the worst photos that are mild or severe.
    """

    defect: str
    grades: dict[str, int]
    not_applicable: int
    too_little: int | None
    too_much: int | None
    histogram: tuple[int, ...]
    worst: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class GroupSummary:
    """Photos that have something in common.

    Attributes:
        name: the sub-folder, camera or band of ISO speeds.
        photos: how many.
        verdicts: number of photos by verdict.
        overall: mean overall severity.
        commonest: key of the defect that most of them have, mild or severe; None if none has any.
    """

    name: str
    photos: int
    verdicts: dict[str, int]
    overall: float
    commonest: str | None


@dataclass(frozen=True)
class FolderSummary:
    """A folder at a glance.

    Attributes:
        photos: diagnosed and summarized.
        graphics: screenshots, drawings, charts and documents, which don't count.
        failed: not.
        passed_over: number of files and folders that weren't looked at, by kind: ``photo_library``, ``previews``,
            ``recycle_bin``, ``own_pictures``, ``backup``, ``thumbnail``, ``unfinished``, ``excluded``.
        verdicts: number of photos by verdict.
        overall: number of photos by overall severity in ten steps of 0.1.
        defects: one a defect, in the usual order.
        by_folder: by sub-folder.
        by_camera: by camera.
        by_iso: by ISO speed, ascending.
    """

    photos: int
    graphics: int
    failed: int
    passed_over: dict[str, int]
    verdicts: dict[str, int]
    overall: tuple[int, ...]
    defects: tuple[DefectSummary, ...]
    by_folder: tuple[GroupSummary, ...]
    by_camera: tuple[GroupSummary, ...]
    by_iso: tuple[GroupSummary, ...]

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def summarize(
    diagnoses: Iterable[Diagnosis],
    profile: Profile,
    root: str = "",
    passed_over: Mapping[str, int] = NOTHING,
    *,
    keep_graphics: bool = False,
) -> FolderSummary:
    """Summarize judged records.

    Args:
        diagnoses: of :meth:`Profile.judge`, failed ones included.
        profile: that judged them.
        root: the folder that sub-folders are named from.
        passed_over: what wasn't looked at, as of :func:`photodefect.photos.places.as_numbers`.
        keep_graphics: what isn't a photograph counts as well.
    """
    everything = list(diagnoses)
    diagnosed = [it for it in everything if it.severity is not None]
    photos = [it for it in diagnosed if keep_graphics or it.photograph is not False]
    return FolderSummary(
        photos=len(photos),
        graphics=len(diagnosed) - len(photos),
        failed=len(everything) - len(diagnosed),
        passed_over=dict(passed_over),
        verdicts=_verdicts(photos),
        overall=_histogram([profile.overall(it) for it in photos], 0.0),
        defects=tuple(_of_defect(defect, photos, profile) for defect in DEFECTS),
        by_folder=_groups(photos, profile, lambda it: _sub_folder(it.path, root)),
        by_camera=_groups(photos, profile, lambda it: (it.capture and it.capture.camera) or UNKNOWN),
        by_iso=_groups(photos, profile, _iso_band, order=_ISO_NAMES.index),
    )


def _verdicts(photos: Sequence[Diagnosis]) -> dict[str, int]:
    counts = Counter(it.verdict for it in photos)
    return {verdict: counts[verdict] for verdict in VERDICTS}


def _histogram(values: Sequence[float], lowest: float) -> tuple[int, ...]:
    """Counts by steps of 0.1 from ``lowest`` to 1; the last step holds 1 itself."""
    steps = round((1.0 - lowest) * 10)
    # What is 0.3 in decimals must not fall below it in binary.
    counts = Counter(min(int((value - lowest) * 10 + 1e-9), steps - 1) for value in values)
    return tuple(counts[step] for step in range(steps))


def _of_defect(defect: Defect, photos: Sequence[Diagnosis], profile: Profile) -> DefectSummary:
    values = {}
    for it in photos:
        severity = applicable(it.severity or {}, monochrome=bool(it.monochrome))
        if defect.key in severity:
            values[it.path] = severity[defect.key]
    threshold = profile.thresholds[defect.key]
    graded = {path: threshold.grade(value) for path, value in values.items()}
    wrong = [path for path, grade in graded.items() if grade != "good"]
    worst = sorted(wrong, key=lambda path: (-abs(values[path]), natural_key(path)))[:WORST]
    counts = Counter(graded.values())
    return DefectSummary(
        defect=defect.key,
        grades={verdict: counts[verdict] for verdict in VERDICTS},
        not_applicable=len(photos) - len(values),
        too_little=sum(values[path] < 0 for path in wrong) if defect.signed else None,
        too_much=sum(values[path] > 0 for path in wrong) if defect.signed else None,
        histogram=_histogram(list(values.values()), defect.lowest),
        worst=tuple((path, values[path]) for path in worst),
    )


def _groups(
    photos: Sequence[Diagnosis],
    profile: Profile,
    name_of: Callable[[Diagnosis], str],
    order: Callable[[str], object] | None = None,
) -> tuple[GroupSummary, ...]:
    members: dict[str, list[Diagnosis]] = {}
    for it in photos:
        members.setdefault(name_of(it), []).append(it)
    names = sorted(members, key=order or (lambda name: (name == UNKNOWN, name)))  # type: ignore[arg-type]
    return tuple(_group(name, members[name], profile) for name in names)


def _group(name: str, photos: Sequence[Diagnosis], profile: Profile) -> GroupSummary:
    found: Counter[str] = Counter()
    for it in photos:
        graded = grades(it.severity or {}, profile.thresholds, monochrome=bool(it.monochrome))
        found.update(key for key, grade in graded.items() if grade != "good" and key not in profile.ignored)
    ranked = sorted(found, key=lambda key: (-found[key], key))
    overall = sum(profile.overall(it) for it in photos) / len(photos)
    return GroupSummary(name, len(photos), _verdicts(photos), round(overall, 6), ranked[0] if ranked else None)


def _sub_folder(path: str, root: str) -> str:
    folder = PurePath(path).parent
    try:
        return str(folder.relative_to(root)) if root else str(folder)
    except ValueError:  # a list of paths may name photos elsewhere
        return str(folder)


def _band_names() -> tuple[str, ...]:
    lower = [0, *(end + 1 for end in _ISO_BANDS)]
    bands = [f"{low}-{high}" if low else f"up to {high}" for low, high in zip(lower, _ISO_BANDS, strict=False)]
    return (*bands, f"above {_ISO_BANDS[-1]}", UNKNOWN)


_ISO_NAMES: Final = _band_names()


def _iso_band(diagnosis: Diagnosis) -> str:
    iso = diagnosis.capture.iso if diagnosis.capture is not None else None
    if iso is None:
        return UNKNOWN
    return _ISO_NAMES[sum(iso > end for end in _ISO_BANDS)]
