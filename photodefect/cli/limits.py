"""Readers for the values of ``rank-folder``'s options: rank keys, limits, percentages, weights and thresholds."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import typer

from photodefect.cli.options import defect_key, thresholds
from photodefect.defects import KEYS
from photodefect.ranking.overall import OVERALL, Limit
from photodefect.ranking.profiles.profile import Profile
from photodefect.ranking.profiles.settings import Setting
from photodefect.verdicts import VERDICTS, Verdict


def rank_key(text: str) -> str:
    """What ``--by`` means: ``overall`` or a defect.

    Raises:
        typer.BadParameter: it is neither.
    """
    return OVERALL if text.strip().lower() == OVERALL else defect_key(text)


def limit(text: str, *, upper: bool) -> Limit:
    """Read ``DEFECT=VALUE`` of ``--min`` or ``--max``.

    Raises:
        typer.BadParameter: it can't be read, or the value is out of range.
    """
    name, equals, number = text.partition("=")
    if not equals:
        raise typer.BadParameter(f"{text!r} is not DEFECT=VALUE, as in noise=0.3")
    key = rank_key(name)
    value = _number(number, text)
    if value < 0:
        raise typer.BadParameter(f"{text!r}: both directions are compared by their size, so give a value from 0 to 1")
    if value > 1:
        raise typer.BadParameter(f"{text!r}: severities end at 1")
    return Limit(key, value, upper)


def percentage(text: str) -> float:
    """Read ``10%`` or ``10``.

    Raises:
        typer.BadParameter: it is no percentage above 0 and up to 100.
    """
    try:
        value = _number(text.strip().removesuffix("%"), text)
    except typer.BadParameter:
        raise typer.BadParameter(f"{text!r} is not a percentage, as in 10%") from None
    if value > 100:
        raise typer.BadParameter(f"{text!r} is more than all photos; give up to 100%")
    if value <= 0:
        raise typer.BadParameter(f"{text!r} is no photo at all; give more than 0%")
    return value


def verdict(text: str) -> Verdict:
    """Read a verdict.

    Raises:
        typer.BadParameter: it is none.
    """
    for known in VERDICTS:
        if text.strip().lower() == known:
            return known
    raise typer.BadParameter(f"{text!r} is not a verdict; there are {', '.join(VERDICTS)}")


_LENGTH: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(h|hours?|d|days?|w|weeks?)", re.ASCII)
_HOURS: Final = {"h": 1, "d": 24, "w": 168}


def since(text: str, now: datetime) -> datetime:
    """Read a moment: a date, with or without a time, ``today``, ``yesterday``, or a while before now such as ``3d``.

    Args:
        text: as written.
        now: by the clock of this place.

    Returns:
        The moment, by the same clock.

    Raises:
        typer.BadParameter: it is none of these.
    """
    word = text.strip().lower()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if word in ("today", "yesterday"):
        return midnight - timedelta(days=word == "yesterday")
    try:
        if length := _LENGTH.fullmatch(word):
            return now - timedelta(hours=float(length[1]) * _HOURS[length[2][0]])
        moment = datetime.fromisoformat(text.strip())
        return moment if moment.tzinfo is None else moment.astimezone().replace(tzinfo=None)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{text!r} is no time; write 2024-05-01, 2024-05-01T18:30, today, yesterday, or how long ago: 12h, 3d, 2w"
        ) from None


def weight_settings(values: Iterable[str]) -> dict[str, Setting]:
    """The settings after ``--weight DEFECT=WEIGHT`` options.

    Raises:
        typer.BadParameter: a value can't be read or is negative.
    """
    settings = {}
    for text in values:
        name, equals, number = text.partition("=")
        if not equals:
            raise typer.BadParameter(f"{text!r} is not DEFECT=WEIGHT, as in saturation=0")
        key = defect_key(name)
        value = _number(number, text)
        if not 0 <= value <= 1000:
            raise typer.BadParameter(f"{text!r}: a weight is from 0 to 1000")
        settings[f"weights.{key}"] = Setting(value, "--weight")
    return settings


def threshold_settings(values: Iterable[str], profile: Profile) -> dict[str, Setting]:
    """The settings after ``--threshold`` options.

    Args:
        values: ``[DEFECT=][MILD:]SEVERE``, later ones win.
        profile: whose thresholds of mild hold where an option says nothing about them.

    Raises:
        typer.BadParameter: a value can't be read or is out of range.
    """
    settings = {}
    for text in values:
        name, equals, numbers = text.rpartition("=")
        read = thresholds([text])
        for key in [defect_key(name)] if equals else KEYS:
            severe = read[key].severe
            mild = read[key].mild if ":" in numbers else min(profile.thresholds[key].mild, severe)
            settings[f"thresholds.{key}.mild"] = Setting(mild, "--threshold")
            settings[f"thresholds.{key}.severe"] = Setting(severe, "--threshold")
    return settings


def _number(text: str, whole: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise typer.BadParameter(f"{whole!r}: {text!r} is not a number")
    return value
