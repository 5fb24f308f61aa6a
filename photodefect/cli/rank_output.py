"""The options of ``rank-folder`` that say how a ranking is written, and the writers of its formats."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Final, Literal, Protocol, TextIO, TypeAlias

import typer

from photodefect.cli.options import replace_output_option
from photodefect.cli.output import open_output

if TYPE_CHECKING:
    from photodefect.photos.places import PassedOver
    from photodefect.ranking.overall import RankedPhoto
    from photodefect.ranking.profiles.profile import Profile
    from photodefect.ranking.selection import Selection

_PANEL: Final = "Output"
_OUTPUT: Final = partial(typer.Option, rich_help_panel=_PANEL)

RankFormat: TypeAlias = Literal["table", "json", "ndjson", "csv", "exiftool-csv", "paths"]
"""What ``--format`` takes."""

_ENCODING_ERRORS: Final[Mapping[RankFormat, str]] = MappingProxyType(
    {
        "table": "backslashreplace",
        "json": "strict",
        "ndjson": "strict",
        "csv": "surrogateescape",
        "exiftool-csv": "surrogateescape",
        "paths": "surrogateescape",
    }
)
"""How each format treats bytes of file names that aren't Unicode."""


class RankWriter(Protocol):
    """Writes ranked photos as they come."""

    def write(self, photo: RankedPhoto) -> None:
        """Write one photo."""

    def close(self) -> None:
        """Complete the document."""


@dataclass(frozen=True)
class RankOutput:
    """How the ranking is written, and where to."""

    report_format: Annotated[
        RankFormat | None, _OUTPUT("--format", "-f", help="Default: a table, for people. The others are for programs.")
    ] = None
    print0: Annotated[
        bool, _OUTPUT("--print0", "-0", help="Only paths, each followed by a null byte, for xargs -0.")
    ] = False
    summary: Annotated[
        bool, _OUTPUT("--summary", help="Write a summary of the whole folder instead of the ranking.")
    ] = False
    detail: Annotated[bool, _OUTPUT("--detail", help="Add the scores of each network.")] = False
    output: Annotated[
        Path | None, _OUTPUT("--output", "-o", metavar="FILE", help="Write to this file instead of stdout.")
    ] = None
    force: Annotated[bool, replace_output_option(_PANEL)] = False

    @property
    def chosen(self) -> RankFormat:
        """The format that holds.

        Raises:
            typer.BadParameter: options exclude each other.
        """
        asked = self.report_format
        if self.print0 and asked not in (None, "paths"):
            raise typer.BadParameter(f"--print0 ends paths, and --format {asked} writes more than these")
        chosen: RankFormat = "paths" if self.print0 else asked or "table"
        if self.summary and chosen not in ("table", "json", "ndjson"):
            raise typer.BadParameter(f"--summary is a table, json or ndjson, not {chosen}")
        return chosen

    @contextmanager
    def opened(self) -> Iterator[TextIO]:
        """Open the place where the ranking goes, with the encoding of its format; errors as of ``open_output``."""
        encoding = sys.stdout.encoding if self.chosen == "table" else "utf-8"
        errors = _ENCODING_ERRORS[self.chosen]
        with open_output(self.output, force=self.force, errors=errors, encoding=encoding) as stream:
            yield stream

    def writer(self, stream: TextIO, by: str) -> RankWriter:
        """The writer of the format; exiftool's has one of its own in :mod:`photodefect.cli.sidecars`.

        Args:
            stream: where to.
            by: what is ranked by; the table shows it.
        """
        from photodefect.reports.json import JsonWriter  # noqa: PLC0415
        from photodefect.reports.ndjson import NdjsonWriter  # noqa: PLC0415
        from photodefect.reports.paths import PathsWriter  # noqa: PLC0415
        from photodefect.reports.rank_csv import RankCsvWriter  # noqa: PLC0415
        from photodefect.reports.rank_table import RankTableWriter  # noqa: PLC0415

        match self.chosen:
            case "table":
                return RankTableWriter(stream, by)
            case "json":
                return JsonWriter(stream, self.detail)
            case "ndjson":
                return NdjsonWriter(stream, self.detail)
            case "csv":
                return RankCsvWriter(stream, self.detail)
            case _:
                return PathsWriter(stream, "\0" if self.print0 else "\n")

    def write_summary(
        self,
        stream: TextIO,
        selection: Selection,
        profile: Profile,
        root: str,
        passed_over: PassedOver,
        *,
        keep_graphics: bool,
    ) -> None:
        """Write the summary of a folder in place of its ranking.

        Args:
            stream: where to.
            selection: its photos.
            profile: what they are judged by.
            root: the folder; empty for a list of photos.
            passed_over: what was found and not taken.
            keep_graphics: what isn't a photograph counts as well.
        """
        from photodefect.photos.places import as_numbers  # noqa: PLC0415
        from photodefect.ranking.summary import summarize  # noqa: PLC0415
        from photodefect.reports.folder_summary import write_summary  # noqa: PLC0415
        from photodefect.reports.json import encode  # noqa: PLC0415

        summary = summarize(selection.judged, profile, root, as_numbers(passed_over), keep_graphics=keep_graphics)
        if self.chosen == "table":
            write_summary(stream, summary)
        else:
            stream.write(encode(summary.to_dict()) + "\n")
