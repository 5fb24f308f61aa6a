"""Options that several commands share, and what their values mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property, partial
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, TypeAlias

import typer

from photodefect.core.patches import DEFAULT_PLACEMENT, Placement
from photodefect.defects import KEYS
from photodefect.verdicts import DEFAULT_THRESHOLDS, Threshold

WORK_OPTION: Final = partial(typer.Option, rich_help_panel="Work")
"""An option about processes, limits and the cache."""


DeviceName: TypeAlias = Literal["auto", "cpu", "cuda", "mps"]
"""What ``--device`` takes."""

ReportFormat: TypeAlias = Literal["table", "json", "ndjson", "csv"]
"""What ``--format`` of a command that diagnoses takes."""

Photos: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(metavar="PATHS", help="Photos, and folders to search for photos (recursively, in sorted order)."),
]
FilesFrom: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--files-from", metavar="FILE|-", help="Read more paths from a file, or from stdin (-), one per line."
    ),
]
Detail: TypeAlias = Annotated[
    bool, typer.Option("--detail", help="Add the scores of each network; in the table, the percentiles too.")
]
Device: TypeAlias = Annotated[DeviceName, typer.Option("--device", help="Where to compute.")]
Quiet: TypeAlias = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no summary; errors only.")]
AnySource: TypeAlias = Annotated[bool, typer.Option("--any-source", help="Also use photos that don't look clean.")]
ReplaceFiles: TypeAlias = Annotated[bool, typer.Option("--force", help="Replace files that exist.")]
Verbose: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        help="Say on stderr which model and settings are used, and show tracebacks of unexpected errors.",
    ),
]
Images: TypeAlias = Annotated[
    Path | None,
    typer.Option("--images", metavar="DIR", help="Folder of the labelled photos. Default: the folder of LABELS.csv."),
]
ModelName: TypeAlias = Annotated[
    str,
    typer.Option(
        "--model", metavar="NAME|DIR", help="Name of a model that comes with photodefect, or the folder of a model."
    ),
]
TimeLimit: TypeAlias = Annotated[
    float | None,
    WORK_OPTION(
        "--time-limit",
        min=0.1,
        metavar="SECONDS",
        help="Give up on a photo after this long. Default: a minute, and more for large files.",
    ),
]


def null_option(*short: str) -> Any:  # noqa: ANN401  as typer has it
    """``--null``, with the short names that are free in the command."""
    return typer.Option("--null", *short, help="Paths in --files-from end in a null byte, as find -print0 writes them.")


def replace_output_option(panel: str | None = None) -> Any:  # noqa: ANN401
    """``--force`` of a command with ``--output FILE``, in a panel of its help."""
    return typer.Option("--force", help="Replace the --output file if it exists.", rich_help_panel=panel)


def threshold_option(panel: str | None = None) -> Any:  # noqa: ANN401
    """``--threshold``, in a panel of its help."""
    return typer.Option(
        "--threshold",
        metavar="[DEFECT=][MILD:]SEVERE",
        help="Severity from which a defect counts as severe (default 0.5) or mild (default 0.3). Repeatable.",
        rich_help_panel=panel,
    )


_COLOUR: Final = ("bad_white_balance", "bad_saturation")
_OTHER_WORDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        **dict.fromkeys(("colour", "color", "colours", "colors"), _COLOUR),
        **dict.fromkeys(("cast", "tint", "temperature", "wb", "awb"), ("bad_white_balance",)),
        **dict.fromkeys(("vibrance", "vividness"), ("bad_saturation",)),
        **dict.fromkeys(("brightness", "darkness", "underexposed", "overexposed"), ("bad_exposure",)),
        **dict.fromkeys(("grain", "noisy"), ("noise",)),
        **dict.fromkeys(("fog", "mist", "hazy", "contrast"), ("haze",)),
        **dict.fromkeys(("sharpness", "focus", "blurry", "motion", "shake"), ("undesired_blur",)),
        **dict.fromkeys(("framing", "crop", "horizon"), ("bad_composition",)),
    }
)
"""What else people call defects; not taken for them, only suggested."""

_ALIKE: Final = 0.75
"""How alike two words must be for one to be a slip of the other, as :mod:`difflib` has it."""

Null: TypeAlias = Annotated[bool, null_option("-0")]
ReplaceOutput: TypeAlias = Annotated[bool, replace_output_option()]
ThresholdTexts: TypeAlias = Annotated[list[str] | None, threshold_option()]


@dataclass(frozen=True)
class WalkOptions:
    """What is left out where folders are searched for photos."""

    exclude: Annotated[
        list[str] | None,
        typer.Option(
            "--exclude",
            metavar="PATTERN",
            help="Leave out files and folders that match this pattern, as .gitignore has them. Repeatable.",
        ),
    ] = None
    include_passed_over: Annotated[
        bool,
        typer.Option(
            "--include-passed-over",
            help="Also search what is passed over otherwise: photo libraries, previews, recycle bins, backups, "
            "unfinished files, and photodefect's own reports and heat maps.",
        ),
    ] = False

    def finding(self) -> dict[str, Any]:
        """The same as arguments of ``find_photos``."""
        return {"exclude": tuple(self.exclude or ()), "include_passed_over": self.include_passed_over}


@dataclass(frozen=True)
class ModelOptions:
    """Which model looks at photos, where it computes, and at how many crops it looks."""

    model: ModelName = "compact"
    device: Device = "auto"
    patches: Annotated[
        int | None,
        typer.Option(
            "--patches",
            min=1,
            max=1000,
            metavar="N",
            help="Number of crops per photo, at original resolution. Default: what suits the model, 1 for compact.",
        ),
    ] = None

    def settings(self) -> dict[str, Any]:
        """The same as arguments of the Diagnoser, beside the model."""
        return {"device": self.device, "patches": self.patches}


@dataclass(frozen=True)
class DiagnosisOptions(ModelOptions):
    """All that decides a record: the model, where its crops lie, and what is called mild and severe."""

    patch_placement: Annotated[
        Placement,
        typer.Option(
            "--patch-placement",
            help="Where the crops lie. sharp: one at the sharpest of many places, others at random; random: all at "
            "random; grid: a fixed 3x3 grid.",
        ),
    ] = DEFAULT_PLACEMENT
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            metavar="N",
            help="Place random crops differently. Without a seed they depend on the photo's content alone.",
        ),
    ] = None
    threshold: ThresholdTexts = None

    @cached_property
    def thresholds(self) -> dict[str, Threshold]:
        """The thresholds that hold.

        Raises:
            typer.BadParameter: a value of ``--threshold`` can't be read or is out of range.
        """
        return thresholds(self.threshold or [])

    def settings(self) -> dict[str, Any]:
        """The same as arguments of the Diagnoser, beside the model."""
        own = {"placement": self.patch_placement, "seed": self.seed, "thresholds": self.thresholds}
        return super().settings() | own


def defect_key(text: str) -> str:
    """The defect that a person means: its key or the end of it (``blur``), with ``-`` for ``_`` if they like.

    Raises:
        typer.BadParameter: there is no such defect.
    """
    name = text.strip().lower().replace("-", "_")
    meant = {key[start:]: key for key in KEYS for start in _word_starts(key)}
    if name in meant:
        return meant[name]
    near = get_close_matches(name, (*meant, *_OTHER_WORDS), n=1, cutoff=_ALIKE)
    suggested = _OTHER_WORDS.get(near[0]) or (meant[near[0]],) if near else ()
    hint = f"did you mean {' or '.join(suggested)}?" if suggested else f"there are {', '.join(KEYS)}"
    raise typer.BadParameter(f"{text!r} is not a defect; {hint}")


def _word_starts(key: str) -> list[int]:
    return [0, *(index + 1 for index, letter in enumerate(key) if letter == "_")]


def thresholds(values: Iterable[str]) -> dict[str, Threshold]:
    """The thresholds after ``--threshold`` options: ``[DEFECT=][MILD:]SEVERE``, later ones win.

    Without ``MILD`` the default stays, unless ``SEVERE`` is below it: then nothing is mild any more.

    Raises:
        typer.BadParameter: a value can't be read or is out of range.
    """
    result = dict(DEFAULT_THRESHOLDS)
    for value in values:
        name, equals, numbers = value.rpartition("=")
        if not equals and numbers.strip()[:1].isalpha():
            key = defect_key(numbers)
            raise typer.BadParameter(f"{value!r} says no severity; write {key}=0.5 or {key}=0.3:0.5")
        keys = [defect_key(name)] if equals else list(KEYS)
        mild_text, colon, severe_text = numbers.rpartition(":")
        severe = number_above_0(severe_text, value)
        for key in keys:
            mild = number_above_0(mild_text, value) if colon else min(DEFAULT_THRESHOLDS[key].mild, severe)
            try:
                result[key] = Threshold(mild, severe)
            except ValueError as error:
                raise typer.BadParameter(f"{value!r}: {error}") from error
    return result


def number_above_0(text: str, whole: str) -> float:
    """Read a severity above 0.

    Args:
        text: the number.
        whole: the value of the option that it is in, for messages.

    Raises:
        typer.BadParameter: it is no number, or not above 0 and up to 1.
    """
    try:
        number = float(text)
    except ValueError:
        raise typer.BadParameter(f"{whole!r}: {text!r} is not a number") from None
    if not 0 < number <= 1:
        raise typer.BadParameter(f"{whole!r}: {text} is not above 0 and up to 1")
    return number
