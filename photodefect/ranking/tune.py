"""Fitting a profile to a person's ratings: a monotone scale for each defect, and the weights of the defects.

Ratings are a CSV with ``path`` and at least one of

* the person's own severities: columns named by the defects' keys, cells empty where they say nothing;
* ``stars``, 0 to 5;
* ``keep``: ``keep`` or ``reject`` (also yes/no, true/false, 1/0).

A scale is piecewise linear over five knots, fitted by least squares with rises of zero and more (bounded linear least
squares) and drawn towards the model's own scale, so that few ratings change little. Weights are those under which
overall severity orders pairs of photos as the stars do (a logistic loss over pairs, drawn towards equal weights).
Both are judged on photos that they were not fitted to (cross-validation in five parts), and what gains nothing there
is left as it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import lsq_linear, minimize

from photodefect.defects import BY_KEY, KEYS, Defect
from photodefect.errors import DataError
from photodefect.labels.table import CsvTable, identity_of, read_severity, read_table
from photodefect.ranking.overall import DEFAULT_MEAN_SHARE
from photodefect.ranking.profiles.profile import Curve
from photodefect.records import Diagnosis
from photodefect.verdicts import COLOUR_DEFECTS

ENOUGH: Final = 30
"""Fewer ratings than this can't be trusted."""

FEWEST: Final = 8
"""Fewer ratings of one defect than this are not fitted at all."""

FOLDS: Final = 5

STARS: Final = ("stars", "rating")
KEEP: Final = "keep"

_KEEP_WORDS: Final[Mapping[str, float]] = {
    **dict.fromkeys(("keep", "yes", "true", "1"), 1.0),
    **dict.fromkeys(("reject", "no", "false", "0"), 0.0),
}
_WORTH: Final = 0.98
"""A fit that lowers the error by less than this share isn't worth having."""
_KNOTS: Final = 5
_PULL: Final = 1.0
"""How many ratings the model's own scale is worth at each knot."""
_TEMPERATURE: Final = 0.1
"""Difference of overall severity that is clear but not beyond doubt."""
_WEIGHT_PULL: Final = 0.02
_MAX_PAIRS: Final = 4000

_T = TypeVar("_T")

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Rating:
    """What a person says about one photo.

    Attributes:
        path: as the CSV has it.
        severities: by defect key; only what the person rated.
        liking: stars, or 1 to keep and 0 to reject; None if neither is given.
    """

    path: str
    severities: Mapping[str, float]
    liking: float | None = None


def read_ratings(path: Path) -> list[Rating]:
    """Read a CSV of ratings.

    Raises:
        DataError: it can't be read, has no column of ratings, a value can't be one, or a photo is there twice.
    """
    table = read_table(path)
    table.require(["path"], "Name the photos in a column 'path'.")
    stars = next((name for name in STARS if name in table.columns), None)
    keep = KEEP if KEEP in table.columns else None
    if stars and keep:
        raise DataError(f"{path}, row 1: there are both {stars!r} and {keep!r}. Keep one of them.")
    rated = [key for key in KEYS if key in table.columns]
    if not (rated or stars or keep):
        raise DataError(
            f"{path}, row 1: no column of ratings (it has {', '.join(map(repr, table.columns))}). "
            f"Add 'stars', 'keep', or defects by their keys: {', '.join(KEYS)}."
        )
    ratings = []
    first: dict[str, int] = {}
    for row, cells in table.rows:
        where = table.where(row)
        name = cells["path"]
        if not name:
            raise DataError(f"{where}: no path. Every row needs one.")
        photo = identity_of(name)
        if photo in first:
            raise DataError(f"{where}: {name!r} is in row {first[photo]} already. Keep one row a photo.")
        first[photo] = row
        given = {key: read_severity(cells[key], BY_KEY[key], where) for key in rated}
        severities = {key: value for key, value in given.items() if not math.isnan(value)}
        liking = _stars(cells[stars], where) if stars else _keep(cells[keep], where) if keep else None
        if severities or liking is not None:
            ratings.append(Rating(name, severities, liking))
    if not ratings:
        raise _empty(table)
    return ratings


def _empty(table: CsvTable) -> DataError:
    return DataError(f"{table.path}: all ratings are empty. Rate some photos.")


def _stars(text: str, where: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 5:
        raise DataError(f"{where}: {text!r} is not a number of stars from 0 to 5.")
    return value


def _keep(text: str, where: str) -> float | None:
    if not text:
        return None
    if text.lower() not in _KEEP_WORDS:
        raise DataError(f"{where}: {text!r} is neither 'keep' nor 'reject'.")
    return _KEEP_WORDS[text.lower()]


@dataclass(frozen=True)
class Gain:
    """What a fit is worth on photos that it didn't see.

    Attributes:
        what: a defect's key, or ``weights``.
        photos: that it was fitted to.
        before: mean absolute error of the model's own scale; for weights the share of pairs that equal weights order
            wrongly. Lower is better.
        after: the same with the fit.
        used: whether it is better and so went into the profile.
    """

    what: str
    photos: int
    before: float
    after: float
    used: bool


@dataclass(frozen=True)
class Taste:
    """A person's taste.

    Attributes:
        calibration: own scales by defect key.
        weights: by defect key; None where equal weights do as well.
        gains: what each fit is worth.
        skipped: why a defect or the weights were not fitted.
    """

    calibration: Mapping[str, Curve] = field(default_factory=dict)
    weights: Mapping[str, float] | None = None
    gains: tuple[Gain, ...] = ()
    skipped: tuple[str, ...] = ()


def fit_taste(ratings: Sequence[Rating], diagnoses: Mapping[str, Diagnosis], *, seed: int = 0) -> Taste:
    """Fit a person's taste.

    Args:
        ratings: what they say.
        diagnoses: what the model says, by the path of the rating.
        seed: how photos are dealt into parts for cross-validation.
    """
    pairs = [(it, diagnoses[it.path]) for it in ratings if diagnoses[it.path].severity is not None]
    rng = np.random.default_rng(seed)
    gains: list[Gain] = []
    skipped: list[str] = []
    calibration: dict[str, Curve] = {}
    for key in KEYS:
        known = [
            (float((diagnosis.severity or {})[key]), rating.severities[key])
            for rating, diagnosis in pairs
            if key in rating.severities and not (diagnosis.monochrome and key in COLOUR_DEFECTS)
        ]
        if not known:
            continue
        if len(known) < FEWEST:
            skipped.append(f"{key}: only {len(known)} photos are rated; {FEWEST} are the fewest")
            continue
        raw, wanted = (np.array(column) for column in zip(*known, strict=True))
        gain, curve = _calibrated(BY_KEY[key], raw, wanted, rng)
        gains.append(gain)
        if gain.used:
            calibration[key] = curve
    weights: Mapping[str, float] | None = None
    liked = [(rating.liking, diagnosis) for rating, diagnosis in pairs if rating.liking is not None]
    if liked:
        if len({liking for liking, _ in liked}) < 2:
            skipped.append("weights: all photos are liked the same")
        elif len(liked) < FEWEST:
            skipped.append(f"weights: only {len(liked)} photos are rated; {FEWEST} are the fewest")
        else:
            gain, fitted = _weighted(liked, calibration, rng)
            gains.append(gain)
            weights = fitted if gain.used else None
    return Taste(calibration, weights, tuple(gains), tuple(skipped))


def _calibrated(defect: Defect, raw: Floats, wanted: Floats, rng: np.random.Generator) -> tuple[Gain, Curve]:
    held_out = _cross_validated(
        len(raw), rng, lambda train: fit_curve(defect, raw[train], wanted[train]), lambda curve, it: curve(raw[it])
    )
    before = float(np.abs(raw - wanted).mean())
    after = float(np.abs(held_out - wanted).mean())
    return Gain(defect.key, len(raw), before, after, used=after < _WORTH * before), fit_curve(defect, raw, wanted)


def fit_curve(defect: Defect, raw: Floats, wanted: Floats) -> Curve:
    """The person's scale for one defect.

    Args:
        defect: whose range the curve spans.
        raw: the model's severities, (N,).
        wanted: the person's, (N,).
    """
    ends = [defect.lowest, 1.0] if not defect.signed else [-1.0, 0.0, 1.0]
    inner = np.quantile(raw, np.linspace(0, 1, _KNOTS)[1:-1])
    knots = _apart(np.unique(np.concatenate([ends, inner])), ends)
    # Each rating is a mixture of the two knots beside it; knot k is the start and the first k rises.
    mixture = np.stack([np.interp(raw, knots, row) for row in np.eye(len(knots))], axis=1)
    rises = np.tril(np.ones((len(knots), len(knots))))
    matrix = np.concatenate([mixture @ rises, math.sqrt(_PULL) * rises])
    target = np.concatenate([wanted, math.sqrt(_PULL) * knots])
    lower = np.zeros(len(knots))
    lower[0] = defect.lowest
    solution = lsq_linear(matrix, target, bounds=(lower, np.full(len(knots), 2.0))).x
    values = np.clip(rises @ solution, defect.lowest, 1.0)
    return Curve(
        tuple(round(float(knot), 4) for knot in knots),
        tuple(round(float(value), 4) for value in np.maximum.accumulate(values)),
    )


def _apart(knots: Floats, ends: Sequence[float]) -> Floats:
    """Knots at least 0.05 from each other; the ends stay."""
    kept = list(ends)
    for knot in knots:
        if min(abs(knot - other) for other in kept) >= 0.05:
            kept.append(float(knot))
    return np.sort(np.array(kept))


def _weighted(
    liked: Sequence[tuple[float, Diagnosis]], calibration: Mapping[str, Curve], rng: np.random.Generator
) -> tuple[Gain, dict[str, float]]:
    liking = np.array([stars for stars, _ in liked])
    sizes = np.array([_sizes(diagnosis, calibration) for _, diagnosis in liked])
    equal = overall(sizes, np.ones(len(KEYS)))
    held_out = _cross_validated(
        len(liked),
        rng,
        lambda train: fit_weights(sizes[train], liking[train], rng),
        lambda weights, it: float(overall(sizes[it][np.newaxis], weights)[0]),
    )
    before, after = disorder(equal, liking), disorder(held_out, liking)
    weights = fit_weights(sizes, liking, rng)
    named = {key: round(float(weight), 3) for key, weight in zip(KEYS, weights, strict=True)}
    return Gain("weights", len(liked), before, after, used=after < _WORTH * before), named


def _sizes(diagnosis: Diagnosis, calibration: Mapping[str, Curve]) -> list[float]:
    """Absolute severities on the person's scale, nan where a defect doesn't apply."""
    values = []
    for key in KEYS:
        value = (diagnosis.severity or {})[key]
        exempt = diagnosis.monochrome and key in COLOUR_DEFECTS
        values.append(math.nan if exempt else abs(calibration[key](value) if key in calibration else value))
    return values


def overall(sizes: Floats, weights: Floats) -> Floats:
    """Overall severity of photos, (N,), as :func:`photodefect.ranking.overall.overall_severity` has it.

    Args:
        sizes: absolute severities, (N, 7) in the order of the defects, nan where one doesn't apply.
        weights: (7,), the largest above 0.
    """
    relative = weights / weights.max()
    applies = ~np.isnan(sizes)
    weighted = np.where(applies, sizes, 0.0) * relative
    total = np.maximum((applies * relative).sum(axis=1), 1e-12)
    result: Floats = (1 - DEFAULT_MEAN_SHARE) * weighted.max(axis=1) + DEFAULT_MEAN_SHARE * weighted.sum(axis=1) / total
    return result


def fit_weights(sizes: Floats, liking: Floats, rng: np.random.Generator) -> Floats:
    """Weights of the defects, (7,), the largest 1, under which photos that are liked less are more severe.

    Args:
        sizes: as :func:`overall` takes them.
        liking: (N,), more is better.
        rng: chooses pairs where there are too many of them.
    """
    better, worse = np.nonzero(liking[:, np.newaxis] > liking)
    if len(better) > _MAX_PAIRS:
        some = rng.choice(len(better), _MAX_PAIRS, replace=False)
        better, worse = better[some], worse[some]
    if not len(better):
        return np.ones(len(KEYS))

    def loss(weights: Floats) -> float:
        severity = overall(sizes, np.maximum(weights, 1e-6))
        margin = (severity[worse] - severity[better]) / _TEMPERATURE
        return float(np.logaddexp(0.0, -margin).mean() + _WEIGHT_PULL * ((weights - 1) ** 2).sum())

    # The largest term makes it bend sharply, which gradients don't like.
    found = minimize(loss, np.ones(len(KEYS)), method="Powell", bounds=[(0.0, 1.0)] * len(KEYS), options={"xtol": 1e-3})
    weights = np.clip(found.x, 0.0, 1.0)
    if weights.max() < 1e-3:
        return np.ones(len(KEYS))
    # A weight of 0 would switch a defect off altogether; ratings can't say that much.
    result: Floats = np.maximum(weights / weights.max(), 0.02)
    return result


def disorder(severity: Floats, liking: Floats) -> float:
    """Share of pairs, of photos liked differently, of which the better one is called more severe; ties count half."""
    better, worse = np.nonzero(liking[:, np.newaxis] > liking)
    if not len(better):
        return 0.0
    difference = severity[better] - severity[worse]
    return float(((difference > 0) + 0.5 * (difference == 0)).mean())


def _cross_validated(
    count: int,
    rng: np.random.Generator,
    fit: Callable[[NDArray[np.intp]], _T],
    predict: Callable[[_T, int], float],
) -> Floats:
    """Predictions for all photos, (count,), each by a fit to the other parts."""
    part = rng.permutation(count) % min(FOLDS, count)
    predictions = np.zeros(count)
    for held_out in np.unique(part):
        fitted = fit(np.flatnonzero(part != held_out))
        for index in np.flatnonzero(part == held_out):
            predictions[index] = predict(fitted, int(index))
    return predictions
