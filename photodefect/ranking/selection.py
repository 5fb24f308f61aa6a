"""The selection from a folder: which photos a person wants, in which order, and why the others are left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path, PurePath

from photodefect.photos.shots import shots
from photodefect.ranking.hints.advice import findings
from photodefect.ranking.hints.measurements import Measurements
from photodefect.ranking.keepers import find_keepers
from photodefect.ranking.overall import (
    OVERALL,
    Candidate,
    Limit,
    RankedPhoto,
    Ranking,
    in_order,
    name_of,
    number,
    relative_to_folder,
    series_places,
    share_of,
    shown_value,
    sort_value,
)
from photodefect.ranking.profiles.profile import Profile
from photodefect.ranking.series.best import keep_best, order_bursts
from photodefect.ranking.series.find import DEFAULT_GAP_S, find_series
from photodefect.ranking.series.kinds import Series
from photodefect.records import Diagnosis
from photodefect.verdicts import Verdict


@dataclass(frozen=True)
class Only:
    """Photos that somebody named; all others are left out.

    Attributes:
        paths: of the photos.
        why: the reason for leaving out the others.
    """

    paths: frozenset[str]
    why: str


@dataclass(frozen=True)
class Wishes:
    """What a person asked for.

    Photos are left out in this order: those that are not among ``only``, by time, by verdict, what isn't a photograph,
    by limits, by severe defects, from bursts, and last those that come after the ``top`` or ``best`` ones, or are no
    keepers. Photos of one shot, such as a raw photo and its JPEG, count as one, and are left out only if none of them
    is to be kept.

    Attributes:
        by: ``overall`` or the key of the defect to rank by.
        reverse: worst first.
        limits: what photos must keep.
        keep_graphics: rank screenshots, drawings, charts and documents too.
        exclude_severe: leave out what the profile rejects; of a set, all photos or none.
        best_per_burst: photos to keep of each burst; None for all.
        thin_sequences: thin brackets, panoramas and other sets like bursts, and leave out photos of them one by one.
        top: how many photos to keep, from the start of the order (the worst of them if it is reversed).
        best: which percentage of photos to keep, the least severe whatever the order.
        keep: how many shots to keep, spread over the shoot (:mod:`photodefect.ranking.keepers`).
        only: the photos to choose from; None for all.
        since: only photos taken then or later; None for all. One that doesn't say when counts by its file's time.
        verdicts: only photos with one of these; none for all.
        relative_to_folder: percentiles are among the photos of the folder.
        gap_s: seconds between two photos of a burst, at most.
    """

    by: str = OVERALL
    reverse: bool = False
    limits: tuple[Limit, ...] = ()
    keep_graphics: bool = False
    exclude_severe: bool = False
    best_per_burst: int | None = None
    thin_sequences: bool = False
    top: int | None = None
    best: float | None = None
    keep: int | None = None
    only: Only | None = None
    since: datetime | None = None
    verdicts: tuple[Verdict, ...] = ()
    relative_to_folder: bool = False
    gap_s: float = DEFAULT_GAP_S


@dataclass(frozen=True)
class LeftOut:
    """Why a photo was left out.

    Attributes:
        group: the reason in general, to be counted.
        text: the reason in full.
    """

    group: str
    text: str


@dataclass(frozen=True)
class Selection:
    """A folder sorted out.

    Attributes:
        chosen: in the order asked for.
        left_out: in the same order; their ``ranking.left_out`` says why.
        failed: could not be diagnosed.
        judged: all photos as the profile judges them, failed ones included, in the order of their files.
        series: of all photos.
        spared: paths of photos that the profile rejects and that ``exclude_severe`` keeps all the same: others of their
            set or shot aren't rejected.
        reasons: number of photos left out by reason.
    """

    chosen: tuple[RankedPhoto, ...]
    left_out: tuple[RankedPhoto, ...]
    failed: tuple[RankedPhoto, ...]
    judged: tuple[Diagnosis, ...]
    series: tuple[Series, ...]
    spared: frozenset[str] = frozenset()
    reasons: Counter[str] = field(default_factory=Counter)


def select(
    diagnoses: Sequence[Diagnosis], measurements: Mapping[str, Measurements], profile: Profile, wishes: Wishes
) -> Selection:
    """Rank photos and leave out what isn't wanted.

    Args:
        diagnoses: of all photos, in the order of their files.
        measurements: by path; a photo without them gets fewer hints and belongs to no series.
        profile: that judges them.
        wishes: what is wanted.
    """
    judged = [profile.judge(it) for it in diagnoses]
    if wishes.relative_to_folder:
        judged = relative_to_folder(judged)
    candidates = [
        Candidate(index, it, profile.overall(it)) for index, it in enumerate(judged) if it.severity is not None
    ]
    ordered = in_order(candidates, wishes.by)
    miniatures = {path: it.miniature for path, it in measurements.items()}
    series = find_series(judged, miniatures, gap_s=wishes.gap_s)
    # Of equals by the one defect, overall severity decides, as in the ranking.
    values = {it.index: (sort_value(it, wishes.by), it.overall) for it in ordered}
    orders = order_bursts(series, judged, miniatures, values)
    names = shots(it.path for it in judged)
    left_out = _outside(ordered, wishes)
    if wishes.exclude_severe:
        left_out |= _rejected([it for it in ordered if it.index not in left_out], profile, series, wishes)
    left_out = _whole_shots(left_out, ordered, names)
    if wishes.best_per_burst is not None:
        left_out |= _thinned(series, orders, judged, left_out, wishes)
    remaining = [it for it in ordered if it.index not in left_out]
    ranks = {it.index: rank for rank, it in enumerate(remaining, start=1)}
    left_out |= _beyond(remaining, names, wishes)
    if wishes.keep is not None:
        kept = find_keepers(remaining, judged, miniatures, names, series, count=wishes.keep)
        why = LeftOut(f"not among the {wishes.keep} keepers", f"not among the {wishes.keep} keepers")
        left_out |= {it.index: why for it in remaining if names[it.diagnosis.path] not in kept}
    places = series_places(series, orders)
    if wishes.reverse:
        ordered.reverse()
    photos = []
    for it in ordered:
        value, reason = shown_value(it, wishes.by), left_out.get(it.index)
        ranking = Ranking(
            rank=ranks.get(it.index),
            of=len(ranks),
            by=wishes.by,
            value=None if value is None else round(value, 6),
            overall=round(it.overall, 6),
            burst=places.get(it.index),
            left_out=None if reason is None else reason.text,
        )
        photos.append(_ranked(it, measurements.get(it.diagnosis.path), profile, ranking))
    return Selection(
        chosen=tuple(photo for photo in photos if photo.ranking and photo.ranking.left_out is None),
        left_out=tuple(photo for photo in photos if photo.ranking and photo.ranking.left_out is not None),
        failed=tuple(RankedPhoto.of(it) for it in judged if it.severity is None),
        judged=tuple(judged),
        series=tuple(series),
        spared=_spared(ordered, profile, series, names, wishes),
        reasons=Counter(reason.group for reason in left_out.values()),
    )


def _outside(candidates: Sequence[Candidate], wishes: Wishes) -> dict[int, LeftOut]:
    """Photos that aren't what was asked for, or don't keep the limits."""
    left_out = {}
    for it in candidates:
        if wishes.only is not None and it.diagnosis.path not in wishes.only.paths:
            left_out[it.index] = LeftOut(wishes.only.why, wishes.only.why)
            continue
        if wishes.since is not None and (taken := _taken(it.diagnosis)) is not None and taken < wishes.since:
            left_out[it.index] = LeftOut(f"older than {wishes.since:%Y-%m-%d %H:%M}", f"of {taken:%Y-%m-%d %H:%M}")
            continue
        if wishes.verdicts and it.diagnosis.verdict not in wishes.verdicts:
            why = f"not {' or '.join(wishes.verdicts)}"
            left_out[it.index] = LeftOut(why, f"{it.diagnosis.verdict}, {why}")
            continue
        violations = [found for limit in wishes.limits if (found := limit.violation(it.diagnosis, it.overall))]
        if it.diagnosis.photograph is False and not wishes.keep_graphics:
            left_out[it.index] = LeftOut("no photograph", f"no photograph: {it.diagnosis.not_photograph}")
        elif violations:
            left_out[it.index] = LeftOut("outside --min and --max", ", ".join(violations))
    return left_out


def _taken(diagnosis: Diagnosis) -> datetime | None:
    """When a photo was taken, or else when its file was written; None if neither is known."""
    clock = None if diagnosis.capture is None else diagnosis.capture.clock
    if clock is not None:
        return clock
    try:
        return datetime.fromtimestamp(Path(diagnosis.path).stat().st_mtime)
    except (OSError, ValueError, OverflowError):
        return None


def _rejected(
    candidates: Sequence[Candidate], profile: Profile, series: Sequence[Series], wishes: Wishes
) -> dict[int, LeftOut]:
    """Photos that the profile rejects, without those of sequences of which others aren't."""
    left_out = {}
    for it in candidates:
        if reasons := profile.reasons_to_reject(it.diagnosis):
            severity = it.diagnosis.severity or {}
            named = [f"{name_of(key)} {number(key, severity[key])}" for key in reasons]
            text = f"{profile.reject.at} {', '.join(named)}"
            left_out[it.index] = LeftOut(f"{profile.reject.at} {name_of(reasons[0])}", text)
    if wishes.thin_sequences:
        return left_out
    there = {it.index for it in candidates}
    for one in series:
        # Each photo of these is needed, and the dark frame of a bracket is meant to be dark.
        if not one.is_burst and any(index not in left_out for index in there.intersection(one.members)):
            left_out = {index: why for index, why in left_out.items() if index not in one.members}
    return left_out


def _whole_shots(
    left_out: Mapping[int, LeftOut], candidates: Sequence[Candidate], names: Mapping[str, str]
) -> dict[int, LeftOut]:
    """Those of which no other file of their shot stays."""
    kept = {names[it.diagnosis.path] for it in candidates if it.index not in left_out}
    gone = (it for it in candidates if it.index in left_out and names[it.diagnosis.path] not in kept)
    return {it.index: left_out[it.index] for it in gone}


def _spared(
    candidates: Sequence[Candidate],
    profile: Profile,
    series: Sequence[Series],
    names: Mapping[str, str],
    wishes: Wishes,
) -> frozenset[str]:
    """Paths of photos that the profile rejects, and that would stay for their set or shot."""
    rejected = _whole_shots(_rejected(candidates, profile, series, wishes), candidates, names)
    stay = (it.diagnosis for it in candidates if it.index not in rejected)
    return frozenset(it.path for it in stay if profile.reasons_to_reject(it))


def _thinned(
    series: Sequence[Series],
    orders: Sequence[Sequence[int]],
    judged: Sequence[Diagnosis],
    left_out: Mapping[int, LeftOut],
    wishes: Wishes,
) -> dict[int, LeftOut]:
    competing = [[index for index in order if index not in left_out] for order in orders]
    dropped = keep_best(series, competing, judged, wishes.best_per_burst or 1, thin_sequences=wishes.thin_sequences)
    kinds = {index: one.kind for one in series for index in one.members}
    return {
        index: LeftOut(
            f"not the best of a {kinds[index]}", f"{PurePath(judged[best].path).name} is the best of its {kinds[index]}"
        )
        for index, best in dropped.items()
    }


def _beyond(remaining: Sequence[Candidate], names: Mapping[str, str], wishes: Wishes) -> dict[int, LeftOut]:
    """Photos after the first shots, of photos from best to worst."""
    # A shot stands where its better photo stands.
    order = list(dict.fromkeys(names[it.diagnosis.path] for it in remaining))
    if wishes.best is not None:
        kept, why = order[: share_of(wishes.best, len(order))], f"not among the best {wishes.best:g}%"
    elif wishes.top is not None:
        kept = (order[::-1] if wishes.reverse else order)[: wishes.top]
        why = f"not among the {'worst' if wishes.reverse else 'best'} {wishes.top}"
    else:
        return {}
    wanted = set(kept)
    return {it.index: LeftOut(why, why) for it in remaining if names[it.diagnosis.path] not in wanted}


def _ranked(
    candidate: Candidate,
    measurements: Measurements | None,
    profile: Profile,
    ranking: Ranking,
) -> RankedPhoto:
    found = findings(candidate.diagnosis, measurements, hints=profile.hints, ignored=profile.ignored)
    return RankedPhoto.of(candidate.diagnosis, replace(ranking, findings=found))
