"""Reports, with one writer for each format.

Records go in one by one, so that memory doesn't grow with their number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Protocol, TextIO

from photodefect.records import Diagnosis
from photodefect.reports.csv import CsvWriter
from photodefect.reports.json import JsonWriter
from photodefect.reports.ndjson import NdjsonWriter
from photodefect.reports.table import TableWriter

__all__ = ["FORMATS", "Format", "ReportWriter"]


class ReportWriter(Protocol):
    """Writes records as they come."""

    def write(self, diagnosis: Diagnosis) -> None:
        """Write one record."""

    def close(self) -> None:
        """Complete the document; the stream stays open."""


@dataclass(frozen=True)
class Format:
    """One output format.

    Attributes:
        writer: makes a writer from the stream and whether to add the networks' own scores.
        encoding_errors: how the stream must encode what isn't Unicode, e.g. bytes of a file name.
    """

    writer: Callable[[TextIO, bool], ReportWriter]
    encoding_errors: str


FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {
        "table": Format(TableWriter, "backslashreplace"),
        "json": Format(JsonWriter, "strict"),
        "ndjson": Format(NdjsonWriter, "strict"),
        "csv": Format(CsvWriter, "surrogateescape"),
    }
)
