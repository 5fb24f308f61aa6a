"""Profiles as TOML: read, checked setting by setting, merged key by key, and written.

A setting is named by its dotted key, as TOML has it (``thresholds.noise.severe``). Later layers win key by key, and
every setting remembers the file that it comes from, for errors and for ``photodefect profile show``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import tomlkit
import tomlkit.exceptions

from photodefect.defects import BY_KEY, KEYS
from photodefect.encodings import as_utf8
from photodefect.errors import DataError
from photodefect.printable import printable
from photodefect.ranking.profiles.profile import DEFAULT_PROFILE, Curve, Profile, RejectPolicy
from photodefect.verdicts import VERDICTS, Threshold

Value = bool | float | str | tuple[float, ...] | tuple[str, ...]

_T = TypeVar("_T")

_GRADES: Final = ("mild", "severe")
_MARKS: Final = ("rating", "label", "keyword")
_CURVE: Final = ("raw", "severity")
_REJECTED: Final = "rejected"
_LONGEST_LABEL: Final = 100

_TABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "": ("hints", "weights", "thresholds", "overall", "reject", "calibration", "ratings", "labels"),
    "weights": KEYS,
    "thresholds": KEYS,
    "overall": ("mean_share",),
    "reject": ("at", "defects", "as"),
    "calibration": KEYS,
    "ratings": (*VERDICTS, _REJECTED),
    "labels": (*KEYS, _REJECTED),
    **{f"thresholds.{key}": _GRADES for key in KEYS},
    **{f"calibration.{key}": _CURVE for key in KEYS},
}
"""What each table of a profile may hold."""


@dataclass(frozen=True)
class Setting:
    """One value of a profile.

    Attributes:
        value: as checked.
        source: the file or option that it comes from, for people.
    """

    value: Value
    source: str


Settings = Mapping[str, Setting]
"""Settings by dotted key."""


def read_settings(path: Path) -> Settings:
    """Read one profile.

    Raises:
        DataError: the file can't be read, is no TOML, or has a key or value that a profile doesn't have. The message
            names the file and the key.
    """
    try:
        text = as_utf8(path.read_bytes()).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror or error if isinstance(error, OSError) else "it isn't UTF-8 text"
        raise DataError(f"the profile {path} can't be read: {reason}") from error
    return parse_settings(text, str(path))


def parse_settings(text: str, source: str) -> Settings:
    """Read the text of a profile.

    Args:
        text: TOML.
        source: named in errors.

    Raises:
        DataError: as :func:`read_settings`.
    """
    try:
        document = tomlkit.parse(text).unwrap()
    except (tomlkit.exceptions.TOMLKitError, RecursionError) as error:
        raise DataError(f"the profile {source} is not TOML: {error}") from error
    settings: dict[str, Setting] = {}
    _collect(document, "", source, settings)
    return settings


def _collect(table: Mapping[str, Any], name: str, source: str, settings: dict[str, Setting]) -> None:
    for key, value in table.items():
        dotted = f"{name}.{key}" if name else key
        if key not in _TABLES[name]:
            raise DataError(f"{source}: there is no setting {dotted!r}; {_suggestion(key, name)}")
        if dotted in _TABLES:
            if not isinstance(value, dict):
                raise DataError(f"{source}: {dotted} is {value!r}; it is a table of {', '.join(_TABLES[dotted])}")
            _collect(value, dotted, source, settings)
        else:
            settings[dotted] = Setting(_checked(dotted, value, source), source)


def _suggestion(key: str, table: str) -> str:
    known = _TABLES[table]
    # "blur" means "undesired_blur".
    part = [name for name in known if name.endswith(f"_{key.lower()}") or name == key.lower().replace("-", "_")]
    near = part or get_close_matches(key.lower(), known, n=1, cutoff=0.5)
    elsewhere = [f"{name}.{key}" for name, keys in _TABLES.items() if name and key in keys]
    prefix = f"{table}." if table else ""
    if near:
        return f"did you mean {prefix}{near[0]}?"
    if elsewhere:
        return f"did you mean {elsewhere[0]}?"
    return f"there are {', '.join(prefix + name for name in known)}"


def _checked(dotted: str, value: object, source: str) -> Value:
    group, _, last = dotted.partition(".")

    def wrong(what: str) -> DataError:
        return DataError(f"{source}: {dotted} is {value!r}; it must be {what}")

    if dotted == "hints":
        if not isinstance(value, bool):
            raise wrong("true or false")
        return value
    if dotted in ("reject.at", "reject.as"):
        choices = _GRADES if last == "at" else _MARKS
        if value not in choices:
            raise wrong("one of " + ", ".join(choices))
        return str(value)
    if dotted == "reject.defects":
        if not isinstance(value, list) or not all(key in BY_KEY for key in value):
            raise wrong(f"a list of some of {', '.join(KEYS)}")
        return tuple(value)
    if group == "calibration":
        if not isinstance(value, list) or not all(_is_number(number) and -1 <= number <= 1 for number in value):
            raise wrong("a list of numbers from -1 to 1")
        return tuple(float(number) for number in value)
    if group in ("ratings", "labels"):
        return _checked_mark(group, value, wrong)
    high = 1000.0 if group == "weights" else 1.0
    if not _is_number(value) or not 0 <= float(str(value)) <= high:
        raise wrong(f"a number from 0 to {high:g}")
    return float(str(value))


def _checked_mark(group: str, value: object, wrong: Callable[[str], DataError]) -> Value:
    """What a sidecar says: a rating or a label."""
    if group == "ratings":
        if not isinstance(value, int) or isinstance(value, bool) or not -1 <= value <= 5:
            raise wrong("a whole number from -1 (rejected) to 5")
        return value
    if not isinstance(value, str) or len(value) > _LONGEST_LABEL or not value.isprintable():
        raise wrong("the name of a colour label, or empty for none")
    return value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def merged(layers: Iterable[Settings]) -> Settings:
    """All layers as one; later ones win, key by key."""
    result: dict[str, Setting] = {}
    for layer in layers:
        result |= layer
    return result


def to_profile(settings: Settings) -> Profile:
    """The profile that settings make; what they don't say is as in the default one.

    Raises:
        DataError: settings don't go together, e.g. mild above severe. The message names the files.
    """
    values = _Values(settings)
    thresholds = {}
    for key, default in DEFAULT_PROFILE.thresholds.items():
        name = f"thresholds.{key}"
        try:
            thresholds[key] = Threshold(
                values.number(f"{name}.mild", default.mild), values.number(f"{name}.severe", default.severe)
            )
        except ValueError as error:
            raise DataError(f"{_sources(settings, name)}: {name}: {error}") from error
    calibration = {}
    for key in KEYS:
        name = f"calibration.{key}"
        if any(setting.startswith(f"{name}.") for setting in settings):
            try:
                calibration[key] = Curve(values.numbers(f"{name}.raw"), values.numbers(f"{name}.severity"))
            except ValueError as error:
                raise DataError(f"{_sources(settings, name)}: {name}: {error}") from error
    weights = {key: values.number(f"weights.{key}", default) for key, default in DEFAULT_PROFILE.weights.items()}
    if not any(weights.values()):
        raise DataError(f"{_sources(settings, 'weights')}: all weights are 0, so no defect is left to judge by")
    reject = DEFAULT_PROFILE.reject
    return Profile(
        thresholds=thresholds,
        weights=weights,
        mean_share=values.number("overall.mean_share", DEFAULT_PROFILE.mean_share),
        hints=values.of("hints", DEFAULT_PROFILE.hints),
        reject=RejectPolicy(
            at=values.of("reject.at", reject.at),
            defects=values.of("reject.defects", reject.defects),
            mark=values.of("reject.as", reject.mark),
        ),
        calibration=calibration,
        ratings={
            **DEFAULT_PROFILE.ratings,
            **{name: values.of(f"ratings.{name}", 0) for name in _TABLES["ratings"] if f"ratings.{name}" in settings},
        },
        labels={name: values.of(f"labels.{name}", default) for name, default in DEFAULT_PROFILE.labels.items()},
    )


class _Values:
    """Settings by name and type; :func:`_checked` has seen to it that they are of that type."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def of(self, name: str, default: _T) -> _T:
        setting = self._settings.get(name)
        return default if setting is None else cast(_T, setting.value)

    def number(self, name: str, default: float) -> float:
        return self.of(name, default)

    def numbers(self, name: str) -> tuple[float, ...]:
        return self.of(name, ())


def _sources(settings: Settings, table: str) -> str:
    """The files that say something in a table."""
    found = [setting.source for name, setting in settings.items() if name.startswith(f"{table}.")]
    return " and ".join(dict.fromkeys(found))


def to_toml(profile: Profile, settings: Settings, *, heading: Iterable[str] = (), only_set: bool = False) -> str:
    """A profile as TOML that :func:`parse_settings` reads; a comment at each setting says where it comes from.

    Args:
        profile: to write.
        settings: that it was made of, for the comments.
        heading: lines of comment before everything.
        only_set: leave out what is as in the default profile.
    """
    document = tomlkit.document()
    for line in heading:
        document.add(tomlkit.comment(printable(line)))
    for dotted, value in _all_values(profile):
        setting = settings.get(dotted)
        if only_set and setting is None:
            continue
        *tables, last = dotted.split(".")
        place: Any = document
        for table in tables:
            if table not in place:
                place.add(table, tomlkit.table(is_super_table=table in ("thresholds", "calibration")))
            place = place[table]
        item = tomlkit.item(list(value) if isinstance(value, tuple) else value)
        if not only_set:
            item.comment(printable(setting.source) if setting else "default")
        place.add(last, item)
    return tomlkit.dumps(document)


def _all_values(profile: Profile) -> list[tuple[str, Value]]:
    values: list[tuple[str, Value]] = [("hints", profile.hints)]
    values += [(f"weights.{key}", weight) for key, weight in profile.weights.items()]
    values += [("overall.mean_share", profile.mean_share)]
    values += [("reject.at", profile.reject.at), ("reject.defects", profile.reject.defects)]
    values += [("reject.as", profile.reject.mark)]
    values += [(f"ratings.{name}", rating) for name, rating in profile.ratings.items()]
    values += [(f"labels.{name}", label) for name, label in profile.labels.items()]
    for key, threshold in profile.thresholds.items():
        values += [(f"thresholds.{key}.{grade}", getattr(threshold, grade)) for grade in _GRADES]
    for key, curve in profile.calibration.items():
        values += [(f"calibration.{key}.{part}", getattr(curve, part)) for part in _CURVE]
    return values
