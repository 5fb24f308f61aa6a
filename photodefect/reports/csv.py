"""CSV: a record as one row, ``path`` first and ``error`` last."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from photodefect.printable import printable
from photodefect.records import Diagnosis, columns, flatten


class CsvWriter:
    """Writes a header and one row a record.

    A severity's column has the name of its defect; the other groups carry theirs in front
    (``percentile_noise``, ``capture_iso``).

    Args:
        stream: where to; opened with ``newline=""``.
        detail: with both networks' own scores and the thresholds.
    """

    def __init__(self, stream: TextIO, detail: bool = False) -> None:
        self._rows = RowWriter(stream, columns(detail))

    def write(self, diagnosis: Diagnosis) -> None:
        """Write one row, and flush it."""
        self._rows.write(flatten(diagnosis))

    def close(self) -> None:
        """Nothing is left to write."""


class RowWriter:
    """Writes a header and then rows, each flushed as soon as it is there.

    Names are written byte by byte as they are, except to a terminal, where what it might act upon is escaped.

    Args:
        stream: where to; opened with ``newline=""``.
        columns: the header.
    """

    def __init__(self, stream: TextIO, columns: Sequence[str]) -> None:
        self._stream = stream
        self._for_terminal = stream.isatty()
        self._columns = columns
        self._rows = csv.DictWriter(Lines(stream), columns)
        self._rows.writeheader()

    def write(self, row: Mapping[str, Any]) -> None:
        """Write one row; a column that isn't in it stays empty."""
        if self._for_terminal:
            row = {column: printable(value) if isinstance(value, str) else value for column, value in row.items()}
        self._rows.writerow({column: row.get(column) for column in self._columns})
        self._stream.flush()


class Lines:
    """Ends rows in a line feed alone. Told so itself, the csv module would leave carriage returns unquoted."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, row: str) -> int:
        """Write one row, which ends as the csv module ends it."""
        return self._stream.write(row.removesuffix("\r\n") + "\n")
